"""The groups and the orders of the last days that the demonstration world begins with."""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from backoffice.sandbox import instruments
from backoffice.sandbox.clock import NEW_YORK, stamp
from backoffice.sandbox.kernel import Sandbox

from . import engine, groups, orderbook
from .desk import Desk
from .orderbook import Fill, Order
from .tickets import Ticket
from .valuation import CENT


def build_world(sandbox: Sandbox, group_facts: list[dict[str, Any]], order_facts: list[dict[str, Any]]) -> None:
    """Create the groups and book the orders of `data/world.json`, filled long since. They precede the ledger of effects."""
    master = sandbox.accounts.masters()[0]
    desk = Desk(sandbox)
    for fact in group_facts:
        groups.keep(desk, master.account, groups.Group(fact["name"], fact["method"], dict.fromkeys(fact["accounts"])))
    placed = sorted(((*_instant_and_price(sandbox, fact), fact) for fact in order_facts), key=lambda order: order[0])
    for number, (at, price, fact) in enumerate(placed, start=1):
        shares = {account: int(units) for account, units in fact["shares"].items()}
        ticket = Ticket(
            kind="group" if fact["target"] in {group["name"] for group in group_facts} else "account",
            target=fact["target"],
            conid=fact["conid"],
            side=fact["side"],
            order_type=fact["order_type"],
            tif="DAY",
            quantity=sum(shares.values()),
            price=price if fact["order_type"] == "LMT" else None,
            aux_price=None,
            outside_rth=False,
            coid=f"DEMO-{at:%Y%m%d}-{number:03d}",
            amounts={},
        )
        order = orderbook.add(
            sandbox,
            ticket,
            shares,
            username=master.username,
            master=master.account,
            session_id="",
            at=at,
            expires_at=engine.day_end(at),
        )
        order.plan = [Fill(at + timedelta(seconds=9), order.quantity, price)]
        engine.book(sandbox, order, order.plan[0])
        order.status, order.looked_at = "Filled", order.plan[0].at
        orderbook.save(sandbox, order)


def _instant_and_price(sandbox: Sandbox, fact: dict[str, Any]) -> tuple[datetime, Decimal]:
    """Return the moment of a historic order, on the Friday before if it falls on a weekend, and the market's price then."""
    day = sandbox.clock.now().astimezone(NEW_YORK).date() - timedelta(days=int(fact["days_ago"]))
    day -= timedelta(days=max(0, day.weekday() - 4))
    at = datetime.combine(day, time.fromisoformat(fact["time"]), UTC)
    bid, ask = sandbox.market.spread(fact["conid"], at)
    return at, ask if fact["side"] == "BUY" else bid


def cash_of_historic_orders(sandbox: Sandbox, account: str, order_facts: list[dict[str, Any]]) -> dict[str, Decimal]:
    """Return by currency what the historic orders will add to an account's cash (negative: spend), commissions included."""
    moved: dict[str, Decimal] = {}
    for fact in order_facts:
        units = int(fact["shares"].get(account, 0))
        instrument = instruments.get(fact["conid"])
        if not units or instrument is None:
            continue
        price = _instant_and_price(sandbox, fact)[1]
        sign = 1 if fact["side"] == "BUY" else -1
        proceeds = -(sign * units * price * instrument.unit_factor).quantize(CENT)
        change = proceeds - engine.commission(instrument, units, price)
        moved[instrument.currency] = moved.get(instrument.currency, Decimal(0)) + change
    return moved


def describe_world(sandbox: Sandbox) -> dict[str, Any]:
    """Return the groups and the orders of every master account, newest first, with their executions."""
    desk = Desk(sandbox)
    masters = [master.account for master in sandbox.accounts.masters()]
    return {
        "groups": [_group(desk, master, name) for master in masters for name in groups.names(desk, master)],
        "orders": [_order(sandbox, order) for master in masters for order in orderbook.of_master(sandbox, master)],
    }


def _group(desk: Desk, master: str, name: str) -> dict[str, Any]:
    group = groups.get(desk, master, name)
    if group is None:
        raise LookupError(name)
    members = [{"account": account, "amount": amount} for account, amount in group.members.items()]
    return {"master": master, "name": name, "method": group.method, "accounts": list(group.members), "members": members}


def _order(sandbox: Sandbox, order: Order) -> dict[str, Any]:
    return {
        "order_id": str(order.order_id),
        "order_ref": order.coid,
        "master": order.master,
        "kind": order.kind,
        "target": order.target,
        "conid": order.conid,
        "symbol": order.instrument.symbol,
        "side": order.side,
        "order_type": order.order_type,
        "tif": order.tif,
        "quantity": order.quantity,
        "price": order.price,
        "status": order.status,
        "filled": order.filled,
        "average_price": order.average_price,
        "placed_at": stamp(order.created_at),
        "promised": orderbook.promised(sandbox, order.order_id),
        "executions": [
            {
                "execution_id": execution.execution_id,
                "account": execution.account,
                "at": stamp(execution.at),
                "quantity": execution.quantity,
                "price": execution.price,
                "commission": execution.commission,
            }
            for execution in orderbook.executions(sandbox, order.order_id)
        ],
    }
