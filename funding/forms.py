"""The withdrawal form, the deposit notice, and the two answers of a second person."""

from typing import Any

from django import forms

from backoffice.core.errors import InvalidInput
from backoffice.core.forms import AmountField, OneUseForm
from backoffice.journal.forms import TypedAmountForm
from backoffice.people.models import User
from clients.models import Account
from funding.models import BankInstruction


def open_accounts(user: User) -> "forms.ModelChoiceField[Account]":
    accounts = Account.objects.visible_to(user).open().select_related("client").order_by("number")
    return _AccountField(
        queryset=accounts,
        empty_label="Choose an account",
        error_messages={
            "required": "Choose the account.",
            "invalid_choice": "This account is not open, or not in your books.",
        },
    )


class _AccountField(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, obj: Account) -> str:
        return f"{obj.number}  {obj.client.name}"


class _BankField(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, obj: BankInstruction) -> str:
        ending = f", ending {obj.last4}" if obj.last4 else ""
        return f"{obj.name}{ending} ({obj.method}, {obj.currency})"


def refuse(form: forms.Form, error: InvalidInput) -> None:
    """Show a service's refusal at the field it names, with its fix."""
    # A ValidationError with params runs its message through %.
    shown = forms.ValidationError(error.message.replace("%", "%%"), params={"fix": error.fix})
    form.add_error(error.field if error.field in form.fields else None, shown)


class WithdrawalForm(OneUseForm):
    """Which account, to which of its banks, how much and why."""

    account = forms.ModelChoiceField(queryset=Account.objects.none())
    bank = _BankField(
        queryset=BankInstruction.objects.none(),
        label="To",
        empty_label="Choose a bank",
        error_messages={
            "required": "Choose the bank it goes to.",
            "invalid_choice": "Choose a bank of this account.",
        },
    )
    amount = AmountField(error_messages={"required": "Enter the amount the client will receive."})
    currency = forms.ChoiceField()
    note = forms.CharField(
        label="Why",
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Who asked for it, when and how. The person who approves reads it.",
        error_messages={"required": "Say why: the person who approves needs to know."},
    )
    duplicate_reason = forms.CharField(label="Why a second one", max_length=300, required=False)
    inquiry = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, user: User, account: Account | None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["account"] = open_accounts(user)
        banks = BankInstruction.objects.usable().filter(account=account) if account else BankInstruction.objects.none()
        bank_field = self.fields["bank"]
        assert isinstance(bank_field, forms.ModelChoiceField)
        bank_field.queryset = banks
        currencies = sorted({bank.currency for bank in banks}) or ([account.base_currency] if account else ["USD"])
        self.fields["currency"] = forms.ChoiceField(choices=[(code, code) for code in currencies])

    @property
    def asks_for_duplicate_reason(self) -> bool:
        """Whether the field is shown: only once there is a twin to explain."""
        return bool(self.is_bound and ("duplicate_reason" in self.errors or self.data.get("duplicate_reason")))


class DepositForm(OneUseForm):
    """Which account the wire comes to, how much and from which bank."""

    account = forms.ModelChoiceField(queryset=Account.objects.none())
    amount = AmountField(error_messages={"required": "Enter the amount the client will wire."})
    currency = forms.ChoiceField()
    sending_institution = forms.CharField(
        label="From which bank",
        max_length=128,
        required=False,
        help_text="The client's own bank, as its name is written.",
    )
    note = forms.CharField(label="Note", max_length=500, required=False, widget=forms.Textarea(attrs={"rows": 2}))

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["account"] = open_accounts(user)
        codes = ["USD", "EUR", "GBP", "CHF", "CAD", "AUD", "HKD", "JPY", "SGD"]
        self.fields["currency"] = forms.ChoiceField(choices=[(code, code) for code in codes])


class ApprovalForm(TypedAmountForm):
    """A second person's yes: the amount typed again, bound to the payload that was shown."""

    payload_sha256 = forms.CharField(max_length=64, widget=forms.HiddenInput)
    reason = forms.CharField(
        label="What you checked", max_length=300, required=False, help_text="For example: called the client back."
    )


class ReasonForm(forms.Form):
    """Why a transfer is not approved, or is taken back."""

    reason = forms.CharField(
        label="Reason",
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": "Say why: it stays beside the transfer."},
    )
