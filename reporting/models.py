"""Report, ReportFile, Offer, FetchRequest, FetchItem: what IBKR offers, what we hold, and the fetching of the difference."""

import uuid
from typing import ClassVar

from django.db import models
from django.urls import reverse

from backoffice.core.lifecycle import Lifecycle
from backoffice.people.models import User
from clients.models import Account


class Kind(models.TextChoices):
    STATEMENT = "statement", "Statement"


class Granularity(models.TextChoices):
    DAILY = "daily", "Daily"
    MONTHLY = "monthly", "Monthly"
    ANNUAL = "annual", "Annual"


class State(models.TextChoices):
    OFFERED = "offered", "Offered, not held"
    FETCHING = "fetching", "Being fetched"
    HELD = "held", "Held"
    FAILED = "failed", "Failed"


LIFECYCLE = Lifecycle(
    {
        State.OFFERED: {State.FETCHING},
        State.FETCHING: {State.HELD, State.FAILED, State.OFFERED},
        State.FAILED: {State.FETCHING},
        State.HELD: {State.FETCHING},  # asked for again: IBKR re-issues statements
    },
    column="state",
)


class ReportQuerySet(models.QuerySet["Report"]):
    def visible_to(self, user: User) -> "ReportQuerySet":
        if user.sees_every_book:
            return self
        return self.filter(account__client__book__members=user)

    def missing(self) -> "ReportQuerySet":
        """Offered by IBKR and not held: gaps."""
        return self.filter(version=0)


class Report(models.Model):
    """One statement of one account for one period; its bytes are in its files, one for each version IBKR issued."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="reports")
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.STATEMENT)
    granularity = models.CharField(max_length=8, choices=Granularity.choices)
    period = models.CharField(max_length=8)  # as IBKR names it: "2026", "202610", "20261019"
    language = models.CharField(max_length=5, default="en")
    state = models.CharField(max_length=10, choices=State.choices, default=State.OFFERED)
    version = models.PositiveSmallIntegerField(default=0)  # of the newest file; 0 while nothing is held
    failure = models.TextField(blank=True)  # IBKR's words, or ours, of the last try
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    offered_at = models.DateTimeField()
    fetched_at = models.DateTimeField(null=True)

    objects: ClassVar[ReportQuerySet] = ReportQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["account__number", "-period"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "kind", "granularity", "period", "language"], name="one_report_per_period"
            ),
            models.CheckConstraint(
                condition=models.Q(period__regex=r"^\d{4}(\d{2}(\d{2})?)?$"), name="report_period_form"
            ),
        ]
        indexes = [models.Index(fields=["granularity", "-period"], name="report_of_period")]

    def __str__(self) -> str:
        return (
            f"{self.get_granularity_display()} {self.get_kind_display().lower()} {self.period}, {self.account.number}"
        )

    def get_absolute_url(self) -> str:
        return reverse("reporting:report_detail", args=[self.pk])

    @property
    def is_held(self) -> bool:
        return self.version > 0


class ReportFile(models.Model):
    """One version of a report as IBKR gave it. Append-only; the bytes lie sealed in the file store under a random name."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    report = models.ForeignKey(Report, on_delete=models.PROTECT, related_name="files")
    version = models.PositiveSmallIntegerField()
    sha256 = models.CharField(max_length=64)
    size = models.PositiveIntegerField()  # bytes of the document itself
    stored_as = models.CharField(max_length=120)
    fetched_at = models.DateTimeField()
    fetched_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["-version"]
        constraints = [
            models.UniqueConstraint(fields=["report", "version"], name="versions_are_numbered"),
            models.UniqueConstraint(fields=["report", "sha256"], name="a_version_is_other_bytes"),
        ]


class Offer(models.Model):
    """When IBKR's list of an account's statements was last read."""

    account = models.OneToOneField(Account, on_delete=models.CASCADE, related_name="report_offer")
    read_at = models.DateTimeField(null=True)
    asked_at = models.DateTimeField(null=True)
    daily_from = models.DateField(null=True)
    daily_to = models.DateField(null=True)
    failure = models.TextField(blank=True)


class FetchRequest(models.Model):
    """One order to fetch some reports; its items say how far it is, whoever looks."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    intent = models.UUIDField(unique=True)
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="fetches")
    asked_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)


class ItemState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    TAKEN = "taken", "Being fetched"
    DONE = "done", "Fetched"
    FAILED = "failed", "Failed"


class FetchItem(models.Model):
    """One report of one request. The row is the queue: a lost message leaves it WAITING for the sweep."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    request = models.ForeignKey(FetchRequest, on_delete=models.CASCADE, related_name="items")
    report = models.ForeignKey(Report, on_delete=models.CASCADE, related_name="items")
    state = models.CharField(max_length=8, choices=ItemState.choices, default=ItemState.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    taken_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["request", "report"], name="one_item_per_report")]
        indexes = [
            models.Index(fields=["due_at"], name="fetch_item_open", condition=models.Q(state__in=["waiting", "taken"]))
        ]
