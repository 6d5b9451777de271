"""`manage.py axes_reset_username E-MAIL`: end somebody's lock-out now, with an entry in the audit."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backoffice.people import services
from backoffice.people.models import User


class Command(BaseCommand):
    help = "Let somebody try again who is held back after too many wrong passwords."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="what they sign in with")

    def handle(self, *args: Any, **options: Any) -> None:
        person = User.objects.filter(email__iexact=options["email"].strip()).first()
        if person is None:
            raise CommandError("Nobody here has this address; the People page lists everybody.")
        number = services.end_lock_out(person)
        self.stdout.write(f"{person.name} may try again; {number} wrong attempts are forgotten.")
