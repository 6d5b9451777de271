"""`manage.py load_demonstration`: connect to the sandbox and make the demonstration firm, once."""

import json
import secrets
import urllib.request
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from backoffice.broker import services as broker
from backoffice.broker.models import MasterAccount
from backoffice.home import registry
from backoffice.ibkr import keys
from backoffice.ibkr.environments import sandbox
from backoffice.ibkr.scopes import SCOPES
from backoffice.people import demonstration as people


class Command(BaseCommand):
    help = "Make the demonstration firm from the sandbox's world. Harmless when run again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--sandbox-url", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMONSTRATION:
            raise CommandError("Set DEMONSTRATION=true first: invented clients must never stand beside real ones.")
        if MasterAccount.objects.exclude(environment="sandbox").exists():
            raise CommandError("This database has real connections; the demonstration needs one of its own.")
        url = sandbox(options["sandbox_url"]).base_url
        # Shown on any day of the week: the rehearsal of IBKR's maintenance is switched on by whoever wants to see it.
        _call(f"{url}/_sandbox/config", {"enforce_maintenance": False})
        world = _call(f"{url}/_sandbox/world")
        users = people.load()
        for master in world["masters"]:
            connection = self._connect(url, master)
            with transaction.atomic():
                for loader in sorted(registry.demonstration, key=lambda loader: loader.order):
                    loader.load(world, users, connection)
        self.stdout.write("The demonstration firm is there.")

    def _connect(self, url: str, master: dict[str, Any]) -> MasterAccount:
        known = MasterAccount.objects.filter(environment="sandbox", account=master["account"]).first()
        path = Path(known.private_key_path) if known else settings.STATE_DIR / "keys" / f"{master['account']}.pem"
        key_id = known.key_id if known else f"demo-{secrets.token_hex(4)}"
        if not path.exists():
            _make_key(path)
        public = keys.public_pem(keys.parsed(path.read_bytes()))
        _call(
            f"{url}/_sandbox/clients",
            {
                "client_id": master["client_id"],
                "kid": key_id,
                "public_key_pem": public.decode(),
                "master_account": master["account"],
                "username": master["username"],
                "scopes": sorted({*SCOPES, "transfers.read", "reports.read", "echo.read", "echo.write"}),
            },
        )
        return broker.add_connection(
            account=master["account"],
            environment="sandbox",
            kind=master["kind"],
            base_url=url,
            client_id=master["client_id"],
            key_id=key_id,
            private_key_path=str(path),
            username=master["username"],
        )


def _make_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    path.write_bytes(keys.make_key_pair().private_pem)


def _call(url: str, body: Any = None) -> Any:
    """Speak to the sandbox's control address. Not to IBKR: `sandbox()` has refused anything but loopback."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.loads(answer.read())
