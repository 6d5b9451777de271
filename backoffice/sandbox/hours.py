"""When the exchanges of the world trade: each in its own time zone, with its holidays by rule and early closes in the US.

A business day is a date of the exchange; futures and currencies open on the evening before it. All instants are aware UTC.
The rules are those of ordinary years: a holiday declared once (a state funeral, a coronation) is not known here. Whether
orders respect these hours is for the order engine (knob `market_hours`); they are true either way.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Day:
    """One business day of an exchange. Without extended hours the extended instants are the regular ones."""

    day: date
    opens: datetime
    closes: datetime
    extended_opens: datetime
    extended_closes: datetime


@dataclass(frozen=True, slots=True)
class Exchange:
    zone: ZoneInfo
    opens: time
    closes: time
    holidays: Callable[[int], frozenset[date]]  # of a year
    extended_opens: time | None = None
    extended_closes: time | None = None
    opens_the_evening_before: bool = False
    early_close: time | None = None  # on the half days of the United States

    def day(self, day: date) -> Day | None:
        """Return the hours of a business day, None when the exchange is shut."""
        if day.weekday() > 4 or day in self.holidays(day.year):
            return None
        is_half = self.early_close is not None and day in _half_days(day.year)
        closes = self.early_close if is_half and self.early_close else self.closes
        opened = day - _DAY if self.opens_the_evening_before else day
        regular = (self._at(opened, self.opens), self._at(day, closes))
        if self.extended_opens is None or self.extended_closes is None:
            return Day(day, *regular, *regular)
        late = self._at(day, self.extended_closes) if not is_half else regular[1] + timedelta(hours=4)
        return Day(day, *regular, self._at(day, self.extended_opens), late)

    def _at(self, day: date, hour: time) -> datetime:
        return datetime.combine(day, hour, self.zone).astimezone(UTC)

    def days_from(self, at: datetime) -> Iterator[Day]:
        """Yield the business days whose (extended) close lies after an instant, without end."""
        date_ = at.astimezone(self.zone).date() - _DAY
        while True:
            found = self.day(date_)
            if found is not None and found.extended_closes > at:
                yield found
            date_ += _DAY

    def is_open(self, at: datetime, *, extended: bool = False) -> bool:
        return self.next_open(at, extended=extended) == at

    def next_open(self, at: datetime, *, extended: bool = False) -> datetime:
        """Return the instant itself when the exchange is open then, else the next opening."""
        for day in self.days_from(at):
            opens, closes = (day.extended_opens, day.extended_closes) if extended else (day.opens, day.closes)
            if at < closes:
                return max(at, opens)
        raise AssertionError("days_from never ends")

    def next_close(self, at: datetime, *, extended: bool = False) -> datetime:
        """Return the end of the session that is on, or of the next one."""
        for day in self.days_from(at):
            closes = day.extended_closes if extended else day.closes
            if at < closes:
                return closes
        raise AssertionError("days_from never ends")

    def opening_after(self, at: datetime) -> datetime:
        """Return the first opening auction at or after an instant."""
        for day in self.days_from(at):
            if at <= day.opens:
                return day.opens
        raise AssertionError("days_from never ends")


def _nth(year: int, month: int, weekday: int, n: int) -> date:
    """The n-th weekday (Monday 0) of a month; n = -1 is the last."""
    if n > 0:
        first = date(year, month, 1)
        return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))
    last = date(year + month // 12, month % 12 + 1, 1) - _DAY
    return last - timedelta(days=(last.weekday() - weekday) % 7)


def _easter(year: int) -> date:
    """Easter Sunday, by the anonymous Gregorian computus."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)


def _observed(day: date) -> date:
    """A US holiday on a Saturday is kept on Friday, one on a Sunday on Monday."""
    return day - _DAY if day.weekday() == 5 else day + _DAY if day.weekday() == 6 else day


@lru_cache
def _united_states(year: int) -> frozenset[date]:
    new_year = date(year, 1, 1)  # on a Saturday it is not kept at all
    return frozenset(
        {
            new_year + _DAY if new_year.weekday() == 6 else new_year,
            _nth(year, 1, 0, 3),
            _nth(year, 2, 0, 3),
            _easter(year) - 2 * _DAY,
            _nth(year, 5, 0, -1),
            _observed(date(year, 6, 19)),
            _observed(date(year, 7, 4)),
            _nth(year, 9, 0, 1),
            _nth(year, 11, 3, 4),
            _observed(date(year, 12, 25)),
        }
    )


