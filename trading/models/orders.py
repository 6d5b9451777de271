"""Order, OrderAllocation, OrderQuestion, Execution."""

import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django.db import models
from django.db.models import Exists, Max, OuterRef, Q
from django.urls import reverse

from backoffice.broker.models import MasterAccount
from backoffice.core import clock
from backoffice.core.fields import amount_field
from backoffice.core.lifecycle import Lifecycle
from backoffice.journal.models import State, Submission
from backoffice.people.models import User
from clients.models import Account
from trading.models.groups import AllocationGroup
from trading.models.portfolio import Instrument

# How long somebody's yes to an order is good for, while a closed gate or a dead session keeps it from leaving.
GOOD_FOR = timedelta(hours=24)


class Side(models.TextChoices):
    BUY = "BUY", "Buy"
    SELL = "SELL", "Sell"


class OrderType(models.TextChoices):
    LIMIT = "LMT", "Limit"
    MARKET = "MKT", "Market"


class TimeInForce(models.TextChoices):
    DAY = "DAY", "Day"
    GTC = "GTC", "Good till cancelled"


class Target(models.TextChoices):
    ACCOUNT = "account", "One account"
    GROUP = "group", "Group"
    CHOSEN = "chosen", "Chosen accounts"


class Status(models.TextChoices):
    DRAFT = "draft", "Draft"
    REQUESTED = "requested", "To be sent"
    WORKING = "working", "Working"
    FILLED = "filled", "Filled"
    CANCELLED = "cancelled", "Cancelled"
    REJECTED = "rejected", "Refused by IBKR"
    DECLINED = "declined", "Declined"
    VOID = "void", "Not sent"


LIFECYCLE = Lifecycle(
    {
        Status.DRAFT: {Status.REQUESTED, Status.VOID},
        Status.REQUESTED: {
            Status.WORKING,
            Status.FILLED,
            Status.CANCELLED,
            Status.REJECTED,
            Status.DECLINED,
            Status.VOID,
        },
        Status.WORKING: {Status.FILLED, Status.CANCELLED},
    }
)  # all others have no way out; doubt and questions are states of the submission
OPEN = (Status.REQUESTED, Status.WORKING)


class OrderQuerySet(models.QuerySet["Order"]):
    def visible_to(self, user: User) -> "OrderQuerySet":
        """Orders all of whose accounts the person may see; an own draft without an allocation too."""
        if user.sees_every_book:
            return self
        shares = OrderAllocation.objects.filter(order=OuterRef("pk"))
        # Asked of each order's few shares; the accounts of a book are thousands.
        held = user.books.through.objects.filter(user=user, book=OuterRef("account__client__book"))
        foreign = shares.filter(~Exists(held))
        return self.filter(Q(Exists(shares)) | Q(maker=user), ~Exists(foreign))

    def sent(self) -> "OrderQuerySet":
        """Everything but tickets nobody sent."""
        return self.exclude(status=Status.DRAFT)

    def working(self) -> "OrderQuerySet":
        return self.filter(status__in=OPEN)

    def in_doubt(self) -> "OrderQuerySet":
        return self.filter(status__in=OPEN, submission__state__in=[State.UNKNOWN, State.ABSENT])

    def asked(self) -> "OrderQuerySet":
        return self.filter(status=Status.REQUESTED, submission__state=State.QUESTION)

    def listed(self) -> "OrderQuerySet":
        """With everything a row of a list shows."""
        return self.select_related("instrument", "maker", "submission", "cancel", "master")

    def for_review(self) -> "OrderQuerySet":
        """With everything the approvals say of it."""
        return self.select_related("instrument", "maker", "group")


