"""What is concluded of a submission, wherever the knowledge comes from: an answer, a look, a lapsed lease."""

from datetime import timedelta
from typing import Any

from django.conf import settings

from backoffice.core import clock
from backoffice.journal.models import LIFECYCLE, Finding, Observation, Orphan, State, Submission


def mark_unknown(submission: Submission, detail: str) -> None:
    """Say that the outcome is not known and plan the first look."""
    now = clock.now()
    first_look = now + timedelta(seconds=settings.JOURNAL_LOOK_SECONDS[0])
    LIFECYCLE.move(
        submission, to=State.UNKNOWN, because=detail, given={"fence": submission.fence}, reason=detail, unknown_since=now,
        looks=0, next_look_at=first_look,
    )  # fmt: skip


def take_as_there(current: Submission, because: str, reference: str, reason: str = "") -> None:
    """Settle a doubt: it is at IBKR. What two people released meanwhile is not sent again."""
    LIFECYCLE.move(
        current,
        to=State.ACKED,
        because=because,
        reference=reference,
        reason=reason,
        lease_until=None,
        next_look_at=None,
    )


def note_orphan(kind: str, broker_id: str) -> None:
    """Note, once, that something exists at IBKR that no submission explains."""
    Orphan.objects.get_or_create(kind=kind, broker_id=broker_id, defaults={"first_seen_at": clock.now()})


def note(
    submission: Submission, finding: Finding, source: str, detail: str, serial: int | None = None, data: Any = None
) -> None:
    """Keep what was seen, for good."""
    Observation.objects.create(
        submission=submission,
        finding=finding,
        source=source,
        detail=detail,
        session_serial=serial,
        data=data or {},
        at=clock.now(),
    )


def refresh(ours: Submission, current: Submission) -> None:
    """Give the caller's row what was concluded on the locked one."""
    for column in ("state", "reference", "reason", "due_at", "looks", "next_look_at", "unknown_since"):
        setattr(ours, column, getattr(current, column))
