"""When the market meets an order, and at which prices it then executes: functions of the order, the market and the minute."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

from backoffice.sandbox import hours
from backoffice.sandbox.clock import NEW_YORK
from backoffice.sandbox.instruments import Instrument
from backoffice.sandbox.kernel import Sandbox

from .orderbook import Fill, Order

MINUTE = timedelta(minutes=1)
_STRIDES = (1440, 60)  # minutes passed over at once when nothing in them can matter
_OVERNIGHT = (time(20, 0), time(3, 50))  # in New York


def day_end(at: datetime) -> datetime:
    """Return midnight in New York after an instant: the end of a DAY order while markets never close."""
    local = at.astimezone(NEW_YORK)
    return datetime.combine(local.date() + timedelta(days=1), time(0, 0), NEW_YORK).astimezone(at.tzinfo)


def auction(instrument: Instrument, order_type: str, tif: str, at: datetime) -> datetime | None:
    """Return the auction that an order placed at this instant takes part in, None for any other order."""
    where = hours.of(instrument.exchange)
    if order_type in ("MOC", "LOC"):
        return where.next_close(at)
    return where.opening_after(at) if tif == "OPG" else None


def expiry(
    sandbox: Sandbox, instrument: Instrument, order_type: str, tif: str, at: datetime, *, outside: bool
) -> datetime | None:
    """Return when an order placed at this instant ends by itself."""
    if (met := auction(instrument, order_type, tif, at)) is not None:
        return met
    if tif in ("OVT", "OND"):
        ends = _night_after(at)
        return ends if tif == "OVT" else hours.of(instrument.exchange).next_close(ends)
    if tif != "DAY":
        return None
    if not sandbox.config.get("market_hours", False):
        return day_end(at)
    return hours.of(instrument.exchange).next_close(at, extended=outside)


def _night_after(at: datetime) -> datetime:
    """The end of the overnight session that is on, or of the next one."""
    local = at.astimezone(NEW_YORK)
    day = local.date() if local.time() < _OVERNIGHT[1] else local.date() + timedelta(days=1)
    return datetime.combine(day, _OVERNIGHT[1], NEW_YORK).astimezone(UTC)


def next_live(sandbox: Sandbox, order: Order, at: datetime) -> datetime:
    """Return the instant itself when the order may execute then, else when its market next opens for it."""
    if not sandbox.config.get("market_hours", False):
        return at
    where = hours.of(order.instrument.exchange)
    by_day = where.next_open(at, extended=order.outside_rth)
    if order.tif not in ("OVT", "OND"):
        return by_day
    local = at.astimezone(NEW_YORK)
    evening = datetime.combine(local.date(), _OVERNIGHT[0], NEW_YORK).astimezone(UTC)
    by_night = at if local.time() >= _OVERNIGHT[0] or local.time() < _OVERNIGHT[1] else evening
    return by_night if order.tif == "OVT" else min(by_day, by_night)


def instants(sandbox: Sandbox, order: Order, until: datetime) -> Iterator[datetime]:
    """Yield the instants up to `until` at which the market may meet the order: prices are those of whole minutes."""
    is_first = order.looked_at == order.since
    at = order.since if is_first else _next_minute(order.looked_at)
    while at <= until:
        opens = next_live(sandbox, order, at)
        if opens > at:
            at = opens
            continue
        stride = next((minutes for minutes in _STRIDES if _may_pass(sandbox, order, at, minutes)), 0)
        if stride:
            at += stride * MINUTE
            continue
        yield at
        at = _next_minute(at)


def _next_minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0) + MINUTE


def _may_pass(sandbox: Sandbox, order: Order, at: datetime, minutes: int) -> bool:
    """Whether no price of a whole stretch can matter to the order."""
    if int(at.timestamp()) % (minutes * 60) or at.microsecond:
        return False
    low, high = sandbox.market.bounds(order.conid, at, minutes)
    is_buy, stop = order.side == "BUY", order.stop
    if order.style.trigger and order.triggered_at is None:
        if stop is None:
            return False
        if order.style.trigger == "trail" and order.terms.anchor is not None:
            return high < stop and low >= order.terms.anchor if is_buy else low > stop and high <= order.terms.anchor
        waits_above = is_buy == (order.style.trigger == "stop")
        return high < stop if waits_above else low > stop
    worst = order.limit
    return worst is not None and (low > worst if is_buy else high < worst)


def meets(sandbox: Sandbox, order: Order, at: datetime) -> Decimal | None:
    """Return the price at which the order executes at this instant, None when it does not. Triggers and trails the order."""
    market, style = sandbox.market, order.style
    bid, ask = market.spread(order.conid, at)
    far, near = (ask, bid) if order.side == "BUY" else (bid, ask)
    if style.trigger and order.triggered_at is None and not _is_triggered(order, market.price(order.conid, at), at):
        return None
    if order.order_type == "REL":
        return _relative(order, near, far, at)
    price = order.instrument.rounded((bid + ask) / 2) if order.order_type == "MIDPRICE" else far
    worst = order.price if order.order_type == "MIDPRICE" else order.limit
    return price if worst is None or (worst - price) * order.sign >= 0 else None


def first_anchor(sign: int, stop: Decimal | None, amount: Decimal | None, unit: str) -> Decimal | None:
    """Return the best price a trailing stop must have seen to stand at `stop` now; None lets it begin at the market."""
    if stop is None or amount is None:
        return None
    return stop / (1 + sign * amount / 100) if unit == "%" else stop - sign * amount


def _is_triggered(order: Order, last: Decimal, at: datetime) -> bool:
    if order.style.trigger == "trail":
        anchor = order.terms.anchor
        if anchor is None or (last - anchor) * order.sign < 0:
            order.terms = replace(order.terms, anchor=last)
    stop = order.stop
    if stop is None:
        raise LookupError(f"order {order.order_id} has no trigger")
    beyond = (last - stop) * order.sign
    if beyond < 0 if order.style.trigger != "touch" else beyond > 0:
        return False
    order.triggered_at = at
    return True


def _relative(order: Order, near: Decimal, far: Decimal, at: datetime) -> Decimal | None:
    """Rests on its own side of the market and is met there a minute later; at its cap only when the market comes to it."""
    wanted = near + order.sign * (order.aux_price or Decimal(0))
    cap = order.price
    if cap is not None and (cap - wanted) * order.sign < 0:
        return far if (cap - far) * order.sign >= 0 else None
    return wanted if at > order.since else None


def in_auction(sandbox: Sandbox, order: Order, at: datetime) -> Decimal | None:
    """Return the price of the auction, None when it is beyond the order's limit."""
    price = sandbox.market.price(order.conid, at)
    return price if order.limit is None or (order.limit - price) * order.sign >= 0 else None


