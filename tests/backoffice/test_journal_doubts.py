"""What becomes of a doubt: found, proven absent by rule, released by two people, and never sent twice."""

import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import time_machine
from django.db import IntegrityError, OperationalError, connection, transaction

from backoffice.broker.models import BrokerageSession
from backoffice.core import clock, processes
from backoffice.core.errors import Conflict, InvalidInput, NotPermitted
from backoffice.ibkr import errors as ibkr
from backoffice.journal import looking, sending, sweeps
from backoffice.journal import services as journal
from backoffice.journal.models import Release, State, Submission
from backoffice.journal.outcomes import Absent, Accepted, Found, Inconclusive, NotSent
from backoffice.people.models import User
from tests.journal_rows import make_absent, make_open, make_submission, make_unknown, raising, send

pytestmark = pytest.mark.django_db


@pytest.fixture
def other_line() -> Iterator[psycopg.Connection]:
    """A connection of one's own to the same database, as an operator has who restarts the first one's server."""
    known = connection.get_connection_params()
    where = {name: known[name] for name in ("dbname", "user", "password", "host", "port") if name in known}
    with psycopg.connect(autocommit=True, **where) as line:
        yield line


def test_found_resolves_the_doubt_without_sending(master: Any, operations: Any) -> None:
    submission = make_submission(master, operations)
    make_unknown(submission)

    assert looking.observe(submission, Found("55", source="client-instructions"))

    submission.refresh_from_db()
    assert (submission.state, submission.reference) == (State.ACKED, "55")
    assert submission.attempts.count() == 1


def test_silence_is_not_absence(master: Any, operations: Any) -> None:
    submission = make_submission(master, operations)
    make_unknown(submission)

    for _ in range(10):
        looking.observe(submission, Inconclusive("client-instructions", "IBKR did not answer"))

    submission.refresh_from_db()
    assert submission.state == State.UNKNOWN


def test_absence_needs_three_clean_looks_in_a_row(master: Any, operations: Any) -> None:
    submission = make_submission(master, operations)
    make_unknown(submission)

    for look in (Absent("x"), Absent("x"), Inconclusive("x", "?"), Absent("x"), Absent("x")):
        looking.observe(submission, look)
    submission.refresh_from_db()
    assert submission.state == State.UNKNOWN

    looking.observe(submission, Absent("x"))
    submission.refresh_from_db()
    assert submission.state == State.ABSENT


@pytest.mark.parametrize(
    ("looks", "is_absent"),
    [
        ((10, 50, 119), False),  # a minute apart, but IBKR may still be at it
        ((10, 50, 121), True),
        ((121, 122, 123, 150, 179), False),  # late enough, but three in a row that span less than a minute
        ((121, 150, 182), True),
    ],
)
def test_absence_needs_the_quiet_time_and_looks_a_minute_apart(
    master: Any, operations: Any, settings: Any, looks: tuple[int, ...], is_absent: bool
) -> None:
    settings.JOURNAL_QUIET_SECONDS = 120
    submission = make_submission(master, operations)
    with time_machine.travel(clock.now(), tick=False) as now:
        make_unknown(submission)
        began = clock.now()
        for seconds in looks:
            now.move_to(began + timedelta(seconds=seconds))
            looking.observe(submission, Absent("x"))

    submission.refresh_from_db()
    assert submission.state == (State.ABSENT if is_absent else State.UNKNOWN)


def test_the_quiet_time_begins_when_the_sending_ended(master: Any, operations: Any, settings: Any) -> None:
    settings.JOURNAL_QUIET_SECONDS = 120
    submission = make_submission(master, operations)
    with time_machine.travel(clock.now(), tick=False) as now:

        def call() -> Any:
            now.shift(100)
            raise ibkr.OutcomeUnknown("the line broke")

        send(submission, call)
        for _ in range(3):
            now.shift(31)
            looking.observe(submission, Absent("x"))

    submission.refresh_from_db()
    assert submission.state == State.UNKNOWN


def test_something_else_than_was_sent_stays_a_doubt(master: Any, operations: Any) -> None:
    submission = make_submission(master, operations)
    make_unknown(submission)

    looking.observe(submission, Found("55", source="x", detail="USD 90 instead of 100", matches=False))

    submission.refresh_from_db()
    assert submission.state == State.UNKNOWN
    assert "USD 90" in submission.reason


