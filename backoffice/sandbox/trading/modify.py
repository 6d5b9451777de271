"""Changing an order that still works: the whole ticket again, with new prices, quantity, time in force or type.

What the ticket leaves out is reset. Contract, side and account stay. `quantity` is the new total, executed units included;
with the knob `modify_quantity_is_total` false it is what is still to be executed. The order meets the market anew.
"""

from dataclasses import replace
from decimal import Decimal

from backoffice.sandbox import instruments

from . import credit, crossing, engine, events, orderbook, questions, tickets
from .desk import Call
from .orderbook import Order
from .questions import Question
from .split import split
from .tickets import Ticket, refused


def about(call: Call, order: Order, ticket: Ticket) -> list[Question]:
    """Refuse what cannot be changed, and return the questions the change raises."""
    if (ticket.conid, ticket.side, ticket.kind, ticket.target) != (order.conid, order.side, order.kind, order.target):
        raise refused(call, "invalid order attribute : contract, side and account of an order cannot be modified")
    if _total(call, order, ticket) <= order.filled:
        raise refused(call, "invalid order attribute : quantity must exceed what has been executed")
    asked = [question for question in questions.about(call, ticket, {}) if question.message_id != "p6"]
    limit = int(call.desk.knob("size_modification_limit", 1000))
    if abs(_total(call, order, ticket) - order.quantity) > limit:
        asked += questions.wanted(["o10138"])
    return asked


def _total(call: Call, order: Order, ticket: Ticket) -> int:
    is_total = call.desk.knob("modify_quantity_is_total", True)
    return ticket.quantity if is_total else order.filled + ticket.quantity


def anchor(ticket: Ticket) -> Decimal | None:
    stop = {"TRAIL": ticket.price, "TRAILLMT": ticket.aux_price}.get(ticket.order_type)
    return crossing.first_anchor(1 if ticket.side == "BUY" else -1, stop, ticket.trailing_amount, ticket.trailing_type)


def apply(call: Call, order: Order, ticket: Ticket) -> None:
    """Let the order be as the ticket says from now on. Raises Refusal."""
    sandbox, now, before = call.desk.sandbox, call.desk.sandbox.clock.now(), replace(order)
    total = _total(call, order, ticket)
    if total <= order.filled:
        raise refused(call, f"OrderID {order.order_id} doesn't exist")  # executed while the question was open
    promised = _promised(call, order, replace(ticket, quantity=total))
    given = orderbook.executed(sandbox, order.order_id)
    ahead = {account: units - given.get(account, 0) for account, units in promised.items()}
    why = None if order.is_held else credit.objection(
        sandbox, ticket, ahead, oca=order.terms.oca, modifies=order.order_id
    )  # fmt: skip
    if why is not None:
        raise refused(call, why)
    orderbook.promise(sandbox, order.order_id, promised)
    was = (order.order_type, order.stop)
    order.order_type, order.tif, order.quantity = ticket.order_type, ticket.tif, total
    order.price, order.aux_price, order.outside_rth = ticket.price, ticket.aux_price, ticket.outside_rth
    order.plan, order.looked_at = order.plan[: order.fills], now
    order.terms = replace(
        order.terms,
        active_at=None if order.is_held else now,
        trailing_amount=ticket.trailing_amount,
        trailing_type=ticket.trailing_type,
        anchor=anchor(ticket),
        all_or_none=ticket.all_or_none,
        base=given,
        script={name: value for name, value in order.terms.script.items() if name != "fills"},
    )
    if was != (order.order_type, order.stop):
        order.triggered_at = None
    instrument = instruments.get(order.conid)
    if instrument is None:
        raise LookupError(str(order.conid))
    order.expires_at = crossing.expiry(sandbox, instrument, order.order_type, order.tif, now, outside=order.outside_rth)
    orderbook.save(sandbox, order)
    events.changed(sandbox, before, order)
    data = {
        "quantity": total,
        "price": order.price,
        "auxPrice": order.aux_price,
        "orderType": order.order_type,
        "tif": order.tif,
    }
    sandbox.ledger.record("modify", order.coid or str(order.order_id), str(order.order_id), data)
    engine.advance(sandbox, order)


def _promised(call: Call, order: Order, ticket: Ticket) -> dict[str, int]:
    """Share the new total: anew while nothing is executed, else only what is still to come, in the ratio of the old promise."""
    sandbox = call.desk.sandbox
    if not order.filled:
        return tickets.promise(call, ticket)
    old, given = orderbook.promised(sandbox, order.order_id), orderbook.executed(sandbox, order.order_id)
    if ticket.quantity == order.quantity:
        return old
    ahead = split(ticket.quantity - order.filled, {account: Decimal(units) for account, units in old.items()})
    return {account: given.get(account, 0) + units for account, units in ahead.items()}
