from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader

from backoffice.ibkr import AuthFailed, OutcomeUnknown, Rejected
from backoffice.ibkr.types.funding import DepositNotice, Duplicate, Instruction, Withdrawal
from tests.contract.conftest import Connected

WITHDRAWAL = Withdrawal(
    account_id="U1000011",
    currency="USD",
    amount="250.00",
    bank_instruction_name="Checking",
    bank_instruction_method="ACH",
)


def known(found: Instruction | Duplicate | None) -> Instruction:
    assert isinstance(found, Instruction)
    return found


def test_a_deposit_notice_is_recorded_under_its_key(connected: Connected) -> None:
    key = next(connected.ids)

    sent = connected.client.funding.deposit(
        DepositNotice(account_id="U1000011", currency="USD", amount="1000"), key=key
    )

    assert sent.client_instruction_id == str(key)
    assert sent.instruction_id
    assert known(connected.client.funding.instruction(key)).instruction_type == "DEPOSIT"
    assert len(connected.ledger("deposit", str(key))) == 1


def test_a_withdrawal_is_followed_to_its_end(connected: Connected) -> None:
    key = next(connected.ids)

    sent = connected.client.funding.withdraw(WITHDRAWAL, key=key)
    assert sent.status == "PENDING"
    connected.sandbox.advance(2 * 3600)

    assert known(connected.client.funding.instruction(key)).status == "PROCESSED"
    assert len(connected.ledger("withdrawal", str(key))) == 1


def test_a_withdrawal_answered_200_is_judged_by_its_body(connected: Connected) -> None:
    key = next(connected.ids)
    connected.sandbox.config(instruction_http_status="ok")

    sent = connected.client.funding.withdraw(WITHDRAWAL, key=key)

    assert (sent.status, sent.client_instruction_id) == ("PENDING", str(key))
    assert len(connected.ledger("withdrawal", str(key))) == 1


def test_a_withdrawal_to_an_unknown_bank_instruction_is_rejected(connected: Connected) -> None:
    wrong = WITHDRAWAL.model_copy(update={"bank_instruction_name": "No such bank"})

    with pytest.raises(Rejected) as caught:
        connected.client.funding.withdraw(wrong, key=next(connected.ids))

    assert caught.value.code


def test_a_withdrawal_from_an_account_that_is_not_ours_is_rejected_with_a_code(connected: Connected) -> None:
    with pytest.raises((Rejected, AuthFailed)) as caught:
        connected.client.funding.withdraw(
            WITHDRAWAL.model_copy(update={"account_id": "U9999999"}), key=next(connected.ids)
        )

    assert isinstance(caught.value, Rejected)
    assert caught.value.code


@pytest.mark.parametrize(
    "fault",
    [
        {"phase": "applied_not_answered", "action": "reset"},
        {"phase": "applied_not_answered", "action": "status", "status": 500},
        {"phase": "mid_body", "action": "reset"},
        {"phase": "answered", "action": "garbage"},
    ],
    ids=lambda fault: f"{fault['phase']}-{fault['action']}",
)
def test_a_withdrawal_whose_answer_was_lost_is_found_by_its_key_and_booked_once(
    connected: Connected, fault: dict[str, Any]
) -> None:
    key = next(connected.ids)
    connected.sandbox.fault({"method": "POST", "path": "/external-cash-transfers$", **fault})

    with pytest.raises(OutcomeUnknown):
        connected.client.funding.withdraw(WITHDRAWAL, key=key)

    assert known(connected.client.funding.instruction(key)).client_instruction_id == str(key)
    assert connected.sent("POST", "/external-cash-transfers") == 1
    assert len(connected.ledger("withdrawal", str(key))) == 1


def test_an_instruction_that_never_arrived_is_not_known(connected: Connected) -> None:
    assert connected.client.funding.instruction(next(connected.ids)) is None


def test_a_reused_key_is_not_executed_and_shows_as_a_duplicate(connected: Connected) -> None:
    key = next(connected.ids)
    connected.client.funding.withdraw(WITHDRAWAL, key=key)
    connected.client.funding.withdraw(WITHDRAWAL, key=key)  # answered like the first: only the poll tells

    found = connected.client.funding.instruction(key)
    assert isinstance(found, Duplicate)
    assert found.first.client_instruction_id == str(key)
    assert len(connected.ledger("withdrawal", str(key))) == 1


def test_a_reused_key_that_ibkr_names_as_such_is_evidence_of_presence(connected: Connected) -> None:
    connected.sandbox.config(reuse_answer="error")
    key = next(connected.ids)
    connected.client.funding.withdraw(WITHDRAWAL, key=key)

    with pytest.raises(OutcomeUnknown):
        connected.client.funding.withdraw(WITHDRAWAL, key=key)

    assert len(connected.ledger("withdrawal", str(key))) == 1


def test_saved_bank_instructions_are_found_by_method(connected: Connected) -> None:
    ach = connected.client.funding.bank_instructions("U1000011", method="ACH", key=next(connected.ids))
    wire = connected.client.funding.bank_instructions("U1000011", method="WIRE", key=next(connected.ids))

    assert [(each.name, each.currency, each.is_usable) for each in ach] == [("Checking", "USD", True)]
    assert [each.name for each in wire] == ["Main bank"]
    assert ach[0].masked_account.endswith("3318")
    assert "*" in ach[0].masked_account


def test_each_month_on_offer_is_a_proper_pdf(connected: Connected) -> None:
    available = connected.client.reports.available_statements("U1000011")
    assert len(available.monthly) >= 3
    assert available.daily_start is not None
    assert available.daily_end is not None

    for month in available.monthly[-3:]:
        file = connected.client.reports.statement("U1000011", month, month)
        assert file.mime_type == "application/pdf"
        text = "".join(page.extract_text() for page in PdfReader(BytesIO(file.content)).pages)
        assert "U1000011" in text


def test_a_statement_of_an_account_that_is_not_ours_is_refused(connected: Connected) -> None:
    with pytest.raises(Rejected) as caught:
        connected.client.reports.statement("U9999999", "202610", "202610")

    assert caught.value.status == 402


def test_a_statement_is_fetched_again_after_a_broken_line(connected: Connected) -> None:
    month = connected.client.reports.available_statements("U1000011").monthly[-1]
    connected.sandbox.fault({"method": "POST", "path": "/statements$", "phase": "mid_body", "action": "reset"})

    assert connected.client.reports.statement("U1000011", month, month).content.startswith(b"%PDF-")
