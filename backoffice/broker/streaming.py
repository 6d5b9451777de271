"""The stream of a live session, for whoever registers: what is subscribed to, and who hears what it brings.

An app registers a `Listener` in its `AppConfig.ready()`; so the keeper serves apps it does not know. News is heard in
the keeper's thread, in batches of about a second, outside any transaction.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from backoffice.broker.models import MasterAccount
from backoffice.ibkr.stream import Stream
from backoffice.ibkr.types.stream import ConnectionEvent, Event, SessionEvent, StreamError, UnknownEvent

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wishes:
    """What one listener wants now: market data of these instruments, cash of these accounts."""

    conids: Sequence[str] = ()
    ledgers: Sequence[str] = ()


@dataclass(frozen=True)
class Listener:
    """`wishes` is asked every few seconds; `take` gets what came, in order. Orders, fills and profit always come."""

    wishes: Callable[[MasterAccount], Wishes]
    take: Callable[[MasterAccount, Sequence[Event]], None]


@dataclass(frozen=True)
class LineState:
    """What the connections page says of the stream."""

    since: datetime | None
    heard_at: datetime | None
    topics: int
    detail: str


class Listeners:
    """Who listens, in the order of registration; adding one twice keeps one."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def add(self, listener: Listener) -> None:
        if listener not in self._listeners:
            self._listeners.append(listener)

    @contextmanager
    def holding(self, *listeners: Listener) -> Iterator[None]:
        """Hold only these for a while: the stream is tried without the apps."""
        before, self._listeners = self._listeners, list(listeners)
        try:
            yield
        finally:
            self._listeners = before

    def __iter__(self) -> Iterator[Listener]:
        return iter(tuple(self._listeners))


listeners = Listeners()


class Line:
    """One session's stream between IBKR and the listeners."""

    def __init__(self, master: MasterAccount, open_stream: Callable[[Callable[[Event], object]], Stream]) -> None:
        self._master = master
        self._news: list[Event] = []
        self._stream = open_stream(self._news.append)
        self._stream.watch_orders()
        self._stream.watch_trades()
        self._stream.watch_profit()
        self._watched = Wishes()
        self._since: datetime | None = None
        self._detail = ""

    @property
    def is_over(self) -> bool:
        """Whether IBKR refused it for good, because the sign-on behind it is dead."""
        return self._stream.is_closed

    @property
    def state(self) -> LineState:
        """How the line stands."""
        topics = len(self._stream.subscriptions) if self._stream.is_open else 0
        return LineState(self._since, self._stream.heard_at, topics, self._detail)

    def subscribe(self) -> None:
        """Ask for what the listeners want now, and no longer for the rest."""
        asked = [listener.wishes(self._master) for listener in listeners]
        wanted = Wishes(
            tuple(dict.fromkeys(conid for each in asked for conid in each.conids)),
            tuple(dict.fromkeys(number for each in asked for number in each.ledgers)),
        )
        for conid in set(self._watched.conids) - set(wanted.conids):
            self._stream.unwatch_quotes(conid)
        for number in set(self._watched.ledgers) - set(wanted.ledgers):
            self._stream.unwatch("sld", number)
        for conid in wanted.conids:
            if conid not in self._watched.conids:
                self._stream.watch_quotes(conid)
        for number in wanted.ledgers:
            if number not in self._watched.ledgers:
                self._stream.watch_ledger(number)
        self._watched = wanted

    def run(self, seconds: int) -> bool:
        """Keep it for so many seconds and hand over what came. True when it spoke of the session: then look at it."""
        self._stream.pump(seconds)
        news = tuple(self._news)
        self._news.clear()
        is_doubtful = False
        for event in news:
            match event:
                case ConnectionEvent():
                    self._since = event.at if event.is_open else None
                    self._detail = event.reason
                case StreamError():
                    self._detail = event.reason if not self._stream.is_open else self._detail
                    is_doubtful |= event.is_final
                    log.warning("stream of %s: %s", self._master.account, event.reason)
                case SessionEvent():
                    is_doubtful |= not event.authenticated or bool(event.competing)
                case UnknownEvent():
                    log.warning("stream of %s: a topic we do not know, %s", self._master.account, event.topic)
        if news:
            for listener in listeners:
                listener.take(self._master, news)
        return is_doubtful

    def close(self) -> None:
        """End it."""
        self._stream.close()
