"""Rows for the journal's own tests: any model serves as a subject, a Book is the plainest."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from backoffice.core import clock, processes
from backoffice.ibkr import errors as ibkr
from backoffice.journal import looking, sending, sweeps
from backoffice.journal import services as journal
from backoffice.journal.models import LIFECYCLE, Attempt, State, Submission
from backoffice.journal.outcomes import Absent
from backoffice.people.models import Book


def make_submission(master: Any, maker: Any, **changes: Any) -> Submission:
    """Submit one effect with an invented payload; `changes` override the arguments of `journal.submit`."""
    book = Book.objects.create(name=f"Book {uuid.uuid4()}")
    arguments: dict[str, Any] = {
        "operation": "funding.send_transfer",
        "look": "funding.look_for_transfer",
        "subject": book,
        "payload": {"amount": "100.00", "currency": "USD"},
        "key_space": "clientInstructionId",
        "key": str(journal.next_instruction_id()),
        "lane": "funding",
        "master": master,
        "maker": maker,
        "summary": "Withdrawal",
    }
    return journal.submit(**{**arguments, **changes})


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


def make_open(submission: Submission, *, pid: int, started: str, host: str = "") -> None:
    """As a worker leaves it that is killed while sending: UNKNOWN, with an attempt nobody closed."""
    claimed = sending.claim(submission.pk)
    assert claimed is not None
    LIFECYCLE.move(claimed, to=State.SENDING, because="sending")
    Attempt.objects.create(
        submission=claimed, number=1, phase="send", fence=claimed.fence, request_sha256=claimed.payload_sha256,
        host=host or processes.place(), pid=pid, process_started=started,
        prepared_at=clock.now() - timedelta(minutes=10), deadline=clock.now() - timedelta(minutes=5),
    )  # fmt: skip
    Submission.objects.filter(pk=submission.pk).update(lease_until=clock.now() - timedelta(seconds=1))
    sweeps.sweep_submissions()
    submission.refresh_from_db()
    assert submission.state == State.UNKNOWN


def make_absent(master: Any, maker: Any, **changes: Any) -> Submission:
    submission = make_submission(master, maker, **changes)
    make_unknown(submission)
    for _ in range(3):
        looking.observe(submission, Absent("x"))
    submission.refresh_from_db()
    assert submission.state == State.ABSENT
    return submission
