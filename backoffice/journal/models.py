"""Submission, Approval, Release, Attestation, Attempt, Observation, Orphan, Inquiry, Heartbeat."""

import hashlib
import json
import uuid
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django.apps import apps
from django.conf import settings
from django.db import models

from backoffice.broker.models import MasterAccount
from backoffice.core import clock
from backoffice.core.fields import EncryptedTextField
from backoffice.core.lifecycle import Lifecycle
from backoffice.core.sql import DESTROYED
from backoffice.people.models import Role, User
from backoffice.people.policy import may

CLAIM_LASTS = timedelta(minutes=30)  # how long "I am looking at it" keeps others away; longer than any look takes


class State(models.TextChoices):
    PROPOSED = "proposed", "Awaiting approval"
    READY = "ready", "Waiting to be sent"
    CLAIMED = "claimed", "About to be sent"
    SENDING = "sending", "Being sent"
    QUESTION = "question", "IBKR asks"
    REPLYING = "replying", "Answer on its way"
    ACKED = "acked", "Taken by IBKR"
    REJECTED = "rejected", "Refused by IBKR"
    UNKNOWN = "unknown", "Outcome unknown"
    ABSENT = "absent", "Proven absent at IBKR"
    VOID = "void", "Withdrawn"


LIFECYCLE = Lifecycle(
    {
        State.PROPOSED: {State.READY, State.VOID},
        # A released submission may turn out to be there after all, until its second sending begins.
        State.READY: {State.CLAIMED, State.VOID, State.ACKED, State.UNKNOWN},
        State.CLAIMED: {State.READY, State.REPLYING, State.SENDING, State.ACKED, State.UNKNOWN},
        State.SENDING: {State.ACKED, State.REJECTED, State.QUESTION, State.READY, State.REPLYING, State.UNKNOWN},
        State.QUESTION: {State.REPLYING, State.UNKNOWN},
        State.REPLYING: {State.CLAIMED, State.UNKNOWN},
        State.UNKNOWN: {State.ACKED, State.REJECTED, State.ABSENT},
        # Something else under its key is no absence any more: a doubt again, which nobody can release.
        State.ABSENT: {State.READY, State.VOID, State.ACKED, State.REJECTED, State.UNKNOWN},
    },
    column="state",
)  # ACKED, REJECTED and VOID have no way out


# What may be at IBKR without our knowing. Looking goes on in both: what is proven absent may still come late (S21).
DOUBTFUL = (State.UNKNOWN, State.ABSENT)
# What IBKR shows under a key of these is that very submission; a task or an alias may show what another one did.
KEYS_OF_ONE = frozenset({"clientInstructionId", "externalId", "cOID"})
# Not at IBKR as far as we know, and about to be sent; a look or a late answer may still show that it is.
UNSENT = (State.READY, State.CLAIMED)


class Phase(models.TextChoices):
    """Which message of the conversation is next: the submission itself, or the answer to IBKR's question."""

    SEND = "send", "Send"
    REPLY = "reply", "Reply"


class SubmissionQuerySet(models.QuerySet["Submission"]):
    def for_subject(self, subject: models.Model) -> "SubmissionQuerySet":
        return self.filter(subject_model=subject._meta.label_lower, subject_id=str(subject.pk))

    def in_conversation(self) -> "SubmissionQuerySet":
        """Those that hold their session's lane: another order now would void IBKR's question (trading.md 8.3)."""
        return self.filter(state__in=[State.CLAIMED, State.SENDING, State.QUESTION, State.REPLYING])

    def claimed(self) -> "SubmissionQuerySet":
        """Those somebody is looking at now; a claim that has lapsed is none."""
        return self.filter(claimed_by__isnull=False, claimed_at__gt=clock.now() - CLAIM_LASTS)

    def unclaimed(self) -> "SubmissionQuerySet":
        return self.filter(
            models.Q(claimed_by=None) | models.Q(claimed_at=None) | models.Q(claimed_at__lte=clock.now() - CLAIM_LASTS)
        )

    def needing_a_person(self) -> "SubmissionQuerySet":
        return self.filter(state__in=DOUBTFUL)


