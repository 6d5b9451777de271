"""When IBKR's services are down on purpose, as data with time zones. Pure: every function is told what time it is.

Times are wall-clock times of a zone, so the windows move with daylight saving. A wall-clock time that happens twice
counts from its first and until its second occurrence; one that does not happen is read the wider way.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo


class Service(StrEnum):
    """The parts of IBKR that have windows of their own."""

    REGISTRATION = "registration"
    BANKING = "banking"
    TRADING = "trading"
    GATEWAY = "gateway"  # tokens, sign-ons, echo, requests, forms: closed in the weekly maintenance only


@dataclass(frozen=True, slots=True)
class Closure:
    """One stretch without service, in aware UTC: from the first window's begin to when work can really go on."""

    service: Service
    begins: datetime
    ends: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Window:
    """A window that begins at `begins` on each of `days` (0 = Monday); it ends the next day if `ends` is not later.

    `zone` is None for the time of the region the trading username lives in.
    """

    service: Service
    days: frozenset[int]
    begins: time
    ends: time
    reason: str
    zone: ZoneInfo | None


NEW_YORK = ZoneInfo("America/New_York")  # the documents say ET or EST; they mean New York, with daylight saving
ZONE_OF_REGION = {"NA": NEW_YORK, "EU": ZoneInfo("Europe/Zurich"), "ASIA": ZoneInfo("Asia/Hong_Kong")}
GUARDS = {
    Service.TRADING: timedelta(minutes=15),  # an order sent just before a reset may be answered by nobody
    Service.REGISTRATION: timedelta(minutes=2),
    Service.BANKING: timedelta(minutes=2),
    Service.GATEWAY: timedelta(minutes=2),
}

_MON, _TUE, _WED, _THU, _FRI, _SAT, _SUN = range(7)
_DAILY = frozenset(range(7))
_REGISTRATION = "IBKR's registration services are down for maintenance"
_BANKING = "IBKR's funds and banking services are closed"
_WEEKEND = "IBKR's funds and banking services are closed for the weekend"
_RESET = "IBKR resets its trading system"

WINDOWS: tuple[Window, ...] = (
    # Account Management documentation, late 2025
    Window(Service.REGISTRATION, _DAILY, time(18, 0), time(18, 1), _REGISTRATION, NEW_YORK),
    Window(Service.REGISTRATION, frozenset({_SUN, _TUE}), time(18, 0), time(18, 30), _REGISTRATION, NEW_YORK),
    Window(Service.BANKING, _DAILY, time(23, 45), time(0, 30), _BANKING, NEW_YORK),
    Window(Service.BANKING, frozenset({_SAT}), time(0, 0), time(0, 0), _WEEKEND, NEW_YORK),
    Window(Service.BANKING, frozenset({_SUN}), time(0, 0), time(15, 0), _WEEKEND, NEW_YORK),
    # The published resets of North America. Of the other regions the documents say only "about 01:00 local": the same
    # hours are taken there, which is the wider reading.
    Window(Service.TRADING, _DAILY - {_SAT}, time(0, 15), time(1, 45), _RESET, None),
    Window(Service.TRADING, frozenset({_FRI}), time(23, 0), time(3, 0), _RESET, None),
    # Sign-ons end at midnight of the region.
    Window(Service.TRADING, _DAILY, time(0, 0), time(0, 5), "IBKR ends the day's sign-ons", None),
    # "Saturday evening, whole Web API" (trading.md 1.2), without hours or a zone: both readings of the zone are kept. That the
    # gateway is meant too is the safe reading: a write there would be answered by a page of maintenance, and be in doubt.
    Window(Service.TRADING, frozenset({_SAT}), time(18, 0), time(0, 0), "IBKR's weekly maintenance", None),
    Window(Service.TRADING, frozenset({_SAT}), time(18, 0), time(0, 0), "IBKR's weekly maintenance", NEW_YORK),
    Window(Service.REGISTRATION, frozenset({_SAT}), time(18, 0), time(0, 0), "IBKR's weekly maintenance", NEW_YORK),
    Window(Service.GATEWAY, frozenset({_SAT}), time(18, 0), time(0, 0), "IBKR's weekly maintenance", NEW_YORK),
)

