from typing import Any

import jwt
import pytest

from backoffice.ibkr import AuthFailed, RateLimited, Rejected, Unavailable, Unsendable
from tests.ibkr.conftest import Bench, answer


def test_the_plain_echo_brings_back_what_the_gateway_saw(bench: Bench) -> None:
    bench.server.play(
        answer(200, {"requestMethod": "GET", "securityPolicy": "HTTPS", "queryParameters": {"ping": "one"}, "new": 1})
    )

    echo = bench.client.echo.https(ping="one")

    assert bench.server.received[0].target == "/gw/api/v1/echo/https?ping=one"
    assert (echo.request_method, echo.security_policy) == ("GET", "HTTPS")
    assert echo.query_parameters == {"ping": "one"}


@pytest.mark.parametrize("stated", [None, {}, [], "none"])
def test_an_echo_without_parameters_is_an_echo(bench: Bench, stated: Any) -> None:
    bench.server.play(answer(200, {"requestMethod": "GET", "securityPolicy": "HTTPS", "queryParameters": stated}))

    assert bench.client.echo.https().query_parameters == {}


def test_the_signed_echo_is_a_bare_jws_with_our_claims(bench: Bench) -> None:
    bench.server.play(answer(200, {"requestMethod": "POST", "securityPolicy": "SIGNED_JWT", "queryParameters": {}}))

    echo = bench.client.echo.signed(ping="é")

    (request,) = bench.server.received
    assert (request.method, request.target) == ("POST", "/gw/api/v1/echo/signed-jwt")
    assert request.headers["content-type"] == "application/jwt"
    claims = jwt.decode(request.body, options={"verify_signature": False})
    assert (claims["iss"], claims["ping"]) == ("FIRM-CLIENT", "é")
    assert echo.security_policy == "SIGNED_JWT"


def test_a_claim_of_ours_cannot_be_overwritten(bench: Bench) -> None:
    bench.server.play(answer(200, {}))

    with pytest.raises(Unsendable):
        bench.client.echo.signed(iss="somebody else")

    assert bench.server.connections == 0


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, {"title": "Unauthorized", "status": 401, "detail": "The access token request is invalid"}, AuthFailed),
        (
            403,
            {"title": "Forbidden", "status": 403, "detail": "The access token fails to have sufficient scope"},
            AuthFailed,
        ),
        (400, {"title": "x", "status": 400, "detail": "Invalid payload for security policy: SIGNED_JWT"}, Rejected),
        (429, {}, RateLimited),
        (500, {"type": "/simple", "title": "Internal Server Error", "status": 500}, Unavailable),
        (200, b"<html>", Unavailable),
        (200, ["text"], Unavailable),
    ],
)
def test_each_failure_of_an_echo_has_its_name(bench: Bench, status: int, body: Any, error: type) -> None:
    bench.server.play(answer(status, body))

    with pytest.raises(error):
        bench.client.echo.signed()
