"""`POST /oauth2/api/v1/token`: access tokens for clients that prove themselves with a signed assertion (RFC 7523).

RS256 alone, with a registered key of 3072 or 4096 bits named by `kid`; an assertion buys one token when it carries a `jti`.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any
from urllib.parse import parse_qsl

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, generate_private_key
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .clock import stamp
from .jsonio import answer, loads
from .kernel import Sandbox
from .problems import Refusal, problem, require_user_agent
from .store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS oauth_clients (client_id TEXT NOT NULL, kid TEXT NOT NULL, public_key_pem TEXT NOT NULL,
master TEXT NOT NULL,
    username TEXT NOT NULL, scopes TEXT NOT NULL, PRIMARY KEY (client_id, kid));
CREATE TABLE IF NOT EXISTS oauth_assertions (client_id TEXT NOT NULL, jti TEXT NOT NULL, expires_at TEXT NOT NULL,
PRIMARY KEY (client_id, jti));
CREATE TABLE IF NOT EXISTS oauth_expired (digest TEXT PRIMARY KEY)
"""

PATH = "/oauth2/api/v1/token"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
FIELDS = frozenset({"grant_type", "client_assertion_type", "client_assertion", "scope", "client_id"})

KEY_SIZES = (3072, 4096)
MOST_TOKENS = 1_000  # whose signature has been found good and need not be checked again

SCOPES = frozenset(
    {
        "accounts.read", "accounts.write", "bank-instructions.read", "bank-instructions.write", "transfers.read",
        "transfers.write",
        "balances.read", "instructions.read", "instructions.write", "statements.read", "statements.write",
        "reports.read", "reports.write",
        "sso-sessions.write", "sso-browser-sessions.write", "echo.read", "echo.write", "enumerations.read",
        "forms.read", "validations.read",
        "restrictions.write", "fee-templates.read", "fee-templates.write", "tax-vouchers.read", "tax-vouchers.write",
    }
)  # fmt: skip


class WeakKey(ValueError):
    """The PEM is no RSA public key of 3072 or 4096 bits."""


@dataclass(frozen=True)
class Client:
    client_id: str
    master: str
    username: str
    scopes: frozenset[str]
    keys: dict[str, str]  # kid -> PEM

    def verification_key(self, compact: bytes | str) -> str | None:
        """PEM of the key named by the token's header, or None when the header is unreadable or names no key of this client."""
        try:
            return self.keys.get(str(jwt.get_unverified_header(compact).get("kid")))
        except jwt.InvalidTokenError:
            return None


