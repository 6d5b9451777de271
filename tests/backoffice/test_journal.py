"""The journal's rules, without a network: who may approve, who may send, what a doubt becomes."""

import json
from datetime import timedelta
from typing import Any

import pytest
import redis
from celery import current_app
from django.db import DatabaseError, IntegrityError, connection, transaction

from backoffice.audit.models import Entry
from backoffice.broker import departures
from backoffice.broker import services as broker
from backoffice.core import clock
from backoffice.core.errors import Conflict, NotPermitted
from backoffice.ibkr import errors as ibkr
from backoffice.journal import sending, sweeps
from backoffice.journal import services as journal
from backoffice.journal.models import LIFECYCLE, Attempt, State, Submission
from backoffice.journal.outcomes import Accepted, Asked, NotSent, Refused
from tests.journal_rows import make_submission, raising, send

pytestmark = pytest.mark.django_db


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
    @pytest.mark.parametrize("approvals_needed", [0, 1])
    def test_an_altered_payload_is_void_and_never_sent(
        self, master: Any, operations: Any, principal: Any, approvals_needed: int
    ) -> None:
        submission = make_submission(master, operations, approvals_needed=approvals_needed)
        if approvals_needed:
            submission = journal.approve(submission, by=principal, payload_sha256=submission.payload_sha256)
        submission.payload_text = '{"amount":"999999"}'
        submission.save(update_fields=["payload_text"])

        assert sending.claim(submission.pk) is None

        submission.refresh_from_db()
        assert submission.state == State.VOID
        assert "changed after it was made" in submission.reason
        assert Entry.objects.filter(action="journal.withdraw", subject_id=str(submission.pk)).count() == 1
        assert Attempt.objects.count() == 0

    @pytest.mark.row(id="Z03")
    def test_a_yes_of_someone_who_lost_the_role_since_does_not_count(
        self, master: Any, operations: Any, principal: Any, second_principal: Any, person: Any
    ) -> None:
        submission = make_submission(master, operations, approvals_needed=2)
        journal.approve(submission, by=principal, payload_sha256=submission.payload_sha256)
        principal.role = "viewer"
        principal.save()

        submission = journal.approve(submission, by=second_principal, payload_sha256=submission.payload_sha256)
        assert submission.state == State.PROPOSED

        third = person("principal", "Thea Third")
        submission = journal.approve(submission, by=third, payload_sha256=submission.payload_sha256)
        assert submission.state == State.READY

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

    @pytest.mark.django_db(transaction=True)
    def test_the_attempt_is_committed_before_a_byte_may_leave(self, master: Any, operations: Any) -> None:
        submission = make_submission(master, operations)
        seen = []

        def call() -> Accepted:
            row = Submission.objects.get(pk=submission.pk)
            opened = list(row.attempts.values_list("outcome", flat=True))
            seen.append((connection.in_atomic_block, row.state, opened))
            return Accepted("1")

        send(submission, call)

        assert seen == [(False, State.SENDING, [None])]

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


