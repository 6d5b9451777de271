"""One connection of the websocket: it hears what its client asks, and tells what it has subscribed to (topics.py)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from backoffice.sandbox import windows
from backoffice.sandbox.clock import moment
from backoffice.sandbox.jsonio import dumps, loads

from . import chain, quotes, sessions, topics
from .desk import ROOT, Desk
from .sessions import Session
from .topics import Frame, Ledger, Mistake, Orders, Profit, Quotes, Scope, Summary, Trades

PATH = f"{ROOT}/ws"
_BROKERAGE = frozenset({"smd", "smh", "sor", "str"})
_POLL_MILLISECONDS = 100


@dataclass
class Connection:
    """One open socket and everything it has subscribed to, which is forgotten with it."""

    desk: Desk
    socket: WebSocket
    token: str
    username: str
    master: str
    ending: tuple[int, str] | None = None  # code and reason of a close that is due
    is_silent: bool = False
    stalled: set[str] = field(default_factory=set)
    outbox: list[str] = field(default_factory=list)  # frames that the outside has put in
    quotes: dict[str, Quotes] = field(default_factory=dict)
    charts: dict[str, str] = field(default_factory=dict)  # server id: target
    orders: Orders | None = None
    trades: Trades | None = None
    profit: Profit | None = None
    summaries: dict[str, Summary] = field(default_factory=dict)
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    told: tuple[bool, bool] | None = None  # the last sts: authenticated, competing
    heartbeat_due: datetime | None = None
    last_prompt: int = -1
    bulletins: int = 0

    async def run(self) -> None:
        """Listen and look until either side ends it."""
        listener = asyncio.create_task(self._listen())
        try:
            while not listener.done() and self.ending is None:
                for frame in self.look():
                    await self._send(frame)
                await self._send_the_outbox()
                await asyncio.wait({listener}, timeout=self._pause())
            if self.ending is not None and self.socket.client_state is WebSocketState.CONNECTED:
                await self.socket.close(*self.ending)
        except (WebSocketDisconnect, RuntimeError):  # the socket was closed while something was on its way
            return
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)

    def _pause(self) -> float:
        return int(self.desk.knob("stream_poll_milliseconds", _POLL_MILLISECONDS)) / 1000  # seconds of asyncio's own

    async def _listen(self) -> None:
        while True:
            message = await self.socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if text is None:
                text = (message.get("bytes") or b"").decode("utf-8", "replace")
            with self.desk.sandbox.store.transaction():
                frames = self.hear(text)
            for frame in frames:
                await self._send(frame)

    async def _send(self, frame: Frame) -> None:
        topic = str(frame.get("topic", "")).partition("+")[0]
        if not self.is_silent and topic not in self.stalled:
            await self._send_text(dumps(frame))

    async def _send_the_outbox(self) -> None:
        frames, self.outbox = self.outbox, []
        for text in frames:
            await self._send_text(text)

    async def _send_text(self, text: str) -> None:
        if self.desk.knob("stream_binary", False):
            await self.socket.send_bytes(text.encode())
        else:
            await self.socket.send_text(text)

    # -- what comes out -----------------------------------------------------------------------------------------

    def look(self) -> list[Frame]:
        """Bring the world up to now and return what is to be told."""
        sandbox = self.desk.sandbox
        with sandbox.store.transaction():
            sandbox.tick()
            session = sessions.peek(sandbox, self.token)
            is_signed_on = self._is_signed_on()
            if session is None and is_signed_on:
                session = sessions.of(sandbox, self.token, self.username, self.master)
            if session is None or not is_signed_on:
                self.ending = (1000, "logged out")
                return [self._status(is_authenticated=False, is_competing=False)]
            if is_closed(self.desk):
                self.ending = (1001, "maintenance")
                return []
            scope = Scope(self.desk, session)
            frames = [*self._greeting(), *self._news_of_the_session(session), *self._heartbeat(scope)]
            for topic in self._topics():
                frames += topic.look(scope)
            self.quotes = {target: each for target, each in self.quotes.items() if not each.is_over(scope)}
            return [*frames, *self._prompts(scope)]

    def _is_signed_on(self) -> bool:
        expires = self.desk.sandbox.store.value("SELECT expires_at FROM sso_bearers WHERE token = ?", self.token)
        return expires is not None and moment(expires) > self.desk.sandbox.clock.wall()

    def _topics(self) -> list[Any]:
        single = [topic for topic in (self.orders, self.trades, self.profit) if topic is not None]
        return [*self.quotes.values(), *single, *self.summaries.values(), *self.ledgers.values()]

    def _greeting(self) -> list[Frame]:
        if self.told is not None:
            return []
        is_paper = bool(self.desk.knob("paper_login", False))
        return [{"topic": "system", "success": self.username, "isFT": False, "isPaper": is_paper}]

    def _news_of_the_session(self, session: Session) -> list[Frame]:
        is_wanted = sessions.is_wanted_elsewhere(self.desk.sandbox, self.username)
        now = session.is_established, session.state == "taken" or is_wanted
        if now == self.told:
            return []
        was, self.told = self.told, now
        frames: list[Frame] = []
        if session.is_established and not (was and was[0]):
            frames.append({"topic": "act", "args": chain.describe_accounts(self.desk, session)})
        if was and was[0] and not session.is_established:
            self.quotes, self.charts, self.orders, self.trades = {}, {}, None, None
        return [*frames, self._status(is_authenticated=now[0], is_competing=now[1])]

    def _status(self, *, is_authenticated: bool, is_competing: bool) -> Frame:
        args = {
            "authenticated": is_authenticated,
            "competing": is_competing,
            "message": "",
            "fail": "",
            "username": self.username,
        }
        return {"topic": "sts", "args": args}

    def _heartbeat(self, scope: Scope) -> list[Frame]:
        every = timedelta(seconds=int(self.desk.knob("stream_heartbeat_seconds", 10)))
        if self.heartbeat_due is None:
            self.heartbeat_due = scope.now + every
        if scope.now < self.heartbeat_due:
            return []
        self.heartbeat_due = scope.now + every
        return [{"topic": "system", "hb": sessions.milliseconds(scope.now)}]

    def _prompts(self, scope: Scope) -> list[Frame]:
        if self.last_prompt < 0:
            self.last_prompt = topics.last_event(scope)
        found = topics.prompts(scope, self.last_prompt)
        if not found:
            return []
        self.last_prompt = found[-1][0]
        return [{"topic": "ntf", "args": [payload for _, payload in found]}]

    # -- what comes in ------------------------------------------------------------------------------------------

    def hear(self, text: str) -> list[Frame]:
        """Take one message; a mistake is an error frame."""
        sandbox, text = self.desk.sandbox, text.strip()
        if text in ("tic", "ech+hb"):
            if text == "tic" and self._is_signed_on():
                sessions.of(sandbox, self.token, self.username, self.master)
            return []
        session = sessions.peek(sandbox, self.token)
        if session is None:
            return []
        try:
            return self._obey(Scope(self.desk, session), *_parts(text))
        except Mistake as mistake:
            return [{"topic": "error", "error": str(mistake)}]

    def _obey(self, scope: Scope, topic: str, target: str, wanted: dict[str, Any]) -> list[Frame]:
        if topic in _BROKERAGE and not scope.session.is_established:
            raise Mistake("not authenticated")
        handlers: dict[str, Callable[[Scope, str, dict[str, Any]], list[Frame]]] = {
            "smd": self._subscribe_quotes, "umd": self._unsubscribe_quotes,
            "smh": lambda scope, target, wanted: [topics.chart(scope, target, wanted, self.charts)],
            "umh": self._give_up_chart,
            "sor": self._subscribe_orders, "uor": self._unsubscribe_orders, "str": self._subscribe_trades,
            "utr": self._unsubscribe_trades, "spl": self._subscribe_profit, "upl": self._unsubscribe_profit,
            "ssd": self._subscribe_summary, "usd": self._unsubscribe_summary,
            "sld": self._subscribe_ledger, "uld": self._unsubscribe_ledger,
        }  # fmt: skip
        if topic not in handlers:
            raise Mistake(f"unknown topic: {topic}")
        return handlers[topic](scope, target, wanted)

    def _subscribe_quotes(self, scope: Scope, target: str, wanted: dict[str, Any]) -> list[Frame]:
        topics.subscribe_quotes(scope, target, wanted, self.quotes)
        return []

    def _unsubscribe_quotes(self, scope: Scope, target: str, _wanted: dict[str, Any]) -> list[Frame]:
        found = self.quotes.pop(target, None)
        if found is not None and all(each.conid != found.conid for each in self.quotes.values()):
            quotes.unsubscribe(self.desk, self.token, found.conid)
        return []

    def _give_up_chart(self, _scope: Scope, target: str, _wanted: dict[str, Any]) -> list[Frame]:
        if self.charts.pop(target, None) is None:
            raise Mistake(f"unknown server id: {target}")
        return []

    def _subscribe_orders(self, _scope: Scope, _target: str, wanted: dict[str, Any]) -> list[Frame]:
        self.orders = Orders(_days(wanted, None), wanted.get("realtimeUpdatesOnly") is True)
        return []

    def _subscribe_trades(self, _scope: Scope, _target: str, wanted: dict[str, Any]) -> list[Frame]:
        self.trades = Trades(_days(wanted, 1) or 1, wanted.get("realtimeUpdatesOnly") is True)
        return []

    def _subscribe_profit(self, _scope: Scope, _target: str, _wanted: dict[str, Any]) -> list[Frame]:
        self.profit = Profit()
        return []

    def _subscribe_summary(self, scope: Scope, target: str, wanted: dict[str, Any]) -> list[Frame]:
        scope.account(target)
        self.summaries[target] = Summary(target, topics.texts(wanted, "keys"), topics.texts(wanted, "fields"))
        return []

    def _subscribe_ledger(self, scope: Scope, target: str, wanted: dict[str, Any]) -> list[Frame]:
        scope.account(target)
        keys, fields = topics.texts(wanted, "keys"), topics.texts(wanted, "fields")
        self.ledgers[target] = Ledger(target, keys, fields, scope.now)
        return []

    def _unsubscribe_orders(self, _scope: Scope, _target: str, _wanted: dict[str, Any]) -> list[Frame]:
        self.orders = None
        return []

    def _unsubscribe_trades(self, _scope: Scope, _target: str, _wanted: dict[str, Any]) -> list[Frame]:
        self.trades = None
        return []

    def _unsubscribe_profit(self, _scope: Scope, _target: str, _wanted: dict[str, Any]) -> list[Frame]:
        self.profit = None
        return []

    def _unsubscribe_summary(self, _scope: Scope, target: str, _wanted: dict[str, Any]) -> list[Frame]:
        self.summaries.pop(target, None)
        return [{"result": "unsubscribed from summary"}]

    def _unsubscribe_ledger(self, _scope: Scope, target: str, _wanted: dict[str, Any]) -> list[Frame]:
        self.ledgers.pop(target, None)
        return [{"result": "unsubscribed from ledger"}]


def _parts(text: str) -> tuple[str, str, dict[str, Any]]:
    """Split `smd+265598+{"fields": ["31"]}` and `sor+{}`; a topic alone has neither target nor body."""
    head, brace, body = text.partition("{")
    topic, _, target = head.rstrip("+").partition("+")
    try:
        wanted = loads(brace + body) if brace else {}
    except ValueError as problem:
        raise Mistake(f"not JSON: {brace}{body}") from problem
    return topic, target, wanted


def _days(wanted: dict[str, Any], default: int | None) -> int | None:
    days = wanted.get("days", default)
    if days is not None and (isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= 7):
        raise Mistake("days must be from 1 to 7")
    return days


def is_closed(desk: Desk) -> bool:
    """Whether the stream stands in a maintenance window now."""
    sandbox = desk.sandbox
    is_enforced = sandbox.config.get("enforce_maintenance", True)
    return bool(is_enforced) and windows.closed(sandbox, PATH, sandbox.clock.now()) is not None
