"""The websocket `/v1/api/ws`: one line per brokerage session, kept open, with everything wanted asked for again.

A `Stream` belongs to one thread, which calls `pump`: it reads what has come, sends heartbeats, renews subscriptions,
and opens a lost line again with growing pauses. What was wanted stays wanted over a reconnection. News goes to
`on_event`, in the thread that pumps.

Traps (trading.md 7 and 5): nothing is numbered or repeated, so after each opening look at orders, trades and positions
over REST. Market data freezes after about 15 minutes although the line stays healthy: it is asked for anew before. A
silent line is a dead one, because IBKR sends a heartbeat every ten seconds.
"""

import logging
import random
import re
import socket
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from urllib.parse import quote, urlsplit

from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from backoffice.core import clock
from backoffice.ibkr import paths
from backoffice.ibkr.environments import Environment, require_safe
from backoffice.ibkr.errors import HeldBack, Unsendable
from backoffice.ibkr.frames import Known
from backoffice.ibkr.limits import PENALTY_SECONDS, Limiter, Priority
from backoffice.ibkr.requestor import Requestor
from backoffice.ibkr.transport import USER_AGENT, Call, Effect
from backoffice.ibkr.types.market_data import QUOTE_FIELDS, Snapshot
from backoffice.ibkr.types.stream import ConnectionEvent, Event, QuoteEvent, SessionEvent, StreamError
from backoffice.ibkr.wire import encode

OPEN_SECONDS = 10
CLOSE_SECONDS = 2
SEND_SECONDS = 10
LARGEST_MESSAGE = 4 * 1024 * 1024  # the first `sor` may list a thousand orders
HEARTBEAT_MS = 50_000  # IBKR wants `tic` at least every 60 s
SILENCE_MS = 45_000  # IBKR's own heartbeat comes every 10 s
RENEWED_AFTER_MS = 9 * 60_000  # IBKR ends market data after about 15 minutes; its documents say to ask every 10
GREETING_MS = 3_000  # subscribe this long after opening even if nothing was said of the session
PAUSES_MS = (1_000, 2_000, 4_000, 8_000, 15_000, 30_000, 60_000)
STEADY_MS = 60_000  # a line that lasted this long begins with the shortest pause again
MOST_DAYS = 7
_OF_BROKERAGE_SESSION = frozenset({"smd", "sor", "str"})  # the other topics live without it
_FINAL_STATUSES = frozenset({401, 403, 410})
_SESSION = re.compile(r"[A-Za-z0-9_-]{16,128}")
_BEARER = re.compile(r"[\x21-\x7e]{1,8192}")
# Nobody hears it: the library writes down the address it opens, and the bearer is in it.
_SILENT_LOGGER = logging.Logger("ibkr stream")  # noqa: LOG001 - and no root logger above it
_SILENT_LOGGER.addHandler(logging.NullHandler())


class CookieForm(Enum):
    """How the cookie `api` is written; IBKR's documents show both."""

    BARE = "bare"
    JSON = "json"


@dataclass(slots=True)
class _Wanted:
    """One subscription: what to send for it, and when it was last sent (None: not on this line, or not any more)."""

    topic: str
    target: str
    text: str
    asked_at: int | None = None

    @property
    def address(self) -> str:
        return f"{self.topic}+{self.target}+" if self.target else f"{self.topic}+"

    @property
    def farewell(self) -> str:
        # Trades alone have no body in IBKR's documents.
        address = f"u{self.address[1:]}"
        return "utr" if self.topic == "str" else f"{address}{{}}"


@dataclass(slots=True)
class _Market:
    fields: list[str] = field(default_factory=list)
    quote: Snapshot | None = None
    quoted_at: int = 0


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def _pause(milliseconds: int) -> None:
    time.sleep(milliseconds / 1000)


