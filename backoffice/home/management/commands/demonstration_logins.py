"""`manage.py demonstration_logins`: print who can sign in to the demonstration."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from backoffice.people.demonstration import LOGINS, PASSWORD


class Command(BaseCommand):
    help = "Print the logins of the demonstration firm."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMONSTRATION:
            raise CommandError("This installation is not a demonstration; its people sign in with their own passwords.")
        for login in LOGINS:
            self.stdout.write(f"{login.email:<32} {login.role.label:<14} {login.name}, {login.job}")
        self.stdout.write(f"Password for all of them: {PASSWORD}")
