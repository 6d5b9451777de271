"""What apps ask of the journal: submit, approve, refuse, answer a question, release, attest, withdraw. No network."""

import hashlib
import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection, models, transaction
from pydantic import BaseModel

from backoffice.audit import services as audit
from backoffice.broker.models import MasterAccount
from backoffice.core import clock
from backoffice.core.doorbell import ring_on_commit
from backoffice.core.errors import Conflict, InvalidInput, NotPermitted
from backoffice.core.fields import DecimalEncoder
from backoffice.journal import looking
from backoffice.journal.models import (
    LIFECYCLE,
    Answer,
    Approval,
    Attempt,
    Attestation,
    Phase,
    Rejection,
    Release,
    State,
    Submission,
)
from backoffice.people.models import User
from backoffice.people.policies import limits
from backoffice.people.policies import services as policies
from backoffice.people.policies.document import Facts, Ruling
from backoffice.people.policy import may

ORDER_KEYS = "cOID"


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
    facts: Facts | None = None,
    approvals_needed: int = 0,
    reply: str = "",
    before: str = "",
) -> Submission:
    """Promise one effect. Written in the caller's transaction; the doorbell rings on commit.

    `summary` names the effect for lists, without personal data. The policy in force rules on `facts`: how many other
    people must agree, and whether a limit is reached (Conflict). `approvals_needed` asks for at least so many whatever
    the policy says. `before` is the subject's digest, where the caller has changed it already. Raises IntegrityError when
    the key was used before.
    """
    text = canonical(payload)
    now = clock.now()
    policy = policies.in_force()
    ruling = Ruling(0, (), ())
    if facts is not None:
        ruling = policy.document.rule_on(facts, now)
        limits.take(policy.document, facts, now)
    approvals_needed = max(approvals_needed, ruling.approvals)
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
        kind=facts.kind if facts else "",
        amount_usd=facts.amount_usd.quantize(Decimal("0.01")) if facts and facts.amount_usd is not None else None,
        accounts=list(facts.accounts) if facts else [],
        destination_since=facts.destination_since if facts else None,
        flags=list(facts.flags) if facts else [],
        policy_number=policy.number,
        policy_hits=list(ruling.hits),
        approver_roles=list(ruling.roles),
        state=State.PROPOSED if approvals_needed else State.READY,
        due_at=now,
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
        before=before,
        changed=[audit.Standing(submission)],
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
    submission = _waiting_for(submission, by, payload_sha256)
    if submission.approvals.filter(approver=by).exists():
        raise Conflict("You have approved this already; it needs another person too.")
    if why := submission.why_not_sent:
        raise Conflict(f"This must not be sent any more: {why}. Reject it; it can be asked for again.")
    before = audit.digest(submission)
    given = Approval.objects.create(
        submission=submission, approver=by, payload_sha256=payload_sha256, reason=reason, at=clock.now()
    )
    said_yes = submission.approvals.select_related("approver", "submission")
    if sum(each.still_counts for each in said_yes) >= submission.approvals_needed:
        LIFECYCLE.move(submission, to=State.READY, because=f"approved by {by.name}", by=by, due_at=clock.now())
        ring_on_commit(submission.operation, submission.pk)
    audit.record(
        "journal.approve", by=by, on=submission, summary=f"Approved: {submission.summary}", before=before,
        sha256=payload_sha256, changed=[audit.Standing(given)],
    )  # fmt: skip
    return submission


@transaction.atomic
def refuse(submission: Submission, *, by: User, reason: str, answer: Answer = Answer.REJECTED) -> Submission:
    """Say no, or give it back to its maker to change (`Answer.RETURNED`); nothing is sent.

    Raises NotPermitted, Conflict, and InvalidInput without a reason.
    """
    submission = _waiting_for(submission, by, submission.payload_sha256)
    if not reason.strip():
        raise InvalidInput("reason", "The person who made it needs to know why.", "Say it in a few words.")
    before = audit.digest(submission)
    said = Rejection.objects.create(
        submission=submission, person=by, answer=answer, payload_sha256=submission.payload_sha256,
        reason=reason.strip(), at=clock.now(),
    )  # fmt: skip
    LIFECYCLE.move(submission, to=State.VOID, because=reason.strip(), by=by, reason=reason.strip())
    action = "journal.refuse" if answer == Answer.REJECTED else "journal.return"
    audit.record(
        action, by=by, on=submission, summary=f"{Answer(answer).label}: {submission.summary}", before=before,
        changed=[audit.Standing(said)],
    )  # fmt: skip
    return submission


