"""The journal's rules, without a network: who may approve, who may send, what a doubt becomes."""

import json
from datetime import timedelta
from typing import Any

import pytest
import redis
import time_machine
from celery import current_app
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from backoffice.audit.models import Entry
from backoffice.broker import departures
from backoffice.broker import services as broker
from backoffice.broker.models import BrokerageSession, MasterAccount
from backoffice.core import clock
from backoffice.core.errors import Conflict, NotPermitted
from backoffice.ibkr import errors as ibkr
from backoffice.journal import conclusions, looking, sending, sweeps
from backoffice.journal import services as journal
from backoffice.journal.models import LIFECYCLE, Attempt, State, Submission
from backoffice.journal.outcomes import Absent, Accepted, Asked, NotSent, Refused
from backoffice.people.models import User
from backoffice.people.policies.document import Facts
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

    def test_one_person_says_yes_once(self, master: Any, operations: Any, principal: Any) -> None:
        submission = make_submission(master, operations, approvals_needed=2)
        journal.approve(submission, by=principal, payload_sha256=submission.payload_sha256)

        with pytest.raises(Conflict, match="another person too"):
            journal.approve(submission, by=principal, payload_sha256=submission.payload_sha256)

        submission.refresh_from_db()
        assert (submission.state, submission.approvals.count()) == (State.PROPOSED, 1)

    def test_a_viewer_or_the_desk_may_not_approve(
        self, master: Any, operations: Any, viewer: Any, advisor: Any
    ) -> None:
        submission = make_submission(master, operations, approvals_needed=1)

        for person in (viewer, advisor):
            with pytest.raises(NotPermitted):
                journal.approve(submission, by=person, payload_sha256=submission.payload_sha256)

    def test_whoever_was_shut_out_may_not_approve(self, master: Any, operations: Any, principal: Any) -> None:
        submission = make_submission(master, operations, approvals_needed=1)
        principal.is_active = False
        principal.save()

        with pytest.raises(NotPermitted):
            journal.approve(submission, by=principal, payload_sha256=submission.payload_sha256)

    def test_no_is_said_by_whoever_may_say_yes_and_only_while_it_waits(
        self, master: Any, viewer: Any, principal: Any, second_principal: Any
    ) -> None:
        submission = make_submission(master, principal, approvals_needed=1)

        for person in (viewer, principal):
            with pytest.raises(NotPermitted):
                journal.refuse(submission, by=person, reason="Too much")
        journal.approve(submission, by=second_principal, payload_sha256=submission.payload_sha256)
        with pytest.raises(Conflict, match="no longer waiting"):
            journal.refuse(submission, by=second_principal, reason="Too much")

        submission.refresh_from_db()
        assert submission.state == State.READY

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

    def test_an_attempt_says_until_when_a_byte_of_it_may_leave(self, master: Any, operations: Any) -> None:
        submission = make_submission(master, operations)
        lasts = []

        def call() -> Accepted:
            opened = submission.attempts.get()
            lasts.append(opened.deadline - opened.prepared_at)
            return Accepted("1")

        send(submission, call)

        assert lasts == [timedelta(seconds=sending.SEND_SECONDS)]

    def test_the_lease_of_a_registration_outlives_the_two_minutes_its_answer_may_take(
        self, master: Any, operations: Any, settings: Any
    ) -> None:
        settings.JOURNAL_LEASE_SECONDS = 60
        leases = []
        with time_machine.travel(clock.now(), tick=False):
            for lane in ("funding", "accounts"):
                claimed = sending.claim(make_submission(master, operations, lane=lane).pk)
                assert claimed is not None
                leases.append((claimed.lease_until - clock.now()).total_seconds())

        assert leases == [60, 180]

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

    def test_each_failure_to_leave_doubles_the_wait_up_to_five_minutes(self, master: Any, operations: Any) -> None:
        submission = make_submission(master, operations)
        waits = []
        with time_machine.travel(clock.now(), tick=False) as time:
            for _ in range(7):
                send(submission, raising(ibkr.NotSent("connection refused")))
                waits.append((submission.due_at - clock.now()).total_seconds())
                time.move_to(submission.due_at)

        assert waits == [10, 20, 40, 80, 160, 300, 300]

    def test_what_is_held_back_until_a_time_waits_for_it_and_has_not_failed(self, master: Any, operations: Any) -> None:
        submission = make_submission(master, operations)
        opens = clock.now() + timedelta(hours=3)

        send(submission, raising(ibkr.NotSent("IBKR is closed", not_before=opens)))

        assert (submission.state, submission.due_at, submission.unsent_tries) == (State.READY, opens, 0)

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
        assert submission.attempts.get().outcome == "ambiguous"
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

    def test_a_yes_that_comes_after_two_people_released_it_is_not_sent_again(
        self, master: Any, operations: Any, principal: Any
    ) -> None:
        submission = make_submission(master, operations)
        claimed = sending.claim(submission.pk)
        assert claimed is not None
        sending.settle(claimed, sending.attempt(claimed, raising(ibkr.OutcomeUnknown("timeout"))))
        for _ in range(3):
            looking.observe(claimed, Absent("x"))
        for person in (operations, principal):
            journal.release(submission, by=person, evidence="IBKR ticket 1")

        assert sending.settle(claimed, Accepted("77")) is True

        submission.refresh_from_db()
        assert (submission.state, submission.reference) == (State.ACKED, "77")
        assert sending.claim(submission.pk) is None


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

    def test_a_sweep_that_read_an_old_sending_makes_no_doubt_of_the_new_one(self, master: Any, operations: Any) -> None:
        submission = make_submission(master, operations)
        claimed = sending.claim(submission.pk)
        assert claimed is not None
        stale = []

        def call() -> Accepted:
            stale.append(Submission.objects.get(pk=submission.pk))
            raise ibkr.NotSent("connection refused")

        sending.settle(claimed, sending.attempt(claimed, call))
        Submission.objects.filter(pk=submission.pk).update(due_at=clock.now())

        def call_again() -> Accepted:
            with pytest.raises(Conflict):
                conclusions.mark_unknown(stale[0], "lapsed")
            return Accepted("1")

        send(submission, call_again)

        assert submission.state == State.ACKED


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

    def test_a_question_is_answered_though_the_maker_may_make_no_more_orders(self, master: Any, advisor: Any) -> None:
        submission = make_submission(
            master, advisor, lane="trading", reply="trading.send_reply", facts=Facts(kind="cancel")
        )
        send(submission, lambda: Asked("Sure?"))
        User.objects.filter(pk=advisor.pk).update(role="viewer")

        journal.answer(submission, by=None, because="deadline: no")

        assert sending.claim(submission.pk, phase="reply") is not None

    def test_no_answer_leaves_for_an_order_that_was_changed_since(self, master: Any, advisor: Any) -> None:
        submission = make_submission(master, advisor, lane="trading", reply="trading.send_reply")
        send(submission, lambda: Asked("Sure?"))
        submission.payload_text = '{"amount":"999999"}'
        submission.save(update_fields=["payload_text"])
        journal.answer(submission, by=advisor, because="Confirmed")

        with pytest.raises(Conflict, match="not the one that was approved"):
            sending.claim(submission.pk, phase="reply")

    def test_an_answer_that_never_left_is_sent_again_and_not_the_order(self, master: Any, advisor: Any) -> None:
        submission = make_submission(master, advisor, lane="trading", reply="trading.send_reply")
        send(submission, lambda: Asked("Sure?"))
        journal.answer(submission, by=advisor, because="Confirmed")
        claimed = sending.claim(submission.pk, phase="reply")
        assert claimed is not None

        sending.settle(claimed, sending.attempt(claimed, raising(ibkr.NotSent("connection refused"))))

        submission.refresh_from_db()
        assert submission.state == State.REPLYING
        with time_machine.travel(submission.due_at):
            assert sending.claim(submission.pk) is None
            assert sending.claim(submission.pk, phase="reply") is not None

    def test_a_conversation_holds_no_other_connection_and_is_none_where_money_moves(
        self, master: Any, advisor: Any
    ) -> None:
        other = MasterAccount.objects.create(
            account="I2000002", kind="IB", environment="sandbox", base_url=master.base_url, client_id="other",
            username="other01",
        )  # fmt: skip
        send(make_submission(other, advisor, lane="trading"), lambda: Asked("Sure?"))
        for each in (other, master):
            assert sending.claim(make_submission(each, advisor).pk) is not None

        order = make_submission(master, advisor, lane="trading")

        assert sending.claim(order.pk) is not None

    def test_two_workers_look_for_a_free_lane_one_after_the_other(self, master: Any, advisor: Any) -> None:
        BrokerageSession.objects.create(master=master)
        order = make_submission(master, advisor, lane="trading")

        with CaptureQueriesContext(connection) as queries:
            sending.claim(order.pk)

        said = [query["sql"] for query in queries]
        locked = next(
            place for place, sql in enumerate(said) if "broker_brokeragesession" in sql and "FOR UPDATE" in sql
        )
        looked = next(place for place, sql in enumerate(said) if "'question'" in sql)
        assert locked < looked

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
