"""Z15: what a thief of our tokens could do with them is little, and nothing a server says changes how we sign."""

import re
from pathlib import Path
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from backoffice.ibkr import Credentials
from backoffice.ibkr.environments import PRODUCTION
from backoffice.ibkr.oauth import OAuth
from backoffice.ibkr.transport import Transport
from tests.ibkr.conftest import Bench, answer

ROOT = Path(__file__).parents[2]
PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=\r\n]{200,}")
FOLDERS = ("backoffice", "clients", "funding", "trading", "reporting", "requirements", "templates", "tests")
SUGGESTIONS = {
    "audience": "https://evil.example/token", "issuer": "https://evil.example", "alg": "none",
    "token_endpoint": "https://evil.example/token", "jwks_uri": "https://evil.example/jwks",
    "token_endpoint_auth_signing_alg_values_supported": ["none", "HS256"],
}  # fmt: skip


@pytest.mark.row(id="Z15")
def test_z15_nothing_a_server_suggests_changes_audience_or_algorithm(
    bench: Bench, credentials: Credentials, private_key: rsa.RSAPrivateKey
) -> None:
    bench.server.play(answer(200, {"access_token": "abc", "expires_in": 60, **SUGGESTIONS}))

    for _ in range(2):
        bench.client.oauth.token(["echo.read"])

    assert len(bench.server.received) == 2
    for request in bench.server.received:
        assertion = parse_qs(request.body.decode())["client_assertion"][0]
        assert jwt.get_unverified_header(assertion)["alg"] == "RS256"
        assert (
            jwt.decode(assertion, private_key.public_key(), algorithms=["RS256"], audience="/token")["aud"] == "/token"
        )


@pytest.mark.row(id="Z15")
def test_z15_an_assertion_is_worth_nothing_for_another_audience_or_by_another_algorithm(
    credentials: Credentials, private_key: rsa.RSAPrivateKey
) -> None:
    assertion = OAuth(PRODUCTION, credentials, Transport()).assertion()
    public = private_key.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    with pytest.raises(jwt.InvalidAudienceError):
        jwt.decode(assertion, public, algorithms=["RS256"], audience="https://another.example/token")
    with pytest.raises(jwt.InvalidAlgorithmError):
        jwt.decode(assertion, public, algorithms=["PS256", "ES256"], audience="/token")
    assert PRODUCTION.audience == "/token"
    assert pem not in assertion.encode()


@pytest.mark.row(id="Z15")
def test_z15_no_private_key_is_in_the_repository() -> None:
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]

    assert [path for path in files if PRIVATE_KEY.search(path.read_bytes())] == []
    assert len(files) > 300