def test_two_people_release_what_is_proven_absent_under_its_own_key(
    master: Any, operations: Any, principal: Any
) -> None:
    submission = make_submission(master, operations)
    make_unknown(submission)
    for _ in range(3):
        looking.observe(submission, Absent("x"))
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


@pytest.mark.parametrize("lost", [{"role": "advisor"}, {"is_active": False}])
def test_the_word_of_somebody_who_may_not_release_any_more_does_not_count(
    lost: dict[str, Any], master: Any, advisor: Any, operations: Any, principal: Any, second_principal: Any
) -> None:
    submission = make_absent(master, advisor)
    journal.release(submission, by=operations, evidence="IBKR ticket 1")
    User.objects.filter(pk=operations.pk).update(**lost)

    journal.release(submission, by=principal, evidence="IBKR ticket 1")
    one_word = Submission.objects.get(pk=submission.pk).state
    journal.release(submission, by=second_principal, evidence="IBKR ticket 1")

    assert one_word == State.ABSENT
    assert Submission.objects.get(pk=submission.pk).state == State.READY


def test_the_words_for_an_earlier_sending_do_not_release_the_next_one(
    master: Any, operations: Any, principal: Any, second_principal: Any
) -> None:
    submission = make_absent(master, operations)
    for person in (operations, principal):
        journal.release(submission, by=person, evidence="IBKR ticket 1")
    make_unknown(submission)
    for _ in range(3):
        looking.observe(submission, Absent("x"))

    one_word = journal.release(submission, by=second_principal, evidence="IBKR ticket 2").state
    two_words = journal.release(submission, by=operations, evidence="IBKR ticket 2").state

    assert (one_word, two_words) == (State.ABSENT, State.READY)
    User.objects.filter(pk=second_principal.pk).update(role="advisor")
    assert sending.claim(submission.pk) is None
    assert Submission.objects.get(pk=submission.pk).state == State.VOID


def test_only_operations_and_principals_release(master: Any, operations: Any, advisor: Any, viewer: Any) -> None:
    submission = make_absent(master, operations)

    for person in (advisor, viewer):
        with pytest.raises(NotPermitted):
            journal.release(submission, by=person, evidence="IBKR ticket 1")

    assert submission.releases.count() == 0


def test_the_database_counts_the_words_of_those_who_may_release_only(
    master: Any, advisor: Any, operations: Any, principal: Any
) -> None:
    submission = make_absent(master, advisor)
    for person in (operations, principal):
        Release.objects.create(
            submission=submission, person=person, evidence="x", for_attempt=submission.attempts.count(), at=clock.now()
        )
    User.objects.filter(pk=operations.pk).update(role="advisor")

    with pytest.raises(IntegrityError), transaction.atomic():
        Submission.objects.filter(pk=submission.pk).update(state=State.READY)


def test_what_is_unknown_cannot_be_withdrawn_or_released(master: Any, operations: Any, principal: Any) -> None:
    submission = make_submission(master, operations)
    make_unknown(submission)

    with pytest.raises(Conflict):
        journal.withdraw(submission, by=operations, reason="changed my mind")
    with pytest.raises(Conflict):
        journal.release(submission, by=principal, evidence="I am sure")


def test_what_ibkr_said_it_took_is_never_absent(master: Any, operations: Any) -> None:
    submission = make_submission(master, operations)
    claimed = sending.claim(submission.pk)
    assert claimed is not None
    sending.attempt(claimed, lambda: Accepted("77"))  # and the worker dies before it can settle
    Submission.objects.filter(pk=submission.pk).update(lease_until=clock.now() - timedelta(seconds=1))
    sweeps.sweep_submissions()
    submission.refresh_from_db()
    assert submission.state == State.UNKNOWN

    for _ in range(6):
        looking.observe(submission, Absent("x"))

    submission.refresh_from_db()
    assert submission.state == State.UNKNOWN


def test_what_was_shown_under_its_key_once_is_never_absent(master: Any, operations: Any) -> None:
    submission = make_submission(master, operations)
    make_unknown(submission)
    looking.observe(submission, Found("55", source="x", detail="USD 90 instead of 100", matches=False))

    for _ in range(6):
        looking.observe(submission, Absent("x"))

    submission.refresh_from_db()
    assert submission.state == State.UNKNOWN


