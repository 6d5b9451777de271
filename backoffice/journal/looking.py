"""Looking for what may be at IBKR: what dispatch modules call for an UNKNOWN. Workers only.

Absence is concluded by the rules of reliability.md C.5, or by two people where those cannot be met (`services.attest`).
"""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from backoffice.audit import exchanges
from backoffice.audit import services as audit
from backoffice.core import clock
from backoffice.journal import attempts
from backoffice.journal.conclusions import note, refresh, take_as_there
from backoffice.journal.models import DOUBTFUL, LIFECYCLE, UNSENT, AttemptOutcome, Finding, State, Submission
from backoffice.journal.outcomes import Absent, Found, Look, Unknown
from backoffice.people.models import User

CLEAN_LOOKS_NEEDED = 3
LOOKED_FOR = (*DOUBTFUL, State.VOID)
LOOKS_AFTER_GIVING_UP = 150  # about a day of them


def due_for_look(submission_pk: str) -> Submission | None:
    """Return a submission whose next look is due, having booked the look after it; else None. Looked for is what is UNKNOWN
    or ABSENT, and for a day what was given up as absent.
    """
    attempts.close_what_broke_off()
    now = clock.now()
    with transaction.atomic():
        row: Submission | None = (
            Submission.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("master")
            .filter(pk=submission_pk, state__in=LOOKED_FOR, next_look_at__lte=now)
            .first()
        )
        if row is None:
            return None
        if row.state == State.VOID and row.looks >= LOOKS_AFTER_GIVING_UP:
            Submission.objects.filter(pk=row.pk).update(next_look_at=None)
            return None
        steps = settings.JOURNAL_LOOK_SECONDS
        wait = timedelta(seconds=steps[min(row.looks + 1, len(steps) - 1)])
        Submission.objects.filter(pk=row.pk).update(looks=row.looks + 1, next_look_at=now + wait)
        row.looks += 1
    exchanges.about_subject(row.subject_model, row.subject_id)
    return row


@transaction.atomic
def observe(submission: Submission, look: Look) -> bool:
    """Write what a look showed. True when it resolved the submission as existing (ACKED or REJECTED): the caller then
    moves the subject. Absence is concluded here, by rule, never from one look.
    """
    current = Submission.objects.select_for_update().get(pk=submission.pk)
    serial = attempts.session_serial(current)
    match look:
        case Found() if current.state == State.VOID:
            _tell_it_came_late(current, look)
            return False
        case Found(matches=False):
            note(current, Finding.MISMATCH, look.source, look.detail, serial, look.data)
            _take_as_something_else(current, f"IBKR shows something else: {look.detail}")
            return False
        case Found(is_rejected=True):
            note(current, Finding.FOUND, look.source, look.detail, serial, look.data)
            if current.state not in DOUBTFUL:
                return False
            LIFECYCLE.move(
                current, to=State.REJECTED, because=f"found at IBKR: {look.source}", reference=look.reference,
                reason=look.detail, next_look_at=None,
            )  # fmt: skip
            refresh(submission, current)
            return True
        case Found():
            note(current, Finding.FOUND, look.source, look.detail, serial, look.data)
            if current.state not in DOUBTFUL + UNSENT:
                return False
            take_as_there(current, f"found at IBKR: {look.source}", look.reference, look.detail)
            refresh(submission, current)
            return True
        case Absent() if current.fence != submission.fence:
            note(current, Finding.INCONCLUSIVE, look.source, f"It was sent again meanwhile. {look.detail}", serial)
            return False
        case Absent():
            note(current, Finding.CLEAN, look.source, look.detail, serial)
            if current.state == State.UNKNOWN and _is_proven_absent(current, serial):
                take_as_absent(current, "several sound looks found nothing")
                refresh(submission, current)
            return False
        case _:
            note(current, Finding.INCONCLUSIVE, look.source, look.detail, serial)
            return False


