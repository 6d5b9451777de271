"""Application, AccountTask, Document: the way from a draft to an open account."""

import json
import uuid
from typing import Any, ClassVar

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.urls import reverse

from backoffice.broker.models import MasterAccount
from backoffice.core import words
from backoffice.core.fields import EncryptedTextField
from backoffice.core.lifecycle import Lifecycle
from backoffice.journal.models import DOUBTFUL, Submission
from backoffice.people.models import Book, User
from clients.models.clients import Account, Client


class ApplicationStatus(models.TextChoices):
    """Where an application stands with us. What IBKR says of the account stands in `ibkr_status` and `ibkr_state`."""

    DRAFT = "draft", "Draft"
    SUBMITTED = "submitted", "Submitted"
    REFUSED = "refused", "Refused, to be mended"
    OPENED = "opened", "Open"
    REJECTED = "rejected", "Rejected"
    ABANDONED = "abandoned", "Abandoned"


APPLICATION_LIFECYCLE = Lifecycle(
    {
        ApplicationStatus.DRAFT: {ApplicationStatus.SUBMITTED, ApplicationStatus.ABANDONED},
        # An "Error" answer means that nothing was created: mend it and submit again (account-management.md section 7).
        ApplicationStatus.REFUSED: {ApplicationStatus.SUBMITTED, ApplicationStatus.ABANDONED},
        ApplicationStatus.SUBMITTED: {
            ApplicationStatus.DRAFT,  # stopped before it left: a second person said no
            ApplicationStatus.REFUSED,
            ApplicationStatus.OPENED,
            ApplicationStatus.REJECTED,
            ApplicationStatus.ABANDONED,
        },
    }
)  # OPENED, REJECTED and ABANDONED have no way out


class Stage(models.TextChoices):
    """The lane of the board. Derived from our status, IBKR's words and the open tasks; never set by hand."""

    DRAFT = "draft", "Draft"
    SUBMITTED = "submitted", "Submitted"
    CLIENT = "client", "Client action"
    DOCUMENTS = "documents", "Documents"
    REVIEW = "review", "IBKR review"
    OPEN = "open", "Open"
    REJECTED = "rejected", "Rejected"


class ApplicationQuerySet(models.QuerySet["Application"]):
    def visible_to(self, user: User) -> "ApplicationQuerySet":
        """Everything for operations and principals, their books for advisors and viewers, nothing for others."""
        if user.sees_every_book:
            return self
        return self.filter(book__members=user)

    def named(self, text: str) -> "ApplicationQuerySet":
        """Those in whose applicant's name some word begins with each word of `text`."""
        query = words.starting_with(text)
        return self.none() if query is None else self.filter(name_words=query)

    def unfinished(self) -> "ApplicationQuerySet":
        """Those whose end is not known yet."""
        return self.filter(status__in=[ApplicationStatus.DRAFT, ApplicationStatus.REFUSED, ApplicationStatus.SUBMITTED])

    def at_ibkr(self) -> "ApplicationQuerySet":
        """Those that have an account number and no end."""
        return self.filter(status=ApplicationStatus.SUBMITTED, account__isnull=False)


