"""When an instrument trades, as IBKR tells it.

GET /contract/trading-schedule?conid=&exchange=     six trading days in epoch seconds; a holiday is simply absent
GET /trsrv/secdef/schedule?assetClass=&symbol=      the older form: hours by generic weekday, 20000101 is a Saturday
"""

from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Any

from starlette.routing import BaseRoute

from backoffice.sandbox import hours, instruments
from backoffice.sandbox.instruments import Instrument

from .desk import Call, Desk, bad_request, route

_SCHEDULED = {
    "STK": "STK", "OPT": "OPT", "FUT": "FUT", "CFD": "CFD", "WAR": "WAR", "SWP": "SWP", "FND": "FUND", "BND": "BOND",
    "ICS": "ICS",
}  # fmt: skip
_NAMES = {
    "NYSE": "New York Stock Exchange",
    "NASDAQ": "NASDAQ Stock Market",
    "ARCA": "NYSE Arca",
    "CBOE": "Cboe Options Exchange",
    "CME": "Chicago Mercantile Exchange",
    "IBIS": "XETRA",
    "IBIS2": "XETRA",
    "AEB": "Euronext Amsterdam",
    "SBF": "Euronext Paris",
    "EBS": "SIX Swiss Exchange",
    "LSE": "London Stock Exchange",
    "LSEETF": "London Stock Exchange ETF",
    "TSE": "Toronto Stock Exchange",
    "IDEALPRO": "Foreign exchange",
}
_SPOKEN = {
    "America/New_York": "US/Eastern",
    "America/Toronto": "US/Eastern",
    "America/Chicago": "US/Central",
    "Europe/London": "GB-Eire",
}  # the rest of Europe is MET
_LIQUID_FUTURES = time(8, 30)
_ANY_SATURDAY = date(2000, 1, 1)
DAYS_SHOWN = 6


def exchange_of(instrument: Instrument, exchange: str = "") -> hours.Exchange:
    """Return the hours of the instrument's primary exchange, or of another one that was asked for."""
    return hours.of(instrument.exchange if exchange in ("", "SMART") else exchange)


def routes(desk: Desk) -> list[BaseRoute]:
    return [
        route(desk, "GET", "/contract/trading-schedule", _schedule),
        route(desk, "GET", "/trsrv/secdef/schedule", _weekdays),
    ]


def _liquid(where: hours.Exchange, day: hours.Day) -> datetime:
    """Futures trade around the clock; what IBKR calls liquid begins in the morning."""
    if not where.opens_the_evening_before or not where.zone.key.endswith("Chicago"):
        return day.opens
    return datetime.combine(day.day, _LIQUID_FUTURES, where.zone)


def _schedule(call: Call) -> dict[str, Any]:
    instrument = instruments.get(call.query("conid"))
    if instrument is None:
        raise bad_request(f"conid is not valid: {call.query('conid')}")
    where = exchange_of(instrument, call.query("exchange"))
    schedules: dict[str, Any] = {}
    for day in islice(where.days_from(call.desk.sandbox.clock.now()), DAYS_SHOWN):
        schedules[f"{day.day:%Y%m%d}"] = {
            "liquid_hours": [_pair(_liquid(where, day), day.closes)],
            "extended_hours": [{**_pair(day.extended_opens, day.extended_closes), "cancel_daily_orders": True}],
        }
    return {"exchange_time_zone": _SPOKEN.get(where.zone.key, "MET"), "schedules": schedules}


def _pair(opens: datetime, closes: datetime) -> dict[str, int]:
    return {"opening": int(opens.timestamp()), "closing": int(closes.timestamp())}


def _weekdays(call: Call) -> list[dict[str, Any]]:
    kind, symbol, exchange = call.query("assetClass"), call.query("symbol"), call.query("exchange")
    if kind not in _SCHEDULED or not symbol:
        raise bad_request("assetClass and symbol are required")
    wanted = set(filter(None, call.query("exchangeFilter").split(",")))
    return [
        _generic(instrument, exchange or instrument.exchange)
        for instrument in instruments.all()
        if instrument.asset_class == _SCHEDULED[kind]
        and instrument.symbol == symbol
        and (not wanted or instrument.exchange in wanted)
    ]


def _generic(instrument: Instrument, exchange: str) -> dict[str, Any]:
    where = exchange_of(instrument, exchange)
    first, last = where.extended_opens or where.opens, where.extended_closes or where.closes
    trading = {"openingTime": f"{first:%H%M}", "closingTime": f"{last:%H%M}", "cancelDayOrders": "Y"}
    liquid = {"openingTime": f"{where.opens:%H%M}", "closingTime": f"{where.closes:%H%M}", "prop": "LIQUID"}
    days = [_ANY_SATURDAY + timedelta(days=number) for number in range(7)]
    return {
        "id": f"p{instrument.conid}",
        "tradeVenueId": f"v{instrument.conid % 100_000}",
        "exchange": exchange,
        "description": _NAMES.get(exchange, exchange),
        "timezone": where.zone.key,
        "schedules": [
            {
                "clearingCycleEndTime": "0000" if day.weekday() > 4 else f"{last:%H%M}",
                "tradingScheduleDate": f"{day:%Y%m%d}",
                "sessions": [] if day.weekday() > 4 else [liquid],
                "tradingtimes": [] if day.weekday() > 4 else [trading],
            }
            for day in days
        ],
    }
