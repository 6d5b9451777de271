"""IBKR's request limits as data, and what a limiter must do. Storage and waiting belong to whoever implements `Limiter`.

Account Management counts per master account, trading per username; a penalty strikes the whole address. Where IBKR's
documents disagree the stricter figure stands here, as a constant with its source.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from backoffice.ibkr.operations import TOKEN, TRADING, template_of

if TYPE_CHECKING:
    from backoffice.ibkr.transport import Call


class Priority(IntEnum):
    """Who goes first when calls wait for the same budget: the smaller number."""

    CANCEL = 0
    REPLY = 1
    ORDER = 2
    RECONCILE = 3
    PERSON = 4  # somebody looks at a page and waits
    POLLING = 5
    BULK = 6


class Scope(StrEnum):
    """Whose calls are counted together."""

    MASTER = "master"
    USERNAME = "username"
    ADDRESS = "address"  # everything that leaves from one public IP address, whichever master or username


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `calls` in any window of `seconds`; with `is_concurrent`, at most `calls` unanswered (`seconds` is 0).

    `name` identifies the counter within its scope: two endpoints with the same name share it.
    """

    name: str
    scope: Scope
    calls: int
    seconds: int
    is_concurrent: bool = False


GATEWAY_PER_SECOND = 10  # per endpoint; Account Management documentation, late 2025
GATEWAY_PER_MINUTE = 600  # per master account; the same
TRADING_PER_SECOND = 8  # our own: the pacing page of 2026 says 10 per username, an older one 50
PENALTY_SECONDS = 900  # 15 minutes in the current documents, 10 in older ones
PENALTY_SCOPE = Scope.ADDRESS  # it hits every endpoint and every username behind the address, the gateway included
STREAM_HISTORIES = 5  # history requests open at a time on one websocket (`smh`)

_QUARTER_OF_AN_HOUR = 900


class Limiter(Protocol):
    """Keeps all processes together within the limits. Bound by its maker to one master account and its username."""

    def turn(self, call: "Call", priority: Priority) -> AbstractContextManager[None]:
        """Wait until `call` may be sent, then hold its slots for the `with` block.

        A slot is free again `seconds` after the block is left, that is after the answer came: so IBKR, which counts
        arrivals, never sees more than `calls` in a window. Raises HeldBack, before anything leaves, when the wait would
        be too long or a penalty is running.
        """

    def penalise(self, call: "Call", retry_after: int | None) -> None:
        """Take note that IBKR answered 429 to `call`: nothing may leave for `retry_after` or PENALTY_SECONDS."""


def limits_of(method: str, path: str, *, trading_per_second: int = TRADING_PER_SECOND) -> tuple[Limit, ...]:
    """Return every limit a call counts against. `path` is as sent, from /gw/api/v1, /oauth2 or /v1/api, without query.

    The gateway's per-endpoint limit counts all methods of one path template together, which is right whichever way
    IBKR counts. A path of neither face has no limits.
    """
    return _limits_of(method.upper(), path, trading_per_second)


@lru_cache(maxsize=4096)
def _limits_of(method: str, path: str, trading_per_second: int) -> tuple[Limit, ...]:
    if path == TOKEN or path.startswith(("/gw/api/", "/oauth2/")):
        template = template_of(path)
        special = tuple(each for (verb, where), each in _GATEWAY.items() if (verb, where) == (method, template))
        return (
            *special,
            Limit(template, Scope.MASTER, GATEWAY_PER_SECOND, 1),
            Limit("account management", Scope.MASTER, GATEWAY_PER_MINUTE, 60),
        )
    if path.startswith(f"{TRADING}/"):
        below = path.removeprefix(TRADING)
        special = tuple(limit for matches, limit in _TRADING if matches(method, below))
        return (*special, Limit("trading", Scope.USERNAME, trading_per_second, 1))
    return ()


_GATEWAY = {
    # Only one may be in flight, too; the ten minutes cover that.
    ("POST", "/gw/api/v1/instructions/query"): Limit("/gw/api/v1/instructions/query history", Scope.MASTER, 1, 600),
    # Counted in transfers: whoever sends one in bulk counts its items.
    ("POST", "/gw/api/v1/internal-asset-transfers"): Limit("internal position transfers", Scope.MASTER, 200, 300),
}

_Matches = Callable[[str, str], bool]


def _is(method: str, path: str) -> _Matches:
    return lambda verb, where: where == path and method in ("*", verb)


def _below(path: str) -> _Matches:
    return lambda _, where: where.startswith(path)


def _is_history(verb: str, where: str) -> bool:
    return verb == "GET" and where in ("/iserver/marketdata/history", "/hmds/history")


def _user(name: str, calls: int, seconds: int) -> Limit:
    return Limit(f"{TRADING}{name}", Scope.USERNAME, calls, seconds)


_TRADING: tuple[tuple[_Matches, Limit], ...] = (
    (_is("GET", "/iserver/marketdata/snapshot"), _user("/iserver/marketdata/snapshot", 10, 1)),
    # Older documents: 5 at a time. Those of August 2026: 10 a second and 50 a minute. All three are kept. That /hmds/history
    # counts with the other is not said, and the safe reading.
    (_is_history, _user("/iserver/marketdata/history", 10, 1)),
    (_is_history, _user("/iserver/marketdata/history by the minute", 50, 60)),
    (
        _is_history,
        Limit(f"{TRADING}/iserver/marketdata/history at a time", Scope.USERNAME, 5, 0, is_concurrent=True),
    ),
    (_is("GET", "/iserver/account/orders"), _user("/iserver/account/orders", 1, 5)),
    (_is("GET", "/iserver/account/trades"), _user("/iserver/account/trades", 1, 5)),
    (_is("GET", "/iserver/account/pnl/partitioned"), _user("/iserver/account/pnl/partitioned", 1, 5)),
    (_is("GET", "/portfolio/accounts"), _user("/portfolio/accounts", 1, 5)),
    (_is("GET", "/portfolio/subaccounts"), _user("/portfolio/subaccounts", 1, 5)),
    (_is("GET", "/iserver/scanner/params"), _user("/iserver/scanner/params", 1, _QUARTER_OF_AN_HOUR)),
    (_is("POST", "/iserver/scanner/run"), _user("/iserver/scanner/run", 1, 1)),
    # The documents do not say per what; /pa/allperiods is not in their table and is taken to be like the others.
    (_is("POST", "/pa/performance"), _user("/pa/performance", 1, _QUARTER_OF_AN_HOUR)),
    (_is("POST", "/pa/allperiods"), _user("/pa/allperiods", 1, _QUARTER_OF_AN_HOUR)),
    (_is("POST", "/pa/summary"), _user("/pa/summary", 1, _QUARTER_OF_AN_HOUR)),
    (_is("POST", "/pa/transactions"), _user("/pa/transactions", 1, _QUARTER_OF_AN_HOUR)),
    (_below("/fyi/"), _user("/fyi", 1, 1)),
    (_is("*", "/tickle"), _user("/tickle", 1, 1)),
    (_is("GET", "/sso/validate"), _user("/sso/validate", 1, 60)),
)
