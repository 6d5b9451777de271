"""Money: a Decimal with its currency. Mixing currencies raises; rounding names its mode and happens once, at the boundary."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

# ISO 4217 minor units that are not two, among the base currencies IBKR accepts (account-management.md section 6.4).
MINOR_UNITS = {"JPY": 0, "KRW": 0, "HUF": 2}


class CurrencyMismatch(TypeError):
    """Two amounts of different currencies met in one sum."""


def minor_unit(currency: str) -> Decimal:
    """Return the smallest amount of `currency`, e.g. Decimal("0.01")."""
    return Decimal(1).scaleb(-MINOR_UNITS.get(currency, 2))


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of one currency. `amount` is exact; `currency` is an ISO 4217 code (IBKR also uses CNH)."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        if not isinstance(self.amount, Decimal):
            raise TypeError("Money takes a Decimal")
        if len(self.currency) != 3 or not self.currency.isupper():
            raise ValueError(f"{self.currency!r} is not a currency code")

    def _same(self, other: "Money") -> Decimal:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} do not add up")
        return other.amount

    def __add__(self, other: "Money") -> "Money":
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.amount - self._same(other), self.currency)

    def __mul__(self, factor: Decimal | int) -> "Money":
        return Money(self.amount * factor, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount, self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: "Money") -> bool:
        return self.amount <= self._same(other)

    def rounded(self, mode: str = ROUND_HALF_EVEN) -> "Money":
        """Return the amount in whole minor units of its currency."""
        return Money(self.amount.quantize(minor_unit(self.currency), rounding=mode), self.currency)

    def __str__(self) -> str:
        return f"{self.currency} {self.amount:,f}"


def total(amounts: Iterable[Money], currency: str) -> Money:
    """Add up amounts of one currency; an empty sum is zero of that currency."""
    result = Money(Decimal(0), currency)
    for amount in amounts:
        result = result + amount
    return result
