"""Reading what IBKR shows: portfolios, live orders, executions, groups. Every listing has its age.

Paths: /portfolio/{id}/summary, ledger, positions (after invalidate); GET /iserver/account/orders, trades;
GET /iserver/account/allocation/accounts, group. IBKR's pace is kept below, by the connection's limiter; whoever polls
does not wait for a slot that is seconds away but leaves the lane to orders and comes again.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce

from backoffice.broker import client as broker
from backoffice.broker.models import BrokerageSession, MasterAccount, SessionState
from backoffice.core import clock
from backoffice.ibkr import IbkrClient
from backoffice.ibkr.errors import AuthFailed, HeldBack, IbkrError, NotSent, RateLimited, SessionNotReady, Unavailable
from backoffice.ibkr.limits import Priority
from backoffice.ibkr.types.orders import Execution, LiveOrder, LiveOrders
from backoffice.ibkr.types.portfolio import Ledger, Position, Summary, SummaryValue
from backoffice.journal import conclusions
from backoffice.journal.models import State, Submission
from clients.models import Account
from trading import policy
from trading.models import DeskSync, Order, Status, Target
from trading.services import groups, portfolio, progress
from trading.services.portfolio import Cash, Holding, KeyFigures, Listing, Reading
from trading.services.progress import Fill, LiveWord

ALL = "All"
ACCOUNTS_PER_RUN = 25  # so that an order never waits long behind the portfolio in this lane
GROUPS_EVERY = timedelta(seconds=60)
LATE, LATE_EVERY = "late shares", timedelta(minutes=5)
ONE = Decimal(1)


def live_masters() -> Iterator[MasterAccount]:
    """Yield the connections whose brokerage session is live."""
    for session in BrokerageSession.objects.filter(state=SessionState.LIVE).select_related("master"):
        yield session.master


def conversation_is_open(master: MasterAccount) -> bool:
    """Whether IBKR waits for an answer: any further request now may void its question (trading.md 8.3)."""
    return bool(Submission.objects.in_conversation().filter(master=master, lane="trading").exists())


def live_orders(client: IbkrClient, scope: str) -> LiveOrders:
    """Return the orders of one scope, asking a second time where the first call only warms IBKR's list."""
    answer = client.orders.live(scope)
    if not answer.is_loaded:
        answer = client.orders.live(scope)
    return answer


def trades(client: IbkrClient, *, days: int, scope: str = ALL) -> tuple[Execution, ...]:
    """Return the executions of the last days, asking a second time where the first answer of a session is empty."""
    found = client.orders.trades(days=days, account_id=scope)
    if not found:
        found = client.orders.trades(days=days, account_id=scope)
    return found


def live_word(row: LiveOrder) -> LiveWord:
    return LiveWord(
        ibkr_order_id=row.order_id,
        word=row.status,
        filled=row.filled,
        average_price=row.average_price,
        words=row.cancelled_by_system_because,
    )


def fills(rows: Iterable[Execution]) -> list[Fill]:
    """Return the executions that say enough to be written; a client's share carries the client's account."""
    found = []
    for row in rows:
        account = row.allocated_account or row.account
        if row.quantity is None or row.price is None or row.executed_at is None or not account:
            continue
        found.append(Fill(row.key, row.revision, account, row.quantity, row.price, row.commission, row.executed_at))
    return found


def sync_orders() -> None:
    """Follow the orders that are open at IBKR, and those whose executions are not all here yet."""
    progress.close_void()
    for master in live_masters():
        if conversation_is_open(master):
            continue
        followed = list(_followed(master))
        if not followed:
            continue
        try:
            _sync_orders(broker.client_for(master, lane="trading", priority=Priority.POLLING), master, followed)
        except HeldBack:
            continue  # nothing was asked; the next round comes in seconds
        except IbkrError as error:
            portfolio.note_sync(master, "orders", failure=error.reason)
        else:
            portfolio.note_sync(master, "orders")


