"""PortfolioAnalyst: net asset values and returns of past days, computed from the books and the closing prices of those days.

It lags by a day: the last day is the business day before today in New York (the knob `pa_includes_today` lets /pa/transactions
see today). A day's return leaves out what was paid in or out on it; returns are cumulative fractions (0.0639 is 6.39 %),
time-weighted. Several accounts are one in /pa/performance, in the first one's base currency, and each by itself in
/pa/allperiods. There is no way to ask for all transactions: /pa/transactions wants contracts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from starlette.routing import BaseRoute

from backoffice.sandbox import instruments
from backoffice.sandbox.accounts import AccountRow
from backoffice.sandbox.books import Entry
from backoffice.sandbox.clock import NEW_YORK
from backoffice.sandbox.kernel import Sandbox

from .desk import Call, Desk, bad_request, route
from .sessions import milliseconds

_OUTSIDE_MONEY = ("deposit", "withdrawal", "transfer", "position transfer")
_ZERO, _PLACES = Decimal(0), Decimal("0.0001")
_DAY = timedelta(days=1)
_MONTHS = {"1M": 1, "3M": 3, "6M": 6, "12M": 12, "1Y": 12}
PERIODS = ("1D", "7D", "MTD", "1M", "3M", "6M", "12M", "YTD")
_ALL_PERIODS = ("1D", "7D", "MTD", "1M", "YTD", "1Y")


@dataclass(frozen=True, slots=True)
class Day:
    """An account, or several, at the close of a business day. `flow` is what came in from outside on it."""

    day: date
    value: Decimal
    flow: Decimal


def routes(desk: Desk) -> list[BaseRoute]:
    return [
        route(desk, "POST", "/pa/performance", _performance),
        route(desk, "POST", "/pa/allperiods", _all_periods),
        route(desk, "POST", "/pa/transactions", _transactions),
    ]


def _accounts(call: Call) -> list[AccountRow]:
    wanted = call.json().get("acctIds")
    if not isinstance(wanted, list) or not wanted:
        raise bad_request("acctIds are required")
    return [call.account(str(account)) for account in wanted]


def _yesterday(sandbox: Sandbox) -> date:
    """The last business day that is over in New York."""
    return _business_day(sandbox.clock.now().astimezone(NEW_YORK).date() - _DAY)


def _business_day(day: date) -> date:
    return day - timedelta(days=max(0, day.weekday() - 4))


def _first_day(period: str, last: date) -> date:
    """The first business day whose return belongs to the period."""
    match period:
        case "1D":
            return last
        case "7D":
            start = last - timedelta(days=6)
        case "MTD":
            start = last.replace(day=1)
        case "YTD":
            start = last.replace(month=1, day=1)
        case _:
            back = last.year * 12 + last.month - 1 - _MONTHS[period]
            start = date(back // 12, back % 12 + 1, min(last.day, 28)) + _DAY
    while start.weekday() > 4:
        start += _DAY
    return start


def _weekdays(first: date, last: date) -> Iterator[date]:
    while first <= last:
        if first.weekday() < 5:
            yield first
        first += _DAY


class _Book:
    """One account's cash and holdings, brought forward day by day."""

    def __init__(self, sandbox: Sandbox, account: AccountRow, last: date) -> None:
        self._sandbox = sandbox
        self._base = account.base_currency
        self._entries = sandbox.books.entries(account.account, date.min, last)
        self._next = 0
        self._cash: dict[str, Decimal] = {}
        self._units: dict[int, Decimal] = {}

    @property
    def first_day(self) -> date | None:
        return self._entries[0].day if self._entries else None

    def forward(self, day: date) -> Day:
        """Book everything up to the end of a day and value it at that day's close."""
        close = datetime.combine(day, time(16, 0), NEW_YORK)
        flow = _ZERO
        while self._next < len(self._entries) and self._entries[self._next].day <= day:
            flow += self._book(self._entries[self._next], close)
            self._next += 1
        value = sum((amount * self._rate(currency, close) for currency, amount in self._cash.items()), _ZERO)
        for conid, units in self._units.items():
            instrument = instruments.get(conid)
            if units and instrument is not None:
                worth = instrument.value(units, self._sandbox.market.close(conid, day))
                value += worth * self._rate(instrument.currency, close)
        return Day(day, value, flow)

    def _book(self, entry: Entry, close: datetime) -> Decimal:
        self._cash[entry.currency] = self._cash.get(entry.currency, _ZERO) + entry.amount
        if entry.conid is not None:
            self._units[entry.conid] = self._units.get(entry.conid, _ZERO) + entry.quantity
        return entry.amount * self._rate(entry.currency, close) if entry.kind in _OUTSIDE_MONEY else _ZERO

    def _rate(self, currency: str, at: datetime) -> Decimal:
        return self._sandbox.market.fx(currency, self._base, at)