def cut(sandbox: Sandbox, order: Order, at: datetime, price: Decimal) -> list[Fill]:
    """Cut what remains into two to four fills over `fill_seconds`; an order to be filled at once is one fill."""
    luck = random.Random(f"{sandbox.seed}:{order.order_id}")
    seconds = int(sandbox.config.get("fill_seconds", 12))
    is_whole = order.tif in ("IOC", "OPG") or order.order_type in ("MOC", "LOC") or order.terms.all_or_none
    if is_whole or seconds == 0:
        return [Fill(at, order.remaining, price)]
    parts = min(luck.randint(2, 4), order.remaining)
    cuts = sorted(luck.sample(range(1, order.remaining), parts - 1)) if parts > 1 else []
    sizes = [end - start for start, end in zip([0, *cuts], [*cuts, order.remaining], strict=True)]
    tick = order.instrument.min_tick
    fills = []
    for number, size in enumerate(sizes, start=1):
        # All accounts of a block get one price; a single account's fills may walk by a tick, never past its limit.
        walked = price if order.kind != "account" else price + order.sign * luck.randint(0, 1) * tick
        worst = order.price if order.order_type in ("REL", "MIDPRICE") else order.limit
        if worst is not None and (worst - walked) * order.sign < 0:
            walked = price
        milliseconds = seconds * 1000 * number // parts - luck.randint(0, seconds * 100)
        fills.append(Fill(at + timedelta(milliseconds=max(milliseconds, 1)), size, walked))
    return fills


def scripted(sandbox: Sandbox, order: Order) -> list[Fill]:
    """The fills a test has written for the order, as many as it has room for, counted from when it faces the market."""
    found, left, at = [], order.remaining, order.since
    for fill in order.terms.script["fills"]:
        when = at + timedelta(milliseconds=int(fill.get("after_milliseconds", 0)))
        size = min(int(fill["quantity"]), left)
        bid, ask = sandbox.market.spread(order.conid, when)
        price = Decimal(str(fill["price"])) if "price" in fill else (ask if order.side == "BUY" else bid)
        if size:
            found.append(Fill(when, size, price))
        left -= size
    return found