class Submission(models.Model):
    """One intended effect at IBKR, with its exact payload and the key it keeps for life.

    Frozen from its first commit: operation, subject, payload hash, key, maker (a trigger refuses changes).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    operation = models.CharField(max_length=60)  # the task that sends it, e.g. "funding.send_transfer"
    look = models.CharField(max_length=60)  # the task that looks for it at IBKR
    reply = models.CharField(max_length=60, blank=True)  # the task that sends an answer to IBKR's question
    subject_model = models.CharField(max_length=80)
    subject_id = models.CharField(max_length=40)
    summary = models.CharField(max_length=200)
    payload_text = EncryptedTextField()
    payload_sha256 = models.CharField(max_length=64)
    key_space = models.CharField(max_length=30)  # "externalId", "cOID", "clientInstructionId", ...
    key = models.CharField(max_length=64)
    master = models.ForeignKey(MasterAccount, on_delete=models.PROTECT, related_name="submissions")
    lane = models.CharField(max_length=20)
    maker = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="made")
    approvals_needed = models.PositiveSmallIntegerField(default=0)
    # What the policy looked at and what it said, so that a later version can be tried on it.
    kind = models.CharField(max_length=20, blank=True)
    amount_usd = models.DecimalField(max_digits=24, decimal_places=2, null=True)
    accounts = models.JSONField(default=list)
    destination_since = models.DateTimeField(null=True)
    flags = models.JSONField(default=list)
    policy_number = models.PositiveIntegerField(null=True)
    policy_hits = models.JSONField(default=list)
    approver_roles = models.JSONField(default=list)
    claimed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    claimed_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=12, choices=State.choices)
    phase = models.CharField(max_length=8, choices=Phase.choices, default=Phase.SEND)
    due_at = models.DateTimeField()
    fence = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    unsent_tries = models.PositiveSmallIntegerField(default=0)
    reference = models.CharField(max_length=80, blank=True)  # IBKR's own id once known
    reason = models.TextField(blank=True)  # IBKR's words of refusal, or ours for a doubt
    looks = models.PositiveSmallIntegerField(default=0)
    next_look_at = models.DateTimeField(null=True)
    unknown_since = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    claimed_ns = 0  # no column: when the worker that holds this instance claimed it, by a clock that never jumps

    objects: ClassVar[Any] = SubmissionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["key_space", "key"], name="one_submission_per_key"),
            models.CheckConstraint(condition=models.Q(state__in=State.values), name="submission_state_known"),
        ]
        indexes = [
            models.Index(fields=["subject_model", "subject_id"], name="submission_subject"),
            models.Index(
                fields=["state", "due_at"],
                name="submission_unsettled",
                condition=~models.Q(state__in=["acked", "rejected", "void"]),
            ),
            models.Index(fields=["created_at", "id"], name="submission_proposed", condition=models.Q(state="proposed")),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.key}"

    @property
    def claimant(self) -> User | None:
        """Who is looking at it; nobody once the claim has lapsed, so that no absence holds it up."""
        return self.claimed_by if self.claim_ends is not None and clock.now() < self.claim_ends else None

    @property
    def claim_ends(self) -> datetime | None:
        return self.claimed_at + CLAIM_LASTS if self.claimed_at is not None else None

    @property
    def payload(self) -> dict[str, Any]:
        """The payload as approved; amounts are Decimal."""
        content: dict[str, Any] = json.loads(self.payload_text, parse_float=Decimal)
        return content

    @property
    def payload_is_intact(self) -> bool:
        return hashlib.sha256(self.payload_text.encode()).hexdigest() == self.payload_sha256

    @property
    def subject(self) -> Any:
        """The row this effect is about; read by name, because the journal knows no app."""
        return apps.get_model(self.subject_model)._default_manager.get(pk=self.subject_id)

    @property
    def why_not_sent(self) -> str:
        """Say why what this is about must not be sent any more, where its own model knows of such a thing; else empty."""
        subject = apps.get_model(self.subject_model)._default_manager.filter(pk=self.subject_id).first()
        return str(subject.why_not_sent(self)) if hasattr(subject, "why_not_sent") else ""

    @property
    def is_final(self) -> bool:
        return LIFECYCLE.is_final(self.state)

    @property
    def is_in_doubt(self) -> bool:
        return self.state in DOUBTFUL

    @property
    def has_a_key_of_its_own(self) -> bool:
        """Whether what IBKR shows under its key is this very submission, also when it comes late."""
        return self.key_space in KEYS_OF_ONE

    @property
    def why_absent(self) -> str:
        """Say what its absence rests on: sound looks, or the word of two people."""
        if self.attestations.filter(for_attempt=self.attempts.count()).count() >= 2:
            return "Two people say, with evidence, that IBKR has nothing of it."
        return "Several sound looks did not find it at IBKR."

    def is_for(self, user: User) -> bool:
        """Tell whether a role of this person's decides on it: the roles of the policy that held when it was made, or
        principals where no rule named any. The one rule, for every page and the API; the database holds it too.
        """
        return may(user, "journal.approve") and user.role in (self.approver_roles or [Role.PRINCIPAL])

    def may_be_decided_by(self, user: User) -> bool:
        """Tell whether this person may approve or refuse it now."""
        return self.state == State.PROPOSED and self.is_for(user) and self.maker_id != user.pk

    @property
    def who_decides(self) -> str:
        return " or ".join(str(Role(role).label).lower() for role in self.approver_roles or [Role.PRINCIPAL])


class Approval(models.Model):
    """A second person's yes to one exact payload. Append-only; a trigger holds hash and person."""

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="approvals")
    approver = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    payload_sha256 = models.CharField(max_length=64)
    reason = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["submission", "approver"], name="one_approval_per_person")]

    @property
    def still_counts(self) -> bool:
        """Whether the approver could say so now: roles change. The database holds the same rule."""
        return self.submission.is_for(self.approver)


