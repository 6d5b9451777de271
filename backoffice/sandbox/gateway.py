"""What stands before every `/gw` resource: User-Agent, bearer token, scope, and the signed body."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import jwt
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from . import oauth, payloads
from .jsonio import answer, loads
from .kernel import Sandbox
from .problems import Refusal, invalid_arguments, problem, require_user_agent

__all__ = ["Call", "Refusal", "invalid_arguments", "problem", "require_user_agent", "resource", "signed_body"]

LARGEST_BODY = 20 * 1024 * 1024
BAD_SIGNED_BODY = "Invalid payload for security policy: SIGNED_JWT"
CLAIMS_OF_THE_ENVELOPE = frozenset({"iss", "iat", "exp", "nbf", "sub", "aud", "jti"})


@dataclass(frozen=True)
class Call:
    """One admitted request: who asks, and the members of its signed body without the envelope's claims."""

    sandbox: Sandbox
    request: Request
    client: oauth.Client
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def master(self) -> str:
        return self.client.master

    def query(self, name: str) -> str | None:
        return self.request.query_params.get(name) or None

    def about(self, key: str) -> None:
        """Name the client's key of this call in the request log."""
        self.request.state.key = key


def resource(
    sandbox: Sandbox, method: str, path: str, handler: Callable[[Call], Response], *scopes: str, signed: bool = False
) -> Route:
    """A route under `/gw/api/v1`; any one of `scopes` is enough. `signed`: the body is a JWS signed with the client's key."""

    async def endpoint(request: Request) -> Response:
        try:
            client = _admit(sandbox, request, scopes)
            body = signed_body(sandbox, client, request, await request.body()) if signed else {}
            return handler(Call(sandbox, request, client, body))
        except Refusal as refusal:
            request.state.note = refusal.note or None
            return refusal.response

    return Route(f"/gw/api/v1{path}", endpoint, methods=[method])


def _admit(sandbox: Sandbox, request: Request, scopes: tuple[str, ...]) -> oauth.Client:
    require_user_agent(request)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    access = oauth.read_access_token(sandbox, token) if scheme.lower() == "bearer" else None
    if access is None:
        raise Refusal(problem(401, "The access token request is invalid"), "no valid bearer")
    client, granted = access
    request.state.client_id = client.client_id
    if not granted & set(scopes):
        raise Refusal(
            problem(403, "The access token fails to have sufficient scope"), f"needs one of {' '.join(scopes)}"
        )
    return client


def signed_body(sandbox: Sandbox, client: oauth.Client, request: Request, raw: bytes) -> dict[str, Any]:
    """Verify the compact JWS that is the whole body and return its claims; raises `Refusal` with IBKR's texts."""

    def refuse(note: str, detail: str = BAD_SIGNED_BODY) -> Refusal:
        return Refusal(problem(400, detail), note)

    if len(raw) > LARGEST_BODY:
        raise Refusal(problem(413), "body over 20 MB")
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == "application/json":
        raise refuse("signed body sent as application/json")
    if content_type != "application/jwt":
        raise Refusal(
            answer({"status": 415, "error": "Unsupported Media Type"}, 415), f"content type {content_type or 'missing'}"
        )
    if not raw.isascii():
        raise refuse("body is not ASCII", "Contains non ASCII character.")
    if raw.lstrip().startswith((b"{", b'"')):
        raise refuse("JWS wrapped in JSON")
    key = client.verification_key(raw)
    if key is None:
        raise refuse("unknown kid")
    try:
        payload: bytes = jwt.PyJWS().decode_complete(raw, key, algorithms=["RS256"])["payload"]
    except jwt.InvalidTokenError as error:
        raise refuse(f"signature: {error}") from error
    if not payload.isascii():
        raise refuse("payload is not ASCII", "Contains non ASCII character.")
    try:
        claims = loads(payload)
    except ValueError as error:
        raise refuse(f"payload: {error}") from error
    if not isinstance(claims, dict):
        raise refuse("payload is not an object")
    _check_envelope(sandbox, client, claims, refuse)
    body = {name: value for name, value in claims.items() if name not in CLAIMS_OF_THE_ENVELOPE}
    if sandbox.config.get("ascii_after_decoding", False) and not payloads.is_ascii(body):
        raise refuse("an escape is not ASCII once it is decoded", "Contains non ASCII character.")
    match sandbox.config.get("nulls_refused", "banking"):
        case "everywhere" if nulls := payloads.nulls(body):
            raise Refusal(invalid_arguments(*((path, "Invalid or Missing required parameter") for path in nulls)))
        case "nowhere":
            return dict(payloads.without_nulls(body))
    return body


def _check_envelope(
    sandbox: Sandbox, client: oauth.Client, claims: dict[str, Any], refuse: Callable[[str], Refusal]
) -> None:
    leeway = timedelta(seconds=int(sandbox.config.get("clock_leeway_seconds", 5)))
    now = sandbox.clock.wall()
    if claims.get("iss") != client.client_id:
        raise refuse("iss is not the client id")
    issued, expires = oauth.instant(claims.get("iat")), oauth.instant(claims.get("exp"))
    if expires is None or expires + leeway <= now:
        raise refuse("exp is missing or past")
    if issued is not None and issued - leeway > now:
        raise refuse("iat lies in the future")
    longest = timedelta(seconds=int(sandbox.config.get("signed_body_lifetime_seconds", 86400)))
    if expires - (issued or now) > longest + leeway:
        raise refuse(f"lifetime over {int(longest.total_seconds())} seconds")