_PATHS = (
    ("/gw/api/v1/accounts", Service.REGISTRATION),
    ("/gw/api/v1/statements", Service.REGISTRATION),
    ("/gw/api/v1/tax-documents", Service.REGISTRATION),
    ("/gw/api/v1/enumerations", Service.REGISTRATION),
    ("/gw/api/v1/bank-instructions", Service.BANKING),
    ("/gw/api/v1/client-instructions", Service.BANKING),
    ("/gw/api/v1/instruction", Service.BANKING),
    ("/gw/api/v1/external-asset-transfers", Service.BANKING),
    ("/gw/api/v2/external-asset-transfers", Service.BANKING),
    ("/gw/api/v1/external-cash-transfers", Service.BANKING),
    ("/gw/api/v1/internal", Service.BANKING),
    ("/v1/api/", Service.TRADING),
    ("/gw/", Service.GATEWAY),
    ("/oauth2/", Service.GATEWAY),
)
_LONGEST = timedelta(days=4)  # more than the longest chain of windows


def service_of(path: str) -> Service | None:
    """Return the service a path (as sent) belongs to; None for what is not IBKR's Web API."""
    return next((service for prefix, service in _PATHS if path.startswith(prefix)), None)


def closure(service: Service, at: datetime, *, region: str = "NA", margin: timedelta | None = None) -> Closure | None:
    """Return the closure that `service` is in at `at`, or is about to enter within `margin` (by default its guard).

    `begins` may therefore lie after `at`. `ends` is when work can go on: windows with less than the margin between
    them are one closure. `region` (NA, EU or ASIA) is the trading username's; the other services live in New York.
    """
    guard = GUARDS[service] if margin is None else margin
    for each in _closures(service, at - _LONGEST, at + guard, region, guard):
        if each.begins - guard <= at < each.ends:
            return each
    return None


def upcoming(service: Service, at: datetime, *, days: int = 7, region: str = "NA") -> tuple[Closure, ...]:
    """Return the closures of the next `days`, the running one included, in order."""
    until = at + timedelta(days=days)
    found = _closures(service, at - _LONGEST, until, region, GUARDS[service])
    return tuple(each for each in found if each.ends > at and each.begins < until)


def _closures(service: Service, since: datetime, until: datetime, region: str, gap: timedelta) -> tuple[Closure, ...]:
    # Whole days around the span, so that the same day's questions share one computation.
    first, last = since.astimezone(UTC).date(), (until + _LONGEST).astimezone(UTC).date()
    return _merged(service, first, last, region, gap)


@lru_cache(maxsize=256)
def _merged(service: Service, first: date, last: date, region: str, gap: timedelta) -> tuple[Closure, ...]:
    merged: list[Closure] = []
    for each in sorted(_single(service, first, last, region), key=lambda one: (one.begins, one.ends)):
        if merged and each.begins - gap <= merged[-1].ends:
            before = merged[-1]
            reason = before.reason if each.reason in before.reason else f"{before.reason}; {each.reason}"
            merged[-1] = Closure(service, before.begins, max(before.ends, each.ends), reason)
        else:
            merged.append(each)
    return tuple(merged)


def _single(service: Service, first: date, last: date, region: str) -> Iterator[Closure]:
    for window in WINDOWS:
        if window.service is not service:
            continue
        zone = window.zone or ZONE_OF_REGION[region]
        for number in range((last - first).days + 3):
            day = first + timedelta(days=number - 1)
            if day.weekday() in window.days:
                end_day = day if window.ends > window.begins else day + timedelta(days=1)
                begins = min(_readings(day, window.begins, zone))
                yield Closure(service, begins, max(_readings(end_day, window.ends, zone)), window.reason)


def _readings(day: date, clock_time: time, zone: ZoneInfo) -> tuple[datetime, datetime]:
    wall = datetime.combine(day, clock_time, tzinfo=zone)
    return wall.astimezone(UTC), wall.replace(fold=1).astimezone(UTC)
