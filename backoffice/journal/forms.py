"""What people type about a submission: the amount they approve; of a doubt, why it is absent, sent again or given up."""

from decimal import Decimal
from typing import Any

from django import forms

from backoffice.core.forms import AmountField


class TypedAmountForm(forms.Form):
    """The amount, typed again by whoever approves it, so that a yes to money is never a habit."""

    typed = AmountField(
        label="Type the amount to approve it", error_messages={"required": "Type the amount you approve."}
    )

    def __init__(self, amount: Decimal, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.amount = amount

    def clean_typed(self) -> Decimal:
        typed: Decimal = self.cleaned_data["typed"]
        if typed != self.amount:
            raise forms.ValidationError(
                "This is not the amount that would be sent.", params={"fix": "Compare it with the client's order."}
            )
        return typed


class ReleaseForm(forms.Form):
    """One of two people's word that nothing exists at IBKR; the second person's word sends it again."""

    evidence = forms.CharField(
        label="What makes you sure",
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="For example IBKR's ticket number, and who said what when.",
    )


class GivingUpForm(forms.Form):
    """One person's decision that what is absent at IBKR is not sent again."""

    reason = forms.CharField(
        label="Why it is given up",
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="It stays beside it. Whoever made it reads this.",
        error_messages={"required": "Whoever made it needs to know why. Say it in a few words."},
    )


class AttestationForm(forms.Form):
    """One of two people's word that IBKR has nothing of it, where no look can tell."""

    evidence = forms.CharField(
        label="What makes you sure that IBKR has nothing of it",
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="IBKR's ticket number, and who said what when; and how you know that the worker is stopped.",
        error_messages={"required": "Nobody can check later why this was believed. Say what makes you sure."},
    )
