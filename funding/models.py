"""BankInstruction, BankListing, CashTransfer: saved bank links at IBKR, and movements of cash to and from them."""

import uuid
from typing import ClassVar

from django.db import models
from django.urls import reverse

from backoffice.core.fields import (
    BlindIndexField,
    EncryptedTextField,
    MoneyAttribute,
    amount_field,
    currency_field,
    is_currency,
)
from backoffice.core.lifecycle import Lifecycle
from backoffice.journal.models import Submission
from backoffice.people.models import User
from clients.models import Account

USABLE = "PROCESSED"  # the only word under which IBKR pays out to a bank instruction (account-management.md 13)


class BankInstructionQuerySet(models.QuerySet["BankInstruction"]):
    def visible_to(self, user: User) -> "BankInstructionQuerySet":
        if user.sees_every_book:
            return self
        return self.filter(account__client__book__members=user)

    def usable(self) -> "BankInstructionQuerySet":
        """Those IBKR listed at the last look and has finished setting up."""
        return self.filter(is_listed=True, ibkr_status=USABLE)


class BankInstruction(models.Model):
    """A bank link as IBKR lists it for one account. IBKR gives the last digits of the number only, and so do we."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="banks")
    name = models.CharField(max_length=150)  # IBKR's key for it: instructions name the bank by this
    method = models.CharField(max_length=20)  # WIRE, ACH, SEPA, ...
    kind = models.CharField(max_length=30, blank=True)  # IBKR's type: LOCAL_BANK, FOREIGN_BANK, CREDIT, ...
    currency = currency_field()
    last4 = EncryptedTextField(blank=True, default="")
    last4_index = BlindIndexField(of="last4", is_tail=True)
    ibkr_status = models.CharField(max_length=40)
    is_listed = models.BooleanField(default=True)  # False once a look no longer finds it
    first_seen_at = models.DateTimeField()
    # When it was added, or its number changed, after our first look at this account; None when it was there already.
    appeared_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField()

    objects: ClassVar[BankInstructionQuerySet] = BankInstructionQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["account__number", "name", "method"]
        constraints = [
            models.UniqueConstraint(fields=["account", "name", "method"], name="one_row_per_bank_instruction"),
            is_currency("currency", "bank_instruction_currency"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.method})"

    @property
    def is_usable(self) -> bool:
        return self.is_listed and self.ibkr_status == USABLE

    @property
    def ending(self) -> str:
        """How the bank is named on pages: "Bank ending 6620"."""
        return f"Bank ending {self.last4}" if self.last4 else self.name

    def accepts(self, currency: str) -> bool:
        """Tell whether IBKR pays this bank in `currency`; each bank instruction has one."""
        return bool(self.currency == currency)


class BankListing(models.Model):
    """When an account's bank instructions were last read, so that an empty list has an age too."""

    account = models.OneToOneField(Account, on_delete=models.CASCADE, related_name="bank_listing")
    asked_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True)
    failure = models.TextField(blank=True)  # why the last look failed, in plain words


class Kind(models.TextChoices):
    DEPOSIT = "deposit", "Deposit notice"
    WITHDRAWAL = "withdrawal", "Withdrawal"


class Status(models.TextChoices):
    REQUESTED = "requested", "Requested"
    SUBMITTED = "submitted", "At IBKR"
    DONE = "done", "Done"
    REJECTED = "rejected", "Refused by IBKR"
    CANCELLED = "cancelled", "Cancelled"


LIFECYCLE = Lifecycle(
    {
        Status.REQUESTED: {Status.SUBMITTED, Status.REJECTED, Status.CANCELLED},
        Status.SUBMITTED: {Status.DONE, Status.REJECTED, Status.CANCELLED},
    }
)  # DONE, REJECTED and CANCELLED have no way out; doubt is a state of the submission


