import base64
import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import parse_qs

import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric import rsa

from backoffice.ibkr import AuthFailed, Credentials, IbkrClient, Transport, Unavailable
from backoffice.ibkr.environments import PRODUCTION, QA, sandbox
from backoffice.ibkr.oauth import CachedTokens, OAuth
from backoffice.ibkr.operations import OPERATIONS
from backoffice.ibkr.scopes import SCOPES, SCOPES_OF_USE, needed
from backoffice.ibkr.types.oauth import AccessToken
from tests.ibkr.conftest import Bench, answer, reset_after_read
from tests.ibkr.test_coverage import FACTS

PROBLEM = {"type": "/simple", "title": "Bad Request", "status": 400}


def token_for(master: str) -> str:
    def part(members: dict[str, str]) -> str:
        return base64.urlsafe_b64encode(json.dumps(members).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'RS256'})}.{part({'accountId': master, 'csid': 'FIRM-CLIENT'})}.c2ln"


@pytest.fixture
def oauth(bench: Bench, credentials: Credentials) -> OAuth:
    return OAuth(sandbox(bench.server.url), credentials, Transport(recorder=bench.exchanges.append, connect_timeout=1))


def dated(moment: datetime) -> dict[str, str]:
    return {"Date": format_datetime(moment.astimezone(UTC), usegmt=True)}


def test_a_token_says_its_life_its_scopes_its_master_and_the_clock(bench: Bench, oauth: OAuth) -> None:
    body = {"access_token": token_for("F1000001"), "token_type": "Bearer", "scope": "echo.read", "expires_in": 3000}
    bench.server.play(answer(200, body, **dated(datetime.now(UTC))))

    token = oauth.token(["echo.read", "echo.write"])

    assert token.expires_in == 3000
    assert token.scopes == {"echo.read"}
    assert token.master == "F1000001"
    assert token.skew_seconds in (-1, 0)  # a Date header has no fractions: the second may have turned since
    assert token.value not in repr(token)


@pytest.mark.parametrize("value", ["opaque", "a.b.c", "a..c", "e30.W10.c2ln"])
def test_an_opaque_token_is_a_token_without_a_master(bench: Bench, oauth: OAuth, value: str) -> None:
    bench.server.play(answer(200, {"access_token": value, "expires_in": 3000}))

    token = oauth.token(["echo.read"])

    assert (token.value, token.master, token.skew_seconds) == (value, "", None)
    assert token.scopes == {"echo.read"}


def test_the_form_has_the_names_of_the_standard(bench: Bench, oauth: OAuth, private_key: rsa.RSAPrivateKey) -> None:
    bench.server.play(answer(200, {"access_token": "abc", "expires_in": 60}))

    oauth.token(["accounts.read", "echo.read"])

    (request,) = bench.server.received
    form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert form.keys() == {"grant_type", "client_assertion_type", "client_assertion", "scope"}
    assert form["grant_type"] == "client_credentials"
    assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert form["scope"] == "accounts.read echo.read"
    claims = jwt.decode(form["client_assertion"], private_key.public_key(), algorithms=["RS256"], audience="/token")
    assert (claims["iss"], claims["sub"]) == ("FIRM-CLIENT", "FIRM-CLIENT")


def test_a_lost_answer_is_asked_again_with_another_assertion(bench: Bench, oauth: OAuth) -> None:
    bench.server.play(reset_after_read, answer(200, {"access_token": "abc", "expires_in": 60}))

    oauth.token(["echo.read"])

    first, second = (parse_qs(request.body.decode())["client_assertion"][0] for request in bench.server.received)
    assert first != second
    assert len({jwt.decode(each, options={"verify_signature": False})["jti"] for each in (first, second)}) == 2


@pytest.mark.row(id="Z15")
def test_audience_and_life_of_an_assertion_are_the_environments(
    credentials: Credentials, private_key: rsa.RSAPrivateKey
) -> None:
    environment = replace(QA.with_full_audience(), assertion_seconds=20)

    with time_machine.travel(datetime(2026, 11, 24, 12, 0, tzinfo=UTC), tick=False):
        token = OAuth(environment, credentials, Transport()).assertion()
        claims = jwt.decode(
            token,
            private_key.public_key(),
            algorithms=["RS256"],
            audience="https://qa.interactivebrokers.com/oauth2/api/v1/token",
        )

    noon = int(datetime(2026, 11, 24, 12, 0, tzinfo=UTC).timestamp())
    assert (claims["iat"], claims["exp"]) == (noon - 10, noon + 20)
    assert PRODUCTION.audience == "/token"


