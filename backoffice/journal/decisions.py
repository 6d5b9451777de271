"""Around an approval: what an app shows of its own, papers, and several identical things approved one by one."""

import base64
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from backoffice.audit import services as audit
from backoffice.core import clock, uploads
from backoffice.core.errors import Conflict, NotPermitted, Refusal
from backoffice.core.models import StatusEvent
from backoffice.core.money import Money
from backoffice.core.sql import DESTROYED
from backoffice.journal import services as journal
from backoffice.journal.models import Attestation, Evidence, Rejection, Release, State, Submission
from backoffice.people.models import User
from backoffice.people.policies import services as policies
from backoffice.people.policies.comparing import Difference
from backoffice.people.policy import may

MOST_AT_ONCE = 50
YOUNG = timedelta(days=30)  # bank details that are no routine yet
LONGEST_NAME = 80
MOST_PAPERS = 20  # beside one submission, of 10 MB each: the whole case of a transfer, and no archive
FULL = f"{MOST_PAPERS} papers are kept beside this, and no more can be. Join what belongs together into one file next time."


@dataclass(frozen=True)
class Review:
    """What an app says about one of its things: `facts` in human terms, what is otherwise `now` than when it was made,
    and a `preview` of what it will do with the time it is from. Whoever approves it types `amount` again, where it has one.
    """

    facts: list[tuple[str, Any]]
    now: list[Difference] = field(default_factory=list)
    preview: list[tuple[str, Any]] = field(default_factory=list)
    previewed_at: datetime | None = None
    redo: str = ""  # where its maker finds what was typed, once it came back
    amount: Money | None = None


@dataclass(frozen=True)
class Headline:
    """What Today says of a thing that waits: its name, one sentence, and an amount as Money or in words."""

    title: str
    detail: str = ""
    amount: Any = ""


Reviewer = Callable[[Submission, Any], Review]
Titler = Callable[[Submission, Any], Headline]
_reviewers: dict[str, Reviewer] = {}
_titlers: dict[str, Titler] = {}


def register(subject_model: str, reviewer: Reviewer, titler: Titler | None = None) -> None:
    """Let an app say what stands on the approval page of its rows ("funding.cashtransfer"), and on Today; the journal
    knows no app.
    """
    _reviewers[subject_model] = reviewer
    if titler is not None:
        _titlers[subject_model] = titler


def review(submission: Submission, subject: Any) -> Review:
    reviewer = _reviewers.get(submission.subject_model)
    return reviewer(submission, subject) if reviewer else Review([])


def headline(submission: Submission, subject: Any) -> Headline:
    titler = _titlers.get(submission.subject_model)
    if titler is not None:
        return titler(submission, subject)
    worth = submission.amount_usd
    return Headline(submission.summary, amount="" if worth is None else Money(worth, "USD"))


@transaction.atomic
def add_evidence(submission: Submission, *, name: str, content: bytes, by: User) -> Evidence:
    """Keep a checked paper beside something that is not sent yet. The same file twice is one paper.

    Raises NotPermitted, Conflict once it is decided or has MOST_PAPERS, InvalidInput on `file` for what may not be kept.
    """
    if not may(by, "journal.add_evidence"):
        raise NotPermitted("Your role may read papers here, not add any.")
    safe = uploads.check(content)
    locked = Submission.objects.select_for_update(of=("self",)).get(pk=submission.pk)
    if locked.state != State.PROPOSED:
        raise Conflict("This is decided; a paper would come too late.")
    sha256 = hashlib.sha256(safe.content).hexdigest()
    kept: Evidence | None = locked.evidence.filter(sha256=sha256).first()
    if kept is not None:
        return kept
    if locked.evidence.count() >= MOST_PAPERS:
        raise Conflict(FULL)
    paper = Evidence.objects.create(
        submission=locked,
        file_name=uploads.short_name(name, safe.extension, longest=LONGEST_NAME),
        content_type=safe.content_type,
        size=len(safe.content),
        sha256=sha256,
        content=base64.b64encode(safe.content).decode(),
        added_by=by,
        added_at=clock.now(),
    )
    audit.record(
        "journal.add_evidence", by=by, on=locked, summary=f"Paper added: {locked.summary}", sha256=sha256,
        changed=[audit.Standing(paper)],
    )  # fmt: skip
    return paper