def test_absence_is_not_concluded_while_the_sender_lives(master: Any, operations: Any) -> None:
    submission = make_submission(master, operations)
    make_open(submission, pid=os.getpid(), started=processes.started(os.getpid()))

    for _ in range(6):
        looking.observe(submission, Absent("x"))

    submission.refresh_from_db()
    assert submission.state == State.UNKNOWN


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_lost_the_database_while_sending_is_not_taken_for_sending_for_ever(
    master: Any, operations: Any, other_line: Any
) -> None:
    submission = make_submission(master, operations)
    claimed = sending.claim(submission.pk)
    assert claimed is not None

    def call() -> Any:
        other_line.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
        raise ibkr.OutcomeUnknown("the line broke")

    with pytest.raises(OperationalError):
        sending.attempt(claimed, call)
    connection.close()
    Submission.objects.filter(pk=submission.pk).update(lease_until=clock.now() - timedelta(seconds=1))
    sweeps.sweep_submissions()
    Submission.objects.filter(pk=submission.pk).update(next_look_at=clock.now())
    due = looking.due_for_look(submission.pk)
    assert due is not None
    for _ in range(3):
        looking.observe(due, Absent("x"))

    submission.refresh_from_db()
    assert submission.state == State.ABSENT
    assert [each.outcome for each in submission.attempts.all()] == ["ambiguous"]


def test_what_this_process_is_sending_is_not_closed_by_other_work_of_it(master: Any, operations: Any) -> None:
    submission, other = make_submission(master, operations), make_submission(master, operations)

    def call() -> Any:
        assert sending.claim(other.pk) is not None
        assert submission.attempts.get().outcome is None
        return Accepted("1")

    send(submission, call)

    assert [each.outcome for each in submission.attempts.all()] == ["ack"]


@pytest.mark.parametrize("elsewhere", [{"host": "another"}, {"pid": os.getppid()}])
def test_what_another_machine_or_process_is_sending_is_not_closed_by_this_one(
    elsewhere: dict[str, Any], master: Any, operations: Any
) -> None:
    submission = make_submission(master, operations)
    make_open(submission, **{"pid": os.getpid(), "started": processes.started(os.getpid()), **elsewhere})

    assert looking.due_for_look(submission.pk) is not None

    assert submission.attempts.get().outcome is None


@pytest.mark.parametrize("host", ["another", f"{socket.gethostname()}/4026532999"])
def test_a_sender_on_another_machine_is_not_taken_for_dead(host: str, master: Any, operations: Any) -> None:
    submission = make_submission(master, operations)
    make_open(submission, pid=2**22 - 1, started="1", host=host)

    for _ in range(6):
        looking.observe(submission, Absent("x"))

    submission.refresh_from_db()
    assert submission.state == State.UNKNOWN


def test_looks_of_two_sessions_prove_nothing_together(master: Any, advisor: Any) -> None:
    row = BrokerageSession.objects.create(master=master, serial=1)
    submission = make_submission(master, advisor, lane="trading")
    make_unknown(submission)
    for serial in (1, 1, 2, 2, 2, 2):
        BrokerageSession.objects.filter(pk=row.pk).update(serial=serial)
        looking.observe(submission, Absent("x"))

    submission.refresh_from_db()
    assert submission.state == State.UNKNOWN


def test_what_a_killed_worker_left_open_can_be_released_and_sent(master: Any, operations: Any, principal: Any) -> None:
    submission = make_submission(master, operations)
    make_open(submission, pid=2**22 - 1, started="1")
    for _ in range(3):
        looking.observe(submission, Absent("x"))
    submission.refresh_from_db()
    assert submission.state == State.ABSENT

    for person in (operations, principal):
        journal.release(submission, by=person, evidence="IBKR ticket 1")
    send(submission, lambda: Accepted("1"))

    assert submission.state == State.ACKED
    assert [each.outcome for each in submission.attempts.all()] == ["ambiguous", "ack"]


def test_what_comes_late_is_found_while_it_waits_to_be_released(master: Any, operations: Any, principal: Any) -> None:
    submission = make_absent(master, operations)
    journal.release(submission, by=operations, evidence="IBKR ticket 1")

    due = looking.due_for_look(submission.pk)
    assert due is not None
    assert looking.observe(due, Found("55", source="x"))

    submission.refresh_from_db()
    assert submission.state == State.ACKED
    with pytest.raises(Conflict):
        journal.release(submission, by=principal, evidence="IBKR ticket 1")


