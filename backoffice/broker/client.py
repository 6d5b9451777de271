"""From a connection's row to an IbkrClient. The only door to IBKR, reserved to dispatch modules and the session keeper."""

from dataclasses import replace
from pathlib import Path

from django.conf import settings

from backoffice.broker.health import record_exchange
from backoffice.broker.limiter import SharedLimiter
from backoffice.broker.models import BrokerageSession, Environment, MasterAccount, SessionState
from backoffice.broker.tokens import StoredTokens
from backoffice.ibkr import IbkrClient
from backoffice.ibkr.environments import Credentials, environment_of
from backoffice.ibkr.errors import NotSent
from backoffice.ibkr.limits import Priority
from backoffice.ibkr.transport import Transport
from backoffice.ibkr.types.oauth import AccessToken

# Least scope per lane (reliability.md D.3): the lane that reads statements cannot move money.
SCOPES_OF_LANE: dict[str, tuple[str, ...]] = {
    "accounts": ("accounts.read", "accounts.write", "sso-browser-sessions.write"),
    "funding": ("transfers.write", "transfers.read", "instructions.read", "bank-instructions.read"),
    "reports": ("statements.read", "reports.read", "accounts.read"),
    "trading": ("sso-sessions.write",),
    "interactive": (
        "accounts.read",
        "sso-browser-sessions.write",
        "transfers.read",
        "bank-instructions.read",
        "instructions.read",
    ),
    "session": ("sso-sessions.write",),
}
# What a lane's reads rank as, unless the caller says otherwise; writes rank as orders whatever their lane.
PRIORITY_OF_LANE = {"interactive": Priority.PERSON, "reports": Priority.BULK}


def client_for(master: MasterAccount, *, lane: str, priority: Priority | None = None) -> IbkrClient:
    """Return the client of one connection with the scopes of one lane, within IBKR's limits for all processes.

    Building it reads the key and talks to nobody. Trading calls use the bearer of the live brokerage session and raise
    NotSent while there is none. `priority` ranks its reads. Raises NotSent when the key cannot be read.
    """
    try:
        private_key = Path(master.private_key_path).read_bytes()
    except OSError as error:
        raise NotSent(f"The key file of {master.account} cannot be read: {error.strerror}.") from error
    scopes = SCOPES_OF_LANE[lane]
    base_url = master.base_url.rstrip("/")
    environment = environment_of(base_url)
    client: IbkrClient

    def fetch() -> AccessToken:
        return client.oauth.token(scopes)

    client = IbkrClient(
        base_url=base_url,
        environment=replace(environment, audience=master.audience) if master.audience else environment,
        credentials=Credentials(client_id=master.client_id, key_id=master.key_id, private_key=private_key),
        tokens=StoredTokens(master, scopes, fetch),
        session_bearer=lambda: _session_bearer(master),
        transport=Transport(
            recorder=lambda exchange: record_exchange(master, exchange),
            limiter=SharedLimiter(master) if keeps_limits(master) else None,
            priority=PRIORITY_OF_LANE.get(lane, Priority.RECONCILE) if priority is None else priority,
        ),
    )
    return client


def keeps_limits(master: MasterAccount) -> bool:
    """Whether IBKR's limits are kept: always towards IBKR, and towards a sandbox unless settings say otherwise."""
    return bool(settings.SANDBOX_LIMITS) or master.environment != Environment.SANDBOX


def _session_bearer(master: MasterAccount) -> str:
    row = BrokerageSession.objects.filter(master=master).first()
    if row is None or row.state not in {SessionState.LIVE, SessionState.STARTING} or not row.bearer:
        raise NotSent("There is no live trading session with IBKR.")
    return str(row.bearer)
