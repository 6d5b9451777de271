"""When IBKR's Funds & Banking takes instructions: not 23:45-00:30 ET, not on Saturday, not on Sunday before 15:00 ET.

Source: account-management.md section 1. Pure: the instant is an argument. The sandbox keeps no hours.
"""

from datetime import datetime, time, timedelta

from backoffice.broker.models import Environment
from backoffice.core.clock import NEW_YORK

NIGHT_BEGINS = time(23, 45)
NIGHT_ENDS = time(0, 30)
SUNDAY_OPENS = time(15, 0)
SATURDAY, SUNDAY = 5, 6


def closed_until(at: datetime, environment: str) -> datetime | None:
    """Return when banking opens again, in UTC, or None when it is open at `at`."""
    if environment == Environment.SANDBOX or not _is_closed(at):
        return None
    opens = at
    # Every window ends on a whole quarter of an hour, in any offset New York has.
    opens = opens.replace(minute=opens.minute - opens.minute % 15, second=0, microsecond=0)
    while _is_closed(opens):
        opens += timedelta(minutes=15)
    return opens


def _is_closed(at: datetime) -> bool:
    there = at.astimezone(NEW_YORK)
    day, hour = there.weekday(), there.time()
    if day == SATURDAY or (day == SUNDAY and hour < SUNDAY_OPENS):
        return True
    return hour >= NIGHT_BEGINS or hour < NIGHT_ENDS