def _take_as_something_else(current: Submission, because: str) -> None:
    """Keep it a doubt: what is under its key is not what was sent, so it is neither there nor absent. What was proven
    absent, or released since, is a doubt again; else two people could send a second one beside it.
    """
    if current.state not in (State.ABSENT, *UNSENT):
        Submission.objects.filter(pk=current.pk).update(reason=because)
        return
    now = clock.now()
    LIFECYCLE.move(
        current, to=State.UNKNOWN, because=because, reason=because, unknown_since=current.unknown_since or now,
        lease_until=None, next_look_at=now + timedelta(seconds=settings.JOURNAL_LOOK_SECONDS[-1]),
    )  # fmt: skip


def _tell_it_came_late(current: Submission, look: Found) -> None:
    """Keep what was given up as it is, and have people told, once, that IBKR has it after all: only they can undo it there."""
    note(current, Finding.FOUND, look.source, look.detail, data=look.data)
    Submission.objects.filter(pk=current.pk).update(next_look_at=None, reference=look.reference)
    if not look.is_rejected:
        audit.record(
            "journal.came_late", by=None, on=current, summary=f"Given up, and at IBKR after all: {current.summary}",
            reference=look.reference,
        )  # fmt: skip


def take_as_absent(current: Submission, because: str, by: User | None = None) -> None:
    """Write down that it is not there, and go on looking now and then: what comes late is found before it is released."""
    last = current.attempts.last()
    if last is not None:
        attempts.close(last, Unknown("the worker that sent it is gone"))  # else no second sending could ever be opened
    seldom = timedelta(seconds=settings.JOURNAL_LOOK_SECONDS[-1])
    LIFECYCLE.move(current, to=State.ABSENT, because=because, by=by, next_look_at=clock.now() + seldom)


def _is_proven_absent(submission: Submission, serial: int | None) -> bool:
    """All of reliability.md C.5: quiet time, several clean looks in a row over a minute, one session, sender gone."""
    last = submission.attempts.last()
    if last is None or not attempts.is_over(last):
        return False
    if speaks_against_absence(submission):
        return False
    since = submission.observations.filter(at__gte=last.prepared_at)
    recent = list(since.order_by("-at", "-id")[:CLEAN_LOOKS_NEEDED])
    if len(recent) < CLEAN_LOOKS_NEEDED or any(look.finding != Finding.CLEAN for look in recent):
        return False
    if any(look.session_serial != serial for look in recent) or (serial is not None and last.session_serial != serial):
        return False
    return recent[0].at - recent[-1].at >= timedelta(seconds=settings.JOURNAL_QUIET_SECONDS / 2)


def speaks_against_absence(submission: Submission) -> str:
    """Say why it cannot be absent, or not yet, whatever looks and people say; else empty.

    That is IBKR's own word that it took it or knows its key, a look that showed something under its key, and the time in
    which IBKR may still be at it.
    """
    speaking = Q(outcome=AttemptOutcome.ACK) | Q(answer__is_known_there=True)
    if submission.attempts.filter(speaking).exists():
        return "IBKR itself said that it has it"
    last = submission.attempts.last()
    if last is None:
        return "nothing of it has left yet"
    now = clock.now()
    quiet_since = last.finished_at or last.deadline
    if now - quiet_since < timedelta(seconds=_quiet_seconds(submission)):
        return "it left only minutes ago, and IBKR may still be at it"
    shown = submission.observations.filter(
        at__gte=last.prepared_at, finding__in=[Finding.FOUND, Finding.MISMATCH]
    ).last()
    return f"IBKR shows something under its number: {shown.detail or shown.source}" if shown is not None else ""


def _quiet_seconds(submission: Submission) -> int:
    # IBKR may be at work on a registration for two minutes after our line to it broke (account-management.md section 1).
    configured = int(settings.JOURNAL_QUIET_SECONDS)
    return configured + 120 if submission.lane == "accounts" and configured >= 60 else configured