@lru_cache
def _half_days(year: int) -> frozenset[date]:
    found = {_nth(year, 11, 3, 4) + _DAY, date(year, 12, 24), date(year, 7, 3)}
    return frozenset(found - _united_states(year))


@lru_cache
def _united_kingdom(year: int) -> frozenset[date]:
    easter = _easter(year)
    found = {easter - 2 * _DAY, easter + _DAY, _nth(year, 5, 0, 1), _nth(year, 5, 0, -1), _nth(year, 8, 0, -1)}
    for holiday in (date(year, 1, 1), date(year, 12, 25), date(year, 12, 26)):
        while holiday.weekday() > 4 or holiday in found:
            holiday += _DAY
        found.add(holiday)
    return frozenset(found)


@lru_cache
def _euronext(year: int) -> frozenset[date]:
    easter = _easter(year)
    fixed = {date(year, 1, 1), date(year, 5, 1), date(year, 12, 25), date(year, 12, 26)}
    return frozenset(fixed | {easter - 2 * _DAY, easter + _DAY})


@lru_cache
def _germany(year: int) -> frozenset[date]:
    return _euronext(year) | {date(year, 12, 24), date(year, 12, 31)}


@lru_cache
def _switzerland(year: int) -> frozenset[date]:
    easter = _easter(year)
    return _germany(year) | {date(year, 1, 2), date(year, 8, 1), easter + 39 * _DAY, easter + 50 * _DAY}


@lru_cache
def _canada(year: int) -> frozenset[date]:
    victoria = date(year, 5, 24)
    found = {
        _nth(year, 2, 0, 3),
        _easter(year) - 2 * _DAY,
        victoria - timedelta(days=victoria.weekday()),
        _nth(year, 8, 0, 1),
        _nth(year, 9, 0, 1),
        _nth(year, 10, 0, 2),
    }
    for holiday in (date(year, 1, 1), date(year, 7, 1), date(year, 12, 25), date(year, 12, 26)):
        while holiday.weekday() > 4 or holiday in found:
            holiday += _DAY
        found.add(holiday)
    return frozenset(found)


@lru_cache
def _around_the_clock(year: int) -> frozenset[date]:
    return frozenset({date(year, 1, 1), date(year, 12, 25)})


_NEW_YORK, _LONDON, _PARIS = ZoneInfo("America/New_York"), ZoneInfo("Europe/London"), ZoneInfo("Europe/Paris")
_US = Exchange(
    _NEW_YORK, time(9, 30), time(16), _united_states, time(4), time(20), early_close=time(13)
)  # every exchange for shares and options; options have no extended hours, which the order rules know
_FUTURES = Exchange(ZoneInfo("America/Chicago"), time(17), time(16), _around_the_clock, opens_the_evening_before=True)
_CURRENCIES = Exchange(_NEW_YORK, time(17, 15), time(17), _around_the_clock, opens_the_evening_before=True)
_EXCHANGES = {
    "CME": _FUTURES,
    "IDEALPRO": _CURRENCIES,
    "LSE": Exchange(_LONDON, time(8), time(16, 30), _united_kingdom),
    "LSEETF": Exchange(_LONDON, time(8), time(16, 30), _united_kingdom),
    "IBIS": Exchange(ZoneInfo("Europe/Berlin"), time(9), time(17, 30), _germany),
    "IBIS2": Exchange(ZoneInfo("Europe/Berlin"), time(9), time(17, 30), _germany),
    "AEB": Exchange(ZoneInfo("Europe/Amsterdam"), time(9), time(17, 30), _euronext),
    "SBF": Exchange(_PARIS, time(9), time(17, 30), _euronext),
    "EBS": Exchange(ZoneInfo("Europe/Zurich"), time(9), time(17, 20), _switzerland),
    "TSE": Exchange(ZoneInfo("America/Toronto"), time(9, 30), time(16), _canada),
}


def of(exchange: str) -> Exchange:
    """Return the hours of an exchange by IBKR's code; one that is not listed keeps the hours of New York."""
    return _EXCHANGES.get(exchange, _US)
