"""What the stream brings to the desk: quotes, profit and cash become rows with their time; orders are looked at.

No state of an order moves because of a frame: an order, a fill, a prompt or a line that was opened again is a reason to
ask IBKR now (`trading.sync_orders`), whose answer is what counts.

Market data lines are few (settings.MARKET_DATA_LINES, of which some are left to quotes people ask for). They go, in this
order, to the instruments somebody looks at now, to those of working orders, and to the largest positions of the
connection. Cash is followed of the accounts somebody looks at now.
"""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Sum
from django.db.models.functions import Abs

from backoffice.broker.models import MasterAccount
from backoffice.broker.streaming import Listener, Wishes
from backoffice.core import clock, doorbell
from backoffice.ibkr.parsing import Price
from backoffice.ibkr.types.balances import ProfitRow
from backoffice.ibkr.types.market_data import Snapshot
from backoffice.ibkr.types.stream import (
    ConnectionEvent,
    Event,
    LedgerEvent,
    OrderEvent,
    PnlEvent,
    PromptEvent,
    QuoteEvent,
    TradeEvent,
)
from clients.models import Account
from trading.models import AccountSnapshot, Instrument, Order, Position
from trading.services import portfolio
from trading.services.portfolio import Cash

SYNC_ORDERS = "trading.sync_orders"
SYNC_PORTFOLIOS = "trading.sync_portfolios"
LINES_LEFT_TO_PEOPLE = 10  # each snapshot over REST takes one, too
MOST_HELD = 60
MOST_LEDGERS = 10
HELD_FOR = timedelta(minutes=1)
PROFIT_EVERY = timedelta(seconds=5)
PORTFOLIO_SECONDS = 60  # as often as the schedule reads portfolios anyway, however often the line opens
LOOK_SECONDS = 3  # orders are not looked at more often than that, however much the stream tells of them
WHOLE_ACCOUNT = ("", "Core")


class Desk:
    """Hears the streams of all connections; remembers what must not be told twice too quickly."""

    def __init__(self) -> None:
        self._asked: dict[tuple[Any, str], int] = {}
        self._divided: set[str] = set()
        self._held: dict[Any, tuple[datetime, list[str]]] = {}
        self._profit: dict[Any, dict[str, tuple[ProfitRow, datetime]]] = {}
        self._profit_kept: dict[Any, datetime] = {}

    def wishes(self, master: MasterAccount) -> Wishes:
        """Return which instruments and accounts are worth following on this connection now."""
        now = clock.now()
        lines = settings.MARKET_DATA_LINES - LINES_LEFT_TO_PEOPLE
        watched = Instrument.objects.filter(watched_until__gt=now).order_by("-watched_until")
        working = Order.objects.filter(master=master).working().order_by("-sent_at")
        conids = [
            *watched.values_list("conid", flat=True)[:lines],
            *working.values_list("instrument__conid", flat=True)[:lines],
            *self._largest(master, now),
        ]
        looked_at = AccountSnapshot.objects.filter(account__master=master, watched_until__gt=now)
        numbers = looked_at.order_by("-watched_until").values_list("account__number", flat=True)[:MOST_LEDGERS]
        return Wishes(tuple(dict.fromkeys(conids))[:lines], tuple(numbers))

    def _largest(self, master: MasterAccount, now: datetime) -> list[str]:
        known = self._held.get(master.pk)
        if known is not None and now - known[0] < HELD_FOR:
            return known[1]
        held = (
            Position.objects.filter(account__in=Account.objects.open().filter(master=master))
            .values("instrument__conid")
            .annotate(worth=Sum(Abs("base_value")))
            .order_by("-worth", "instrument__conid")
        )
        found = list(held.values_list("instrument__conid", flat=True)[:MOST_HELD])
        self._held[master.pk] = (now, found)
        return found

    def take(self, master: MasterAccount, news: Sequence[Event]) -> None:
        """Write what came, the newest of each thing, and look at orders where something was said of them."""
        quotes: dict[str, Snapshot] = {}
        for event in news:
            match event:
                case QuoteEvent():
                    quotes[event.quote.conid] = event.quote
                case PnlEvent():
                    self._hear_profit(master, event)
                case LedgerEvent():
                    _take_cash(master, event)
        for instrument in Instrument.objects.filter(conid__in=quotes):
            _take_quote(instrument, quotes[instrument.conid])
        self._keep_profit(master)
        if any(_is_about_orders(event) for event in news):
            self._ask_now(master, SYNC_ORDERS, LOOK_SECONDS)
        if any(isinstance(event, ConnectionEvent) and event.is_open for event in news):
            self._ask_now(master, SYNC_PORTFOLIOS, PORTFOLIO_SECONDS)  # nobody waits a minute for the first figures

    def _hear_profit(self, master: MasterAccount, event: PnlEvent) -> None:
        # Of an account divided into models, "Core" is only what belongs to none of them: no figure of the whole.
        self._divided |= {row.account_id for row in event.rows if row.model not in WHOLE_ACCOUNT}
        waiting = self._profit.setdefault(master.pk, {})
        waiting |= {row.account_id: (row, event.at) for row in event.rows if row.account_id not in self._divided}

    def _keep_profit(self, master: MasterAccount) -> None:
        """Write the newest figures of every account, every now and then: they come each second, pages ask less often."""
        now = clock.now()
        kept = self._profit_kept.get(master.pk)
        waiting = self._profit.get(master.pk)
        if not waiting or (kept is not None and now - kept < PROFIT_EVERY):
            return
        for account in Account.objects.filter(master=master, number__in=waiting):
            row, at = waiting[account.number]
            portfolio.record_profit(
                account,
                daily=row.daily,
                unrealised=row.unrealised,
                net_liquidation=row.net_liquidation,
                excess_liquidity=row.excess_liquidity,
                at=at,
            )
        waiting.clear()
        self._profit_kept[master.pk] = now

    def _ask_now(self, master: MasterAccount, task: str, seconds: int) -> None:
        now = time.monotonic_ns() // 1_000_000_000
        if now - self._asked.get((master.pk, task), -seconds) >= seconds:
            self._asked[master.pk, task] = now
            doorbell.ring(task)


def _is_about_orders(event: Event) -> bool:
    if isinstance(event, ConnectionEvent):
        return event.is_open  # nothing is told of the time without a line
    return isinstance(event, OrderEvent | TradeEvent | PromptEvent)


def _take_quote(instrument: Instrument, quote: Snapshot) -> None:
    if not quote.has_data:
        return
    last = quote.last
    portfolio.record_quote(
        instrument,
        bid=_value(quote.bid),
        ask=_value(quote.ask),
        last=_value(last),
        availability=quote.availability,
        is_last_previous_close=bool(last and last.is_previous_close),
        is_halted=bool(last and last.is_halted),
        at=quote.updated or clock.now(),
    )


def _take_cash(master: MasterAccount, event: LedgerEvent) -> None:
    account = Account.objects.filter(master=master, number=event.account_id).first()
    if account is None:
        return
    lines = [
        Cash(currency, line.cash, line.settled_cash, line.exchange_rate)
        for currency, line in event.lines.items()
        if line.cash is not None
    ]
    portfolio.record_cash(account, lines, event.at)


def _value(price: Price | None) -> Any:
    return None if price is None else price.value


def listener() -> Listener:
    """Return the desk as the stream's listener, to be registered once."""
    desk = Desk()
    return Listener(wishes=desk.wishes, take=desk.take)
