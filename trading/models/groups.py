"""AllocationGroup as IBKR shows it, and GroupChange: one change we want there, followed until IBKR shows it."""

import uuid
from typing import Any, ClassVar

from django.db import models
from django.urls import reverse

from backoffice.broker.models import MasterAccount
from backoffice.core.fields import amount_field
from backoffice.core.lifecycle import Lifecycle
from backoffice.journal.models import Submission
from backoffice.people.models import User
from clients.models import Account


class Method(models.TextChoices):
    """IBKR's codes (trading.md 9.2). The first three IBKR computes; the others carry an amount for each account."""

    NET_LIQUIDATION = "N", "By net liquidation"
    EQUAL = "E", "Equal quantity"
    AVAILABLE_EQUITY = "A", "By available equity"
    PERCENT = "P", "Percentages"
    RATIO = "R", "Ratios"
    SHARES = "S", "Shares"


COMPUTED = frozenset({Method.NET_LIQUIDATION, Method.EQUAL, Method.AVAILABLE_EQUITY})


class GroupQuerySet(models.QuerySet["AllocationGroup"]):
    def visible_to(self, user: User) -> "GroupQuerySet":
        """Groups all of whose members the person may see: an order to a group reaches every one of them."""
        if user.sees_every_book:
            return self
        foreign = GroupMember.objects.filter(group=models.OuterRef("pk")).exclude(
            account__in=Account.objects.visible_to(user)
        )
        own = GroupMember.objects.filter(group=models.OuterRef("pk"))
        return self.filter(models.Exists(own), ~models.Exists(foreign))

    def listed(self) -> "GroupQuerySet":
        return self.filter(is_listed=True)


class AllocationGroup(models.Model):
    """An allocation group as IBKR showed it at `seen_at`. IBKR knows it by its exact name."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    master = models.ForeignKey(MasterAccount, on_delete=models.PROTECT, related_name="allocation_groups")
    name = models.CharField(max_length=64)
    method = models.CharField(max_length=4)  # IBKR's code; one we do not know is shown as it came
    is_listed = models.BooleanField(default=True)  # False once IBKR no longer lists it
    has_unknown_members = models.BooleanField(default=False)  # IBKR names accounts that are not in our books
    seen_at = models.DateTimeField()

    objects: ClassVar[Any] = GroupQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["master", "name"], name="one_group_per_name")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("trading:group_detail", args=[self.pk])

    @property
    def method_words(self) -> str:
        return Method(self.method).label if self.method in Method.values else f"IBKR's method {self.method}"


class GroupMember(models.Model):
    """One account of a group; `amount` is per cent, a ratio or shares, and absent where IBKR computes it."""

    group = models.ForeignKey(AllocationGroup, on_delete=models.CASCADE, related_name="members")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="group_memberships")
    amount = amount_field(null=True)
    place = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["place"]
        constraints = [models.UniqueConstraint(fields=["group", "account"], name="one_membership_per_account")]


class ChangeKind(models.TextChoices):
    CREATE = "create", "New group"
    REPLACE = "replace", "Change of a group"
    DELETE = "delete", "Removal of a group"


class ChangeStatus(models.TextChoices):
    REQUESTED = "requested", "On its way"
    DONE = "done", "Shown by IBKR"
    REJECTED = "rejected", "Refused by IBKR"
    CANCELLED = "cancelled", "Withdrawn"


GROUP_CHANGES = Lifecycle(
    {ChangeStatus.REQUESTED: {ChangeStatus.DONE, ChangeStatus.REJECTED, ChangeStatus.CANCELLED}}
)  # DONE, REJECTED and CANCELLED have no way out


class GroupChange(models.Model):
    """One creation, replacement or removal of a group, as a person wanted it. IBKR replaces membership completely."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    intent = models.UUIDField(unique=True)
    master = models.ForeignKey(MasterAccount, on_delete=models.PROTECT, related_name="group_changes")
    kind = models.CharField(max_length=8, choices=ChangeKind.choices)
    name = models.CharField(max_length=64)
    previous_name = models.CharField(max_length=64, blank=True)
    method = models.CharField(max_length=4, blank=True)
    members = models.JSONField(default=list)  # [{"account": "U...", "amount": "25"}]
    status = models.CharField(max_length=10, choices=ChangeStatus.choices, default=ChangeStatus.REQUESTED)
    ibkr_words = models.TextField(blank=True)
    submission = models.ForeignKey(Submission, null=True, on_delete=models.PROTECT, related_name="+")
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-requested_at"]
        constraints = [
            models.CheckConstraint(condition=models.Q(kind__in=ChangeKind.values), name="group_change_kind_known"),
            models.CheckConstraint(
                condition=models.Q(status__in=ChangeStatus.values), name="group_change_status_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.name}"

    @property
    def is_final(self) -> bool:
        return GROUP_CHANGES.is_final(self.status)
