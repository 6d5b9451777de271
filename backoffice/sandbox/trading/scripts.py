"""Behind the curtain of the order engine: what a test writes down for an order, and what it does to one. All of it is data.

POST /_sandbox/orders {"match"?: {"order_ref"?, "account"?, "conid"?, "side"?, "place"?}, "script": {...}}
    for the next order that matches, once; `place` counts the tickets of one request from 0, the parent. A script holds any of
        "ask": [message ids]                                         more questions
        "refuse": text                                               not taken; of a child: the others are
        "prompt": true                                               the price management prompt
        "fills": [{"after_milliseconds"?, "quantity", "price"?}]     these and no others, counted from when it faces the market
        "reject": {"because"?, "after_milliseconds"?, "status"?}     ends Inactive (or Cancelled) after it was accepted
        "fill_on_cancel": true                                       is filled while its cancel is pending
POST /_sandbox/orders/{order_id} {"revive": true}                    an inactive order works from now on
POST /_sandbox/executions/{execution_id} {"price"?, "commission"?}   corrected: .02 replaces .01
POST /_sandbox/tws {"username", "presets"?, "takes_session"?: true}  a login to Trader Workstation: its allocation presets
    (by default those of the beginning) overwrite what was set through the API, and it takes the brokerage session
GET  /_sandbox/orders                                                scripts that no order has met yet
"""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.routing import BaseRoute

from backoffice.sandbox.backstage import Mistake, backstage
from backoffice.sandbox.jsonio import dumps, loads
from backoffice.sandbox.kernel import Sandbox

from . import events, groups, orderbook, prompts, sessions
from .desk import Desk
from .orderbook import Execution, Order
from .questions import MESSAGE_IDS
from .tickets import Ticket

_MATCHED = ("order_ref", "account", "conid", "side", "place")
_SCRIPTED = ("ask", "refuse", "prompt", "fills", "reject", "fill_on_cancel")


def routes(desk: Desk) -> list[BaseRoute]:
    sandbox = desk.sandbox
    return [
        backstage(sandbox, "GET", "/orders", _listed),
        backstage(sandbox, "POST", "/orders", _write),
        backstage(sandbox, "POST", "/orders/{order_id}", _drive),
        backstage(sandbox, "POST", "/executions/{execution_id}", _correct),
        backstage(sandbox, "POST", "/tws", lambda box, _request, body: _tws(desk, box, body)),
    ]


def _listed(sandbox: Sandbox, _request: Request, _body: dict[str, Any]) -> dict[str, Any]:
    rows = sandbox.store.rows("SELECT * FROM trading_scripts ORDER BY id")
    return {
        "scripts": [{"id": row["id"], "match": loads(row["matching"]), "script": loads(row["script"])} for row in rows]
    }


def _write(sandbox: Sandbox, _request: Request, body: dict[str, Any]) -> dict[str, Any]:
    match, script = body.get("match", {}), body.get("script")
    if not isinstance(match, dict) or not isinstance(script, dict) or not script:
        raise Mistake('want {"match": {...}, "script": {...}}')
    if unknown := [*set(match).difference(_MATCHED), *set(script).difference(_SCRIPTED)]:
        raise Mistake(f"unknown: {', '.join(sorted(unknown))}")
    if unasked := [name for name in script.get("ask", []) if name not in MESSAGE_IDS]:
        raise Mistake(f"no such message ids: {', '.join(map(str, unasked))}")
    fills = script.get("fills", [])
    if not isinstance(fills, list) or not all(
        isinstance(fill, dict) and _is_count(fill.get("quantity")) for fill in fills
    ):
        raise Mistake("each of fills needs a quantity, a whole number above zero")
    if script.get("reject", {}).get("status", "Inactive") not in ("Inactive", "Cancelled"):
        raise Mistake("an order is rejected as Inactive or as Cancelled")
    kept = sandbox.store.insert(
        "INSERT INTO trading_scripts (matching, script) VALUES (?, ?)", dumps(match), dumps(script)
    )
    return {"id": kept}


def _is_count(found: Any) -> bool:
    return isinstance(found, int) and not isinstance(found, bool) and found > 0


