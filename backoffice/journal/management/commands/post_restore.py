"""`manage.py post_restore`: run it once after a backup was restored, before any worker starts."""

from typing import Any

from django.core.management.base import BaseCommand

from backoffice.journal import restoring


class Command(BaseCommand):
    help = "After restoring a backup: stop all sending, and look for what may have been sent since it was made."

    def handle(self, *args: Any, **options: Any) -> None:
        found = restoring.take_stock()
        self.stdout.write("Sending is stopped (Connections, Everything). A principal opens it again.")
        self.stdout.write(
            f"Looked for at IBKR, and not sent again: {found.doubts}. The workers begin as soon as they start."
        )
        self.stdout.write(
            f"Waiting for approval: {found.proposed}. Each may have been approved and sent since the backup:"
            " compare it with IBKR before anybody approves it, and reject it if it is there."
        )
