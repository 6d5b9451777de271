"""What dispatch modules call: claim, attempt, settle, and the looks that resolve an UNKNOWN. Workers only.

The order of steps is reliability.md C.4; the rules of absence are C.5.
"""

import hashlib
import json
import os
import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Max, Q

from backoffice.audit import exchanges
from backoffice.audit import services as audit
from backoffice.broker import calendar, departures
from backoffice.broker.models import BrokerageSession, Gate
from backoffice.core import clock
from backoffice.core.errors import Conflict
from backoffice.core.fields import DecimalEncoder
from backoffice.ibkr import errors as ibkr
from backoffice.journal import processes
from backoffice.journal.models import (
    DOUBTFUL,
    LIFECYCLE,
    UNSENT,
    Attempt,
    AttemptOutcome,
    BrokerObject,
    Finding,
    Observation,
    Phase,
    State,
    Submission,
)
from backoffice.journal.outcomes import Absent, Accepted, Asked, Found, Look, NotSent, Outcome, Refused, Unknown
from backoffice.people.policies.document import KINDS
from backoffice.people.policy import may

CLEAN_LOOKS_NEEDED = 3
# The transport's own total limit for a write (150 s for registration); past it the sending process has given up.
SEND_SECONDS = 160
LOOKED_FOR = (*DOUBTFUL, State.VOID)
LOOKS_AFTER_GIVING_UP = 150  # about a day of them
_under_way: list[UUID] = []  # what this process is sending now


def claim(submission_pk: str, *, phase: str = Phase.SEND) -> Submission | None:
    """Take a submission for sending, under a lease. None when there is nothing to do: it is settled, taken, not due, a
    gate is closed, or another conversation holds its session. What lost its right to be sent, for who made or approved it
    or because its stored payload is not the approved one any more, becomes VOID.

    Raises Conflict when approvals are missing; nothing is sent then.
    """
    _close_what_broke_off()
    waiting = State.READY if phase == Phase.SEND else State.REPLYING
    now = clock.now()
    with transaction.atomic():
        row: Submission | None = (
            Submission.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("master")
            .filter(pk=submission_pk, state=waiting, due_at__lte=now)
            .first()
        )
        if row is None or Gate.objects.closed_for(master=row.master, lane=row.lane).exists():
            return None
        if phase == Phase.SEND and _parks(row):
            return None  # an answer to IBKR's question is not parked: the question dies within the minute
        if row.lane == "trading" and phase == Phase.SEND and _lane_is_taken(row):
            return None
        if not row.payload_is_intact and phase == Phase.REPLY:
            raise Conflict(f"submission {row.pk}: the payload is not the one that was approved")
        if phase == Phase.SEND and (lost := _lost_right(row)):
            before = audit.digest(row)
            LIFECYCLE.move(row, to=State.VOID, because=lost, reason=lost)
            audit.record("journal.withdraw", by=None, on=row, summary=f"Not sent, {lost}: {row.summary}", before=before)
            return None
        approved = row.approvals.filter(payload_sha256=row.payload_sha256).exclude(approver=row.maker)
        if approved.count() < row.approvals_needed:
            raise Conflict(f"submission {row.pk}: the approvals it needs are not there")
        LIFECYCLE.move(
            row,
            to=State.CLAIMED,
            because="claimed by a worker",
            fence=row.fence + 1,
            phase=phase,
            lease_until=now + timedelta(seconds=_lease_seconds(row)),
        )
        row.claimed_ns = processes.nanoseconds()
    exchanges.about_subject(row.subject_model, row.subject_id)
    return row


def _lost_right(row: Submission) -> str:
    """Say why it may no longer be sent: who made and who approved it need their role when it is sent, too (C.7)."""
    if not row.payload_is_intact:
        return "its content was changed after it was made, so it is not what was agreed to"
    maker = row.maker
    if maker is not None and row.kind and not may(maker, KINDS[row.kind].permission):
        return f"{maker.name}, who made it, may no longer make this"
    for approval in row.approvals.select_related("approver", "submission"):
        if not approval.still_counts:
            return f"{approval.approver.name}, who approved it, may no longer approve"
    return _lost_release(row) or row.why_not_sent


def _lost_release(row: Submission) -> str:
    newest = row.releases.aggregate(last=Max("for_attempt"))["last"]
    if newest is None:
        return ""
    words = list(row.releases.filter(for_attempt=newest).select_related("person"))
    if sum(each.still_counts for each in words) >= 2:
        return ""
    lost = next(each for each in words if not each.still_counts)
    return f"{lost.person.name}, who released it, may no longer release"


def _parks(row: Submission) -> bool:
    """Put a submission off to the end of IBKR's maintenance. Nothing was tried, so nothing has failed."""
    closed = calendar.parked_until(row.master, row.lane)
    if closed is None:
        return False
    Submission.objects.filter(pk=row.pk, state=State.READY).update(due_at=closed.ends, reason=calendar.sentence(closed))
    return True


