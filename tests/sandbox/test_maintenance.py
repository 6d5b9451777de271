"""`PATCH /gw/api/v1/accounts`: alias and holder details."""

from typing import Any

import pytest

from tests.sandbox.support import Caller, errors, open_account, outcome

ADDRESS = {"street1": "9 Mill Lane", "city": "Hartford", "state": "CT", "postalCode": "06101", "country": "USA"}


def change_address(caller: Caller, number: str = "U1000011", **changes: Any) -> Any:
    holder = {"externalId": f"demo-{number[-4:]}-AH", "residenceAddress": ADDRESS, "sameMailAddress": True, **changes}
    return caller.patch(
        "changeAccountHolderDetail", {"accountId": number, "newAccountHolderDetails": [holder], "inputLanguage": "en"}
    )


def residence(caller: Caller, number: str = "U1000011") -> dict[str, Any]:
    return dict(caller.get(f"/accounts/{number}/details").json()["associatedPersons"][0]["residence"])


@pytest.mark.parametrize("as_array", [False, True])
def test_an_alias_is_set_at_once_in_object_and_array_form(caller: Caller, as_array: bool) -> None:
    operation = {"accountId": "U1000011", "accountAlias": "Holloway main"}

    found = outcome(caller.patch("updateAccountAlias", [operation] if as_array else operation))

    assert found["status"] == "Success"
    assert caller.get("/accounts/U1000011/details").json()["account"]["accountAlias"] == "Holloway main"
    assert [effect["data"] for effect in caller.ledger("patch", "U1000011")] == [{"operation": "updateAccountAlias"}]


def test_a_long_alias_is_refused(caller: Caller) -> None:
    assert errors(caller.patch("updateAccountAlias", {"accountId": "U1000011", "accountAlias": "x" * 81}))


def test_an_alias_of_an_account_that_is_not_open_is_refused(caller: Caller) -> None:
    found = errors(caller.patch("updateAccountAlias", {"accountId": "U1000022", "accountAlias": "early"}))

    assert found == ["Account U1000022 is not open"]


def test_a_new_address_is_reviewed_and_then_shown(caller: Caller) -> None:
    answer = change_address(caller)
    request = answer.json()["requestId"]

    assert answer.status_code == 202
    before = caller.get(f"/requests/{request}/status", type="update").json()
    assert (before["status"], before["acctId"], before["requestType"]) == (
        "PENDING",
        "U1000011",
        "changeAccountHolderDetail",
    )
    assert residence(caller)["city"] == "Stamford"
    caller.advance(46)
    assert caller.get(f"/requests/{request}/status", type="update").json()["status"] == "ACCEPTED"
    assert residence(caller) == ADDRESS


def test_a_newer_change_removes_a_pending_one(caller: Caller) -> None:
    first = change_address(caller).json()["requestId"]
    second = change_address(caller, residenceAddress={**ADDRESS, "city": "Meriden"}).json()["requestId"]

    caller.advance(46)

    assert caller.get(f"/requests/{first}/status", type="update").json()["status"] == "REMOVED"
    assert caller.get(f"/requests/{second}/status", type="update").json()["status"] == "ACCEPTED"
    assert residence(caller)["city"] == "Meriden"


def test_a_rejected_change_leaves_the_old_address(caller: Caller) -> None:
    request = change_address(caller, residenceAddress={**ADDRESS, "street1": "1 Reject Road"}).json()["requestId"]

    caller.advance(46)

    assert caller.get(f"/requests/{request}/status", type="update").json()["status"] == "REJECTED"
    assert residence(caller)["city"] == "Stamford"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"residenceAddress": {**ADDRESS, "street1": "PO Box 7"}}, "PO Box not accepted as residential address"),
        ({"residenceAddress": {**ADDRESS, "country": "XXX"}}, "Country non-existent"),
        ({"externalId": "nobody"}, "Account holder is not known"),
        ({"hasSameMailAddress": True}, "Unrecognized property:'hasSameMailAddress'"),
        ({"maritalStatus": "Married"}, "Unsupported value. Property:'maritalStatus', value:'Married'"),
    ],
)
def test_a_faulty_change_is_refused(caller: Caller, changes: dict[str, Any], text: str) -> None:
    found = errors(change_address(caller, **changes))

    assert any(text in line for line in found), found
    assert caller.ledger("patch") == []


def test_a_pending_account_can_be_changed_only_with_the_verification_task(caller: Caller) -> None:
    number = open_account(caller, "m-1")

    def change() -> Any:
        holder = {"externalId": "m-1-AH", "maritalStatus": "M"}
        return caller.patch("changeAccountHolderDetail", {"accountId": number, "newAccountHolderDetails": [holder]})

    assert errors(change()) == [f"Account {number} is not open"]
    caller.control("POST", f"accounts/{number}", {"task": 9974})
    assert change().status_code == 202


def test_an_unknown_operation_is_an_error(caller: Caller) -> None:
    assert errors(caller.patch("renameAccount", {"accountId": "U1000011"})) == ["Unrecognized property:'renameAccount'"]


def test_two_operations_in_one_request_are_refused(steady: Caller) -> None:
    both = {"updateAccountAlias": {"accountId": "U1000011"}, "accountClose": {"accountId": "U1000011"}}

    assert steady.send("PATCH", "/accounts", {"accountManagementRequests": both}).status_code == 400


def test_a_foreign_account_cannot_be_changed(steady: Caller) -> None:
    assert steady.patch("updateAccountAlias", {"accountId": "U7777777", "accountAlias": "x"}).status_code == 403


def test_requests_are_listed(caller: Caller) -> None:
    caller.patch("updateAccountAlias", {"accountId": "U1000011", "accountAlias": "a"})

    found = caller.get("/requests", startDate="2020-01-01", endDate="2030-01-01", limit=1000).json()

    assert found["total"] == 13
    assert found["requestDetails"][0]["accountID"] == "U1000011"
