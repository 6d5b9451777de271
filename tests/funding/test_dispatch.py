"""Transfers at the sandbox: sent once, looked for when in doubt, followed to their end."""

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings

from backoffice.broker import client as broker
from backoffice.core import clock
from backoffice.core.money import Money
from backoffice.journal import inquiries
from backoffice.journal import services as journal
from backoffice.journal.models import Finding, State, Submission
from funding import dispatch, services
from funding.models import BankInstruction, BankListing, CashTransfer, Kind, Status
from tests.funding.conftest import make_account

pytestmark = pytest.mark.django_db(transaction=True)
Ask = Callable[..., CashTransfer]


@pytest.fixture
def master(connected_master: Any) -> Any:
    """Accounts of these tests hang under the connection that talks to the sandbox."""
    return connected_master


def approved(transfer: CashTransfer, principal: Any) -> Submission:
    submission = journal.current_for(transfer)
    assert submission is not None
    services.approve(transfer, by=principal, payload_sha256=submission.payload_sha256)
    return submission


def reread(submission: Submission) -> Submission:
    found: Submission = Submission.objects.get(pk=submission.pk)
    return found


def test_an_approved_withdrawal_is_sent_once_and_followed_until_processed(
    withdraw: Ask, principal: Any, sandbox: Any
) -> None:
    transfer = withdraw()
    submission = approved(transfer, principal)

    for _ in range(3):
        dispatch.send_transfer(str(submission.pk))
    transfer.refresh_from_db()
    assert (transfer.status, transfer.ibkr_status) == (Status.SUBMITTED, "PENDING")
    sandbox.advance(30)
    CashTransfer.objects.update(next_poll_at=transfer.requested_at)
    dispatch.poll_transfer(str(transfer.pk))
    dispatch.poll_transfer(str(transfer.pk))

    transfer.refresh_from_db()
    assert (transfer.status, transfer.ibkr_status) == (Status.DONE, "PROCESSED")
    effects = sandbox.ledger("withdrawal")
    assert [effect["key"] for effect in effects] == [transfer.reference]
    assert reread(submission).reference == transfer.instruction_id != ""


def test_nothing_is_sent_before_the_second_person(withdraw: Ask, sandbox: Any) -> None:
    submission = journal.current_for(withdraw())
    assert submission is not None

    dispatch.send_transfer(str(submission.pk))

    assert sandbox.ledger("withdrawal") == []
    assert not [each for each in sandbox.requests() if "cash-transfers" in each["path"]]


def test_a_key_that_cannot_be_read_leaves_the_withdrawal_waiting_and_says_why(
    withdraw: Ask, principal: Any, sandbox: Any, master: Any
) -> None:
    submission = approved(withdraw(), principal)
    type(master).objects.filter(pk=master.pk).update(private_key_path="/nonexistent/key.pem")

    dispatch.send_transfer(str(submission.pk))

    found = reread(submission)
    assert found.state == State.READY
    assert "/nonexistent/key.pem" in found.reason
    assert found.due_at > found.created_at
    assert not [each for each in sandbox.requests() if "cash-transfers" in each["path"]]


def test_a_lost_answer_is_asked_for_not_resent(withdraw: Ask, principal: Any, sandbox: Any) -> None:
    transfer = withdraw()
    submission = approved(transfer, principal)
    sandbox.fault(
        {"method": "POST", "path": "/external-cash-transfers", "phase": "applied_not_answered", "action": "reset"}
    )

    dispatch.send_transfer(str(submission.pk))
    assert reread(submission).state == State.UNKNOWN
    transfer.refresh_from_db()
    assert transfer.status == Status.REQUESTED
    dispatch.send_transfer(str(submission.pk))
    dispatch.look_for_transfer(str(submission.pk))

    assert reread(submission).state == State.ACKED
    transfer.refresh_from_db()
    assert transfer.status == Status.SUBMITTED
    assert len(sandbox.ledger("withdrawal")) == 1


def test_absence_is_proven_by_looks_that_show_something_else_of_ours(
    withdraw: Ask, principal: Any, second_principal: Any, sandbox: Any
) -> None:
    transfer = withdraw()
    submission = approved(transfer, principal)
    sandbox.fault(
        {"method": "POST", "path": "/external-cash-transfers", "phase": "read_not_applied", "action": "reset"}
    )

    dispatch.send_transfer(str(submission.pk))
    for _ in range(3):
        dispatch.look_for_transfer(str(submission.pk))

    assert [each.finding for each in submission.observations.all()] == [Finding.CLEAN] * 3
    assert reread(submission).state == State.ABSENT
    assert sandbox.ledger("withdrawal") == []

    journal.release(submission, by=principal, evidence="IBKR ticket 55120")
    dispatch.send_transfer(str(submission.pk))
    assert sandbox.ledger("withdrawal") == []
    journal.release(submission, by=second_principal, evidence="Same ticket, called back")
    dispatch.send_transfer(str(submission.pk))

    assert reread(submission).state == State.ACKED
    assert [effect["key"] for effect in sandbox.ledger("withdrawal")] == [transfer.reference]


