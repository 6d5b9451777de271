"""I10: a backup of an hour ago is restored. What was sent since waits in it as if it never was; it is not sent again."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from backoffice.audit import anchors, sealing
from backoffice.audit import services as audit
from backoffice.broker import services as broker
from backoffice.broker.models import Gate
from backoffice.core import clock
from backoffice.journal import looking, sending
from backoffice.journal import services as journal
from backoffice.journal.models import LIFECYCLE, State, Submission
from backoffice.journal.outcomes import Absent, Accepted
from funding import dispatch
from funding.models import CashTransfer, Status
from tests.faults.conftest import Effect
from tests.journal_rows import make_absent, make_open, make_submission, send

pytestmark = pytest.mark.django_db(transaction=True)


def open_again(principal: Any) -> None:
    broker.open_gate(scope=Gate.Scope.GLOBAL, key="", reason="Compared with IBKR", by=principal)


@pytest.mark.row(id="I10")
def test_i10_what_was_sent_since_the_backup_is_found_and_not_sent_again(
    withdrawal: Effect, sandbox: Any, principal: Any
) -> None:
    transfer = withdrawal.begin()
    submission = withdrawal.submission(transfer)
    dispatch.send_transfer(str(submission.pk))
    assert len(sandbox.ledger("withdrawal")) == 1
    # As the rows stood in the backup, before it was sent.
    Submission.objects.filter(pk=submission.pk).update(state=State.READY, reference="", due_at=clock.now())
    CashTransfer.objects.filter(pk=transfer.pk).update(status=Status.REQUESTED, instruction_id="")

    call_command("post_restore")
    dispatch.send_transfer(str(submission.pk))
    open_again(principal)
    dispatch.send_transfer(str(submission.pk))
    Submission.objects.filter(pk=submission.pk).update(next_look_at=clock.now())
    dispatch.look_for_transfer(str(submission.pk))

    transfer.refresh_from_db()
    submission.refresh_from_db()
    assert (submission.state, transfer.status) == (State.ACKED, Status.SUBMITTED)
    assert len(sandbox.ledger("withdrawal")) == 1
    assert len([row for row in sandbox.requests() if row["path"].endswith("/external-cash-transfers")]) == 1


def test_i10_what_is_not_at_ibkr_goes_out_once_two_people_released_it(
    master: Any, operations: Any, principal: Any
) -> None:
    submission = make_submission(master, operations)

    call_command("post_restore")
    open_again(principal)
    assert sending.claim(submission.pk) is None
    for _ in range(3):
        looking.observe(submission, Absent("x"))
    for person in (operations, principal):
        journal.release(submission, by=person, evidence="IBKR ticket 1")
    send(submission, lambda: Accepted("1"))

    assert submission.state == State.ACKED


def test_i10_all_that_may_have_left_is_in_doubt_and_nothing_else(master: Any, operations: Any) -> None:
    claimed, asked, answered, sending_now, absent = (make_submission(master, operations) for _ in range(5))
    sending.claim(claimed.pk)
    for row in (asked, answered):
        Submission.objects.filter(pk=row.pk).update(state=State.QUESTION)
    journal.answer(answered, by=operations, because="yes")
    make_open(sending_now, pid=2**22 - 1, started="1", host="another")
    Submission.objects.filter(pk=sending_now.pk).update(state=State.SENDING)
    absent = make_absent(master, operations)
    proposed = make_submission(master, operations, approvals_needed=1)
    withdrawn = make_submission(master, operations)
    LIFECYCLE.move(withdrawn, to=State.VOID, because="withdrawn")

    for _ in range(2):
        call_command("post_restore")

    states = dict(Submission.objects.values_list("pk", "state"))
    doubts = {states[row.pk] for row in (claimed, asked, answered, sending_now, absent)}
    assert doubts == {State.UNKNOWN}
    assert (states[proposed.pk], states[withdrawn.pk]) == (State.PROPOSED, State.VOID)
    assert not Submission.objects.filter(attempts__outcome__isnull=True, attempts__isnull=False).exists()
    assert sending.claim(proposed.pk) is None


def test_i10_no_number_that_ibkr_may_know_is_given_again(master: Any) -> None:
    before = journal.next_instruction_id()

    call_command("post_restore")

    assert journal.next_instruction_id() > before + 1_000_000
    assert Gate.objects.closed_for(master=master, lane="funding").exists()


def test_i10_what_was_proven_absent_before_needs_new_looks(master: Any, operations: Any) -> None:
    submission = make_absent(master, operations)

    call_command("post_restore")
    for _ in range(2):
        looking.observe(submission, Absent("x"))

    submission.refresh_from_db()
    assert submission.state == State.UNKNOWN


def without_triggers(*statements: str) -> None:
    """Do to the database what a restore does that ended half-way."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for statement in statements:
            cursor.execute(statement)


@pytest.mark.parametrize("command", ["post_restore", "verify_audit"])
def test_a_restore_without_a_table_is_refused_with_its_name(master: Any, command: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE clients_household RENAME TO elsewhere")
    try:
        with pytest.raises(CommandError, match=r"Tables are missing: clients_household\."):
            call_command(command)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE elsewhere RENAME TO clients_household")


@pytest.mark.parametrize("command", ["post_restore", "verify_audit"])
def test_a_restore_without_rows_that_the_audit_tells_of_is_refused(
    command: str, withdrawal: Effect, tmp_path: Path, settings: Any
) -> None:
    settings.AUDIT_ANCHORS = tmp_path
    withdrawal.begin()
    call_command(command)
    without_triggers("DELETE FROM funding_cashtransfer")

    with pytest.raises(CommandError, match=r"Rows are gone that the audit tells of: 1 of funding_cashtransfer\."):
        call_command(command)

    assert command == "verify_audit" or Gate.objects.filter(is_open=False).exists()


def test_a_restore_without_any_audit_is_refused_and_one_that_ends_earlier_is_told(
    operations: Any, master: Any, tmp_path: Path, settings: Any
) -> None:
    settings.AUDIT_ANCHORS = tmp_path
    for number in range(3):
        audit.record("funding.look", by=operations, summary=f"Look {number}")
    sealing.seal_committed()
    anchors.drop()
    said = StringIO()

    without_triggers("DELETE FROM audit_seal WHERE position > 1")
    call_command("post_restore", stdout=said)
    without_triggers("DELETE FROM audit_seal", "DELETE FROM audit_entry")

    assert "The audit ends at entry 1, and the anchor of " in said.getvalue()
    with pytest.raises(CommandError, match="The audit is empty, and the anchor of .* counts 3 entries"):
        call_command("post_restore")
