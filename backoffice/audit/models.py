"""Entry: one thing somebody, or the system, did."""

from django.conf import settings
from django.db import models


class Entry(models.Model):
    """One action. Holds references and digests, never personal data."""

    at = models.DateTimeField()
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    action = models.CharField(max_length=80)  # "funding.request_withdrawal"
    subject_model = models.CharField(max_length=80, blank=True)
    subject_id = models.CharField(max_length=40, blank=True)
    summary = models.TextField()
    address = models.GenericIPAddressField(null=True)
    correlation = models.CharField(max_length=40, blank=True)
    data = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["subject_model", "subject_id", "at"], name="audit_subject")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.action}"
