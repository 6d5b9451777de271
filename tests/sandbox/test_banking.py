"""Cash transfers and their instructions."""

from decimal import Decimal
from typing import Any

import pytest

from tests.sandbox.support import Caller, Server


@pytest.fixture
def books(server: Server, caller: Caller) -> Any:
    return server.app.state.sandbox.books


def poll(caller: Caller, number: int) -> tuple[int, dict[str, Any]]:
    answer = caller.get(f"/client-instructions/{number}")
    return answer.status_code, answer.json().get("instructionResult", {})


def test_a_withdrawal_is_pending_then_processed_and_leaves_the_books_once(caller: Caller, books: Any) -> None:
    answer = caller.withdraw(id=7001)

    assert answer.status_code == 202
    assert (answer.json()["status"], answer.json()["instructionResult"]["instructionStatus"]) == (202, "PENDING")
    assert poll(caller, 7001)[1]["instructionStatus"] == "PENDING"
    assert books.cash("U1000011")["USD"] == Decimal("48250.40")
    caller.advance(21)
    status, result = poll(caller, 7001)
    assert (status, result["instructionStatus"]) == (200, "PROCESSED")
    caller.advance(3600)
    assert books.cash("U1000011")["USD"] == Decimal("47499.90")
    assert [effect["broker_id"] for effect in caller.ledger("withdrawal", "7001")] == [str(result["instructionId"])]
    assert set(books.totals()[0].values()) == {Decimal(0)}


def test_the_instruction_is_found_by_its_own_id_and_by_its_set(caller: Caller) -> None:
    first = caller.withdraw(id=7002).json()

    by_id = caller.get(f"/instructions/{first['instructionResult']['instructionId']}").json()
    by_set = caller.get(f"/instruction-sets/{first['instructionSetId']}").json()

    assert by_id["instructionResult"]["clientInstructionId"] == 7002
    assert by_set["instructionResults"][0]["clientInstructionId"] == 7002


def test_unknown_instructions_are_404_with_the_documented_text(steady: Caller) -> None:
    answer = steady.get("/client-instructions/424242")

    assert (answer.status_code, answer.json()["title"]) == (404, "Not found")
    assert (
        answer.json()["detail"]
        == "Funds & Banking: Could not get status for clientId: ALDER-ROW-FA, transactionId : 424242"
    )
    assert steady.get("/instructions/1").status_code == 404
    assert steady.get("/instruction-sets/1").status_code == 404


def test_a_reused_id_executes_nothing_and_polls_208(caller: Caller, books: Any) -> None:
    first = caller.withdraw(id=7003).json()
    again = caller.withdraw(id=7003, amount=5)

    assert again.json()["instructionResult"]["instructionId"] == first["instructionResult"]["instructionId"]
    assert poll(caller, 7003)[0] == 208
    assert len(caller.ledger("withdrawal", "7003")) == 1
    caller.advance(21)
    assert books.cash("U1000011")["USD"] == Decimal("47499.90")


def test_a_reused_id_can_be_answered_with_an_error(caller: Caller) -> None:
    caller.config(reuse_answer="error")
    caller.withdraw(id=7004)

    again = caller.withdraw(id=7004)

    assert (again.status_code, again.json()["title"]) == (422, "Business Error")
    assert again.json()["instructionResult"]["error"]["errorCode"] == "CORRUPT_DATA_DUBPLICATE_CP"


def test_without_deduplication_a_reused_id_executes_twice(caller: Caller, books: Any) -> None:
    caller.config(dedupe_instruction_ids=False)
    caller.withdraw(id=7005)
    caller.withdraw(id=7005)

    caller.advance(21)

    assert len(caller.ledger("withdrawal", "7005")) == 2
    assert books.cash("U1000011")["USD"] == Decimal("46749.40")
    assert poll(caller, 7005)[0] == 208


def test_a_query_burns_its_id_too(caller: Caller) -> None:
    query = {"clientInstructionId": 7006, "accountId": "U1000011", "currency": "USD"}
    caller.post("/external-cash-transfers/query", {"instructionType": "QUERY_WITHDRAWABLE_FUNDS", "instruction": query})

    caller.withdraw(id=7006)

    assert caller.ledger("withdrawal") == []
    assert poll(caller, 7006)[0] == 208


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"accountId": "U5555555"}, 422, "CORRUPT_DATA_INVALID_ACCT"),
        ({"accountId": "U1000022"}, 422, "NOT_OPEN_ACCOUNT"),
        ({"accountId": "F1000001"}, 403, "ERROR_PERMISSION_DENIED"),
        ({"bankInstructionName": "main bank"}, 422, "ERROR_BANK_INSTRUCTION_NOT_FOUND"),
        ({"bankInstructionMethod": "ACH"}, 422, "ERROR_BANK_INSTRUCTION_NOT_FOUND"),
        ({"currency": "EUR"}, 422, "ERROR_BANK_INSTRUCTION_NOT_FOUND"),
        ({"amount": 100000.01}, 422, "ERROR_AMOUNT_ABOVE_API_LIMIT"),
        ({"amount": 60000}, 422, "ERROR_INSUFFICIENT_FUNDS"),
    ],
)
def test_a_business_rule_rejects_and_burns_the_id(
    caller: Caller, changes: dict[str, Any], status: int, code: str
) -> None:
    answer = caller.withdraw(id=7100, **changes)

    assert answer.status_code == status
    result = answer.json()["instructionResult"]
    assert (result["instructionStatus"], result["error"]["errorCode"]) == ("REJECTED", code)
    assert poll(caller, 7100)[1]["instructionStatus"] == "REJECTED"
    assert caller.ledger("withdrawal") == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount": 0}, "instruction.amount"),
        ({"amount": "750.50"}, "instruction.amount"),
        ({"amount": 1.005}, "instruction.amount"),
        ({"id": "7200"}, "instruction.clientInstructionId"),
        ({"currency": "USDD"}, "instruction.currency"),
        ({"bankInstructionMethod": "wire"}, "instruction.bankInstructionMethod"),
        ({"bankInstructionName": None}, "instruction.bankInstructionName"),
        ({"isIRA": False}, "instruction.isIRA"),
        ({"dateTimeToOccur": "2026-12-01T10:00:00"}, "instruction.dateTimeToOccur"),
    ],
)
def test_a_syntax_error_names_the_field_and_burns_nothing(steady: Caller, changes: dict[str, Any], field: str) -> None:
    answer = steady.withdraw(**{"id": 7200, **changes})

    assert (answer.status_code, answer.json()["type"]) == (400, "/invalid-argument")
    assert field in [mistake["field"] for mistake in answer.json()["invalidArguments"]]
    assert steady.get("/client-instructions/7200").status_code == 404


