"""Entry, Seal, Disclosure, Exchange, Verification."""

import uuid
from typing import Any

from django.conf import settings
from django.db import models


class Entry(models.Model):
    """One action. Holds references and digests, never personal data. Append-only."""

    at = models.DateTimeField()
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    action = models.CharField(max_length=80)  # "funding.request_withdrawal"
    subject_model = models.CharField(max_length=80, blank=True)
    subject_id = models.CharField(max_length=40, blank=True)
    summary = models.TextField()
    address = models.GenericIPAddressField(null=True)
    correlation = models.CharField(max_length=40, blank=True)
    before = models.CharField(max_length=64, blank=True)  # keyed digest of the subject before, where the act changed it
    after = models.CharField(max_length=64, blank=True)
    data = models.JSONField(default=dict)
    key_id = models.CharField(max_length=40, blank=True)
    mac = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name_plural = "entries"
        indexes = [
            models.Index(fields=["subject_model", "subject_id", "at"], name="audit_subject"),
            models.Index(fields=["at", "id"], name="audit_when"),
            models.Index(fields=["actor", "at"], name="audit_who"),
            models.Index(fields=["action", "at"], name="audit_what"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.action}"

    @property
    def subject_word(self) -> str:
        """The kind of object in one word, "cashtransfer"."""
        return self.subject_model.rpartition(".")[2]

    @property
    def is_sealed(self) -> bool:
        return hasattr(self, "seal")


class Seal(models.Model):
    """An entry's place in the chain. Append-only; written by `sealing` alone."""

    position = models.BigIntegerField(primary_key=True)  # 1, 2, 3, ... without a gap
    entry = models.OneToOneField(Entry, on_delete=models.PROTECT, related_name="seal")
    key_id = models.CharField(max_length=40)
    seal = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"{self.position} {self.seal[:10]}"


class Disclosure(models.Model):
    """One row whose personal data left with an entry: a reveal, a download, a line of an export. Append-only."""

    entry = models.ForeignKey(Entry, on_delete=models.PROTECT, related_name="disclosures")
    subject_model = models.CharField(max_length=80)
    subject_id = models.CharField(max_length=40)

    class Meta:
        indexes = [models.Index(fields=["subject_model", "subject_id"], name="disclosure_subject")]


class Exchange(models.Model):
    """One exchange with IBKR as digests: no body, no address beyond its template, nobody's number. Append-only.

    What belongs to a business object or was a write is kept; a read that served nobody in particular is swept after days.
    """

    at = models.DateTimeField()
    connection = models.UUIDField()  # the MasterAccount's key
    lane = models.CharField(max_length=20, blank=True)
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=160)  # the template, "/gw/api/v1/accounts/{}/status"
    status = models.PositiveSmallIntegerField(null=True)  # None: no answer
    outcome = models.CharField(max_length=120)  # "answered", or what broke
    milliseconds = models.PositiveIntegerField()
    request_id = models.CharField(max_length=40)  # what we sent IBKR as X-Request-ID
    request_sha256 = models.CharField(max_length=64)
    answer_sha256 = models.CharField(max_length=64, blank=True)
    subject_model = models.CharField(max_length=80, blank=True)
    subject_id = models.CharField(max_length=40, blank=True)
    correlation = models.CharField(max_length=40, blank=True)
    is_kept = models.BooleanField()

    class Meta:
        indexes = [
            models.Index(
                fields=["subject_model", "subject_id", "at"], name="exchange_subject",
                condition=~models.Q(subject_model=""),
            ),
            models.Index(fields=["at"], name="exchange_swept", condition=models.Q(is_kept=False)),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Verification(models.Model):
    """One check of the whole chain that a person asked for; a worker runs it, the page polls this row."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting for a worker"
        RUNNING = "running", "Running"
        WHOLE = "whole", "Whole"
        BROKEN = "broken", "Broken"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    checked = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    report: Any = models.JSONField(default=dict)

    class Meta:
        ordering = ["-asked_at"]

    @property
    def is_final(self) -> bool:
        return self.state in {self.State.WHOLE, self.State.BROKEN}
