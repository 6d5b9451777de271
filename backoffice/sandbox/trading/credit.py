"""Whether the accounts can bear an order. IBKR looks after the last question, so a confirmed order may still be refused."""

from decimal import Decimal

from backoffice.sandbox import instruments
from backoffice.sandbox.kernel import Sandbox

from . import engine, orderbook
from .orderbook import Order
from .tickets import Ticket
from .valuation import Valuation, cents, value


def bearable(
    sandbox: Sandbox, ticket: Ticket, promised: dict[str, int], *, may_reduce: bool, oca: str = ""
) -> dict[str, int]:
    """Return the part of a block that its accounts can bear: all of it, unless accounts that cannot are to be left out.

    Empty when no account that has a share can bear it.
    """
    if not may_reduce or ticket.kind == "account":
        return promised
    found = {
        account: units
        for account, units in promised.items()
        if objection(sandbox, ticket, {account: units}, oca=oca) is None
    }
    return found if any(found.values()) else {}


def objection(
    sandbox: Sandbox, ticket: Ticket, promised: dict[str, int], *, oca: str = "", modifies: int = 0
) -> str | None:
    """Return IBKR's reason for not accepting the order, or None.

    Orders that wait for their parent reserve nothing, those of one OCA group reserve once, and the order that the ticket
    modifies does not stand in its own way.
    """
    for account, units in promised.items():
        row = sandbox.accounts.get(account)
        if row is None:
            raise LookupError(account)
        worth = value(sandbox, row)
        working = _reserving(sandbox, account, oca, modifies)
        found = (
            _funds(sandbox, ticket, units, worth, working)
            if ticket.side == "BUY"
            else _units(sandbox, ticket, units, worth, working)
        )
        if found is not None:
            return found
    return None


def _reserving(sandbox: Sandbox, account: str, oca: str, modifies: int) -> list[Order]:
    found: dict[str, Order] = {}
    for order in orderbook.working(sandbox):
        is_apart = order.is_held or order.order_id == modifies or (oca != "" and order.terms.oca == oca)
        if not is_apart and account in orderbook.promised(sandbox, order.order_id):
            found.setdefault(order.terms.oca or str(order.order_id), order)
    return list(found.values())


def _funds(sandbox: Sandbox, ticket: Ticket, units: int, worth: Valuation, working: list[Order]) -> str | None:
    account, base = worth.account.account, worth.account.base_currency
    bought = [order for order in working if order.side == "BUY"]
    reserved = sum(
        (_cost(sandbox, order.conid, _waiting(sandbox, order, account), order.price, base) for order in bought),
        Decimal(0),
    )
    needed = cents(_cost(sandbox, ticket.conid, units, ticket.price, base) * worth.margin_share)
    free = worth.available - cents(reserved * worth.margin_share)
    if needed <= free or not units:
        return None
    return (
        f"Your order is not accepted. Reason: insufficient funds. In order to obtain the desired position account {account} needs"
        f" Available Funds of {needed:,} {base}; it has {free:,} {base}."
    )


def _cost(sandbox: Sandbox, conid: int, units: int, price: Decimal | None, base: str) -> Decimal:
    """Return what buying costs with commission, in the base currency: at the limit, else at the ask."""
    instrument = instruments.get(conid)
    if instrument is None:
        raise LookupError(str(conid))
    if not units:
        return Decimal(0)
    price = price or sandbox.market.spread(conid)[1]
    own = instrument.value(Decimal(units), price) + engine.commission(instrument, units, price)
    return own * sandbox.market.fx(instrument.currency, base)


def _waiting(sandbox: Sandbox, order: Order, account: str) -> int:
    """Return the units of a working order that the account has been promised and not received."""
    return orderbook.promised(sandbox, order.order_id)[account] - orderbook.executed(sandbox, order.order_id).get(
        account, 0
    )


def _units(sandbox: Sandbox, ticket: Ticket, units: int, worth: Valuation, working: list[Order]) -> str | None:
    """A cash account cannot sell what it does not hold; the knob `short_selling` lifts that."""
    if worth.account.margin != "Cash" or sandbox.config.get("short_selling", False):
        return None
    account = worth.account.account
    held = sum((line.quantity for line in worth.lines if line.instrument.conid == ticket.conid), Decimal(0))
    sold = [order for order in working if order.side == "SELL" and order.conid == ticket.conid]
    free = held - sum(_waiting(sandbox, order, account) for order in sold)
    if units <= free:
        return None
    return (
        f"Your order is not accepted. Reason: account {account} holds {free:f} shares free to sell, fewer than"
        f" the {units} of this order, and a cash account cannot sell short."
    )
