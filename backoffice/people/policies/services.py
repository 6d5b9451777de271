"""Which version is in force, and how another one comes to be: proposed by one principal, approved by a second."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Max

from backoffice.audit import services as audit
from backoffice.core import clock
from backoffice.core.errors import Conflict, InvalidInput, NotPermitted
from backoffice.people.models import PolicyApproval, PolicyStatus, PolicyVersion, User
from backoffice.people.policies.document import FIRST, Document, check, read
from backoffice.people.policy import may

_LOCK = 0x504F4C  # versions are numbered one after the other


@dataclass(frozen=True)
class Policy:
    """A numbered document. `row` is None for version 1, which is in code."""

    number: int
    document: Document
    row: PolicyVersion | None = None

    @property
    def number_text(self) -> str:
        return str(self.number)


def in_force(at: datetime | None = None) -> Policy:
    """Return the version that decides at an instant, now if none is given.

    The highest number that has begun: a version whose day comes after a later one has begun never takes effect, or an
    old decision would undo a newer one without anybody's word.
    """
    at = at or clock.now()
    row = (
        PolicyVersion.objects.filter(status=PolicyStatus.APPROVED, effective_at__lte=at, decided_at__lte=at)
        .order_by("-number")
        .first()
    )
    return _policy(row)


def scheduled() -> list[PolicyVersion]:
    """Return the approved versions whose day is still to come, the first to begin first."""
    begun = in_force().number
    later = PolicyVersion.objects.filter(status=PolicyStatus.APPROVED, effective_at__gt=clock.now(), number__gt=begun)
    rows = list(later.order_by("effective_at", "number"))
    return [
        row
        for row in rows
        if not any(row.number < each.number and each.effective_at <= row.effective_at for each in rows)
    ]


def version(number: int) -> Policy | None:
    """Return a version by its number, whatever became of it."""
    if number == 1:
        return Policy(1, FIRST)
    row = PolicyVersion.objects.filter(number=number).first()
    return _policy(row) if row else None


def _policy(row: PolicyVersion | None) -> Policy:
    if row is None:
        return Policy(1, FIRST)
    if hashlib.sha256(row.document_text.encode()).hexdigest() != row.document_sha256:
        raise Conflict(f"Policy version {row.number} is not the one that was approved.")
    return Policy(row.number, read(row.document_text), row)


@transaction.atomic
def propose(document: Document, *, by: User, reason: str, effective_at: datetime, based_on: int) -> PolicyVersion:
    """Put a new version before a second principal. Raises NotPermitted, InvalidInput, Conflict.

    `based_on` is the version the author saw: when another one came to be meanwhile, nothing is proposed.
    """
    if not may(by, "policies.propose"):
        raise NotPermitted("Only a principal may propose a change of policy.")
    check(document)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    current = in_force()
    if current.number != based_on:
        raise Conflict(f"Version {current.number} came into force meanwhile. Open the form again and start from it.")
    if document == current.document:
        raise InvalidInput("reason", "Nothing would change.", "Change a rule, or leave it.")
    if not reason.strip():
        raise InvalidInput("reason", "The person who approves needs to know why.", "Say it in a sentence.")
    now = clock.now()
    if PolicyVersion.objects.filter(status=PolicyStatus.PROPOSED).exists():
        raise Conflict("Another change waits for its second person. Decide on it, or take it back, first.")
    row = PolicyVersion(
        number=(PolicyVersion.objects.aggregate(last=Max("number"))["last"] or 1) + 1,
        document_text=document.as_text(),
        document_sha256=document.sha256,
        based_on=based_on,
        reason=reason.strip(),
        maker=by,
        proposed_at=now,
        effective_at=max(effective_at, now),
        status=PolicyStatus.PROPOSED,
    )
    row.save(force_insert=True)
    audit.record(
        "policies.propose", by=by, on=row, summary=f"Policy version {row.number} proposed", sha256=row.document_sha256
    )
    return row


def _waiting(row: PolicyVersion, by: User) -> PolicyVersion:
    locked = PolicyVersion.objects.select_for_update().get(pk=row.pk)
    if not may(by, "policies.approve"):
        raise NotPermitted("Only a principal may decide on a change of policy.")
    if locked.status != PolicyStatus.PROPOSED:
        raise Conflict(f"This change is no longer waiting; it is {locked.get_status_display().lower()}.")
    return locked


@transaction.atomic
def approve(row: PolicyVersion, *, by: User, document_sha256: str) -> PolicyVersion:
    """A second principal's yes to exactly this document. Raises NotPermitted, Conflict; the database holds both."""
    row = _waiting(row, by)
    if row.maker_id == by.pk:
        raise NotPermitted("You proposed this, so another principal must approve it.")
    if row.document_sha256 != document_sha256:
        raise Conflict("What you were shown is not what would take effect. Open it again and compare the seal.")
    if in_force().number != row.based_on:
        raise Conflict("Another version came into force since this was proposed. It must be proposed again.")
    before, now = audit.digest(row), clock.now()
    given = PolicyApproval.objects.create(version=row, approver=by, document_sha256=document_sha256, at=now)
    row.status, row.decided_at = PolicyStatus.APPROVED, now
    row.save(update_fields=["status", "decided_at"])
    audit.record(
        "policies.approve", by=by, on=row, summary=f"Policy version {row.number} approved", before=before,
        sha256=document_sha256, changed=[audit.Standing(given)],
    )  # fmt: skip
    return row


@transaction.atomic
def decline(row: PolicyVersion, *, by: User, reason: str) -> PolicyVersion:
    """Say no to a proposed version, or take one's own back. Raises NotPermitted, Conflict, InvalidInput."""
    row = _waiting(row, by)
    if not reason.strip():
        raise InvalidInput("reason", "A reason is needed.", "It stays beside the version.")
    before = audit.digest(row)
    row.status = PolicyStatus.WITHDRAWN if row.maker_id == by.pk else PolicyStatus.DECLINED
    row.decided_at, row.decision = clock.now(), reason.strip()
    row.save(update_fields=["status", "decided_at", "decision"])
    audit.record("policies.decline", by=by, on=row, summary=f"Policy version {row.number} {row.status}", before=before)
    return row
