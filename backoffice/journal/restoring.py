"""After a backup was restored: what waited when it was made may have been sent since, so it is looked for, not sent again.

Run by `manage.py post_restore` before any worker starts (reliability.md C.5 and I10).
"""

from dataclasses import dataclass
from datetime import timedelta

from django.db import IntegrityError, connection, transaction

from backoffice.broker import services as broker
from backoffice.core import clock
from backoffice.journal import attempts
from backoffice.journal.conclusions import mark_unknown
from backoffice.journal.models import Attempt, AttemptOutcome, State, Submission

JUMP = 1_000_000  # numbers of ours that IBKR may know since the backup
MAY_HAVE_LEFT = (State.READY, State.CLAIMED, State.SENDING, State.QUESTION, State.REPLYING, State.ABSENT)
WHY = "A backup was restored; whether this left since it was made is not known."


@dataclass(frozen=True)
class Restored:
    """How many submissions are looked for now, and how many wait for an approval that may have been given since."""

    doubts: int
    proposed: int


@transaction.atomic
def take_stock() -> Restored:
    """Stop all sending, leave out the numbers IBKR may know, and make a doubt of all that may have left. Safe to repeat."""
    broker.stop_everything(reason="A backup was restored: compare with what is at IBKR, then open this again.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval('journal_instruction_id', nextval('journal_instruction_id') + %s)", [JUMP])
    now = clock.now()
    Attempt.objects.filter(outcome__isnull=True).update(
        outcome=AttemptOutcome.AMBIGUOUS, detail="a backup was restored", finished_at=now
    )
    waiting = Submission.objects.select_for_update(of=("self",)).filter(state__in=MAY_HAVE_LEFT).order_by("pk")
    doubts = 0
    for row in waiting.select_related("master"):
        _note_attempt(row)
        mark_unknown(row, WHY)
        doubts += 1
    return Restored(doubts, Submission.objects.filter(state=State.PROPOSED).count())


def _note_attempt(row: Submission) -> None:
    """Write down the sending that may have been, so that only looks from now on can prove its absence."""
    try:
        with transaction.atomic():
            attempts.write(
                row,
                request_sha256=row.payload_sha256,
                lasts=timedelta(0),
                outcome=AttemptOutcome.AMBIGUOUS,
                detail=WHY,
                finished_at=clock.now(),
            )
    except IntegrityError:
        return  # whoever approved it may no longer: it can be found, and is never sent
