"""Where the documents of Account Management leave an answer open: each knob's answers, side by side."""

import base64
import time
from typing import Any

import pytest
import requests

from tests.sandbox.support import Caller, application, open_account

QUERY = {"accountId": "U1000011", "currency": "USD"}
MONTH = {"startDate": "202512", "endDate": "202512"}


def status_of(caller: Caller, token: str) -> int:
    whole = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{caller.url}/v1/api/sso/validate", headers=whole, timeout=10).status_code


def trading_token(caller: Caller, **more: Any) -> str:
    answer = caller.post("/sso-sessions", {"credential": "alder01", "ip": "127.0.0.1", **more})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def echo(caller: Caller, **claims: Any) -> requests.Response:
    headers = caller.headers(**{"Content-Type": "application/jwt"})
    signed = caller.sign({"hello": "x"}, **claims)
    return caller.http.post(f"{caller.url}/gw/api/v1/echo/signed-jwt", data=signed, headers=headers, timeout=30)


@pytest.mark.parametrize(("longest", "seconds", "status"), [(86400, 1000, 200), (60, 1000, 400), (60, 60, 200)])
def test_a_signed_body_lives_a_day_or_a_minute_at_most(caller: Caller, longest: int, seconds: int, status: int) -> None:
    caller.config(signed_body_lifetime_seconds=longest)
    now = int(time.time())

    assert echo(caller, iat=now, exp=now + seconds).status_code == status


@pytest.mark.parametrize(("again", "taken"), [(False, True), (True, False)])
def test_text_is_ascii_on_the_wire_or_also_once_it_is_decoded(caller: Caller, again: bool, taken: bool) -> None:
    caller.config(ascii_after_decoding=again)

    answer = caller.post("/accounts", application("a-1", account__alias="Käte"))

    assert (answer.status_code == 200) == taken
    assert taken or answer.json()["detail"] == "Contains non ASCII character."
    assert len(caller.ledger("application", "a-1")) == int(taken)


def test_a_native_name_is_in_its_own_script_either_way(caller: Caller) -> None:
    caller.config(ascii_after_decoding=True)

    assert open_account(caller, "a-2", holder__nativeName={"first": "Ада", "last": "Примерова"})


@pytest.mark.parametrize(
    ("where", "registration", "banking"), [("banking", 200, 400), ("everywhere", 400, 400), ("nowhere", 200, 201)]
)
def test_nulls_are_refused_here_there_or_nowhere(caller: Caller, where: str, registration: int, banking: int) -> None:
    caller.config(nulls_refused=where)

    applied = caller.post("/accounts", application("n-1", account__alias=None))
    instruction = {"clientInstructionId": caller.next_id(), **QUERY, "bankInstructionName": None}
    asked = caller.post(
        "/external-cash-transfers/query", {"instructionType": "QUERY_WITHDRAWABLE_FUNDS", "instruction": instruction}
    )

    assert (applied.status_code, asked.status_code) == (registration, banking)
    if registration == 400:
        assert [each["field"] for each in applied.json()["invalidArguments"]] == ["application.accounts.alias"]


@pytest.mark.parametrize(("taken", "status"), [(True, 200), (False, 400)])
def test_ipv6_addresses_are_taken_or_not(caller: Caller, taken: bool, status: int) -> None:
    caller.config(ipv6_taken=taken)

    answer = caller.post("/sso-browser-sessions", {"credential": "aoife001", "ip": "2001:db8::7"})
    beside = caller.post(
        "/sso-sessions", {"credential": "alder01", "ip": "127.0.0.1", "alternativeIps": ["2001:db8::7"]}
    )

    assert (answer.status_code, beside.status_code) == (status, status)
    assert taken or answer.json()["invalidArguments"][0]["field"] == "ip"
    assert caller.post("/sso-browser-sessions", {"credential": "aoife001", "ip": "127.0.0.1"}).status_code == 200


@pytest.mark.parametrize(
    ("rule", "seen"),
    [("declared", [200, 200, 200]), ("ip", [401, 200, 401]), ("first", [200, 401, 200])],
)
def test_a_session_is_bound_to_all_addresses_to_one_or_to_the_first_that_calls(
    caller: Caller, rule: str, seen: list[int]
) -> None:
    caller.config(session_bound_to=rule)
    token = trading_token(caller, ip="203.0.113.9", alternativeIps=["198.51.100.7"])

    found = []
    for address in ("198.51.100.7", "203.0.113.9", "198.51.100.7"):
        caller.config(egress_address=address)
        found.append(status_of(caller, token))

    assert found == seen


@pytest.mark.parametrize(
    ("form", "accept", "kind"),
    [
        ("accept", "*/*", "application/json"),
        ("accept", "application/pdf", "application/pdf"),
        ("base64", "application/pdf", "application/json"),
        ("pdf", "application/json", "application/pdf"),
    ],
)
def test_a_statement_comes_as_asked_or_always_in_one_form(caller: Caller, form: str, accept: str, kind: str) -> None:
    caller.config(statement_form=form)

    answer = caller.post("/statements", {"accountId": "U1000013", **MONTH}, Accept=accept)

    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, kind)
    whole = answer.content if kind == "application/pdf" else base64.b64decode(answer.json()["data"]["value"])
    assert whole.startswith(b"%PDF-")


@pytest.mark.parametrize(("is_needed", "status"), [(True, 400), (False, 200)])
def test_account_ids_stand_alone_or_beside_the_account_id(caller: Caller, is_needed: bool, status: int) -> None:
    caller.config(statement_needs_account=is_needed)

    answer = caller.post("/statements", {"accountIds": ["U1000013", "U1000011"], **MONTH}, Accept="application/pdf")

    assert answer.status_code == status
    assert caller.post("/statements", MONTH).status_code == 400


@pytest.mark.parametrize(("status", "period", "unopened"), [(None, 400, 402), (400, 400, 400), (402, 402, 402)])
def test_where_there_is_no_data_yet_it_is_400_or_402(
    caller: Caller, status: int | None, period: int, unopened: int
) -> None:
    caller.config(no_data_status=status)

    too_new = caller.post("/statements", {"accountId": "U1000013", "startDate": "209912", "endDate": "209912"})
    never_open = caller.get("/statements/available", accountId="U1000022")
    foreign = caller.get("/statements/available", accountId="U7777777")

    assert (too_new.status_code, never_open.status_code, foreign.status_code) == (period, unopened, 402)
