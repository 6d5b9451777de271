"""`manage.py test_connection`: try a connection step by step and say what is wrong and how to mend it."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backoffice.broker import dispatch
from backoffice.broker.models import MasterAccount


def connection_named(account: str, environment: str) -> MasterAccount:
    """Return the connection of a master account. Raises CommandError when there is none, or more than one."""
    found = list(MasterAccount.objects.filter(account=account, **({"environment": environment} if environment else {})))
    if not found:
        known = ", ".join(f"{each.account} ({each.environment})" for each in MasterAccount.objects.order_by("account"))
        raise CommandError(f"There is no connection of {account}. Known: {known or 'none yet; see add_connection'}.")
    if len(found) > 1:
        raise CommandError(f"{account} is connected more than once; add --environment.")
    return found[0]


class Command(BaseCommand):
    help = "Try the connection of a master account: key, token, scopes, both echo calls, account list, trading sign-on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("account", help="the master account, e.g. F1234567")
        parser.add_argument(
            "--environment", default="", help="needed only when the account is connected more than once"
        )
        parser.add_argument("--next-key", action="store_true", help="test the next key of a rotation under way")

    def handle(self, *args: Any, **options: Any) -> None:
        master = connection_named(options["account"], options["environment"])
        if options["next_key"] and not master.next_key_id:
            raise CommandError("No next key is named. Name it first: manage.py rotate_key")
        steps = dispatch.run(master, with_next_key=options["next_key"])
        for step in steps:
            verdict = "FAIL" if not step.ok else "note" if step.explanation else "ok  "
            self.stdout.write(f"{verdict}  {step.name}  ({step.milliseconds} ms)")
            if step.explanation is not None:
                self.stdout.write(f"      {step.explanation.cause}\n      {step.explanation.fix}")
                if step.explanation.detail:
                    self.stdout.write(f"      IBKR: {step.explanation.detail}")
        if not all(step.ok for step in steps):
            raise CommandError(f"{master.account} does not work as configured.")
        self.stdout.write(f"{master.account} works.")