class Order(models.Model):
    """One ticket and the order it became. `client_order_id` is our key at IBKR (cOID), fixed for life.

    Quantities are whole units, positive; `side` is the direction. The frozen allocation is in OrderAllocation, its hash here.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.PositiveIntegerField(unique=True)
    intent = models.UUIDField(unique=True)  # the form it came from: a second press of the button finds this row
    client_order_id = models.CharField(max_length=64, unique=True)
    master = models.ForeignKey(MasterAccount, on_delete=models.PROTECT, related_name="orders")
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="orders")
    side = models.CharField(max_length=4, choices=Side.choices)
    quantity = amount_field()
    order_type = models.CharField(max_length=4, choices=OrderType.choices)
    limit_price = amount_field(null=True)
    tif = models.CharField(max_length=4, choices=TimeInForce.choices, default=TimeInForce.DAY)
    target = models.CharField(max_length=8, choices=Target.choices)
    target_name = models.CharField(max_length=64)  # what IBKR is told: an account, a group, or the master account
    group = models.ForeignKey(AllocationGroup, null=True, on_delete=models.SET_NULL, related_name="orders")
    reason = models.TextField()
    twin_reason = models.TextField(blank=True)
    maker = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="orders")
    created_at = models.DateTimeField()
    previewed_at = models.DateTimeField(null=True)
    allocation_sha256 = models.CharField(max_length=64, blank=True)
    definition = models.JSONField(default=dict)  # the frozen group: its method and members with their amounts
    reference_price = amount_field(null=True)
    reference_note = models.CharField(max_length=80, blank=True)  # where the reference price came from
    reference_as_of = models.DateTimeField(null=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT)
    submission = models.ForeignKey(Submission, null=True, on_delete=models.PROTECT, related_name="+")
    cancel = models.ForeignKey(Submission, null=True, on_delete=models.PROTECT, related_name="+")
    sent_at = models.DateTimeField(null=True)
    ibkr_order_id = models.CharField(max_length=24, blank=True, db_index=True)
    ibkr_status = models.CharField(max_length=40, blank=True)  # IBKR's own word, as it came
    ibkr_words = models.TextField(blank=True)
    is_unfamiliar = models.BooleanField(default=False)  # IBKR used a word we have no meaning for: a person reads it
    filled = amount_field(default=Decimal(0))
    average_price = amount_field(null=True)
    seen_at = models.DateTimeField(null=True)  # when IBKR last showed it
    changed_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = OrderQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(quantity__gt=0), name="order_quantity_is_positive"),
            models.CheckConstraint(condition=Q(filled__gte=0), name="order_filled_is_not_negative"),
            models.CheckConstraint(condition=Q(side__in=Side.values), name="order_side_known"),
            models.CheckConstraint(condition=Q(status__in=Status.values), name="order_status_known"),
            models.CheckConstraint(
                condition=Q(order_type=OrderType.MARKET, limit_price__isnull=True)
                | Q(order_type=OrderType.LIMIT, limit_price__gt=0),
                name="order_price_fits_its_type",
            ),
        ]
        indexes = [
            models.Index(fields=["-changed_at", "-number"], name="order_changed"),
            models.Index(fields=["-number"], name="order_newest"),
            models.Index(fields=["status"], name="order_open", condition=Q(status__in=["requested", "working"])),
        ]

    def __str__(self) -> str:
        return self.reference

    def get_absolute_url(self) -> str:
        return reverse("trading:order_detail", args=[self.pk])

    @property
    def reference(self) -> str:
        """The number people quote: "T-20418"."""
        return f"T-{self.number}"

    def why_not_sent(self, submission: Submission) -> str:
        """Say why the journal must not send the order any more; empty while it may, and for its cancel, which never ages."""
        if submission.pk != self.submission_id or self.sent_at is None:
            return ""
        words = (submission.approvals, submission.releases)
        given = [self.sent_at, *(each.aggregate(at=Max("at"))["at"] for each in words)]
        if clock.now() - max(filter(None, given)) <= GOOD_FOR:
            return ""
        return "nobody has said yes to it within the last 24 hours, and the market has moved since"

    @property
    def is_final(self) -> bool:
        return LIFECYCLE.is_final(self.status)

    @property
    def is_draft(self) -> bool:
        return self.status == Status.DRAFT

    @property
    def remaining(self) -> Decimal:
        return Decimal(self.quantity - self.filled)

    @property
    def price_now(self) -> Decimal | None:
        """The price an order's value is reckoned with: the limit, or the reference price."""
        price: Decimal | None = self.reference_price if self.limit_price is None else self.limit_price
        return price

    @property
    def value(self) -> Decimal | None:
        """What the whole order is worth in the instrument's currency, or None while no price is known."""
        price = self.price_now
        return None if price is None else Decimal(self.quantity * price * self.instrument.unit_value)


class AllocationQuerySet(models.QuerySet["OrderAllocation"]):
    def visible_to(self, user: User) -> "AllocationQuerySet":
        return self.filter(account__in=Account.objects.visible_to(user))


class OrderAllocation(models.Model):
    """What one account is promised of an order, with the figures the preview showed. Frozen by the order's hash.

    `has_odd_unit` marks one of the units left over by rounding down. `cash_after` is in the instrument's currency.
    """

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="allocations")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="order_allocations")
    place = models.PositiveSmallIntegerField()
    quantity = amount_field()
    has_odd_unit = models.BooleanField(default=False)
    basis = amount_field(null=True)  # what the share was computed from: NLV, a ratio, an amount
    held = amount_field(null=True)
    weight_before = amount_field(null=True)  # per cent of NLV
    weight_after = amount_field(null=True)
    cash_after = amount_field(null=True)
    flags = models.JSONField(default=list)  # keys of trading.checks.FLAGS
    as_of = models.DateTimeField(null=True)  # of the position and the figures

    objects: ClassVar[Any] = AllocationQuerySet.as_manager()

    class Meta:
        ordering = ["place"]
        constraints = [
            models.UniqueConstraint(fields=["order", "account"], name="one_allocation_per_order_and_account"),
            models.CheckConstraint(condition=Q(quantity__gte=0), name="allocation_is_not_negative"),
        ]


class OrderQuestion(models.Model):
    """What IBKR asked before it took an order, word for word, and what was answered by whom.

    `words` are IBKR's sentences with the markup taken off; `messages` is what came, untouched.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="questions")
    number = models.PositiveSmallIntegerField()
    reply_id = models.CharField(max_length=80)
    message_ids = models.JSONField(default=list)
    messages = models.JSONField(default=list)
    words = models.TextField()
    options = models.JSONField(default=list)
    prompt_order_id = models.CharField(max_length=24, blank=True)  # set: answered by one of `options`
    session_serial = models.BigIntegerField(null=True)
    asked_at = models.DateTimeField()
    deadline = models.DateTimeField()
    answer = models.CharField(max_length=60, blank=True)  # "yes", "no", or one of `options`
    answered_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    rule = models.CharField(max_length=40, blank=True)  # the named rule that answered in place of a person
    answered_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["order", "number"], name="questions_are_numbered"),
            models.UniqueConstraint(fields=["order"], name="one_open_question", condition=Q(answered_at__isnull=True)),
        ]

    @property
    def is_open(self) -> bool:
        return self.answered_at is None


class Execution(models.Model):
    """One fill of one account. A correction by IBKR has the same key and a higher revision, and replaces the figures."""

    key = models.CharField(max_length=60)  # IBKR's execution id without its revision
    revision = models.PositiveSmallIntegerField(default=1)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="executions")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="executions")
    quantity = amount_field()
    price = amount_field()
    commission = amount_field(null=True)  # IBKR may give it later
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at", "key"]
        constraints = [models.UniqueConstraint(fields=["key", "account"], name="one_execution_per_key_and_account")]
