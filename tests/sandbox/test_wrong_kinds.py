"""Members of the wrong kind are refused in words: no body, however odd, makes the sandbox answer that it broke."""

from typing import Any

import pytest

from tests.sandbox.support import Caller, application, errors

ODD: list[Any] = [[], {}, [[]], [{}], {"a": 1}, 0, -1, 10**30, True, "x", [1]]


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize(
    "member",
    [
        "customer", "customer__accountHolder", "holder__name", "holder__name__first", "holder__residenceAddress", "holder__titles",
        "account__baseCurrency", "account__tradingPermissions", "users", "user__externalIndividualId",
    ],
)  # fmt: skip
def test_an_application_is_refused_at_its_second_level(steady: Caller, member: str, odd: Any) -> None:
    answer = steady.post("/accounts", application("odd-1", **{member: odd}))

    assert answer.status_code == 200
    outcome = answer.json()["fileData"]["data"]["application"]
    assert outcome["status"] in ("Error", "Success") if odd == "x" else errors(answer)


@pytest.mark.parametrize("odd", [*ODD, None], ids=repr)
@pytest.mark.parametrize(
    "operation", ["addTradingPermissions", "changeAccountHolderDetail", "processDocuments", "abandonAccount"]
)
def test_a_change_is_refused(steady: Caller, operation: str, odd: Any) -> None:
    answer = steady.patch(operation, odd)

    assert answer.status_code in (200, 400, 403)
    assert '"status":"Success"' not in answer.text.replace(" ", "")


@pytest.mark.parametrize("path", ["/instructions/", "/instruction-sets/", "/client-instructions/"])
def test_an_id_longer_than_any_is_not_found(steady: Caller, path: str) -> None:
    assert steady.get(path + "9" * 21).status_code == 404


@pytest.mark.parametrize("odd", [*ODD, None], ids=repr)
def test_a_report_is_refused(steady: Caller, odd: Any) -> None:
    for member in ("mimeType", "language", "multiAccountFormat", "accountIds", "startDate"):
        body = {"accountId": "U1000013", "startDate": "202601", "endDate": "202601", member: odd}
        assert steady.post("/statements", body).status_code in (200, 400)


@pytest.mark.parametrize("amount", [10**30, -1, True, "5", [5]], ids=repr)
def test_an_amount_beyond_reason_is_refused(steady: Caller, amount: Any) -> None:
    assert steady.withdraw(amount=amount).status_code == 400
