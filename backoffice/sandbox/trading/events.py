"""What the engine tells the stream while it works: rows of `trading_events`, as `schema.py` describes them."""

from datetime import datetime, timedelta
from typing import Any

from backoffice.sandbox.clock import stamp
from backoffice.sandbox.jsonio import dumps
from backoffice.sandbox.kernel import Sandbox

from . import rows
from .orderbook import Execution, Order


def placed(sandbox: Sandbox, order: Order) -> None:
    """The first word of an order: its whole row."""
    _tell(sandbox, order, "sor", order.target, rows.live(sandbox, order), order.created_at)


def changed(sandbox: Sandbox, before: Order, order: Order) -> None:
    """What differs from before, keyed by the order; nothing when nobody would see a difference."""
    old, new = rows.live(sandbox, before), rows.live(sandbox, order)
    different = {name: value for name, value in new.items() if old.get(name) != value}
    if different:
        known = {"orderId": order.order_id, "acct": order.target, "conid": order.conid}
        _tell(sandbox, order, "sor", order.target, known | different, sandbox.clock.now())


def executed(sandbox: Sandbox, order: Order, execution: Execution) -> None:
    late = timedelta(seconds=int(sandbox.config.get("commission_delay_seconds", 0)))
    row = rows.trade(order, execution, is_priced=sandbox.clock.now() - execution.at >= late)
    _tell(sandbox, order, "str", execution.account, row, execution.at)


def prompted(sandbox: Sandbox, order: Order, prompt: dict[str, Any]) -> None:
    _tell(sandbox, order, "ntf", "", prompt, sandbox.clock.now())


def _tell(sandbox: Sandbox, order: Order, topic: str, account: str, payload: dict[str, Any], at: datetime) -> None:
    sandbox.store.execute(
        "INSERT INTO trading_events (at, master, username, topic, account, order_id, payload) VALUES (?, ?, ?, ?, ?, ?, ?)",
        stamp(at), order.master, order.username, topic, account, order.order_id, dumps(payload),
    )  # fmt: skip