def _lane_is_taken(row: Submission) -> bool:
    # Lock the session row first: two workers must not both find the lane free.
    list(BrokerageSession.objects.select_for_update().filter(master=row.master))
    return bool(
        Submission.objects.in_conversation().filter(master=row.master, lane="trading").exclude(pk=row.pk).exists()
    )


def _lease_seconds(row: Submission) -> int:
    # Registration may take two minutes to answer (account-management.md section 1); a lease must outlive the call.
    configured = int(settings.JOURNAL_LEASE_SECONDS)
    return max(configured, 180) if row.lane == "accounts" and configured >= 60 else configured


def attempt(submission: Submission, call: Callable[[], Accepted | Refused | Asked | Unknown]) -> Outcome:
    """Send once. Marks SENDING and commits before `call` may write a byte, then names what came of it.

    `call` makes its own client: a key that cannot be had is then NotSent, and the row waits with that as its reason.
    Any error that is not a proof of "nothing left" or a recognised refusal is Unknown. Lease, fence and gates are looked
    at before the attempt is opened, and once more when the connection stands and the first byte would leave: the call may
    have waited for a token or its turn. Raises Conflict when another worker took it over.
    """
    _under_way.append(submission.pk)
    try:
        return _attempted(submission, call)
    finally:
        _under_way.remove(submission.pk)


def _attempted(submission: Submission, call: Callable[[], Accepted | Refused | Asked | Unknown]) -> Outcome:
    try:
        _require_still_ours(submission, State.CLAIMED)
    except ibkr.NotSent as error:
        return NotSent(str(error))
    with transaction.atomic(durable=True):
        LIFECYCLE.move(submission, to=State.SENDING, because="sending", given={"fence": submission.fence})
        now = clock.now()
        number = (submission.attempts.aggregate(last=Max("number"))["last"] or 0) + 1
        record = Attempt.objects.create(
            submission=submission,
            number=number,
            phase=submission.phase,
            fence=submission.fence,
            request_sha256=hashlib.sha256(submission.payload_text.encode()).hexdigest(),
            session_serial=session_serial(submission),
            host=socket.gethostname(),
            pid=os.getpid(),
            process_started=processes.started(os.getpid()),
            prepared_at=now,
            deadline=now + timedelta(seconds=SEND_SECONDS),
        )
    outcome: Outcome
    try:
        with departures.watched(lambda: _require_still_ours(submission, State.SENDING)):
            outcome = call()
    except ibkr.NotSent as error:
        outcome = NotSent(str(error), error.not_before)
    except ibkr.Rejected as error:
        outcome = Refused(error.reason)
    except ibkr.IbkrError as error:
        outcome = Unknown(str(error), answer=_evidence(error))
    except BaseException:
        # Also SystemExit and time limits: the bytes may be gone, so say so before the error travels on.
        _close(record, Unknown("the worker stopped while sending"))
        raise
    _close(record, outcome)
    return outcome


def _require_still_ours(submission: Submission, state: State) -> None:
    """Raise NotSent unless we may send this now: a worker may have slept past its lease, and a gate may have closed."""
    if processes.nanoseconds() - submission.claimed_ns > _lease_seconds(submission) * 1_000_000_000:
        raise ibkr.NotSent("the worker woke up too late to send")
    if not Submission.objects.filter(pk=submission.pk, state=state, fence=submission.fence).exists():
        raise ibkr.NotSent("another worker has taken this over")
    gate = Gate.objects.closed_for(master=submission.master, lane=submission.lane).first()
    if gate is not None:
        raise ibkr.NotSent(f"sending was stopped before it left: {gate.reason}")


def _evidence(error: ibkr.IbkrError) -> Any:
    """Return what came back in place of a readable answer, redacted and as it is stored: Decimals as text."""
    seen: dict[str, Any] = {}
    if (exchange := error.exchange) is not None:
        seen = {"outcome": exchange.outcome, "status": exchange.status, "said": exchange.answer}
    if isinstance(error, ibkr.OutcomeUnknown) and error.is_known_there:
        seen["is_known_there"] = True
    if not seen:
        return None
    return json.loads(json.dumps(seen, cls=DecimalEncoder))


_OUTCOME_NAMES: dict[type, AttemptOutcome] = {
    Accepted: AttemptOutcome.ACK,
    Refused: AttemptOutcome.REJECT,
    Asked: AttemptOutcome.QUESTION,
    NotSent: AttemptOutcome.NOT_SENT,
    Unknown: AttemptOutcome.AMBIGUOUS,
}


