"""`POST /oauth2/api/v1/token`."""

import time

import jwt
import pytest
import requests

from tests.sandbox.support import ASSERTION_TYPE, CLIENT, MASTER, Caller, make_key


def test_a_signed_assertion_buys_a_token_bound_to_the_master(steady: Caller) -> None:
    answer = steady.ask_token(scope="echo.read accounts.read")

    assert answer.status_code == 200
    body = answer.json()
    assert (body["token_type"], body["scope"], body["expires_in"]) == ("Bearer", "accounts.read echo.read", 86399)
    claims = jwt.decode(body["access_token"], options={"verify_signature": False})
    assert (claims["iss"], claims["sub"], claims["csid"], claims["accountId"]) == ("/token", CLIENT, CLIENT, MASTER)


def test_the_short_audience_is_accepted_too(steady: Caller) -> None:
    assert steady.ask_token(steady.assertion(aud="/token")).status_code == 200


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"aud": "https://example.com/token"}, "aud"),
        ({"iss": "SOMEBODY"}, "unknown client"),
        ({"sub": "SOMEBODY"}, "sub differs"),
        ({"exp": int(time.time()) - 60, "iat": int(time.time()) - 90}, "exp is missing or past"),
        ({"exp": None}, "exp is missing"),
        ({"iat": int(time.time()) + 86400, "exp": int(time.time()) + 86460}, "future"),
        ({"exp": int(time.time()) + 10 * 86400}, "lives longer"),
    ],
)
def test_an_assertion_with_a_wrong_claim_is_refused(steady: Caller, changes: dict[str, object], why: str) -> None:
    answer = steady.ask_token(steady.assertion(**changes))

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert why in answer.json()["detail"]


def test_an_assertion_signed_by_another_key_is_refused(steady: Caller) -> None:
    answer = steady.ask_token(steady.assertion(key=make_key()))

    assert (answer.status_code, answer.json()["title"]) == (400, "Bad Request")


def test_an_unknown_key_id_is_refused(steady: Caller) -> None:
    assert steady.ask_token(steady.assertion(headers={"kid": "other"})).json()["detail"] == "unknown kid"


def test_a_shared_secret_signature_is_refused(steady: Caller) -> None:
    now = int(time.time())
    forged = jwt.encode(
        {"iss": CLIENT, "sub": CLIENT, "aud": "/token", "iat": now, "exp": now + 20},
        "x" * 40,
        "HS256",
        {"kid": "tests-1"},
    )

    assert steady.ask_token(forged).status_code == 400


def test_a_jti_works_once(steady: Caller) -> None:
    first = steady.ask_token(steady.assertion(jti="one"))
    second = steady.ask_token(steady.assertion(jti="one"))

    assert (first.status_code, second.status_code) == (200, 400)


def test_a_scope_that_was_not_registered_is_refused(steady: Caller) -> None:
    answer = steady.ask_token(scope="accounts.read everything.write")

    assert answer.status_code == 400
    assert "everything.write" in answer.json()["detail"]


def test_camel_case_field_names_are_refused(steady: Caller) -> None:
    fields = {
        "grantType": "client_credentials",
        "clientAssertionType": ASSERTION_TYPE,
        "clientAssertion": steady.assertion(),
    }

    answer = requests.post(f"{steady.url}/oauth2/api/v1/token", data=fields, timeout=10)

    assert answer.status_code == 400
    assert "clientAssertion" in answer.json()["detail"]


def test_a_json_body_is_refused(steady: Caller) -> None:
    answer = requests.post(f"{steady.url}/oauth2/api/v1/token", json={"grant_type": "client_credentials"}, timeout=10)

    assert answer.status_code == 400
