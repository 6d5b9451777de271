"""Portfolios as pages show them: the firm's, one account's, one instrument's holders. Totals say what they cover."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from backoffice.core import clock
from backoffice.home.parts import Share
from backoffice.people.models import User
from clients.models import Account, Client
from trading import policy, translate
from trading.models import AccountSnapshot, CashBalance, Instrument, Position
from trading.selectors.rates import Rates

HUNDRED = Decimal(100)
ZERO = Decimal(0)


@dataclass(frozen=True)
class Coverage:
    """How much of a total is fresh. `missing` accounts were never read and are in no total."""

    accounts: int
    fresh: int
    stale: Sequence[tuple[Account, datetime | None, str]]
    missing: Sequence[Account]
    as_of: datetime | None

    @property
    def is_complete(self) -> bool:
        return self.fresh == self.accounts

    @property
    def words(self) -> str:
        return f"all {self.accounts} fresh" if self.is_complete else f"{self.fresh} of {self.accounts}"


@dataclass
class Line:
    """One instrument across accounts. `value` and `unrealised` are in the page's currency, None when a rate is missing."""

    instrument: Instrument
    quantity: Decimal = ZERO
    value: Decimal | None = ZERO
    unrealised: Decimal | None = ZERO
    price: Decimal | None = None
    as_of: datetime | None = None
    weight: Decimal | None = None
    accounts: set[str] = field(default_factory=set)

    @property
    def asset_class(self) -> str:
        return translate.asset_class(self.instrument.asset_class)

    @property
    def held_by(self) -> int:
        return len(self.accounts)

    @property
    def unrealised_percent(self) -> Decimal | None:
        if self.value is None or self.unrealised is None or self.value == self.unrealised:
            return None
        return self.unrealised / abs(self.value - self.unrealised) * HUNDRED

    @property
    def is_stale(self) -> bool:
        return self.as_of is None or clock.now() - self.as_of > policy.POSITION_FRESH


@dataclass(frozen=True)
class Totals:
    """The strip of figures, in one currency; None where nothing is known."""

    currency: str
    net_liquidation: Decimal | None
    cash: Decimal | None
    excess_liquidity: Decimal | None
    unrealised: Decimal | None
    daily: Decimal | None  # as the stream tells it; None where it told nothing

    @property
    def cash_percent(self) -> Decimal | None:
        return self.cash / self.net_liquidation * HUNDRED if self.cash is not None and self.net_liquidation else None

    @property
    def unrealised_percent(self) -> Decimal | None:
        if self.unrealised is None or self.net_liquidation is None or self.cash is None:
            return None
        cost = self.net_liquidation - self.cash - self.unrealised
        return self.unrealised / cost * HUNDRED if cost else None


@dataclass(frozen=True)
class FirmPortfolio:
    """Everything a person may see, in one currency."""

    totals: Totals
    coverage: Coverage
    lines: Sequence[Line]
    shares: Sequence[Share]
    accounts: Sequence["AccountLine"]


@dataclass(frozen=True)
class AccountLine:
    """One account of the list beside the positions."""

    account: Account
    snapshot: AccountSnapshot | None
    value: Decimal | None

    @property
    def is_stale(self) -> bool:
        as_of = self.snapshot.as_of if self.snapshot else None
        return as_of is None or clock.now() - as_of > policy.POSITION_FRESH


def _accounts(user: User) -> list[Account]:
    found = Account.objects.visible_to(user).open().select_related("client", "master", "snapshot").order_by("number")
    return list(found)


def _snapshot(account: Account) -> AccountSnapshot | None:
    snapshot: AccountSnapshot | None = getattr(account, "snapshot", None)
    return snapshot if snapshot is not None and snapshot.as_of is not None else None


def coverage(accounts: Iterable[Account]) -> Coverage:
    """Say which accounts are fresh, which are stale and why, and which were never read."""
    listed = list(accounts)
    now = clock.now()
    stale: list[tuple[Account, datetime | None, str]] = []
    missing: list[Account] = []
    newest: datetime | None = None
    for account in listed:
        snapshot = _snapshot(account)
        if snapshot is None or snapshot.as_of is None:
            missing.append(account)
            continue
        newest = max(filter(None, (newest, snapshot.figures_at)), default=None)
        if now - snapshot.as_of > policy.POSITION_FRESH:
            stale.append((account, snapshot.as_of, snapshot.failure))
    return Coverage(len(listed), len(listed) - len(stale) - len(missing), stale, missing, newest)


def firm(user: User) -> FirmPortfolio:
    """Return the firm's portfolio, as far as the person may see it, in the master's base currency."""
    accounts = _accounts(user)
    rates = Rates()
    currency = accounts[0].master.base_currency if accounts else "USD"
    positions = Position.objects.filter(account__in=accounts).select_related("instrument", "account")
    totals = _totals(accounts, rates, currency)
    lines = _lines(positions, rates, currency, totals.net_liquidation)
    listed = [
        AccountLine(account, _snapshot(account), _in(account, "net_liquidation", rates, currency))
        for account in accounts
    ]
    listed.sort(key=lambda line: (-(line.value or ZERO), line.account.number))
    return FirmPortfolio(totals, coverage(accounts), lines, _shares(lines, totals), listed)


def _in(account: Account, column: str, rates: Rates, currency: str) -> Decimal | None:
    snapshot = _snapshot(account)
    return None if snapshot is None else rates.convert(getattr(snapshot, column), snapshot.currency, currency)


def _totals(accounts: Sequence[Account], rates: Rates, currency: str) -> Totals:
    def total(column: str) -> Decimal | None:
        known = [value for account in accounts if (value := _in(account, column, rates, currency)) is not None]
        return sum(known, ZERO) if known else None

    return Totals(
        currency,
        total("net_liquidation"),
        total("total_cash"),
        total("excess_liquidity"),
        total("unrealised"),
        _profit_today(accounts, rates, currency),
    )


