from typing import Any

import pytest
from pydantic import ValidationError

from backoffice.ibkr import AuthFailed, BadIdentifier, OutcomeUnknown, RateLimited, Rejected, Unavailable
from backoffice.ibkr.types.funding import DepositNotice, Duplicate, Withdrawal
from tests.ibkr.conftest import Bench, answer, reset_after_read
from tests.ibkr.test_accounts import claims_of

WITHDRAWAL = Withdrawal(
    account_id="U1000011",
    currency="USD",
    amount="250.00",
    bank_instruction_name="Main bank",
    bank_instruction_method="ACH",
)
NOTICE = DepositNotice(account_id="U1000011", currency="EUR", amount="1000")


def result(status: str, key: int = 7, **more: Any) -> dict[str, Any]:
    body = {
        "clientInstructionId": key,
        "instructionType": "WITHDRAWAL",
        "instructionStatus": status,
        "instructionId": 43085908,
    }
    return {"status": 202, "instructionSetId": 912839128309, "instructionResult": body | more}


REFUSED = result("REJECTED", error={"errorCode": "CORRUPT_DATA_INVALID_ACCT", "errorMessage": "Account does not exist"})


def test_a_withdrawal_travels_in_the_envelope_with_its_key(bench: Bench) -> None:
    bench.server.play(answer(202, result("PENDING")))

    instruction = bench.client.funding.withdraw(WITHDRAWAL, key="7")

    (request,) = bench.server.received
    assert (request.method, request.target) == ("POST", "/gw/api/v1/external-cash-transfers")
    assert claims_of(request) == {
        "instructionType": "WITHDRAWAL",
        "instruction": {
            "clientInstructionId": 7,
            "accountId": "U1000011",
            "currency": "USD",
            "amount": 250.0,
            "bankInstructionName": "Main bank",
            "bankInstructionMethod": "ACH",
        },
    }
    assert instruction.status == "PENDING"
    assert not instruction.is_final
    assert instruction.instruction_set_id == "912839128309"
    assert instruction.client_instruction_id == "7"


@pytest.mark.row(id="S22")
@pytest.mark.parametrize("http", [200, 201, 202, 207])
@pytest.mark.parametrize("word", ["PENDING", "PROCESSED", "PENDING_VERIFICATION", "A_NEW_WORD"])
def test_any_2xx_is_decided_by_the_instructions_own_status(bench: Bench, http: int, word: str) -> None:
    bench.server.play(answer(http, result(word)))

    assert bench.client.funding.deposit(NOTICE, key=7).status == word


@pytest.mark.row(id="S22")
@pytest.mark.parametrize("http", [200, 202, 403, 422, 400])
def test_a_rejected_instruction_is_a_refusal_whatever_the_http_status(bench: Bench, http: int) -> None:
    bench.server.play(answer(http, {"title": "Business Error", "status": http, "detail": "invalid data", **REFUSED}))

    with pytest.raises(Rejected) as caught:
        bench.client.funding.withdraw(WITHDRAWAL, key=7)

    assert caught.value.code == "CORRUPT_DATA_INVALID_ACCT"
    assert caught.value.reason == "Account does not exist"


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (208, result("PROCESSED"), OutcomeUnknown),
        (
            422,
            result("REJECTED", error={"errorCode": "CORRUPT_DATA_DUBPLICATE_CP", "errorMessage": "exists"}),
            OutcomeUnknown,
        ),
        (200, result("PENDING", key=8), OutcomeUnknown),
        (200, {"status": 200}, OutcomeUnknown),
        (200, result(""), OutcomeUnknown),
        (500, result("REJECTED"), OutcomeUnknown),
        (503, {}, OutcomeUnknown),
        (404, b"nothing", OutcomeUnknown),
        (400, {"title": "Bad Request", "status": 400, "detail": "Input is not a JSON Object"}, Rejected),
        (403, {"title": "Forbidden", "status": 403, "detail": "scope"}, AuthFailed),
        (401, {}, AuthFailed),
        (429, {}, RateLimited),
    ],
)
def test_each_answer_to_an_instruction_is_named_for_the_next_move(
    bench: Bench, status: int, body: Any, error: type
) -> None:
    bench.server.play(answer(status, body))

    with pytest.raises(Exception) as caught:  # noqa: PT011
        bench.client.funding.withdraw(WITHDRAWAL, key=7)

    assert type(caught.value) is error
    assert bench.server.connections == 1


def test_polling_tells_known_unknown_and_duplicate_apart(bench: Bench) -> None:
    unknown = {"title": "Not Found", "status": 404, "detail": "Could not get status for clientId: X, transactionId : 7"}
    bench.server.play(
        answer(404, unknown), answer(200, result("PROCESSED")), answer(200, REFUSED), answer(208, result("PROCESSED"))
    )

    assert bench.client.funding.instruction(7) is None
    known = bench.client.funding.instruction(7)
    refused = bench.client.funding.instruction(7)
    duplicate = bench.client.funding.instruction(7)

    assert not isinstance(known, Duplicate | None)
    assert known.is_final
    assert not isinstance(refused, Duplicate | None)
    assert (refused.status, refused.error_message) == ("REJECTED", "Account does not exist")
    assert isinstance(duplicate, Duplicate)
    assert duplicate.first.status == "PROCESSED"
    assert bench.server.received[0].target == "/gw/api/v1/client-instructions/7"


def test_an_answer_about_another_instruction_is_not_believed(bench: Bench) -> None:
    bench.server.play(answer(200, result("PROCESSED", key=8)))

    with pytest.raises(Unavailable):
        bench.client.funding.instruction(7)


def test_saved_bank_instructions_are_listed_with_their_usability(bench: Bench) -> None:
    rows = [
        {"instructionName": "Main bank", "type": "LOCAL_BANK", "currency": "USD", "instructionStatus": "PROCESSED",
         "bankRoutingNumber": "021000021", "bankAccountNumber": "*****7042"},
        {"instructionName": "Old", "type": "LOCAL_BANK", "currency": "USD", "instructionStatus": "REJECTED"},
    ]  # fmt: skip
    bench.server.play(answer(201, result("PROCESSED", bankInstructionDetails=rows, bankInstructionMethod="ACH")))

    found = bench.client.funding.bank_instructions("U1000011", method="ACH", key=7)

    assert [(each.name, each.method, each.is_usable) for each in found] == [
        ("Main bank", "ACH", True),
        ("Old", "ACH", False),
    ]
    assert found[0].masked_account == "*****7042"
    assert claims_of(bench.server.received[0])["instructionType"] == "QUERY_BANK_INSTRUCTION"


def test_a_query_that_breaks_is_not_repeated_because_its_id_is_used_up(bench: Bench) -> None:
    bench.server.play(reset_after_read)

    with pytest.raises(Unavailable):
        bench.client.funding.bank_instructions("U1000011", method="ACH", key=7)

    assert bench.server.connections == 1


@pytest.mark.parametrize("key", [0, -1, "", "x", 2**53])
def test_a_bad_key_sends_nothing(bench: Bench, key: int | str) -> None:
    bench.server.play(answer(202, result("PENDING")))

    with pytest.raises(BadIdentifier):
        bench.client.funding.withdraw(WITHDRAWAL, key=key)

    assert bench.server.connections == 0


@pytest.mark.parametrize(
    "change", [{"amount": "0"}, {"amount": "-1"}, {"amount": "NaN"}, {"currency": "usd"}, {"account_id": "1/2"}]
)
def test_an_impossible_amount_or_account_cannot_be_written(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Withdrawal.model_validate(WITHDRAWAL.model_dump() | change)
