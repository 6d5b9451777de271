"""Placing, answering, previewing and cancelling orders."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from starlette.routing import BaseRoute

from backoffice.sandbox import instruments

from . import credit, engine, orderbook, questions, tickets
from .desk import Call, Desk, Needs, Refusal, bad_request, route
from .orderbook import Order
from .tickets import Ticket, refused
from .valuation import cents, value


def routes(desk: Desk) -> list[BaseRoute]:
    need = Needs.ACCOUNTS
    return [
        route(desk, "POST", "/iserver/account/{account}/orders", _submit, need),
        route(desk, "POST", "/iserver/account/{account}/orders/whatif", _what_if, need),
        route(desk, "POST", "/iserver/reply/{reply_id}", _reply, need),
        route(desk, "DELETE", "/iserver/account/{account}/order/{order_id}", _cancel, need),
    ]


def _submit(call: Call) -> Any:
    questions.void_open(call)
    ticket = tickets.read(call, call.path("account"))
    call.request.state.key = ticket.coid
    _refuse_duplicate(call, ticket)
    promised = tickets.promise(call, ticket)
    asked = questions.about(call, ticket, promised)
    return questions.ask(call, ticket, asked) if asked else _accept(call, ticket, promised)


def _reply(call: Call) -> Any:
    ticket, remaining = questions.take(call, call.path("reply_id"))
    if remaining:
        return questions.ask(call, ticket, remaining)
    _refuse_duplicate(call, ticket)
    return _accept(call, ticket, tickets.promise(call, ticket))


def _refuse_duplicate(call: Call, ticket: Ticket) -> None:
    """A client order id counts for a day and per username; the knob `dedupe_coid` shows a server that does not look."""
    day_ago = call.desk.sandbox.clock.now() - timedelta(days=1)
    if not call.desk.knob("dedupe_coid", True):
        return
    if orderbook.is_registered(call.desk.sandbox, call.session.username, ticket.coid, day_ago):
        text = f"Order couldn't be submitted: Local order ID={ticket.coid} is already registered."
        raise Refusal(int(call.desk.knob("duplicate_coid_status", 400)), {"error": text})


def _accept(call: Call, ticket: Ticket, promised: dict[str, int]) -> list[dict[str, Any]]:
    """Let the order exist: from here on it is in the ledger, once, under its client order id."""
    sandbox = call.desk.sandbox
    if (why := credit.objection(sandbox, ticket, promised)) is not None:
        raise refused(call, why)
    now = sandbox.clock.now()
    order = orderbook.add(
        sandbox,
        ticket,
        promised,
        username=call.session.username,
        master=call.master,
        session_id=call.session.session_id,
        at=now,
        expires_at=engine.day_end(now) if ticket.tif == "DAY" else None,
    )
    sandbox.ledger.record("order", ticket.coid or str(order.order_id), str(order.order_id), _recorded(ticket, promised))
    engine.advance(sandbox, order)
    accepted = {"order_id": str(order.order_id), "order_status": order.status, "encrypt_message": "1"}
    return [{**accepted, "local_order_id": ticket.coid} if ticket.coid else accepted]


def _recorded(ticket: Ticket, promised: dict[str, int]) -> dict[str, Any]:
    return {
        "kind": ticket.kind,
        "target": ticket.target,
        "conid": ticket.conid,
        "side": ticket.side,
        "orderType": ticket.order_type,
        "tif": ticket.tif,
        "quantity": ticket.quantity,
        "price": ticket.price,
        "auxPrice": ticket.aux_price,
        "promised": promised,
    }


def _cancel(call: Call) -> dict[str, Any]:
    """Ask for the cancel; it takes effect a little later, and fills may still come until then."""
    sandbox, text = call.desk.sandbox, call.path("order_id")
    if text == "-1":
        raise bad_request("the sandbox does not cancel all orders at once")
    order = orderbook.get(sandbox, call.master, int(text)) if text.isdecimal() and len(text) < 16 else None
    if order is None or order.target != call.path("account") or not order.is_working:
        raise refused(call, f"OrderID {text} doesn't exist")
    if order.cancel_at is None:
        wait = timedelta(milliseconds=int(call.desk.knob("cancel_milliseconds", 1500)))
        order.cancel_at = sandbox.clock.now() + wait
        orderbook.save(sandbox, order)
        key = order.coid or text
        call.request.state.key = key
        sandbox.ledger.record("cancel", key, text, {"target": order.target, "filled": order.filled})
        engine.advance(sandbox, order)
    return {"msg": "Request was submitted", "order_id": order.order_id, "conid": order.conid, "account": order.target}


def _what_if(call: Call) -> dict[str, Any]:
    """Preview: formatted strings, nothing kept, no question voided; an error that would refuse the order comes with 200."""
    ticket = tickets.read(call, call.path("account"))
    sandbox, promised = call.desk.sandbox, tickets.promise(call, ticket)
    instrument = instruments.get(ticket.conid)
    if instrument is None:
        raise LookupError(str(ticket.conid))
    price = ticket.price or sandbox.market.price(ticket.conid)
    amount = cents(instrument.value(Decimal(ticket.quantity), price))
    charge = sum((engine.commission(instrument, units, price) for units in promised.values() if units), Decimal(0))
    worths = [value(sandbox, row) for account in promised if (row := sandbox.accounts.get(account)) is not None]
    sign, currency = (1 if ticket.side == "BUY" else -1), instrument.currency
    base = worths[0].account.base_currency
    in_base = sandbox.market.fx(currency, base)
    equity = sum(
        (worth.net_liquidation * sandbox.market.fx(worth.account.base_currency, base) for worth in worths), Decimal(0)
    )
    margin = sum(
        (worth.initial_margin * sandbox.market.fx(worth.account.base_currency, base) for worth in worths), Decimal(0)
    )
    held = sum((line.quantity for worth in worths for line in worth.lines if line.instrument is instrument), Decimal(0))
    more_margin = amount * worths[0].margin_share * in_base * sign
    return {
        "amount": {
            "amount": f"{amount:,} {currency} ({ticket.quantity} Shares)",
            "commission": f"{charge:,} {currency}",
            "total": f"{amount + sign * charge:,} {currency}",
        },
        "equity": _moved(equity, -charge * in_base),
        "initial": _moved(margin, more_margin),
        "maintenance": _moved(margin, more_margin),
        "position": {
            "current": f"{held:,f}",
            "change": f"{sign * ticket.quantity:,}",
            "after": f"{held + sign * ticket.quantity:,f}",
        },
        "warn": None,
        "error": credit.objection(sandbox, ticket, promised),
    }


def _moved(current: Decimal, change: Decimal) -> dict[str, str]:
    return {"current": f"{current:,.0f}", "change": f"{change:,.0f}", "after": f"{current + change:,.0f}"}


def is_visible(order: Order, session_id: str) -> bool:
    """A session sees the orders it sent and whatever still works."""
    return order.is_working or order.session_id == session_id
