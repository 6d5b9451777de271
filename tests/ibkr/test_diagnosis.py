import socket
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

from backoffice.ibkr import Credentials, Environment, IbkrClient, IbkrError, Transport
from backoffice.ibkr.checkup import check
from backoffice.ibkr.diagnosis import (
    Doing,
    Explanation,
    Facts,
    explain,
    other_kind_of_login,
    private_address,
    wrong_environment,
)
from backoffice.ibkr.environments import Timeouts
from backoffice.ibkr.errors import HeldBack
from tests.ibkr.conftest import Bench, RawServer, Step, answer, hang, reset_after_read

FACTS = Facts(
    environment="sandbox",
    base_url="http://127.0.0.1:9100",
    client_id="FIRM-CLIENT",
    key_id="key-7",
    master="F1000001",
    username="alder01",
    ip="192.0.2.7",
    thumbprint="NzbLsXh8uDCcd",
)
SERVICE_HOURS = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)  # a Tuesday, noon in New York
EDGE = b"<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD></HTML>"
TOKEN = {"access_token": "abc", "token_type": "Bearer", "expires_in": 600}


def problem(status: int, detail: str = "", **members: Any) -> Step:
    body = {
        "type": "/simple",
        "title": "Problem",
        "status": status,
        **({"detail": detail} if detail else {}),
        **members,
    }
    return answer(status, body)


def explained(bench: Bench, doing: Doing, *steps: Step, at: datetime = SERVICE_HOURS) -> Explanation:
    """Have IBKR answer a call of this step and explain what comes of it."""
    bench.server.play(*steps)
    calls = {
        Doing.TOKEN: lambda: bench.client.oauth.token(["echo.read"]),
        Doing.ECHO: bench.client.echo.https,
        Doing.SIGNED_ECHO: bench.client.echo.signed,
        Doing.ACCOUNTS: lambda: bench.client.accounts.status("U1000011"),
        Doing.SIGN_ON: lambda: bench.client.sso.trading_session("alder01", ip="192.0.2.7"),
        Doing.VALIDATION: bench.client.session.validate,
        Doing.CALL: bench.client.session.accounts,
    }
    with time_machine.travel(at, tick=False), pytest.raises(IbkrError) as caught:
        calls[doing]()
    return explain(caught.value, doing=doing, facts=FACTS)


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("unknown client", "IBKR does not know the client id FIRM-CLIENT in sandbox."),
        ("Client not found", "IBKR does not know the client id FIRM-CLIENT in sandbox."),
        ("unknown kid", "IBKR holds no key with the id key-7 for FIRM-CLIENT."),
        ("signature: Signature verification failed", "The private key is not the one whose public half IBKR holds as key-7."),
        ("aud is not this token endpoint", "IBKR does not accept the audience of the client assertion."),
        ("exp is missing or past", "IBKR takes the client assertion for expired or made in the future."),
        ("no scope: echo.write transfers.read", "IBKR did not grant the scopes echo.write, transfers.read to FIRM-CLIENT."),
        ("IP is not white-listed", "IBKR does not accept calls from this machine's address (the declared one is 192.0.2.7)."),
        ("", "IBKR refused the client assertion without saying why."),
    ],
)  # fmt: skip
def test_a_refused_token_is_explained_by_what_ibkr_says(bench: Bench, said: str, cause: str) -> None:
    found = explained(bench, Doing.TOKEN, problem(400, said))

    assert found.cause == cause
    assert found.fix.endswith(".")
    assert found.detail.startswith(f"POST /oauth2/api/v1/token, HTTP 400: {said or 'Problem'} (request ")


def test_an_oauth_style_refusal_is_read_too(bench: Bench) -> None:
    body = {"error": "invalid_client", "error_description": "Unknown client"}

    assert explained(bench, Doing.TOKEN, answer(401, body)).cause.startswith("IBKR does not know the client id")


def test_a_refusal_without_a_word_names_all_that_is_to_be_compared(bench: Bench) -> None:
    fix = explained(bench, Doing.TOKEN, problem(400)).fix

    assert all(part in fix for part in ("FIRM-CLIENT", "key-7", "NzbLsXh8uDCcd"))


def test_a_clock_ten_minutes_off_is_the_cause_whatever_else_is_said(bench: Bench) -> None:
    late = answer(400, {"title": "Bad Request", "status": 400}, Date="Tue, 24 Nov 2026 17:10:00 GMT")

    found = explained(bench, Doing.TOKEN, late)

    assert str(found) == (
        "This machine's clock is 10 minutes behind IBKR's. Set this machine's clock by NTP and keep it so."
    )