class CashTransferQuerySet(models.QuerySet["CashTransfer"]):
    def visible_to(self, user: User) -> "CashTransferQuerySet":
        if user.sees_every_book:
            return self
        return self.filter(account__client__book__members=user)

    def in_progress(self) -> "CashTransferQuerySet":
        return self.filter(status__in=[Status.REQUESTED, Status.SUBMITTED])

    def finished(self) -> "CashTransferQuerySet":
        return self.exclude(status__in=[Status.REQUESTED, Status.SUBMITTED])

    def listed(self) -> "CashTransferQuerySet":
        """With everything a row of a list shows."""
        return self.select_related("account", "account__client", "bank", "requested_by")

    def for_review(self) -> "CashTransferQuerySet":
        """With everything the approvals say of it."""
        return self.listed()


class CashTransfer(models.Model):
    """One movement of cash between a client's bank and an account. Amounts are positive; `kind` is the direction."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="cash_transfers")
    amount = amount_field()
    currency = currency_field()
    bank = models.ForeignKey(BankInstruction, null=True, on_delete=models.PROTECT, related_name="transfers")
    method = models.CharField(max_length=20)
    sending_institution = models.CharField(max_length=128, blank=True)  # deposits: the bank the money comes from
    client_instruction_id = models.BigIntegerField(unique=True)  # ours, for life: IBKR's clientInstructionId
    intent = models.UUIDField(unique=True)  # the form it came from: a second press of the button finds this row
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="cash_transfers")
    requested_at = models.DateTimeField()
    note = EncryptedTextField(blank=True, default="")
    duplicate_reason = EncryptedTextField(blank=True, default="")
    withdrawable = amount_field(null=True)  # what IBKR said could leave, when it was asked for
    withdrawable_as_of = models.DateTimeField(null=True)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.REQUESTED)
    ibkr_status = models.CharField(max_length=60, blank=True)  # IBKR's own word, as it came
    is_unfamiliar = models.BooleanField(default=False)  # IBKR used a word we have no meaning for: a person reads it
    ibkr_words = models.TextField(blank=True)  # IBKR's last sentence about it
    instruction_id = models.CharField(max_length=40, blank=True)
    polls = models.PositiveIntegerField(default=0)
    polled_at = models.DateTimeField(null=True)
    next_poll_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)

    objects: ClassVar[CashTransferQuerySet] = CashTransferQuerySet.as_manager()  # type: ignore[assignment]
    money = MoneyAttribute("amount", "currency")

    class Meta:
        constraints = [
            is_currency("currency", "cash_transfer_currency"),
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="cash_transfer_amount_is_positive"),
            models.CheckConstraint(condition=models.Q(kind__in=Kind.values), name="cash_transfer_kind_known"),
            models.CheckConstraint(condition=models.Q(status__in=Status.values), name="cash_transfer_status_known"),
            models.CheckConstraint(
                condition=models.Q(kind=Kind.DEPOSIT) | models.Q(bank__isnull=False),
                name="withdrawal_names_its_bank",
            ),
        ]
        indexes = [
            models.Index(fields=["-requested_at", "-id"], name="cash_transfer_newest"),
            models.Index(fields=["account", "-requested_at"], name="cash_transfer_of_account"),
            models.Index(fields=["instruction_id"], name="cash_transfer_at_ibkr"),
            models.Index(fields=["next_poll_at"], name="cash_transfer_due", condition=models.Q(status="submitted")),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.client_instruction_id}"

    def get_absolute_url(self) -> str:
        return reverse("funding:transfer_detail", args=[self.pk])

    @property
    def is_redirected(self) -> bool:
        """Whether the bank's number was changed at IBKR after this was asked for: it would go where nobody meant it to."""
        return self.bank is not None and self.bank.appeared_at is not None and self.bank.appeared_at > self.requested_at

    def why_not_sent(self, submission: Submission) -> str:
        """Say why the journal must not send it any more; empty while it may."""
        return "the bank's details were changed at IBKR after it was asked for" if self.is_redirected else ""

    @property
    def is_final(self) -> bool:
        return LIFECYCLE.is_final(self.status)

    @property
    def rail(self) -> str:
        """The way the money goes, as a word in a sentence: "wire", "ACH"."""
        return "wire" if self.method == "WIRE" else str(self.method)

    @property
    def reference(self) -> str:
        """The number people quote: our instruction number at IBKR."""
        return str(self.client_instruction_id)