def content_of(paper: Evidence) -> bytes:
    """Return the bytes that were added. Raises Conflict when they were destroyed, or are not what the digest says."""
    if paper.is_destroyed:
        raise Conflict("This paper was destroyed with its client's personal data. Its digest stays.")
    content = base64.b64decode(paper.content)
    if hashlib.sha256(content).hexdigest() != paper.sha256:
        raise Conflict("What is kept is not the paper that was added. Tell your administrator; nothing was handed out.")
    return content


def forget(subject_model: str, subject_id: str, *, and_payload: bool = True) -> list[audit.Standing]:
    """Empty what people wrote about a row ("funding.cashtransfer"), in the caller's transaction: why it moved, why it was
    approved or not, and the papers beside it; with `and_payload` also what was sent. Return what was changed.

    Who did what, when, and from which state to which stays, and so do the digests of payloads and papers.
    """
    was = _forget_words(StatusEvent.objects.filter(subject_model=subject_model, subject_id=subject_id), "because")
    for submission in Submission.objects.filter(subject_model=subject_model, subject_id=subject_id):
        was += audit.standing(submission)
        submission.reason = submission.reason and DESTROYED
        submission.payload_text = "{}" if and_payload else submission.payload_text
        submission.save(update_fields=["reason", "payload_text"])
        moves = StatusEvent.objects.filter(subject_model=submission._meta.label_lower, subject_id=str(submission.pk))
        was += _forget_words(moves, "because")
        was += _forget_words(submission.approvals.all(), "reason")
        was += _forget_words(Rejection.objects.filter(submission=submission), "reason")
        was += _forget_words(Release.objects.filter(submission=submission), "evidence")
        was += _forget_words(Attestation.objects.filter(submission=submission), "evidence")
        was += _forget_papers(submission)
    return was


def _forget_words(rows: "QuerySet[Any]", column: str) -> list[audit.Standing]:
    written = list(rows.exclude(**{f"{column}__in": ["", DESTROYED]}))
    was = audit.standing(*written)
    for row in written:
        setattr(row, column, DESTROYED)
        row.save(update_fields=[column])
    return was


def _forget_papers(submission: Submission) -> list[audit.Standing]:
    kept = list(submission.evidence.all())
    was = audit.standing(*kept)
    for paper in kept:
        paper.content, paper.file_name = "", DESTROYED
        paper.save(update_fields=["content", "file_name"])
    return was


def why_not_together(rows: Iterable[Submission]) -> str:
    """Say why these cannot be approved at one press; empty when they can: one kind caught by one rule that asks for one
    person, no flags, to bank details that have long been known, small, and of known worth.
    """
    chosen = list(rows)
    below = policies.in_force().document.batch_below_usd
    if not below:
        return "The policy in force has everything approved one by one."
    if len(chosen) < 2:
        return "Choose at least two."
    if len(chosen) > MOST_AT_ONCE:
        return f"At most {MOST_AT_ONCE} at once."
    if len({(row.operation, row.kind, tuple(row.policy_hits)) for row in chosen}) > 1:
        return "These are not of one kind, or not held back by the same rule."
    if several := [row for row in chosen if row.approvals_needed > 1]:
        return f"{several[0].summary} needs {several[0].approvals_needed} people; each looks at it by itself."
    if flagged := [row for row in chosen if row.flags]:
        return f"{flagged[0].summary} has a risk flag; it is looked at by itself."
    known_by = clock.now() - YOUNG
    if young := [row for row in chosen if row.destination_since and row.destination_since > known_by]:
        return f"{young[0].summary} goes to new or changed bank details; it is looked at by itself."
    if any(row.amount_usd is None or row.amount_usd >= below for row in chosen):
        return f"Together only what is below USD {below:,.0f}."
    return ""


@dataclass(frozen=True)
class Decided:
    """One item of a batch; `error` is empty when it was approved."""

    submission: Submission
    error: str = ""


def approve_together(shown: list[tuple[Submission, str]], *, by: User) -> list[Decided]:
    """Approve each of several identical, small, unflagged things by the hash it was shown with, each by its own row.

    Each stands or falls by itself. Raises Conflict when they may not be approved together; then none is.
    """
    if refusal := why_not_together(row for row, _ in shown):
        raise Conflict(refusal)
    results = []
    for row, sha256 in shown:
        try:
            journal.approve(row, by=by, payload_sha256=sha256, reason=f"one of {len(shown)} approved together")
            results.append(Decided(row))
        except Refusal as error:
            results.append(Decided(row, str(error)))
    return results