def _followed(master: MasterAccount) -> Iterator[Order]:
    """Orders IBKR has and that may still change, and those that ended with executions missing, or whose shares may move.

    What is not all here a while after the end is looked for now and then: shares of a block may show late.
    """
    now = clock.now()
    sent = Order.objects.filter(master=master).exclude(ibkr_order_id="").select_related("instrument")
    yield from sent.working().order_by("pk")
    filled = sent.filter(filled__gt=0).annotate(booked=Coalesce(Sum("executions__quantity"), Decimal(0)))
    lately = filled.filter(settled_at__gte=now - policy.SETTLING)
    yield from lately.filter(~Q(booked=F("filled")) | ~Q(target=Target.ACCOUNT))
    late = filled.filter(settled_at__lt=now - policy.SETTLING, settled_at__gte=now - policy.LATE_SHARES)
    last = DeskSync.objects.filter(master=master, kind=LATE).first()
    if last is None or last.read_at is None or now - last.read_at >= LATE_EVERY:
        if missing := list(late.filter(~Q(booked=F("filled")))):
            portfolio.note_sync(master, LATE)
        yield from missing


def _sync_orders(client: IbkrClient, master: MasterAccount, followed: list[Order]) -> None:
    by_key = {order.client_order_id: order for order in followed}
    answer = live_orders(client, ALL)
    for row in answer.orders:
        if row.client_order_id in by_key:
            progress.record_live(by_key[row.client_order_id], live_word(row))
        else:
            _note_orphan(master, row)
    oldest = min(order.sent_at or order.created_at for order in followed)
    days = min(7, max(1, (clock.now() - oldest).days + 2))
    executions = trades(client, days=days)
    for key, order in by_key.items():
        mine = fills(row for row in executions if row.client_order_id == key)
        began = order.sent_at or order.created_at
        progress.record_fills(order, mine, is_whole=clock.now() - began < timedelta(days=days - 1))


def _note_orphan(master: MasterAccount, row: LiveOrder) -> None:
    """Something works at IBKR that no submission explains: someone trades elsewhere, or we lost a row. An order that was
    given up is the journal's to look for and to tell of; only when it has stopped looking is it told of here.

    Our own key says whose it is; the id says it only of a row without one, for ids may be others in another session.
    """
    forgotten = Q(status=Status.VOID, submission__next_look_at=None, submission__reference="")
    ours = Order.objects.filter(master=master).exclude(forgotten)
    named = ours.filter(client_order_id=row.client_order_id) if row.client_order_id else None
    if not (ours.filter(ibkr_order_id=row.order_id) if named is None else named).exists():
        conclusions.note_orphan("order", row.order_id)


def sync_portfolios() -> None:
    """Read the accounts whose figures are oldest, and the groups. Gives way to whatever waits to be sent."""
    for master in live_masters():
        if conversation_is_open(master):
            continue
        try:
            client = broker.client_for(master, lane="trading", priority=Priority.POLLING)
            _sync_groups(client, master)
            accounts = Account.objects.open().filter(master=master).select_related("snapshot")
            ordered = accounts.order_by(F("snapshot__asked_at").asc(nulls_first=True), "number")
            for account in ordered[:ACCOUNTS_PER_RUN]:
                if _is_wanted_elsewhere(master):
                    break
                read_account(client, account)
        except HeldBack:
            continue
        except IbkrError as error:
            portfolio.note_sync(master, "portfolio", failure=error.reason)
        else:
            portfolio.note_sync(master, "portfolio")


def _is_wanted_elsewhere(master: MasterAccount) -> bool:
    waiting = Submission.objects.filter(
        master=master, lane="trading", state__in=[State.READY, State.REPLYING], due_at__lte=clock.now()
    )
    return bool(waiting.exists())


def read_account(client: IbkrClient, account: Account) -> bool:
    """Read one account and write it down. False when IBKR gave no usable answer; that is kept beside the old figures.

    Raises AuthFailed, RateLimited and NotSent: they are about the session, not about this account.
    """
    try:
        reading = _read(client, account)
    except SessionNotReady:
        client.portfolio.subaccounts()  # /portfolio answers only after this call (trading.md 2)
        reading = _read(client, account)
    except (AuthFailed, RateLimited, NotSent):
        raise
    except IbkrError as error:
        portfolio.note_failure(account, error.reason)
        return False
    portfolio.record_account(account, reading)
    return True


