"""Z14: somebody swaps a bank's number and has money sent there. Each step of it meets its own refusal."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.test import Client as Browser
from django.urls import reverse

from backoffice.audit.models import Entry
from backoffice.core import clock
from backoffice.core.errors import Conflict, InvalidInput, NotPermitted
from backoffice.journal import services as journal
from backoffice.journal.models import State, Submission
from funding import dispatch, services
from funding.models import BankInstruction, CashTransfer, Status

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.row(id="Z14")]
Ask = Callable[..., CashTransfer]


@pytest.fixture
def master(connected_master: Any) -> Any:
    """Accounts of these tests hang under the connection that talks to the sandbox."""
    return connected_master


def look(account: Any, last4: str) -> None:
    """IBKR lists the account's one bank, with this number."""
    listed = services.ListedBank(name="Main bank", method="WIRE", currency="USD", last4=last4, status="PROCESSED")
    services.record_banks(account, [listed], methods=["WIRE"])


def submission_of(transfer: CashTransfer) -> Submission:
    found = journal.current_for(transfer)
    assert found is not None
    return found


def sent(sandbox: Any) -> list[Any]:
    return [each for each in sandbox.requests() if "cash-transfers" in each["path"] and each["method"] == "POST"]


def approve(transfer: CashTransfer, by: Any) -> None:
    services.approve(transfer, by=by, payload_sha256=submission_of(transfer).payload_sha256)


def test_a_swap_and_a_withdrawal_meet_the_rest_the_flag_and_a_second_person(
    account: Any, bank: BankInstruction, withdraw: Ask, advisor: Any, principal: Any, sandbox: Any
) -> None:
    with time_machine.travel(clock.now() - timedelta(hours=24, seconds=1)) as time:
        look(account, "7042")
        look(account, "6666")
        assert Entry.objects.filter(action="funding.bank_changed", subject_id=str(bank.pk)).count() == 1
        swapped = BankInstruction.objects.get(pk=bank.pk)
        for hours in (0, 23.9):
            time.shift(timedelta(hours=hours))
            with pytest.raises(InvalidInput, match="new bank details rest for 24 h") as refused:
                withdraw(bank=swapped)
            assert "Call the client back on a number known before" in refused.value.fix
        assert not CashTransfer.objects.exists()

    transfer = withdraw(bank=swapped)

    submission = submission_of(transfer)
    assert submission.state == State.PROPOSED
    assert "new_destination" in submission.flags
    dispatch.send_transfer(str(submission.pk))
    with pytest.raises(NotPermitted):
        approve(transfer, advisor)
    with (
        pytest.raises(IntegrityError, match="nobody approves their own"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "INSERT INTO journal_approval (submission_id, approver_id, payload_sha256, reason, at)"
            " VALUES (%s, %s, %s, '', now())",
            [submission.pk, advisor.pk, submission.payload_sha256],
        )
    assert sent(sandbox) == []
    browser = Browser()
    browser.force_login(principal, backend="backoffice.people.backends.EmailBackend")
    page = browser.get(reverse("journal:approval_detail", args=[submission.pk])).content.decode()
    assert f"{swapped.appeared_at:%d %b %Y %H:%M} UTC" in page
    assert "call-back note" in page

    approve(transfer, principal)
    dispatch.send_transfer(str(submission.pk))

    assert len(sent(sandbox)) == 1


def test_what_waits_when_the_number_is_swapped_is_neither_approved_nor_sent(
    account: Any, bank: BankInstruction, withdraw: Ask, principal: Any, sandbox: Any
) -> None:
    look(account, "7042")
    transfer = withdraw(bank=BankInstruction.objects.get(pk=bank.pk))
    look(account, "6666")

    with pytest.raises(Conflict, match="details were changed at IBKR after it was asked for. Reject it"):
        approve(transfer, principal)

    assert submission_of(transfer).state == State.PROPOSED
    assert sent(sandbox) == []


def test_what_was_approved_before_the_swap_is_not_sent_after_it(
    account: Any, bank: BankInstruction, withdraw: Ask, principal: Any, sandbox: Any
) -> None:
    look(account, "7042")
    transfer = withdraw(bank=BankInstruction.objects.get(pk=bank.pk))
    approve(transfer, principal)
    look(account, "6666")

    dispatch.send_transfer(str(submission_of(transfer).pk))
    services.close_void()

    submission = submission_of(transfer)
    transfer.refresh_from_db()
    assert (submission.state, transfer.status) == (State.VOID, Status.CANCELLED)
    assert "changed at IBKR after it was asked for" in submission.reason
    assert sent(sandbox) == []
    entry = Entry.objects.get(action="journal.withdraw")
    assert (entry.actor, entry.before != entry.after) == (None, True)


def test_what_IBKR_lists_unchanged_is_sent(
    account: Any, bank: BankInstruction, withdraw: Ask, principal: Any, sandbox: Any
) -> None:
    look(account, "7042")
    transfer = withdraw(bank=BankInstruction.objects.get(pk=bank.pk))
    approve(transfer, principal)
    look(account, "7042")

    dispatch.send_transfer(str(submission_of(transfer).pk))

    assert len(sent(sandbox)) == 1
