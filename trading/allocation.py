"""How a block is shared among accounts: IBKR's rule, computed beforehand. Pure; exact; every split adds up.

Each account gets the floor of its ratio; the units left over go one at a time to the largest remainders, equal ones in
the order of the accounts. IBKR computes the ratios of A and N when the order comes, from values of its own at that
moment, so its split may differ from ours by a unit; that is why blocks are compared after they fill. Source: trading.md
sections 9.2 and 9.5.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction


class NothingToShareBy(ValueError):
    """No account has a weight above zero."""


@dataclass(frozen=True)
class Share:
    """What one account is promised. `weight` is its part of the basis; `has_odd_unit` marks a unit from rounding."""

    account: str
    quantity: int
    weight: Decimal
    has_odd_unit: bool


@dataclass(frozen=True)
class Figures:
    """What IBKR computes the methods N and A from, in one currency. None is not known."""

    net_liquidation: Decimal | None
    available: Decimal | None


def share_out(quantity: int, weights: Mapping[str, Decimal]) -> tuple[Share, ...]:
    """Share whole units by weight. Weights below zero count as zero.

    Raises NothingToShareBy when no weight is above zero, ValueError for a quantity below one.
    """
    if quantity < 1:
        raise ValueError("There must be at least one unit to share.")
    positive = {account: max(Fraction(weight), Fraction(0)) for account, weight in weights.items()}
    total = sum(positive.values(), Fraction(0))
    if total == 0:
        raise NothingToShareBy("No account has anything to share by.")
    ideal = {account: quantity * weight / total for account, weight in positive.items()}
    floors = {account: int(share) for account, share in ideal.items()}
    left = quantity - sum(floors.values())
    by_remainder = sorted(
        ideal, key=lambda account: floors[account] - ideal[account]
    )  # sorted() keeps equal ones in order
    lucky = set(by_remainder[:left])
    return tuple(
        Share(account, floors[account] + (account in lucky), weights[account], account in lucky) for account in weights
    )


def weights_of(
    method: str, amounts: Mapping[str, Decimal | None], figures: Mapping[str, Figures]
) -> dict[str, Decimal]:
    """Return each member's weight under IBKR's method code A, E, N, P, R or S.

    Raises LookupError naming the account whose figure is not known, ValueError for a method we cannot compute
    and for percentages that do not add up to 100.
    """
    if method == "E":
        return dict.fromkeys(amounts, Decimal(1))
    if method in ("N", "A"):
        return {account: _figure(method, account, figures) for account in amounts}
    if method in ("P", "R", "S"):
        known = {account: amount for account, amount in amounts.items() if amount is not None}
        missing = next((account for account in amounts if account not in known), None)
        if missing is not None:
            raise LookupError(missing)
        if method == "P" and (total := sum(known.values())) != 100:
            # Whether IBKR would refuse the order or scale it is open (trading.md 16).
            raise ValueError(f"The group's percentages add up to {total:f} at IBKR, not to 100.")
        return known
    raise ValueError(f"IBKR's method {method} cannot be computed beforehand.")


def _figure(method: str, account: str, figures: Mapping[str, Figures]) -> Decimal:
    found = figures.get(account)
    value = None if found is None else found.net_liquidation if method == "N" else found.available
    if value is None:
        raise LookupError(account)
    return value
