"""The client of IBKR's Web API. Knows no Django; takes and returns types, never dicts or HTTP responses.

Layout, from the wire upwards:
    environments  pinned facts per environment, credentials, timeouts      errors     named for the next move
    operations    every operation IBKR has    limits  how often each may be called   windows  when IBKR is down
    keys          where private keys come from     scopes  what each operation and each kind of use needs
    wire          JSON out and in        redaction  what may be kept       paths      ids before they enter an address
    transport     moves bytes; reads are retried, a write leaves once      signing, oauth   JWS bodies and access tokens
    requestor     builds requests, gets bearers                            answers, reading  from bytes to meaning
    stream        the websocket: one line per session, everything wanted asked for again    frames  what it says
    parsing       every timestamp, number and id form IBKR uses
    account_management/ and one module per other family, e.g. portfolio, orders, funding
    types/        requests and answers, one module per family              client     IbkrClient
    diagnosis     why a connection does not work     checkup    the test that finds out     coverage   writes COVERAGE.md

To add a family:
    1. its operations stand in `operations.py` (new ones are added there) and, on the gateway, in `scopes.py`; limits of
       its own go into `limits.py`, windows into `windows.py`,
    2. its requests (`Request`, unknown fields forbidden) and answers (`Answer`, tolerant, with `raw`) go into
       `types/<family>.py`, both spellings wherever IBKR's documents disagree (`types/spellings.py` has those of models;
       tests/ibkr/test_answer_names.py finds what differs in a letter's case only),
    3. a class with one thin method per endpoint goes into `<family>.py` and becomes an attribute in `client.py`. Each
       docstring begins with the operation ("GET /path: ..."), names its one trap, and the call says `Effect.WRITE` if
       repeating it could do something twice. What an answer means is a pure function,
    4. every shape of an answer is tested in `tests/ibkr`, every method against the sandbox in `tests/contract`; the
       sandbox's routes are written from IBKR's documents, never from this client,
    5. `python -m backoffice.ibkr.coverage` writes which files use a method and which tests prove it; the reason for leaving
       something out goes there. tests/ibkr/test_coverage.py fails for a method that no test of `tests/contract` calls,
       for an operation with neither method nor reason, and for a file that is not what the code says.

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
from backoffice.ibkr.keys import KeyProblem
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
    "KeyProblem",
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
