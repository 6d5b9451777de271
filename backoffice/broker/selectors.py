"""What the connections page shows: each connection with its token, session, key, families, budgets and windows."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from backoffice.broker import calendar, health, limiter
from backoffice.broker.models import (
    AccessToken,
    BrokerageSession,
    ConnectionTest,
    FamilyHealth,
    Gate,
    MasterAccount,
    Penalty,
    SessionState,
)
from backoffice.core import clock
from backoffice.ibkr.windows import Closure, Service

KEY_DAYS = 365  # a key is due for rotation after a year
KEY_WARNS = 335
SLOW_MS = 3000
TEST_GIVES_UP = timedelta(minutes=4)
MINUTES_OF_A_DAY = 24 * 60
LANES = {
    "trading": "Orders",
    "funding": "Money and positions",
    "accounts": "Applications and changes",
}


@dataclass(frozen=True)
class Family:
    """One family of calls: how it answers, and how much of its own limit is in use."""

    name: str
    word: str
    tone: str
    last_success_at: datetime | None
    p95: str
    error_per_cent: int
    last_failure: str
    last_failure_at: datetime | None


@dataclass(frozen=True)
class Budget:
    """The use of one limit now."""

    name: str
    used: int
    allowed: int


@dataclass(frozen=True)
class Connection:
    """One connection as the page shows it."""

    master: MasterAccount
    session: BrokerageSession | None
    token_until: datetime | None
    key_days: int | None
    families: list[Family]
    budgets: list[Budget]
    penalty: Penalty | None
    test: ConnectionTest | None
    why_not: str

    @property
    def key_is_old(self) -> bool:
        return self.key_days is not None and self.key_days >= KEY_WARNS

    @property
    def test_was_left(self) -> bool:
        """Whether the test was asked for so long ago that no worker will answer it."""
        return self.test is not None and not self.test.finished_at and clock.now() - self.test.asked_at > TEST_GIVES_UP

    @property
    def test_is_running(self) -> bool:
        return self.test is not None and not self.test.finished_at and not self.test_was_left


def connections() -> list[Connection]:
    """Return every connection, production first."""
    masters = MasterAccount.objects.select_related("session").order_by("environment", "account")
    return [_connection(master) for master in sorted(masters, key=lambda each: each.environment != "production")]


def connection(master: MasterAccount) -> Connection:
    """Return one connection as the page shows it."""
    return _connection(master)


def _connection(master: MasterAccount) -> Connection:
    session = getattr(master, "session", None)
    now = clock.now()
    token = AccessToken.objects.filter(master=master, expires_at__gt=now).order_by("-expires_at").first()
    penalty = limiter.penalty_of(master)
    return Connection(
        master=master,
        session=session,
        token_until=token.expires_at if token else None,
        key_days=(clock.today(clock.NEW_YORK) - master.key_since).days if master.key_since else None,
        families=_families(master),
        budgets=[
            Budget(line.name, line.used, line.allowed)
            for line in limiter.usage_of(master, "account management", "trading")
        ],
        penalty=penalty,
        test=ConnectionTest.objects.filter(master=master).select_related("asked_by").order_by("-asked_at").first(),
        why_not=_why_not(master, session, penalty),
    )


def _families(master: MasterAccount) -> list[Family]:
    lately = health.lately(master)
    found = []
    for row in FamilyHealth.objects.filter(master=master).order_by("family"):
        last = lately.get(row.family)
        p95 = last.p95_ms if last else None
        if not row.is_well:
            word, tone = "Not well", "wait"
        elif last and p95 is not None and p95 > SLOW_MS:
            word, tone = "Slow", "wait"
        else:
            word, tone = "Good", "good"
        found.append(
            Family(
                name=row.family,
                word=word,
                tone=tone,
                last_success_at=row.last_success_at,
                p95="" if last is None else (f"{p95} ms" if p95 is not None else "over 60 s"),
                error_per_cent=last.error_per_cent if last else 0,
                last_failure=row.last_failure,
                last_failure_at=row.last_failure_at,
            )
        )
    return found


def _why_not(master: MasterAccount, session: BrokerageSession | None, penalty: Penalty | None) -> str:
    """Say in one sentence why this connection cannot trade now; empty when it can, or when nobody trades on it."""
    if not master.username:
        return ""
    if (closed := calendar.parked_until(master, "trading")) is not None:
        return f"{calendar.sentence(closed)} Orders are parked and keep their place."
    if penalty is not None:
        return (
            f"IBKR shut this address out for too many requests; nothing is sent until {penalty.until:%H:%M} UTC. "
            "What waits keeps its place."
        )
    gates = list(Gate.objects.closed_for(master=master, lane="trading").select_related("set_by"))
    if gates:
        by = gates[0].set_by.name if gates[0].set_by else "the system"
        return f"{by} stopped sending: {gates[0].reason}. Another principal may open it again."
    match session.state if session else SessionState.DOWN:
        case SessionState.LIVE:
            return ""
        case SessionState.COMPETING:
            return (
                f"Someone signed in elsewhere as {master.username}, and IBKR allows one trading session for a username. "
                "Orders are parked and keep their place. We do not take the session back by ourselves; it returns when "
                "the other login ends."
            )
        case SessionState.STARTING:
            return "The trading session is being opened; this takes some seconds."
    detail = f" {session.detail}." if session and session.detail else ""
    return f"There is no trading session.{detail} The session keeper tries again by itself."


@dataclass(frozen=True)
class Strip:
    """One service on the clock of a day: closed stretches as (start, width) in minutes of a day of New York."""

    name: str
    closed: list[tuple[int, int]]


def day_strips(masters: Iterable[MasterAccount]) -> tuple[list[Strip], int]:
    """Return each service's closed stretches of today, New York, and the minute it is now."""
    now = clock.now()
    midnight = now.astimezone(clock.NEW_YORK).replace(hour=0, minute=0, second=0, microsecond=0)
    kept = [master for master in masters if master.has_windows]
    found = calendar.between(kept, midnight.astimezone(now.tzinfo), midnight.astimezone(now.tzinfo) + timedelta(days=1))
    strips = [
        Strip(
            calendar.NAME_OF_SERVICE[service], [_stretch(each, midnight) for each in found if each.service == service]
        )
        for service in Service
    ]
    return strips, _minute(now, midnight)


def _stretch(closure: Closure, midnight: datetime) -> tuple[int, int]:
    start = max(0, _minute(closure.begins, midnight))
    end = min(MINUTES_OF_A_DAY, _minute(closure.ends, midnight))
    return start, max(end - start, 4)  # one minute would not be seen


def _minute(at: datetime, midnight: datetime) -> int:
    return int((at - midnight).total_seconds()) // 60
