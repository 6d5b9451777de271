"""The way of an application from "Incomplete Application" to "Open", and the papers on it."""

import base64
import hashlib
from typing import Any

import pytest

from tests.sandbox.support import Caller, errors, open_account, outcome

PDF = b"%PDF-1.4\n% invented\n%%EOF\n"


def state_of(caller: Caller, number: str) -> tuple[str, str]:
    found = caller.get(f"/accounts/{number}/status").json()
    return found["status"], found["state"]


def paper(
    form: int, *, name: str = "proof.pdf", content: bytes = PDF, signer: str = "Ada Examplewright", **more: Any
) -> dict[str, Any]:
    kind = {8001: {"proofOfIdentityType": "National ID Card"}, 8002: {"proofOfAddressType": "Utility Bill"}}.get(
        form, {}
    )
    return {
        "signedBy": [signer], "formNumber": form, "execTimestamp": 20261120101500, "execLoginTimestamp": 20261120101000,
        "attachedFile": {"fileName": name, "fileLength": len(content), "sha1Checksum": hashlib.sha1(content).hexdigest()},
        "payload": {"mimeType": "application/pdf", "data": base64.b64encode(content).decode()}, **kind, **more,
    }  # fmt: skip


def hand_in(caller: Caller, number: str, *papers: dict[str, Any]) -> Any:
    return caller.patch(
        "documentSubmission",
        {"accountId": number, "documents": list(papers), "inputLanguage": "en", "translation": False},
    )


def pending(caller: Caller, number: str) -> dict[int, dict[str, Any]]:
    found = caller.get(f"/accounts/{number}/tasks", type="pending").json()
    return {task["formNumber"]: task for task in found["pendingTasks"]}


def test_an_application_opens_by_itself_in_about_two_minutes(caller: Caller) -> None:
    number = open_account(caller)

    seen = [state_of(caller, number)]
    for _ in range(3):
        caller.advance(61)
        seen.append(state_of(caller, number))

    assert seen[0] == ("N", "Incomplete Application")
    assert seen[1] == ("P", "Under Review with IBKR")
    assert seen[-1] == ("O", "Open")
    assert caller.get(f"/accounts/{number}/status").json()["dateOpened"]


def test_a_long_sleep_ends_where_many_short_looks_would(caller: Caller) -> None:
    number = open_account(caller)

    caller.advance(3600)

    assert state_of(caller, number) == ("O", "Open")


def test_with_automatic_finishing_off_the_client_has_to_come(caller: Caller) -> None:
    caller.config(auto_finish_seconds=0)
    number = open_account(caller)

    caller.advance(86400)

    assert state_of(caller, number) == ("N", "Incomplete Application")
    assert set(pending(caller, number)) == {9130, 5002}


@pytest.mark.parametrize(
    "changes",
    [{"holder__residenceAddress__country": "POL"}, {"holder__name__last": "Nomatchman"}],
    ids=["country", "name"],
)
def test_without_electronic_verification_papers_are_asked_for(caller: Caller, changes: dict[str, Any]) -> None:
    number = open_account(caller, **changes)
    caller.advance(61)

    assert state_of(caller, number) == ("P", "Documents Required")
    tasks = pending(caller, number)
    assert set(tasks) == {8001, 8002}
    assert (tasks[8002]["state"], tasks[8002]["action"], tasks[8002]["requiredForApproval"]) == (
        "To Be Sent",
        "to send",
        True,
    )


def test_papers_are_reviewed_and_the_account_opens(caller: Caller) -> None:
    number = open_account(caller, holder__residenceAddress__country="POL")
    caller.advance(61)

    assert outcome(hand_in(caller, number, paper(8001), paper(8002)))["status"] == "Success"
    assert {task["state"] for task in pending(caller, number).values()} == {"Received- Being Processed"}
    caller.advance(31)
    assert state_of(caller, number) == ("P", "Under Review with IBKR")
    caller.advance(100)
    assert state_of(caller, number) == ("O", "Open")
    assert len(caller.ledger("document")) == 2
    registration = caller.get(f"/accounts/{number}/tasks").json()["registrationTasks"]
    assert {task["isCompleted"] for task in registration} == {True}
    assert pending(caller, number) == {}


