"""Access tokens by `private_key_jwt` (RFC 7521, 7523, 8725): the only credential is the key.

The assertion is RS256 and nothing else, names its key, its one audience and a fresh `jti`, and lives for less than a
minute. A clock that is off is the usual reason for a refusal, so IBKR's own clock (the Date of its answer) is compared
with ours and named; it is never silently used in place of ours.
"""

import base64
import threading
import time
from collections.abc import Callable, Iterable
from urllib.parse import urlencode
from uuid import uuid4

from backoffice.core import clock
from backoffice.ibkr import signing
from backoffice.ibkr.answers import problem_in, readable_or_none
from backoffice.ibkr.environments import Credentials, Environment
from backoffice.ibkr.errors import AuthFailed, RateLimited, Unavailable
from backoffice.ibkr.parsing import number
from backoffice.ibkr.scopes import SCOPES
from backoffice.ibkr.transport import Call, Effect, Reply, Transport, retry_after
from backoffice.ibkr.types.oauth import AccessToken
from backoffice.ibkr.wire import Unreadable, decode, encode

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
BACKDATED_SECONDS = 10  # tolerates our clock running a little ahead
TOLERATED_SKEW_SECONDS = 30
LONGEST_LIFE = 24 * 3600  # longer than IBKR's 86,399 s is not believed: a token is asked for again at 80 % of it


class OAuth:
    """The token endpoint, `POST /oauth2/api/v1/token`."""

    def __init__(
        self, environment: Environment, credentials: Credentials, transport: Transport, read_timeout: int = 10
    ) -> None:
        self._environment = environment
        self._credentials = credentials
        self._transport = transport
        self._read_timeout = read_timeout

    def token(self, scopes: Iterable[str] = SCOPES) -> AccessToken:
        """POST /oauth2/api/v1/token: a fresh access token for `scopes` (the granted ones may be fewer, see the answer).

        Trap: its life depends on the scopes, so only `expires_in` says when to refresh.
        Raises AuthFailed when IBKR does not accept the client, its key or the clock (see its `skew_seconds`);
        RateLimited; Unavailable; KeyProblem for a key that cannot sign.
        """
        try:
            return self._ask(tuple(scopes))
        except Unavailable:
            return self._ask(tuple(scopes))  # with a new assertion: the lost one may have been seen

    def assertion(self) -> str:
        """Return a signed client assertion: fresh `jti`, ten seconds backdated, valid for the environment's seconds."""
        now = int(clock.now().timestamp())
        claims = {
            "iss": self._credentials.client_id,
            "sub": self._credentials.client_id,
            "aud": self._environment.audience,
            "jti": uuid4().hex,
            "iat": now - BACKDATED_SECONDS,
            "exp": now + self._environment.assertion_seconds,
        }
        payload = encode(claims).encode("ascii")
        return signing.sign(payload, credentials=self._credentials, token_type=self._environment.assertion_type).decode(
            "ascii"
        )

    def _ask(self, scopes: tuple[str, ...]) -> AccessToken:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self.assertion(),
            "scope": " ".join(scopes),
        }
        reply = self._transport.send(
            Call(
                "POST",
                f"{self._environment.base_url}{self._environment.token_path}",
                Effect.READ_ONCE,
                headers={"Content-Type": "application/x-www-form-urlencoded"},
                body=_form(form),
                described={"grant_type": form["grant_type"], "scope": form["scope"]},
                read_timeout=self._read_timeout,
            )
        )
        return _token_in(reply, scopes)


class CachedTokens:
    """A TokenSource in memory: one token, refreshed at 80 % of its life, fetched by one thread at a time."""

    def __init__(self, fetch: Callable[[], AccessToken]) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._token = ""
        self._fresh_until = 0

    def bearer(self) -> str:
        """Return a token that should still be accepted, fetching one if need be."""
        with self._lock:
            if not self._token or time.monotonic_ns() >= self._fresh_until:
                token = self._fetch()
                self._token = token.value
                self._fresh_until = time.monotonic_ns() + token.expires_in * 800_000_000
            return self._token

    def refuse(self, bearer: str) -> None:
        """Forget `bearer` if it is still the one in use."""
        with self._lock:
            if bearer == self._token:
                self._token = ""


def _form(fields: dict[str, str]) -> bytes:
    return urlencode(fields).encode("ascii")


def _token_in(reply: Reply, scopes: tuple[str, ...]) -> AccessToken:
    body = readable_or_none(reply)
    problem = problem_in(body)
    said = problem.text if problem else ""
    if isinstance(body, dict) and isinstance(body.get("error_description"), str):
        said = f"{said}: {body['error_description']}" if said else str(body["error_description"])
    match reply.status:
        case 429:
            raise RateLimited(
                said or "IBKR limits token requests.", retry_after=retry_after(reply), exchange=reply.exchange
            )
        case 400 | 401 | 403:
            raise AuthFailed(_refusal(said, reply), status=reply.status, exchange=reply.exchange)
    if reply.status != 200 or not isinstance(body, dict):
        raise Unavailable(said or f"IBKR answered HTTP {reply.status}.", status=reply.status, exchange=reply.exchange)
    value, lifetime, granted = body.get("access_token"), _seconds(body.get("expires_in")), body.get("scope")
    if not isinstance(value, str) or not value.isascii() or not value.strip() or lifetime <= 0:
        raise Unavailable("IBKR's token answer cannot be read.", status=reply.status, exchange=reply.exchange)
    names = granted.split() if isinstance(granted, str) and granted.strip() else scopes
    return AccessToken(
        value=value,
        expires_in=lifetime,
        scopes=frozenset(names),
        master=_master_of(value),
        skew_seconds=reply.exchange.skew_seconds,
    )


def _seconds(lifetime: object) -> int:
    """Return a token's life in whole seconds, whether IBKR wrote a number or text; 0 for what is neither."""
    try:
        seconds = number(lifetime) or 0
    except ValueError:
        return 0
    return int(min(max(seconds, 0), LONGEST_LIFE))


def _refusal(said: str, reply: Reply) -> str:
    skew = reply.exchange.skew_seconds
    if skew is not None and abs(skew) > TOLERATED_SKEW_SECONDS:
        return (
            f"{clock_sentence(skew)} IBKR then takes the client assertion for "
            f"{'expired' if skew > 0 else 'made in the future'}: set this machine's clock by NTP and try again."
        )
    reason = said or "IBKR did not accept the client assertion."
    full_stop = "" if reason.endswith(".") else "."
    return f"{reason}{full_stop} Check the client id, the key id, the key, the audience and this machine's clock."


def clock_sentence(skew_seconds: int) -> str:
    """Return how far this machine's clock is off IBKR's, as a sentence; from two minutes on in whole minutes."""
    off = abs(skew_seconds)
    minutes, seconds = divmod(off, 60) if off < 120 else ((off + 30) // 60, 0)
    counted = ((minutes, "minute"), (seconds, "second"))
    parts = [f"{number} {unit}{'' if number == 1 else 's'}" for number, unit in counted if number]
    direction = "behind" if skew_seconds > 0 else "ahead of"
    return f"This machine's clock is {' '.join(parts) or '0 seconds'} {direction} IBKR's."


def _master_of(token: str) -> str:
    # Read, not trusted: IBKR verifies its own tokens. An opaque token says nothing.
    try:
        payload = token.split(".")[1]
        claims = decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError, Unreadable):
        return ""
    master = claims.get("accountId") if isinstance(claims, dict) else None
    return master if isinstance(master, str) else ""
