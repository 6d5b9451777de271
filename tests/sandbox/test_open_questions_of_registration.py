"""Where the documents of Account Management leave an answer open: each knob's answers, side by side."""

import base64
import time
from typing import Any

import pytest
import requests

from tests.sandbox.support import Caller, application, errors, open_account, outcome
from tests.sandbox.test_review import paper

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


# ---- applications


@pytest.mark.parametrize(
    ("is_burnt", "is_found", "second", "is_processed"),
    [(False, False, "Success", False), (True, False, "Error", False), (True, True, "Error", True)],
)
def test_a_failed_application_leaves_nothing_or_burns_its_id_or_is_found_by_it(
    caller: Caller, is_burnt: bool, is_found: bool, second: str, is_processed: bool
) -> None:
    caller.config(failed_application_burns_id=is_burnt, failed_application_found=is_found)

    errors(caller.post("/accounts", application("f-1", account__baseCurrency="USDD")))
    looked_up = caller.get("/accounts", externalId="f-1").json()
    mended = outcome(caller.post("/accounts", application("f-1")))

    assert (looked_up["isProcessed"], mended["status"]) == (is_processed, second)
    assert looked_up["hasError"] is True
    if is_found:
        assert looked_up["data"]["application"]["status"] == "Error"
    if is_burnt:
        assert mended["error"] == [{"value": "Already Processed"}]
    assert len(caller.ledger("application", "f-1")) == int(not is_burnt)
    assert outcome(caller.post("/accounts", application("f-2")))["status"] == "Success"


def test_what_was_accepted_is_found_whatever_failed_before(caller: Caller) -> None:
    caller.config(failed_application_found=True)
    errors(caller.post("/accounts", application("f-3", account__baseCurrency="USDD")))
    number = open_account(caller, "f-3")

    found = caller.get("/accounts", externalId="f-3").json()

    assert found["data"]["application"]["accounts"][0]["value"] == number


def test_the_members_of_an_accepted_application_have_either_name(caller: Caller) -> None:
    plain = outcome(caller.post("/accounts", application("m-1")))
    caller.config(answer_members="documented")
    documented = outcome(caller.post("/accounts", application("m-2")))

    assert [set(plain[name][0]) for name in ("accounts", "users", "entities")] == [{"value", "externalId"}] * 3
    assert [set(documented[name][0]) for name in ("accounts", "users", "entities")] == [
        {"value"},
        {"user", "password", "externalId"},
        {"id", "externalId"},
    ]


@pytest.mark.parametrize(
    ("rule", "individual", "ira"),
    [("both", "Success", "Success"), ("individual", "Success", "Error"), ("ira", "Error", "Success")],
)
def test_a_retirement_account_is_an_individuals_or_of_its_own_type(
    caller: Caller, rule: str, individual: str, ira: str
) -> None:
    caller.config(ira_customer_type=rule)
    retirement = {"account__ira": True, "account__iraType": "RO"}

    found = [
        outcome(caller.post("/accounts", application(f"i-{kind}", customer__type=kind, **retirement)))["status"]
        for kind in ("INDIVIDUAL", "IRA")
    ]

    assert found == [individual, ira]
    assert outcome(caller.post("/accounts", application("i-3")))["status"] == "Success"


def test_a_name_steers_the_identity_check_or_nothing_does(caller: Caller) -> None:
    name = {"holder__name__last": "Nomatch"}
    asked = outcome(caller.post("/accounts", application("w-1", **name)))
    caller.config(magic_values=False)
    unasked = outcome(caller.post("/accounts", application("w-2", **name)))

    assert {8001, 8002} <= {task["formNumber"] for task in asked["pendingTasks"]}
    assert not {8001, 8002} & {task["formNumber"] for task in unasked["pendingTasks"]}


@pytest.mark.parametrize(("least", "status"), [("sample", "Success"), ("table", "Error")])
def test_the_least_application_is_that_of_the_sample_or_of_the_table(caller: Caller, least: str, status: str) -> None:
    caller.config(hybrid_minimum=least)
    starred = {
        "holder__sameMailAddress": True,
        "holder__taxResidencies": [{"country": "USA", "tin": "212456789", "tinType": "SSN"}],
        "account__margin": "Cash",
    }

    assert outcome(caller.post("/accounts", application("l-1")))["status"] == status
    assert outcome(caller.post("/accounts", application("l-2", **starred)))["status"] == "Success"


@pytest.mark.parametrize(("largest", "status"), [(None, "Success"), (5_000_001, "Error")])
def test_liquid_money_ends_at_the_printed_figure_or_at_the_likely_one(
    caller: Caller, largest: int | None, status: str
) -> None:
    caller.config(largest_liquid_net_worth=largest)
    money = {"netWorth": 9_000_000, "liquidNetWorth": 6_000_000, "annualNetIncome": 100_000}

    assert outcome(caller.post("/accounts", application("y-1", financial=[money])))["status"] == status


# ---- status, requests, changes


def alias_of(caller: Caller, number: str = "U1000011") -> str:
    return str(caller.get(f"/accounts/{number}/details").json()["account"]["accountAlias"])