def of(sandbox: Sandbox, ticket: Ticket, place: int) -> dict[str, Any]:
    """Return what is written for a ticket, {} when nothing is."""
    return _found(sandbox, ticket, place)[1]


def take(sandbox: Sandbox, ticket: Ticket, place: int) -> dict[str, Any]:
    """Return what is written for a ticket and strike it out: the next one like it goes its ordinary way."""
    number, script = _found(sandbox, ticket, place)
    sandbox.store.execute("DELETE FROM trading_scripts WHERE id = ?", number)
    return script


def _found(sandbox: Sandbox, ticket: Ticket, place: int) -> tuple[int, dict[str, Any]]:
    facts = {
        "order_ref": ticket.coid,
        "account": ticket.target,
        "conid": ticket.conid,
        "side": ticket.side,
        "place": place,
    }
    for row in sandbox.store.rows("SELECT * FROM trading_scripts ORDER BY id"):
        if all(facts[name] == value for name, value in loads(row["matching"]).items()):
            return row["id"], loads(row["script"])
    return 0, {}


def _order(sandbox: Sandbox, order_id: str) -> Order:
    for master in sandbox.accounts.masters():
        found = orderbook.get(sandbox, master.account, int(order_id)) if order_id.isdecimal() else None
        if found is not None:
            return found
    raise Mistake(f"no order {order_id}")


def _drive(sandbox: Sandbox, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    order = _order(sandbox, request.path_params["order_id"])
    if body != {"revive": True} or order.status != "Inactive":
        raise Mistake('want {"revive": true} for an order that is Inactive')
    prompts.revive(sandbox, order)
    return {"order_id": order.order_id, "status": order.status}


def _correct(sandbox: Sandbox, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """Book the execution back and book it again as corrected, under its id with the last part one higher."""
    old_id = request.path_params["execution_id"]
    row = sandbox.store.row("SELECT order_id FROM trading_executions WHERE execution_id = ?", old_id)
    order = None if row is None else _order(sandbox, str(row["order_id"]))
    known = [] if order is None else orderbook.executions(sandbox, order.order_id)
    old = next((execution for execution in known if execution.execution_id == old_id), None)
    if order is None or old is None:
        raise Mistake(f"no execution {old_id}, or it has been corrected before")
    price, commission = _figure(body, "price", old.price), _figure(body, "commission", old.commission)
    if (price, commission) == (old.price, old.commission):
        raise Mistake("want another price or commission")
    stem, _, version = old_id.rpartition(".")
    new = replace(old, execution_id=f"{stem}.{int(version) + 1:02d}", price=price, commission=commission)
    _exchange(sandbox, order, old, new)
    return {"execution_id": new.execution_id}


def _figure(body: dict[str, Any], name: str, old: Decimal) -> Decimal:
    found = body.get(name, old)
    if isinstance(found, bool) or not isinstance(found, int | Decimal) or found < 0:
        raise Mistake(f"{name} must be a number, not below zero")
    return Decimal(found)


def _exchange(sandbox: Sandbox, order: Order, old: Execution, new: Execution) -> None:
    before = replace(order)
    sandbox.store.execute("INSERT INTO trading_replaced VALUES (?, ?)", old.execution_id, new.execution_id)
    sandbox.books.undo_trade(old.account, old.execution_id)
    orderbook.book(sandbox, order, new, booked_at=sandbox.clock.now())  # with what it replaces, on one day's statement
    order.value += new.quantity * (new.price - old.price)
    orderbook.save(sandbox, order)
    events.executed(sandbox, order, new)
    events.changed(sandbox, before, order)


def _tws(desk: Desk, sandbox: Sandbox, body: dict[str, Any]) -> dict[str, Any]:
    username, presets = body.get("username"), body.get("presets", {})
    master = next((master for master in sandbox.accounts.masters() if master.username == username), None)
    if master is None or not isinstance(presets, dict) or not set(presets) <= set(groups.DEFAULT_PRESETS):
        raise Mistake("want the username of a master account, and presets by their names")
    groups.tws_login(desk, master.account, presets)
    if body.get("takes_session", True):
        sessions.steal(sandbox, master.username)
    return {"presets": groups.presets(desk, master.account)}
