"""How fast anybody may ask: IBKR's request limits as data, sliding windows in memory, and the penalty box.

A window is judged by the wall clock at the moment the head of a request arrives, before its body is read. Only admitted
requests fill a window. Who breaks a limit of the trading side is put, by address, into the penalty box: everything from
there is answered 429, `/gw` and tokens too, and each further attempt may lengthen the stay. A breach of the Account
Management limits is answered 429 and nothing more.

Sources: `ibkr/data/limits.json` (10 a second for an endpoint, 600 a minute for a master, one history query in ten
minutes) and the table of `ibkr/trading.md` section 3. An endpoint is a path template, whatever the method, for one
master account or one username.

Simplified: nothing is ever blocked for good; the box and the windows do not survive a restart; PortfolioAnalyst is
counted per username.
"""

import ipaddress
import re
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

ACCOUNT_MANAGEMENT, TRADING = "/gw/api/v1/", "/v1/api/"
MASTER, USERNAME = "master", "username"
MOST_WINDOWS = 5_000  # kept for the statistics; whoever asks for endless different things is forgotten, oldest first


@dataclass(frozen=True, slots=True)
class Rule:
    """`calls` in any `seconds`, counted for one master or username; `is_concurrent`: so many at the same time."""

    name: str
    scope: str
    calls: int
    seconds: int
    path: str  # regular expression for the whole path template
    methods: frozenset[str] = frozenset()
    is_per_endpoint: bool = False
    is_concurrent: bool = False

    @property
    def has_penalty(self) -> bool:
        return self.scope == USERNAME


def _trading(name: str, calls: int, seconds: int, path: str, *methods: str, is_concurrent: bool = False) -> Rule:
    return Rule(name, USERNAME, calls, seconds, "/v1/api" + path, frozenset(methods), is_concurrent=is_concurrent)


GLOBAL = _trading("all of the trading side", 10, 1, "/.*")  # 10 or 50 a second: the knob global_per_second
QUARTER_HOUR = 15 * 60
RULES = (
    Rule("each endpoint of a master", MASTER, 10, 1, "/gw/api/v[12]/.*", is_per_endpoint=True),
    Rule("all of a master", MASTER, 600, 60, "/gw/api/v[12]/.*"),
    Rule("history query", MASTER, 1, 600, "/gw/api/v1/instructions/query", frozenset({"POST"})),
    GLOBAL,
    _trading("snapshot", 10, 1, "/iserver/marketdata/snapshot", "GET"),
    _trading("history, at once", 5, 0, "/(iserver/marketdata|hmds)/history", "GET", is_concurrent=True),
    _trading("history, a second", 10, 1, "/(iserver/marketdata|hmds)/history", "GET"),
    _trading("history, a minute", 50, 60, "/(iserver/marketdata|hmds)/history", "GET"),
    _trading("live orders", 1, 5, "/iserver/account/orders", "GET"),
    _trading("trades", 1, 5, "/iserver/account/trades", "GET"),
    _trading("partitioned P&L", 1, 5, "/iserver/account/pnl/partitioned", "GET"),
    _trading("portfolio accounts", 1, 5, "/portfolio/accounts", "GET"),
    _trading("portfolio subaccounts", 1, 5, "/portfolio/subaccounts", "GET"),
    _trading("scanner parameters", 1, QUARTER_HOUR, "/iserver/scanner/params", "GET"),
    _trading("scanner run", 1, 1, "/iserver/scanner/run", "POST"),
    _trading("performance", 1, QUARTER_HOUR, "/pa/performance", "POST"),
    _trading("summary of performance", 1, QUARTER_HOUR, "/pa/summary", "POST"),
    _trading("performance of all periods", 1, QUARTER_HOUR, "/pa/allperiods", "POST"),
    _trading("transactions", 1, QUARTER_HOUR, "/pa/transactions", "POST"),
    _trading("notifications", 1, 1, "/fyi/.*"),
    _trading("tickle", 1, 1, "/tickle"),
    _trading("validate", 1, 60, "/sso/validate", "GET"),
)

