"""Bars of the past, from the same deterministic prices that quotes and valuations use; at most 1000, the newest kept.

Prices in `data` are real; `high` and `low` of the head are scaled by `priceFactor` and read price/volume/minutes since
`startTime`, which lies one bar before the first. A finished day closes at `Market.close`, the price that books are valued
at. Bid_Ask bars open at the bid and close at the ask, as IBKR's do.

What a chart that cannot be drawn answers is not certain (`ibkr/trading.md` 5): the knob `chart_unavailable` has it as JSON
or as bare text under 500, or as a chart without bars.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute

from backoffice.sandbox import hours, instruments
from backoffice.sandbox.instruments import Instrument
from backoffice.sandbox.market import Market

from .definitions import digits
from .desk import Call, Desk, Needs, Refusal, bad_request, route
from .fields import availability, seen_at
from .schedules import exchange_of
from .sessions import milliseconds

MOST_POINTS = 1000
_LOOKS = 6  # between the ends of a bar
_LONGEST = {"min": 30, "h": 8, "d": 1000, "w": 792, "m": 182, "y": 15}
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_BARS = {
    "1min": _MINUTE, "2min": 2 * _MINUTE, "3min": 3 * _MINUTE, "5min": 5 * _MINUTE, "10min": 10 * _MINUTE,
    "15min": 15 * _MINUTE, "30min": 30 * _MINUTE, "1h": _HOUR, "2h": 2 * _HOUR, "3h": 3 * _HOUR, "4h": 4 * _HOUR,
    "8h": 8 * _HOUR, "1d": _DAY, "1w": 7 * _DAY, "1m": 30 * _DAY,
}  # fmt: skip
# (days of the period, finest bar, coarsest bar); a period in between may use what either neighbour may
_STEPS = (
    (0, "1min", "8h"),
    (1, "1min", "8h"),
    (7, "10min", "1w"),
    (30, "1h", "1m"),
    (91, "2h", "1m"),
    (182, "4h", "1m"),
    (365, "8h", "1m"),
    (730, "1d", "1m"),
    (1095, "1d", "1m"),
    (15 * 365, "1w", "1m"),
)
_SOURCES = {"last": "Last", "trades": "Last", "midpoint": "Midpoint", "bid_ask": "Bid_Ask"}
TIME = "%Y%m%d-%H:%M:%S"
_NO_CHART = "Chart data unavailable"


@dataclass(frozen=True, slots=True)
class Chart:
    """What is asked for, checked."""

    instrument: Instrument
    period: str
    bar: str
    first: datetime
    last: datetime
    outside: bool
    source: str


@dataclass(frozen=True, slots=True)
class Bar:
    at: datetime
    ends: datetime
    open: Decimal
    close: Decimal
    high: Decimal
    low: Decimal
    volume: Decimal


def routes(desk: Desk) -> list[BaseRoute]:
    return [route(desk, "GET", "/iserver/marketdata/history", _history, Needs.ACCOUNTS)]


class CannotBeDrawn(Refusal):
    """There is nothing to show of this instrument, or nothing that its reader may see."""

    def __init__(self) -> None:
        super().__init__(500, {"error": _NO_CHART})


def _history(call: Call) -> Any:
    try:
        wanted = read(call.desk, call.query("conid"), dict(call.request.query_params))
        return answer(call.desk, wanted, server_id="4155816")
    except CannotBeDrawn:
        match call.desk.knob("chart_unavailable", "json"):
            case "text":
                return PlainTextResponse(_NO_CHART, 500)
            case "empty":
                return {"serverId": "4155816", "data": [], "points": 0, "travelTime": 7}
        raise


def _refused(text: str) -> Refusal:
    return Refusal(500, {"error": text})


def read(desk: Desk, conid: str, wanted: dict[str, Any]) -> Chart:
    """Check the parameters of a chart, REST's or a stream's. Refuses with 500, as IBKR does, or 400 for what is missing."""
    if not conid.isdecimal():
        raise bad_request("conid is required")
    instrument = instruments.get(conid)
    if instrument is None or seen_at(desk, instrument, availability(desk, instrument)) is None:
        raise CannotBeDrawn
    period, bar = str(wanted.get("period") or "1d"), str(wanted.get("bar") or "1min")
    source = _SOURCES.get(str(wanted.get("source") or "Last").lower())
    if source is None:
        raise _refused(f"Invalid source: {wanted.get('source')}")
    now = desk.sandbox.clock.now()
    start, direction = _start(wanted.get("startTime")), str(wanted.get("direction") or "-1")
    if direction not in ("-1", "1"):
        raise bad_request("direction must be -1 or 1")
    outside = str(wanted.get("outsideRth", False)).lower() == "true"
    where = exchange_of(instrument, str(wanted.get("exchange") or ""))
    if start is not None and direction == "1":
        first, last = start, min(start + _length(period), now)
    else:
        last = min(start or now, now)
        first = _back(where, last, period, outside=outside)
    _check_bar(period, bar)
    return Chart(instrument, period, bar, first, last, outside, source)


def _start(text: Any) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.strptime(str(text), TIME).replace(tzinfo=UTC)
    except ValueError as problem:
        raise _refused(f"Invalid start time: {text}") from problem


def _parts(period: str) -> tuple[int, str]:
    found = re.fullmatch(r"(\d{1,4})(min|h|d|w|m|y)", period)
    if found is None or not 1 <= int(found[1]) <= _LONGEST[found[2]]:
        raise _refused(f"Invalid period: {period}")
    return int(found[1]), found[2]


def _length(period: str) -> timedelta:
    count, unit = _parts(period)
    if unit in ("min", "h"):
        return count * (_MINUTE if unit == "min" else _HOUR)
    return timedelta(days=count * {"d": 1, "w": 7, "m": 30, "y": 365}[unit])


def _check_bar(period: str, bar: str) -> None:
    length = _length(period)
    if bar not in _BARS:
        raise _refused(f"Invalid bar: {bar}")
    below = max(step for step in _STEPS if timedelta(days=step[0]) <= length)
    above = min((step for step in _STEPS if timedelta(days=step[0]) >= length), default=below)
    if not _BARS[below[1]] <= _BARS[bar] <= _BARS[above[2]]:
        raise _refused(f"Bar {bar} is not supported for period {period}")


def _back(where: hours.Exchange, last: datetime, period: str, *, outside: bool) -> datetime:
    """The beginning of a period that ends at an instant. Days are trading days; minutes and hours end with the last session."""
    count, unit = _parts(period)
    if unit in ("w", "m", "y"):
        return last - _length(period)
    if unit in ("min", "h"):
        days = [day for day in _days(where, last - 10 * _DAY, last) if _opens(day, outside=outside) < last]
        closed = min(last, _closes(days[-1], outside=outside)) if days else last
        return closed - _length(period)
    days = [
        day for day in _days(where, last - timedelta(days=2 * count + 10), last) if _opens(day, outside=outside) < last
    ]
    return _opens(days[-min(count, len(days))], outside=outside)


def _days(where: hours.Exchange, first: datetime, last: datetime) -> list[hours.Day]:
    day, end = first.astimezone(where.zone).date(), last.astimezone(where.zone).date() + _DAY
    found = []
    while day <= end:
        if (trading := where.day(day)) is not None:
            found.append(trading)
        day += _DAY
    return found


def _opens(day: hours.Day, *, outside: bool) -> datetime:
    return day.extended_opens if outside else day.opens


def _closes(day: hours.Day, *, outside: bool) -> datetime:
    return day.extended_closes if outside else day.closes


def bars(desk: Desk, chart: Chart) -> list[Bar]:
    """Return the bars of a chart, oldest first, at most 1000."""
    where = exchange_of(chart.instrument)
    days = [
        day
        for day in _days(where, chart.first, chart.last)
        if _closes(day, outside=chart.outside) > chart.first and _opens(day, outside=chart.outside) < chart.last
    ]
    if _BARS[chart.bar] >= _DAY:
        spans = [_span(group, chart.outside) for group in _grouped(days, chart.bar)]
    else:
        spans = [span for day in days for span in _slots(day, _BARS[chart.bar], chart)]
    return [
        _bar(desk.sandbox.market, chart, opens, closes, desk.sandbox.clock.now())
        for opens, closes in spans[-MOST_POINTS:]
    ]


def _grouped(days: list[hours.Day], bar: str) -> list[list[hours.Day]]:
    groups: dict[date, list[hours.Day]] = {}
    for day in days:
        key = day.day
        if bar == "1w":
            key -= timedelta(days=key.weekday())
        elif bar == "1m":
            key = key.replace(day=1)
        groups.setdefault(key, []).append(day)
    return list(groups.values())


def _span(group: list[hours.Day], outside: bool) -> tuple[datetime, datetime]:
    return _opens(group[0], outside=outside), _closes(group[-1], outside=outside)


def _slots(day: hours.Day, step: timedelta, chart: Chart) -> list[tuple[datetime, datetime]]:
    begins, closes = _opens(day, outside=chart.outside), _closes(day, outside=chart.outside)
    found = []
    while begins < min(closes, chart.last):
        if begins >= chart.first:
            found.append((begins, min(begins + step, closes)))
        begins += step
    return found


def _bar(market: Market, chart: Chart, opens: datetime, closes: datetime, now: datetime) -> Bar:
    conid, until = chart.instrument.conid, min(closes, now)
    first = market.price(conid, opens)
    is_whole_day = _BARS[chart.bar] >= _DAY and closes <= now
    last = market.close(conid, closes.date()) if is_whole_day else market.price(conid, until)
    step = (until - opens) / (_LOOKS + 1)
    seen = [first, last, *(market.price(conid, opens + step * n) for n in range(1, _LOOKS + 1))]
    high, low, volume = max(seen), min(seen), Decimal(0)
    if chart.source == "Last":
        minutes = int((until - opens) / _MINUTE)
        volume = Decimal(90 * minutes) + Decimal((conid + int(opens.timestamp()) // 60) % 9_973) / 100
    if chart.source == "Bid_Ask":
        half = chart.instrument.min_tick
        first, low, last, high = first - half, low - half, last + half, high + half
    return Bar(opens, closes, first, last, high, low, volume)


def answer(desk: Desk, chart: Chart, *, server_id: str) -> dict[str, Any]:
    """Return the whole answer of /iserver/marketdata/history."""
    found = bars(desk, chart)
    if not found:
        raise CannotBeDrawn
    factor = 10 ** digits(chart.instrument)
    began = found[0].at - _BARS[chart.bar]
    highest, lowest = max(found, key=lambda bar: bar.high), min(found, key=lambda bar: bar.low)

    def extreme(bar: Bar, price: Decimal) -> str:
        minutes = int((bar.at - began) / _MINUTE)
        return f"{int(price * factor)}/{bar.volume.normalize():f}/{minutes}"

    where = exchange_of(chart.instrument)
    day = where.day(found[-1].at.astimezone(where.zone).date())
    return {
        "serverId": server_id,
        "symbol": chart.instrument.symbol,
        "text": chart.instrument.company_name,
        "priceFactor": factor,
        "startTime": began.strftime(TIME),
        "high": extreme(highest, highest.high),
        "low": extreme(lowest, lowest.low),
        "timePeriod": chart.period,
        "barLength": int(_BARS[chart.bar].total_seconds()),
        "mdAvailability": "S",
        "mktDataDelay": 900 if availability(desk, chart.instrument).startswith("D") else 0,
        "outsideRth": chart.outside,
        "tradingDayDuration": 0 if day is None else int((day.closes - day.opens).total_seconds()),
        "volumeFactor": 100,
        "priceDisplayRule": 1,
        "priceDisplayValue": str(digits(chart.instrument)),
        "chartPanStartTime": chart.last.strftime(TIME),
        "direction": -1,
        "negativeCapable": False,
        "messageVersion": 2,
        "data": [
            {"o": bar.open, "c": bar.close, "h": bar.high, "l": bar.low, "v": bar.volume, "t": milliseconds(bar.at)}
            for bar in found
        ],
        "points": len(found) - 1,
        "travelTime": 7,
    }
