"""How the executions of a block show in the trades and in the stream before its allocation is final (knob `block_shares`).

    each    each account's share with the execution itself, and it stays
    end     the whole execution on the master account, where it stays; the accounts' shares once the block has ended
    moving  the whole execution on one account, drawn by lot, until the block has ended; then each has its own: what stays with the
            account drawn is a correction (.02), and where nothing stays with it the row is gone

With `block_shares_seconds` the shares take that long after the end. Only what is shown differs: the books have the final shares
from the beginning.
"""

import random
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from backoffice.sandbox.kernel import Sandbox

from . import orderbook
from .orderbook import Execution, Order


def shown(sandbox: Sandbox, order: Order) -> list[Execution]:
    """Return the executions of an order as the trades show them now."""
    final, how = orderbook.executions(sandbox, order.order_id), sandbox.config.get("block_shares", "each")
    if order.kind == "account" or how == "each" or not final:
        return final
    is_final = _is_final(sandbox, order)
    if how == "end":
        whole = [_whole(fill, order.master, 0) for fill in _fills(final)]
        return whole + final if is_final else whole
    accounts = list(orderbook.promised(sandbox, order.order_id))
    found: list[Execution] = []
    for fill in _fills(final):
        luck = random.Random(f"{sandbox.seed}:{order.order_id}:{_number(fill[0])}")
        place = luck.randrange(len(accounts))
        drawn = _whole(fill, accounts[place], place + 1)
        if is_final:
            found += [
                _corrected(row) if row.account == drawn.account and row.quantity != drawn.quantity else row
                for row in fill
            ]
        else:
            found.append(drawn)
    return found


def _is_final(sandbox: Sandbox, order: Order) -> bool:
    if orderbook.is_open(order):
        return False
    wait = timedelta(seconds=int(sandbox.config.get("block_shares_seconds", 0)))
    return sandbox.clock.now() >= _ended_at(order) + wait


def _ended_at(order: Order) -> datetime:
    """When it was cancelled, when it expired, or when it had its last fill."""
    if order.status == "Cancelled" and order.cancel_at is not None:
        return order.cancel_at
    if order.ended_because == "Order expired" and order.expires_at is not None:
        return order.expires_at
    return order.last_fill_at or order.created_at


def _fills(executions: list[Execution]) -> list[list[Execution]]:
    """The shares of each fill; their numbers share everything but the last two digits."""
    found: dict[tuple[datetime, int], list[Execution]] = {}
    for execution in executions:
        found.setdefault((execution.at, _number(execution) // 100), []).append(execution)
    return list(found.values())


def _parts(execution: Execution) -> tuple[str, int, int]:
    stem, number, version = execution.execution_id.rsplit(".", 2)
    return stem, int(number) - 1, int(version)


def _number(execution: Execution) -> int:
    return _parts(execution)[1]


def _whole(fill: list[Execution], account: str, place: int) -> Execution:
    """The fill as one execution of one account; `place` is the account's, 0 for the master account."""
    stem, number, _ = _parts(fill[0])
    return replace(
        fill[0],
        execution_id=f"{stem}.{number // 100 * 100 + place:02d}.01",
        account=account,
        quantity=sum((each.quantity for each in fill), Decimal(0)),
        commission=sum((each.commission for each in fill), Decimal(0)),
    )


def _corrected(execution: Execution) -> Execution:
    stem, number, version = _parts(execution)
    return replace(execution, execution_id=f"{stem}.{number + 1:02d}.{version + 1:02d}")
