"""Signed request bodies: a compact JWS alone, `application/jwt`, never wrapped in JSON.

The claims are the request object at top level with `iss`, `iat` and `exp` beside it. RS256 is the only algorithm.
"""

from collections.abc import Mapping
from datetime import datetime

from jwt.api_jws import PyJWS

from backoffice.ibkr import keys
from backoffice.ibkr.environments import Credentials
from backoffice.ibkr.errors import Unsendable
from backoffice.ibkr.wire import encode

ALGORITHM = "RS256"
CONTENT_TYPE = "application/jwt"
LARGEST_REQUEST = 20 * 1024 * 1024
VALIDITY_SECONDS = 60
RESERVED_CLAIMS = frozenset({"iss", "iat", "exp"})

_jws = PyJWS(algorithms=[ALGORITHM])


def signed_body(claims: Mapping[str, object], *, credentials: Credentials, at: datetime) -> bytes:
    """Return `claims` as the body of a signed request, valid for one minute from `at`.

    Raises Unsendable when the claims hold something IBKR refuses (nulls in lists, non-finite numbers), when a
    claim would collide with ours, or when the signed text exceeds IBKR's 20 MB (about 11 MB of raw files).
    """
    if collisions := RESERVED_CLAIMS & set(claims):
        raise Unsendable(f"The request must not set {', '.join(sorted(collisions))} itself.")
    issued = int(at.timestamp())
    payload = encode({**claims, "iss": credentials.client_id, "iat": issued, "exp": issued + VALIDITY_SECONDS})
    if len(payload) * 4 // 3 > LARGEST_REQUEST:
        raise Unsendable(_too_large(len(payload)))
    body = sign(payload.encode("ascii"), credentials=credentials, token_type="JWT")  # noqa: S106 - a header, not a secret
    if len(body) > LARGEST_REQUEST:
        raise Unsendable(_too_large(len(body)))
    return body


def sign(payload: bytes, *, credentials: Credentials, token_type: str) -> bytes:
    """Return `payload` as a compact RS256 JWS whose header names the key. Raises KeyProblem for an unusable key."""
    headers = {"typ": token_type, "kid": credentials.key_id}
    return _jws.encode(payload, keys.parsed(credentials.private_key), algorithm=ALGORITHM, headers=headers).encode(
        "ascii"
    )


def _too_large(size: int) -> str:
    return (
        f"The request is {size // (1024 * 1024)} MB; IBKR takes at most 20 MB. Send fewer or smaller files at a time."
    )
