"""How an order and an execution look in lists and in the stream: the elements of live orders and of trades."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from backoffice.sandbox.kernel import Sandbox

from . import sessions
from .orderbook import Execution, Order

_TIFS = {"DAY": "Day"}


def _done_verb(order: Order) -> str:
    if order.status != "Filled":
        return order.side.capitalize()
    return "Bought" if order.side == "BUY" else "Sold"


def described(order: Order) -> str:
    price = "" if order.price is None else f" {order.price}"
    tif = _TIFS.get(order.tif, order.tif)
    return f"{_done_verb(order)} {order.quantity} {order.style.label}{price}, {tif}"


def size_and_fills(order: Order) -> str:
    return str(order.quantity) if order.status == "Filled" else f"{order.filled}/{order.quantity}"


def live(sandbox: Sandbox, order: Order) -> dict[str, Any]:
    instrument = order.instrument
    last = order.last_fill_at or order.created_at
    is_block = order.kind != "account" and sandbox.config.get("block_order_account", "target") == "master"
    shown = order.master if is_block else order.target
    row: dict[str, Any] = {
        "acct": shown,
        "exchange": "SMART",
        "conidex": str(order.conid),
        "conid": order.conid,
        "account": shown,
        "orderId": order.order_id,
        "cashCcy": instrument.currency,
        "sizeAndFills": size_and_fills(order),
        "orderDesc": described(order),
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
        "origOrderType": order.style.listed,
        "supportsTaxOpt": "1",
        "lastExecutionTime": compact(last),
        "orderType": order.style.label,
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
    if order.coid and sandbox.config.get("order_ref_in_orders", True):
        row["order_ref"] = order.coid
    if order.terms.parent_id:
        row["parentId"] = str(order.terms.parent_id)
    if order.ended_because and order.ended_because != "cancelled by the user":
        row["order_cancellation_by_system_reason"] = order.ended_because
    return row


def compact(at: datetime) -> str:
    return at.strftime("%y%m%d%H%M%S")


def trade(order: Order, execution: Execution, *, is_priced: bool) -> dict[str, Any]:
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
