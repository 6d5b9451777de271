"""What an order would do to each account, and the checks before it may be sent. Pure: figures in, rows and checks out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal

from backoffice.home import formats
from backoffice.home.parts import Check
from trading import policy
from trading.allocation import Share

FLAGS = {
    "short": "Short sale",
    "cash": "Cash below zero",
    "closed": "Account not open",
    "stale": "Figures are old",
    "unknown": "Figures not known",
}
HUNDRED = Decimal(100)
LIKE_THIS = "is like this one."


@dataclass(frozen=True)
class Standing:
    """How one account stands before the order. Money is in the instrument's currency; None is not known."""

    number: str
    is_open: bool
    held: Decimal
    net_liquidation: Decimal | None
    cash: Decimal | None
    as_of: datetime | None


@dataclass(frozen=True)
class Row:
    """One account of the preview."""

    number: str
    quantity: Decimal
    has_odd_unit: bool
    basis: Decimal
    held: Decimal
    weight_before: Decimal | None
    weight_after: Decimal | None
    cash_after: Decimal | None
    flags: tuple[str, ...]
    as_of: datetime | None


def row(standing: Standing, share: Share, *, sign: int, unit_price: Decimal | None, now: datetime) -> Row:
    """Return what one account's share does. `unit_price` is money for one unit; `sign` is 1 to buy, −1 to sell."""
    quantity = Decimal(share.quantity)
    after = standing.held + sign * quantity
    cash_after = None
    if standing.cash is not None and unit_price is not None:
        cash_after = standing.cash - sign * quantity * unit_price
    return Row(
        number=standing.number,
        quantity=quantity,
        has_odd_unit=share.has_odd_unit,
        basis=share.weight,
        held=standing.held,
        weight_before=_weight(standing.held, unit_price, standing.net_liquidation),
        weight_after=_weight(after, unit_price, standing.net_liquidation),
        cash_after=cash_after,
        flags=_flags(standing, quantity, after, cash_after, sign, now),
        as_of=standing.as_of,
    )


def _weight(units: Decimal, unit_price: Decimal | None, worth: Decimal | None) -> Decimal | None:
    if unit_price is None or not worth:
        return None
    return (units * unit_price / worth * HUNDRED).quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN)


def _flags(
    standing: Standing, quantity: Decimal, after: Decimal, cash_after: Decimal | None, sign: int, now: datetime
) -> tuple[str, ...]:
    found = []
    if not standing.is_open:
        found.append("closed")
    if sign < 0 and quantity and after < 0:
        found.append("short")
    if sign > 0 and quantity and cash_after is not None and cash_after < 0:
        found.append("cash")
    if standing.as_of is None:
        found.append("unknown")
    elif now - standing.as_of > policy.POSITION_FRESH:
        found.append("stale")
    return tuple(found)


@dataclass(frozen=True)
class Facts:
    """Everything the checks look at. `value_usd` and `last` are None when not known."""

    quantity: Decimal
    symbol: str
    sign: int
    rows: Sequence[Row]
    limit: Decimal | None
    tick: Decimal
    last: Decimal | None
    last_note: str
    value_usd: Decimal | None
    limit_usd: Decimal
    twin: str
    has_twin_reason: bool
    group_seen_at: datetime | None
    is_session_live: bool
    gate_reason: str
    now: datetime


def checks(facts: Facts) -> list[Check]:
    """Return what passes, what warns and what stops, stops first."""
    found = [
        _sum(facts),
        _tick(facts),
        _collar(facts),
        _value(facts),
        _twin(facts),
        *_flagged(facts),
        *_surroundings(facts),
    ]
    rank = {"stop": 0, "warn": 1, "pass": 2}
    return sorted((check for check in found if check is not None), key=lambda check: rank[check.result])


def stops(found: Sequence[Check]) -> list[Check]:
    return [check for check in found if check.result == "stop"]


def _sum(facts: Facts) -> Check:
    total = sum((row.quantity for row in facts.rows), Decimal(0))
    if facts.rows and total == facts.quantity:
        return Check("pass", "Sum of allocations equals the order")
    return Check(
        "stop",
        "The allocations do not add up.",
        f"{formats.quantity(total)} of {formats.quantity(facts.quantity)} are allocated.",
    )


