"""Invented figures and people for the component sheet. Nothing here is read from anywhere."""

from datetime import date, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from backoffice.core import clock
from backoffice.core.money import Money
from backoffice.home.parts import Change, Check, Filter, Page, Share, Step, TimelineEvent, View

INCOMES = [("A", "Under 25,000"), ("C", "100,000 to 149,999"), ("E", "250,000 to 499,999")]


class SpecimenForm(forms.Form):
    """Every kind of control, one of them wrong."""

    amount = forms.DecimalField(label="Amount", help_text="Up to what is withdrawable, as of 10:41:52.")
    value_date = forms.DateField(label="Value date")
    income = forms.ChoiceField(label="Annual net income", choices=INCOMES)
    risk = forms.ChoiceField(
        label="Risk score, ours", choices=[("L", "Low"), ("B", "Balanced")], widget=forms.RadioSelect
    )
    proof = forms.FileField(label="Proof of address", required=False)
    agreed = forms.BooleanField(label="The client has seen this", required=False)
    reason = forms.CharField(label="Reason, kept on the record", widget=forms.Textarea(attrs={"rows": 2}))

    def clean_value_date(self) -> date:
        raise ValidationError(
            "22 Nov is a Sunday.", code="closed", params={"fix": "Choose 24 Nov or later.", "rule": "FND-04"}
        )


def context() -> dict[str, Any]:
    """Return what `home/components.html` shows."""
    now = clock.now()
    form = SpecimenForm(
        {"amount": "48500.00", "value_date": "2026-11-22", "income": "C", "risk": "B", "reason": "Roof repair"}
    )
    form.is_valid()
    return {
        "now": now,
        "stale": now - timedelta(minutes=11),
        "closed": date(2026, 11, 23),
        "soon": now + timedelta(hours=1, minutes=18),
        "seconds": now + timedelta(seconds=42),
        "later": now + timedelta(days=2, hours=3),
        "over": now - timedelta(days=1, hours=4),
        "unknown_since": now - timedelta(minutes=11),
        "cash": Money(Decimal("48500"), "USD"),
        "figure": Decimal("412806114.22"),
        "column": Decimal("1164183.96"),
        "negative": Decimal("-14210.11"),
        "gain": Decimal("1804.52"),
        "quantity": Decimal("2940.0000"),
        "fraction": Decimal("12.037500"),
        "price": Decimal("231.4175"),
        "weight": Decimal("7.28"),
        "drift": Decimal("-0.22"),
        "weight_before": Decimal("6.33"),
        "weight_after": Decimal("7.56"),
        "target_weight": Decimal("8.5"),
        "digest": sha256(b"specimen").hexdigest(),
        "form": form,
        "changes": [Change("Street", "Lipova 41", "Lipová 14"), Change("City", "Litomyšl", "Litomyšl")],
        "views": [View("All active", "?", True, 37), View("Overdue", "?view=overdue", count=4)],
        "filters": [
            Filter("Owner", "me", "?"),
            Filter("Country", choices=(("?c=CZ", "Czechia"), ("?c=NL", "Netherlands"))),
        ],
        "page": Page(older_url="?before=1"),
        "steps": [
            Step("Ticket", "done"),
            Step("Allocation", "current"),
            Step("Checks"),
            Step("Approval"),
            Step("Fills", defects=2),
        ],
        "events": [
            TimelineEvent(now, "Fourth look is due", "unknown", "Balance, instruction query and our number."),
            TimelineEvent(
                now - timedelta(minutes=3), "IBKR refused it", "failed", words="Bank instruction is not active."
            ),
            TimelineEvent(now - timedelta(hours=2), "Client must sign", "wait", "Reminded once."),
            TimelineEvent(now - timedelta(hours=3), "Approved by Tomas Okafor", "done", "Saw the same hash."),
            TimelineEvent(now - timedelta(days=3), "Made by Mara Lindqvist", "fact", raw="POST /gw/api/v1/accounts"),
        ],
        "checks": [
            Check("pass", "Sum of allocations equals the order"),
            Check("warn", "Cash floor", "broken in 2 accounts."),
            Check("stop", "Restricted", "in 1 account."),
        ],
        "shares": [
            Share("Equity funds", Decimal("163.9"), "163.9 m", Decimal("39.7")),
            Share("Equities", Decimal("118.5"), "118.5 m", Decimal("28.7")),
            Share("Bond funds", Decimal("73.9"), "73.9 m", Decimal("17.9")),
            Share("Commodities", Decimal("18.2"), "18.2 m", Decimal("4.4")),
            Share("Cash", Decimal("18.2"), "18.2 m", Decimal("4.4")),
        ],
        "line": [Decimal(value) for value in (3, 4, 6, 5, 7, 9, 8, 11, 12, 12, 14, 13, 16, 17, 19)],
        "line_against": [Decimal(value) for value in (3, 4, 5, 5, 6, 7, 8, 9, 9, 10, 11, 12, 13, 14, 15)],
        "facts": [("Advisor", "Ines Carvalho"), ("Client since", "4 Mar 2022")],
    }
