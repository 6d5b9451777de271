"""MaintenanceRequest: one change to something that exists at IBKR, followed until IBKR shows it."""

import json
import uuid
from typing import Any, ClassVar

from django.db import models
from django.urls import reverse

from backoffice.core.fields import EncryptedTextField
from backoffice.core.lifecycle import Lifecycle
from backoffice.people.models import User
from clients.models.clients import Account


class CaseKind(models.TextChoices):
    ALIAS = "alias", "Account alias"
    ADDRESS = "address", "Residence address"


class CaseStatus(models.TextChoices):
    REQUESTED = "requested", "Not at IBKR yet"
    AT_IBKR = "at_ibkr", "At IBKR"
    SEEN = "seen", "Done"
    REFUSED = "refused", "Refused by IBKR"
    REPLACED = "replaced", "Replaced"
    WITHDRAWN = "withdrawn", "Not sent"


CASE_LIFECYCLE = Lifecycle(
    {
        CaseStatus.REQUESTED: {
            CaseStatus.AT_IBKR,
            CaseStatus.SEEN,
            CaseStatus.REFUSED,
            CaseStatus.REPLACED,
            CaseStatus.WITHDRAWN,
        },
        CaseStatus.AT_IBKR: {CaseStatus.SEEN, CaseStatus.REFUSED, CaseStatus.REPLACED},
    }
)  # SEEN, REFUSED, REPLACED and WITHDRAWN have no way out


class MaintenanceQuerySet(models.QuerySet["MaintenanceRequest"]):
    def visible_to(self, user: User) -> "MaintenanceQuerySet":
        if user.sees_every_book:
            return self
        return self.filter(account__client__book__members=user)

    def waiting(self) -> "MaintenanceQuerySet":
        return self.filter(status__in=[CaseStatus.REQUESTED, CaseStatus.AT_IBKR])


class MaintenanceRequest(models.Model):
    """One change of an alias or an address. Done only when IBKR's own details show the new value."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    intent = models.UUIDField(unique=True)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="cases")
    kind = models.CharField(max_length=10, choices=CaseKind.choices)
    before_text = EncryptedTextField()  # JSON: field -> value, as we knew it when it was asked for
    after_text = EncryptedTextField()
    status = models.CharField(max_length=12, choices=CaseStatus.choices, default=CaseStatus.REQUESTED)
    request_id = models.CharField(max_length=30, blank=True)  # IBKR's; empty when it took effect at once
    ibkr_word = models.CharField(max_length=40, blank=True)  # IBKR's own status of the request
    words = models.TextField(blank=True)  # IBKR's sentence, if it said one
    doubt = models.TextField(blank=True)  # ours: why it stays open
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    checked_at = models.DateTimeField(null=True)  # the last look at IBKR's details
    ended_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = MaintenanceQuerySet.as_manager()

    class Meta:
        verbose_name = "maintenance case"
        ordering = ["-requested_at"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.account}"

    def get_absolute_url(self) -> str:
        return reverse("clients:maintenance_detail", args=[self.pk])

    @property
    def before(self) -> dict[str, str]:
        content: dict[str, str] = json.loads(self.before_text)
        return content

    @property
    def after(self) -> dict[str, str]:
        content: dict[str, str] = json.loads(self.after_text)
        return content

    @property
    def is_final(self) -> bool:
        return CASE_LIFECYCLE.is_final(self.status)
