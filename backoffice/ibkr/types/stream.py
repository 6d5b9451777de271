"""What the stream tells: one event per piece of news. `at` is when it reached us (aware UTC), not when it happened."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from backoffice.ibkr.types.balances import ProfitRow
from backoffice.ibkr.types.market_data import Snapshot
from backoffice.ibkr.types.orders import Execution, LiveOrder, Question
from backoffice.ibkr.types.portfolio import LedgerLine, SummaryValue
from backoffice.ibkr.types.session import BrokerageAccounts


@dataclass(frozen=True, slots=True)
class Event:
    """Any piece of news."""

    at: datetime


@dataclass(frozen=True, slots=True)
class ConnectionEvent(Event):
    """The line was opened, or is lost for `reason`. What happened while it was down is never told: look."""

    is_open: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SessionEvent(Event):
    """What IBKR says of the brokerage session. Either is None where it did not say: then it is as it was."""

    authenticated: bool | None
    competing: bool | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class AccountsEvent(Event):
    """The accounts of the session, as `session.accounts` gives them."""

    accounts: BrokerageAccounts


@dataclass(frozen=True, slots=True)
class QuoteEvent(Event):
    """An instrument's market as it is now, differences merged.

    `target` is what was asked for, "265598" or "265598@NYSE": the same instrument has another market at each exchange.
    """

    quote: Snapshot
    target: str = ""


@dataclass(frozen=True, slots=True)
class OrderEvent(Event):
    """An order as far as the line has told of it; `changed` are the members (IBKR's names) that this message had.

    A reason to look at the order, not a proof: a line that was opened late knows only a part.
    """

    order: LiveOrder
    changed: frozenset[str]


@dataclass(frozen=True, slots=True)
class TradeEvent(Event):
    """A fill, told once and again when it is corrected or its commission is known."""

    execution: Execution


@dataclass(frozen=True, slots=True)
class PnlEvent(Event):
    """Profit of the accounts and models this message was about, each row whole."""

    rows: tuple[ProfitRow, ...]


@dataclass(frozen=True, slots=True)
class LedgerEvent(Event):
    """An account's cash by currency ("BASE" is its base currency), as far as it was subscribed to."""

    account_id: str
    lines: Mapping[str, LedgerLine]


@dataclass(frozen=True, slots=True)
class SummaryEvent(Event):
    """Key figures of an account by IBKR's names in lower case, as far as they were subscribed to."""

    account_id: str
    values: Mapping[str, SummaryValue]


@dataclass(frozen=True, slots=True)
class NotificationEvent(Event):
    """A message to the user, or a bulletin to everybody. The text may contain HTML: never show it as such."""

    notification_id: str
    text: str
    title: str = ""
    is_bulletin: bool = False


@dataclass(frozen=True, slots=True)
class PromptEvent(Event):
    """IBKR asks about an order that was placed: answer with `orders.answer_prompt`, or it may never work."""

    question: Question


@dataclass(frozen=True, slots=True)
class StreamError(Event):
    """Something failed or could not be read. With `is_final` the stream has closed itself: this bearer is dead."""

    reason: str
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class UnknownEvent(Event):
    """A topic we do not know: news to be recorded. `raw` is redacted."""

    topic: str
    raw: dict[str, Any] = field(default_factory=dict)