@transaction.atomic
def take_on(submission: Submission, *, by: User, is_mine: bool) -> Submission:
    """Say that one is looking at it, so that nobody else starts; or leave it to the others. It binds nobody, and lapses
    after `CLAIM_LASTS`; said again, it begins anew.

    Raises NotPermitted, Conflict when another person has it.
    """
    submission = _waiting_for(submission, by, submission.payload_sha256)
    if (who := submission.claimant) is not None and who.pk != by.pk:
        raise Conflict(f"{who.name} is looking at this already, until {submission.claim_ends:%H:%M} UTC at most.")
    before = audit.digest(submission)
    submission.claimed_by = by if is_mine else None
    submission.claimed_at = clock.now() if is_mine else None
    submission.save(update_fields=["claimed_by", "claimed_at"])
    action = "journal.claim" if is_mine else "journal.unclaim"
    audit.record(action, by=by, on=submission, summary=submission.summary, before=before)
    return submission


@transaction.atomic
def withdraw(submission: Submission, *, by: User, reason: str) -> Submission:
    """Take back what was not sent, or give up what is proven absent. Raises Conflict once a byte may have left."""
    submission = Submission.objects.select_for_update().get(pk=submission.pk)
    if submission.state not in {State.PROPOSED, State.READY, State.ABSENT}:
        raise Conflict(f"This cannot be withdrawn; it is now: {submission.get_state_display().lower()}.")
    before = audit.digest(submission)
    # Proven absent, it may come after all, and nobody would expect it: it is looked for during another day.
    is_watched = submission.state == State.ABSENT and submission.has_a_key_of_its_own
    LIFECYCLE.move(
        submission, to=State.VOID, because=reason, by=by, reason=reason, looks=0,
        next_look_at=clock.now() + timedelta(seconds=settings.JOURNAL_LOOK_SECONDS[0]) if is_watched else None,
    )  # fmt: skip
    audit.record("journal.withdraw", by=by, on=submission, summary=f"Withdrawn: {submission.summary}", before=before)
    return submission


def _waiting_for(submission: Submission, by: User, payload_sha256: str) -> Submission:
    """Lock it, and see that this person may decide on exactly this payload now."""
    locked: Submission = Submission.objects.select_for_update(of=("self",)).get(pk=submission.pk)
    if not locked.is_for(by):
        raise NotPermitted(f"The policy has this approved or refused by: {locked.who_decides}.")
    if locked.maker_id == by.pk:
        raise NotPermitted("You made this, so another person must approve or refuse it.")
    if locked.state != State.PROPOSED:
        raise Conflict(f"This is no longer waiting for approval; it is now: {locked.get_state_display().lower()}.")
    if payload_sha256 != locked.payload_sha256:
        raise Conflict("What you were shown is not what would be sent. Open it again and compare the seal.")
    return locked


@transaction.atomic
def answer(submission: Submission, *, by: User | None, because: str) -> Submission:
    """Record that IBKR's question has its answer, and have it sent. The app keeps question and answer.

    `by` is None when a named rule answered. Raises Conflict when no question is open.
    """
    submission = Submission.objects.select_for_update().get(pk=submission.pk)
    if submission.state != State.QUESTION:
        raise Conflict(f"There is no open question; the order is now: {submission.get_state_display().lower()}.")
    before = audit.digest(submission)
    LIFECYCLE.move(submission, to=State.REPLYING, because=because, by=by, phase=Phase.REPLY, due_at=clock.now())
    audit.record("journal.answer", by=by, on=submission, summary=f"{because}: {submission.summary}", before=before)
    ring_on_commit(submission.reply, submission.pk)
    return submission


