"""`manage.py changepassword E-MAIL`: for whoever gets no mail. It keeps the password policy and leaves an entry."""

from argparse import ArgumentParser
from getpass import getpass
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from backoffice.people import services
from backoffice.people.models import User


class Command(BaseCommand):
    help = "Give somebody another password; it is asked for twice. Their sessions end, their second factor stays."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="what they sign in with")

    def handle(self, *args: Any, **options: Any) -> None:
        person = User.objects.filter(email__iexact=options["email"].strip()).first()
        if person is None:
            raise CommandError("Nobody here has this address. Invite them on the People page.")
        password = getpass("New password (12 characters or more): ")
        if password != getpass("The same again: "):
            raise CommandError("The two are not the same; nothing has changed.")
        try:
            services.set_password(person, password=password)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        self.stdout.write(f"{person.name} signs in with the new password; their sessions have ended.")
