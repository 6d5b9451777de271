"""What IBKR asks beside the questions about an order, and what a session does not want to be asked.

POST /iserver/questions/suppress        the whole list of message ids, at most 51, until the brokerage session ends
POST /iserver/questions/suppress/reset
POST /iserver/notification              the answer to a server prompt: "Use the Price Management Algo?"

A prompt (knob `prompt_price_management`, or an order's script) comes as the answer to a market order and as `ntf`: the order
exists and is Inactive. An answer other than "Do not use" lets it work; "Always use" also ends such prompts for the username.
"""

from dataclasses import replace
from typing import Any

from starlette.routing import BaseRoute

from backoffice.sandbox.jsonio import dumps, loads
from backoffice.sandbox.kernel import Sandbox

from . import engine, events, numbering, orderbook
from .desk import Call, Desk, Needs, Refusal, bad_request, route
from .orderbook import Order

MOST_SUPPRESSED = 51
OPTIONS = ["Use on this order", "Always use", "Do not use"]


def routes(desk: Desk) -> list[BaseRoute]:
    return [
        route(desk, "POST", "/iserver/questions/suppress", _suppress, Needs.SESSION),
        route(desk, "POST", "/iserver/questions/suppress/reset", _reset, Needs.SESSION),
        route(desk, "POST", "/iserver/notification", _answer, Needs.ACCOUNTS),
    ]


def _suppress(call: Call) -> dict[str, str]:
    ids = call.json().get("messageIds")
    if not isinstance(ids, list) or not all(isinstance(name, str) for name in ids):
        raise bad_request("messageIds must be an array of message ids")
    if len(ids) > MOST_SUPPRESSED:
        raise Refusal(500, {"error": "System error: too many message ids"})
    _reset(call)
    for name in ids:
        call.desk.sandbox.store.execute(
            "INSERT OR IGNORE INTO trading_suppressed VALUES (?, ?)", call.session.session_id, name
        )
    return {"status": "submitted"}


def _reset(call: Call) -> dict[str, str]:
    call.desk.sandbox.store.execute("DELETE FROM trading_suppressed WHERE session_id = ?", call.session.session_id)
    return {"status": "submitted"}


def is_due(sandbox: Sandbox, username: str, order_type: str, *, uses_adaptive: bool) -> bool:
    if order_type != "MKT" or uses_adaptive or not sandbox.config.get("prompt_price_management", False):
        return False
    return sandbox.store.row("SELECT 1 FROM trading_price_management WHERE username = ?", username) is None


def prompt(sandbox: Sandbox, order: Order) -> dict[str, Any]:
    """Hold the order until its prompt is answered, and return the prompt."""
    req_id = str(order.order_id % 100_000)
    sandbox.store.execute(
        "INSERT OR REPLACE INTO trading_prompts VALUES (?, ?, ?, ?)",
        req_id,
        order.username,
        order.order_id,
        dumps(OPTIONS),
    )
    found = {
        "orderId": order.order_id,
        "reqId": req_id,
        "dismissable": [],
        "text": f"{order.side} {order.quantity} {order.instrument.symbol}: use the Price Management Algo?",
        "options": OPTIONS,
        "type": "M",
        "messageId": "p12",
        "prompt": True,
    }
    events.prompted(sandbox, order, found)
    return found


def _answer(call: Call) -> str:
    sandbox, wanted = call.desk.sandbox, call.json()
    row = sandbox.store.row(
        "SELECT * FROM trading_prompts WHERE req_id = ? AND username = ?",
        str(wanted.get("reqId")),
        call.session.username,
    )
    meant = numbering.meant(sandbox, call.session.session_id, str(wanted.get("orderId")))
    if row is None or row["order_id"] != meant or wanted.get("text") not in loads(row["options"]):
        raise bad_request("no such prompt is open")
    sandbox.store.execute("DELETE FROM trading_prompts WHERE req_id = ?", row["req_id"])
    order = orderbook.get(sandbox, call.master, row["order_id"])
    if order is None or order.status != "Inactive":
        raise bad_request("no such prompt is open")
    if wanted["text"] == "Always use":
        sandbox.store.execute("INSERT OR IGNORE INTO trading_price_management VALUES (?)", call.session.username)
    if wanted["text"] == "Do not use":
        engine.withdraw(sandbox, order)
    else:
        revive(sandbox, order)
    return "Request was submitted"


def revive(sandbox: Sandbox, order: Order) -> None:
    """Let an inactive order work from now on."""
    now = sandbox.clock.now()
    order.status, order.ended_because, order.looked_at = "PreSubmitted", "", now
    script = {name: value for name, value in order.terms.script.items() if name != "reject"}
    order.terms = replace(order.terms, active_at=now, script=script)
    orderbook.save(sandbox, order)
    engine.advance(sandbox, order)
