"""The only place that asks what time it is. Instants are aware UTC; a business day says whose it is."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")


def now() -> datetime:
    """Return the present instant, aware, in UTC."""
    return datetime.now(UTC)


def today(zone: ZoneInfo) -> date:
    """Return the calendar day it is now in `zone`; IBKR's business days are New York's."""
    return now().astimezone(zone).date()
