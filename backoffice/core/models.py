"""StatusEvent: every move of every lifecycle, append-only."""

from django.conf import settings
from django.db import models


class StatusEvent(models.Model):
    """One move of one row: who, when, from, to, why. Written by `Lifecycle.move` alone, in the move's transaction."""

    subject_model = models.CharField(max_length=80)  # "funding.cashtransfer"
    subject_id = models.CharField(max_length=40)
    old = models.CharField(max_length=40)
    new = models.CharField(max_length=40)
    because = models.TextField()
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    as_of = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["subject_model", "subject_id", "at"], name="status_event_subject")]
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.subject_model} {self.subject_id}: {self.old} -> {self.new}"
