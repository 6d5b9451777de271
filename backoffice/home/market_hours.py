"""The regular session of the New York Stock Exchange, by its published rules (nyse.com, Holidays & Trading Hours).

Holidays: New Year's Day, Martin Luther King Jr. Day, Washington's Birthday, Good Friday, Memorial Day, Juneteenth,
Independence Day, Labor Day, Thanksgiving, Christmas. One that falls on a Sunday is kept on Monday, on a Saturday on the
Friday before, except New Year's Day, which is then not kept. Early closes at 13:00: the day before Independence Day, the
day after Thanksgiving, Christmas Eve. Unplanned closures are not known here.
"""

from datetime import date, datetime, time, timedelta
from functools import lru_cache

from backoffice.core.clock import NEW_YORK

OPENS, CLOSES, CLOSES_EARLY = time(9, 30), time(16), time(13)


def _nth(year: int, month: int, weekday: int, n: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))


def _easter(year: int) -> date:
    """Return Easter Sunday of the Gregorian calendar (Meeus, Astronomical Algorithms, chapter 8)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)


def _kept(day: date) -> date:
    return day + timedelta(days={5: -1, 6: 1}.get(day.weekday(), 0))


@lru_cache(maxsize=8)
def holidays(year: int) -> frozenset[date]:
    """Return the days of `year` on which the exchange does not open, weekends aside."""
    new_year = date(year, 1, 1)
    last_monday_of_may = max(date(year, 5, day) for day in range(25, 32) if date(year, 5, day).weekday() == 0)
    days = {
        _nth(year, 1, 0, 3),
        _nth(year, 2, 0, 3),
        _easter(year) - timedelta(days=2),
        last_monday_of_may,
        _kept(date(year, 6, 19)),
        _kept(date(year, 7, 4)),
        _nth(year, 9, 0, 1),
        _nth(year, 11, 3, 4),
        _kept(date(year, 12, 25)),
    }
    if new_year.weekday() != 5:
        days.add(_kept(new_year))
    return frozenset(days)


def closing_time(day: date) -> time | None:
    """Return when the regular session of `day` ends in New York, None when there is none."""
    if day.weekday() >= 5 or day in holidays(day.year):
        return None
    early = {date(day.year, 7, 3), _nth(day.year, 11, 3, 4) + timedelta(days=1), date(day.year, 12, 24)}
    return CLOSES_EARLY if day in early else CLOSES


def next_bell(now: datetime) -> tuple[bool, datetime]:
    """Return whether the regular session is open at `now`, and the instant at which that changes."""
    there = now.astimezone(NEW_YORK)
    closes = closing_time(there.date())
    if closes is not None and OPENS <= there.time() < closes:
        return True, datetime.combine(there.date(), closes, NEW_YORK)
    day = there.date() if there.time() < OPENS else there.date() + timedelta(days=1)
    while closing_time(day) is None:
        day += timedelta(days=1)
    return False, datetime.combine(day, OPENS, NEW_YORK)
