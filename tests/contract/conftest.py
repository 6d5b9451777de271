"""The client against the sandbox process: its own key pair, registered there, and a trading session where one is needed.

The sandbox itself comes from tests/sandbox_process.py: a subprocess on a free port, reset before each test.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from backoffice.ibkr import Credentials, Exchange, IbkrClient, Transport
from tests.sandbox_process import SandboxProcess

MASTER = "F1000001"
USERNAME = "alder01"
CLIENT_ID = "ALDER-ROW-FA"
APPLE = "265598"
SCOPES = [
    *("accounts.read", "accounts.write", "bank-instructions.read", "instructions.read", "transfers.write"),
    *("transfers.read", "statements.read", "reports.read", "sso-sessions.write", "sso-browser-sessions.write"),
    *("enumerations.read", "forms.read", "validations.read", "echo.read", "echo.write"),
]


@dataclass
class Connected:
    """A client registered at the sandbox, and everything it exchanged."""

    client: IbkrClient
    sandbox: SandboxProcess
    exchanges: list[Exchange] = field(default_factory=list)
    bearer: str = ""
    ids: "count[int]" = field(default_factory=lambda: count(1_000_001))

    def ledger(self, kind: str, key: str = "") -> list[dict[str, Any]]:
        """The sandbox's own record of effects of a kind, under one key or under all."""
        return self.sandbox.ledger(kind, key)

    def sent(self, method: str, path: str) -> int:
        """How many requests of this method left for a path that ends like this."""
        return sum(exchange.method == method and exchange.path.endswith(path) for exchange in self.exchanges)


@pytest.fixture
def connect(sandbox: SandboxProcess, key_pair: tuple[Path, str]) -> Callable[..., Connected]:
    """Register our key at the sandbox and return a client that uses it: `connect(scopes=..., timeouts=...)`."""

    def make(scopes: list[str] = SCOPES, **options: Any) -> Connected:
        path, public_key = key_pair
        sandbox.control(
            "POST",
            "clients",
            {
                "client_id": CLIENT_ID,
                "kid": "contract-1",
                "public_key_pem": public_key,
                "master_account": MASTER,
                "username": USERNAME,
                "scopes": SCOPES,
            },
        )
        exchanges: list[Exchange] = []
        client = IbkrClient(
            base_url=sandbox.url,
            credentials=Credentials(client_id=CLIENT_ID, key_id="contract-1", private_key=path.read_bytes()),
            session_bearer=lambda: connected.bearer,
            transport=Transport(recorder=exchanges.append),
            scopes=scopes,
            **options,
        )
        connected = Connected(client, sandbox, exchanges)
        return connected

    return make


@pytest.fixture
def connected(connect: Callable[..., Connected]) -> Connected:
    return connect()


@pytest.fixture
def signed_in(connected: Connected) -> Connected:
    """With a trading bearer, but no brokerage session yet."""
    connected.bearer = connected.client.sso.trading_session(USERNAME, ip="127.0.0.1").bearer
    connected.client.session.validate()
    return connected


@pytest.fixture
def trading(signed_in: Connected, sandbox: SandboxProcess) -> Connected:
    """With an established and primed brokerage session."""
    session = signed_in.client.session
    session.init(compete=True)
    if not session.status().is_ready:
        sandbox.advance(1)
    assert session.status().is_ready, "the brokerage session was not established in time"
    session.accounts()
    signed_in.client.portfolio.subaccounts()
    return signed_in