def test_pending_withdrawals_lower_what_is_withdrawable(caller: Caller) -> None:
    caller.withdraw(amount=48000)

    assert caller.withdraw(amount=300).status_code == 422


def test_a_withdrawal_is_rejected_when_the_cash_is_gone_by_then(caller: Caller, server: Server) -> None:
    caller.withdraw(id=7300, amount=48000)
    sandbox = server.app.state.sandbox
    sandbox.books.post_cash("U1000011", "USD", Decimal(-40000), "fee", "Sudden fee", "fee-1")

    caller.advance(21)

    assert poll(caller, 7300)[1]["error"]["errorCode"] == "ERROR_INSUFFICIENT_FUNDS"
    assert sandbox.books.cash("U1000011")["USD"] == Decimal("8250.40")


def test_a_dated_withdrawal_waits_for_its_time(caller: Caller) -> None:
    when = caller.control("GET", "health")["now"]
    day = int(when[8:10])
    later = (
        when.replace(f"-{day:02d}T", f"-{day + 1:02d}T") if day < 28 else when.replace(when[:4], str(int(when[:4]) + 1))
    )
    caller.withdraw(id=7400, dateTimeToOccur=later)

    caller.advance(3600)
    assert poll(caller, 7400)[1]["instructionStatus"] == "PENDING"
    caller.advance(366 * 86400)
    assert poll(caller, 7400)[1]["instructionStatus"] == "PROCESSED"


def test_a_wire_deposit_is_announced_first_and_arrives_later(caller: Caller, books: Any) -> None:
    notice = {
        "accountId": "U1000011",
        "currency": "USD",
        "amount": 2500,
        "bankInstructionMethod": "WIRE",
        "sendingInstitution": "Imaginary Bank",
    }
    assert caller.transfer("DEPOSIT", id=7500, **notice).status_code == 202

    caller.advance(21)
    assert poll(caller, 7500)[1]["instructionStatus"] == "PROCESSED"
    assert books.cash("U1000011")["USD"] == Decimal("48250.40")
    caller.advance(61)
    assert books.cash("U1000011")["USD"] == Decimal("50750.40")
    caller.advance(86400)
    assert books.cash("U1000011")["USD"] == Decimal("50750.40")
    assert len(caller.ledger("deposit", "7500")) == 1


def test_an_ach_deposit_needs_a_saved_instruction(caller: Caller) -> None:
    pull = {"accountId": "U1000011", "currency": "USD", "amount": 150, "bankInstructionMethod": "ACH"}

    assert caller.transfer("DEPOSIT", **pull, bankInstructionName="Checking").status_code == 202
    assert caller.transfer("DEPOSIT", **pull, bankInstructionName="Elsewhere").status_code == 422


def test_saved_bank_instructions_are_listed_with_the_last_four_digits(caller: Caller) -> None:
    query = {"clientInstructionId": 7600, "accountId": "U1000013", "bankInstructionMethod": "WIRE"}

    answer = caller.post(
        "/bank-instructions/query", {"instructionType": "QUERY_BANK_INSTRUCTION", "instruction": query}
    )

    assert (answer.status_code, answer.json()["status"]) == (201, 201)
    details = answer.json()["instructionResult"]["bankInstructionDetails"]
    assert [(bank["instructionName"], bank["currency"], bank["bankAccountNumber"]) for bank in details] == [
        ("Hausbank", "EUR", "*****9913"),
        ("Dollar wire", "USD", "*****4471"),
    ]


def test_withdrawable_funds_are_a_number(caller: Caller) -> None:
    query = {"clientInstructionId": 7601, "accountId": "U1000013", "currency": "EUR"}

    answer = caller.post(
        "/external-cash-transfers/query", {"instructionType": "QUERY_WITHDRAWABLE_FUNDS", "instruction": query}
    )

    assert answer.json()["instructionResult"]["withdrawableAmount"] == 37420.15


def test_an_instruction_may_stay_hidden_for_a_while(caller: Caller) -> None:
    caller.config(instruction_hidden_seconds=90)
    caller.withdraw(id=7700)

    assert caller.get("/client-instructions/7700").status_code == 404
    caller.advance(91)
    assert caller.get("/client-instructions/7700").status_code == 200


def test_wire_instructions_carry_the_account_in_the_reference(steady: Caller) -> None:
    rows = steady.get("/enumerations/wire-instructions", accountId="U1000011", currency="USD").json()["jsonData"]

    assert rows[0]["paymentReference"].startswith("U1000011")