def test_silence_of_the_look_itself_is_not_absence(withdraw: Ask, principal: Any, sandbox: Any) -> None:
    submission = approved(withdraw(), principal)
    sandbox.fault(
        {"method": "POST", "path": "/external-cash-transfers", "phase": "read_not_applied", "action": "reset"}
    )
    sandbox.fault(
        {"method": "GET", "path": "/client-instructions/", "phase": "pre_read", "action": "status", "status": 404,
         "body": '{"type":"/not-found","title":"Not Found","status":404,"detail":"nothing here"}', "times": 20}
    )  # fmt: skip

    dispatch.send_transfer(str(submission.pk))
    for _ in range(4):
        dispatch.look_for_transfer(str(submission.pk))

    assert {each.finding for each in submission.observations.all()} == {Finding.INCONCLUSIVE}
    assert reread(submission).state == State.UNKNOWN


def test_a_number_used_twice_is_an_incident_not_a_find(withdraw: Ask, principal: Any, sandbox: Any) -> None:
    transfer = withdraw()
    submission = approved(transfer, principal)
    sandbox.fault(
        {"method": "POST", "path": "/external-cash-transfers", "phase": "applied_not_answered", "action": "reset"}
    )
    dispatch.send_transfer(str(submission.pk))
    first = {
        "clientInstructionId": transfer.client_instruction_id,
        "instructionId": 43000001,
        "instructionStatus": "PENDING",
    }
    body = {"status": 208, "instructionSetId": 1, "instructionResult": {**first, "instructionType": "WITHDRAWAL"}}
    sandbox.fault(
        {"method": "GET", "path": "/client-instructions/", "phase": "pre_read", "action": "status", "status": 208,
         "body": json.dumps(body)}
    )  # fmt: skip

    dispatch.look_for_transfer(str(submission.pk))

    found = reread(submission)
    assert found.state == State.UNKNOWN
    assert "more than one request" in found.reason


def test_another_kind_of_instruction_under_its_number_is_no_find(withdraw: Ask, principal: Any, sandbox: Any) -> None:
    transfer = withdraw()
    submission = approved(transfer, principal)
    sandbox.fault(
        {"method": "POST", "path": "/external-cash-transfers", "phase": "applied_not_answered", "action": "reset"}
    )
    dispatch.send_transfer(str(submission.pk))
    CashTransfer.objects.filter(pk=transfer.pk).update(kind=Kind.DEPOSIT)

    dispatch.look_for_transfer(str(submission.pk))

    found = reread(submission)
    assert found.state == State.UNKNOWN
    assert "IBKR has a WITHDRAWAL under this number" in found.reason


def test_a_refusal_is_final_and_kept_in_ibkrs_words(withdraw: Ask, principal: Any, sandbox: Any) -> None:
    transfer = withdraw(money=Money(Decimal("99000.00"), "USD"))
    submission = approved(transfer, principal)

    dispatch.send_transfer(str(submission.pk))

    transfer.refresh_from_db()
    assert transfer.status == Status.REJECTED
    assert "Withdrawable cash of account U1000011" in transfer.ibkr_words
    assert reread(submission).state == State.REJECTED
    assert sandbox.ledger("withdrawal") == []


def test_a_refusal_found_by_looking_moves_the_transfer_too(withdraw: Ask, principal: Any, sandbox: Any) -> None:
    transfer = withdraw(money=Money(Decimal("99000.00"), "USD"))
    submission = approved(transfer, principal)
    sandbox.fault(
        {"method": "POST", "path": "/external-cash-transfers", "phase": "applied_not_answered", "action": "reset"}
    )

    dispatch.send_transfer(str(submission.pk))
    dispatch.look_for_transfer(str(submission.pk))

    transfer.refresh_from_db()
    assert transfer.status == Status.REJECTED
    assert reread(submission).state == State.REJECTED


