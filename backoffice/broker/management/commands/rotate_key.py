"""`manage.py rotate_key`: name a connection's next key, and later put it into use. Both are live in between."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backoffice.broker import dispatch, services
from backoffice.broker.management.commands.test_connection import connection_named
from backoffice.broker.models import MasterAccount
from backoffice.core.errors import InvalidInput


class Command(BaseCommand):
    help = "Exchange the key of a connection without a pause: name the next one, test it, then use it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("account", help="the master account, e.g. F1234567")
        parser.add_argument(
            "--environment", default="", help="needed only when the account is connected more than once"
        )
        parser.add_argument("--key-id", default="", help="the kid of the next key, as IBKR knows it")
        parser.add_argument("--private-key", default="", help='path of its PEM file, or "command:/path/of/program ..."')
        parser.add_argument("--use", action="store_true", help="test the next key and sign with it from now on")
        parser.add_argument(
            "--untested",
            action="store_true",
            help="with --use: without the test, when the old key is of no use any more",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        master = connection_named(options["account"], options["environment"])
        try:
            if options["use"]:
                if master.next_key_id and not options["untested"]:
                    self._require_passed(master)
                master = services.use_next_key(master)
                self.stdout.write(f"{master.account} signs with {master.key_id} now. Ask IBKR to withdraw the old key.")
                return
            if not options["key_id"] or not options["private_key"]:
                raise CommandError("Give --key-id and --private-key of the next key, or --use to put it into use.")
            services.name_next_key(master, key_id=options["key_id"], source=options["private_key"])
        except InvalidInput as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Named. Test it: manage.py test_connection {master.account} --next-key")

    def _require_passed(self, master: MasterAccount) -> None:
        """Try the next key now: one that IBKR does not take yet would stop everything. Raises CommandError."""
        failed = next((step for step in dispatch.run(master, with_next_key=True) if not step.ok), None)
        if failed is not None:
            raise CommandError(
                f"The next key did not pass its test, so {master.account} goes on signing with {master.key_id}. "
                f"{failed.name}: {failed.explanation} With --untested it is put into use all the same."
            )