@pytest.mark.row(id="S08")
@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (timedelta(minutes=10), "clock is 10 minutes behind IBKR's. IBKR then takes the client assertion for expired"),
        (-timedelta(minutes=10), "clock is 10 minutes ahead of IBKR's. IBKR then takes the client assertion for made in the"),
        (timedelta(seconds=61), "clock is 1 minute 1 second behind IBKR's."),
        (timedelta(seconds=598), "clock is 10 minutes behind IBKR's."),
    ],
)  # fmt: skip
def test_a_refusal_with_a_clock_that_is_off_names_the_clock_and_the_cure(
    bench: Bench, oauth: OAuth, ahead: timedelta, words: str
) -> None:
    noon = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
    bench.server.play(answer(400, PROBLEM, **dated(noon + ahead)))

    with time_machine.travel(noon, tick=False), pytest.raises(AuthFailed) as caught:
        oauth.token(["echo.read"])

    assert words in caught.value.reason
    assert caught.value.reason.endswith("set this machine's clock by NTP and try again.")
    assert caught.value.skew_seconds == int(ahead.total_seconds())
    assert len(bench.server.received) == 1  # our clock is not quietly corrected for another try


def test_a_refusal_with_a_good_clock_names_what_else_to_check(bench: Bench, oauth: OAuth) -> None:
    bench.server.play(answer(400, {**PROBLEM, "detail": "unknown kid"}, **dated(datetime.now(UTC))))

    with pytest.raises(AuthFailed) as caught:
        oauth.token(["echo.read"])

    assert caught.value.reason == (
        "unknown kid. Check the client id, the key id, the key, the audience and this machine's clock."
    )
    assert caught.value.skew_seconds == 0


def test_every_answer_is_compared_with_our_clock(bench: Bench) -> None:
    noon = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
    bench.server.play(
        answer(200, {"accountId": "U1", "state": "Open"}, **dated(noon - timedelta(minutes=2))),
        answer(200, {"accountId": "U1", "state": "Open"}, Date="yesterday"),
    )

    with time_machine.travel(noon, tick=False):
        bench.client.accounts.status("U1000011")
        bench.client.accounts.status("U1000011")

    assert [exchange.skew_seconds for exchange in bench.exchanges] == [-120, None]


def test_many_threads_share_one_token_call() -> None:
    fetched: list[int] = []

    def fetch() -> AccessToken:
        fetched.append(1)
        return AccessToken("abc", 60, frozenset())

    tokens = CachedTokens(fetch)
    seen: list[str] = []
    threads = [threading.Thread(target=lambda: seen.append(tokens.bearer())) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == ["abc"] * 50
    assert len(fetched) == 1


@pytest.mark.parametrize(
    ("written", "seconds"), [(60, 60), ("86399", 86399), (b"3600.0", 3600), ("1,800", 1800), (10**30, 86400)]
)
def test_a_tokens_life_is_read_in_whatever_form_it_is_written(
    bench: Bench, oauth: OAuth, written: object, seconds: int
) -> None:
    life = written if isinstance(written, bytes) else json.dumps(written).encode()
    bench.server.play(answer(200, b'{"access_token":"abc","expires_in":' + life + b"}"))

    assert oauth.token(["echo.read"]).expires_in == seconds


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"access_token": "", "expires_in": 60},
        {"access_token": "abc"},
        {"access_token": "abc", "expires_in": True},
        {"access_token": "abc", "expires_in": "soon"},
        {"access_token": "abc", "expires_in": -1},
        b"<html>",
    ],
)
def test_an_answer_without_a_token_is_no_token(bench: Bench, oauth: OAuth, body: object) -> None:
    bench.server.play(answer(200, body))

    with pytest.raises(Unavailable):
        oauth.token(["echo.read"])


def test_every_gateway_operation_of_version_2_28_is_admitted_by_some_scope_we_ask_for() -> None:
    described = [
        operation
        for group, operations in OPERATIONS.items()
        for operation in operations
        if " /gw/" in operation and "since 2.39" not in group
    ]

    assert len(described) == 50
    for operation in described:
        assert set(needed(*operation.split(" "))) & set(SCOPES), operation


@pytest.mark.skipif(not FACTS.exists(), reason="IBKR's OpenAPI file is not beside this checkout")
def test_the_scopes_of_each_operation_are_those_of_ibkrs_file() -> None:
    paths = json.loads(FACTS.read_text())["paths"]
    allowed = {
        (method.upper(), path): set(operation["x-ib-gateway-allowed-scopes"])
        for path, operations in paths.items()
        for method, operation in operations.items()
        if path.startswith("/gw/") and "x-ib-gateway-allowed-scopes" in operation
    }

    assert len(allowed) == 50
    assert {operation: set(needed(*operation)) for operation in allowed} == allowed


def test_reading_reports_cannot_move_money_and_tax_documents_need_more_than_reading() -> None:
    assert not {"transfers.write", "instructions.write"} & set(SCOPES_OF_USE["reports"])
    assert needed("POST", "/gw/api/v1/tax-documents") == ("statements.write", "reports.write")
    assert needed("GET", "/gw/api/v1/accounts/U1000011/tasks") == ("accounts.read",)
    assert needed("POST", "/v1/api/tickle") == ()


def test_the_client_asks_only_for_the_scopes_it_was_given(bench: Bench, credentials: Credentials) -> None:
    bench.server.play(answer(200, {"access_token": "abc", "expires_in": 60}), answer(200, {"accountId": "U1"}))
    client = IbkrClient(base_url=bench.server.url, credentials=credentials, scopes=["accounts.read"])

    client.accounts.status("U1000011")

    assert parse_qs(bench.server.received[0].body.decode())["scope"] == ["accounts.read"]