def register_client(
    store: Store, *, client_id: str, kid: str, public_key_pem: str, master: str, username: str, scopes: frozenset[str]
) -> None:
    """Add a key to a client application, or replace it. Raises `WeakKey`."""
    try:
        key = serialization.load_pem_public_key(public_key_pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise WeakKey("public_key_pem is not a PEM public key") from error
    if not isinstance(key, RSAPublicKey) or key.key_size not in KEY_SIZES:
        raise WeakKey("public_key_pem must hold an RSA key of 3072 or 4096 bits")
    store.execute(
        "INSERT INTO oauth_clients VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (client_id, kid) DO UPDATE SET"
        " public_key_pem = excluded.public_key_pem, master = excluded.master, username = excluded.username,"
        " scopes = excluded.scopes",
        client_id, kid, public_key_pem, master, username, " ".join(sorted(scopes)),
    )  # fmt: skip


def find_client(store: Store, client_id: str) -> Client | None:
    rows = store.rows("SELECT * FROM oauth_clients WHERE client_id = ? ORDER BY kid", client_id)
    if not rows:
        return None
    scopes = frozenset(scope for row in rows for scope in row["scopes"].split())
    return Client(
        client_id, rows[-1]["master"], rows[-1]["username"], scopes, {row["kid"]: row["public_key_pem"] for row in rows}
    )


def instant(claim: Any) -> datetime | None:
    """A NumericDate as an aware instant; None when it is no plausible number."""
    if isinstance(claim, bool) or not isinstance(claim, int | Decimal) or not 0 < claim < 10**11:
        return None
    return datetime.fromtimestamp(int(claim), UTC)


def signing_key(store: Store) -> str:
    """The sandbox's own private key (PEM), made once per state directory."""
    found = store.value("SELECT value FROM meta WHERE key = 'signing_key'")
    if found is not None:
        return str(found)
    made = generate_private_key(public_exponent=65537, key_size=2048)
    pem = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    store.execute("INSERT INTO meta VALUES ('signing_key', ?)", pem)
    return pem


@cache  # reading a private key checks its primes, which takes longer than all the rest of a request
def _public(pem: str) -> RSAPublicKey:
    key = serialization.load_pem_private_key(pem.encode(), None).public_key()
    if not isinstance(key, RSAPublicKey):
        raise TypeError("the sandbox signs with RSA")
    return key


@lru_cache(maxsize=MOST_TOKENS)
def _issued(token: str, pem: str) -> dict[str, Any] | None:
    """The claims of a token that this sandbox has signed, expired or not; None for anything else."""
    try:
        return dict(
            jwt.decode(
                token,
                _public(pem),
                algorithms=["RS256"],
                options={"require": ["exp", "sub"], "verify_aud": False, "verify_exp": False, "verify_iat": False},
            )
        )
    except jwt.InvalidTokenError:
        return None


def read_access_token(sandbox: Sandbox, token: str) -> tuple[Client, frozenset[str]] | None:
    """Client and granted scopes of a valid access token; None for anything else. Judged by the wall clock."""
    claims = _issued(token, signing_key(sandbox.store))
    if claims is None or int(claims["exp"]) <= sandbox.clock.wall().timestamp():
        return None
    if sandbox.store.row("SELECT 1 FROM oauth_expired WHERE digest = ?", _digest(token)):
        return None
    client = find_client(sandbox.store, str(claims["sub"]))
    return None if client is None else (client, frozenset(str(claims.get("scope", "")).split()))


def expire(sandbox: Sandbox, token: str) -> None:
    """Honour this access token no longer."""
    sandbox.store.execute("INSERT OR IGNORE INTO oauth_expired VALUES (?)", _digest(token))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class Denied(Exception):
    """Why no token is issued; `code` is RFC 6749's word for it."""

    def __init__(self, why: str, code: str = "invalid_client") -> None:
        super().__init__(why)
        self.code = code


def _claims(sandbox: Sandbox, assertion: str, own_url: str) -> tuple[Client, dict[str, Any]]:
    try:
        unverified = jwt.PyJWS().decode_complete(assertion, options={"verify_signature": False})
        claims = loads(unverified["payload"])
    except (jwt.InvalidTokenError, ValueError) as error:
        raise Denied("client_assertion is not a JWT") from error
    client = find_client(sandbox.store, str(claims.get("iss"))) if isinstance(claims, dict) else None
    if client is None:
        raise Denied("unknown client")
    key = client.verification_key(assertion)
    if key is None:
        raise Denied("unknown kid")
    try:
        jwt.PyJWS().decode_complete(assertion, key, algorithms=["RS256"])
    except jwt.InvalidTokenError as error:
        raise Denied(f"signature: {error}") from error
    _check_claims(sandbox, client, claims, own_url)
    return client, claims


def _check_claims(sandbox: Sandbox, client: Client, claims: dict[str, Any], own_url: str) -> None:
    now = sandbox.clock.wall()
    leeway = timedelta(seconds=int(sandbox.config.get("clock_leeway_seconds", 5)))
    longest = timedelta(seconds=int(sandbox.config.get("assertion_lifetime_seconds", 120)))
    if claims.get("sub") != client.client_id:
        raise Denied("sub differs from iss")
    accepted = set(sandbox.config.get("token_audiences", [own_url, "/token"]))
    audience = claims.get("aud")
    if not accepted & set(audience if isinstance(audience, list) else [audience]):
        raise Denied("aud is not this token endpoint")
    issued, expires = instant(claims.get("iat")), instant(claims.get("exp"))
    if expires is None or expires + leeway <= now:
        raise Denied("exp is missing or past")
    if issued is None or issued - leeway > now:
        raise Denied("iat is missing or lies in the future")
    if expires - issued > longest:
        raise Denied(f"the assertion lives longer than {int(longest.total_seconds())} seconds")
    jti = claims.get("jti")
    if jti is None and sandbox.config.get("jti_required", False):
        raise Denied("jti is missing")
    if jti is not None and sandbox.config.get("jti_once", True):
        sandbox.store.execute("DELETE FROM oauth_assertions WHERE expires_at < ?", stamp(now - leeway))
        if sandbox.store.row(
            "SELECT 1 FROM oauth_assertions WHERE client_id = ? AND jti = ?", client.client_id, str(jti)
        ):
            raise Denied("jti was used before")
        sandbox.store.execute(
            "INSERT INTO oauth_assertions VALUES (?, ?, ?)", client.client_id, str(jti), stamp(expires)
        )


def _grant(sandbox: Sandbox, request: Request, raw: bytes) -> dict[str, Any]:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise Denied("the body must be application/x-www-form-urlencoded", "invalid_request")
    pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True)
    form = dict(pairs)
    if len(form) != len(pairs) or form.keys() - FIELDS:
        unknown = " ".join(sorted(form.keys() - FIELDS)) or "repeated"
        raise Denied(f"unknown or repeated form fields: {unknown}", "invalid_request")
    if form.get("grant_type") != "client_credentials":
        raise Denied("grant_type must be client_credentials", "unsupported_grant_type")
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise Denied("client_assertion_type must be the jwt-bearer URN")
    client, _ = _claims(sandbox, form.get("client_assertion", ""), str(request.url.replace(query="")))
    request.state.client_id = client.client_id
    wanted = frozenset(form.get("scope", "").split())
    if sandbox.config.get("scope_policy", "refuse") == "narrow":
        wanted &= client.scopes
    if not wanted or wanted - client.scopes:
        raise Denied(f"scope not granted: {' '.join(sorted(wanted - client.scopes)) or 'none asked'}", "invalid_scope")
    now = int(sandbox.clock.wall().timestamp())
    lifetime = int(sandbox.config.get("token_lifetime_seconds", 86399))
    scope = " ".join(sorted(wanted))
    claims = {
        "iss": "/token", "sub": client.client_id, "iat": now, "exp": now + lifetime, "scope": scope,
        "csid": client.client_id,
        "accountId": client.master,
    }  # fmt: skip
    token = jwt.encode(claims, signing_key(sandbox.store), algorithm="RS256", headers={"kid": "sandbox-1"})
    return {"access_token": token, "token_type": "Bearer", "scope": scope, "expires_in": lifetime}


def routes(sandbox: Sandbox) -> list[Route]:
    async def token(request: Request) -> Response:
        try:
            require_user_agent(request)
            return answer(_grant(sandbox, request, await request.body()))
        except Denied as denied:
            request.state.note = str(denied)
            if sandbox.config.get("token_error_form", "problem") == "oauth":
                status = 401 if denied.code == "invalid_client" else 400
                return answer({"error": denied.code, "error_description": str(denied)}, status)
            return problem(400, str(denied))
        except Refusal as refusal:
            return refusal.response

    return [Route(PATH, token, methods=["POST"])]
