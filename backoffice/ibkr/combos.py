"""Combinations: one order for several instruments. IBKR has no search for them; they are written as a `conidex`.

`{spread conid}[@exchange];;;{leg conid}/{ratio},...` where the spread conid stands for the currency of the prices and
a negative ratio is a leg to be sold when the combination is bought. Its price is the sum of leg prices times ratios, and
may be negative.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from backoffice.ibkr import paths
from backoffice.ibkr.errors import Unsendable

SPREAD_CONIDS = {
    "USD": "28812380", "GBP": "58666491", "CHF": "61227087", "CAD": "61227082", "AUD": "61227077", "JPY": "61227069",
    "HKD": "61227072", "SEK": "136000429", "SGD": "426116555", "MXN": "136000449", "INR": "136000444",
    "KRW": "136000424", "CNH": "136000441",
}  # fmt: skip
FEWEST_LEGS = 2
CONIDEX = re.compile(
    r"[1-9][0-9]{0,11}(?:@[A-Z][A-Z0-9.]{0,15})?(?:;;;[1-9][0-9]{0,11}/-?[1-9][0-9]{0,5}(?:,[1-9][0-9]{0,11}/-?[1-9][0-9]{0,5})+)?"
)
_EXCHANGE = re.compile(r"[A-Z][A-Z0-9.]{0,15}")


@dataclass(frozen=True, slots=True)
class Leg:
    """One instrument of a combination; a negative ratio is sold when the combination is bought."""

    conid: str
    ratio: int


def combination(legs: Sequence[Leg], *, currency: str, exchange: str | None = None) -> str:
    """Return the `conidex` of a combination. Raises Unsendable for a currency IBKR lists no spread for (EUR is one)."""
    if currency not in SPREAD_CONIDS:
        raise Unsendable(f"IBKR lists no combinations in {currency}.")
    if len(legs) < FEWEST_LEGS or len({leg.conid for leg in legs}) != len(legs):
        raise Unsendable("A combination has at least two different instruments.")
    if any(leg.ratio == 0 for leg in legs):
        raise Unsendable("A leg's ratio is a whole number other than zero.")
    parts = ",".join(f"{paths.instrument_id(leg.conid)}/{leg.ratio}" for leg in legs)
    return f"{_at(SPREAD_CONIDS[currency], exchange)};;;{parts}"


def _at(conid: str, exchange: str | None) -> str:
    if exchange is None:
        return conid
    if not _EXCHANGE.fullmatch(exchange):
        raise Unsendable(f"{exchange!r} is not an exchange.")
    return f"{conid}@{exchange}"
