"""What beat asks for every few seconds: find what a lost message or a dead worker left behind. Harmless when doubled."""

from datetime import timedelta

from django.db import transaction

from backoffice.core import clock
from backoffice.core.doorbell import remind
from backoffice.core.errors import Conflict
from backoffice.journal.conclusions import mark_unknown
from backoffice.journal.looking import LOOKED_FOR
from backoffice.journal.models import (
    LIFECYCLE,
    Heartbeat,
    Inquiry,
    InquiryState,
    Phase,
    State,
    Submission,
    SubmissionQuerySet,
)

AT_ONCE = 50  # rings for one lane of one connection in one sweep
INQUIRY_RING_AGAIN = timedelta(seconds=4)
INQUIRY_GIVE_UP = timedelta(seconds=60)
INQUIRY_KEEP = timedelta(hours=1)


def sweep_submissions() -> None:
    """Free lapsed claims, turn lapsed sendings into UNKNOWN, and ring for whatever is due."""
    now = clock.now()
    for row in Submission.objects.filter(state=State.CLAIMED, lease_until__lt=now):
        back = State.READY if row.phase == Phase.SEND else State.REPLYING
        _move_unless_taken(row, back, "the worker stopped before sending")
    for row in Submission.objects.filter(state=State.SENDING, lease_until__lt=now):
        _lapse(row)
    _remind(Submission.objects.filter(state=State.READY, due_at__lte=now).order_by("due_at", "created_at"), "operation")
    _remind(Submission.objects.filter(state=State.REPLYING, due_at__lte=now).order_by("due_at"), "reply")
    _remind(Submission.objects.filter(state__in=LOOKED_FOR, next_look_at__lte=now).order_by("next_look_at"), "look")


def _remind(due: SubmissionQuerySet, task: str) -> None:
    """Ring for the first of each lane of each connection: one that stands still must not keep the others waiting."""
    for master, lane in due.order_by().values_list("master", "lane").distinct():
        for name, pk in due.filter(master=master, lane=lane).values_list(task, "pk")[:AT_ONCE]:
            remind(name, pk)


def _lapse(row: Submission) -> None:
    """The answer was never read. It may be at IBKR: UNKNOWN, never READY."""
    try:
        with transaction.atomic():
            mark_unknown(row, "the worker stopped before IBKR's answer was read")
    except Conflict:
        return  # the worker was only slow, and settled it meanwhile


def _move_unless_taken(row: Submission, to: str, because: str) -> None:
    try:
        LIFECYCLE.move(row, to=to, because=because, given={"fence": row.fence}, lease_until=None)
    except Conflict:
        return  # another sweep, or the worker itself, was first


def sweep_inquiries() -> None:
    """Ring again for inquiries nobody took, give up on old ones, forget answered ones."""
    now = clock.now()
    Inquiry.objects.filter(state=InquiryState.TAKEN, taken_at__lt=now - INQUIRY_GIVE_UP / 2).update(
        state=InquiryState.WAITING
    )
    Inquiry.objects.filter(state=InquiryState.WAITING, asked_at__lt=now - INQUIRY_GIVE_UP).update(
        state=InquiryState.FAILED,
        answered_at=now,
        message="IBKR gave no answer within a minute. Ask again in a moment.",
    )
    for row in Inquiry.objects.filter(state=InquiryState.WAITING, asked_at__lt=now - INQUIRY_RING_AGAIN)[:50]:
        remind(row.kind, row.pk)
    Inquiry.objects.filter(asked_at__lt=now - INQUIRY_KEEP).delete()


def beat_heart(name: str) -> None:
    """Leave a sign of life for /readyz."""
    Heartbeat.objects.update_or_create(name=name, defaults={"at": clock.now()})
