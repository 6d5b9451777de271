"""The client of IBKR's Web API. Knows no Django; takes and returns types, never dicts or HTTP responses.

Layout, from the wire upwards:
    environments  pinned facts per environment, credentials, timeouts      errors     named for the next move
    operations    every operation IBKR has   limits   how often each may be called   windows   when IBKR is down
    wire          JSON out and in        redaction  what may be kept       paths      ids before they enter an address
    transport     moves bytes; reads are retried, a write leaves once      signing, oauth   JWS bodies and access tokens
    requestor     builds requests, gets bearers                            answers, reading  from bytes to meaning
    parsing       every timestamp, number and id form IBKR uses
    account_management/ funding reports sso session portfolio contracts market_data orders allocation   the families
    types/        requests and answers, one module per family              client     IbkrClient

To add a family: its requests (`Request`, unknown fields forbidden) and answers (`Answer`, tolerant, with `raw`) go
into `types/<family>.py`; a class with one thin method per endpoint goes into `<family>.py` and becomes an attribute
in `client.py`. Each method names its IBKR path and its one trap, and says `Effect.WRITE` if repeating it could
do something twice. What the answer means is a pure function, tested for every shape; each method has a contract test.

May import: backoffice.core. Must not: Django, any app, the sandbox.
"""

from backoffice.ibkr.client import IbkrClient
from backoffice.ibkr.environments import PRODUCTION, QA, Credentials, Environment, Timeouts
from backoffice.ibkr.errors import (
    AuthFailed,
    BadIdentifier,
    HeldBack,
    IbkrError,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SessionNotReady,
    Unavailable,
    Unsendable,
)
from backoffice.ibkr.limits import Limiter, Priority
from backoffice.ibkr.transport import Exchange, Transport

__all__ = [
    "PRODUCTION",
    "QA",
    "AuthFailed",
    "BadIdentifier",
    "Credentials",
    "Environment",
    "Exchange",
    "HeldBack",
    "IbkrClient",
    "IbkrError",
    "Limiter",
    "NotSent",
    "OutcomeUnknown",
    "Priority",
    "RateLimited",
    "Rejected",
    "SessionNotReady",
    "Timeouts",
    "Transport",
    "Unavailable",
    "Unsendable",
]
