"""IBKR's maintenance windows for a connection: when work parks, when it resumes, and what pages say about it."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from backoffice.broker.models import MasterAccount
from backoffice.core import clock
from backoffice.core.clock import NEW_YORK
from backoffice.ibkr import windows
from backoffice.ibkr.windows import Closure, Service

SERVICE_OF_LANE = {
    "accounts": Service.REGISTRATION,
    "reports": Service.REGISTRATION,
    "funding": Service.BANKING,
    "trading": Service.TRADING,
}
NAME_OF_SERVICE = {
    Service.REGISTRATION: "Registration and reports",
    Service.BANKING: "Funds and banking",
    Service.TRADING: "Trading",
}


def parked_until(master: MasterAccount, lane: str, at: datetime | None = None) -> Closure | None:
    """Return the window that keeps this lane's writes back now: it has begun, or it begins within its guard."""
    service = SERVICE_OF_LANE.get(lane)
    if service is None or not master.has_windows:
        return None
    return windows.closure(service, at or clock.now(), region=master.region)


def closed_for_path(master: MasterAccount, path: str) -> Closure | None:
    """Return the window a call to this path would fall into now, without the guard that only keeps new work back."""
    service = windows.service_of(path) if master.has_windows else None
    if service is None:
        return None
    return windows.closure(service, clock.now(), region=master.region, margin=timedelta(0))


def keeping(masters: Iterable[MasterAccount]) -> list[MasterAccount]:
    """Return those of the connections that IBKR's windows apply to."""
    return [master for master in masters if master.has_windows]


def upcoming(masters: Iterable[MasterAccount], *, days: int = 7) -> list[Closure]:
    """Return IBKR's windows of the next days in the regions of these connections, the soonest first."""
    now = clock.now()
    found = {
        closure
        for master in masters
        for service in NAME_OF_SERVICE
        for closure in windows.upcoming(service, now, days=days, region=master.region)
    }
    return sorted(found, key=lambda closure: (closure.begins, closure.service))


def between(masters: Iterable[MasterAccount], start: datetime, end: datetime) -> list[Closure]:
    """Return the windows of these connections that touch a span, each once."""
    found = {
        closure
        for master in masters
        for service in NAME_OF_SERVICE
        for closure in windows.upcoming(service, start, days=(end - start).days + 1, region=master.region)
        if closure.begins < end and closure.ends > start
    }
    return sorted(found, key=lambda closure: (closure.begins, closure.service))


def sentence(closure: Closure) -> str:
    """Say what is closed and until when, in IBKR's own time."""
    ends = closure.ends.astimezone(NEW_YORK)
    return f"{closure.reason}, until {ends:%A %H:%M} New York time."


def line(closure: Closure) -> str:
    """Say in one line of a list what is closed when, in IBKR's own time."""
    begins, ends = closure.begins.astimezone(NEW_YORK), closure.ends.astimezone(NEW_YORK)
    until = f"{ends:%H:%M}" if ends.date() == begins.date() else f"{ends:%A %H:%M}"
    return f"{begins:%A %H:%M} to {until}: {closure.reason}."
