"""Business days and cut-offs of New York, by the virtual clock. Aware UTC in and out."""

from datetime import UTC, date, datetime, time, timedelta

from . import hours
from .clock import NEW_YORK

MIDNIGHT = time(0)


def is_business_day(day: date) -> bool:
    return hours.of("NYSE").day(day) is not None


def next_business_day(day: date) -> date:
    """The first business day after a date."""
    day += timedelta(days=1)
    while not is_business_day(day):
        day += timedelta(days=1)
    return day


def at(day: date, hour: time) -> datetime:
    return datetime.combine(day, hour, NEW_YORK).astimezone(UTC)


def business_days_later(now: datetime, days: int, hour: time) -> datetime:
    """This hour of the day that many business days after the present New York date."""
    day = now.astimezone(NEW_YORK).date()
    for _ in range(days):
        day = next_business_day(day)
    return at(day, hour)


def same_day_before(now: datetime, cut_off: time, done: time) -> datetime:
    """`done` of today when it is a business day and not yet `cut_off`, else `done` of the next business day. Not before now."""
    local = now.astimezone(NEW_YORK)
    is_today = is_business_day(local.date()) and local.time() < cut_off
    return max(now, at(local.date() if is_today else next_business_day(local.date()), done))