class Answer(models.TextChoices):
    REJECTED = "rejected", "Not approved"
    RETURNED = "returned", "Returned for change"


class Rejection(models.Model):
    """A second person's no to one exact payload, or its return to the maker. Append-only; a trigger holds hash and person."""

    submission = models.OneToOneField(Submission, on_delete=models.PROTECT, related_name="rejection")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    answer = models.CharField(max_length=10, choices=Answer.choices)
    payload_sha256 = models.CharField(max_length=64)
    reason = models.TextField()
    at = models.DateTimeField()


class Evidence(models.Model):
    """A paper beside a submission, such as the note of a call-back; encrypted, append-only, checked when it came in.

    Two things may still be done to it (a trigger): sealing its content under another key, and emptying it with the
    personal data of its client.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="evidence")
    file_name = models.CharField(max_length=120)
    content_type = models.CharField(max_length=60)
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    content = EncryptedTextField()  # base64
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    added_at = models.DateTimeField()

    class Meta:
        ordering = ["added_at", "id"]
        constraints = [models.UniqueConstraint(fields=["submission", "sha256"], name="one_paper_once")]

    @property
    def is_destroyed(self) -> bool:
        return self.file_name == DESTROYED


class Release(models.Model):
    """One of the two people who allow a proven-absent submission to be sent again under its own key. Append-only."""

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="releases")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    evidence = models.TextField()
    for_attempt = (
        models.PositiveSmallIntegerField()
    )  # the attempt that came to nothing; a later doubt needs new releases
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["submission", "person", "for_attempt"], name="one_release_per_person")
        ]

    @property
    def still_counts(self) -> bool:
        """Whether this person could say so now, as for an approval. The database holds the same rule."""
        return may(self.person, "journal.release")


class Attestation(models.Model):
    """One of two people's word that IBKR has nothing of an UNKNOWN submission, where no look can tell. Append-only."""

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="attestations")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    evidence = models.TextField()
    for_attempt = models.PositiveSmallIntegerField()  # the attempt in doubt; a later doubt needs new words
    at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "attestations"
        constraints = [
            models.UniqueConstraint(fields=["submission", "person", "for_attempt"], name="one_attestation_per_person")
        ]

    @property
    def still_counts(self) -> bool:
        """Whether this person could say so now, as for a release. The database holds the rule when it is given."""
        return may(self.person, "journal.release")