def _close(record: Attempt, outcome: Outcome) -> None:
    detail = getattr(outcome, "detail", "") or getattr(outcome, "reason", "") or getattr(outcome, "reference", "")
    Attempt.objects.filter(pk=record.pk, outcome__isnull=True).update(
        outcome=_OUTCOME_NAMES[type(outcome)],
        detail=str(detail),
        answer=getattr(outcome, "answer", None),
        finished_at=clock.now(),
    )


def _close_what_broke_off() -> None:
    """Close the attempts of this very process that it is not at any more: the database was away when they ended, so they
    look as if they were still being sent, and their doubt could not end while this process lives.
    """
    Attempt.objects.filter(
        outcome__isnull=True,
        host=socket.gethostname(),
        pid=os.getpid(),
        process_started=processes.started(os.getpid()),
    ).exclude(submission__in=list(_under_way)).update(
        outcome=AttemptOutcome.AMBIGUOUS, detail="the database was away when it ended", finished_at=clock.now()
    )


@transaction.atomic
def settle(submission: Submission, outcome: Outcome) -> bool:
    """Write what the sending came to. True when it became the submission's state, False when a sweep or another worker
    had moved on; then the answer is kept as an observation, and the caller changes nothing.
    """
    current = Submission.objects.select_for_update().get(pk=submission.pk)
    is_unopened = current.state == State.CLAIMED and isinstance(outcome, NotSent)
    if current.fence != submission.fence or not (current.state == State.SENDING or is_unopened):
        return _settle_late(current, outcome)
    now = clock.now()
    match outcome:
        case Accepted(reference=reference):
            LIFECYCLE.move(current, to=State.ACKED, because="IBKR took it", reference=reference)
            saw(current.key_space, reference, current)
        case Refused(reason=reason):
            LIFECYCLE.move(current, to=State.REJECTED, because=reason, reason=reason)
        case Asked():
            LIFECYCLE.move(current, to=State.QUESTION, because="IBKR asks", lease_until=None)
        case NotSent(detail=detail, not_before=not_before):
            # Held back by a limit or a window is no failure of the way to IBKR, so it does not lengthen the wait.
            tries = current.unsent_tries + (not_before is None)
            back = State.READY if current.phase == Phase.SEND else State.REPLYING
            due_at = not_before or now + timedelta(seconds=min(5 * 2**tries, 300))
            LIFECYCLE.move(
                current, to=back, because=f"not sent: {detail}", unsent_tries=tries, due_at=due_at, reason=detail
            )
        case Unknown(detail=detail):
            mark_unknown(current, detail)
    _refresh(submission, current)
    return True


def _settle_late(current: Submission, outcome: Outcome) -> bool:
    if isinstance(outcome, NotSent):
        return False  # nothing left, so there is nothing to learn from it
    finding = Finding.FOUND if isinstance(outcome, Accepted) else Finding.INCONCLUSIVE
    _observe(current, finding, "an answer that came late", repr(outcome)[:500])
    if isinstance(outcome, Accepted) and current.state in DOUBTFUL + UNSENT:
        _take_as_there(current, "IBKR's answer came late", outcome.reference)
        return True
    return False


def _take_as_there(current: Submission, because: str, reference: str, reason: str = "") -> None:
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
    saw(current.key_space, reference, current)


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


def mark_unknown(submission: Submission, detail: str) -> None:
    """Say that the outcome is not known and plan the first look."""
    now = clock.now()
    first_look = now + timedelta(seconds=settings.JOURNAL_LOOK_SECONDS[0])
    LIFECYCLE.move(
        submission, to=State.UNKNOWN, because=detail, given={"fence": submission.fence}, reason=detail, unknown_since=now,
        looks=0, next_look_at=first_look,
    )  # fmt: skip


def saw(kind: str, broker_id: str, submission: Submission | None) -> None:
    """Note that something exists at IBKR, and which submission explains it."""
    if not broker_id:
        return
    row, created = BrokerObject.objects.get_or_create(
        kind=kind, broker_id=broker_id, defaults={"submission": submission, "first_seen_at": clock.now()}
    )
    if not created and submission is not None and row.submission_id is None:
        BrokerObject.objects.filter(pk=row.pk, submission__isnull=True).update(submission=submission)


def session_serial(submission: Submission) -> int | None:
    """The number of the brokerage session now, for trading; two looks in different sessions prove nothing together."""
    if submission.lane != "trading":
        return None
    return BrokerageSession.objects.filter(master=submission.master).values_list("serial", flat=True).first()


