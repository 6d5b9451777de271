"""`manage.py add_administrator`: the first person of an empty installation. Everybody else is invited."""

from argparse import ArgumentParser
from getpass import getpass
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from backoffice.core.errors import Refusal
from backoffice.people import services


class Command(BaseCommand):
    help = "Make the first administrator; the password is asked for. Refused while there is an active one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="they sign in with it")
        parser.add_argument("name", help='as others see it, e.g. "Ada Prior"')

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            person = services.add_first_administrator(
                email=options["email"], name=options["name"], password=getpass("Password (12 characters or more): ")
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except Refusal as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{person.name} signs in with {person.email}, adds a second factor, and invites everybody else."
        )
