"""Writing what IBKR says accounts hold, and the instruments and quotes it names. An empty answer is never zero."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Q

from backoffice.broker.models import MasterAccount
from backoffice.core import clock
from clients.models import Account
from trading import policy
from trading.models import AccountSnapshot, CashBalance, DeskSync, ExchangeRate, Instrument, Position

HALF = Decimal("0.5")
PENCE = Decimal(100)


@dataclass(frozen=True)
class Listing:
    """An instrument as IBKR describes it; empty and None members leave what is known alone."""

    conid: str
    symbol: str
    currency: str
    name: str = ""
    exchange: str = ""
    asset_class: str = ""
    sector: str = ""
    tick: Decimal | None = None
    multiplier: Decimal | None = None
    price_magnifier: Decimal | None = None


@dataclass(frozen=True)
class Holding:
    """One position of a reading, with its instrument."""

    listing: Listing
    quantity: Decimal
    price: Decimal | None
    value: Decimal | None
    average_cost: Decimal | None
    unrealised: Decimal | None
    base_value: Decimal | None


@dataclass(frozen=True)
class Cash:
    """One currency of an account's ledger; `rate` converts to the account's base currency."""

    currency: str
    amount: Decimal
    settled: Decimal | None
    rate: Decimal | None


@dataclass(frozen=True)
class KeyFigures:
    """The summary of an account, in its base currency."""

    net_liquidation: Decimal | None
    total_cash: Decimal | None
    excess_liquidity: Decimal | None
    available_funds: Decimal | None
    buying_power: Decimal | None
    unrealised: Decimal | None


@dataclass(frozen=True)
class Reading:
    """Everything one look at an account showed. `is_complete` False: the list of positions may not be taken for all."""

    figures: KeyFigures
    cash: Sequence[Cash]
    holdings: Sequence[Holding]
    as_of: datetime
    is_complete: bool = True


def remember_instrument(listing: Listing) -> Instrument:
    """Write what IBKR says about an instrument; what it leaves out is left alone."""
    row = Instrument.objects.filter(conid=listing.conid).first() or Instrument(
        conid=listing.conid, currency=listing.currency, price_magnifier=_usual_magnifier(listing)
    )
    row.symbol = listing.symbol or row.symbol or listing.conid
    row.currency = listing.currency or row.currency
    row.name = row.name or readable_name(listing.name)
    for column in ("exchange", "asset_class", "sector", "tick", "multiplier", "price_magnifier"):
        if (value := getattr(listing, column)) is not None and value not in ("", Decimal(0)):
            setattr(row, column, value)
    if row._state.adding:
        return Instrument.objects.update_or_create(
            conid=row.conid, defaults={field: getattr(row, field) for field in _INSTRUMENT_COLUMNS}
        )[0]
    row.save(update_fields=_INSTRUMENT_COLUMNS)
    return row


_SMALL_WORDS = {"INC", "THE", "AND", "OF", "CO", "FOR", "LTD"}
_ABBREVIATIONS = {"SPDR", "MSCI", "FTSE", "REIT"}


def readable_name(name: str) -> str:
    """Write a name IBKR gives in capitals as people write it; any other is left as it came."""
    if not name.isupper():
        return name
    words = [
        word if word in _ABBREVIATIONS or (len(word) <= 3 and word not in _SMALL_WORDS) else word.capitalize()
        for word in name.split()
    ]
    return " ".join(words)


_INSTRUMENT_COLUMNS = [
    "symbol", "currency", "name", "exchange", "asset_class", "sector", "tick", "multiplier", "price_magnifier",
]  # fmt: skip


def _usual_magnifier(listing: Listing) -> Decimal:
    # London quotes shares in pence. A held position corrects this: its value says what a price is worth.
    return PENCE if listing.exchange == "LSE" and listing.currency == "GBP" else Decimal(1)


def record_quote(
    instrument: Instrument,
    *,
    bid: Decimal | None,
    ask: Decimal | None,
    last: Decimal | None,
    availability: str,
    is_last_previous_close: bool,
    is_halted: bool,
    at: datetime,
) -> None:
    """Keep the newest quote with its age. An older one changes nothing."""
    if instrument.quoted_at is not None and at < instrument.quoted_at:
        return
    columns = {
        "bid": bid,
        "ask": ask,
        "last": last,
        "availability": availability,
        "is_last_previous_close": is_last_previous_close,
        "is_halted": is_halted,
        "quoted_at": at,
    }
    Instrument.objects.filter(pk=instrument.pk).update(**columns)
    for column, value in columns.items():
        setattr(instrument, column, value)


def watch_instrument(instrument: Instrument) -> None:
    """Somebody looks at it now: its quote is worth a market data line for a while."""
    now = clock.now()
    quiet = Q(watched_until=None) | Q(watched_until__lt=now + policy.WATCHED_FOR / 2)
    Instrument.objects.filter(quiet, pk=instrument.pk).update(watched_until=now + policy.WATCHED_FOR)


def watch_account(account: Account) -> None:
    """Somebody looks at it now: its cash is worth following for a while."""
    now = clock.now()
    quiet = Q(watched_until=None) | Q(watched_until__lt=now + policy.WATCHED_FOR / 2)
    AccountSnapshot.objects.filter(quiet, account=account).update(watched_until=now + policy.WATCHED_FOR)


def record_profit(
    account: Account,
    *,
    daily: Decimal | None,
    unrealised: Decimal | None,
    net_liquidation: Decimal | None,
    excess_liquidity: Decimal | None,
    at: datetime,
) -> bool:
    """Keep the key figures the stream tells, with their time; None leaves a figure alone. True when they were kept.

    An account that was never read stays unread, and older figures than the kept ones change nothing.
    """
    told = {
        "daily": daily,
        "unrealised": unrealised,
        "net_liquidation": net_liquidation,
        "excess_liquidity": excess_liquidity,
    }
    figures = {column: value for column, value in told.items() if value is not None}
    older = Q(streamed_at=None) | Q(streamed_at__lt=at)
    rows = AccountSnapshot.objects.filter(older, account=account, as_of__lt=at)
    return bool(figures and rows.update(**figures, streamed_at=at))


def record_cash(account: Account, lines: Sequence[Cash], at: datetime) -> None:
    """Keep the cash the stream tells, with its time. It names what changed: no balance is removed, no older one kept."""
    for line in lines:
        known = account.cash_balances.filter(currency=line.currency, as_of__lt=at)
        told = {"amount": line.amount, "settled": line.settled, "rate": line.rate}
        known.update(as_of=at, **{column: value for column, value in told.items() if value is not None})


@transaction.atomic
def record_account(account: Account, reading: Reading) -> None:
    """Replace what is known of an account by a newer reading; an older one changes nothing."""
    snapshot, _ = AccountSnapshot.objects.select_for_update().get_or_create(
        account=account, defaults={"currency": account.base_currency}
    )
    if snapshot.as_of is not None and reading.as_of <= snapshot.as_of:
        return
    figures = {column: value for column, value in vars(reading.figures).items() if value is not None}
    AccountSnapshot.objects.filter(pk=snapshot.pk).update(
        **figures, currency=account.base_currency, as_of=reading.as_of, failure=""
    )
    _record_cash(account, reading)
    _record_positions(account, reading)


def _record_cash(account: Account, reading: Reading) -> None:
    for line in reading.cash:
        CashBalance.objects.update_or_create(
            account=account,
            currency=line.currency,
            defaults={"amount": line.amount, "settled": line.settled, "rate": line.rate, "as_of": reading.as_of},
        )
        if line.rate and line.currency != account.base_currency:
            record_rate(line.currency, account.base_currency, line.rate, reading.as_of)
    # The ledger names every currency the account has: one that is gone from it is gone from the account.
    account.cash_balances.exclude(currency__in=[line.currency for line in reading.cash]).delete()


def record_rate(from_currency: str, to_currency: str, rate: Decimal, as_of: datetime) -> None:
    ExchangeRate.objects.update_or_create(
        from_currency=from_currency, to_currency=to_currency, defaults={"rate": rate, "as_of": as_of}
    )


def _record_positions(account: Account, reading: Reading) -> None:
    kept = []
    for holding in reading.holdings:
        instrument = remember_instrument(_with_magnifier(holding))
        kept.append(instrument.pk)
        base_unrealised = None
        if holding.unrealised is not None and holding.value and holding.base_value is not None:
            base_unrealised = holding.unrealised * holding.base_value / holding.value
        Position.objects.update_or_create(
            account=account,
            instrument=instrument,
            defaults={
                "quantity": holding.quantity,
                "price": holding.price,
                "value": holding.value,
                "average_cost": holding.average_cost,
                "unrealised": holding.unrealised,
                "base_value": holding.base_value,
                "base_unrealised": base_unrealised,
                "as_of": reading.as_of,
            },
        )
    if reading.is_complete:
        account.positions.exclude(instrument__in=kept).delete()


def _with_magnifier(holding: Holding) -> Listing:
    """Learn from a position what its price is worth: pence show as a value a hundredth of price times units."""
    listing, plain = holding.listing, None
    if holding.price and holding.quantity and holding.value:
        plain = holding.price * holding.quantity * (listing.multiplier or Decimal(1)) / holding.value
    if plain is None:
        return listing
    magnifier = PENCE if abs(plain / PENCE - 1) < HALF else Decimal(1)
    return Listing(**{**vars(listing), "price_magnifier": magnifier})


def note_failure(account: Account, reason: str) -> None:
    """Keep why the newest reading failed, beside the figures of the last one that did not."""
    now = clock.now()
    AccountSnapshot.objects.update_or_create(
        account=account,
        defaults={"failure": reason[:300], "asked_at": now},
        create_defaults={"failure": reason[:300], "asked_at": now, "currency": account.base_currency},
    )


def record_allocation_figures(
    account: Account, *, net_liquidation: Decimal | None, available: Decimal | None, as_of: datetime
) -> None:
    """Keep what IBKR computes the methods N and A from."""
    columns = {
        "allocation_net_liquidation": net_liquidation,
        "allocation_available": available,
        "allocation_as_of": as_of,
    }
    AccountSnapshot.objects.update_or_create(
        account=account, defaults=columns, create_defaults={**columns, "currency": account.base_currency}
    )


def note_sync(master: MasterAccount, kind: str, *, failure: str = "") -> None:
    """Keep when a listing was last read, or why it was not."""
    now = clock.now()
    columns = {"failed_at": now, "failure": failure[:300]} if failure else {"read_at": now, "failure": ""}
    DeskSync.objects.update_or_create(master=master, kind=kind, defaults=columns)