def test_details_are_those_of_now_or_of_last_evening(caller: Caller) -> None:
    caller.patch("updateAccountAlias", {"accountId": "U1000011", "accountAlias": "First"})
    assert alias_of(caller) == "First"
    caller.config(details_as_of="last_evening")

    caller.patch("updateAccountAlias", {"accountId": "U1000011", "accountAlias": "Second"})
    number = open_account(caller, "e-1")
    new = caller.get(f"/accounts/{number}/details").json()
    same_day = alias_of(caller)
    caller.advance(86_400)

    assert (same_day, alias_of(caller)) == ("First", "Second")
    assert new["hasError"] is True
    assert caller.get(f"/accounts/{number}/details").json()["account"]["accountId"] == number


def test_a_letter_that_nobody_has_described_is_shown_and_found(caller: Caller) -> None:
    caller.config(status_letters={"O": "L"})
    status = caller.get("/accounts/U1000011/status").json()
    period = {"startDate": "2020-01-01", "endDate": "2030-01-01"}
    listed = {
        letter: [row["accountId"] for row in caller.get("/accounts/status", status=letter, **period).json()["accounts"]]
        for letter in ("O", "L")
    }
    caller.config(status_letters=None)

    assert (status["status"], status["description"]) == ("L", "L")
    assert listed["O"] == []
    assert "U1000011" in listed["L"]
    assert caller.get("/accounts/U1000011/status").json()["status"] == "O"


def test_requests_are_told_in_the_words_of_callbacks_or_in_others(caller: Caller) -> None:
    caller.patch("updateAccountAlias", {"accountId": "U1000011", "accountAlias": "Family"})
    later = caller.patch("changeBaseCurrency", {"accountId": "U1000011", "newBaseCurrency": "EUR"}).json()["requestId"]
    period = {"startDate": "2020-01-01", "endDate": "2030-01-01"}

    found = []
    for words in ({}, {"PENDING": "In Process", "ACCEPTED": "Completed"}):
        caller.config(request_words=words)
        rows = caller.get("/requests", **period).json()["requestDetails"][:2]
        one = caller.get(f"/requests/{later}/status", type="update").json()["status"]
        found.append(([row["status"] for row in rows], one))

    assert found == [(["PENDING", "ACCEPTED"], "PENDING"), (["In Process", "Completed"], "In Process")]


@pytest.mark.parametrize(("rule", "crossed"), [("any", 200), ("by_kind", 400)])
def test_a_request_answers_every_type_or_that_of_its_kind(caller: Caller, rule: str, crossed: int) -> None:
    application_id = caller.post("/accounts", application("r-1")).json()["requestId"]
    change_id = caller.patch("updateAccountAlias", {"accountId": "U1000011", "accountAlias": "Family"}).json()[
        "requestId"
    ]
    caller.config(request_status_types=rule)

    found = [
        caller.get(f"/requests/{number}/status", type=kind).status_code
        for number, kind in (
            (application_id, "response"),
            (application_id, "update"),
            (change_id, "update"),
            (change_id, "response"),
        )
    ]

    assert found == [200, crossed, 200, crossed]


@pytest.mark.parametrize(
    ("rule", "as_object", "as_array"),
    [("both", "Success", "Success"), ("object", "Success", "Error"), ("array", "Error", "Success")],
)
def test_an_operation_is_an_object_or_an_array_of_one(caller: Caller, rule: str, as_object: str, as_array: str) -> None:
    caller.config(patch_forms=rule)
    alias = {"accountId": "U1000011", "accountAlias": "Family"}

    found = [outcome(caller.patch("updateAccountAlias", value))["status"] for value in (alias, [alias])]

    assert found == [as_object, as_array]
    assert len(caller.ledger("patch")) == found.count("Success")


# ---- papers


def signed(caller: Caller, at: int) -> Any:
    """Hand in a proof of address signed at this instant: the outcome, and what the ledger keeps of the instant."""
    number = open_account(caller, f"p-{at}-{caller.next_id()}", holder__name__last="Nomatch")
    document = {**paper(8002, signer="Ada Nomatch"), "execTimestamp": at, "execLoginTimestamp": at}
    whole = {"accountId": number, "documents": [document], "inputLanguage": "en", "translation": False}
    status = outcome(caller.patch("documentSubmission", whole))["status"]
    kept = [effect["data"]["signedAt"] for effect in caller.ledger("document", f"{number}:8002")]
    return status, *kept


@pytest.mark.parametrize(
    ("rule", "digits", "milliseconds"),
    [("both", "Success", "Success"), ("digits", "Success", "Error"), ("milliseconds", "Error", "Success")],
)
def test_an_instant_of_signing_is_digits_or_milliseconds(
    caller: Caller, rule: str, digits: str, milliseconds: str
) -> None:
    caller.config(exec_timestamps=rule)

    assert [signed(caller, at)[0] for at in (20251112093045, 1731406668576)] == [digits, milliseconds]


def test_the_digits_of_signing_are_utc_or_new_yorks(caller: Caller) -> None:
    utc = signed(caller, 20251112093045)
    caller.config(exec_timestamp_zone="New_York")
    eastern = signed(caller, 20251112093045)

    assert (utc, eastern) == (("Success", "2025-11-12T09:30:45Z"), ("Success", "2025-11-12T14:30:45Z"))