@transaction.atomic
def release(submission: Submission, *, by: User, evidence: str) -> Submission:
    """Allow a proven-absent submission to be sent again, under its own key; the second person's word sends it.

    `evidence` says what makes the person sure, e.g. IBKR's ticket number. An order is released on its own trading day
    only: IBKR knows its key again for about a day, so later the same key would not stop a second one (C.5, verify). Raises
    NotPermitted, Conflict, and InvalidInput without evidence.
    """
    submission = Submission.objects.select_for_update().get(pk=submission.pk)
    if not may(by, "journal.release"):
        raise NotPermitted("Only operations and principals may release this.")
    if submission.state != State.ABSENT:
        raise Conflict("Only what is proven absent at IBKR can be released.")
    if not evidence.strip():
        raise InvalidInput("evidence", "Nobody can check later why this was sent again.", "Say what makes you sure.")
    if submission.key_space == ORDER_KEYS and _day_of(submission.attempts.last()) != clock.today(clock.NEW_YORK):
        raise Conflict(
            "This order is of an earlier trading day and is not sent again. Withdraw it and write a new one."
        )
    number = submission.attempts.count()
    if submission.releases.filter(person=by, for_attempt=number).exists():
        raise Conflict("You have released this already; it needs a second person.")
    before = audit.digest(submission)
    word = Release.objects.create(
        submission=submission, person=by, evidence=evidence, for_attempt=number, at=clock.now()
    )
    if _are_of_two(submission.releases.filter(for_attempt=number)):
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
    audit.record(
        "journal.release", by=by, on=submission, summary=f"Released: {submission.summary}", before=before,
        changed=[audit.Standing(word)],
    )  # fmt: skip
    return submission


@transaction.atomic
def attest(submission: Submission, *, by: User, evidence: str) -> Submission:
    """Say, as one of two people, that IBKR has nothing of it: for a doubt that no look can end, because the host that sent
    it is gone, its session is over, or there is nothing beside it that a look could be held against.

    The second person's word makes it ABSENT, and nothing leaves by it: from there it is released or given up as after
    sound looks. `evidence` says what makes the person sure. Raises NotPermitted, InvalidInput without evidence, and
    Conflict when it is no doubt, or something speaks against it (`looking.speaks_against_absence`).
    """
    submission = Submission.objects.select_for_update().get(pk=submission.pk)
    if not may(by, "journal.release"):
        raise NotPermitted("Only operations and principals may say this.")
    if submission.state != State.UNKNOWN:
        raise Conflict(f"This is no open doubt any more; it is now: {submission.get_state_display().lower()}.")
    if not evidence.strip():
        raise InvalidInput("evidence", "Nobody can check later why this was believed.", "Say what makes you sure.")
    if why := looking.speaks_against_absence(submission):
        raise Conflict(f"This cannot be taken as absent: {why}.")
    number = submission.attempts.count()
    if submission.attestations.filter(person=by, for_attempt=number).exists():
        raise Conflict("You have said so already; it needs a second person.")
    before = audit.digest(submission)
    word = Attestation.objects.create(
        submission=submission, person=by, evidence=evidence.strip(), for_attempt=number, at=clock.now()
    )
    if _are_of_two(submission.attestations.filter(for_attempt=number)):
        looking.take_as_absent(submission, "two people say that IBKR has nothing of it", by)
    audit.record(
        "journal.attest", by=by, on=submission, summary=f"Said to be absent at IBKR: {submission.summary}",
        before=before, changed=[audit.Standing(word)],
    )  # fmt: skip
    return submission


def _are_of_two(words: "models.QuerySet[Any]") -> bool:
    """Whether two of those who gave their word may still give it; a person's second word was refused before."""
    return bool(sum(each.still_counts for each in words.select_related("person")) >= 2)


def _day_of(attempt: Attempt | None) -> date | None:
    return None if attempt is None else attempt.prepared_at.astimezone(clock.NEW_YORK).date()


def question_seconds() -> int:
    """How long a person has to answer IBKR's question before the answer is no (setting QUESTION_SECONDS)."""
    return int(settings.QUESTION_SECONDS)
