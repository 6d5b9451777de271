"""Watching orders: live orders, the status of one, and trades."""

from datetime import timedelta
from typing import Any

from starlette.routing import BaseRoute

from backoffice.sandbox.clock import NEW_YORK, stamp

from . import groups, memory, numbering, orderbook, rows, sessions, shares
from .desk import Call, Desk, Needs, Refusal, bad_request, route
from .orderbook import Execution, Order
from .orders import is_visible, may_cancel

MOST_ORDERS = 1000
EDITABLE = "\x1elimit_price\x1esize\x1etif\x1eaux_price\x1e"
_FILTERS = {
    "inactive": "Inactive",
    "pending_submit": "PendingSubmit",
    "pre_submitted": "PreSubmitted",
    "submitted": "Submitted",
    "filled": "Filled",
    "pending_cancel": "PendingCancel",
    "cancelled": "Cancelled",
    "warn_state": "WarnState",
}


def routes(desk: Desk) -> list[BaseRoute]:
    need = Needs.ACCOUNTS
    return [
        route(desk, "GET", "/iserver/account/orders", _live_orders, need),
        route(desk, "GET", "/iserver/account/order/status/{order_id}", _status, need),
        route(desk, "GET", "/iserver/account/trades", _trades, need),
    ]


def _is_in_scope(call: Call, order: Order, wanted: str) -> bool:
    """Without accountId: the selected account, and blocks. The master account: its blocks. "All": everything."""
    if wanted == groups.ALL:
        return True
    if wanted == call.master:
        return order.kind != "account"
    if wanted:
        return order.target == wanted
    return (
        order.kind != "account"
        or order.target == call.session.selected
        or call.session.selected in (groups.ALL, call.master)
    )


def _live_orders(call: Call) -> dict[str, Any]:
    """The first call primes and is empty, and so is every call with force=true."""
    if call.query("force").lower() == "true":
        memory.forget(call, memory.FILTERED_ORDERS)
    elif call.query("filters"):
        memory.note(call, memory.FILTERED_ORDERS)
    if not call.session.has_orders or call.query("force").lower() == "true":
        sessions.remember(call.desk.sandbox, call.session, "has_orders")
        return {"orders": [], "snapshot": False}
    wanted = {
        _FILTERS.get(name.strip().lower(), name.strip()) for name in call.query("filters").split(",") if name.strip()
    }
    found = [
        order
        for order in orderbook.of_master(call.desk.sandbox, call.master)
        if is_visible(order, call.session.session_id)
        and _is_in_scope(call, order, call.query("accountId"))
        and (not wanted or order.status in wanted)
    ]
    return {
        "orders": [_named(call, rows.live(call.desk.sandbox, order)) for order in found[:MOST_ORDERS]],
        "snapshot": True,
    }


def _named(call: Call, row: dict[str, Any]) -> dict[str, Any]:
    return numbering.renamed(call.desk.sandbox, call.session.session_id, row)


def _status(call: Call) -> dict[str, Any]:
    """503 for an order of an earlier session, and for a single account's order while another account is selected."""
    text = call.path("order_id")
    order = orderbook.get(
        call.desk.sandbox, call.master, numbering.meant(call.desk.sandbox, call.session.session_id, text)
    )
    is_selected = order is not None and (order.kind != "account" or order.target == call.session.selected)
    needs_selection = call.desk.knob("status_needs_selected_account", True)
    if order is None or not is_visible(order, call.session.session_id) or (needs_selection and not is_selected):
        raise Refusal(503, {"error": f"Order status is not available for order {text}", "statusCode": 503})
    instrument, is_final = order.instrument, not orderbook.is_open(order)
    row: dict[str, Any] = {
        "sub_type": None,
        "request_id": str(order.order_id % 1000),
        "server_id": "0",
        "order_id": order.order_id,
        "conidex": str(order.conid),
        "conid": order.conid,
        "symbol": instrument.symbol,
        "side": order.side[0],
        "contract_description_1": instrument.symbol,
        "listing_exchange": instrument.exchange,
        "option_acct": "c",
        "company_name": instrument.company_name,
        "size": f"{order.remaining}.0",
        "total_size": f"{order.quantity}.0",
        "currency": instrument.currency,
        "account": order.target,
        "order_type": order.style.listed,
        "cum_fill": f"{order.filled}.0",
        "order_status": order.status,
        "order_ccp_status": {"Filled": "2", "Cancelled": "4"}.get(order.status, "0"),
        "order_status_description": f"Order {order.status}",
        "tif": order.tif,
        "fg_color": "#FFFFFF",
        "bg_color": "#000000",
        "order_not_editable": is_final,
        "editable_fields": "" if is_final else EDITABLE,
        "cannot_cancel_order": is_final or not may_cancel(call, order),
        "deactivate_order": order.status == "Inactive",
        "sec_type": instrument.asset_class,
        "available_chart_periods": "#R|1",
        "order_description": rows.described(order),
        "order_description_with_contract": rows.described(order).replace(
            f" {order.quantity} ", f" {order.quantity} {instrument.symbol} ", 1
        ),
        "alert_active": 1,
        "child_order_type": "A" if order.terms.parent_id else "0",
        "order_clearing_account": order.target,
        "size_and_fills": rows.size_and_fills(order),
        "exit_strategy_tool_availability": "1",
        "allowed_duplicate_opposite": True,
        "order_time": rows.compact(order.created_at),
        "outside_rth": order.outside_rth,
        "all_or_none": order.terms.all_or_none,
    }
    if (average := order.average_price) is not None:
        row["average_price"] = str(average)
    if order.limit is not None:
        row["limit_price"] = str(order.limit)
    if order.stop is not None:
        row["stop_price"] = str(order.stop)
    return _named(call, row)


def _trades(call: Call) -> list[dict[str, Any]]:
    """Executions of today, or of the last `days`; the first call of a session is empty."""
    days = call.query("days", "")
    if days and (not days.isdecimal() or not 1 <= int(days[:4]) <= 7):
        raise bad_request("days must be from 1 to 7")
    if not call.session.has_trades:
        sessions.remember(call.desk.sandbox, call.session, "has_trades")
        return []
    now = call.desk.sandbox.clock.now()
    today = now.astimezone(NEW_YORK).replace(hour=0, minute=0, second=0, microsecond=0)
    since = today - timedelta(days=int(days) - 1 if days else 0)
    late = timedelta(seconds=int(call.desk.knob("commission_delay_seconds", 0)))
    found: list[tuple[Order, Execution]] = []
    for order in orderbook.of_master(call.desk.sandbox, call.master):
        if order.last_fill_at is None or stamp(order.last_fill_at) < stamp(since):
            continue
        executions = shares.shown(call.desk.sandbox, order)
        found += [
            (order, execution)
            for execution in executions
            if execution.at >= since and _is_traded_in_scope(call, order, execution, call.query("accountId"))
        ]
    found.sort(key=lambda pair: (pair[1].at, pair[1].execution_id), reverse=True)
    return [
        _named(call, rows.trade(order, execution, is_priced=now - execution.at >= late)) for order, execution in found
    ]


def _is_traded_in_scope(call: Call, order: Order, execution: Execution, wanted: str) -> bool:
    return execution.account == (wanted or call.session.selected) or _is_in_scope(call, order, wanted)
