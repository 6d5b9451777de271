"""What the stream's messages mean. No input and output here: a frame and what is known go in, events come out.

Market data, orders, profit, ledgers and summaries arrive as differences, so what is known is kept for as long as one
connection lasts (`Known`); a new connection begins with whole messages and a new `Known`.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from backoffice.ibkr.answers import list_of
from backoffice.ibkr.orders.outcomes import prompt_of
from backoffice.ibkr.parsing import flag, text_id
from backoffice.ibkr.redaction import redact_members
from backoffice.ibkr.types.balances import ProfitRow
from backoffice.ibkr.types.market_data import MarketLine
from backoffice.ibkr.types.orders import Execution, LiveOrder
from backoffice.ibkr.types.portfolio import LedgerLine, SummaryValue
from backoffice.ibkr.types.session import BrokerageAccounts
from backoffice.ibkr.types.stream import (
    AccountsEvent,
    Event,
    LedgerEvent,
    NotificationEvent,
    OrderEvent,
    PnlEvent,
    PromptEvent,
    QuoteEvent,
    SessionEvent,
    StreamError,
    SummaryEvent,
    TradeEvent,
    UnknownEvent,
)
from backoffice.ibkr.wire import Unreadable, decode

MOST_KNOWN = 20_000  # orders and fills remembered of one connection; past it the oldest are forgotten
_LEDGER_KEY = "LedgerList"
Members = dict[str, Any]


class Known:
    """What one connection has told so far."""

    def __init__(self) -> None:
        self._markets: dict[str, MarketLine] = {}
        self._parts: dict[tuple[str, str, str], Members] = {}
        self._ledgers: dict[str, dict[str, LedgerLine]] = {}
        self._summaries: dict[str, dict[str, SummaryValue]] = {}

    def take(self, frame: str | bytes, at: datetime) -> list[Event]:
        """Return the news in one frame, text or binary. What cannot be read is a StreamError, never an exception."""
        try:
            message = decode(frame if isinstance(frame, bytes) else frame.encode())
        except (Unreadable, UnicodeError):
            return [StreamError(at, "IBKR sent something that is no message")]
        if not isinstance(message, dict):
            return [StreamError(at, "IBKR sent something that is no message")]
        topic = message.get("topic")
        name, _, target = topic.partition("+") if isinstance(topic, str) else ("", "", "")
        try:
            return list(self._read(name, target, message, at))
        except ValueError:
            return [StreamError(at, f"IBKR's message on {name or 'nothing'} cannot be read")]

    def forget_market(self, target: str) -> None:
        """Forget a market nobody watches any more, so that an old figure is never merged with a new one."""
        self._markets.pop(target, None)

    def _read(self, name: str, target: str, message: Members, at: datetime) -> Iterator[Event]:
        if message.get("error") is not None or name == "error":  # an error of null stands beside what went well
            yield StreamError(at, _words(message.get("error")) or "IBKR reports an error")
        elif (reader := _READERS.get(name)) is not None:
            yield from reader(self, target, message, at)
        elif name not in _SILENT and not (name[:1] == "u" and "result" in message):
            yield UnknownEvent(at, _words(message.get("topic")), redact_members(message))

    def _merged(self, kind: str, owner: str, key: str, changes: Mapping[str, Any]) -> Members:
        place = (kind, owner, key)
        whole = self._parts.pop(place, {}) | {name: value for name, value in changes.items() if value is not None}
        self._parts[place] = whole
        if len(self._parts) > MOST_KNOWN:
            del self._parts[next(iter(self._parts))]
        return whole

    def _quote(self, target: str, message: Members, at: datetime) -> Iterator[Event]:
        conid = text_id(message.get("conid") or target.partition("@")[0])
        line = self._markets.setdefault(target or conid, MarketLine(conid))
        yield QuoteEvent(at, line.take(message), target or conid)

    def _orders(self, _target: str, message: Members, at: datetime) -> Iterator[Event]:
        for row in _rows(message):
            key = text_id(row.get("orderId"))
            order = LiveOrder.read(self._merged("sor", "", key, row))
            yield OrderEvent(at, order, frozenset(row))

    def _trades(self, _target: str, message: Members, at: datetime) -> Iterator[Event]:
        for row in _rows(message):
            key = text_id(row.get("execution_id"))
            before = self._parts.get(("str", "", key))
            if (whole := self._merged("str", "", key, row)) != before:
                yield TradeEvent(at, Execution.read(whole))

    def _profit(self, _target: str, message: Members, at: datetime) -> Iterator[Event]:
        rows = []
        for key, row in _object(message.get("args")).items():
            account, _, model = key.partition(".")
            whole = self._merged("spl", "", key, _object(row))
            rows.append(ProfitRow.read({**whole, "account_id": account, "model": model}))
        yield PnlEvent(at, tuple(rows))

    def _ledger(self, target: str, message: Members, at: datetime) -> Iterator[Event]:
        lines = self._ledgers.setdefault(target, {})
        for row in _rows(message, "result"):
            currency = text_id(row.get("key")).removeprefix(_LEDGER_KEY)
            lower = {name.lower(): value for name, value in row.items()}
            whole = self._merged("sld", target, currency, lower)
            lines[currency] = LedgerLine.read({**whole, "currency": currency})
        yield LedgerEvent(at, target, dict(lines))

    def _summary(self, target: str, message: Members, at: datetime) -> Iterator[Event]:
        values = self._summaries.setdefault(target, {})
        for row in _rows(message, "result"):
            key = text_id(row.get("key")).lower()
            whole = self._merged("ssd", target, key, row)
            values[key] = SummaryValue.read({**whole, "amount": whole.get("monetaryValue")})
        yield SummaryEvent(at, target, dict(values))

    def _session(self, _target: str, message: Members, at: datetime) -> Iterator[Event]:
        said = _object(message.get("args"))
        yield SessionEvent(
            at,
            authenticated=flag(said.get("authenticated")),
            competing=flag(said.get("competing")),
            message=_words(said.get("message")),
        )

    def _accounts(self, _target: str, message: Members, at: datetime) -> Iterator[Event]:
        yield AccountsEvent(at, BrokerageAccounts.read(_object(message.get("args"))))

    def _notice(self, _target: str, message: Members, at: datetime) -> Iterator[Event]:
        args = message.get("args")
        for row in _rows({"args": args if isinstance(args, list) else [args]}):
            if (question := prompt_of(row)) is not None:
                yield PromptEvent(at, question)
            else:
                yield NotificationEvent(at, _words(row.get("id")), _words(row.get("text")), _words(row.get("title")))

    def _bulletin(self, _target: str, message: Members, at: datetime) -> Iterator[Event]:
        said = _object(message.get("args"))
        yield NotificationEvent(at, _words(said.get("id")), _words(said.get("message")), is_bulletin=True)


_Reader = Callable[[Known, str, Members, datetime], Iterator[Event]]
_READERS: dict[str, _Reader] = {
    "smd": Known._quote,
    "sor": Known._orders,
    "str": Known._trades,
    "spl": Known._profit,
    "sld": Known._ledger,
    "ssd": Known._summary,
    "sts": Known._session,
    "act": Known._accounts,
    "ntf": Known._notice,
    "blt": Known._bulletin,
}
_SILENT = frozenset({"system", "tic", "ech"})  # the greeting and heartbeats: that they came is all they say


def _rows(message: Members, name: str = "args") -> list[Members]:
    return [_object(row) for row in list_of(message.get(name))]


def _object(value: object) -> Members:
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _words(value: object) -> str:
    return "" if value is None or isinstance(value, dict | list) else str(value)