class AttemptOutcome(models.TextChoices):
    NOT_SENT = "not_sent", "No byte left"
    ACK = "ack", "Taken"
    REJECT = "reject", "Refused"
    QUESTION = "question", "Question"
    AMBIGUOUS = "ambiguous", "Not known"


class Attempt(models.Model):
    """One sending. Opened and committed before the first byte, closed once; a trigger refuses a second close."""

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="attempts")
    number = models.PositiveSmallIntegerField()
    phase = models.CharField(max_length=8, choices=Phase.choices)
    fence = models.BigIntegerField()
    request_sha256 = models.CharField(max_length=64)
    session_serial = models.BigIntegerField(null=True)
    host = models.CharField(max_length=120)  # processes.place()
    pid = models.PositiveIntegerField()
    process_started = models.CharField(max_length=40)
    prepared_at = models.DateTimeField()
    deadline = models.DateTimeField()
    outcome = models.CharField(max_length=12, choices=AttemptOutcome.choices, null=True)
    detail = models.TextField(blank=True)
    answer = models.JSONField(null=True)  # IBKR's answer, redacted by field name
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["submission", "number"], name="attempts_are_numbered"),
            models.UniqueConstraint(
                fields=["submission"], name="one_attempt_in_flight", condition=models.Q(outcome__isnull=True)
            ),
        ]

    @property
    def host_name(self) -> str:
        """The host alone, as an operator would look for it."""
        return self.host.partition("/")[0]


class Finding(models.TextChoices):
    FOUND = "found", "Found at IBKR"
    CLEAN = "clean", "Not there, and the look was sound"
    INCONCLUSIVE = "inconclusive", "The look proves nothing"
    MISMATCH = "mismatch", "Found, but not what was sent"


class Observation(models.Model):
    """What one look at IBKR, or an answer that came late, showed about a submission. Append-only."""

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="observations")
    finding = models.CharField(max_length=12, choices=Finding.choices)
    source = models.CharField(max_length=80)
    detail = models.TextField(blank=True)
    session_serial = models.BigIntegerField(null=True)
    data = models.JSONField(default=dict)
    at = models.DateTimeField()

    class Meta:
        ordering = ["at", "id"]


class Orphan(models.Model):
    """Something that exists at IBKR and that no submission explains."""

    kind = models.CharField(max_length=20)
    broker_id = models.CharField(max_length=60)
    first_seen_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "broker_id"], name="one_row_per_broker_object")]


# A worker that is free answers within some tens of milliseconds of IBKR, so the first looks follow each other closely.
_ASK_AGAIN = ((timedelta(seconds=1), 50), (timedelta(seconds=3), 150), (timedelta(seconds=10), 400))


class InquiryState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    TAKEN = "taken", "Being asked"
    ANSWERED = "answered", "Answered"
    FAILED = "failed", "Failed"


class Inquiry(models.Model):
    """A read from IBKR that a person waits for. The page polls this row; a worker answers it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=60)  # the task that answers it, e.g. "trading.answer_quote"
    params = models.JSONField()
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=InquiryState.choices, default=InquiryState.WAITING)
    answer_text = EncryptedTextField(null=True)
    message = models.TextField(blank=True)  # why it failed, in plain words
    asked_at = models.DateTimeField()
    taken_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "inquiries"
        indexes = [
            models.Index(fields=["asked_at"], name="inquiry_open", condition=models.Q(state__in=["waiting", "taken"]))
        ]

    @property
    def answer(self) -> Any:
        return None if self.answer_text is None else json.loads(self.answer_text, parse_float=Decimal)

    @property
    def ask_again_ms(self) -> int:
        """How long the page waits before it asks again: hardly at all while an answer is likely, then less often."""
        age = clock.now() - self.asked_at
        return next((wait for limit, wait in _ASK_AGAIN if age < limit), 1000)

    @property
    def is_final(self) -> bool:
        return self.state in {InquiryState.ANSWERED, InquiryState.FAILED}


class Heartbeat(models.Model):
    """The last sign of life of beat and of each lane's workers."""

    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField()