class TestLastLook:
    """A worker that slept, a gate that closed, a successor: nothing of it reaches IBKR."""

    @pytest.fixture
    def calls(self) -> list[str]:
        return []

    def test_a_gate_closed_between_claim_and_sending_stops_it_without_an_attempt(
        self, master: Any, operations: Any, calls: list[str]
    ) -> None:
        submission = make_submission(master, operations)
        claimed = sending.claim(submission.pk)
        assert claimed is not None
        broker.close_gate(scope="global", key="", reason="wrong prices", by=operations)

        outcome = sending.attempt(claimed, lambda: calls.append("sent") or Accepted("1"))  # type: ignore[func-returns-value]

        assert isinstance(outcome, NotSent)
        assert "wrong prices" in outcome.detail
        assert sending.settle(claimed, outcome) is True
        submission.refresh_from_db()
        assert (submission.state, calls, submission.attempts.count()) == (State.READY, [], 0)

    def test_a_gate_closed_while_the_call_waits_for_its_turn_stops_it_at_the_door(
        self, master: Any, operations: Any, calls: list[str]
    ) -> None:
        submission = make_submission(master, operations)

        def wait_and_send() -> Accepted:
            broker.close_gate(scope="lane", key="funding", reason="drill", by=operations)
            departures.ask()  # as the transport does before the first byte
            calls.append("sent")
            return Accepted("1")

        send(submission, wait_and_send)

        assert (submission.state, calls) == (State.READY, [])
        assert submission.attempts.get().outcome == "not_sent"

    def test_a_worker_that_wakes_after_its_lease_sends_nothing(
        self, master: Any, operations: Any, calls: list[str]
    ) -> None:
        submission = make_submission(master, operations)
        claimed = sending.claim(submission.pk)
        assert claimed is not None
        claimed.claimed_ns -= 6_000_000_000  # the lease of tests is 5 s

        outcome = sending.attempt(claimed, lambda: calls.append("sent") or Accepted("1"))  # type: ignore[func-returns-value]

        assert isinstance(outcome, NotSent)
        assert (calls, submission.attempts.count()) == ([], 0)

    def test_the_fence_tells_a_successor_from_the_one_that_slept(
        self, master: Any, operations: Any, calls: list[str]
    ) -> None:
        submission = make_submission(master, operations)
        sleeper = sending.claim(submission.pk)
        assert sleeper is not None
        Submission.objects.filter(pk=submission.pk).update(lease_until=clock.now() - timedelta(seconds=1))
        sweeps.sweep_submissions()
        successor = sending.claim(submission.pk)
        assert successor is not None

        outcome = sending.attempt(sleeper, lambda: calls.append("sleeper") or Accepted("1"))  # type: ignore[func-returns-value]
        assert isinstance(outcome, NotSent)
        assert sending.settle(sleeper, outcome) is False
        sending.settle(successor, sending.attempt(successor, lambda: Accepted("2")))

        submission.refresh_from_db()
        assert (submission.state, submission.reference, calls) == (State.ACKED, "2", [])
        assert submission.attempts.get().fence == successor.fence

    def test_a_lane_that_stands_still_keeps_no_other_waiting_and_fills_no_broker(
        self, master: Any, operations: Any, settings: Any
    ) -> None:
        for _ in range(201):
            make_submission(master, operations, lane="trading", operation="trading.send_order")
        make_submission(master, operations)
        broker = redis.Redis.from_url(settings.CELERY_BROKER_URL)
        broker.flushdb()

        sweeps.sweep_submissions()

        rung = {lane: [json.loads(each) for each in broker.lrange(lane, 0, -1)] for lane in ("trading", "funding")}
        broker.flushdb()
        assert [each["headers"]["task"] for each in rung["funding"]] == ["funding.send_transfer"]
        assert {each["headers"]["task"] for each in rung["trading"]} == {"trading.send_order"}
        assert all(each["headers"]["expires"] for lane in rung.values() for each in lane)

    def test_a_sweep_that_read_an_old_claim_does_not_free_the_new_one(self, master: Any, operations: Any) -> None:
        submission = make_submission(master, operations)
        sending.claim(submission.pk)
        stale = Submission.objects.get(pk=submission.pk)
        Submission.objects.filter(pk=submission.pk).update(lease_until=clock.now() - timedelta(seconds=1))
        sweeps.sweep_submissions()
        successor = sending.claim(submission.pk)
        assert successor is not None

        with pytest.raises(Conflict):
            LIFECYCLE.move(stale, to=State.READY, because="lapsed", given={"fence": stale.fence})

        submission.refresh_from_db()
        assert (submission.state, submission.fence) == (State.CLAIMED, successor.fence)


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


def test_no_sweep_is_too_old_for_a_worker_whose_clock_is_half_a_minute_fast() -> None:
    kept = {entry["task"]: entry["options"]["expires"] for entry in current_app.conf.beat_schedule.values()}
    kept.pop("journal.beat_heart")  # a clock that is off shall show there

    assert "journal.sweep_submissions" in kept
    assert [task for task, seconds in kept.items() if seconds <= 30] == []