@pytest.mark.parametrize("is_claimed", [False, True])
@pytest.mark.parametrize(
    ("seen", "state", "reference"),
    [
        (Found("55", source="x"), State.ACKED, "55"),
        (Found("55", source="x", detail="USD 90 instead of 100", matches=False), State.UNKNOWN, ""),
    ],
)
def test_what_is_found_after_its_release_as_itself_or_something_else_is_not_sent_again(
    seen: Found, state: State, reference: str, master: Any, operations: Any, principal: Any, is_claimed: bool
) -> None:
    submission = make_absent(master, operations)
    look = looking.due_for_look(submission.pk)  # this look begins before the release and ends after it
    assert look is not None
    for person in (operations, principal):
        journal.release(submission, by=person, evidence="IBKR ticket 1")
    claimed = sending.claim(submission.pk) if is_claimed else None

    assert looking.observe(look, seen) == (state == State.ACKED)

    assert sending.claim(submission.pk) is None
    if claimed is not None:
        outcome = sending.attempt(claimed, lambda: Accepted("56"))
        assert isinstance(outcome, NotSent)
        assert sending.settle(claimed, outcome) is False
    submission.refresh_from_db()
    assert (submission.state, submission.reference, submission.attempts.count()) == (state, reference, 1)


def test_what_is_proven_absent_and_then_shown_as_something_else_is_neither_released_nor_given_up(
    master: Any, operations: Any, principal: Any
) -> None:
    submission = make_absent(master, operations)
    journal.release(submission, by=operations, evidence="IBKR ticket 1")

    looking.observe(submission, Found("55", source="x", detail="USD 90 instead of 100", matches=False))

    with pytest.raises(Conflict):
        journal.release(submission, by=principal, evidence="IBKR ticket 1")
    with pytest.raises(Conflict):
        journal.withdraw(submission, by=operations, reason="changed my mind")
    for _ in range(6):
        looking.observe(submission, Absent("x"))
    submission.refresh_from_db()
    assert submission.state == State.UNKNOWN
    assert "USD 90" in submission.reason


def test_a_look_from_before_the_second_sending_is_no_proof_about_it(
    master: Any, operations: Any, principal: Any
) -> None:
    submission = make_absent(master, operations)
    old = looking.due_for_look(submission.pk)
    assert old is not None
    for person in (operations, principal):
        journal.release(submission, by=person, evidence="IBKR ticket 1")
    make_unknown(submission)

    for _ in range(6):
        looking.observe(old, Absent("x"))

    submission.refresh_from_db()
    assert submission.state == State.UNKNOWN


def test_the_looks_before_the_second_sending_are_no_proof_about_it(
    master: Any, operations: Any, principal: Any
) -> None:
    submission = make_absent(master, operations)
    for person in (operations, principal):
        journal.release(submission, by=person, evidence="IBKR ticket 1")
    make_unknown(submission)

    for _ in range(2):
        looking.observe(submission, Absent("x"))

    submission.refresh_from_db()
    assert submission.state == State.UNKNOWN


def test_a_late_yes_to_the_first_sending_speaks_against_the_absence_of_the_second(
    master: Any, operations: Any, principal: Any
) -> None:
    submission = make_submission(master, operations)
    first = sending.claim(submission.pk)
    assert first is not None
    sending.settle(first, sending.attempt(first, raising(ibkr.OutcomeUnknown("the line broke"))))
    for _ in range(3):
        looking.observe(first, Absent("x"))
    for person in (operations, principal):
        journal.release(submission, by=person, evidence="IBKR ticket 1")

    def call() -> Any:
        assert sending.settle(first, Accepted("55")) is False
        raise ibkr.OutcomeUnknown("the line broke")

    send(submission, call)
    for _ in range(6):
        looking.observe(submission, Absent("x"))

    submission.refresh_from_db()
    assert submission.state == State.UNKNOWN


def test_what_ibkr_refused_and_is_found_late_is_refused(master: Any, operations: Any) -> None:
    submission = make_absent(master, operations)

    assert looking.observe(submission, Found("55", source="x", is_rejected=True, detail="No such bank."))

    submission.refresh_from_db()
    assert (submission.state, submission.reason) == (State.REJECTED, "No such bank.")


