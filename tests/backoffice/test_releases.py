"""What is proven absent: released by two people under its own key, and never sent twice."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction

from backoffice.core import clock
from backoffice.core.errors import Conflict, InvalidInput, NotPermitted
from backoffice.ibkr import errors as ibkr
from backoffice.journal import looking, sending
from backoffice.journal import services as journal
from backoffice.journal.models import Release, State, Submission
from backoffice.journal.outcomes import Absent, Accepted, Found, NotSent
from backoffice.people.models import User
from tests.journal_rows import make_absent, make_open, make_submission, make_unknown, raising, send

pytestmark = pytest.mark.django_db


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