class Application(models.Model):
    """A request to open one person's account by the hybrid route: we send what is known, the client ends it in the portal.

    `draft_text` holds whatever was typed, valid or not. `external_id` is the key of the next or present sending; after a
    refusal a new one is taken, because IBKR does not say whether a refused one is burnt.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    intent = models.UUIDField(unique=True)
    book = models.ForeignKey(Book, on_delete=models.PROTECT, related_name="applications")
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="applications")
    master = models.ForeignKey(MasterAccount, on_delete=models.PROTECT, related_name="applications")
    client = models.ForeignKey(Client, null=True, on_delete=models.PROTECT, related_name="applications")
    account = models.OneToOneField(Account, null=True, on_delete=models.PROTECT, related_name="application")
    status = models.CharField(max_length=12, choices=ApplicationStatus.choices, default=ApplicationStatus.DRAFT)
    stage = models.CharField(max_length=12, choices=Stage.choices, default=Stage.DRAFT)
    stage_since = models.DateTimeField()
    external_id = models.CharField(max_length=64, unique=True)
    draft_text = EncryptedTextField(default="{}")  # JSON: what was typed, by field name
    version = models.PositiveIntegerField(default=0)
    saved_at = models.DateTimeField(null=True)
    saved_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    stops = models.PositiveSmallIntegerField(default=0)  # defects that stop the submission, as of the last save
    warnings = models.PositiveSmallIntegerField(default=0)
    applicant = models.CharField(max_length=110, blank=True)  # the name, readable for lists
    country = models.CharField(max_length=3, blank=True)
    margin = models.CharField(max_length=20, blank=True)
    refusal_text = EncryptedTextField(default="[]")  # JSON: [{"field", "words"}], IBKR's sentences of the last refusal
    ibkr_status = models.CharField(max_length=4, blank=True)
    ibkr_state = models.CharField(max_length=60, blank=True)
    polled_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    name_words = words.words_of("applicant")

    objects: ClassVar[Any] = ApplicationQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["status", "stage_since"], name="application_status"),
            GinIndex(fields=["name_words"], name="application_words"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=ApplicationStatus.values), name="application_status_known"
            )
        ]

    def __str__(self) -> str:
        return f"Application of {self.name}"

    def get_absolute_url(self) -> str:
        return reverse("clients:application_detail", args=[self.pk])

    @property
    def name(self) -> str:
        return self.applicant or "No name yet"

    @property
    def draft(self) -> dict[str, Any]:
        """What was typed, by field name; texts, lists of texts, or booleans."""
        content: dict[str, Any] = json.loads(self.draft_text)
        return content

    @property
    def refusals(self) -> list[dict[str, str]]:
        content: list[dict[str, str]] = json.loads(self.refusal_text)
        return content

    @property
    def is_editable(self) -> bool:
        return self.status in {ApplicationStatus.DRAFT, ApplicationStatus.REFUSED}

    @property
    def is_final(self) -> bool:
        return APPLICATION_LIFECYCLE.is_final(self.status)


class AccountTask(models.Model):
    """Something IBKR wants, or wanted, for an account. State and reason in IBKR's words, as they come."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="tasks")
    form_number = models.CharField(max_length=10, blank=True)
    form_name = models.CharField(max_length=160, blank=True)
    action = models.CharField(max_length=30, blank=True)  # "to sign", "to send", "to complete", "to check"
    external_id = models.CharField(max_length=64, blank=True)  # the person it is about
    state = models.CharField(max_length=300, blank=True)
    reject_reason = models.TextField(blank=True)
    is_required_for_approval = models.BooleanField(null=True)
    is_required_for_trading = models.BooleanField(null=True)
    is_online = models.BooleanField(null=True)  # done in IBKR's portal
    is_completed = models.BooleanField(default=False)
    since = models.DateTimeField()  # when it came to its present state, as far as we saw
    completed_at = models.DateTimeField(null=True)
    as_of = models.DateTimeField()

    class Meta:
        ordering = ["is_completed", "-is_required_for_approval", "form_number"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "form_number", "form_name", "external_id"], name="one_row_per_account_task"
            )
        ]

    def __str__(self) -> str:
        return f"{self.form_name} {self.form_number}".strip()

    @property
    def is_rejected(self) -> bool:
        return bool(self.reject_reason) and not self.is_completed

    @property
    def is_at_ibkr(self) -> bool:
        """Handed in, and IBKR is looking."""
        return not self.is_completed and not self.reject_reason and self.action == "to check"

    @property
    def takes_document(self) -> bool:
        """Tell whether a file answers it: an outside paper, which is neither a portal step nor being looked at."""
        return not self.is_completed and self.action == "to send" and bool(self.form_number) and not self.is_at_ibkr


class DocumentStatus(models.TextChoices):
    PROMISED = "promised", "On its way to IBKR"
    SENT = "sent", "At IBKR"
    REFUSED = "refused", "Not taken by IBKR"
    ACCEPTED = "accepted", "Accepted"
    REJECTED = "rejected", "Rejected"


DOCUMENT_LIFECYCLE = Lifecycle(
    {
        DocumentStatus.PROMISED: {DocumentStatus.SENT, DocumentStatus.REFUSED},
        DocumentStatus.SENT: {DocumentStatus.ACCEPTED, DocumentStatus.REJECTED},
    }
)


class DocumentQuerySet(models.QuerySet["Document"]):
    def for_review(self) -> "DocumentQuerySet":
        """Without the file, which no list shows and which is large to read and to open."""
        return self.defer("content")


class Document(models.Model):
    """A file given to IBKR for a task. The bytes are kept sealed, exactly as uploaded: IBKR checks their SHA-1."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    intent = models.UUIDField(unique=True)
    task = models.ForeignKey(AccountTask, on_delete=models.PROTECT, related_name="documents")
    form_number = models.CharField(max_length=10)
    proof_type = models.CharField(max_length=60, blank=True)  # IBKR's word: "Utility Bill", "Passport"
    expires_on = models.DateField(null=True)
    file_name = models.CharField(max_length=20)  # as sent; IBKR fails on longer ones
    original_name = EncryptedTextField()  # people name files after people
    content_type = models.CharField(max_length=40)
    size = models.PositiveIntegerField()  # bytes
    sha1 = models.CharField(max_length=40)
    sha256 = models.CharField(max_length=64)
    content = EncryptedTextField()  # base64 of the bytes
    status = models.CharField(max_length=12, choices=DocumentStatus.choices, default=DocumentStatus.PROMISED)
    reason = models.TextField(blank=True)  # IBKR's words when it was refused or rejected
    uploaded_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    uploaded_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)  # when IBKR took it

    objects: ClassVar[Any] = DocumentQuerySet.as_manager()

    class Meta:
        ordering = ["-uploaded_at"]

    def __str__(self) -> str:
        return str(self.original_name)

    @property
    def doubt(self) -> Submission | None:
        """Its sending, while nobody knows whether IBKR has the file."""
        if self.status != DocumentStatus.PROMISED:
            return None
        sent: Submission | None = Submission.objects.for_subject(self).filter(state__in=DOUBTFUL).first()
        return sent
