"""What no look can end, two people may: the worker's host is gone, so nobody can see that it has stopped."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from backoffice.audit.models import Entry
from backoffice.core import clock
from backoffice.core.errors import Conflict, InvalidInput, NotPermitted
from backoffice.journal import looking, sending
from backoffice.journal import services as journal
from backoffice.journal.models import Attestation, State, Submission
from backoffice.journal.outcomes import Absent, Accepted, Found
from backoffice.people.models import User
from tests.journal_rows import make_open, make_submission, make_unknown, send

pytestmark = pytest.mark.django_db


def reread(submission: Submission) -> Submission:
    return Submission.objects.get(pk=submission.pk)


@pytest.fixture
def doubt(master: Any, advisor: Any) -> Submission:
    submission = make_submission(master, advisor)
    make_open(submission, pid=1, started="1", host="lost")
    return submission


def test_two_people_take_it_as_absent_and_nothing_leaves_by_it(
    doubt: Submission, operations: Any, principal: Any
) -> None:
    for _ in range(5):
        looking.observe(doubt, Absent("x"))
    assert reread(doubt).state == State.UNKNOWN

    journal.attest(doubt, by=operations, evidence="IBKR ticket 1; the host is gone")
    with pytest.raises(Conflict, match="second person"):
        journal.attest(doubt, by=operations, evidence="Again")
    assert reread(doubt).state == State.UNKNOWN
    journal.attest(doubt, by=principal, evidence="Same ticket, called back")

    assert reread(doubt).state == State.ABSENT
    assert sending.claim(doubt.pk) is None
    told = Entry.objects.filter(action="journal.attest", subject_id=str(doubt.pk))
    assert [entry.actor for entry in told.order_by("id")] == [operations, principal]
    for person in (operations, principal):
        journal.release(doubt, by=person, evidence="The client still wants it")
    send(doubt, lambda: Accepted("56"))
    assert reread(doubt).state == State.ACKED


def test_looking_goes_on_and_finds_what_people_did_not_see(doubt: Submission, operations: Any, principal: Any) -> None:
    for person in (operations, principal):
        journal.attest(doubt, by=person, evidence="IBKR ticket 1")
    assert looking.observe(reread(doubt), Found("55", source="x"))
    assert (reread(doubt).state, reread(doubt).reference) == (State.ACKED, "55")


@pytest.mark.parametrize("role", ["advisor", "viewer", "administrator"])
def test_only_those_who_may_release_may_say_so_even_in_raw_sql(doubt: Submission, role: str, person: Any) -> None:
    who = person(role, "Another Person")
    with pytest.raises(NotPermitted):
        journal.attest(doubt, by=who, evidence="I am sure")
    with pytest.raises(IntegrityError), transaction.atomic():
        Attestation.objects.create(submission=doubt, person=who, evidence="x", for_attempt=1, at=clock.now())


def test_one_word_of_somebody_who_may_not_any_more_does_not_count(
    doubt: Submission, operations: Any, principal: Any
) -> None:
    journal.attest(doubt, by=operations, evidence="IBKR ticket 1")
    User.objects.filter(pk=operations.pk).update(is_active=False)
    journal.attest(doubt, by=principal, evidence="IBKR ticket 1")
    assert reread(doubt).state == State.UNKNOWN


def test_it_needs_evidence_and_a_doubt(doubt: Submission, master: Any, operations: Any) -> None:
    with pytest.raises(InvalidInput):
        journal.attest(doubt, by=operations, evidence="  ")
    waiting = make_submission(master, operations)
    with pytest.raises(Conflict, match="waiting to be sent"):
        journal.attest(waiting, by=operations, evidence="IBKR ticket 1")
    with pytest.raises(IntegrityError), transaction.atomic():
        Attestation.objects.create(submission=waiting, person=operations, evidence="x", for_attempt=0, at=clock.now())


def test_nobody_may_say_so_while_ibkr_may_still_be_at_it(master: Any, operations: Any, settings: Any) -> None:
    settings.JOURNAL_QUIET_SECONDS = 120
    submission = make_submission(master, operations)
    make_unknown(submission)
    with pytest.raises(Conflict, match="minutes ago"):
        journal.attest(submission, by=operations, evidence="IBKR ticket 1")


def test_nobody_may_say_so_against_what_ibkr_said_or_shows(doubt: Submission, master: Any, operations: Any) -> None:
    looking.observe(doubt, Found("55", source="x", detail="USD 90 instead of 100", matches=False))
    with pytest.raises(Conflict, match="USD 90 instead of 100"):
        journal.attest(doubt, by=operations, evidence="IBKR ticket 1")

    taken = make_submission(master, operations)
    claimed = sending.claim(taken.pk)
    assert claimed is not None
    sending.attempt(claimed, lambda: Accepted("77"))  # and the worker dies before it can settle
    Submission.objects.filter(pk=taken.pk).update(state=State.UNKNOWN)
    with pytest.raises(Conflict, match="IBKR itself said"):
        journal.attest(taken, by=operations, evidence="IBKR ticket 1")
