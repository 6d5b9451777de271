import json
from datetime import UTC, datetime
from decimal import Decimal

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from backoffice.ibkr import Credentials, Unsendable, signing
from backoffice.ibkr.environments import PRODUCTION, sandbox
from backoffice.ibkr.oauth import OAuth
from backoffice.ibkr.transport import Transport

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.row(id="Z15")
def test_a_body_is_a_bare_compact_token_with_the_claims_at_top_level(
    credentials: Credentials, private_key: rsa.RSAPrivateKey
) -> None:
    body = signing.signed_body(
        {"name": "José", "amount": Decimal("10.50"), "gone": None}, credentials=credentials, at=AT
    )

    token = body.decode("ascii")
    assert token.count(".") == 2
    assert jwt.get_unverified_header(token) == {"typ": "JWT", "alg": "RS256", "kid": "key-7"}
    claims = jwt.decode(
        token, private_key.public_key(), algorithms=["RS256"], options={"verify_exp": False, "verify_iat": False}
    )
    issued = int(AT.timestamp())
    assert claims == {"name": "José", "amount": 10.5, "iss": "FIRM-CLIENT", "iat": issued, "exp": issued + 60}


def test_the_signed_payload_itself_is_ascii_and_has_no_null(credentials: Credentials) -> None:
    token = signing.signed_body({"name": "Żółć", "gone": None}, credentials=credentials, at=AT).decode()

    payload = jwt.utils.base64url_decode(token.split(".")[1])

    assert payload.isascii()
    assert b"null" not in payload
    assert json.loads(payload)["name"] == "Żółć"


def test_an_oversized_body_is_refused_before_it_is_sent(credentials: Credentials) -> None:
    with pytest.raises(Unsendable, match="20 MB"):
        signing.signed_body({"data": "x" * (16 * 1024 * 1024)}, credentials=credentials, at=AT)


@pytest.mark.parametrize("claim", ["iss", "iat", "exp"])
def test_a_request_cannot_set_our_own_claims(credentials: Credentials, claim: str) -> None:
    with pytest.raises(Unsendable):
        signing.signed_body({claim: "x"}, credentials=credentials, at=AT)


@pytest.mark.row(id="Z15")
def test_a_client_assertion_is_short_lived_fresh_and_for_the_pinned_audience(
    credentials: Credentials, private_key: rsa.RSAPrivateKey
) -> None:
    oauth = OAuth(PRODUCTION, credentials, Transport())

    first, second = oauth.assertion(), oauth.assertion()

    claims = jwt.decode(first, private_key.public_key(), algorithms=["RS256"], audience="/token")
    again = jwt.decode(second, private_key.public_key(), algorithms=["RS256"], audience="/token")
    assert jwt.get_unverified_header(first) == {"typ": "JWT", "alg": "RS256", "kid": "key-7"}
    assert claims["iss"] == claims["sub"] == "FIRM-CLIENT"
    assert claims["exp"] - claims["iat"] == 40
    assert claims["jti"] != again["jti"]


def test_the_audience_is_a_setting_of_the_environment(credentials: Credentials, private_key: rsa.RSAPrivateKey) -> None:
    from dataclasses import replace

    environment = replace(sandbox("http://127.0.0.1:9"), audience="https://api.ibkr.com/oauth2/api/v1/token")

    token = OAuth(environment, credentials, Transport()).assertion()

    jwt.decode(
        token, private_key.public_key(), algorithms=["RS256"], audience="https://api.ibkr.com/oauth2/api/v1/token"
    )


@pytest.mark.row(id="Z15")
def test_the_private_key_is_in_no_representation(credentials: Credentials) -> None:
    assert b"PRIVATE" in credentials.private_key
    assert "PRIVATE" not in repr(credentials)