def history(sandbox: Sandbox, accounts: list[AccountRow], first: date, last: date) -> list[Day]:
    """Return the days of a span, together with the day before it, in the first account's base currency."""
    books = [(account, _Book(sandbox, account, last)) for account in accounts]
    began = min((book.first_day for _, book in books if book.first_day is not None), default=last)
    first = max(first, min(began, last))
    base = accounts[0].base_currency
    days = []
    for day in (_business_day(first - _DAY), *_weekdays(first, last)):
        close = datetime.combine(day, time(16, 0), NEW_YORK)
        rates = [sandbox.market.fx(account.base_currency, base, close) for account, _ in books]
        found = [book.forward(day) for _, book in books]
        days.append(
            Day(
                day,
                sum((each.value * rate for each, rate in zip(found, rates, strict=True)), _ZERO),
                sum((each.flow * rate for each, rate in zip(found, rates, strict=True)), _ZERO),
            )
        )
    return days


def returns(days: list[Day]) -> list[Decimal]:
    """Return the growth factor of each day after the first."""
    found = []
    for before, day in zip(days, days[1:], strict=False):
        earned = day.value - day.flow
        if before.value > 0:
            found.append(earned / before.value)
        else:  # money came in today: what became of it
            found.append(day.value / day.flow if day.flow > 0 else Decimal(1))
    return found


def _cumulative(factors: list[Decimal]) -> list[Decimal]:
    product, found = Decimal(1), []
    for factor in factors:
        product *= factor
        found.append((product - 1).quantize(_PLACES))
    return found


def _monthly(days: list[Day], factors: list[Decimal]) -> dict[str, Decimal]:
    months: dict[str, Decimal] = {}
    for day, factor in zip(days[1:], factors, strict=True):
        key = f"{day.day:%Y%m}"
        months[key] = months.get(key, Decimal(1)) * factor
    return {month: (product - 1).quantize(_PLACES) for month, product in months.items()}


def _text(day: date) -> str:
    return f"{day:%Y%m%d}"


def _start_nav(days: list[Day]) -> dict[str, Any]:
    return {"date": _text(days[0].day), "val": days[0].value.quantize(_PLACES)}


def _performance(call: Call) -> dict[str, Any]:
    accounts, period = _accounts(call), call.json().get("period", "12M")
    if period not in PERIODS:
        raise bad_request(f"period is not valid: {period}")
    last = _yesterday(call.desk.sandbox)
    days = history(call.desk.sandbox, accounts, _first_day(period, last), last)
    factors = returns(days)
    months = _monthly(days, factors)
    dates = [_text(day.day) for day in days[1:]]
    who = {
        "id": accounts[0].account if len(accounts) == 1 else "Consolidated",
        "idType": "acctid",
        "start": dates[0],
        "end": dates[-1],
        "baseCurrency": accounts[0].base_currency,
    }
    navs = [day.value.quantize(_PLACES) for day in days[1:]]
    return {
        "currencyType": "base",
        "rc": 0,
        "nav": {"data": [{**who, "navs": navs, "startNAV": _start_nav(days)}], "freq": "D", "dates": dates},
        "nd": (days[-1].day - days[0].day).days,
        "cps": {"data": [{**who, "returns": _cumulative(factors)}], "freq": "D", "dates": dates},
        "tpps": {"data": [{**who, "returns": list(months.values())}], "freq": "M", "dates": list(months)},
        "id": "getPerformanceData",
        "included": [account.account for account in accounts],
        "pm": "TWR",
    }


def _all_periods(call: Call) -> dict[str, Any]:
    """The query parameter `param` names one account and overrules the body."""
    accounts = [call.account(call.query("param"))] if call.query("param") else _accounts(call)
    last = _yesterday(call.desk.sandbox)
    names = [account.account for account in accounts]
    return {
        "currencyType": "base",
        "rc": 0,
        "view": names,
        "nd": 366,
        **{account.account: _periods(call.desk.sandbox, account, last) for account in accounts},
        "id": "getPerformanceAllPeriods",
        "included": names,
        "pm": "TWR",
    }