def test_a_dead_line_sends_nothing_and_is_tried_again_by_itself(
    withdraw: Ask, principal: Any, master: Any, sandbox: Any
) -> None:
    transfer = withdraw()
    submission = approved(transfer, principal)
    alive = master.base_url
    type(master).objects.update(base_url="http://127.0.0.1:9")

    dispatch.send_transfer(str(submission.pk))
    parked = reread(submission)
    assert (parked.state, parked.unsent_tries) == (State.READY, 1)
    type(master).objects.update(base_url=alive)
    Submission.objects.update(due_at=submission.created_at)
    dispatch.send_transfer(str(submission.pk))

    assert len(sandbox.ledger("withdrawal")) == 1


def test_a_deposit_notice_reaches_ibkr_without_approval(account: Any, advisor: Any, sandbox: Any) -> None:
    import uuid

    transfer = services.notify_deposit(
        account=account,
        money=Money(Decimal("5000.00"), "USD"),
        by=advisor,
        intent=uuid.uuid4(),
        sending_institution="First Bank",
    )
    submission = journal.current_for(transfer)
    assert submission is not None

    dispatch.send_transfer(str(submission.pk))

    transfer.refresh_from_db()
    assert transfer.status == Status.SUBMITTED
    assert [effect["key"] for effect in sandbox.ledger("deposit")] == [transfer.reference]


def test_banks_are_read_by_kind_and_only_the_last_digits_arrive(account: Any, sandbox: Any) -> None:
    dispatch.sync_banks(str(account.pk))

    found = {
        (bank.name, bank.method, bank.currency, bank.last4, bank.is_usable) for bank in BankInstruction.objects.all()
    }
    assert found == {("Main bank", "WIRE", "USD", "7042", True), ("Checking", "ACH", "USD", "3318", True)}


def test_a_list_of_banks_that_cannot_be_read_says_why_and_keeps_its_age(account: Any, master: Any) -> None:
    type(master).objects.update(base_url="http://127.0.0.1:9")

    dispatch.sync_banks(str(account.pk))

    listing = BankListing.objects.get(account=account)
    assert listing.read_at is None
    assert listing.failure


def test_withdrawable_cash_is_an_inquiry_answered_from_the_ledger(
    account: Any, advisor: Any, live_session: Any
) -> None:
    inquiry = inquiries.ask("funding.answer_withdrawable", {"account": str(account.pk), "currency": "USD"}, by=advisor)

    dispatch.answer_withdrawable(str(inquiry.pk))

    inquiry.refresh_from_db()
    assert inquiry.state == "answered", inquiry.message
    assert Decimal(inquiry.answer["amount"]) > 0


def test_a_sign_on_that_asked_for_no_clients_yet_asks_for_them_and_answers(
    account: Any, advisor: Any, live_session: Any
) -> None:
    signing_on = broker.client_for(live_session.master, lane="session").sso
    live_session.bearer = signing_on.trading_session(live_session.master.username, ip=settings.IBKR_EGRESS_IP).bearer
    live_session.save(update_fields=["bearer"])
    inquiry = inquiries.ask("funding.answer_withdrawable", {"account": str(account.pk), "currency": "USD"}, by=advisor)

    dispatch.answer_withdrawable(str(inquiry.pk))

    inquiry.refresh_from_db()
    assert inquiry.state == "answered", inquiry.message


def test_without_a_session_the_inquiry_says_so(account: Any, advisor: Any) -> None:
    inquiry = inquiries.ask("funding.answer_withdrawable", {"account": str(account.pk), "currency": "USD"}, by=advisor)

    dispatch.answer_withdrawable(str(inquiry.pk))

    inquiry.refresh_from_db()
    assert inquiry.state == "failed"
    assert "session" in inquiry.message


def test_a_sweep_cancels_what_was_withdrawn_and_asks_for_banks_never_read(
    withdraw: Ask, principal: Any, master: Any, book: Any
) -> None:
    transfer = withdraw()
    submission = journal.current_for(transfer)
    assert submission is not None
    journal.refuse(submission, by=principal, reason="Not this one")
    other = make_account("U1000012", master, book)

    dispatch.sweep_transfers()
    dispatch.sweep_transfers()

    transfer.refresh_from_db()
    assert transfer.status == Status.CANCELLED
    assert BankListing.objects.get(account=other).asked_at is not None


def test_accounts_whose_banks_cannot_be_read_hide_no_other(master: Any, book: Any) -> None:
    failing = [make_account(f"U10000{number}", master, book) for number in range(20, 20 + dispatch.BANKS_PER_SWEEP)]
    asked_at = clock.now() - timedelta(minutes=5)
    for account in failing:
        BankListing.objects.create(account=account, asked_at=asked_at, failure="IBKR refuses this account.")
    other = make_account("U1000099", master, book)

    dispatch.sweep_transfers()

    assert BankListing.objects.get(account=other).asked_at is not None