def _profit_today(accounts: Sequence[Account], rates: Rates, currency: str) -> Decimal | None:
    """Add up today's profit where the stream tells it of every account now; a part of it would be taken for the whole."""
    since = clock.now() - policy.POSITION_FRESH
    found = []
    for account in accounts:
        snapshot = _snapshot(account)
        if snapshot is None or snapshot.streamed_at is None or snapshot.streamed_at < since:
            return None
        found.append(_in(account, "daily", rates, currency))
    known = [value for value in found if value is not None]
    return sum(known, ZERO) if known and len(known) == len(found) else None


@dataclass(frozen=True)
class _Worth:
    price: Decimal | None
    value: Decimal | None
    unrealised: Decimal | None
    as_of: datetime


def _worth_now(position: Position) -> _Worth:
    """Value a holding at a live price that is newer than its reading; otherwise it is worth what IBKR said then."""
    instrument, value = position.instrument, position.value
    quoted = instrument.quoted_at
    if value is None or instrument.last is None or quoted is None or not instrument.is_live or quoted <= position.as_of:
        return _Worth(position.price, value, position.unrealised, position.as_of)
    worth = position.quantity * instrument.last * instrument.unit_value
    unrealised = None if position.unrealised is None else position.unrealised + worth - value
    return _Worth(instrument.last, worth, unrealised, quoted)


def _lines(positions: Iterable[Position], rates: Rates, currency: str, worth: Decimal | None) -> list[Line]:
    lines: dict[str, Line] = {}
    for position in positions:
        instrument = position.instrument
        line = lines.setdefault(instrument.conid, Line(instrument))
        line.quantity += position.quantity
        now = _worth_now(position)
        value = rates.convert(now.value, instrument.currency, currency)
        unrealised = rates.convert(now.unrealised, instrument.currency, currency)
        line.value = None if line.value is None or value is None else line.value + value
        line.unrealised = None if line.unrealised is None or unrealised is None else line.unrealised + unrealised
        if line.as_of is None or now.as_of > line.as_of:
            line.price, line.as_of = now.price, now.as_of
        line.accounts.add(position.account.number)
    for line in lines.values():
        line.weight = line.value / worth * HUNDRED if line.value is not None and worth else None
    return sorted(lines.values(), key=lambda line: (-(line.value or ZERO), line.instrument.symbol))


def _shares(lines: Sequence[Line], totals: Totals) -> list[Share]:
    """Return what the whole is made of, by class, cash last."""
    by_class: dict[str, Decimal] = {}
    for line in lines:
        by_class[line.asset_class] = by_class.get(line.asset_class, ZERO) + (line.value or ZERO)
    parts = sorted(by_class.items(), key=lambda part: -part[1])
    if totals.cash is not None:
        parts.append(("Cash", totals.cash))
    whole = sum((value for _, value in parts), ZERO)
    return [
        Share(word, max(value, ZERO), f"{value:,.0f}", value / whole * HUNDRED if whole else None)
        for word, value in parts
    ]


@dataclass(frozen=True)
class AccountPortfolio:
    """One account, in its base currency."""

    account: Account
    snapshot: AccountSnapshot | None
    coverage: Coverage
    totals: Totals
    lines: Sequence[Line]
    shares: Sequence[Share]
    cash: Sequence[CashBalance]


def of_account(account: Account) -> AccountPortfolio:
    """Return what one account holds, with cash by currency."""
    rates = Rates()
    currency = account.base_currency
    positions = account.positions.select_related("instrument", "account")
    totals = _totals([account], rates, currency)
    lines = _lines(positions, rates, currency, totals.net_liquidation)
    return AccountPortfolio(
        account,
        _snapshot(account),
        coverage([account]),
        totals,
        lines,
        _shares(lines, totals),
        list(account.cash_balances.all()),
    )


@dataclass(frozen=True)
class Holder:
    """One account that holds an instrument; money in the instrument's currency as of `as_of`, weight of the account's NLV."""

    position: Position
    weight: Decimal | None
    value: Decimal | None
    unrealised: Decimal | None
    as_of: datetime


def holders(user: User, instrument: Instrument) -> list[Holder]:
    """Return who holds an instrument, largest first."""
    rates = Rates()
    found = []
    positions = (
        Position.objects.visible_to(user)
        .filter(instrument=instrument)
        .select_related("account__client", "account__snapshot", "account__master", "instrument")
    )
    for position in positions:
        snapshot = _snapshot(position.account)
        weight, now = None, _worth_now(position)
        if snapshot is not None and snapshot.net_liquidation and now.value is not None:
            value = rates.convert(now.value, instrument.currency, snapshot.currency)
            weight = None if value is None else value / snapshot.net_liquidation * HUNDRED
        found.append(Holder(position, weight, now.value, now.unrealised, now.as_of))
    return sorted(found, key=lambda holder: -(holder.value or ZERO))


def of_client(client: Client) -> list[AccountPortfolio]:
    """Return the portfolios of a client's open accounts."""
    accounts = Account.objects.open().filter(client=client).select_related("snapshot", "master", "client")
    return [of_account(account) for account in accounts]


@dataclass(frozen=True)
class Covered:
    """Totals with what they cover, without the positions: two queries."""

    totals: Totals
    coverage: Coverage


def totals(user: User) -> Covered:
    """Return the firm's totals as far as the person may see them."""
    accounts = _accounts(user)
    currency = accounts[0].master.base_currency if accounts else "USD"
    return Covered(_totals(accounts, Rates(), currency), coverage(accounts))