def _tick(facts: Facts) -> Check | None:
    if facts.limit is None:
        return None
    if facts.limit % facts.tick == 0:
        return Check("pass", f"Price is on the tick of {formats.quantity(facts.tick)}")
    return Check(
        "stop", "The price is off the tick.", f"{facts.symbol} moves in steps of {formats.quantity(facts.tick)}."
    )


def _collar(facts: Facts) -> Check:
    if facts.last is None:
        if facts.limit is None:
            return Check("stop", "No price is known.", "A market order cannot be sized without one. Ask for a quote.")
        return Check("warn", "No price is known to compare the limit with.", "Ask for a quote.")
    if facts.limit is None:
        return Check("warn", "Market order.", f"It trades at whatever is offered. Last {formats.price(facts.last)}.")
    off = (facts.limit - facts.last) / facts.last * HUNDRED
    words = f"{formats.percent(abs(off), places=1)} {'above' if off > 0 else 'below'} {facts.last_note or 'last'}"
    if abs(off) > policy.COLLAR_STOP:
        return Check("stop", f"Price {words}.", f"More than {policy.COLLAR_STOP}% is taken for a slip of the finger.")
    if abs(off) > policy.COLLAR_WARN:
        return Check("warn", f"Price {words}.", "Expect IBKR's question o163; a person answers it.")
    return Check("pass", f"Price within {policy.COLLAR_WARN}% of {facts.last_note or 'last'}")


def _value(facts: Facts) -> Check:
    limit = f"USD {facts.limit_usd:,.0f}"
    if facts.value_usd is None:
        return Check(
            "stop", "The order's value is not known.", "Without a price and a rate your limit cannot be checked."
        )
    if facts.value_usd > facts.limit_usd:
        return Check("stop", f"Over your limit of {limit} an order.", f"This one is about USD {facts.value_usd:,.0f}.")
    return Check("pass", f"Your limit of {limit} an order")


def _twin(facts: Facts) -> Check:
    if not facts.twin:
        return Check("pass", f"No like order in {facts.symbol} in the last 10 minutes")
    if facts.has_twin_reason:
        return Check("warn", f"{facts.twin} {LIKE_THIS}", "Your reason for a second one is kept.")
    return Check("stop", f"{facts.twin} {LIKE_THIS}", "Say below why a second one is wanted, or leave it.")


def _flagged(facts: Facts) -> list[Check]:
    def named(flag: str) -> list[str]:
        return [row.number for row in facts.rows if flag in row.flags]

    found = []
    if closed := named("closed"):
        found.append(Check("stop", f"{_accounts(closed)} not open at IBKR.", "Take them out."))
    if short := named("short"):
        found.append(
            Check(
                "stop",
                f"{_accounts(short)} would be short.",
                "An account may sell what it holds. Sell less, or take it out.",
            )
        )
    if cash := named("cash"):
        found.append(Check("warn", f"{_accounts(cash)} would borrow.", "Cash falls below zero; IBKR may refuse those."))
    if unknown := named("unknown"):
        found.append(
            Check("warn", f"Figures of {_accounts(unknown)} are not known.", "They were never read from IBKR.")
        )
    if stale := named("stale"):
        found.append(
            Check("warn", f"Figures of {_accounts(stale)} are over 5 min old.", "Ask again on the portfolio page.")
        )
    if not found:
        found.append(Check("pass", "Every account is open, holds what it sells, and can pay"))
    return found


def _surroundings(facts: Facts) -> list[Check | None]:
    found: list[Check | None] = []
    if facts.group_seen_at is not None:
        read = formats.moment(facts.group_seen_at, now=facts.now)
        found.append(Check("pass", f"Group at IBKR, read {read}", "It is read again just before sending."))
    if facts.gate_reason:
        found.append(Check("stop", "Sending is stopped.", facts.gate_reason))
    if not facts.is_session_live:
        found.append(Check("warn", "There is no live trading session.", "The order waits until there is one."))
    return found


def _accounts(numbers: Sequence[str]) -> str:
    if len(numbers) <= 2:
        return " and ".join(numbers)
    return f"{len(numbers)} accounts"
