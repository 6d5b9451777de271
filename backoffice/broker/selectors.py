"""What the connections page shows: each connection with its token, session, key, families, budgets and windows."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils import timezone

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
from backoffice.ibkr import limits
from backoffice.ibkr.windows import Closure

KEY_DAYS = 365  # a key is due for rotation after a year
KEY_WARNS = 335
SLOW_MS = 3000
TEST_GIVES_UP = timedelta(minutes=4)
MINUTES_OF_A_DAY = 24 * 60


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
    window: str


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
    def question(self) -> str:
        return f"Why can I not trade on {self.master.account} now?"

    @property
    def families_title(self) -> str:
        return f"Endpoint families of {self.master.account}"

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
        budgets=_budgets(master),
        penalty=penalty,
        test=ConnectionTest.objects.filter(master=master).select_related("asked_by").order_by("-asked_at").first(),
        why_not=_why_not(master, session, penalty),
    )


def _budgets(master: MasterAccount) -> list[Budget]:
    """Return the overall limits; those of single endpoints and the pacing table are kept beside them."""
    overall = {"account management": (limits.GATEWAY_PER_MINUTE, "a minute")}
    if master.username:
        overall["trading"] = (limits.TRADING_PER_SECOND, "a second")
    used = {line.name: line.used for line in limiter.usage_of(master, *overall)}
    return [Budget(name, used.get(name, 0), allowed, window) for name, (allowed, window) in overall.items()]


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
    """Say why this connection cannot trade now, all there is; empty when it can, or when nobody trades on it."""
    if not master.username:
        return ""
    reasons = []
    for gate in Gate.objects.closed_for(master=master, lane="trading").select_related("set_by"):
        by = gate.set_by.name if gate.set_by else "The system"
        reasons.append(f"{by} stopped sending: {gate.reason}. Another principal may open it again.")
    if (closed := calendar.parked_until(master, "trading")) is not None:
        reasons.append(f"{calendar.sentence(closed)} Orders are parked and keep their place.")
    elif penalty is not None:
        reasons.append(
            f"IBKR shut this address out for too many requests; nothing is sent until {_at(penalty.until)}. "
            "What waits keeps its place. Who must cancel an order before that can call IBKR, or use TWS under another username."
        )
    else:
        reasons.append(_about_session(master, session))
    return " ".join(filter(None, reasons))


def _about_session(master: MasterAccount, session: BrokerageSession | None) -> str:
    match session.state if session else SessionState.DOWN:
        case SessionState.LIVE:
            return ""
        case SessionState.COMPETING:
            since = f" at {_at(session.changed_at)}" if session and session.changed_at else ""
            return (
                f"Someone signed in elsewhere as {master.username}{since}, and IBKR allows one trading session for a "
                "username. Orders are parked and keep their place. We do not take the session back by ourselves; it "
                "returns when the other login ends."
            )
        case SessionState.STARTING:
            return "The trading session is being opened; this takes some seconds."
    detail = f" {session.detail.rstrip('.')}." if session and session.detail else ""
    return f"There is no trading session.{detail} The session keeper tries again by itself."


def _at(when: datetime) -> str:
    """Write a time of today in the reader's zone."""
    return f"{timezone.localtime(when):%H:%M}"


@dataclass(frozen=True)
class Strip:
    """One service on the clock of a day: closed stretches as (start, width) in minutes of a day of New York."""

    name: str
    closed: list[tuple[int, int]]


def day_strips(masters: Iterable[MasterAccount]) -> tuple[list[Strip], int]:
    """Return each service's closed stretches of today, New York, and the minute it is now, both as its clocks show them."""
    now = clock.now()
    midnight = now.astimezone(clock.NEW_YORK).replace(hour=0, minute=0, second=0, microsecond=0)
    found = calendar.between(masters, midnight.astimezone(UTC), (midnight + timedelta(days=1)).astimezone(UTC))
    strips = [
        Strip(name, [_stretch(each, midnight) for each in found if each.service == service])
        for service, name in calendar.NAME_OF_SERVICE.items()
    ]
    return strips, _minute(now, midnight)


def _stretch(closure: Closure, midnight: datetime) -> tuple[int, int]:
    start = max(0, _minute(closure.begins, midnight))
    end = min(MINUTES_OF_A_DAY, _minute(closure.ends, midnight))
    return start, max(end - start, 4)  # one minute would not be seen


def _minute(at: datetime, midnight: datetime) -> int:
    # By the clock on the wall: a day of 23 or 25 hours has its labels where the others have them.
    wall = at.astimezone(clock.NEW_YORK)
    return (wall.date() - midnight.date()).days * MINUTES_OF_A_DAY + wall.hour * 60 + wall.minute