def due_for_look(submission_pk: str) -> Submission | None:
    """Return a submission whose next look is due, having booked the look after it; else None. Looked for is what is UNKNOWN
    or ABSENT, and for a day what was given up as absent.
    """
    _close_what_broke_off()
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
    serial = session_serial(current)
    match look:
        case Found() if current.state == State.VOID:
            _tell_it_came_late(current, look)
            return False
        case Found(matches=False):
            _observe(current, Finding.MISMATCH, look.source, look.detail, serial, look.data)
            _take_as_something_else(current, f"IBKR shows something else: {look.detail}")
            return False
        case Found(is_rejected=True):
            _observe(current, Finding.FOUND, look.source, look.detail, serial, look.data)
            if current.state not in DOUBTFUL:
                return False
            LIFECYCLE.move(
                current, to=State.REJECTED, because=f"found at IBKR: {look.source}", reference=look.reference,
                reason=look.detail, next_look_at=None,
            )  # fmt: skip
            saw(current.key_space, look.reference, current)
            _refresh(submission, current)
            return True
        case Found():
            _observe(current, Finding.FOUND, look.source, look.detail, serial, look.data)
            if current.state not in DOUBTFUL + UNSENT:
                return False
            _take_as_there(current, f"found at IBKR: {look.source}", look.reference, look.detail)
            _refresh(submission, current)
            return True
        case Absent() if current.fence != submission.fence:
            _observe(current, Finding.INCONCLUSIVE, look.source, f"It was sent again meanwhile. {look.detail}", serial)
            return False
        case Absent():
            _observe(current, Finding.CLEAN, look.source, look.detail, serial)
            if current.state == State.UNKNOWN and _is_proven_absent(current, serial):
                _take_as_absent(current)
                _refresh(submission, current)
            return False
        case _:
            _observe(current, Finding.INCONCLUSIVE, look.source, look.detail, serial)
            return False


def _tell_it_came_late(current: Submission, look: Found) -> None:
    """Keep what was given up as it is, and have people told, once, that IBKR has it after all: only they can undo it there."""
    _observe(current, Finding.FOUND, look.source, look.detail, data=look.data)
    Submission.objects.filter(pk=current.pk).update(next_look_at=None)
    if not look.is_rejected:
        audit.record(
            "journal.came_late", by=None, on=current, summary=f"Given up, and at IBKR after all: {current.summary}",
            reference=look.reference,
        )  # fmt: skip


def _take_as_absent(current: Submission) -> None:
    """Write down that it is not there, and go on looking now and then: what comes late is found before it is released."""
    last = current.attempts.last()
    if last is not None:
        _close(last, Unknown("the worker that sent it is gone"))  # else no second sending could ever be opened
    seldom = timedelta(seconds=settings.JOURNAL_LOOK_SECONDS[-1])
    LIFECYCLE.move(
        current, to=State.ABSENT, because="several sound looks found nothing", next_look_at=clock.now() + seldom
    )


def _is_proven_absent(submission: Submission, serial: int | None) -> bool:
    """All of reliability.md C.5: quiet time, several clean looks in a row over a minute, one session, sender gone.

    And nothing that speaks against it: no answer of IBKR's that it took it or knows its key, no look that showed something
    under its key.
    """
    last = submission.attempts.last()
    if last is None or not _has_stopped_sending(last):
        return False
    speaking = Q(outcome=AttemptOutcome.ACK) | Q(answer__is_known_there=True)
    if submission.attempts.filter(speaking).exists():
        return False
    now = clock.now()
    quiet_since = last.finished_at or last.deadline
    if now - quiet_since < timedelta(seconds=_quiet_seconds(submission)):
        return False
    since = submission.observations.filter(at__gte=last.prepared_at)
    if since.filter(finding__in=[Finding.FOUND, Finding.MISMATCH]).exists():
        return False
    recent = list(since.order_by("-at", "-id")[:CLEAN_LOOKS_NEEDED])
    if len(recent) < CLEAN_LOOKS_NEEDED or any(look.finding != Finding.CLEAN for look in recent):
        return False
    if any(look.session_serial != serial for look in recent) or (serial is not None and last.session_serial != serial):
        return False
    return recent[0].at - recent[-1].at >= timedelta(seconds=settings.JOURNAL_QUIET_SECONDS / 2)


def _quiet_seconds(submission: Submission) -> int:
    # IBKR may be at work on a registration for two minutes after our line to it broke (account-management.md section 1).
    configured = int(settings.JOURNAL_QUIET_SECONDS)
    return configured + 120 if submission.lane == "accounts" and configured >= 60 else configured


def _has_stopped_sending(record: Attempt) -> bool:
    if record.outcome is not None:
        return True
    return record.host == socket.gethostname() and not processes.is_alive(record.pid, record.process_started)


def _observe(
    submission: Submission, finding: Finding, source: str, detail: str, serial: int | None = None, data: Any = None
) -> None:
    Observation.objects.create(
        submission=submission,
        finding=finding,
        source=source,
        detail=detail,
        session_serial=serial,
        data=data or {},
        at=clock.now(),
    )


def _refresh(ours: Submission, current: Submission) -> None:
    for column in ("state", "reference", "reason", "due_at", "looks", "next_look_at", "unknown_since"):
        setattr(ours, column, getattr(current, column))