def test_a_release_needs_a_reason(master: Any, operations: Any) -> None:
    submission = make_absent(master, operations)

    with pytest.raises(InvalidInput):
        journal.release(submission, by=operations, evidence="  ")

    assert submission.releases.count() == 0


def test_an_order_is_released_on_its_own_trading_day_only(master: Any, advisor: Any, operations: Any) -> None:
    submission = make_absent(master, advisor, key_space="cOID", key="T-1")

    with time_machine.travel(clock.now() + timedelta(days=1)), pytest.raises(Conflict, match="earlier trading day"):
        journal.release(submission, by=operations, evidence="IBKR ticket 1")

    assert submission.releases.count() == 0


def test_an_orders_trading_day_is_new_yorks(master: Any, advisor: Any, operations: Any) -> None:
    with time_machine.travel(datetime(2026, 3, 3, 0, 30, tzinfo=UTC), tick=False) as time:  # 19:30 in New York, the 2nd
        submission = make_absent(master, advisor, key_space="cOID", key="T-1")
        time.move_to(datetime(2026, 3, 3, 4, 30, tzinfo=UTC))
        journal.release(submission, by=operations, evidence="IBKR ticket 1")
        time.move_to(datetime(2026, 3, 3, 5, 30, tzinfo=UTC))
        with pytest.raises(Conflict, match="earlier trading day"):
            journal.release(submission, by=operations, evidence="IBKR ticket 1")

    assert submission.releases.count() == 1


def test_a_registration_is_given_longer_before_it_counts_as_absent(master: Any, operations: Any, settings: Any) -> None:
    settings.JOURNAL_QUIET_SECONDS = 120
    states = []
    for lane in ("funding", "accounts"):
        submission = make_submission(master, operations, lane=lane)
        with time_machine.travel(clock.now(), tick=False) as now:
            make_unknown(submission)
            now.shift(125)
            for _ in range(3):
                looking.observe(submission, Absent("x"))
                now.shift(31)
        submission.refresh_from_db()
        states.append(submission.state)

    assert states == [State.ABSENT, State.UNKNOWN]


def test_a_look_that_is_not_due_does_not_happen(master: Any, operations: Any) -> None:
    submission = make_submission(master, operations)
    make_unknown(submission)
    Submission.objects.filter(pk=submission.pk).update(next_look_at=clock.now() + timedelta(minutes=1))

    assert looking.due_for_look(submission.pk) is None


def test_what_was_given_up_is_looked_for_during_a_day_and_no_longer(
    master: Any, operations: Any, settings: Any
) -> None:
    submission = make_absent(master, operations)
    settings.JOURNAL_LOOK_SECONDS = [5, 15, 45, 120, 300, 600]
    journal.withdraw(submission, by=operations, reason="Not wanted")
    began = clock.now()

    with time_machine.travel(began, tick=False) as time:
        looks = 0
        while (due := Submission.objects.get(pk=submission.pk).next_look_at) is not None:
            time.move_to(due)
            if (row := looking.due_for_look(submission.pk)) is not None:
                looking.observe(row, Absent("x"))
                looks += 1
        lasted = clock.now() - began

    assert timedelta(hours=22) < lasted < timedelta(hours=27)
    assert looks == looking.LOOKS_AFTER_GIVING_UP
    assert Submission.objects.get(pk=submission.pk).state == State.VOID


@pytest.mark.parametrize("key_space", ["document", "change", "group"])
def test_what_another_one_may_show_as_well_is_looked_for_no_more(key_space: str, master: Any, operations: Any) -> None:
    submission = make_absent(master, operations, key_space=key_space)

    journal.withdraw(submission, by=operations, reason="Not wanted")

    submission.refresh_from_db()
    assert submission.next_look_at is None


def test_what_was_never_sent_is_not_looked_for_once_it_is_withdrawn(master: Any, operations: Any) -> None:
    for approvals_needed in (0, 1):
        submission = make_submission(master, operations, approvals_needed=approvals_needed)

        journal.withdraw(submission, by=operations, reason="Not wanted")

        submission.refresh_from_db()
        assert (submission.state, submission.next_look_at) == (State.VOID, None)