# (path, member of the query, most values separated by commas)
SIZES = (
    ("/v1/api/iserver/marketdata/snapshot", "conids", 100),
    ("/v1/api/iserver/marketdata/snapshot", "fields", 50),
    ("/v1/api/trsrv/secdef", "conids", 200),
)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks for what, as far as limits need to know. `endpoint`: the template of the path."""

    method: str
    path: str
    endpoint: str
    address: str
    master: str = ""
    username: str = ""


@dataclass(frozen=True, slots=True)
class Breach:
    """Why a request is turned away with 429, and for how long yet."""

    reason: str
    seconds_left: int


class _Window:
    """Arrivals of the last `seconds`, admitted or not, and the most that any such span has seen."""

    __slots__ = ("admitted", "arrivals", "largest", "refused", "rule")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.arrivals: deque[tuple[int, bool]] = deque()
        self.admitted = self.largest = self.refused = 0

    def forget_before(self, microseconds: int) -> None:
        while self.arrivals and self.arrivals[0][0] <= microseconds:
            self.admitted -= self.arrivals.popleft()[1]

    def add(self, at: int, *, is_admitted: bool) -> None:
        self.arrivals.append((at, is_admitted))
        self.admitted += is_admitted
        self.refused += not is_admitted
        self.largest = max(self.largest, len(self.arrivals))

    def finish(self) -> None:
        """One of those that count only while they last has been answered."""
        if self.arrivals:
            self.admitted -= self.arrivals.popleft()[1]


class Limits:
    """The windows of everybody. Times are whole microseconds of a clock that only goes forward."""

    def __init__(self, knob: Callable[[str, Any], Any]) -> None:
        self._knob = knob
        self._rules: dict[tuple[str, str], tuple[Rule, ...]] = {}
        self._windows: dict[tuple[str, str, str], _Window] = {}
        self._box: dict[str, int] = {}
        self._refused: Counter[str] = Counter()

    def arrive(self, visitor: Visitor, at: int) -> Breach | None:
        """Count this request; the breach says why it must be turned away."""
        box = self._in_the_box(visitor.address, at)
        is_enforced = bool(self._knob("enforce_pacing", True))
        broken: Rule | None = None
        windows = [self._window(rule, visitor) for rule in self._rules_for(visitor)]
        for window in windows:
            if not window.rule.is_concurrent:
                window.forget_before(at - window.rule.seconds * 1_000_000)
            if is_enforced and broken is None and window.admitted >= self._most(window.rule):
                broken = window.rule
        is_admitted = box is None and broken is None
        for window in windows:
            if is_admitted or not window.rule.is_concurrent:
                window.add(at, is_admitted=is_admitted)
        if box is None and broken is not None:
            box = Breach(broken.name, broken.seconds)
            if broken.has_penalty or self._knob("penalty_account_management", False):
                seconds = int(self._knob("penalty_seconds", 600))
                self.penalise(visitor.address, seconds, at)
                box = Breach(broken.name, max(seconds, broken.seconds))
        if box is not None:
            self._refused[visitor.endpoint] += 1
        return box

    def leave(self, visitor: Visitor) -> None:
        """An admitted request has been answered, or its caller has gone."""
        for rule in self._rules_for(visitor):
            if rule.is_concurrent:
                self._window(rule, visitor).finish()

    def penalise(self, address: str, seconds: int, at: int) -> None:
        """Shut an address out of everything for so long."""
        if seconds > 0:
            self._box[_one_loopback(address)] = at + seconds * 1_000_000

    def describe(self, at: int) -> dict[str, Any]:
        """What `GET /_sandbox/limits` shows: for each limit and its owner the fullest window seen and the refusals."""
        rows = [
            {
                "limit": window.rule.name, "scope": window.rule.scope, "owner": owner, "endpoint": endpoint,
                "calls": self._most(window.rule), "seconds": window.rule.seconds,
                "is_concurrent": window.rule.is_concurrent, "largest": window.largest, "refused": window.refused,
            }
            for (_, owner, endpoint), window in self._windows.items()
        ]  # fmt: skip
        return {
            "limits": rows,
            "refused": self._refused.total(),
            "refused_by_endpoint": dict(self._refused),
            "penalty_seconds_left": {
                address: -((at - until) // 1_000_000) for address, until in self._box.items() if until > at
            },
        }

    def clear(self) -> None:
        """Forget all windows, all statistics and everybody in the box."""
        self._windows.clear()
        self._box.clear()
        self._refused.clear()

    def _in_the_box(self, address: str, at: int) -> Breach | None:
        until = self._box.get(_one_loopback(address)) if self._box else None
        if until is None or until <= at:
            return None
        if self._knob("penalty_extends", True):
            self.penalise(address, max(int(self._knob("penalty_seconds", 600)), (until - at) // 1_000_000), at)
            until = max(until, self._box[_one_loopback(address)])
        return Breach("penalty box", (until - at + 999_999) // 1_000_000)

    def _most(self, rule: Rule) -> int:
        return int(self._knob("global_per_second", rule.calls)) if rule is GLOBAL else rule.calls

    def _rules_for(self, visitor: Visitor) -> tuple[Rule, ...]:
        key = (visitor.method, visitor.endpoint)
        if key not in self._rules:
            self._rules[key] = tuple(
                rule
                for rule in RULES
                if (not rule.methods or visitor.method in rule.methods) and re.fullmatch(rule.path, visitor.endpoint)
            )
        return tuple(rule for rule in self._rules[key] if _owner(rule, visitor))

    def _window(self, rule: Rule, visitor: Visitor) -> _Window:
        key = (rule.name, _owner(rule, visitor), visitor.endpoint if rule.is_per_endpoint else "")
        found = self._windows.get(key)
        if found is None:
            if len(self._windows) >= MOST_WINDOWS:
                self._windows.pop(next(iter(self._windows)))
            found = self._windows[key] = _Window(rule)
        return found


def too_large(path: str, query: dict[str, str]) -> str | None:
    """What a request asks too much of, in a sentence; None when it may pass."""
    for limited, name, most in SIZES:
        if path == limited and query.get(name, "").count(",") >= most:
            return f"{name} must hold at most {most} values"
    return None


def _owner(rule: Rule, visitor: Visitor) -> str:
    return visitor.master if rule.scope == MASTER else visitor.username


def _one_loopback(address: str) -> str:
    """All of loopback is one address, as it is to single sign-on."""
    try:
        return "loopback" if ipaddress.ip_address(address).is_loopback else address
    except ValueError:
        return address
