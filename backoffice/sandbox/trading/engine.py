"""What happens to an accepted order as time passes: working, triggered, filled in parts, cancelled, expired.

Nothing runs in the background. Before each request every working order is brought up to the virtual now: the market since
the last look is compared with the order minute by minute, and fills that have become due are booked at their own instants.
A fill of a block is shared among its accounts at one price, in the ratio of what they were promised.
"""

import random
from dataclasses import replace
from datetime import datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal

from backoffice.sandbox.clock import NEW_YORK
from backoffice.sandbox.instruments import Instrument
from backoffice.sandbox.kernel import Sandbox

from . import orderbook
from .orderbook import Execution, Fill, Order
from .split import share_out
from .valuation import CENT

MOST_LOOKS = 3000  # at the market in one catching-up; longer absences look less often


def catch_up(sandbox: Sandbox) -> None:
    """Bring every working order up to the virtual now."""
    for order in orderbook.working(sandbox):
        advance(sandbox, order)


def advance(sandbox: Sandbox, order: Order) -> None:
    now, before = sandbox.clock.now(), replace(order)
    until = min(limit for limit in (now, order.expires_at, order.cancel_at) if limit is not None)
    if not order.plan:
        _look(sandbox, order, until)
    for fill in order.plan[order.fills :]:
        if fill.at <= until:
            book(sandbox, order, fill)
    order.status, order.ended_because = _status(sandbox, order, now)
    if order != before:
        orderbook.save(sandbox, order)


def day_end(at: datetime) -> datetime:
    """Return when a DAY order placed at this instant expires: midnight in New York, for the sandbox's markets never close."""
    local = at.astimezone(NEW_YORK)
    return datetime.combine(local.date() + timedelta(days=1), time(0, 0), NEW_YORK).astimezone(at.tzinfo)


def _status(sandbox: Sandbox, order: Order, now: datetime) -> tuple[str, str]:
    if not order.remaining:
        return "Filled", ""
    if order.cancel_at is not None:
        return ("Cancelled", "cancelled by the user") if now >= order.cancel_at else ("PendingCancel", "")
    if order.tif == "IOC" and not order.plan:
        return "Cancelled", "Immediate or Cancel order could not be filled at once"
    if order.expires_at is not None and now >= order.expires_at:
        return "Cancelled", "Order expired"
    accepted_at = order.created_at + timedelta(milliseconds=int(sandbox.config.get("accept_milliseconds", 1000)))
    is_waiting = order.stop is not None and order.triggered_at is None
    return ("PreSubmitted" if is_waiting or now < accepted_at else "Submitted"), ""


def _look(sandbox: Sandbox, order: Order, until: datetime) -> None:
    """Compare the market since the last look with the order; when it crosses, plan the fills."""
    is_first = order.looked_at == order.created_at
    if order.tif == "IOC" and not is_first:
        return
    instants = [order.created_at] if is_first else []
    if order.tif != "IOC":
        minute = order.looked_at.replace(second=0, microsecond=0) + timedelta(minutes=1)
        step = max(1, int((until - minute) / timedelta(minutes=1)) // MOST_LOOKS)
        while minute <= until:
            instants.append(minute)
            minute += timedelta(minutes=step)
    for at in instants:
        if _is_crossed(sandbox, order, at):
            order.plan = _plan(sandbox, order, at)
            break
    if instants:
        order.looked_at = max(instants[-1], order.created_at + timedelta(microseconds=1))


def _is_crossed(sandbox: Sandbox, order: Order, at: datetime) -> bool:
    stop, limit, sign = order.stop, order.limit, order.sign
    if stop is not None and order.triggered_at is None:
        if (sandbox.market.price(order.conid, at) - stop) * sign < 0:
            return False
        order.triggered_at = at
    return limit is None or (limit - _far_side(sandbox, order, at)) * sign >= 0


def _far_side(sandbox: Sandbox, order: Order, at: datetime) -> Decimal:
    """Return the price at which the market takes the other side: the ask for a buyer."""
    bid, ask = sandbox.market.spread(order.conid, at)
    return ask if order.side == "BUY" else bid


def _plan(sandbox: Sandbox, order: Order, at: datetime) -> list[Fill]:
    """Cut the order into two to four fills over `fill_seconds`; an order to be filled at once is one fill."""
    luck = random.Random(f"{sandbox.seed}:{order.order_id}")
    seconds = int(sandbox.config.get("fill_seconds", 12))
    price = _far_side(sandbox, order, at)
    if order.tif == "IOC" or seconds == 0:
        return [Fill(at, order.quantity, price)]
    parts = min(luck.randint(2, 4), order.quantity)
    cuts = sorted(luck.sample(range(1, order.quantity), parts - 1)) if parts > 1 else []
    sizes = [end - start for start, end in zip([0, *cuts], [*cuts, order.quantity], strict=True)]
    tick = order.instrument.min_tick
    fills = []
    for number, size in enumerate(sizes, start=1):
        # All accounts of a block get one price; a single account's fills may walk by a tick, never past its limit.
        walked = price if order.kind != "account" else price + order.sign * luck.randint(0, 1) * tick
        if order.limit is not None and (order.limit - walked) * order.sign < 0:
            walked = price
        milliseconds = seconds * 1000 * number // parts - luck.randint(0, seconds * 100)
        fills.append(Fill(at + timedelta(milliseconds=max(milliseconds, 1)), size, walked))
    return fills


def book(sandbox: Sandbox, order: Order, fill: Fill) -> None:
    """Share one fill of the order among its accounts and book each part."""
    given = orderbook.executed(sandbox, order.order_id)
    due = share_out(order.filled + fill.quantity, orderbook.promised(sandbox, order.order_id))
    charged = _charged(sandbox, order)
    for place, (account, units) in enumerate(due.items()):
        received = units - given.get(account, 0)
        if not received:
            continue
        whole = commission(order.instrument, units, fill.price)
        execution = Execution(
            execution_id=f"{order.order_id:08x}.{int(fill.at.timestamp()):08x}.{order.fills * 100 + place + 1:02d}.01",
            order_id=order.order_id,
            account=account,
            at=fill.at,
            quantity=Decimal(received),
            price=fill.price,
            commission=max(whole - charged.get(account, Decimal(0)), Decimal("0.00")),
        )
        orderbook.book(sandbox, order, execution)
    order.filled += fill.quantity
    order.value += fill.quantity * fill.price
    order.fills += 1
    order.last_fill_at = fill.at


def _charged(sandbox: Sandbox, order: Order) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for execution in orderbook.executions(sandbox, order.order_id):
        found[execution.account] = found.get(execution.account, Decimal(0)) + execution.commission
    return found


def commission(instrument: Instrument, units: int, price: Decimal) -> Decimal:
    """Return one account's commission on an order, in the instrument's currency.

    In USD 0.005 a share, at least 1.00, at most one percent of the value; elsewhere 0.05 percent of the value, at least 3.00.
    """
    worth = abs(instrument.value(Decimal(units), price))
    if instrument.currency == "USD":
        charge = min(max(Decimal("0.005") * units, Decimal("1.00")), worth / 100)
    else:
        charge = max(worth * Decimal("0.0005"), Decimal("3.00"))
    return charge.quantize(CENT, ROUND_HALF_UP)
