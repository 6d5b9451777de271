"""Watching orders: live orders, the status of one, and trades."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from starlette.routing import BaseRoute

from backoffice.sandbox.clock import NEW_YORK, stamp

from . import groups, memory, orderbook, sessions
from .desk import Call, Desk, Needs, Refusal, bad_request, route
from .orderbook import Execution, Order
from .orders import is_visible

MOST_ORDERS = 1000
_TYPES = {
    "LMT": ("LIMIT", "Limit"),
    "MKT": ("MARKET", "Market"),
    "STP": ("STOP", "Stop"),
    "STOP_LIMIT": ("STOP_LIMIT", "Stop Limit"),
}
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
    return {"orders": [live(call.desk, order) for order in found[:MOST_ORDERS]], "snapshot": True}


def _done_verb(order: Order) -> str:
    if order.status != "Filled":
        return order.side.capitalize()
    return "Bought" if order.side == "BUY" else "Sold"


def _described(order: Order) -> str:
    price = "" if order.price is None else f" {order.price}"
    tif = {"DAY": "Day", "IOC": "IOC", "GTC": "GTC"}[order.tif]
    return f"{_done_verb(order)} {order.quantity} {_TYPES[order.order_type][1]}{price}, {tif}"


def _size_and_fills(order: Order) -> str:
    return str(order.quantity) if order.status == "Filled" else f"{order.filled}/{order.quantity}"


def live(desk: Desk, order: Order) -> dict[str, Any]:
    """Return an order as live orders and the stream's `sor` show it."""
    instrument = order.instrument
    last = order.last_fill_at or order.created_at
    row: dict[str, Any] = {
        "acct": order.target,
        "exchange": "SMART",
        "conidex": str(order.conid),
        "conid": order.conid,
        "account": order.target,
        "orderId": order.order_id,
        "cashCcy": instrument.currency,
        "sizeAndFills": _size_and_fills(order),
        "orderDesc": _described(order),
        "description1": instrument.symbol,
        "ticker": instrument.symbol,
        "secType": instrument.asset_class,
        "listingExchange": instrument.exchange,
        "remainingQuantity": Decimal(order.remaining).quantize(Decimal("0.0")),
        "filledQuantity": Decimal(order.filled).quantize(Decimal("0.0")),
        "totalSize": Decimal(order.quantity).quantize(Decimal("0.0")),
        "companyName": instrument.company_name,
        "status": order.status,
        "order_ccp_status": order.status,
        "origOrderType": _TYPES[order.order_type][0],
        "supportsTaxOpt": "1",
        "lastExecutionTime": _compact(last),
        "orderType": _TYPES[order.order_type][1],
        "bgColor": "#FFFFFF" if order.status == "Filled" else "#000000",
        "fgColor": "#000000" if order.status == "Filled" else "#00F000",
        "isEventTrading": "0",
        "price": "" if order.price is None else str(order.price),
        "timeInForce": "CLOSE" if order.status == "Filled" and order.tif == "DAY" else order.tif,
        "lastExecutionTime_r": sessions.milliseconds(last),
        "side": order.side,
    }
    if order.aux_price is not None:
        row["auxPrice"] = str(order.aux_price)
    if (average := order.average_price) is not None:
        row["avgPrice"] = str(average)
    if order.coid and desk.knob("order_ref_in_orders", True):
        row["order_ref"] = order.coid
    if order.ended_because and order.ended_because != "cancelled by the user":
        row["order_cancellation_by_system_reason"] = order.ended_because
    return row


def _compact(at: datetime) -> str:
    return at.strftime("%y%m%d%H%M%S")