def test_a_missing_scope_is_named_even_when_ibkr_does_not(bench: Bench) -> None:
    refused = problem(403, "The access token fails to have sufficient scope")

    assert explained(bench, Doing.ECHO, refused).cause == "IBKR did not grant the scope echo.read to FIRM-CLIENT."
    assert explained(bench, Doing.ACCOUNTS, refused).cause == (
        "IBKR did not grant the scope accounts.read to FIRM-CLIENT."
    )


def test_a_refusal_by_the_network_edge_is_told_from_one_by_ibkr(bench: Bench) -> None:
    found = explained(bench, Doing.ECHO, answer(403, EDGE, content_type="text/html"))

    assert found.cause == "The network edge in front of IBKR answered 403 before IBKR saw the request."
    assert "allow-list" in found.fix
    assert "User-Agent" in found.fix


def test_an_empty_403_is_the_edges_too(bench: Bench) -> None:
    assert "network edge" in explained(bench, Doing.ECHO, answer(403, b"")).cause


def test_a_token_that_is_not_accepted_is_said(bench: Bench) -> None:
    found = explained(bench, Doing.ECHO, problem(401, "The access token request is invalid"))

    assert found.cause.startswith("IBKR does not accept the access token")


def test_a_body_whose_signature_is_refused_names_the_key(bench: Bench) -> None:
    found = explained(bench, Doing.SIGNED_ECHO, problem(400, "Invalid payload for security policy: SIGNED_JWT"))

    assert found.cause == "The private key is not the one whose public half IBKR holds as key-7."


def test_a_wrong_username_is_named(bench: Bench) -> None:
    fields = [{"field": "credential", "description": "Invalid or Missing required parameter"}]

    found = explained(bench, Doing.SIGN_ON, problem(400, "Input is wrong", invalidArguments=fields))

    assert found.cause == "IBKR does not accept the username alder01 for master account F1000001."


def test_a_sign_on_that_is_bound_to_another_address_is_named(bench: Bench) -> None:
    found = explained(bench, Doing.VALIDATION, problem(401, "The access token request is invalid"))

    assert found.cause == (
        "IBKR does not accept the trading sign-on from this machine: its address is not the declared 192.0.2.7."
    )


@pytest.mark.parametrize(
    ("environment", "ip", "is_wrong"),
    [
        ("production", "127.0.0.1", True), ("qa", "10.1.2.3", True), ("production", "::1", True),
        ("production", "8.8.8.8", False), ("sandbox", "127.0.0.1", False),
    ],
)  # fmt: skip
def test_a_declared_address_that_is_not_public_is_noted(environment: str, ip: str, is_wrong: bool) -> None:
    found = private_address(replace(FACTS, environment=environment, ip=ip))

    assert (found is not None) is is_wrong
    if found is not None:
        assert found.cause.startswith(f"The address declared to IBKR, {ip}, is not a public one")


def test_an_account_of_another_master_is_named(bench: Bench) -> None:
    found = explained(bench, Doing.ACCOUNTS, answer(400, {"error": "ERROR_ACCOUNT_CP_NOT_RELATED"}))

    assert found.cause == "The account does not belong to master account F1000001."


def test_a_maintenance_window_explains_a_503(bench: Bench) -> None:
    tuesday_evening = datetime(2026, 11, 24, 23, 10, tzinfo=UTC)  # 18:10 in New York

    found = explained(bench, Doing.ACCOUNTS, problem(503), at=tuesday_evening)

    assert str(found) == (
        "IBKR's registration services are down for maintenance, as planned. "
        "Wait until 2026-11-24 23:30 UTC; work goes on by itself."
    )
    assert "trouble of its own" in explained(bench, Doing.ACCOUNTS, problem(503)).fix


def test_a_penalty_is_named(bench: Bench) -> None:
    found = explained(bench, Doing.ECHO, answer(429, {"error": "Too many requests"}))

    assert found.cause.startswith("IBKR answered 429: too many requests came from this address")
    assert "15 minutes" in found.fix


def test_our_own_holding_back_says_until_when() -> None:
    held = HeldBack("A penalty of IBKR's is running.", until=SERVICE_HOURS)

    assert str(explain(held, doing=Doing.ECHO, facts=FACTS)) == (
        "A penalty of IBKR's is running. Nothing was sent; wait until 2026-11-24 17:00 UTC and try again."
    )


