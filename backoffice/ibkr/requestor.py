"""Builds requests for IBKR's two faces (the gateway and the trading back end) and gets their bearers.

The gateway's writes and queries carry a signed JWT; its reads and everything on the trading side do not. If no
bearer can be had, a write has provably not left: that is NotSent, whatever the reason.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from backoffice.core import clock
from backoffice.ibkr import paths, signing
from backoffice.ibkr.environments import Credentials, Environment, Timeouts
from backoffice.ibkr.errors import AuthFailed, HeldBack, IbkrError, NotSent
from backoffice.ibkr.limits import Priority
from backoffice.ibkr.redaction import redact
from backoffice.ibkr.transport import RETRIED_STATUSES, Call, Effect, Reply, Transport
from backoffice.ibkr.wire import encode

FRESH = timedelta(seconds=10)  # how old a signed body may have grown by the time its call has its turn
TRADING_RETRIED_STATUSES = RETRIED_STATUSES - {500}  # there, 500 is often a verdict about the request itself


class TokenSource(Protocol):
    """Where the gateway's bearer comes from. Implementations refresh at 80 % of the token's life, single flight."""

    def bearer(self) -> str:
        """Return a token that should still be accepted. Raises IbkrError when none can be had."""

    def refuse(self, bearer: str) -> None:
        """Take note that IBKR answered 401 to `bearer`: the next call to `bearer()` must fetch another."""


class Requestor:
    """Sends one family's calls and hands back IBKR's reply, unjudged."""

    def __init__(
        self,
        *,
        environment: Environment,
        credentials: Credentials,
        transport: Transport,
        timeouts: Timeouts,
        tokens: TokenSource,
        session_bearer: Callable[[], str] | None,
    ) -> None:
        self.environment = environment
        self.credentials = credentials
        self.transport = transport
        self.timeouts = timeouts
        self._tokens = tokens
        self._session_bearer = session_bearer

    def gateway_get(self, *segments: str, query: Mapping[str, str] | None = None) -> Reply:
        """Read from `/gw/api/v1/...`. A 401 refreshes the token and asks once more."""
        call = Call("GET", self._gateway(segments), Effect.READ, query=query or {}, read_timeout=self.timeouts.read)
        return self._send_to_gateway(call)

    def gateway_signed(
        self,
        *segments: str,
        claims: Mapping[str, object],
        effect: Effect,
        method: str = "POST",
        read_timeout: int | None = None,
        accept: str = "application/json",
    ) -> Reply:
        """Send a signed body to `/gw/api/v1/...`. Raises Unsendable before anything is sent."""
        renewed = self._signed(claims)
        call = Call(
            method,
            self._gateway(segments),
            effect,
            headers={"Content-Type": signing.CONTENT_TYPE, "Accept": accept},
            body=renewed(),
            renewed=renewed,
            described=redact(claims),
            read_timeout=read_timeout or self.timeouts.read,
        )
        return self._send_to_gateway(call)

    def trading(
        self,
        method: str,
        *segments: str,
        effect: Effect,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        read_timeout: int | None = None,
        priority: Priority | None = None,
        is_private: bool = False,
    ) -> Reply:
        """Call `/v1/api/...` with the session's bearer. Of a private answer no exchange keeps a word."""
        call = Call(
            method,
            f"{self.environment.base_url}{self.environment.trading_path}{paths.join(*segments)}",
            effect,
            headers={} if body is None else {"Content-Type": "application/json"},
            query=query or {},
            body=None if body is None else encode(body).encode("ascii"),
            described=body,
            read_timeout=read_timeout or self.timeouts.read,
            retried_statuses=TRADING_RETRIED_STATUSES,
            priority=priority,
            is_private=is_private,
        )
        return self._send(call, self._bearer_of_session(call.effect))

    def session_bearer(self) -> str:
        """Return the live trading session's bearer. Raises IbkrError, usually NotSent, while there is none."""
        if self._session_bearer is None:
            raise AuthFailed("There is no trading session for this connection.")
        return self._session_bearer()

    def _gateway(self, segments: tuple[str, ...]) -> str:
        return f"{self.environment.base_url}{self.environment.gateway_path}{paths.join(*segments)}"

    def _signed(self, claims: Mapping[str, object]) -> Callable[[], bytes]:
        """Return what gives the signed body: the same one while it is fresh, since it is good for a minute only."""
        kept: list[tuple[datetime, bytes]] = []

        def body() -> bytes:
            now = clock.now()
            if not kept or now - kept[0][0] > FRESH:
                kept[:] = [(now, signing.signed_body(claims, credentials=self.credentials, at=now))]
            return kept[0][1]

        return body

    def _send_to_gateway(self, call: Call) -> Reply:
        bearer = self._bearer_of_gateway(call.effect)
        reply = self._send(call, bearer)
        if reply.status == 401:
            self._tokens.refuse(bearer)
            if call.effect is Effect.READ:
                return self._send(call, self._bearer_of_gateway(call.effect))
        return reply

    def _send(self, call: Call, bearer: str) -> Reply:
        return self.transport.send(replace(call, headers={**call.headers, "Authorization": f"Bearer {bearer}"}))

    def _bearer_of_gateway(self, effect: Effect) -> str:
        try:
            return self._tokens.bearer()
        except IbkrError as problem:
            if effect is Effect.WRITE:
                raise _not_sent(f"No access token could be had: {problem.reason}", problem) from problem
            raise

    def _bearer_of_session(self, effect: Effect) -> str:
        try:
            return self.session_bearer()
        except IbkrError as problem:
            if effect is Effect.WRITE:
                raise _not_sent(f"There is no trading session: {problem.reason}", problem) from problem
            raise


def _not_sent(reason: str, because: IbkrError) -> NotSent:
    match because:
        case HeldBack():
            not_before = because.until
        case NotSent():
            not_before = because.not_before
        case _:
            not_before = None
    return NotSent(reason, not_before=not_before, exchange=because.exchange)
