"""The journal's rules, without a network: who may approve, who may send, what a doubt becomes."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from backoffice.broker import services as broker
from backoffice.core import clock
from backoffice.core.errors import Conflict, NotPermitted
from backoffice.ibkr import errors as ibkr
from backoffice.journal import sending, sweeps
from backoffice.journal import services as journal
from backoffice.journal.models import Attempt, State, Submission
from backoffice.journal.outcomes import Absent, Accepted, Asked, Found, Inconclusive, Refused
from tests.journal_rows import make_submission

pytestmark = pytest.mark.django_db


def raising(error: Exception) -> Callable[[], Any]:
    def call() -> Any:
        raise error

    return call


def send(submission: Submission, call: Callable[[], Any]) -> Any:
    claimed = sending.claim(submission.pk)
    assert claimed is not None
    outcome = sending.attempt(claimed, call)
    sending.settle(claimed, outcome)
    submission.refresh_from_db()
    return outcome


def make_unknown(submission: Submission) -> None:
    send(submission, raising(ibkr.OutcomeUnknown("the line broke")))
    assert submission.state == State.UNKNOWN


class TestApproval:
    def test_a_submission_that_needs_approval_is_not_claimed_before_it(self, master: Any, operations: Any) -> None:
        submission = make_submission(master, operations, approvals_needed=1)

        assert submission.state == State.PROPOSED
        assert sending.claim(submission.pk) is None

    def test_the_second_person_makes_it_ready(self, master: Any, operations: Any, principal: Any) -> None:
        submission = make_submission(master, operations, approvals_needed=1)

        journal.approve(submission, by=principal, payload_sha256=submission.payload_sha256)

        assert sending.claim(submission.pk) is not None

    @pytest.mark.row(id="Z03")
    def test_nobody_approves_their_own(self, master: Any, principal: Any) -> None:
        submission = make_submission(master, principal, approvals_needed=1)

        with pytest.raises(NotPermitted):
            journal.approve(submission, by=principal, payload_sha256=submission.payload_sha256)

        assert submission.approvals.count() == 0

    def test_a_viewer_or_the_desk_may_not_approve(
        self, master: Any, operations: Any, viewer: Any, advisor: Any
    ) -> None:
        submission = make_submission(master, operations, approvals_needed=1)

        for person in (viewer, advisor):
            with pytest.raises(NotPermitted):
                journal.approve(submission, by=person, payload_sha256=submission.payload_sha256)

    @pytest.mark.row(id="Z03")
    def test_approval_of_another_payload_is_refused(self, master: Any, operations: Any, principal: Any) -> None:
        submission = make_submission(master, operations, approvals_needed=1)

        with pytest.raises(Conflict):
            journal.approve(submission, by=principal, payload_sha256="0" * 64)

        submission.refresh_from_db()
        assert submission.state == State.PROPOSED

    @pytest.mark.row(id="Z03")
    def test_raw_sql_cannot_approve_for_the_maker_or_another_payload(
        self, master: Any, principal: Any, operations: Any
    ) -> None:
        submission = make_submission(master, principal, approvals_needed=1)
        insert = (
            "INSERT INTO journal_approval (submission_id, approver_id, payload_sha256, reason, at) "
            "VALUES (%s, %s, %s, '', now())"
        )

        for approver, sha in ((principal.pk, submission.payload_sha256), (operations.pk, "0" * 64)):
            with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(insert, [submission.pk, approver, sha])

    @pytest.mark.row(id="Z03")
    def test_raw_sql_cannot_change_what_was_approved(self, master: Any, operations: Any) -> None:
        submission = make_submission(master, operations)

        for column, value in (
            ("payload_sha256", "1" * 64),
            ("key", "other"),
            ("approvals_needed", 3),
            ("maker_id", None),
        ):
            with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"UPDATE journal_submission SET {column} = %s WHERE id = %s", [value, submission.pk])

    @pytest.mark.row(id="Z03")
    def test_raw_sql_cannot_open_an_attempt_without_the_approvals(self, master: Any, operations: Any) -> None:
        submission = make_submission(master, operations, approvals_needed=1)

        with pytest.raises(IntegrityError), transaction.atomic():
            Attempt.objects.create(
                submission=submission, number=1, phase="send", fence=1, request_sha256="", host="h", pid=1,
                process_started="", prepared_at=clock.now(), deadline=clock.now(),
            )  # fmt: skip

    @pytest.mark.row(id="Z03")
    def test_an_altered_payload_is_not_sent(self, master: Any, operations: Any) -> None:
        submission = make_submission(master, operations)
        submission.payload_text = '{"amount":"999999"}'
        submission.save(update_fields=["payload_text"])

        with pytest.raises(Conflict):
            sending.claim(submission.pk)

        assert Attempt.objects.count() == 0

    def test_evidence_cannot_be_edited_or_deleted(self, master: Any, operations: Any, principal: Any) -> None:
        submission = make_submission(master, operations, approvals_needed=1)
        journal.approve(submission, by=principal, payload_sha256=submission.payload_sha256)

        for statement in ("UPDATE journal_approval SET reason = 'x'", "DELETE FROM journal_approval"):
            with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement)


class TestSending:
    def test_a_key_serves_one_submission_for_ever(self, master: Any, operations: Any) -> None:
        first = make_submission(master, operations)

        with pytest.raises(IntegrityError), transaction.atomic():
            make_submission(master, operations, key=first.key)

    def test_a_second_claim_finds_nothing(self, master: Any, operations: Any) -> None:
        submission = make_submission(master, operations)

        assert sending.claim(submission.pk) is not None
        assert sending.claim(submission.pk) is None

    @pytest.mark.parametrize(
        ("call", "state"),
        [
            (lambda: Accepted("42"), State.ACKED),
            (lambda: Refused("No."), State.REJECTED),
            (lambda: Asked("Sure?"), State.QUESTION),
            (raising(ibkr.Rejected("No.")), State.REJECTED),
            (raising(ibkr.NotSent("refused")), State.READY),
            (raising(ibkr.OutcomeUnknown("timeout")), State.UNKNOWN),
            (raising(ibkr.RateLimited("429")), State.UNKNOWN),
            (raising(ibkr.AuthFailed("401")), State.UNKNOWN),
        ],
    )
    def test_each_answer_has_its_state(self, master: Any, operations: Any, call: Any, state: str) -> None:
        submission = make_submission(master, operations)

        send(submission, call)

        assert submission.state == state
        assert submission.attempts.get().outcome is not None

    def test_what_never_left_waits_before_it_is_sent_again(self, master: Any, operations: Any) -> None:
        submission = make_submission(master, operations)

        send(submission, raising(ibkr.NotSent("connection refused")))

        assert submission.due_at > clock.now()
        assert sending.claim(submission.pk) is None

    def test_a_closed_gate_stops_claims_and_an_open_one_lets_them_through(
        self, master: Any, operations: Any, principal: Any
    ) -> None:
        submission = make_submission(master, operations)
        broker.close_gate(scope="lane", key="funding", reason="drill", by=operations)

        assert sending.claim(submission.pk) is None

        broker.open_gate(scope="lane", key="funding", reason="over", by=principal)
        assert sending.claim(submission.pk) is not None

    def test_a_worker_that_died_while_sending_leaves_unknown_never_ready(self, master: Any, operations: Any) -> None:
        submission = make_submission(master, operations)
        claimed = sending.claim(submission.pk)
        assert claimed is not None
        with pytest.raises(KeyboardInterrupt):
            sending.attempt(claimed, raising(KeyboardInterrupt()))  # type: ignore[arg-type]
        Submission.objects.filter(pk=submission.pk).update(lease_until=clock.now() - timedelta(seconds=1))

        sweeps.sweep_submissions()

        submission.refresh_from_db()
        assert submission.state == State.UNKNOWN

    def test_a_worker_that_died_before_sending_leaves_it_ready(self, master: Any, operations: Any) -> None:
        submission = make_submission(master, operations)
        sending.claim(submission.pk)
        Submission.objects.filter(pk=submission.pk).update(lease_until=clock.now() - timedelta(seconds=1))

        sweeps.sweep_submissions()

        submission.refresh_from_db()
        assert submission.state == State.READY

    def test_a_worker_that_wakes_after_its_lease_does_not_write_over_its_successor(
        self, master: Any, operations: Any
    ) -> None:
        submission = make_submission(master, operations)
        claimed = sending.claim(submission.pk)
        assert claimed is not None
        sending.attempt(claimed, lambda: Refused("late no"))
        Submission.objects.filter(pk=submission.pk).update(lease_until=clock.now() - timedelta(seconds=1))
        sweeps.sweep_submissions()

        assert sending.settle(claimed, Refused("late no")) is False

        submission.refresh_from_db()
        assert submission.state == State.UNKNOWN
        assert submission.observations.get().source == "an answer that came late"

    def test_a_late_yes_resolves_the_doubt(self, master: Any, operations: Any) -> None:
        submission = make_submission(master, operations)
        claimed = sending.claim(submission.pk)
        assert claimed is not None
        outcome = sending.attempt(claimed, lambda: Accepted("77"))
        Submission.objects.filter(pk=submission.pk).update(lease_until=clock.now() - timedelta(seconds=1))
        sweeps.sweep_submissions()

        assert sending.settle(claimed, outcome) is True

        submission.refresh_from_db()
        assert (submission.state, submission.reference) == (State.ACKED, "77")


class TestConversation:
    def test_one_order_conversation_holds_the_lane(self, master: Any, advisor: Any) -> None:
        first = make_submission(master, advisor, lane="trading", reply="trading.send_reply")
        second = make_submission(master, advisor, lane="trading", reply="trading.send_reply")
        send(first, lambda: Asked("Sure?"))

        assert sending.claim(second.pk) is None

        journal.answer(first, by=advisor, because="Confirmed")
        claimed = sending.claim(first.pk, phase="reply")
        assert claimed is not None
        sending.settle(claimed, sending.attempt(claimed, lambda: Accepted("9")))
        assert sending.claim(second.pk) is not None
        assert [attempt.phase for attempt in first.attempts.all()] == ["send", "reply"]

    def test_a_question_is_answered_once(self, master: Any, advisor: Any) -> None:
        submission = make_submission(master, advisor, lane="trading", reply="trading.send_reply")
        send(submission, lambda: Asked("Sure?"))
        journal.answer(submission, by=advisor, because="Confirmed")

        with pytest.raises(Conflict):
            journal.answer(submission, by=advisor, because="Declined")


class TestLooking:
    def test_found_resolves_the_doubt_without_sending(self, master: Any, operations: Any) -> None:
        submission = make_submission(master, operations)
        make_unknown(submission)

        assert sending.observe(submission, Found("55", source="client-instructions"))

        submission.refresh_from_db()
        assert (submission.state, submission.reference) == (State.ACKED, "55")
        assert submission.attempts.count() == 1

    def test_silence_is_not_absence(self, master: Any, operations: Any) -> None:
        submission = make_submission(master, operations)
        make_unknown(submission)

        for _ in range(10):
            sending.observe(submission, Inconclusive("client-instructions", "IBKR did not answer"))

        submission.refresh_from_db()
        assert submission.state == State.UNKNOWN

    def test_absence_needs_three_clean_looks_in_a_row(self, master: Any, operations: Any) -> None:
        submission = make_submission(master, operations)
        make_unknown(submission)

        for look in (Absent("x"), Absent("x"), Inconclusive("x", "?"), Absent("x"), Absent("x")):
            sending.observe(submission, look)
        submission.refresh_from_db()
        assert submission.state == State.UNKNOWN

        sending.observe(submission, Absent("x"))
        submission.refresh_from_db()
        assert submission.state == State.ABSENT

    def test_absence_is_not_concluded_in_the_quiet_time(self, master: Any, operations: Any, settings: Any) -> None:
        settings.JOURNAL_QUIET_SECONDS = 120
        submission = make_submission(master, operations)
        make_unknown(submission)

        for _ in range(5):
            sending.observe(submission, Absent("x"))

        submission.refresh_from_db()
        assert submission.state == State.UNKNOWN

    def test_something_else_than_was_sent_stays_a_doubt(self, master: Any, operations: Any) -> None:
        submission = make_submission(master, operations)
        make_unknown(submission)

        sending.observe(submission, Found("55", source="x", detail="USD 90 instead of 100", matches=False))

        submission.refresh_from_db()
        assert submission.state == State.UNKNOWN
        assert "USD 90" in submission.reason

    def test_two_people_release_what_is_proven_absent_under_its_own_key(
        self, master: Any, operations: Any, principal: Any
    ) -> None:
        submission = make_submission(master, operations)
        make_unknown(submission)
        for _ in range(3):
            sending.observe(submission, Absent("x"))
        key = submission.key

        journal.release(submission, by=operations, evidence="IBKR ticket 1")
        assert sending.claim(submission.pk) is None
        with pytest.raises(Conflict):
            journal.release(submission, by=operations, evidence="again")
        journal.release(submission, by=principal, evidence="IBKR ticket 1")

        claimed = sending.claim(submission.pk)
        assert claimed is not None
        assert claimed.key == key
        sending.settle(claimed, sending.attempt(claimed, lambda: Accepted("1")))
        assert [attempt.number for attempt in submission.attempts.all()] == [1, 2]

    def test_what_is_unknown_cannot_be_withdrawn_or_released(
        self, master: Any, operations: Any, principal: Any
    ) -> None:
        submission = make_submission(master, operations)
        make_unknown(submission)

        with pytest.raises(Conflict):
            journal.withdraw(submission, by=operations, reason="changed my mind")
        with pytest.raises(Conflict):
            journal.release(submission, by=principal, evidence="I am sure")

    def test_a_look_that_is_not_due_does_not_happen(self, master: Any, operations: Any) -> None:
        submission = make_submission(master, operations)
        make_unknown(submission)
        Submission.objects.filter(pk=submission.pk).update(next_look_at=clock.now() + timedelta(minutes=1))

        assert sending.due_for_look(submission.pk) is None
