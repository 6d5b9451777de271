"""Enumerations, participating banks, usernames, login messages, the identity link, and the listing of requests."""

import re
from typing import Any

import pytest
import requests

from tests.sandbox.support import Caller, open_account

PERIOD = {"startDate": "2020-01-01", "endDate": "2030-01-01"}
TYPES = [
    ("exchange-bundles", {}), ("business-and-occupation", {}), ("employee-track", {}), ("fin-info-ranges", {}), ("acats", {}),
    ("aton", {}), ("market-data", {}), ("edd-avt", {"form-number": "9943"}), ("prohibited-country", {}), ("employee-plans", {}),
    ("questionnaires", {}), ("security-questions", {}), ("quiz-questions", {"form-number": "2430"}),
    ("wire-instructions", {"accountId": "U1000011"}), ("product-country-bundles", {}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "query"), TYPES, ids=[kind for kind, _ in TYPES])
def test_every_type_of_enumeration_answers_a_list(steady: Caller, kind: str, query: dict[str, str]) -> None:
    answer = steady.get(f"/enumerations/{kind}", **query)

    assert answer.json()["enumerationsType"] == kind
    assert len(answer.json()["jsonData"]) >= 1


def rows(caller: Caller, kind: str, **query: str) -> list[dict[str, Any]]:
    return list(caller.get(f"/enumerations/{kind}", **query).json()["jsonData"])


def test_the_filters_of_enumerations(steady: Caller) -> None:
    assert {row["currency"] for row in rows(steady, "fin-info-ranges", currency="CHF")} == {"CHF"}
    assert {row["currency"] for row in rows(steady, "fin-info-ranges", ibEntity="IB-IE")} == {"EUR"}
    assert len(rows(steady, "quiz-questions", **{"form-number": "2438"})) == 10
    private, professional = (rows(steady, "market-data", mdStatusNonPro=word)[0] for word in ("true", "false"))
    assert float(private["monthlyFee"]) < float(professional["monthlyFee"])


@pytest.mark.parametrize(
    ("kind", "query"),
    [
        ("wire-instruction", {}), ("about", {}), ("acats", {"language": "xx"}), ("edd-avt", {}),
        ("fin-info-ranges", {"currency": "XXX"}), ("wire-instructions", {"accountId": "U1000011", "currency": "ZAR"}),
    ],
)  # fmt: skip
def test_an_unknown_type_or_filter_is_400(steady: Caller, kind: str, query: dict[str, str]) -> None:
    assert steady.get(f"/enumerations/{kind}", **query).status_code == 400


def test_brokers_and_participating_banks_have_their_own_paths(steady: Caller) -> None:
    brokers = steady.get("/enumerations/complex-asset-transfer", instructionType="COMPLEX_ASSET_TRANSFER")
    banks = steady.get("/participating-banks", type="eDDA")

    assert {"IB", "INTERNAL"} <= set(brokers.json()["brokers"])
    assert set(banks.json()["participatingBanks"][0]) == {"institutionName", "clearingCode", "BIC"}
    assert steady.get("/participating-banks", type="edda").status_code == 400
    assert steady.get("/enumerations/complex-asset-transfer").status_code == 400


@pytest.mark.parametrize(
    ("username", "is_valid", "is_available"),
    [
        ("nobodyyet77", True, True), ("short001", False, False), ("UPPERCASE12", False, False),
        ("ab1234567", False, False), ("x" * 64, False, False), ("with-hyphen1", False, False),
    ],
)  # fmt: skip
def test_a_username_is_judged(steady: Caller, username: str, is_valid: bool, is_available: bool) -> None:
    answer = steady.get(f"/validations/usernames/{username}")

    found = answer.json()
    assert (found["isValid"], found["isAvailable"]) == (is_valid, is_available)
    assert (found["suggestedUserName"] == []) is is_available


def test_a_taken_username_is_valid_and_not_available(caller: Caller) -> None:
    open_account(caller, "v-1", customer__prefix="elphie", user__prefix="elphie")

    found = caller.get("/validations/usernames/elphie001").json()

    assert (found["isValid"], found["isAvailable"]) == (True, False)
    assert len(found["suggestedUserName"]) == 3


