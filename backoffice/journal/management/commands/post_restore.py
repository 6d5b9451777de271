"""`manage.py post_restore`: run it once after a backup was restored, before any worker starts."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backoffice.audit import anchors, losses, sealing
from backoffice.journal import restoring


class Command(BaseCommand):
    help = "After restoring a backup: stop all sending, and look for what may have been sent since it was made."

    def handle(self, *args: Any, **options: Any) -> None:
        if lost := losses.of_tables():
            raise CommandError(f"{lost} Nothing was done.")
        found = restoring.take_stock()
        self.stdout.write("Sending is stopped (Connections, Everything). A principal opens it again.")
        self.stdout.write(
            f"Looked for at IBKR, and not sent again: {found.doubts}. The workers begin as soon as they start."
        )
        self.stdout.write(
            f"Waiting for approval: {found.proposed}. Each may have been approved and sent since the backup:"
            " compare it with IBKR before anybody approves it, and reject it if it is there."
        )
        self._compare_with_the_audit()

    def _compare_with_the_audit(self) -> None:
        anchor, count = anchors.latest(), sealing.head().count
        if anchor is None:
            self.stdout.write(
                f"There is no anchor in {anchors.path()}, so nothing shows how much is missing at the end of the audit."
            )
        elif anchor.count > count:
            counted = f"the anchor of {anchor.at:%Y-%m-%d %H:%M} UTC counts {anchor.count} entries"
            if not count:
                raise CommandError(f"The audit is empty, and {counted}. Restore again; sending stays stopped.")
            self.stdout.write(f"The audit ends at entry {count}, and {counted}: the rest was done after the backup.")
        if lost := losses.of_rows():
            raise CommandError(f"{lost} Sending stays stopped.")
