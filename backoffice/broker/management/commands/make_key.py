"""`manage.py make_key`: make a key pair for IBKR and print what to send them."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backoffice.broker.services import require_outside_the_product
from backoffice.core.errors import InvalidInput
from backoffice.ibkr.keys import KEY_SIZES, make_key_pair

WHAT_TO_SEND = """
The private key is in {path}; only this user can read it. It never leaves this machine.

Send to IBKR (api-solutions@interactivebrokers.com), for the {environment} environment only:
  - the public key below. Production and the test system need a key each; one may not be the other's,
  - the key id to agree on: {key_id}
  - the IP addresses this installation calls from, as CIDR ranges; IBKR refuses all others.

{public}
When IBKR has confirmed it, either
  - connect a master account: manage.py add_connection ACCOUNT --key-id {key_id} --private-key {path} ...
  - or, where a key is in use already, rotate: manage.py rotate_key ACCOUNT --key-id {key_id} --private-key {path},
    then manage.py test_connection ACCOUNT --next-key, then manage.py rotate_key ACCOUNT --use.
"""


class Command(BaseCommand):
    help = "Make an RSA key pair for IBKR's OAuth 2.0 and print what to send to IBKR."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path, help="where the private key goes; the file must not exist yet")
        parser.add_argument("--bits", type=int, choices=KEY_SIZES, default=KEY_SIZES[0])
        parser.add_argument("--environment", choices=["production", "qa"], default="production")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["path"].absolute()
        if not path.parent.is_dir():
            raise CommandError(f"There is no folder {path.parent}. Make it first: mkdir -m 700 {path.parent}")
        try:
            require_outside_the_product(path)
        except InvalidInput as error:
            raise CommandError(str(error)) from error
        pair = make_key_pair(options["bits"])
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError as error:
            raise CommandError(f"{path} exists. A key is never overwritten; name another file.") from error
        with os.fdopen(handle, "wb") as file:
            file.write(pair.private_pem)
        self.stdout.write(
            WHAT_TO_SEND.format(
                path=path,
                environment=options["environment"],
                key_id=pair.key_id,
                public=pair.public_pem.decode("ascii"),
            )
        )