def _jitter(milliseconds: int) -> int:
    return random.randint(milliseconds // 2, milliseconds)  # noqa: S311 - spreads reconnections


class Stream:
    """One line to IBKR. Constructing it opens nothing. Raises ValueError for an unsafe address, Unsendable for a bearer
    or session that cannot be IBKR's.

    `bearer` is the SSO session's, `session` what /tickle shows. Each opening takes its turn with `limiter`, so that a
    penalty or a maintenance window holds the stream back as it does calls, and is told of IBKR's 429.
    """

    def __init__(
        self,
        environment: Environment,
        bearer: str,
        session: str,
        *,
        on_event: Callable[[Event], object],
        cookie: CookieForm = CookieForm.BARE,
        limiter: Limiter | None = None,
        now: Callable[[], datetime] = clock.now,
        now_ms: Callable[[], int] = _now_ms,
        pause: Callable[[int], None] = _pause,
        jitter: Callable[[int], int] = _jitter,
    ) -> None:
        require_safe(environment.base_url)
        if not _BEARER.fullmatch(bearer) or not _SESSION.fullmatch(session):
            raise Unsendable("The stream needs the bearer and the session that /tickle shows.")
        scheme, rest = environment.base_url.rstrip("/").split("://", 1)
        self.address = f"{'wss' if scheme == 'https' else 'ws'}://{rest}{environment.trading_path}/ws"
        self._call = Call("GET", f"{environment.base_url.rstrip('/')}{environment.trading_path}/ws", Effect.READ)
        self._limiter = limiter
        self._bearer = bearer
        self._cookie = f'api={{"session":"{session}"}}' if cookie is CookieForm.JSON else f"api={session}"
        self._on_event = on_event
        self._now, self._now_ms, self._pause, self._jitter = now, now_ms, pause, jitter
        self._line: ClientConnection | None = None
        self._known = Known()
        self._wanted: dict[tuple[str, str], _Wanted] = {}
        self._markets: dict[str, _Market] = {}
        self._opened_at = self._heard_at = self._said_at = self._next_try_at = 0
        self._failures = 0
        self.is_closed = False
        self.is_authenticated: bool | None = None
        self.heard_at: datetime | None = None

    def __repr__(self) -> str:
        return f"Stream({self.address}, {'open' if self.is_open else 'not open'})"

    @property
    def is_open(self) -> bool:
        """Whether there is a line."""
        return self._line is not None

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """What is wanted, in IBKR's words, e.g. "smd+265598"."""
        return tuple(wanted.address.rstrip("+") for wanted in self._wanted.values())

    # ---- what is wanted

    def watch_quotes(self, conid: str, fields: Sequence[str] = QUOTE_FIELDS, *, exchange: str | None = None) -> None:
        """`smd`: an instrument's market. Fields add up, because the last asked for hold for the whole session."""
        target = _market_target(conid, exchange)
        market = self._markets.setdefault(target, _Market())
        new = [str(each) for each in fields if str(each) not in market.fields]
        market.fields += sorted(new)
        if new or ("smd", target) not in self._wanted:
            self._want("smd", target, {"fields": market.fields})

    def unwatch_quotes(self, conid: str, *, exchange: str | None = None) -> None:
        """`umd`: give a market data line back."""
        target = _market_target(conid, exchange)
        self._markets.pop(target, None)
        self._known.forget_market(target)
        self.unwatch("smd", target)

    def watch_orders(self) -> None:
        """`sor`: the session's orders, whole at first and then in parts."""
        self._want("sor", "", {})

    def watch_trades(self, *, days: int = 1) -> None:
        """`str`: fills of the last days, at most seven (Unsendable), and those to come."""
        if not 0 < days <= MOST_DAYS:
            raise Unsendable(f"IBKR knows the trades of 1 to {MOST_DAYS} days.")
        self._want("str", "", {"realtimeUpdatesOnly": False, "days": days})

    def watch_profit(self) -> None:
        """`spl`: profit of the session's accounts."""
        self._want("spl", "", {})

    def watch_summary(self, account_id: str, *, keys: Sequence[str] = (), fields: Sequence[str] = ()) -> None:
        """`ssd`: key figures of an account."""
        self._want("ssd", paths.account_id(account_id), {"keys": list(keys), "fields": list(fields)})

    def watch_ledger(self, account_id: str, *, currencies: Sequence[str] = (), fields: Sequence[str] = ()) -> None:
        """`sld`: cash of an account by currency, about every ten seconds."""
        keys = [f"LedgerList{each}" for each in currencies]
        self._want("sld", paths.account_id(account_id), {"keys": keys, "fields": list(fields)})

    def unwatch(self, topic: str, target: str = "") -> None:
        """End a subscription, e.g. ("sld", "U1234567")."""
        wanted = self._wanted.pop((topic, target), None)
        if wanted is not None and wanted.asked_at is not None:
            self._say(wanted.farewell)

    def _want(self, topic: str, target: str, body: dict[str, object]) -> None:
        wanted = _Wanted(topic, target, "")
        wanted.text = f"{wanted.address}{encode(body)}"
        self._wanted[topic, target] = wanted

    # ---- what is known

    def quote(self, conid: str, *, exchange: str | None = None) -> Snapshot | None:
        """Return what is known of an instrument's market; None before IBKR has said anything on this line."""
        market = self._markets.get(_market_target(conid, exchange))
        return None if market is None else market.quote

    def quote_age(self, conid: str, *, exchange: str | None = None) -> timedelta | None:
        """Return how long ago IBKR last said something of it. A healthy line says nothing about this age."""
        market = self._markets.get(_market_target(conid, exchange))
        if market is None or market.quote is None:
            return None
        return timedelta(milliseconds=self._now_ms() - market.quoted_at)

    # ---- the line

    def pump(self, seconds: int) -> None:
        """Keep the line for so many seconds: open it, read, send heartbeats, renew. 0 handles what has come already.

        Returns early once the stream is closed. Never blocks longer than that and the time an opening may take.
        """
        deadline = self._now_ms() + seconds * 1000
        while not self.is_closed:
            if self._line is None and self._now_ms() >= self._next_try_at:
                self._open()
            if self._line is not None:
                self._read_all()
                self._look_after()
            rest = deadline - self._now_ms()
            if rest <= 0:
                return
            self._wait(rest)

    def close(self) -> None:
        """End it for good."""
        self.is_closed = True
        line, self._line = self._line, None
        if line is not None:
            _hang_up(line)

    def _wait(self, rest: int) -> None:
        if self._line is None:
            self._pause(max(1, min(rest, self._next_try_at - self._now_ms())))
            return
        self._receive(min(rest, 1_000) / 1000)

    def _read_all(self) -> None:
        # As many as there are now, but not for ever: a flood must not keep heartbeats from going out.
        for _ in range(1_000):
            if not self._receive(0):
                return

    def _receive(self, seconds: float) -> bool:
        """Take one message; False when none came in time or the line is lost."""
        if self._line is None:
            return False
        try:
            frame = self._line.recv(timeout=seconds, decode=False)
        except TimeoutError:
            return False
        except (WebSocketException, OSError):
            self._lose("IBKR ended the stream")
            return False
        self._heard_at, self.heard_at = self._now_ms(), self._now()
        for event in self._known.take(frame, self._now()):
            self._note(event)
            self._on_event(event)
        return True

    def _note(self, event: Event) -> None:
        if isinstance(event, SessionEvent):
            if event.authenticated is not None:
                self.is_authenticated = event.authenticated
            if event.authenticated is False:
                for wanted in self._wanted.values():
                    if wanted.topic in _OF_BROKERAGE_SESSION:
                        wanted.asked_at = None  # they belonged to a session that is gone
        elif isinstance(event, QuoteEvent) and (market := self._markets.get(event.target)) is not None:
            market.quote, market.quoted_at = event.quote, self._now_ms()

    def _look_after(self) -> None:
        """Heartbeat, silence, what was not asked for yet, and what must be asked for anew."""
        now = self._now_ms()
        if now - self._heard_at > SILENCE_MS:
            self._lose("IBKR has fallen silent")
            return
        if now - self._said_at >= HEARTBEAT_MS:
            self._say("tic")
        if self.is_authenticated is None and now - self._opened_at < GREETING_MS:
            return
        for wanted in list(self._wanted.values()):
            if wanted.topic in _OF_BROKERAGE_SESSION and self.is_authenticated is False:
                continue
            if wanted.asked_at is None:
                self._ask(wanted)
            elif wanted.topic == "smd" and now - wanted.asked_at >= RENEWED_AFTER_MS:
                self._say(wanted.farewell)
                self._ask(wanted)

    def _ask(self, wanted: _Wanted) -> None:
        self._say(wanted.text)
        if self._line is not None:
            wanted.asked_at = self._now_ms()

    def _say(self, text: str) -> None:
        if self._line is None:
            return
        try:
            self._line.send(text)
        except (WebSocketException, OSError):
            self._lose("IBKR ended the stream")
            return
        if text == "tic":
            self._said_at = self._now_ms()

    def _open(self) -> None:
        try:
            with nullcontext() if self._limiter is None else self._limiter.turn(self._call, Priority.RECONCILE):
                self._line = _connect(f"{self.address}?bearer_token={quote(self._bearer, safe='')}", self._cookie)
        except HeldBack as held:
            self._fail_to_open(None, held.reason)
            return
        except InvalidStatus as refused:
            self._fail_to_open(refused.response.status_code)
            return
        except (WebSocketException, OSError, ValueError) as problem:
            # ValueError: a redirection, which would carry the bearer somewhere else.
            self._fail_to_open(None, f"The stream could not be opened ({type(problem).__name__})")
            return
        self._known = Known()
        self.is_authenticated = None
        self._opened_at = self._heard_at = self._said_at = self._now_ms()
        for wanted in self._wanted.values():
            wanted.asked_at = None
        for market in self._markets.values():
            market.quote = None
        self._on_event(ConnectionEvent(self._now(), is_open=True))

    def _fail_to_open(self, status: int | None, reason: str = "") -> None:
        is_final = status in _FINAL_STATUSES
        if status == 429 and self._limiter is not None:
            self._limiter.penalise(self._call, None)
        reason = reason or f"IBKR answered HTTP {status} to the stream"
        self._next_try_at = self._now_ms() + (PENALTY_SECONDS * 1000 if status == 429 else self._next_pause())
        if is_final:
            self.close()
        self._on_event(StreamError(self._now(), reason, is_final=is_final))

    def _lose(self, reason: str) -> None:
        line, self._line = self._line, None
        if line is None:
            return
        _hang_up(line)
        self.is_authenticated = None
        if self._now_ms() - self._opened_at >= STEADY_MS:
            self._failures = 0
        self._next_try_at = self._now_ms() + self._next_pause()
        self._on_event(ConnectionEvent(self._now(), is_open=False, reason=reason))

    def _next_pause(self) -> int:
        pause = PAUSES_MS[min(self._failures, len(PAUSES_MS) - 1)]
        self._failures += 1
        return self._jitter(pause)


class Streams:
    """Opens streams for the live trading session."""

    def __init__(self, requestor: Requestor) -> None:
        self._requestor = requestor

    def open(
        self, session: str, *, on_event: Callable[[Event], object], cookie: CookieForm = CookieForm.BARE
    ) -> Stream:
        """GET /ws: the stream of the session that /tickle shows (`session`). Nothing leaves before its first `pump`.

        Trap: a second line of the same session ends the first. Raises NotSent while there is no live session.
        """
        return Stream(
            self._requestor.environment,
            self._requestor.session_bearer(),
            session,
            on_event=on_event,
            cookie=cookie,
            limiter=self._requestor.transport.limiter,
        )


def _market_target(conid: str, exchange: str | None) -> str:
    target = paths.instrument_id(conid)
    if exchange is None:
        return target
    if not re.fullmatch(r"[A-Z0-9.]{1,20}", exchange):
        raise Unsendable(f"{exchange!r} is not the name of an exchange.")
    return f"{target}@{exchange}"


def _connect(address: str, cookie: str) -> ClientConnection:
    """Open the line through a socket of our own: so neither a proxy from the environment nor a redirection is followed."""
    parts = urlsplit(address)
    port = parts.port or (443 if parts.scheme == "wss" else 80)
    raw = socket.create_connection((parts.hostname, port), timeout=OPEN_SECONDS)
    try:
        raw.settimeout(None)
        # Reading is bounded by us; this bounds writing to a peer that no longer takes anything.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_SECONDS, 0))
        return connect(
            address,
            sock=raw,
            proxy=None,
            compression=None,
            additional_headers={"Cookie": cookie},
            user_agent_header=USER_AGENT,
            open_timeout=OPEN_SECONDS,
            ping_interval=None,  # IBKR documents no answer to them; `tic` and its heartbeats tell instead
            close_timeout=CLOSE_SECONDS,
            max_size=LARGEST_MESSAGE,
            logger=_SILENT_LOGGER,
            legacy=True,
        )
    except BaseException:
        raw.close()
        raise


def _hang_up(line: ClientConnection) -> None:
    try:
        line.close()
    except (WebSocketException, OSError):
        return  # it was gone already
