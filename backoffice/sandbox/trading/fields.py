"""Market data fields by their numbers. Every value is a string; a field that cannot be told is simply absent.

What may be seen is the first letter of field 6509, by the knob `market_data`, an object of exchange codes or contract ids
to codes such as {"LSE": "DPB", "265598": "N"}; everything else is `RpB`.

    R   real time               D   15 minutes late
    Z   frozen at the last close    Y   frozen, and 15 minutes late at that
    N, O  not subscribed, or the agreement not signed: no price, size or volume at all

Position fields are those of the account that the session has selected.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from backoffice.sandbox import hours
from backoffice.sandbox.instruments import Instrument
from backoffice.sandbox.market import Quote

from . import sessions
from .definitions import full_name
from .desk import Desk
from .valuation import Line, cents, realized_on, value

DEFAULT = "31,84,86"
REAL_TIME = "RpB"
LATE = timedelta(minutes=15)
_YEAR = 365
_OF_POSITION = frozenset({"73", "74", "75", "78", "79", "80", "7292", "7920", "7921"})
_OF_YEAR = frozenset({"7282", "7293", "7294"})


@dataclass(frozen=True, slots=True)
class View:
    """Whose eyes: the account whose position the position fields describe."""

    desk: Desk
    selected: str


def availability(desk: Desk, instrument: Instrument) -> str:
    known: dict[str, str] = desk.knob("market_data", {})
    return known.get(str(instrument.conid)) or known.get(instrument.exchange) or REAL_TIME


def seen_at(desk: Desk, instrument: Instrument, code: str) -> datetime | None:
    """Return the instant whose market is shown under an availability code, None when nothing is."""
    now = desk.sandbox.clock.now()
    match code[:1]:
        case "N" | "O":
            return None
        case "D":
            return now - LATE
        case "Z":
            return _last_close(instrument, now)
        case "Y":
            return _last_close(instrument, now) - LATE
        case _:
            return now


def _last_close(instrument: Instrument, now: datetime) -> datetime:
    """The end of the last session that has ended, or now while one is on."""
    where = hours.of(instrument.exchange)
    if where.is_open(now):
        return now
    day = next(iter(where.days_from(now - timedelta(days=10))))
    for found in where.days_from(now - timedelta(days=10)):
        if found.closes > now:
            break
        day = found
    return day.closes


def row(view: View, instrument: Instrument, wanted: str, *, code: str = "") -> dict[str, Any]:
    """Return the fields of one instrument as a snapshot or a stream shows them, without conid and conidEx.

    `code` is its availability where that does not depend on what the user is subscribed to.
    """
    code = code or availability(view.desk, instrument)
    at = seen_at(view.desk, instrument, code)
    fields = [field for field in wanted.split(",") if field]
    found = described(instrument, code)
    if at is not None:
        quote = view.desk.sandbox.market.quote(instrument.conid, at)
        found |= _quoted(view.desk, instrument, quote)
        if not _OF_YEAR.isdisjoint(fields):
            found |= _of_year(view.desk, instrument, at)
        if not _OF_POSITION.isdisjoint(fields):
            found |= _of_position(view, instrument, quote)
    missing = int(view.desk.knob("snapshot_missing_percent", 0))
    shown = {
        field: found[field]
        for field in fields
        if field in found and not _is_lost(view.desk, instrument.conid, field, missing)
    }
    updated = at or view.desk.sandbox.clock.now()
    return {"_updated": sessions.milliseconds(updated), "server_id": "q1", "6119": "q1", "6509": code, **shown}


def _is_lost(desk: Desk, conid: int, field: str, percent: int) -> bool:
    """Whether a field has not arrived this time: some are late, and some never come."""
    return percent > 0 and (conid + int(field) * 7 + int(desk.sandbox.clock.now().timestamp())) % 100 < percent


def described(instrument: Instrument, code: str = REAL_TIME) -> dict[str, str]:
    """The fields that say what the instrument is."""
    can_trade = "1" if instrument.is_tradable else "0"
    found = {
        "55": instrument.symbol,
        "58": instrument.company_name,
        "6004": instrument.exchange,
        "6008": str(instrument.conid),
        "6070": instrument.asset_class,
        "6457": str(instrument.underlying_conid),
        "6509": code,
        "7051": instrument.company_name,
        "7184": can_trade,
        "7219": full_name(instrument),
        "7220": full_name(instrument),
        "7221": instrument.exchange,
        "7768": can_trade,
    }
    if (last := instrument.expiry or instrument.maturity) != "":
        found["7714"] = last
    return found


def _quoted(desk: Desk, instrument: Instrument, quote: Quote) -> dict[str, str]:
    def price(amount: Decimal) -> str:
        return f"{amount:f}"

    found = {
        "31": _prefix(desk, instrument, quote.at) + price(quote.last),
        "70": price(quote.high),
        "71": price(quote.low),
        "82": price(quote.change),
        "83": f"{quote.change_percent}%",
        "84": price(quote.bid),
        "85": f"{quote.ask_size:,}",
        "86": price(quote.ask),
        "87": _short(quote.volume),
        "88": f"{quote.bid_size:,}",
        "7059": "100",
        "7295": price(quote.open),
        "7296": price(quote.last),
        "7635": price(quote.last),
        "7741": price(quote.prior_close),
        "7762": str(quote.volume),
    }
    if instrument.asset_class == "STK":
        found |= {"7636": f"{quote.volume // 10:,}", "7637": "0.25%", "7644": "3.0"}
    if instrument.asset_class == "BOND":
        found |= {field: _yield(instrument, price, quote.at) for field, price in _bond_prices(quote)}
    if instrument.asset_class == "OPT":
        found |= _greeks(instrument, desk.sandbox.market.price(instrument.underlying_conid, quote.at))
    return found


def _bond_prices(quote: Quote) -> tuple[tuple[str, Decimal], ...]:
    return ("7698", quote.last), ("7699", quote.bid), ("7720", quote.ask)


def _yield(bond: Instrument, price: Decimal, at: datetime) -> str:
    """The simple yield to maturity in percent."""
    left = Decimal((datetime.strptime(bond.maturity, "%Y%m%d").replace(tzinfo=at.tzinfo) - at).days) / _YEAR
    whole = (bond.coupon + (100 - price) / max(left, Decimal("0.01"))) / price * 100
    return f"{whole.quantize(Decimal('0.001'))}"


def _greeks(option: Instrument, underlying: Decimal) -> dict[str, str]:
    """Rough figures of a plain shape: nearer to one the deeper the option is in the money."""
    depth = (underlying - option.strike) / option.strike
    call = min(max(Decimal("0.5") + depth, Decimal("0.01")), Decimal("0.99"))
    delta = call if option.right == "C" else call - 1
    return {
        "7308": f"{delta.quantize(Decimal('0.001'))}",
        "7309": f"{(call * (1 - call) / 25).quantize(Decimal('0.001'))}",
        "7310": f"{(-call * (1 - call) / 4).quantize(Decimal('0.001'))}",
        "7311": f"{(call * (1 - call)).quantize(Decimal('0.001'))}",
        "7633": "31.5%",
        "7283": "28.2%",
    }


def _prefix(desk: Desk, instrument: Instrument, at: datetime) -> str:
    """H: halted (knob `halted`, contract ids). C: nothing traded today, which only exchanges with hours know."""
    if instrument.conid in desk.knob("halted", []):
        return "H"
    if not desk.knob("market_hours", False):
        return ""
    where = hours.of(instrument.exchange)
    today = where.day(at.astimezone(where.zone).date())
    return "" if today is not None and today.extended_opens <= at else "C"


def _of_year(desk: Desk, instrument: Instrument, at: datetime) -> dict[str, str]:
    market = desk.sandbox.market
    closes = [market.close(instrument.conid, (at - timedelta(days=days)).date()) for days in range(1, _YEAR, 7)]
    volume = sum(market.quote(instrument.conid, at - timedelta(days=days)).volume for days in (1, 30, 60)) // 3
    return {"7282": _short(volume), "7293": f"{max(closes):f}", "7294": f"{min(closes):f}"}


def _of_position(view: View, instrument: Instrument, quote: Quote) -> dict[str, str]:
    account = view.desk.sandbox.accounts.get(view.selected)
    if account is None:
        return {}
    lines = value(view.desk.sandbox, account, quote.at).lines
    held = next((line for line in lines if line.instrument.conid == instrument.conid), None)
    if held is None:
        return {}
    realized = realized_on(view.desk.sandbox, view.selected, quote.at).get(instrument.conid, Decimal(0))
    daily = cents(instrument.value(held.quantity, quote.change)) + realized
    return {
        "73": _money(held.value),
        "74": f"{held.average_price:f}",
        "75": _money(held.unrealized),
        "78": _money(daily),
        "79": _money(realized),
        "80": f"{_percent(held)}%",
        "7292": _money(held.cost),
        "7920": f"{daily}",
        "7921": f"{held.cost}",
    }


def _percent(held: Line) -> Decimal:
    return (held.unrealized / abs(held.cost) * 100).quantize(Decimal("0.01")) if held.cost else Decimal("0.00")


def _money(amount: Decimal) -> str:
    return f"{amount.quantize(Decimal('0.01')):,}"


def _short(volume: int) -> str:
    """50,123,456 as "50.1M", 9,400 as "9.4K"."""
    for size, letter in ((1_000_000, "M"), (1_000, "K")):
        if volume >= size:
            return f"{(Decimal(volume) / size).quantize(Decimal('0.1'))}{letter}"
    return str(volume)


def needs_search(instrument: Instrument) -> int:
    """Return the underlier that must have been searched before a derivative is quoted, 0 for anything else."""
    if instrument.asset_class not in ("OPT", "FUT"):
        return 0
    return instrument.underlying_conid or instrument.conid
