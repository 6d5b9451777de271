"""Moves bytes to IBKR and back, and knows only two things about them: whether they left, and whether to ask again.

A read is repeated a few times with jitter. A write leaves once, over a fresh connection, and if it fails the
transport says whether any byte can have left: that is observed at the socket, not guessed from the exception.
Redirects, proxies from the environment, and unbounded answers are refused.
"""

import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from backoffice.core import clock
from backoffice.ibkr.environments import require_safe
from backoffice.ibkr.errors import HeldBack, IbkrError, NotSent, OutcomeUnknown, Unavailable
from backoffice.ibkr.limits import Limiter, Priority
from backoffice.ibkr.paths import require_safe_path
from backoffice.ibkr.redaction import Veiled, redact, spoken
from backoffice.ibkr.wire import Unreadable, decode

USER_AGENT = "AdvisorBackOffice/0.1"  # IBKR's edge answers 403 to a request without one
LARGEST_ANSWER = 64 * 1024 * 1024
LARGEST_ANSWER_TO_A_WRITE = 4 * 1024 * 1024  # it says what became of one effect
RETRIED_STATUSES = frozenset({500, 502, 503, 504})
KEPT_HEADERS = ("content-type", "content-length", "date", "retry-after")


class Effect(Enum):
    """What repeating a call would do."""

    READ = "read"  # nothing: may be repeated
    READ_ONCE = "read once"  # nothing at IBKR, but the call uses up an id of ours: not repeated by the transport
    WRITE = "write"  # perhaps twice the effect: never repeated


@dataclass(frozen=True, slots=True)
class Call:
    """One request, complete. `described` is what may be recorded of its body (it is redacted before that)."""

    method: str
    url: str
    effect: Effect
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    described: object = None
    read_timeout: int = 10
    retried_statuses: frozenset[int] = RETRIED_STATUSES
    priority: Priority | None = None  # None: the transport's own
    is_private: bool = False  # the answer is personal through and through: its exchange records only its size
    renewed: Callable[[], bytes] | None = None  # the body again, for one that grows old while it waits for its turn

    @property
    def path(self) -> str:
        """The address without host and query, as the limits know it."""
        return urlsplit(self.url).path


@dataclass(frozen=True, slots=True)
class Exchange:
    """Both sides of one sending, redacted: the evidence an attempt keeps. `outcome` is "answered" or what broke.

    `skew_seconds` is IBKR's clock (the Date of its answer) minus ours; 0 while both agree within the call's own time.
    `answer` is IBKR's answer: its JSON, a short text, or only its size and kind. It is redacted when first looked at.
    """

    request_id: str
    method: str
    path: str
    query: Mapping[str, str]
    request: object
    started: datetime
    elapsed_ms: int
    outcome: str
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    skew_seconds: int | None = None
    request_sha256: str = ""  # of the bytes that were handed to the socket
    answer_sha256: str = ""  # of the bytes that came; empty when none did
    content: Veiled[object] | None = field(default=None, repr=False)

    @property
    def answer(self) -> object:
        """What IBKR answered, redacted; None when it did not."""
        return None if self.content is None else self.content.seen()


