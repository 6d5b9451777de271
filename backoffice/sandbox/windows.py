"""When IBKR is closed: the maintenance windows of each family, the nightly resets, and how a closed door answers.

Windows are judged by the virtual clock in their own time zone, daylight saving included. Sources:
`ibkr/data/windows.json` for `/gw`; `ibkr/trading.md` 1.2 and the published resets for `/v1/api`:

    NA      Sunday to Friday 00:15-01:45, brokerage only; Friday 23:00 to Saturday 03:00, the whole trading side
    EU, HK  01:00 local, taken as 00:45-01:15 (only "about 01:00" is printed)
    all     Saturday evening, the whole Web API (hours not printed, taken as 18:00-22:00 New York)

A nightly reset is also said to be "about 01:00" and to take "minutes": the knob `nightly_reset_minutes` begins it at 01:00
and ends it after so many, which may be more than its window has.

A brokerage session ends when a nightly reset begins, a single sign-on session at midnight of its region. The families
that the facts do not list (tokens, sign-on, echo, requests, forms, validations, balances) close on Saturday evening only.

Simplified: one region for the whole sandbox; of the windows only the nightly reset can run over.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from starlette.responses import Response

from .jsonio import answer
from .kernel import Sandbox
from .problems import problem

NEW_YORK, ZURICH, HONG_KONG = "America/New_York", "Europe/Zurich", "Asia/Hong_Kong"
MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY = range(7)
EVERY_DAY = tuple(range(7))
ZONES = {"NA": NEW_YORK, "EU": ZURICH, "HK": HONG_KONG}
PAGE = (
    "<html><head><title>System maintenance</title></head><body><h1>Service Unavailable</h1>"
    "<p>The system is currently unavailable due to scheduled maintenance. Please try again later.</p></body></html>"
)


@dataclass(frozen=True, slots=True)
class Window:
    """Closed from `begins` on each of `days` for `minutes`; `paths` are beginnings of paths."""

    name: str
    paths: tuple[str, ...]
    days: tuple[int, ...]
    begins: time
    minutes: int
    zone: str
    is_reset: bool = False
    regions: tuple[str, ...] = tuple(ZONES)

    def around(self, at: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Every opening and closing, in UTC, that may touch `at`, oldest first."""
        zone = ZoneInfo(self.zone)
        today = at.astimezone(zone).date()
        for day in (today - timedelta(days=2), today - timedelta(days=1), today):
            if day.weekday() in self.days:
                yield self.on(day)

    def on(self, day: date) -> tuple[datetime, datetime]:
        """When it begins and ends, as its clock on the wall shows it, if it begins on this day."""
        zone = ZoneInfo(self.zone)
        local = datetime.combine(day, self.begins)
        ends = local + timedelta(minutes=self.minutes)
        return local.replace(tzinfo=zone).astimezone(UTC), ends.replace(tzinfo=zone).astimezone(UTC)


_REGISTRATION = tuple(f"/gw/api/v1/{family}" for family in ("accounts", "statements", "tax-documents", "enumerations"))
_BANKING = tuple(
    f"/gw/api/v1/{family}"
    for family in (
        "bank-instructions", "client-instructions", "instruction", "external-asset-transfers",
        "external-cash-transfers", "internal",
    )
)  # fmt: skip
_NIGHTLY = "nightly reset"
_BROKERAGE, _TRADING = ("/v1/api/iserver",), ("/v1/api",)

WINDOWS = (
    Window("registration, daily", _REGISTRATION, EVERY_DAY, time(18, 0), 1, NEW_YORK),
    Window("registration, twice a week", _REGISTRATION, (SUNDAY, TUESDAY), time(18, 0), 30, NEW_YORK),
    Window("funds and banking, nightly", _BANKING, EVERY_DAY, time(23, 45), 45, NEW_YORK),
    Window("funds and banking, Saturday", _BANKING, (SATURDAY,), time(0, 0), 24 * 60, NEW_YORK),
    Window("funds and banking, Sunday", _BANKING, (SUNDAY,), time(0, 0), 15 * 60, NEW_YORK),
    Window(
        _NIGHTLY, _BROKERAGE, (SUNDAY, MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY), time(0, 15), 90, NEW_YORK,
        is_reset=True, regions=("NA",),
    ),
    Window("weekend reset", _TRADING, (FRIDAY,), time(23, 0), 4 * 60, NEW_YORK, is_reset=True, regions=("NA",)),
    Window(_NIGHTLY, _BROKERAGE, EVERY_DAY, time(0, 45), 30, ZURICH, is_reset=True, regions=("EU",)),
    Window(_NIGHTLY, _BROKERAGE, EVERY_DAY, time(0, 45), 30, HONG_KONG, is_reset=True, regions=("HK",)),
    Window("weekly maintenance", ("/gw/", "/oauth2/", "/v1/api"), (SATURDAY,), time(18, 0), 240, NEW_YORK),
)  # fmt: skip


def in_force(sandbox: Sandbox) -> tuple[Window, ...]:
    """The windows of the sandbox's region, without those that a knob has switched off."""
    region, is_weekly = sandbox.config.get("region", "NA"), sandbox.config.get("weekly_maintenance", True)
    minutes = sandbox.config.get("nightly_reset_minutes", None)
    return tuple(
        window if minutes is None or window.name != _NIGHTLY else replace(window, begins=time(1, 0), minutes=minutes)
        for window in WINDOWS
        if region in window.regions and (is_weekly or window.name != "weekly maintenance")
    )


def closed(sandbox: Sandbox, path: str, at: datetime) -> Window | None:
    """The window that closes this path at this instant, or None."""
    for window in in_force(sandbox):
        if path.startswith(window.paths) and any(begins <= at < ends for begins, ends in window.around(at)):
            return window
    return None


def last_reset(sandbox: Sandbox, at: datetime) -> datetime | None:
    """When the latest nightly or weekend reset began."""
    begun = [
        begins
        for window in in_force(sandbox)
        if window.is_reset
        for begins, _ in window.around(at)
        if begins <= at
    ]  # fmt: skip
    return max(begun, default=None)


def last_midnight(sandbox: Sandbox, at: datetime) -> datetime:
    """The latest midnight in the region of the sign-on service."""
    zone = ZoneInfo(ZONES[sandbox.config.get("region", "NA")])
    return datetime.combine(at.astimezone(zone).date(), time(0, 0), zone).astimezone(UTC)


def turned_away(sandbox: Sandbox, path: str) -> Response:
    """The answer behind a closed door; which one IBKR gives is not printed, so status and form are knobs."""
    status = int(sandbox.config.get("maintenance_status", 503))
    if sandbox.config.get("maintenance_body", "html") == "html":
        return Response(PAGE, status, media_type="text/html")
    if path.startswith("/v1/api"):
        return answer({"error": "Service Unavailable", "statusCode": status}, status)
    return problem(status)


def describe(sandbox: Sandbox) -> dict[str, Any]:
    """What `GET /_sandbox/windows` shows."""
    now = sandbox.clock.now()
    rows = [
        {
            "name": window.name, "paths": list(window.paths), "zone": window.zone,
            "is_closed": any(begins <= now < ends for begins, ends in window.around(now)),
        }
        for window in in_force(sandbox)
    ]  # fmt: skip
    return {
        "now": now.isoformat(),
        "is_enforced": bool(sandbox.config.get("enforce_maintenance", True)),
        "windows": rows,
    }
