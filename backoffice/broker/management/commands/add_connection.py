"""`manage.py add_connection`: tell the product about one IBKR master account and its credentials."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backoffice.broker import services
from backoffice.broker.models import Environment, Kind, Region
from backoffice.core.errors import InvalidInput
from backoffice.ibkr.environments import PRODUCTION, QA
from backoffice.ibkr.operations import TOKEN

ADDRESSES = {Environment.PRODUCTION: PRODUCTION.base_url, Environment.QA: QA.base_url}


class Command(BaseCommand):
    help = "Add or change the connection of one IBKR master account. The private key stays in its file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("account", help="the master account, e.g. F1234567")
        parser.add_argument("--environment", choices=Environment.values, required=True)
        parser.add_argument("--kind", choices=Kind.values, required=True)
        parser.add_argument("--client-id", required=True, help="as agreed with IBKR")
        parser.add_argument("--key-id", required=True, help="the kid of the public key IBKR holds")
        parser.add_argument("--private-key", required=True, help="path of the PEM file, readable by this user alone")
        parser.add_argument("--username", help='the trading username; "" where nobody trades; what is not named stays')
        parser.add_argument("--base-url", default="", help="only for the sandbox; IBKR's own addresses are known")
        parser.add_argument("--base-currency", help="of the master account; USD unless named")
        parser.add_argument(
            "--audience",
            choices=["path", "address"],
            help='how IBKR wants the token endpoint named in client assertions: "/token" (path) or its whole address',
        )
        parser.add_argument("--region", choices=Region.values, help="whose nightly reset the sessions live with")

    def handle(self, *args: Any, **options: Any) -> None:
        base_url = options["base_url"] or ADDRESSES.get(options["environment"], "")
        if not base_url:
            raise CommandError("The sandbox needs --base-url, e.g. http://127.0.0.1:9100")
        audience = {"path": "/token", "address": f"{base_url.rstrip('/')}{TOKEN}"}.get(options["audience"])
        # A connection is changed by the same command: what is not named stays as it is, and a new one gets the defaults.
        wanted = {"audience": audience, **{name: options[name] for name in ("region", "username", "base_currency")}}
        try:
            master = services.add_connection(
                account=options["account"],
                environment=options["environment"],
                kind=options["kind"],
                client_id=options["client_id"],
                key_id=options["key_id"],
                private_key_path=options["private_key"],
                base_url=base_url,
                **{name: value for name, value in wanted.items() if value is not None},
            )
        except InvalidInput as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{master.account} is connected to {master.base_url} as {master.client_id}.")