def test_a_rejected_paper_says_why_and_can_be_sent_again(caller: Caller) -> None:
    number = open_account(caller, holder__residenceAddress__country="POL")
    caller.advance(61)
    hand_in(caller, number, paper(8001), paper(8002, name="reject.pdf"))

    caller.advance(31)

    task = pending(caller, number)[8002]
    assert task["state"].startswith("Rejected")
    assert task["documentRejectReason"] == ["The document is not legible"]
    assert outcome(hand_in(caller, number, paper(8002)))["status"] == "Success"


def test_a_driving_licence_with_the_address_answers_both_tasks(caller: Caller) -> None:
    number = open_account(caller, holder__residenceAddress__country="POL")
    licence = paper(8001, proofOfIdentityType="Driver License", validAddress=True, expirationDate="2031-01-01")

    hand_in(caller, number, licence)

    states = {form: task["state"] for form, task in pending(caller, number).items() if form in (8001, 8002)}
    assert set(states.values()) == {"Received- Being Processed"}


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        (paper(8002, signer="Ada X Examplewright"), "Signature not accepted."),
        (paper(8002, name="a-name-that-is-far-too-long.pdf"), "ORA-02291"),
        (paper(8002, name="proof.docx"), "extensions"),
        (
            {**paper(8002), "attachedFile": {"fileName": "a.pdf", "fileLength": len(PDF), "sha1Checksum": "0" * 40}},
            "SHA-1 check sum",
        ),
        (
            {**paper(8002), "attachedFile": {"fileName": "a.pdf", "fileLength": 1, "sha1Checksum": "0" * 40}},
            "I/O error file processing",
        ),
        (paper(8002, proofOfAddressType="utility bill"), "Proof of Address Type (Form 8002)"),
        (paper(8001, proofOfIdentityType="Drivers License"), "Proof of Identity Type (Form 8001)"),
        (paper(8001, proofOfIdentityType="Passport"), "Expiration Date for Identification Document (Form 8001)"),
        (paper(9999), "not an outstanding task"),
        ({**paper(8002), "fileName": "a.pdf"}, "Unrecognized property:'fileName'"),
    ],
)
def test_a_faulty_paper_is_refused_and_changes_nothing(caller: Caller, bad: dict[str, Any], text: str) -> None:
    number = open_account(caller, holder__residenceAddress__country="POL")

    found = errors(hand_in(caller, number, bad))

    assert any(text in line for line in found), found
    assert pending(caller, number)[8002]["state"] == "To Be Sent"
    assert caller.ledger("document") == []


def test_the_applications_of_the_world_stand_where_the_plan_puts_them(steady: Caller) -> None:
    assert state_of(steady, "U1000021") == ("P", "Documents Required")
    assert pending(steady, "U1000021")[8002]["documentRejectReason"] == ["The document is older than six months"]
    assert state_of(steady, "U1000022") == ("N", "Incomplete Application")
    assert state_of(steady, "U1000023") == ("P", "Under Review with IBKR")


def test_statuses_are_listed_by_creation_day_in_pages(steady: Caller) -> None:
    everything = {"startDate": "2020-01-01", "endDate": "2030-01-01"}

    first = steady.get("/accounts/status", **everything, limit=5).json()
    rest = steady.get("/accounts/status", **everything, limit=1000, offset=5).json()
    waiting = steady.get("/accounts/status", **everything, status="P").json()

    assert (first["total"], len(first["accounts"]), len(rest["accounts"])) == (12, 5, 7)
    assert [account["accountId"] for account in waiting["accounts"]] == ["U1000021", "U1000023"]


@pytest.mark.parametrize(
    "change", [{"limit": 1001}, {"limit": 0}, {"offset": -1}, {"startDate": "20200101"}, {"endDate": ""}]
)
def test_a_status_listing_with_a_bad_query_is_refused(steady: Caller, change: dict[str, Any]) -> None:
    query = {"startDate": "2020-01-01", "endDate": "2030-01-01", **change}

    assert steady.get("/accounts/status", **query).status_code == 400


def test_a_foreign_account_is_403(steady: Caller) -> None:
    answer = steady.get("/accounts/U9999999/status")

    assert (answer.status_code, answer.json()["detail"]) == (403, "Permission denied for account U9999999")


def test_the_control_interface_moves_an_account_and_rejects_a_task(caller: Caller) -> None:
    caller.control("POST", "accounts/U1000022", {"state": "Pending Approval"})
    caller.control("POST", "accounts/U1000023", {"task": 8001, "reject": "Too dark"})

    assert state_of(caller, "U1000022") == ("P", "Pending Approval")
    assert pending(caller, "U1000023")[8001]["documentRejectReason"] == ["Too dark"]
