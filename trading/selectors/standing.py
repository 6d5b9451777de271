"""What a ticket is judged by: how each account stands, the price it is reckoned with, twins, session and gates."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from backoffice.broker.models import BrokerageSession, Gate, SessionState
from backoffice.core import clock
from backoffice.people.models import User
from clients.models import Account
from trading import policy, preview
from trading.allocation import Figures
from trading.models import AccountSnapshot, Instrument, Order, Position, Side, Status, Target
from trading.selectors.rates import Rates


@dataclass(frozen=True)
class Reference:
    """The price an order is compared with, and where it came from. None when nothing is known."""

    price: Decimal | None
    note: str = ""
    as_of: datetime | None = None


def reference_price(instrument: Instrument, accounts: Sequence[Account]) -> Reference:
    """Return the last quote, or the newest price of a held position where no quote is known or it is older."""
    position = (
        Position.objects.filter(instrument=instrument, price__isnull=False).order_by("-as_of").first()
        if instrument.quoted_at is None or instrument.last is None
        else None
    )
    if instrument.last is not None and instrument.quoted_at is not None:
        word = "the previous close" if instrument.is_last_previous_close else "last"
        return Reference(instrument.last, word, instrument.quoted_at)
    if position is not None:
        return Reference(position.price, "the price of held positions", position.as_of)
    return Reference(None)


def of_accounts(accounts: Sequence[Account], instrument: Instrument) -> dict[str, preview.Standing]:
    """Return each account's standing by its number, with money in the instrument's currency."""
    rates = Rates()
    snapshots = {row.account_id: row for row in AccountSnapshot.objects.filter(account__in=accounts)}
    held = {row.account_id: row for row in Position.objects.filter(account__in=accounts, instrument=instrument)}
    found = {}
    for account in accounts:
        snapshot, position = snapshots.get(account.pk), held.get(account.pk)
        known = snapshot if snapshot is not None and snapshot.as_of is not None else None
        found[account.number] = preview.Standing(
            number=account.number,
            is_open=account.is_open,
            held=position.quantity if position else Decimal(0),
            net_liquidation=_converted(rates, known.net_liquidation, known.currency, instrument) if known else None,
            cash=_converted(rates, known.total_cash, known.currency, instrument) if known else None,
            as_of=known.as_of if known else None,
        )
    return found


def _converted(rates: Rates, amount: Decimal | None, currency: str, instrument: Instrument) -> Decimal | None:
    return _to_cents(rates.convert(amount, currency, instrument.currency))


def common_currency(accounts: Sequence[Account]) -> str:
    """Return the base currency that all these accounts have, or USD where they have different ones."""
    currencies = {account.base_currency for account in accounts}
    return str(currencies.pop()) if len(currencies) == 1 else "USD"


def allocation_figures(accounts: Sequence[Account]) -> dict[str, Figures]:
    """Return what IBKR computes the methods N and A from, all in `common_currency`; None where it is not known in that.

    IBKR gives these figures without saying whether they are in each account's base currency or in the master's
    (trading.md 9.3). So they count where they agree with the summary, whose currency is known; else the summary's do.
    """
    common, rates = common_currency(accounts), Rates()
    found = {}
    for row in AccountSnapshot.objects.filter(account__in=accounts).select_related("account"):
        worth, available = row.net_liquidation, row.available_funds
        given = row.allocation_net_liquidation
        is_alone = worth is None and row.currency == common
        if given is not None and (is_alone or _agree(given, worth)):
            worth = given
            available = available if row.allocation_available is None else row.allocation_available
        found[row.account.number] = Figures(
            _to_cents(rates.convert(worth, row.currency, common)),
            _to_cents(rates.convert(available, row.currency, common)),
        )
    return found


def _agree(given: Decimal, worth: Decimal | None) -> bool:
    """Whether two figures can be the same sum in the same currency, read some moments apart."""
    return worth is not None and abs(given - worth) * 100 <= abs(worth)


def _to_cents(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else amount.quantize(Decimal("0.01"))


def facts(order: Order, *, by: User) -> preview.Facts:
    """Gather what the checks of a draft look at, as things stand now."""
    rows = [
        preview.Row(
            number=row.account.number,
            quantity=row.quantity,
            has_odd_unit=row.has_odd_unit,
            basis=row.basis or Decimal(0),
            held=row.held or Decimal(0),
            weight_before=row.weight_before,
            weight_after=row.weight_after,
            cash_after=row.cash_after,
            flags=tuple(row.flags),
            as_of=row.as_of,
        )
        for row in order.allocations.select_related("account")
    ]
    twin = twin_of(order)
    gate = Gate.objects.closed_for(master=order.master, lane="trading").first()
    session = BrokerageSession.objects.filter(master=order.master).first()
    return preview.Facts(
        quantity=order.quantity,
        symbol=order.instrument.symbol,
        sign=1 if order.side == Side.BUY else -1,
        rows=rows,
        limit=order.limit_price,
        tick=order.instrument.tick,
        last=order.reference_price,
        last_note=order.reference_note,
        value_usd=Rates().convert(order.value, order.instrument.currency, "USD"),
        limit_usd=policy.order_limit(by.role),
        twin=f"{twin.reference}, {twin.maker.name if twin.maker else 'not ours'}," if twin else "",
        has_twin_reason=bool(order.twin_reason),
        group_seen_at=order.group.seen_at if order.target == Target.GROUP and order.group else None,
        is_session_live=session is not None and session.state == SessionState.LIVE,
        gate_reason=gate.reason if gate else "",
        now=clock.now(),
    )


def twin_of(order: Order) -> Order | None:
    """Return another order of the last minutes for the same units of the same instrument in one of the same accounts."""
    accounts = [row.account_id for row in order.allocations.all()]
    found: Order | None = (
        Order.objects.filter(
            instrument=order.instrument,
            side=order.side,
            quantity=order.quantity,
            sent_at__gte=clock.now() - policy.TWIN_WINDOW,
            allocations__account__in=accounts,
        )
        .exclude(pk=order.pk)
        .exclude(status__in=[Status.DRAFT, Status.VOID, Status.REJECTED, Status.DECLINED])
        .select_related("maker")
        .order_by("-sent_at")
        .first()
    )
    return found