def _periods(sandbox: Sandbox, account: AccountRow, last: date) -> dict[str, Any]:
    whole = history(sandbox, [account], _first_day("1Y", last), last)
    found: dict[str, Any] = {}
    for period in _ALL_PERIODS:
        first = _first_day(period, last)
        days = [day for day in whole if day.day >= first]
        days = whole[max(len(whole) - len(days) - 1, 0) :]
        found[period] = {
            "nav": [day.value.quantize(_PLACES) for day in days[1:]],
            "cps": _cumulative(returns(days)),
            "freq": "D",
            "dates": [_text(day.day) for day in days[1:]],
            "startNAV": _start_nav(days),
        }
    updated = sandbox.clock.now().astimezone(NEW_YORK)
    return {
        **found,
        "periods": list(_ALL_PERIODS),
        "baseCurrency": account.base_currency,
        "start": _text(whole[0].day),
        "end": _text(last),
        "lastSuccessfulUpdate": f"{updated:%Y-%m-%d %H:%M:%S}",
    }


def _transactions(call: Call) -> dict[str, Any]:
    asked, accounts, sandbox = call.json(), _accounts(call), call.desk.sandbox
    conids, days = asked.get("conids"), asked.get("days", 90)
    if not isinstance(conids, list) or not conids:
        raise bad_request("conids are required")
    if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= 3650:
        raise bad_request("days must be a whole number")
    today = sandbox.clock.now().astimezone(NEW_YORK).date()
    is_live = bool(call.desk.knob("pa_includes_today", False))
    last = today if is_live else today - _DAY
    first = today - timedelta(days=days)
    wanted, currency = {str(conid) for conid in conids}, str(asked.get("currency", "USD"))
    entries = [
        (account.account, entry)
        for account in accounts
        for entry in sandbox.books.entries(account.account, first, last)
        if entry.kind in _TYPES and str(entry.conid) in wanted
    ]
    sales = [_realized(sandbox, currency, account, entry) for account, entry in entries if entry.realized]
    return {
        "rc": 0,
        "nd": days,
        "rpnl": {
            "data": sales,
            "amt": f"{sum((Decimal(sale['amt']) * sale['fxRate'] for sale in sales), _ZERO).quantize(_PLACES)}",
        },
        "currency": currency,
        "from": milliseconds(datetime.combine(first, time(), NEW_YORK)),
        "id": "getTransactions",
        "to": milliseconds(datetime.combine(last, time(), NEW_YORK)),
        "includesRealTime": is_live,
        "transactions": [_transaction(sandbox, currency, account, entry) for account, entry in entries],
    }


_TYPES = {"trade": "", "dividend": "Dividend", "withholding tax": "Withholding Tax"}


def _rate(sandbox: Sandbox, entry: Entry, currency: str) -> Decimal | int:
    try:
        rate = sandbox.market.fx(entry.currency, currency, datetime.combine(entry.day, time(16, 0), NEW_YORK))
    except LookupError as unknown:
        raise bad_request(f"currency is not valid: {unknown}") from unknown
    return 1 if rate == 1 else rate


def _realized(sandbox: Sandbox, currency: str, account: str, entry: Entry) -> dict[str, Any]:
    return {
        "date": _text(entry.day),
        "cur": entry.currency,
        "fxRate": _rate(sandbox, entry, currency),
        "side": "L" if entry.realized < 0 else "G",
        "acctid": account,
        "amt": f"{entry.realized}",
        "conid": str(entry.conid),
    }


def _transaction(sandbox: Sandbox, currency: str, account: str, entry: Entry) -> dict[str, Any]:
    instrument = instruments.get(entry.conid or 0)
    midnight = datetime.combine(entry.day, time(), NEW_YORK)
    trade = "Buy" if entry.quantity > 0 else "Sell"
    return {
        "date": f"{midnight:%a %b %d %H:%M:%S %Z %Y}",
        "rawDate": _text(entry.day),
        "cur": entry.currency,
        "fxRate": _rate(sandbox, entry, currency),
        "pr": entry.price if entry.price is not None else 0,
        "qty": entry.quantity,
        "acctid": account,
        "amt": entry.amount,
        "conid": entry.conid,
        "type": _TYPES[entry.kind] or trade,
        "desc": instrument.name if instrument is not None else "",
    }
