"""LegalHold, Destruction: why personal data must stay, and how it goes when nothing keeps it any longer."""

import uuid

from django.db import models
from django.db.models import F, Q

from backoffice.people.models import User
from clients.models.clients import Client


class LegalHold(models.Model):
    """Nothing of this client is destroyed while one stands. Whoever placed it does not release it; it is never deleted."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="holds")
    reason = models.CharField(max_length=300)
    placed_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    placed_at = models.DateTimeField()
    released_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    released_at = models.DateTimeField(null=True)
    release_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-placed_at"]
        constraints = [
            models.CheckConstraint(condition=~Q(released_by=F("placed_by")), name="hold_released_by_another"),
            models.CheckConstraint(
                condition=Q(released_by=None, released_at=None)
                | Q(released_by__isnull=False, released_at__isnull=False),
                name="hold_release_is_whole",
            ),
        ]

    def __str__(self) -> str:
        return self.reason

    @property
    def stands(self) -> bool:
        return self.released_at is None


class Destruction(models.Model):
    """A proposal to destroy a client's personal data, and what became of it. One waits at a time; two people make it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="destructions")
    kept_until = models.DateField()  # by the clock when it was proposed
    proposed_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField()
    approved_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    done_at = models.DateTimeField(null=True)
    dropped_at = models.DateTimeField(null=True)  # declined, or overtaken by a hold

    class Meta:
        ordering = ["-proposed_at"]
        constraints = [
            models.CheckConstraint(condition=~Q(approved_by=F("proposed_by")), name="destruction_needs_two_people"),
            models.CheckConstraint(
                condition=Q(done_at=None) | Q(approved_by__isnull=False, dropped_at=None),
                name="destruction_was_approved",
            ),
            models.UniqueConstraint(
                fields=["client"], name="one_destruction_waits", condition=Q(done_at=None, dropped_at=None)
            ),
        ]
