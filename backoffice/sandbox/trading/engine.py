"""What happens to an accepted order as time passes: working, triggered, filled in parts, cancelled, expired.

Nothing runs in the background. Before each request every working order is brought up to the virtual now: the market since
the last look is compared with the order minute by minute, and fills that have become due are booked at their own instants.
The orders of a bracket or an OCA group are brought forward together, event by event: a child faces the market from the
instant its parent is filled and ends with it, and the first execution of one order of a group cancels the others.
A fill of a block is shared among its accounts at one price, in the ratio of what they were promised.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from backoffice.sandbox.instruments import Instrument
from backoffice.sandbox.kernel import Sandbox

from . import crossing, events, orderbook
from .crossing import day_end
from .orderbook import Execution, Fill, Order
from .split import share_out
from .valuation import CENT

__all__ = ["advance", "book", "catch_up", "commission", "day_end"]

_INSTANT = timedelta(microseconds=1)
BY_THE_USER = "cancelled by the user"
_Due = tuple[datetime, int, int, Order]  # when, whether it is the end, the order's id, the order


@dataclass(frozen=True, slots=True)
class _End:
    at: datetime
    status: str
    because: str


def catch_up(sandbox: Sandbox) -> None:
    """Bring every working order up to the virtual now, all of them together: what costs and gains depend on comes in turn."""
    done: set[int] = set()
    families = []
    for order in orderbook.working(sandbox):
        if order.order_id not in done:
            families.append(orderbook.family(sandbox, order))
            done |= {member.order_id for member in families[-1]}
    _advance_all(sandbox, families)


def advance(sandbox: Sandbox, order: Order) -> None:
    """Bring an order and its bracket or OCA group up to the virtual now."""
    _advance_all(sandbox, [orderbook.family(sandbox, order)])


def _advance_all(sandbox: Sandbox, families: list[list[Order]]) -> None:
    now = sandbox.clock.now()
    before = {member.order_id: replace(member) for members in families for member in members}
    waiting = {
        place: due for place, members in enumerate(families) if (due := _next(sandbox, members, now)) is not None
    }
    while waiting:
        place = min(waiting, key=lambda place: waiting[place])
        members, due = families[place], waiting.pop(place)
        _happen(sandbox, members, due)
        _keep(sandbox, before, due[-1])
        if (following := _next(sandbox, members, now)) is not None:
            waiting[place] = following
    for members in families:
        for member in members:
            if member.is_working:
                member.status = _status(sandbox, member, now)
            _keep(sandbox, before, member)


def _keep(sandbox: Sandbox, before: dict[int, Order], order: Order) -> None:
    if order != before[order.order_id]:
        orderbook.save(sandbox, order)
        events.changed(sandbox, before[order.order_id], order)
        before[order.order_id] = replace(order)


def _next(sandbox: Sandbox, members: list[Order], now: datetime) -> _Due | None:
    """Return the earliest thing that is due in the family; None when nothing is."""
    due: list[_Due] = []
    for order in members:
        if not order.is_working:
            continue
        end = _end(sandbox, order)
        if not order.is_held:
            _look(sandbox, order, now if end is None else min(now, end.at))
            end = _end(sandbox, order)
            if order.fills < len(order.plan):
                due.append((order.plan[order.fills].at, 0, order.order_id, order))
        if end is not None:
            due.append((end.at, 1, order.order_id, order))
    first = min(due, default=None)
    return first if first is not None and first[0] <= now else None


def _happen(sandbox: Sandbox, members: list[Order], due: _Due) -> None:
    at, is_end, _, order = due
    if is_end:
        end = _end(sandbox, order)
        if end is None:
            raise LookupError(f"order {order.order_id} does not end")
        finish(members, order, end.status, end.because)
        return
    for execution in book(sandbox, order, order.plan[order.fills]):
        events.executed(sandbox, order, execution)
    if not order.remaining:
        order.status, order.ended_because = "Filled", ""
    for other in members:
        if other.is_working and order.terms.oca and other is not order and other.terms.oca == order.terms.oca:
            finish(members, other, "Cancelled", "OCA group: another order of the group was executed")
        if not order.remaining and other.is_held and other.terms.parent_id == order.order_id:
            let_go(sandbox, other, at)


def let_go(sandbox: Sandbox, order: Order, at: datetime) -> None:
    """Let a child face the market from this instant on."""
    order.terms, order.looked_at = replace(order.terms, active_at=at), at
    order.expires_at = crossing.expiry(
        sandbox, order.instrument, order.order_type, order.tif, at, outside=order.outside_rth
    )


def finish(members: list[Order], order: Order, status: str, because: str) -> None:
    """End an order, and with it the children that wait for it."""
    order.status, order.ended_because = status, because
    for child in members:
        if child.is_held and child.is_working and child.terms.parent_id == order.order_id:
            finish(members, child, "Cancelled", "Parent order was cancelled")


def withdraw(sandbox: Sandbox, order: Order) -> None:
    """Cancel an order that IBKR merely holds: it is gone at once."""
    before = replace(order)
    order.status, order.ended_because = "Cancelled", BY_THE_USER
    orderbook.save(sandbox, order)
    events.changed(sandbox, before, order)


def _end(sandbox: Sandbox, order: Order) -> _End | None:
    """When the order ends if nothing else happens first; a fill at the same instant does."""
    ends = []
    if order.cancel_at is not None:
        ends.append(_End(order.cancel_at, "Cancelled", BY_THE_USER))
    if order.expires_at is not None and not order.is_held:
        ends.append(_End(order.expires_at, "Cancelled", "Order expired"))
    if (reject := order.terms.script.get("reject")) is not None and not order.is_held:
        at = order.since + timedelta(milliseconds=int(reject.get("after_milliseconds", 0)))
        ends.append(_End(at, reject.get("status", "Inactive"), str(reject.get("because", "Order rejected"))))
    if order.tif == "IOC" and order.fills == len(order.plan) and order.looked_at > order.since:
        ends.append(_End(order.since, "Cancelled", "Immediate or Cancel order could not be filled at once"))
    return min(ends, key=lambda end: end.at, default=None)


def _status(sandbox: Sandbox, order: Order, now: datetime) -> str:
    if order.cancel_at is not None:
        return "PendingCancel"
    accepted_at = order.created_at + timedelta(milliseconds=int(sandbox.config.get("accept_milliseconds", 1000)))
    if now < accepted_at:
        return str(sandbox.config.get("first_status", "PreSubmitted"))
    auction = crossing.auction(order.instrument, order.order_type, order.tif, order.since)
    is_waiting = (
        order.is_held
        or (order.style.trigger != "" and order.triggered_at is None)
        or (auction is not None and now < auction)
        or crossing.next_live(sandbox, order, now) > now
    )
    return "PreSubmitted" if is_waiting else "Submitted"


def _look(sandbox: Sandbox, order: Order, until: datetime) -> None:
    """Compare the market since the last look with the order; when they meet, plan the fills."""
    if order.fills < len(order.plan) or until < order.since:
        return
    if "fills" in order.terms.script:
        if not order.plan:
            order.plan = crossing.scripted(sandbox, order)
        return
    done = order.plan[: order.fills]
    auction = crossing.auction(order.instrument, order.order_type, order.tif, order.since)
    if auction is not None:
        if auction <= until and order.looked_at < auction:
            price = crossing.in_auction(sandbox, order, auction)
            order.plan = done + ([] if price is None else crossing.cut(sandbox, order, auction, price))
            order.looked_at = auction
        return
    if order.tif == "IOC":
        if order.looked_at > order.since:
            return
        until = order.since
    for at in crossing.instants(sandbox, order, until):
        if (price := crossing.meets(sandbox, order, at)) is not None:
            order.plan = done + crossing.cut(sandbox, order, at, price)
            break
    # Whole minutes only: an order is kept anew when there was something to look at, not whenever somebody asks.
    order.looked_at = max(order.looked_at, until.replace(second=0, microsecond=0), order.since + _INSTANT)


def book(sandbox: Sandbox, order: Order, fill: Fill) -> list[Execution]:
    """Share one fill of the order among its accounts, book each part and return them."""
    booked = []
    given = orderbook.executed(sandbox, order.order_id)
    base, promised = order.terms.base, orderbook.promised(sandbox, order.order_id)
    since_modified = order.filled + fill.quantity - sum(base.values())
    due = share_out(since_modified, {name: units - base.get(name, 0) for name, units in promised.items()})
    charged = _charged(sandbox, order)
    for place, (account, more) in enumerate(due.items()):
        units = more + base.get(account, 0)
        received = units - given.get(account, 0)
        if not received:
            continue
        whole = commission(order.instrument, units, fill.price)
        execution = Execution(
            execution_id=f"{order.order_id:08x}.{int(fill.at.timestamp()):08x}.{order.fills * 1000 + place + 1:02d}.01",
            order_id=order.order_id,
            account=account,
            at=fill.at,
            quantity=Decimal(received),
            price=fill.price,
            commission=max(whole - charged.get(account, Decimal(0)), Decimal("0.00")),
        )
        orderbook.book(sandbox, order, execution)
        booked.append(execution)
    order.filled += fill.quantity
    order.value += fill.quantity * fill.price
    order.fills += 1
    order.last_fill_at = fill.at
    return booked


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
