"""What dispatch modules call to send: claim, attempt, settle. Workers only. The order of steps is reliability.md C.4."""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from backoffice.audit import exchanges
from backoffice.audit import services as audit
from backoffice.broker import calendar, departures
from backoffice.broker.models import BrokerageSession, Gate
from backoffice.core import clock, processes
from backoffice.core.errors import Conflict
from backoffice.core.fields import DecimalEncoder
from backoffice.ibkr import errors as ibkr
from backoffice.journal import attempts
from backoffice.journal.conclusions import mark_unknown, note, refresh, take_as_there
from backoffice.journal.models import (
    DOUBTFUL,
    LIFECYCLE,
    UNSENT,
    Finding,
    Phase,
    State,
    Submission,
)
from backoffice.journal.outcomes import Accepted, Asked, NotSent, Outcome, Refused, Unknown
from backoffice.people.policies.document import KINDS
from backoffice.people.policy import may

# The transport's own total limit for a write (150 s for registration); past it the sending process has given up.
SEND_SECONDS = 160


def claim(submission_pk: str, *, phase: str = Phase.SEND) -> Submission | None:
    """Take a submission for sending, under a lease. None when there is nothing to do: it is settled, taken, not due, a
    gate is closed, or another conversation holds its session. What lost its right to be sent, for who made or approved it
    or because its stored payload is not the approved one any more, becomes VOID.

    Raises Conflict when approvals are missing; nothing is sent then.
    """
    attempts.close_what_broke_off()
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
    attempts.under_way.append(submission.pk)
    try:
        return _attempted(submission, call)
    finally:
        attempts.under_way.remove(submission.pk)


def _attempted(submission: Submission, call: Callable[[], Accepted | Refused | Asked | Unknown]) -> Outcome:
    try:
        _require_still_ours(submission, State.CLAIMED)
    except ibkr.NotSent as error:
        return NotSent(str(error))
    with transaction.atomic(durable=True):
        LIFECYCLE.move(submission, to=State.SENDING, because="sending", given={"fence": submission.fence})
        record = attempts.write(
            submission,
            request_sha256=hashlib.sha256(submission.payload_text.encode()).hexdigest(),
            lasts=timedelta(seconds=SEND_SECONDS),
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
        attempts.close(record, Unknown("the worker stopped while sending"))
        raise
    attempts.close(record, outcome)
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
    refresh(submission, current)
    return True


def _settle_late(current: Submission, outcome: Outcome) -> bool:
    if isinstance(outcome, NotSent):
        return False  # nothing left, so there is nothing to learn from it
    finding = Finding.FOUND if isinstance(outcome, Accepted) else Finding.INCONCLUSIVE
    note(current, finding, "an answer that came late", repr(outcome)[:500])
    if isinstance(outcome, Accepted) and current.state in DOUBTFUL + UNSENT:
        take_as_there(current, "IBKR's answer came late", outcome.reference)
        return True
    return False
