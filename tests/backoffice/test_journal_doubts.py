"""What becomes of a doubt: found, proven absent by rule, or a doubt still."""

import os
import socket
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import time_machine
from django.db import OperationalError, connection

from backoffice.broker.models import BrokerageSession
from backoffice.core import clock, processes
from backoffice.ibkr import errors as ibkr
from backoffice.journal import looking, sending, sweeps
from backoffice.journal import services as journal
from backoffice.journal.models import State, Submission
from backoffice.journal.outcomes import Absent, Accepted, Found, Inconclusive
from tests.journal_rows import make_absent, make_open, make_submission, make_unknown, send

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


def test_what_ibkr_refused_and_is_found_late_is_refused(master: Any, operations: Any) -> None:
    submission = make_absent(master, operations)

    assert looking.observe(submission, Found("55", source="x", is_rejected=True, detail="No such bank."))

    submission.refresh_from_db()
    assert (submission.state, submission.reason) == (State.REJECTED, "No such bank.")


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
