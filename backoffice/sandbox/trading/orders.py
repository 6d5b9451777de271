"""Placing, answering, previewing and cancelling orders. One conversation at a time: whatever is sent voids the open question."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from starlette.routing import BaseRoute

from backoffice.sandbox import instruments

from . import (
    credit,
    crossing,
    engine,
    events,
    groups,
    modify,
    numbering,
    orderbook,
    prompts,
    questions,
    quotes,
    scripts,
    tickets,
)
from .desk import Call, Desk, Needs, Refusal, bad_request, route
from .orderbook import Fill, Order, Terms
from .questions import Question, Submission
from .tickets import Refused, Ticket, refused
from .valuation import cents, value

# As the example of IBKR's OpenAPI file has it, misspelling included.
BLIND = (
    "21/You are trying to submit an order without having market data for this instrument. \nIB strongly recommends against"
    " this kind of blind trading which may result in \nerroreous or unexpected trades."
)

DUPLICATE, A_MOMENT = "DUPLICATE ORDER DETECTED", timedelta(seconds=60)


def routes(desk: Desk) -> list[BaseRoute]:
    need = Needs.ACCOUNTS
    return [
        route(desk, "POST", "/iserver/account/{account}/orders", _submit, need),
        route(desk, "POST", "/iserver/account/{account}/orders/whatif", _what_if, need),
        route(desk, "POST", "/iserver/reply/{reply_id}", _reply, need),
        route(desk, "POST", "/iserver/account/{account}/order/{order_id}", _modify, need),
        route(desk, "DELETE", "/iserver/account/{account}/order/{order_id}", _cancel, need),
    ]


def _submit(call: Call) -> Any:
    questions.void_open(call)
    submission = Submission(tickets.read(call, call.path("account")))
    call.request.state.key = submission.first.coid
    _refuse_duplicates(call, submission)
    asked: list[Question] = []
    for place, ticket in enumerate(submission.tickets):
        if isinstance(ticket, Ticket):
            script = scripts.of(call.desk.sandbox, ticket, place)
            asked += questions.about(call, ticket, tickets.promise(call, ticket))
            asked += questions.wanted([*call.desk.knob("ask", []), *script.get("ask", [])])
    return _go_on(call, submission, questions.open_to_ask(call, asked))


def _modify(call: Call) -> Any:
    questions.void_open(call)
    order = _open_order(call)
    submission = Submission([tickets.read_one(call, call.json(), call.path("account"))], order.order_id)
    call.request.state.key = order.coid or str(order.order_id)
    asked = modify.about(call, order, submission.first)
    return _go_on(call, submission, questions.open_to_ask(call, asked))


def _reply(call: Call) -> Any:
    submission, remaining = questions.take(call, call.path("reply_id"))
    if not submission.modifies:
        _refuse_duplicates(call, submission)
    return _go_on(call, submission, remaining)


def _go_on(call: Call, submission: Submission, asked: list[Question]) -> Any:
    if asked:
        return questions.ask(call, submission, asked)
    if not submission.modifies:
        return _accept(call, submission)
    order = orderbook.get(call.desk.sandbox, call.master, submission.modifies)
    if order is None or not orderbook.is_open(order):
        raise refused(call, f"OrderID {submission.modifies} doesn't exist")  # filled while the question was open
    modify.apply(call, order, submission.first)
    return [_named(call, {"order_id": str(order.order_id), "order_status": order.status, "encrypt_message": "1"})]


def _refuse_duplicates(call: Call, submission: Submission) -> None:
    """A client order id counts for a day and per username; the knob `dedupe_coid` shows a server that does not look.

    "DUPLICATE ORDER DETECTED", which no document shows, is played by a knob: for the same id, or for an order that is like one
    of the last moments under an id of its own.
    """
    sandbox, username = call.desk.sandbox, call.session.username
    now, detected = sandbox.clock.now(), call.desk.knob("duplicate_order_detected", "never")
    status = int(call.desk.knob("duplicate_coid_status", 400))
    found = [ticket for ticket in submission.tickets if isinstance(ticket, Ticket)]
    if call.desk.knob("dedupe_coid", True):
        for ticket in found:
            if orderbook.is_registered(sandbox, username, ticket.coid, now - timedelta(days=1)):
                text = f"Order couldn't be submitted: Local order ID={ticket.coid} is already registered."
                raise Refusal(status, {"error": DUPLICATE if detected == "same_id" else text})
    if detected == "like" and any(orderbook.has_like(sandbox, username, each, now - A_MOMENT) for each in found):
        raise Refusal(status, {"error": DUPLICATE})


def _accept(call: Call, submission: Submission) -> Any:
    """Let the orders exist: from here on each is in the ledger, once, under its client order id.

    A child or a later order of a group may be refused while the others work; the first one's refusal ends it all.
    """
    placed: list[Order] = []
    answers: list[dict[str, Any]] = []
    for place, ticket in enumerate(submission.tickets):
        made = ticket if isinstance(ticket, Refused) else _place(call, ticket, place, placed)
        if isinstance(made, Refused):
            if not placed:
                raise refused(call, made.why)
            answers.append({"error": made.why})
            continue
        placed.append(made)
        answers.append(_named(call, _acknowledged(made)))
    first = submission.first
    is_prompted = "prompt" in placed[0].terms.script or prompts.is_due(
        call.desk.sandbox, call.session.username, first.order_type, uses_adaptive=first.uses_adaptive
    )
    if is_prompted and len(placed) == 1:
        return _prompt(call, placed[0])
    for order, answer in zip(placed, [answer for answer in answers if "order_id" in answer], strict=True):
        current = orderbook.get(call.desk.sandbox, call.master, order.order_id) or order
        if not first.is_deactivated:
            engine.advance(call.desk.sandbox, current)
        answer["order_status"] = current.status
    return answers


def _prompt(call: Call, order: Order) -> dict[str, Any]:
    before = replace(order)
    order.status = "Inactive"
    orderbook.save(call.desk.sandbox, order)
    events.changed(call.desk.sandbox, before, order)
    return _named(call, prompts.prompt(call.desk.sandbox, order))


def _place(call: Call, ticket: Ticket, place: int, placed: list[Order]) -> Order | Refused:
    sandbox, now = call.desk.sandbox, call.desk.sandbox.clock.now()
    script = scripts.take(sandbox, ticket, place)
    if "refuse" in script:
        return Refused(str(script["refuse"]))
    parent = _parent(call, ticket, placed) if ticket.parent else None
    if isinstance(parent, Refused):
        return parent
    first = parent or (placed[0] if placed else None)
    family = 0 if first is None else first.terms.family or first.order_id
    if first is not None and not first.terms.family:
        first.terms = replace(first.terms, family=family, oca=f"{family}:0" if ticket.is_single_group else "")
        orderbook.save(sandbox, first)
    oca = f"{family}:{parent.order_id if parent else 0}" if family else ""
    is_held = parent is not None and parent.status != "Filled"
    promised = tickets.promise(call, ticket)
    if not is_held:
        strict = bool(groups.presets(call.desk, call.master)["strict_credit_check"])
        may_reduce = call.desk.knob("credit_failure", "reject") == "reduce" and not strict
        promised = credit.bearable(sandbox, ticket, promised, may_reduce=may_reduce, oca=oca) or promised
        ticket = replace(ticket, quantity=sum(promised.values()))
        if (why := credit.objection(sandbox, ticket, promised, oca=oca)) is not None:
            return Refused(why)
    order = orderbook.add(
        sandbox,
        ticket,
        promised,
        username=call.session.username,
        master=call.master,
        session_id=call.session.session_id,
        at=now,
        expires_at=crossing.expiry(
            sandbox, _instrument(ticket), ticket.order_type, ticket.tif, now, outside=ticket.outside_rth
        ),
        terms=Terms(
            family=family,
            parent_id=parent.order_id if parent else 0,
            oca=oca,
            active_at=None if is_held else now,
            trailing_amount=ticket.trailing_amount,
            trailing_type=ticket.trailing_type,
            anchor=modify.anchor(ticket),
            all_or_none=ticket.all_or_none,
            script=script,
        ),
    )
    if ticket.is_deactivated:
        order.status = "Inactive"
        orderbook.save(sandbox, order)
    sandbox.ledger.record("order", ticket.coid or str(order.order_id), str(order.order_id), _recorded(ticket, promised))
    events.placed(sandbox, order)
    return order


def _parent(call: Call, ticket: Ticket, placed: list[Order]) -> Order | Refused:
    """The order a child names: one of the same request, or one that was sent before, by client order id or order id."""
    found = next((order for order in placed if order.coid == ticket.parent), None)
    found = found or orderbook.named(call.desk.sandbox, call.session.username, ticket.parent)
    if found is None:
        number = numbering.meant(call.desk.sandbox, call.session.session_id, ticket.parent)
        found = orderbook.get(call.desk.sandbox, call.master, number)
    is_there = found is not None and (orderbook.is_open(found) or found.status == "Filled")
    return found if found is not None and is_there else Refused(f"Parent order {ticket.parent} doesn't exist")


def _acknowledged(order: Order) -> dict[str, Any]:
    found = {"order_id": str(order.order_id), "order_status": order.status, "encrypt_message": "1"}
    if order.coid:
        found["local_order_id"] = order.coid
    if order.terms.parent_id:
        found["parent_order_id"] = str(order.terms.parent_id)
    return found


def _named(call: Call, answer: dict[str, Any]) -> dict[str, Any]:
    return numbering.renamed(call.desk.sandbox, call.session.session_id, answer)


def _instrument(ticket: Ticket) -> instruments.Instrument:
    found = instruments.get(ticket.conid)
    if found is None:
        raise LookupError(str(ticket.conid))
    return found


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


def _open_order(call: Call) -> Order:
    text = call.path("order_id")
    number = numbering.meant(call.desk.sandbox, call.session.session_id, text)
    order = orderbook.get(call.desk.sandbox, call.master, number)
    if order is None or order.target != call.path("account") or not orderbook.is_open(order):
        raise refused(call, f"OrderID {text} doesn't exist")
    return order


def _cancel(call: Call) -> dict[str, Any]:
    """Ask for the cancel; it takes effect a little later, and fills may still come until then. -1: every open order."""
    if call.path("order_id") == "-1":
        return _cancel_all(call)
    order = _open_order(call)
    if not may_cancel(call, order):
        raise refused(call, f"OrderID {call.path('order_id')} doesn't exist")
    questions.void_open(call)
    call.request.state.key = order.coid or str(order.order_id)
    _ask_to_cancel(call, order)
    said = {"msg": "Request was submitted", "order_id": order.order_id, "conid": order.conid, "account": order.target}
    return _named(call, said)


def may_cancel(call: Call, order: Order) -> bool:
    """Whoever sees an order may cancel it; with the knob `cancel_by_others` only the username that sent it."""
    return order.username == call.session.username or call.desk.knob("cancel_by_others", "taken") == "taken"


def _cancel_all(call: Call) -> dict[str, Any]:
    """Of the account in the path; of everybody when it is the master account or "All"."""
    target = call.path("account")
    if target not in (call.master, groups.ALL):
        call.account(target)
    questions.void_open(call)
    for order in orderbook.of_master(call.desk.sandbox, call.master):
        current = orderbook.get(call.desk.sandbox, call.master, order.order_id)  # a parent may have taken it along
        is_meant = current is not None and target in (current.target, call.master, groups.ALL)
        if current and is_meant and orderbook.is_open(current) and may_cancel(call, current):
            _ask_to_cancel(call, current)
    return {"msg": "Request was submitted", "order_id": -1, "conid": -1, "account": target}


def _ask_to_cancel(call: Call, order: Order) -> None:
    sandbox = call.desk.sandbox
    if order.cancel_at is not None:
        return
    key = order.coid or str(order.order_id)
    sandbox.ledger.record("cancel", key, str(order.order_id), {"target": order.target, "filled": order.filled})
    if not order.is_working:
        engine.withdraw(sandbox, order)
        return
    wait, now = timedelta(milliseconds=int(call.desk.knob("cancel_milliseconds", 1500))), sandbox.clock.now()
    order.cancel_at = now + wait
    if order.terms.script.get("fill_on_cancel"):
        bid, ask = sandbox.market.spread(order.conid)
        price = order.limit or (ask if order.side == "BUY" else bid)
        order.plan = [*order.plan[: order.fills], Fill(now + wait / 2, order.remaining, price)]
    orderbook.save(sandbox, order)
    engine.advance(sandbox, order)


def _what_if(call: Call) -> dict[str, Any]:
    """Preview: formatted strings, nothing kept, no question voided; an error that would refuse the order comes with 200.

    Without a snapshot of the contract before it in the session, it warns.
    """
    ticket = Submission(tickets.read(call, call.path("account"))).first
    if ticket.kind != "account" and call.desk.knob("what_if_of_blocks", "answered") == "refused":
        raise bad_request("order preview is not supported for allocated orders")
    sandbox, promised = call.desk.sandbox, tickets.promise(call, ticket)
    instrument = _instrument(ticket)
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
            "commission": f"{_from(call, charge)}{charge:,} {currency}",
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
        "warn": None if quotes.is_streaming(call.desk, call.session.token, ticket.conid) else BLIND,
        "error": credit.objection(sandbox, ticket, promised),
    }


def _from(call: Call, charge: Decimal) -> str:
    """The lower end of a commission that is previewed as a range (knob `commission_range`)."""
    return f"{cents(charge / 2):,} … " if call.desk.knob("commission_range", False) else ""


def _moved(current: Decimal, change: Decimal) -> dict[str, str]:
    return {"current": f"{current:,.0f}", "change": f"{change:,.0f}", "after": f"{current + change:,.0f}"}


def is_visible(order: Order, session_id: str) -> bool:
    """A session sees the orders it sent and whatever still works."""
    return order.is_working or order.session_id == session_id