def plain(peer: socket.socket, _server: RawServer) -> None:
    """Answer a TLS greeting in plain text, as a wrong port does."""
    peer.recv(65_536)
    peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def of_network(base_url: str, credentials: Credentials, environment: Environment | None = None) -> str:
    client = IbkrClient(
        base_url=base_url,
        environment=environment,
        credentials=credentials,
        transport=Transport(connect_timeout=1, pause=lambda _: None),
        timeouts=Timeouts(connect=1, read=1),
    )
    facts = Facts("qa", base_url, "FIRM-CLIENT", "key-7", "F1000001")
    with pytest.raises(IbkrError) as caught:
        client.oauth.token(["echo.read"])
    return explain(caught.value, doing=Doing.TOKEN, facts=facts).cause


def test_what_the_network_says_is_told_apart(credentials: Credentials, server: RawServer, closed_port: int) -> None:
    nowhere = Environment(name="qa", base_url="https://ibkr.invalid")
    closed = f"http://127.0.0.1:{closed_port}"
    secure = server.url.replace("http:", "https:")

    assert of_network(nowhere.base_url, credentials, nowhere) == "The name in https://ibkr.invalid cannot be resolved."
    assert of_network(closed, credentials) == f"Nothing listens at {closed}."
    server.play(plain)
    assert of_network(secure, credentials) == f"No TLS connection to {secure} could be made."
    server.play(hang)
    assert of_network(server.url, credentials) == f"{server.url} took the request and did not answer in time."


def test_a_connection_that_breaks_is_still_explained(bench: Bench) -> None:
    found = explained(bench, Doing.ECHO, reset_after_read)

    assert found.cause.startswith("IBKR did not answer")
    assert found.fix


@pytest.mark.parametrize(
    ("environment", "url", "words"),
    [
        (
            "production",
            "https://qa.interactivebrokers.com",
            "belongs to qa, but the connection is meant for production",
        ),
        ("qa", "http://127.0.0.1:9100", "belongs to sandbox, but the connection is meant for qa"),
        ("production", "https://api.ibkr.example", "is not an address of IBKR's"),
    ],
)
def test_an_address_of_another_environment_is_named(environment: str, url: str, words: str) -> None:
    found = wrong_environment(Facts(environment, url, "FIRM-CLIENT", "key-7", "F1000001"))

    assert found is not None
    assert words in found.cause
    assert wrong_environment(FACTS) is None


def test_an_address_in_the_clear_is_answered_with_the_right_one() -> None:
    facts = Facts("production", "http://api.ibkr.com", "FIRM-CLIENT", "key-7", "F1000001")

    (step,) = check(lambda: pytest.fail("nothing is sent to such an address"), facts)

    assert step.explanation is not None
    assert str(step.explanation).endswith(
        "(http is for the sandbox on loopback). Set the address to https://api.ibkr.com."
    )


def test_a_token_that_does_not_say_whose_it_is_is_known_by_its_accounts(bench: Bench, credentials: Credentials) -> None:
    bench.server.play(
        *[answer(200, TOKEN)] * 2,
        *[answer(200, {"requestMethod": "GET", "securityPolicy": "HTTPS"})] * 2,
        answer(200, {"accounts": [{"accountId": "U1000011", "masterAccountId": "F7777777"}], "total": 1}),
    )
    facts = replace(FACTS, username="")

    last = check(lambda: IbkrClient(base_url=bench.server.url, credentials=credentials), facts)[-1]

    assert last.name == "Account list"
    assert last.explanation is not None
    assert last.explanation.cause == "The credentials belong to master account F7777777, not to F1000001."


@pytest.mark.parametrize("refusal", [problem(400), answer(400, {"error": "invalid_scope"})])
def test_a_missing_scope_is_found_even_when_ibkr_only_says_no(
    bench: Bench, credentials: Credentials, refusal: Step
) -> None:
    granted = answer(200, TOKEN)
    bench.server.play(refusal, refusal, granted, refusal, granted)  # the three of the test, then one by one

    last = check(lambda: IbkrClient(base_url=bench.server.url, credentials=credentials), replace(FACTS, username=""))[
        -1
    ]

    assert last.name == "Access token"
    assert last.explanation is not None
    assert last.explanation.cause == "IBKR did not grant the scope echo.write to FIRM-CLIENT."


