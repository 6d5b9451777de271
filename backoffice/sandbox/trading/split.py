"""How a block is shared among accounts. Whole units only; every split adds up exactly."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction


class NothingToSplitBy(ValueError):
    """No account has a weight above zero."""


def split(quantity: int, weights: Mapping[str, Decimal]) -> dict[str, int]:
    """Promise `quantity` units by weight: each account the floor of its ratio, then one unit at a time until used up.

    The units left over go to the largest remainders, equal ones in the order of `weights`. Raises NothingToSplitBy.
    """
    positive = {account: max(Fraction(weight), Fraction(0)) for account, weight in weights.items()}
    total = sum(positive.values())
    if total == 0:
        raise NothingToSplitBy
    ideal = {account: weight * quantity / total for account, weight in positive.items()}
    shares = {account: int(share) for account, share in ideal.items()}
    by_remainder = sorted(ideal, key=lambda account: shares[account] - ideal[account])  # sorted() is stable
    for account in by_remainder[: quantity - sum(shares.values())]:
        shares[account] += 1
    return shares


def share_out(filled: int, promised: Mapping[str, int]) -> dict[str, int]:
    """Share what is filled so far in the ratio of what was promised.

    Webster's method: no account ever gives a unit back as more is filled, none gets more than it was promised, and when
    everything is filled each has exactly its promise.
    """
    total = sum(promised.values())
    if not 0 <= filled <= total:
        raise ValueError(f"{filled} of {total} filled")
    if filled == 0:
        return dict.fromkeys(promised, 0)
    given = {account: (2 * filled * units + total - 1) // (2 * total) for account, units in promised.items()}
    places = {account: place for place, account in enumerate(promised)}
    while sum(given.values()) < filled:
        given[
            min(given, key=lambda account: (-Fraction(promised[account], 2 * given[account] + 1), places[account]))
        ] += 1
    while sum(given.values()) > filled:
        served = [account for account in given if given[account]]
        given[
            max(served, key=lambda account: (-Fraction(promised[account], 2 * given[account] - 1), places[account]))
        ] -= 1
    return given
