"""What apps ask of the journal: submit, approve, refuse, answer a question, release, withdraw. No network."""

import hashlib
import json
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection, models, transaction
from pydantic import BaseModel

from backoffice.audit import services as audit
from backoffice.broker.models import MasterAccount
from backoffice.core import clock
from backoffice.core.doorbell import ring_on_commit
from backoffice.core.errors import Conflict, NotPermitted
from backoffice.core.fields import DecimalEncoder
from backoffice.journal.models import LIFECYCLE, Approval, Phase, Release, State, Submission
from backoffice.people.models import User
from backoffice.people.policy import may


def canonical(payload: BaseModel | dict[str, Any]) -> str:
    """Return the one text of a payload that is hashed, approved and sent: sorted keys, Decimals as text, no nulls."""
    content = (
        payload.model_dump(mode="json", by_alias=True, exclude_none=True) if isinstance(payload, BaseModel) else payload
    )
    return json.dumps(content, sort_keys=True, separators=(",", ":"), cls=DecimalEncoder)


def next_instruction_id() -> int:
    """Return a fresh clientInstructionId: one sequence for every banking call, queries included; int32, never reused."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('journal_instruction_id')")
        return int(cursor.fetchone()[0])


@transaction.atomic
def submit(
    *,
    operation: str,
    look: str,
    subject: models.Model,
    payload: BaseModel | dict[str, Any],
    key_space: str,
    key: str,
    lane: str,
    master: MasterAccount,
    maker: User | None,
    summary: str,
    approvals_needed: int = 0,
    reply: str = "",
    due_at: datetime | None = None,
) -> Submission:
    """Promise one effect. Written in the caller's transaction; the doorbell rings on commit.

    `summary` names the effect for lists, without personal data. With `approvals_needed` it waits for that many other
    people. Raises IntegrityError when the key was used before.
    """
    text = canonical(payload)
    now = clock.now()
    submission = Submission(
        operation=operation,
        look=look,
        reply=reply,
        subject_model=subject._meta.label_lower,
        subject_id=str(subject.pk),
        summary=summary,
        payload_text=text,
        payload_sha256=hashlib.sha256(text.encode()).hexdigest(),
        key_space=key_space,
        key=key,
        master=master,
        lane=lane,
        maker=maker,
        approvals_needed=approvals_needed,
        state=State.PROPOSED if approvals_needed else State.READY,
        due_at=due_at or now,
        created_at=now,
    )
    submission.save(force_insert=True)
    audit.record(
        operation,
        by=maker,
        on=subject,
        summary=summary,
        submission=str(submission.pk),
        sha256=submission.payload_sha256,
    )
    if submission.state == State.READY:
        ring_on_commit(operation, submission.pk)
    return submission


def current_for(subject: models.Model) -> Submission | None:
    """Return the newest submission about a row."""
    found: Submission | None = Submission.objects.for_subject(subject).order_by("-created_at").first()
    return found


@transaction.atomic
def approve(submission: Submission, *, by: User, payload_sha256: str, reason: str = "") -> Submission:
    """Say yes to the payload with this hash. The last yes that is needed makes the submission ready to be sent.

    Raises NotPermitted (no right, or the maker), Conflict (another payload than the one shown, or no longer waiting).
    The database holds both rules too.
    """
    submission = Submission.objects.select_for_update().get(pk=submission.pk)
    _must_be_a_second_person(submission, by)
    if submission.state != State.PROPOSED:
        raise Conflict(f"This is no longer waiting for approval; it is now: {submission.get_state_display().lower()}.")
    if payload_sha256 != submission.payload_sha256:
        raise Conflict("What you were shown is not what would be sent. Open it again and compare the seal.")
    Approval.objects.create(
        submission=submission, approver=by, payload_sha256=payload_sha256, reason=reason, at=clock.now()
    )
    audit.record(
        "journal.approve", by=by, on=submission, summary=f"Approved: {submission.summary}", sha256=payload_sha256
    )
    if submission.approvals.count() >= submission.approvals_needed:
        LIFECYCLE.move(submission, to=State.READY, because=f"approved by {by.name}", by=by, due_at=clock.now())
        ring_on_commit(submission.operation, submission.pk)
    return submission


@transaction.atomic
def refuse(submission: Submission, *, by: User, reason: str) -> Submission:
    """Say no; nothing is sent. Raises NotPermitted, Conflict."""
    submission = Submission.objects.select_for_update().get(pk=submission.pk)
    _must_be_a_second_person(submission, by)
    if submission.state != State.PROPOSED:
        raise Conflict(f"This is no longer waiting for approval; it is now: {submission.get_state_display().lower()}.")
    LIFECYCLE.move(submission, to=State.VOID, because=reason, by=by, reason=reason)
    audit.record("journal.refuse", by=by, on=submission, summary=f"Not approved: {submission.summary}")
    return submission


@transaction.atomic
def withdraw(submission: Submission, *, by: User, reason: str) -> Submission:
    """Take back what was not sent, or give up what is proven absent. Raises Conflict once a byte may have left."""
    submission = Submission.objects.select_for_update().get(pk=submission.pk)
    if submission.state not in {State.PROPOSED, State.READY, State.ABSENT}:
        raise Conflict(f"This cannot be withdrawn; it is now: {submission.get_state_display().lower()}.")
    LIFECYCLE.move(submission, to=State.VOID, because=reason, by=by, reason=reason)
    audit.record("journal.withdraw", by=by, on=submission, summary=f"Withdrawn: {submission.summary}")
    return submission


def _must_be_a_second_person(submission: Submission, by: User) -> None:
    if not may(by, "journal.approve"):
        raise NotPermitted("Only a principal may approve or refuse this.")
    if submission.maker_id == by.pk:
        raise NotPermitted("You made this, so another person must approve or refuse it.")


@transaction.atomic
def answer(submission: Submission, *, by: User | None, because: str) -> Submission:
    """Record that IBKR's question has its answer, and have it sent. The app keeps question and answer.

    `by` is None when a named rule answered. Raises Conflict when no question is open.
    """
    submission = Submission.objects.select_for_update().get(pk=submission.pk)
    if submission.state != State.QUESTION:
        raise Conflict(f"There is no open question; the order is now: {submission.get_state_display().lower()}.")
    LIFECYCLE.move(submission, to=State.REPLYING, because=because, by=by, phase=Phase.REPLY, due_at=clock.now())
    audit.record("journal.answer", by=by, on=submission, summary=f"{because}: {submission.summary}")
    ring_on_commit(submission.reply, submission.pk)
    return submission


@transaction.atomic
def release(submission: Submission, *, by: User, evidence: str) -> Submission:
    """Allow a proven-absent submission to be sent again, under its own key; the second person's word sends it.

    `evidence` says what makes the person sure, e.g. IBKR's ticket number. Raises NotPermitted, Conflict.
    """
    submission = Submission.objects.select_for_update().get(pk=submission.pk)
    if not may(by, "journal.release"):
        raise NotPermitted("Only operations and principals may release this.")
    if submission.state != State.ABSENT:
        raise Conflict("Only what is proven absent at IBKR can be released.")
    number = submission.attempts.count()
    if submission.releases.filter(person=by, for_attempt=number).exists():
        raise Conflict("You have released this already; it needs a second person.")
    Release.objects.create(submission=submission, person=by, evidence=evidence, for_attempt=number, at=clock.now())
    audit.record("journal.release", by=by, on=submission, summary=f"Released: {submission.summary}")
    if submission.releases.filter(for_attempt=number).count() >= 2:
        LIFECYCLE.move(
            submission,
            to=State.READY,
            because="released by two people",
            by=by,
            due_at=clock.now(),
            looks=0,
            next_look_at=None,
            unknown_since=None,
            phase=Phase.SEND,
        )
        ring_on_commit(submission.operation, submission.pk)
    return submission


def question_seconds() -> int:
    """How long a person has to answer IBKR's question before the answer is no (setting QUESTION_SECONDS)."""
    return int(settings.QUESTION_SECONDS)
