"""Commands of Django and its libraries that would write people past the audit: each says what to do instead."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backoffice.audit.services import record


class Refusing(BaseCommand):
    """Takes whatever the original takes, changes nothing, and writes down that it was tried."""

    instead = ""
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("rest", nargs="*")

    def run_from_argv(self, argv: list[str]) -> None:
        super().run_from_argv(argv[:2])  # its own options are of no use here, and are not kept: they may be personal

    def handle(self, *args: Any, **options: Any) -> None:
        name = type(self).__module__.rpartition(".")[2]
        record("people.refuse_command", by=None, summary=f"Refused at the command line: {name}")
        raise CommandError(self.instead)