def _read(client: IbkrClient, account: Account) -> Reading:
    summary = client.portfolio.summary(account.number)
    ledger = client.portfolio.ledger(account.number)
    client.portfolio.invalidate(account.number)
    positions = client.portfolio.positions(account.number)
    if not positions and _holds_something(ledger):
        raise Unavailable("IBKR lists no positions, though its ledger shows a value of securities. Kept as it was.")
    return Reading(
        figures=_key_figures(summary, ledger),
        cash=tuple(
            Cash(currency, line.cash, line.settled_cash, line.exchange_rate)
            for currency, line in ledger.currencies.items()
            if line.cash is not None
        ),
        holdings=tuple(_holding(row, account) for row in positions if row.quantity),
        as_of=clock.now(),
    )


def _holds_something(ledger: Ledger) -> bool:
    lines = [*ledger.currencies.values(), *([ledger.base] if ledger.base else [])]
    return any(line.stock_value or line.bond_value or line.option_value or line.fund_value for line in lines)


def _key_figures(summary: Summary, ledger: Ledger) -> KeyFigures:
    def amount(value: SummaryValue | None) -> Decimal | None:
        return None if value is None else value.amount

    return KeyFigures(
        net_liquidation=amount(summary.net_liquidation),
        total_cash=amount(summary.total_cash),
        excess_liquidity=amount(summary.excess_liquidity),
        available_funds=amount(summary.available_funds),
        buying_power=amount(summary.buying_power),
        unrealised=ledger.base.unrealised_pnl if ledger.base else None,
    )


def _holding(row: Position, account: Account) -> Holding:
    base_value = row.base_market_value
    if base_value is None and row.currency == account.base_currency:
        base_value = row.market_value
    return Holding(
        listing=Listing(
            conid=row.conid,
            symbol=row.symbol or row.description,
            currency=row.currency,
            name=row.name,
            exchange=row.listing_exchange,
            asset_class=row.asset_class,
            sector=row.sector,
            tick=_tick(row),
            multiplier=row.multiplier or ONE,
        ),
        quantity=row.quantity or Decimal(0),
        price=row.market_price,
        value=row.market_value,
        average_cost=row.average_price or row.average_cost,
        unrealised=row.unrealised_pnl,
        base_value=base_value,
    )


def _tick(row: Position) -> Decimal | None:
    """Return the price step IBKR gives with a position, where there is one step for all prices."""
    rules = row.raw.get("incrementRules")
    steps = [rule.get("increment") for rule in rules if isinstance(rule, dict)] if isinstance(rules, list) else []
    if len(steps) == 1 and isinstance(steps[0], int | Decimal) and steps[0] > 0:
        return Decimal(steps[0])
    return None


def _sync_groups(client: IbkrClient, master: MasterAccount) -> None:
    last = DeskSync.objects.filter(master=master, kind="groups").first()
    if last is not None and last.read_at is not None and clock.now() - last.read_at < GROUPS_EVERY:
        return
    read_groups(client, master)
    portfolio.note_sync(master, "groups")


def read_groups(client: IbkrClient, master: MasterAccount) -> None:
    """Read every group with its members, and the figures methods A and N are computed from."""
    client.session.accounts()
    listed = client.allocation.groups()
    found = [client.allocation.group(row.name) for row in listed]
    figures = client.allocation.accounts()
    now = clock.now()
    accounts = {account.number: account for account in Account.objects.filter(master=master)}
    with transaction.atomic():
        for group in found:
            groups.record_group(
                master, group.name, group.method, [(member.account_id, member.amount) for member in group.members]
            )
        groups.record_listing(master, [group.name for group in found])
        for row in figures:
            if row.account_id in accounts:
                portfolio.record_allocation_figures(
                    accounts[row.account_id],
                    net_liquidation=row.net_liquidation,
                    available=row.available_equity,
                    as_of=now,
                )
