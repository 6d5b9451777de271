"""From a connection's row to an IbkrClient. The only door to IBKR, reserved to dispatch modules and the session keeper."""

import time
from dataclasses import replace

from django.conf import settings

from backoffice.broker import departures
from backoffice.broker.health import record_exchange
from backoffice.broker.limiter import SharedLimiter
from backoffice.broker.models import BrokerageSession, MasterAccount, SessionState
from backoffice.broker.scopes import SCOPES_OF_LANE, SCOPES_OF_TEST, scopes_of_work
from backoffice.broker.tokens import StoredTokens
from backoffice.ibkr import IbkrClient, keys
from backoffice.ibkr.diagnosis import Facts
from backoffice.ibkr.environments import Credentials, Environment, environment_of, require_safe
from backoffice.ibkr.errors import NotSent
from backoffice.ibkr.limits import Priority
from backoffice.ibkr.transport import Transport
from backoffice.ibkr.types.oauth import AccessToken

COMMANDED_KEY_SECONDS = 60
_commanded: dict[str, tuple[float, bytes]] = {}
# What a lane's reads rank as, unless the caller says otherwise; writes rank as orders whatever their lane.
PRIORITY_OF_LANE = {"interactive": Priority.PERSON, "reports": Priority.BULK}


def client_for(master: MasterAccount, *, lane: str, priority: Priority | None = None) -> IbkrClient:
    """Return the client of one connection with the scopes of one lane, within IBKR's limits for all processes.

    Building it reads the key and talks to nobody. Trading calls use the bearer of the live brokerage session and raise
    NotSent while there is none. `priority` ranks its reads. Raises KeyProblem, a NotSent, when the key cannot be had.
    """
    credentials = credentials_of(master)
    scopes = SCOPES_OF_LANE[lane]
    base_url = master.base_url.rstrip("/")
    client: IbkrClient

    def fetch() -> AccessToken:
        return client.oauth.token(scopes)

    client = IbkrClient(
        base_url=base_url,
        environment=_environment_of(master),
        credentials=credentials,
        tokens=StoredTokens(master, scopes, fetch),
        session_bearer=lambda: _session_bearer(master),
        transport=_transport(
            master, lane, PRIORITY_OF_LANE.get(lane, Priority.RECONCILE) if priority is None else priority
        ),
    )
    return client


def client_for_test(master: MasterAccount, *, with_next_key: bool = False) -> IbkrClient:
    """Return a client that shares no token with any other, for trying a connection. Raises KeyProblem."""
    return IbkrClient(
        base_url=master.base_url.rstrip("/"),
        environment=_environment_of(master),
        credentials=credentials_of(master, with_next_key=with_next_key),
        transport=_transport(master, "test", Priority.PERSON),
        scopes=SCOPES_OF_TEST + (SCOPES_OF_LANE["session"] if master.username else ()),
    )


def _transport(master: MasterAccount, lane: str, priority: Priority) -> Transport:
    return Transport(
        recorder=lambda exchange: record_exchange(master, exchange, lane),
        limiter=SharedLimiter(master) if keeps_limits(master) else None,
        priority=priority,
        before_write=departures.ask,
    )


def _environment_of(master: MasterAccount) -> Environment:
    base_url = master.base_url.rstrip("/")
    require_safe(base_url)
    known = environment_of(base_url)
    return replace(known, audience=master.audience) if master.audience else known


def credentials_of(master: MasterAccount, *, with_next_key: bool = False) -> Credentials:
    """Return what proves to IBKR who we are; with `with_next_key`, what will prove it after the rotation under way.

    The key comes from its file or command each time, so that a key exchanged on disk is in use at once. Raises
    KeyProblem.
    """
    key_id, source = master.key_id, master.private_key_path
    if with_next_key:
        key_id, source = master.next_key_id, master.next_private_key_path
    return Credentials(client_id=master.client_id, key_id=key_id, private_key=_key_from(source))


def facts_of(master: MasterAccount, *, with_next_key: bool = False) -> Facts:
    """Return what is configured of one connection, to be named where something about it is explained."""
    return Facts(
        environment=master.environment,
        base_url=master.base_url.rstrip("/"),
        client_id=master.client_id,
        key_id=master.next_key_id if with_next_key else master.key_id,
        master=master.account,
        username=master.username,
        ip=settings.IBKR_EGRESS_IP,
        thumbprint=_thumbprint(master, with_next_key),
        scopes=scopes_of_work(master),
    )


def _thumbprint(master: MasterAccount, with_next_key: bool) -> str:
    try:
        pem = credentials_of(master, with_next_key=with_next_key).private_key
        return keys.thumbprint(keys.parsed(pem).public_key())
    except keys.KeyProblem:
        return ""  # what is wrong with the key is said where it is used


def _key_from(source: str) -> bytes:
    # A vault is asked once a minute, not at every call; a file is as quick as a question about it.
    if not source.startswith(keys.COMMAND):
        return keys.read_private_key(source)
    known = _commanded.get(source)
    if known is None or known[0] < time.monotonic():
        known = (time.monotonic() + COMMANDED_KEY_SECONDS, keys.read_private_key(source))
        _commanded[source] = known
    return known[1]


def keeps_limits(master: MasterAccount) -> bool:
    """Whether IBKR's limits are kept: always towards IBKR, and towards a sandbox unless settings say otherwise."""
    return bool(settings.SANDBOX_LIMITS) or not master.is_sandbox


def _session_bearer(master: MasterAccount) -> str:
    row = BrokerageSession.objects.filter(master=master).first()
    if row is None or row.state not in {SessionState.LIVE, SessionState.STARTING} or not row.bearer:
        raise NotSent("There is no live trading session with IBKR.")
    return str(row.bearer)
