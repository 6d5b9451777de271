"""The attempts of a submission: each opened before a byte may leave, and closed by what came of it."""

import os
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Max

from backoffice.broker.models import BrokerageSession
from backoffice.core import clock, processes
from backoffice.journal.models import Attempt, AttemptOutcome, Submission
from backoffice.journal.outcomes import Accepted, Asked, NotSent, Outcome, Refused, Unknown

under_way: list[UUID] = []  # what this process is sending now


def write(submission: Submission, *, request_sha256: str, lasts: timedelta, **ended: Any) -> Attempt:
    """Write down that this process is sending it, for `lasts` at most; or, with the columns of its end, that it was sent."""
    now = clock.now()
    return Attempt.objects.create(
        submission=submission,
        number=(submission.attempts.aggregate(last=Max("number"))["last"] or 0) + 1,
        phase=submission.phase,
        fence=submission.fence,
        request_sha256=request_sha256,
        session_serial=session_serial(submission),
        host=processes.place(),
        pid=os.getpid(),
        process_started=processes.started(os.getpid()),
        prepared_at=now,
        deadline=now + lasts,
        **ended,
    )


_OUTCOME_NAMES: dict[type, AttemptOutcome] = {
    Accepted: AttemptOutcome.ACK,
    Refused: AttemptOutcome.REJECT,
    Asked: AttemptOutcome.QUESTION,
    NotSent: AttemptOutcome.NOT_SENT,
    Unknown: AttemptOutcome.AMBIGUOUS,
}


def close(record: Attempt, outcome: Outcome) -> None:
    """Write what came of it, unless that was written before."""
    detail = getattr(outcome, "detail", "") or getattr(outcome, "reason", "") or getattr(outcome, "reference", "")
    Attempt.objects.filter(pk=record.pk, outcome__isnull=True).update(
        outcome=_OUTCOME_NAMES[type(outcome)],
        detail=str(detail),
        answer=getattr(outcome, "answer", None),
        finished_at=clock.now(),
    )


def close_what_broke_off() -> None:
    """Close the attempts of this very process that it is not at any more: the database was away when they ended, so they
    look as if they were still being sent, and their doubt could not end while this process lives.
    """
    Attempt.objects.filter(
        outcome__isnull=True,
        host=processes.place(),
        pid=os.getpid(),
        process_started=processes.started(os.getpid()),
    ).exclude(submission__in=list(under_way)).update(
        outcome=AttemptOutcome.AMBIGUOUS, detail="the database was away when it ended", finished_at=clock.now()
    )


def is_over(record: Attempt) -> bool:
    """Whether nothing can leave by it any more: its outcome, or its process is dead where we can see it."""
    if record.outcome is not None:
        return True
    return record.host == processes.place() and not processes.is_alive(record.pid, record.process_started)


def session_serial(submission: Submission) -> int | None:
    """The number of the brokerage session now, for trading; two looks in different sessions prove nothing together."""
    if submission.lane != "trading":
        return None
    return BrokerageSession.objects.filter(master=submission.master).values_list("serial", flat=True).first()