@dataclass(frozen=True, slots=True)
class Reply:
    """IBKR's answer as bytes. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    exchange: Exchange


@dataclass(slots=True)
class _Departure:
    """Whether the current sending has handed any byte of the request to the socket, and to which.

    `check` is asked once, when the connection stands and before the first byte; it may raise NotSent.
    """

    check: Callable[[], None] | None = None
    has_begun: bool = False
    used: socket.socket | None = None

    def begin(self, through: socket.socket | None) -> None:
        if self.check is not None and not self.has_begun:
            self.check()
        self.has_begun = True
        self.used = through

    def wait_at_most(self, seconds: int) -> None:
        """Shorten the socket's patience to what is left of the whole call's."""
        if self.used is not None and self.used.fileno() >= 0:
            self.used.settimeout(max(seconds, 1))


_departure: ContextVar[_Departure] = ContextVar("ibkr_departure")


class _WatchedHTTP(HTTPConnection):
    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        _departure.get().begin(self.sock)
        super().send(data)


class _WatchedHTTPS(HTTPSConnection):
    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()  # includes the TLS handshake, so its failures happen before departure
        _departure.get().begin(self.sock)
        super().send(data)


class _WatchedHTTPPool(HTTPConnectionPool):
    ConnectionCls = _WatchedHTTP


class _WatchedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedHTTPS


class _WatchedAdapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _WatchedHTTPPool, "https": _WatchedHTTPSPool}


class _TooLarge(Exception):
    pass


class _TooSlow(Exception):
    pass


def _seconds_since(started_ns: int) -> int:
    return (time.monotonic_ns() - started_ns) // 1_000_000_000


def _pause(milliseconds: int) -> None:
    time.sleep(milliseconds / 1000)


def _jitter(milliseconds: int) -> int:
    return random.randint(milliseconds // 2, milliseconds + milliseconds // 2)  # noqa: S311 - spreads retries, hides nothing


class Transport:
    """Sends calls. One may be shared by threads; each thread keeps its own connections for reads.

    `before_write` is asked before the first byte of a write and raises NotSent to keep it here. `recorder` sees the
    redacted exchange of every sending. `limiter` gives every single sending its turn, repeated ones
    too, at `priority` unless the call has its own. `pause` and `jitter` take milliseconds.
    """

    def __init__(
        self,
        *,
        recorder: Callable[[Exchange], None] | None = None,
        limiter: Limiter | None = None,
        priority: Priority = Priority.PERSON,
        connect_timeout: int = 5,
        attempts: int = 3,
        first_pause_ms: int = 300,
        begin_no_attempt_after: int = 25,
        largest_answer: int = LARGEST_ANSWER,
        verify: bool | str = True,
        user_agent: str = USER_AGENT,
        before_write: Callable[[], None] | None = None,
        pause: Callable[[int], None] = _pause,
        jitter: Callable[[int], int] = _jitter,
    ) -> None:
        self._recorder = recorder
        self.limiter = limiter
        self._priority = priority
        self._connect_timeout = connect_timeout
        self._attempts = attempts
        self._first_pause_ms = first_pause_ms
        self._begin_no_attempt_after = begin_no_attempt_after
        self._largest_answer = largest_answer
        self._verify = verify
        self._user_agent = user_agent
        self._before_write = before_write
        self._pause = pause
        self._jitter = jitter
        self._local = threading.local()

    def send(self, call: Call) -> Reply:
        """Return the answer to `call`, whatever its status.

        Raises NotSent or OutcomeUnknown for a write, Unavailable for a read that stayed unanswered. When the limiter
        holds the call back: NotSent (with `not_before`) for a write, HeldBack for a read.
        """
        parts = urlsplit(call.url)
        require_safe(f"{parts.scheme}://{parts.netloc}")
        require_safe_path(parts.path)
        if call.effect is not Effect.READ:
            return self._send_once(call)
        return self._send_patiently(call)

    def _send_patiently(self, call: Call) -> Reply:
        started = time.monotonic_ns()
        for attempt in range(1, self._attempts + 1):
            wait = self._jitter(self._first_pause_ms * 2 ** (attempt - 1))
            is_last = attempt == self._attempts or _seconds_since(started) > self._begin_no_attempt_after
            try:
                reply = self._send_once(call)
            except Unavailable:
                if is_last or _seconds_since(started) > self._begin_no_attempt_after:
                    raise
            else:
                if reply.status not in call.retried_statuses or is_last:
                    return reply
                wait = max(wait, 1000 * min(retry_after(reply) or 0, 5))
            self._pause(wait)
        raise AssertionError("the last attempt returns or raises")

    def _send_once(self, call: Call) -> Reply:
        with ExitStack() as stack:
            try:
                stack.enter_context(self._turn(call))
            except HeldBack as problem:
                if call.effect is not Effect.WRITE:
                    raise
                raise NotSent(f"The request was held back: {problem.reason}", not_before=problem.until) from problem
            reply = self._send_now(call if call.renewed is None else replace(call, body=call.renewed()))
            if reply.status == 429 and self.limiter is not None:
                self.limiter.penalise(call, retry_after(reply))
            return reply

    def _turn(self, call: Call) -> AbstractContextManager[None]:
        if self.limiter is None:
            return nullcontext()
        return self.limiter.turn(call, self._priority if call.priority is None else call.priority)

    def _send_now(self, call: Call) -> Reply:
        request_id = uuid4().hex
        departure = _Departure(self._before_write if call.effect is Effect.WRITE else None)
        token = _departure.set(departure)
        started_at, started = clock.now(), time.monotonic_ns()
        session = self._kept_session() if call.effect is Effect.READ else self._fresh_session()

        def exchange(
            outcome: str, status: int | None = None, headers: Mapping[str, str] | None = None, body: bytes | None = None
        ) -> Exchange:
            record = Exchange(
                request_id=request_id,
                method=call.method,
                path=urlsplit(call.url).path,
                query={name: str(value) for name, value in call.query.items()},
                request=redact(call.described),
                started=started_at,
                elapsed_ms=(time.monotonic_ns() - started) // 1_000_000,
                outcome=outcome,
                status=status,
                headers={name: value for name, value in (headers or {}).items() if name in KEPT_HEADERS},
                skew_seconds=_skew(headers or {}, started_at, clock.now()),
                request_sha256=sha256(call.body or b"").hexdigest(),
                answer_sha256="" if body is None else sha256(body).hexdigest(),
                content=None if body is None else _veiled(body, headers or {}, is_private=call.is_private),
            )
            if self._recorder is not None:
                self._recorder(record)
            return record

        try:
            status, headers, body = self._exchange_bytes(session, call, request_id, started)
        except (requests.RequestException, HTTPError, OSError, ssl.SSLError, _TooLarge, _TooSlow) as problem:
            why = _sentence(problem)
            raise self._failure(call, departure, why, exchange(why)) from problem
        finally:
            _departure.reset(token)
            if call.effect is not Effect.READ:
                session.close()
        return Reply(status, headers, body, exchange("answered", status, headers, body))

    def _exchange_bytes(
        self, session: requests.Session, call: Call, request_id: str, started: int
    ) -> tuple[int, dict[str, str], bytes]:
        headers = {
            "User-Agent": self._user_agent,
            "Accept": "application/json",
            "X-Request-ID": request_id,
            **call.headers,
        }
        with session.request(
            call.method,
            call.url,
            params=dict(call.query) or None,
            data=call.body,
            headers=headers,
            timeout=(self._connect_timeout, call.read_timeout),
            allow_redirects=False,
            stream=True,
            verify=self._verify,
        ) as response:
            received = bytearray()
            largest = self._largest_answer
            if call.effect is Effect.WRITE:
                largest = min(largest, LARGEST_ANSWER_TO_A_WRITE)
            limit = self._connect_timeout + call.read_timeout  # of the whole call: dripping must not stretch it
            while chunk := response.raw.read1(65_536, decode_content=True):
                received += chunk
                if len(received) > largest:
                    raise _TooLarge
                remaining = limit - _seconds_since(started)
                if remaining <= 0:
                    raise _TooSlow
                _departure.get().wait_at_most(remaining)
            return (
                response.status_code,
                {name.lower(): value for name, value in response.headers.items()},
                bytes(received),
            )

    def _failure(self, call: Call, departure: _Departure, why: str, exchange: Exchange) -> IbkrError:
        if call.effect is not Effect.WRITE:
            return Unavailable(f"IBKR did not answer: {why}", exchange=exchange)
        if not departure.has_begun:
            return NotSent(f"The request could not be sent: {why}", exchange=exchange)
        return OutcomeUnknown(f"The request left and its answer was lost: {why}", exchange=exchange)

    def _kept_session(self) -> requests.Session:
        kept: requests.Session | None = getattr(self._local, "session", None)
        if kept is None:
            kept = self._fresh_session()
            self._local.session = kept
        return kept

    def _fresh_session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False  # a .netrc or proxy variable must not redirect or re-authorise a signed call
        session.max_redirects = 0
        for scheme in ("https://", "http://"):
            session.mount(scheme, _WatchedAdapter(max_retries=0))
        return session


def retry_after(reply: Reply) -> int | None:
    """Return the number of seconds IBKR asked us to wait, if it said so as a number."""
    text = reply.headers.get("retry-after", "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else None


def _skew(headers: Mapping[str, str], sent: datetime, answered: datetime) -> int | None:
    """Return how far the answer's Date, which has whole seconds, lies outside the time between sending and answer."""
    try:
        theirs = parsedate_to_datetime(headers["date"])
    except (KeyError, ValueError, TypeError):
        return None
    theirs = theirs.astimezone(UTC) if theirs.tzinfo else theirs.replace(tzinfo=UTC)
    if theirs > answered:
        return int((theirs - answered).total_seconds())
    if (missing := (sent - theirs).total_seconds()) > 1:
        return -int(missing)
    return 0


def _sentence(problem: Exception) -> str:
    match problem:
        case _TooLarge():
            return "the answer is larger than allowed"
        case _TooSlow():
            return "the answer came too slowly"
        case requests.ConnectTimeout():
            return "no connection in time"
        case requests.ReadTimeout():
            return "no answer in time"
        case requests.exceptions.SSLError():
            return "the TLS connection failed"
    return f"the connection failed ({type(problem).__name__})"


def _veiled(body: bytes, headers: Mapping[str, str], *, is_private: bool) -> Veiled[object]:
    if is_private:
        return Veiled(str, f"[{len(body)} bytes, private]")
    return Veiled(lambda content: _readable(content, headers), body)


def _readable(body: bytes, headers: Mapping[str, str]) -> object:
    try:
        return redact(decode(body))
    except Unreadable:
        pass
    kind = headers.get("content-type", "")
    if kind.startswith("text/") and len(body) < 4_096:
        return spoken(body.decode("utf-8", "replace"))
    return f"[{len(body)} bytes, {kind or 'no content type'}]"