def test_scopes_that_ibkr_refuses_without_naming_them_are_found_one_by_one(
    bench: Bench, credentials: Credentials
) -> None:
    bench.server.play(
        answer(200, TOKEN),
        *[problem(400)] * 2,
        answer(200, TOKEN),
        problem(400),
        problem(503),
    )
    facts = replace(FACTS, username="", scopes=("accounts.write", "instructions.read", "transfers.write"))

    steps = check(lambda: IbkrClient(base_url=bench.server.url, credentials=credentials), facts)

    found = steps[3]
    assert (found.name, found.ok) == ("Scopes of the work", True)
    assert found.explanation is not None
    assert found.explanation.cause == ("IBKR did not grant the scopes accounts.write, transfers.write to FIRM-CLIENT.")


def test_a_check_stops_where_nothing_can_follow(bench: Bench, credentials: Credentials) -> None:
    bench.server.play(problem(400, "unknown kid"))
    client = IbkrClient(base_url=bench.server.url, credentials=credentials)

    steps = check(lambda: client, FACTS)

    assert [(step.name, step.ok) for step in steps] == [
        ("Address", True),
        ("Private key", True),
        ("Access token", False),
    ]
    assert len(bench.server.received) == 1


def test_a_check_opens_and_closes_one_sign_on_and_no_brokerage_session(bench: Bench, credentials: Credentials) -> None:
    bench.server.play(
        answer(200, {**TOKEN, "scope": "accounts.read echo.read echo.write sso-sessions.write"}),
        answer(200, TOKEN),
        answer(200, {"requestMethod": "GET", "securityPolicy": "HTTPS", "queryParameters": {}}),
        answer(200, {"requestMethod": "POST", "securityPolicy": "SIGNED_JWT", "queryParameters": {}}),
        answer(200, {"accounts": [], "offset": 0, "limit": 1, "total": 0}),
        answer(200, {"active": True, "access_token": "sso-bearer", "token_type": "Bearer"}),
        answer(200, {"RESULT": True, "USER_NAME": "ALDER01"}),
        answer(200, {"status": True}),
    )
    client = IbkrClient(base_url=bench.server.url, credentials=credentials)

    steps = check(lambda: client, FACTS)

    assert [step.name for step in steps if not step.ok] == []
    assert len(steps) == 8
    targets = [request.target.partition("?")[0] for request in bench.server.received]
    assert targets[-3:] == ["/gw/api/v1/sso-sessions", "/v1/api/sso/validate", "/v1/api/logout"]
    assert [request.headers["authorization"] for request in bench.server.received[-2:]] == ["Bearer sso-bearer"] * 2


def test_a_sign_on_as_somebody_else_is_named_and_still_closed(bench: Bench, credentials: Credentials) -> None:
    bench.server.play(
        *[answer(200, {**TOKEN, "scope": "accounts.read echo.read echo.write sso-sessions.write"})] * 2,
        *[answer(200, {"requestMethod": "GET", "securityPolicy": "HTTPS"})] * 2,
        answer(200, {"accounts": [], "offset": 0, "limit": 1, "total": 0}),
        answer(200, {"active": True, "access_token": "sso-bearer", "token_type": "Bearer"}),
        answer(200, {"RESULT": True, "USER_NAME": "rowan02"}),
        answer(200, {"status": True}),
    )
    client = IbkrClient(base_url=bench.server.url, credentials=credentials)

    last = check(lambda: client, FACTS)[-1]

    assert last.explanation is not None
    assert last.explanation.cause == "IBKR signed in rowan02 instead of alder01."
    assert bench.server.received[-1].target == "/v1/api/logout"


@pytest.mark.parametrize(
    ("is_paper", "environment", "master", "words"),
    [
        (True, "production", "F1000001", "IBKR signed alder01 in for paper trading, and F1000001 is no paper account."),
        (False, "production", "DF100001", "IBKR signed alder01 in for live trading, and DF100001 is a paper account."),
        (True, "production", "DF100001", ""),
        (False, "production", "F1000001", ""),
        (None, "production", "F1000001", ""),
        (True, "qa", "I1000001", ""),  # nobody says what the test system's usernames are
    ],
)
def test_a_login_for_the_other_kind_of_money_is_named(
    is_paper: bool | None, environment: str, master: str, words: str
) -> None:
    wrong = other_kind_of_login(is_paper, environment=environment, master=master, username="alder01")

    assert (wrong.cause if wrong else "") == words
