"""Under which number a brokerage session knows an order: one for life, or one of the session's own (knob `order_numbers`).

With `session` each session counts from the beginning and numbers an order when it first sees it, so one number means one order
today and another tomorrow. What lies behind the curtain (the ledger, `/_sandbox/`) keeps to the number for life.
"""

from typing import Any

from backoffice.sandbox.kernel import Sandbox

from .orderbook import FIRST_ORDER_ID

SCHEMA = """
CREATE TABLE IF NOT EXISTS trading_numbers (
    session_id TEXT NOT NULL, number INTEGER NOT NULL, order_id INTEGER NOT NULL, PRIMARY KEY (session_id, number),
    UNIQUE (session_id, order_id)
)
"""
_NAMES_AN_ORDER = ("orderId", "order_id", "parentId", "parent_order_id")


def shown(sandbox: Sandbox, session_id: str, order_id: int) -> int:
    """Return the number under which the session knows the order; an order it has not met gets its next one."""
    if _is_for_life(sandbox):
        return order_id
    known = sandbox.store.value(
        "SELECT number FROM trading_numbers WHERE session_id = ? AND order_id = ?", session_id, order_id
    )
    if known is not None:
        return int(known)
    highest = sandbox.store.value("SELECT MAX(number) FROM trading_numbers WHERE session_id = ?", session_id)
    number = FIRST_ORDER_ID if highest is None else int(highest) + 1
    sandbox.store.execute("INSERT INTO trading_numbers VALUES (?, ?, ?)", session_id, number, order_id)
    return number


def meant(sandbox: Sandbox, session_id: str, number: str) -> int:
    """Return the number for life of the order that the session calls so; 0 when it knows none by that name."""
    if not number.isdecimal() or len(number) >= 16:
        return 0
    if _is_for_life(sandbox):
        return int(number)
    found = sandbox.store.value(
        "SELECT order_id FROM trading_numbers WHERE session_id = ? AND number = ?", session_id, int(number)
    )
    return int(found or 0)


def renamed(sandbox: Sandbox, session_id: str, row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of an answer or of the stream with its orders under the session's numbers, each as text or number as it was."""
    if _is_for_life(sandbox):
        return row
    found = {
        name: type(row[name])(shown(sandbox, session_id, int(row[name]))) for name in _NAMES_AN_ORDER if name in row
    }
    return {**row, **found}


def _is_for_life(sandbox: Sandbox) -> bool:
    return bool(sandbox.config.get("order_numbers", "life") == "life")