def test_login_messages_of_one_account_and_of_all(caller: Caller) -> None:
    one = caller.get("/accounts/U1000013/login-messages")
    everyone = caller.get("/accounts/login-messages", **PERIOD)

    assert [message["messageType"] for message in one.json()["loginMessages"]] == ["W8INFO"]
    assert {message["username"] for message in everyone.json()["loginMessages"]} == {"desma001", "fries001", "callb001"}
    assert caller.get("/accounts/U1000013/login-messages", type="MIFIR_INFO").json()["loginMessagePresent"] is False


def test_login_messages_are_filtered_and_paged(steady: Caller) -> None:
    def found(**query: Any) -> list[str]:
        answer = steady.get("/accounts/login-messages", **{**PERIOD, **query}).json()
        return [message["messageType"] for message in answer["loginMessages"]]

    assert found(type="W8INFO") == found(messageType="W8INFO") == ["W8INFO"]
    assert found(offset=1, limit=1) == ["W8INFO"]
    assert found(status="P") == []
    assert found(endDate="2020-01-02") == []
    for bad in ({"limit": 1001}, {"status": "X"}, {"startDate": ""}, {"startDate": "2030-01-02"}):
        assert steady.get("/accounts/login-messages", **{**PERIOD, **bad}).status_code == 400


def test_a_login_message_can_be_made_and_ended_backstage(caller: Caller) -> None:
    made = caller.control("POST", "login-messages", {"account": "U1000011", "type": "CRS_INFO"})

    assert caller.get("/accounts/U1000011/login-messages").json()["loginMessagePresent"] is True
    caller.control("POST", "login-messages", {"id": made["id"], "complete": True})
    assert caller.get("/accounts/U1000011/login-messages").json()["loginMessagePresent"] is False


def test_an_identity_link_lives_for_a_day_and_is_then_made_anew(caller: Caller) -> None:
    caller.control("POST", "accounts/U1000021", {"task": 8137})

    answer = caller.get("/accounts/U1000021/kyc")
    first = answer.json()
    assert caller.get("/accounts/U1000021/kyc").json()["url"] == first["url"]
    tasks = caller.get("/accounts/U1000021/tasks", type="pending")
    assert first["url"] in [task.get("url") for task in tasks.json()["pendingTasks"]]
    caller.advance(86400)
    assert requests.get(first["url"], timeout=10).status_code == 403
    assert caller.get("/accounts/U1000021/kyc").json()["url"] != first["url"]


def test_passing_the_identity_check_completes_its_task(caller: Caller) -> None:
    caller.control("POST", "accounts/U1000021", {"task": 8137})
    url = caller.get("/accounts/U1000021/kyc").json()["url"]

    assert requests.get(url, timeout=10).status_code == 200
    assert requests.post(url, timeout=10).status_code == 200

    pending = caller.get("/accounts/U1000021/tasks", type="pending").json()["pendingTasks"]
    assert [task["formNumber"] for task in pending] == [8002]
    assert caller.get("/accounts/U1000021/kyc").json()["hasError"] is True


def test_an_account_without_identity_task_has_no_link(steady: Caller) -> None:
    answer = steady.get("/accounts/U1000011/kyc")

    assert (answer.status_code, answer.json()["hasError"]) == (200, True)
    assert steady.get("/accounts/U9999999/kyc").status_code == 403


def test_requests_are_listed_in_pages_and_by_status(caller: Caller) -> None:
    first = caller.get("/requests", **PERIOD, limit=5)
    rest = caller.get("/requests", **PERIOD, limit=1000, offset=5)

    ids = [row["requestId"] for answer in (first, rest) for row in answer.json()["requestDetails"]]
    assert len(ids) == len(set(ids)) == first.json()["total"]
    assert ids == sorted(ids, reverse=True)
    waiting = caller.get("/requests", **PERIOD, status="N").json()
    assert [row["accountID"] for row in waiting["requestDetails"]] == ["U1000022"]
    assert caller.get("/requests", **PERIOD, status="done").status_code == 400


def test_a_request_is_asked_for_in_both_ways(caller: Caller) -> None:
    number = caller.get("/requests", **PERIOD).json()["requestDetails"][0]["requestId"]

    response = caller.get(f"/requests/{number}/status", type="response")
    update = caller.get(f"/requests/{number}/status", type="update")

    assert response.json()["requestId"] == number
    assert re.fullmatch(r"\d+", update.json()["requestId"])
    for bad in ({}, {"type": "Update"}):
        assert caller.get(f"/requests/{number}/status", **bad).status_code == 400
    assert caller.get("/requests/1/status", type="update").status_code == 400
