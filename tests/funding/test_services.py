"""Withdrawals and deposit notices as rows: who may ask, what is refused, what a second person's yes is worth."""

import threading
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from backoffice.core import clock
from backoffice.core.errors import Conflict, InvalidInput, NotPermitted
from backoffice.core.money import Money
from backoffice.journal import services as journal
from backoffice.journal.models import State, Submission
from funding import dispatch, services
from funding.models import BankInstruction, BankListing, CashTransfer, Status
from tests.funding.conftest import make_account, make_bank

Ask = Callable[..., CashTransfer]


def refused(ask: Callable[[], Any], field: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        ask()
    assert caught.value.field == field
    assert caught.value.fix
    assert not CashTransfer.objects.exists()
    assert not Submission.objects.exists()
    return caught.value.message


def test_a_withdrawal_waits_for_another_person_with_exactly_what_will_be_sent(withdraw: Ask) -> None:
    transfer = withdraw()

    submission = journal.current_for(transfer)
    assert submission is not None
    assert submission.state == State.PROPOSED
    assert submission.key == str(transfer.client_instruction_id)
    assert submission.payload == {
        "instructionType": "WITHDRAWAL",
        "instruction": {
            "clientInstructionId": transfer.client_instruction_id,
            "accountId": "U1000011",
            "amount": "1250.00",
            "currency": "USD",
            "bankInstructionMethod": "WIRE",
            "bankInstructionName": "Main bank",
        },
    }


@pytest.mark.parametrize(
    ("amount", "says"),
    [
        ("0", "more than zero"),
        ("-5", "more than zero"),
        ("10.505", "steps of 0.01"),
        ("100000.01", "at most USD 100,000"),
    ],
)
def test_an_amount_that_cannot_be_paid_is_refused_with_the_rule(withdraw: Ask, amount: str, says: str) -> None:
    assert says in refused(lambda: withdraw(money=Money(Decimal(amount), "USD")), "amount")


def test_the_limit_of_the_api_is_in_dollars_whatever_the_currency(withdraw: Ask, account: Any) -> None:
    euros = make_bank(account, name="Hausbank", currency="EUR")

    message = refused(lambda: withdraw(bank=euros, money=Money(Decimal("95000.00"), "EUR")), "amount")

    assert "about USD" in message


def test_a_bank_of_another_account_or_currency_or_state_is_refused(
    withdraw: Ask, master: Any, book: Any, account: Any
) -> None:
    other = make_bank(make_account("U1000012", master, book))
    pending = make_bank(account, name="New bank", ibkr_status="PENDING")

    refused(lambda: withdraw(bank=other), "bank")
    refused(lambda: withdraw(bank=pending), "bank")
    refused(lambda: withdraw(money=Money(Decimal("5.00"), "EUR")), "currency")


def test_more_than_ibkr_says_can_leave_is_refused(withdraw: Ask) -> None:
    known = services.Withdrawable(Money(Decimal("1000.00"), "USD"), clock.now())

    assert "USD 1,000.00" in refused(lambda: withdraw(withdrawable=known), "amount")


def test_what_can_leave_in_another_currency_says_nothing_about_this_one(withdraw: Ask) -> None:
    known = services.Withdrawable(Money(Decimal("1.00"), "EUR"), clock.now())

    assert withdraw(withdrawable=known).status == Status.REQUESTED


def test_an_account_that_is_not_open_and_a_withdrawal_without_a_why_are_refused(withdraw: Ask, account: Any) -> None:
    refused(lambda: withdraw(note="  "), "note")
    account.ibkr_status = "P"
    account.save()
    refused(withdraw, "account")


def test_a_second_one_alike_within_a_week_needs_its_reason(withdraw: Ask) -> None:
    first = withdraw()

    with pytest.raises(InvalidInput, match=first.reference) as caught:
        withdraw()
    second = withdraw(duplicate_reason="Two invoices of the same amount")

    assert caught.value.field == "duplicate_reason"
    assert second.pk != first.pk
    assert CashTransfer.objects.count() == 2


def test_a_declined_one_is_no_twin(withdraw: Ask, principal: Any) -> None:
    services.decline(withdraw(), by=principal, reason="Call back failed")

    withdraw()

    assert CashTransfer.objects.count() == 2


def test_the_same_form_sent_twice_is_one_withdrawal(withdraw: Ask) -> None:
    intent = uuid.uuid4()

    assert withdraw(intent=intent) == withdraw(intent=intent)
    assert Submission.objects.count() == 1


def test_the_same_form_of_another_person_finds_nothing(withdraw: Ask, operations: Any) -> None:
    intent = uuid.uuid4()
    withdraw(intent=intent)

    with pytest.raises(Conflict):
        withdraw(intent=intent, by=operations)

    assert CashTransfer.objects.count() == 1


def test_the_same_form_with_other_figures_is_said_not_booked(withdraw: Ask) -> None:
    intent = uuid.uuid4()
    withdraw(intent=intent)

    with pytest.raises(Conflict):
        withdraw(intent=intent, money=Money(Decimal("99.00"), "USD"))

    assert CashTransfer.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_ten_presses_at_once_are_one_withdrawal(withdraw: Ask) -> None:
    intent, barrier, made = uuid.uuid4(), threading.Barrier(10), []

    def press() -> None:
        barrier.wait()
        try:
            made.append(withdraw(intent=intent).pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=press) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 10
    assert len(set(made)) == 1
    assert CashTransfer.objects.count() == Submission.objects.count() == 1


def test_only_the_desk_asks_and_only_for_its_own_books(
    withdraw: Ask, other_advisor: Any, viewer: Any, administrator: Any
) -> None:
    for outsider in (other_advisor, viewer, administrator):
        with pytest.raises(NotPermitted):
            withdraw(by=outsider)

    assert not CashTransfer.objects.exists()


def test_the_maker_cannot_approve_not_even_past_the_code(withdraw: Ask, principal: Any) -> None:
    transfer = withdraw(by=principal)
    submission = journal.current_for(transfer)
    assert submission is not None

    with pytest.raises(NotPermitted, match="another person"):
        services.approve(transfer, by=principal, payload_sha256=submission.payload_sha256)
    with pytest.raises(IntegrityError, match="own submission"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO journal_approval (submission_id, approver_id, payload_sha256, reason, at) VALUES (%s, %s, %s, '', now())",
            [submission.pk, principal.pk, submission.payload_sha256],
        )

    assert Submission.objects.get().state == State.PROPOSED


def test_an_approval_of_another_payload_is_void(withdraw: Ask, principal: Any) -> None:
    transfer = withdraw()

    with pytest.raises(Conflict, match="seal"):
        services.approve(transfer, by=principal, payload_sha256="0" * 64)

    assert Submission.objects.get().state == State.PROPOSED


@pytest.mark.parametrize("role", ["advisor", "operations", "viewer", "administrator"])
def test_nobody_but_a_principal_approves(withdraw: Ask, person: Any, role: str) -> None:
    transfer = withdraw()
    submission = journal.current_for(transfer)
    assert submission is not None

    with pytest.raises(NotPermitted):
        services.approve(transfer, by=person(role, "Second Person"), payload_sha256=submission.payload_sha256)


def test_a_declined_or_taken_back_withdrawal_is_over(withdraw: Ask, principal: Any, advisor: Any) -> None:
    declined, back = withdraw(), withdraw(duplicate_reason="again")

    services.decline(declined, by=principal, reason="The client did not ask")
    services.take_back(back, by=advisor, reason="Wrong bank")

    assert {each.status for each in CashTransfer.objects.all()} == {Status.CANCELLED}
    assert {each.state for each in Submission.objects.all()} == {State.VOID}


def test_only_the_maker_and_the_desk_above_take_back(
    withdraw: Ask, viewer: Any, other_advisor: Any, operations: Any
) -> None:
    transfer = withdraw()

    for stranger in (viewer, other_advisor):
        with pytest.raises(NotPermitted):
            services.take_back(transfer, by=stranger, reason="mine now")
    services.take_back(transfer, by=operations, reason="The client changed their mind")

    assert CashTransfer.objects.get().status == Status.CANCELLED


def test_a_deposit_notice_needs_no_second_person(account: Any, advisor: Any) -> None:
    transfer = services.notify_deposit(
        account=account,
        money=Money(Decimal("5000.00"), "USD"),
        by=advisor,
        intent=uuid.uuid4(),
        sending_institution="First Bank",
    )

    submission = journal.current_for(transfer)
    assert submission is not None
    assert submission.state == State.READY
    assert submission.payload["instruction"]["sendingInstitution"] == "First Bank"


def test_approved_while_banking_is_closed_it_is_parked_until_it_opens(
    withdraw: Ask, principal: Any, master: Any, time_machine: Any
) -> None:
    master.environment = "qa"
    master.save()
    time_machine.move_to("2026-11-21T15:00:00+00:00")  # a Saturday
    transfer = withdraw()
    submission = journal.current_for(transfer)
    assert submission is not None

    services.approve(transfer, by=principal, payload_sha256=submission.payload_sha256)
    dispatch.send_transfer(str(submission.pk))  # the doorbell rings at once, and again until it is put off

    assert Submission.objects.get().due_at.isoformat() == "2026-11-22T20:00:00+00:00"  # Sunday 15:00 in New York


def test_an_unknown_word_of_ibkr_changes_nothing_and_calls_a_person(withdraw: Ask) -> None:
    transfer = withdraw()
    services.mark_submitted(transfer, instruction_id="43000001", word="PENDING")

    services.record_status(transfer, word="ON_HOLD_FOR_REVIEW", words="")

    transfer.refresh_from_db()
    assert (transfer.status, transfer.ibkr_status, transfer.is_unfamiliar) == (
        Status.SUBMITTED,
        "ON_HOLD_FOR_REVIEW",
        True,
    )


def test_a_late_answer_does_not_move_a_finished_transfer_back(withdraw: Ask) -> None:
    transfer = withdraw()
    services.mark_submitted(transfer, instruction_id="43000001", word="PROCESSED")

    moved = services.record_status(transfer, word="PENDING")

    transfer.refresh_from_db()
    assert (moved, transfer.status, transfer.ibkr_status) == (False, Status.DONE, "PROCESSED")


def test_a_bank_ibkr_no_longer_lists_is_kept_but_cannot_be_paid(account: Any, bank: BankInstruction) -> None:
    fresh = services.ListedBank("Checking", "ACH", "USD", "3318", "PROCESSED")

    services.record_banks(account, [fresh], methods=("WIRE", "ACH"))

    bank.refresh_from_db()
    assert (bank.is_listed, bank.is_usable) == (False, False)
    assert BankInstruction.objects.get(name="Checking").is_usable
    assert BankListing.objects.get(account=account).read_at is not None


def test_a_bank_whose_currency_changed_at_ibkr_is_new_again(account: Any, bank: BankInstruction) -> None:
    BankListing.objects.create(account=account, read_at=clock.now())
    assert (bank.currency, bank.appeared_at) == ("USD", None)
    other = services.ListedBank(bank.name, bank.method, "EUR", bank.last4, "PROCESSED")

    services.record_banks(account, [other], methods=("WIRE", "ACH"))

    bank.refresh_from_db()
    assert (bank.currency, bank.appeared_at is not None) == ("EUR", True)


def test_bank_digits_are_sealed_in_the_database(bank: BankInstruction) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT last4 FROM funding_bankinstruction")
        assert "7042" not in cursor.fetchone()[0]


def test_banks_are_asked_for_once_while_the_list_is_fresh(account: Any) -> None:
    assert services.ask_for_banks(account) is True
    assert services.ask_for_banks(account) is False
