"""What an account is worth at an instant, from its books and the market, rounded so that every sum adds up to the cent.

Each cash balance and each position is rounded to the cent in its own currency, then converted and rounded to the cent
of the account's base currency; every total is the sum of those figures.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal

from backoffice.sandbox import instruments
from backoffice.sandbox.accounts import AccountRow
from backoffice.sandbox.clock import NEW_YORK
from backoffice.sandbox.instruments import Instrument
from backoffice.sandbox.kernel import Sandbox

CENT = Decimal("0.01")
_UNIT = Decimal("0.00000001")


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Line:
    """One position. `price` is as quoted; money is in `instrument.currency` except `base_value`."""

    instrument: Instrument
    quantity: Decimal
    price: Decimal
    cost: Decimal
    value: Decimal
    rate: Decimal
    base_value: Decimal

    @property
    def unrealized(self) -> Decimal:
        return self.value - self.cost

    @property
    def average_cost(self) -> Decimal:
        """Money paid for one unit."""
        return (self.cost / self.quantity).quantize(_UNIT).normalize()

    @property
    def average_price(self) -> Decimal:
        """The average cost in quoted units."""
        return (self.cost / self.quantity / self.instrument.unit_factor).quantize(_UNIT).normalize()


@dataclass(frozen=True, slots=True)
class Cash:
    currency: str
    amount: Decimal
    rate: Decimal
    base_amount: Decimal


@dataclass(frozen=True, slots=True)
class Valuation:
    account: AccountRow
    at: datetime
    cash: list[Cash]
    lines: list[Line]

    @property
    def total_cash(self) -> Decimal:
        return sum((cash.base_amount for cash in self.cash), Decimal("0.00"))

    @property
    def stock(self) -> Decimal:
        return sum((line.base_value for line in self.lines), Decimal("0.00"))

    @property
    def gross(self) -> Decimal:
        return sum((abs(line.base_value) for line in self.lines), Decimal("0.00"))

    @property
    def net_liquidation(self) -> Decimal:
        return self.total_cash + self.stock

    @property
    def margin_share(self) -> Decimal:
        """The part of a position that must be covered by equity: all of it in a cash account, half in a margin account."""
        return Decimal(1) if self.account.margin == "Cash" else Decimal("0.5")

    @property
    def initial_margin(self) -> Decimal:
        return cents(self.gross * self.margin_share)

    @property
    def available(self) -> Decimal:
        """Available funds: net liquidation value less initial margin; in a cash account that is its cash."""
        return self.net_liquidation - self.initial_margin


def value(sandbox: Sandbox, account: AccountRow, at: datetime | None = None) -> Valuation:
    """Value the account's present cash and holdings at the prices of `at` (default now)."""
    at = at or sandbox.clock.now()
    base = account.base_currency
    cash = []
    for currency, amount in sandbox.books.cash(account.account).items():
        rate = sandbox.market.fx(currency, base, at)
        cash.append(Cash(currency, cents(amount), rate, cents(cents(amount) * rate)))
    lines = []
    for holding in sandbox.books.holdings(account.account):
        instrument = instruments.get(holding.conid)
        if instrument is None:
            raise LookupError(f"{account.account} holds {holding.conid}, which is no instrument of this world")
        price = sandbox.market.price(holding.conid, at)
        worth = cents(instrument.value(holding.quantity, price))
        rate = sandbox.market.fx(instrument.currency, base, at)
        lines.append(Line(instrument, holding.quantity, price, holding.cost_basis, worth, rate, cents(worth * rate)))
    return Valuation(account, at, cash, lines)


def realized_on(sandbox: Sandbox, account: str, at: datetime) -> dict[int, Decimal]:
    """Return by contract what sales have realized on the day of an instant in New York, in the instrument's currency."""
    day = at.astimezone(NEW_YORK).date()
    found: dict[int, Decimal] = {}
    for entry in sandbox.books.entries(account, day, day):
        if entry.conid is not None and entry.kind == "trade":
            found[entry.conid] = found.get(entry.conid, Decimal(0)) + entry.realized
    return found


def daily_profit(sandbox: Sandbox, found: Valuation) -> Decimal:
    """Return what the positions held now have gained since the prior close, and what was realized today, in base currency."""
    base, total = found.account.base_currency, Decimal("0.00")
    realized = realized_on(sandbox, found.account.account, found.at)
    for line in found.lines:
        change = sandbox.market.quote(line.instrument.conid, found.at).change
        total += cents(cents(line.instrument.value(line.quantity, change)) * line.rate)
    for conid, amount in realized.items():
        instrument = instruments.get(conid)
        if instrument is not None:
            total += cents(amount * sandbox.market.fx(instrument.currency, base, found.at))
    return total