def _status(call: Call) -> dict[str, Any]:
    """503 for an order of an earlier session, and for a single account's order while another account is selected."""
    text = call.path("order_id")
    order = orderbook.get(call.desk.sandbox, call.master, int(text)) if text.isdecimal() and len(text) < 16 else None
    is_selected = order is not None and (order.kind != "account" or order.target == call.session.selected)
    needs_selection = call.desk.knob("status_needs_selected_account", True)
    if order is None or not is_visible(order, call.session.session_id) or (needs_selection and not is_selected):
        raise Refusal(503, {"error": f"Order status is not available for order {text}", "statusCode": 503})
    instrument, is_final = order.instrument, not order.is_working
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
        "order_type": _TYPES[order.order_type][0],
        "cum_fill": f"{order.filled}.0",
        "order_status": order.status,
        "order_ccp_status": {"Filled": "2", "Cancelled": "4"}.get(order.status, "0"),
        "order_status_description": f"Order {order.status}",
        "tif": order.tif,
        "fg_color": "#FFFFFF",
        "bg_color": "#000000",
        "order_not_editable": is_final,
        "editable_fields": "",
        "cannot_cancel_order": is_final,
        "deactivate_order": False,
        "sec_type": instrument.asset_class,
        "available_chart_periods": "#R|1",
        "order_description": _described(order),
        "order_description_with_contract": _described(order).replace(
            f" {order.quantity} ", f" {order.quantity} {instrument.symbol} ", 1
        ),
        "alert_active": 1,
        "child_order_type": "0",
        "order_clearing_account": order.target,
        "size_and_fills": _size_and_fills(order),
        "exit_strategy_tool_availability": "1",
        "allowed_duplicate_opposite": True,
        "order_time": _compact(order.created_at),
        "outside_rth": order.outside_rth,
        "all_or_none": False,
    }
    if (average := order.average_price) is not None:
        row["average_price"] = str(average)
    if order.limit is not None:
        row["limit_price"] = str(order.limit)
    if order.stop is not None:
        row["stop_price"] = str(order.stop)
    return row


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
        executions = orderbook.executions(call.desk.sandbox, order.order_id)
        found += [
            (order, execution)
            for execution in executions
            if execution.at >= since and _is_traded_in_scope(call, order, execution, call.query("accountId"))
        ]
    found.sort(key=lambda pair: (pair[1].at, pair[1].execution_id), reverse=True)
    return [trade(order, execution, is_priced=now - execution.at >= late) for order, execution in found]


def _is_traded_in_scope(call: Call, order: Order, execution: Execution, wanted: str) -> bool:
    return execution.account == (wanted or call.session.selected) or _is_in_scope(call, order, wanted)


def trade(order: Order, execution: Execution, *, is_priced: bool) -> dict[str, Any]:
    """Return one account's execution as trades and the stream's `str` show it."""
    instrument = order.instrument
    amount = instrument.value(execution.quantity, execution.price).quantize(Decimal("0.01"))
    row: dict[str, Any] = {
        "execution_id": execution.execution_id,
        "symbol": instrument.symbol,
        "supports_tax_opt": "1",
        "side": order.side[0],
        "order_description": f"{'Bought' if order.side == 'BUY' else 'Sold'} {execution.quantity} @ {execution.price} on SMART",
        "trade_time": execution.at.strftime("%Y%m%d-%H:%M:%S"),
        "trade_time_r": sessions.milliseconds(execution.at),
        "size": execution.quantity.quantize(Decimal("0.0")),
        "price": str(execution.price),
        "submitter": order.username,
        "exchange": "SMART",
        "net_amount": amount,
        "account": execution.account,
        "accountCode": execution.account,
        "account_allocation_name": execution.account,
        "company_name": instrument.company_name,
        "contract_description_1": instrument.symbol,
        "sec_type": instrument.asset_class,
        "listing_exchange": instrument.exchange,
        "conid": order.conid,
        "conidEx": str(order.conid),
        "clearing_id": "IB",
        "clearing_name": "IB",
        "liquidation_trade": "0",
        "is_event_trading": "0",
        "order_id": order.order_id,
    }
    if order.coid:
        row["order_ref"] = order.coid
    if is_priced:
        row["commission"] = str(execution.commission)
    return row
