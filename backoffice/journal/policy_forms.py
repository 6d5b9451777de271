"""The form of a policy: rows for rules, single fields for the rest."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.utils import timezone

from backoffice.core import clock
from backoffice.people.models import Role
from backoffice.people.policies.document import (
    ANSWERS,
    APPROVABLE,
    APPROVERS,
    KINDS,
    LANES,
    LIMITED,
    SCOPES,
    WINDOWS,
    ApprovalRule,
    Document,
    Limit,
    QuestionRule,
)

_BY = {
    key: " or ".join(str(Role(role).label).lower() for role in roles).capitalize() for key, roles in APPROVERS.items()
}
_NONE = ("", "not used")  # every row ends with one that is blank, and stays out while it is


class ApprovalRow(forms.Form):
    kind = forms.ChoiceField(label="What", choices=[_NONE, *((key, KINDS[key].label) for key in APPROVABLE)])
    above_usd = forms.DecimalField(label="Above USD", required=False, min_value=0, max_digits=16, decimal_places=2)
    younger_than_days = forms.IntegerField(
        label="Destination younger than, days", min_value=0, max_value=3650, required=False
    )
    approvals = forms.IntegerField(label="People", min_value=0, max_value=5)
    role = forms.ChoiceField(label="By", choices=[_NONE, *_BY.items()])


class LimitRow(forms.Form):
    kind = forms.ChoiceField(label="What", choices=[_NONE, *((key, KINDS[key].label) for key in LIMITED)])
    scope = forms.ChoiceField(label="For", choices=[_NONE, *SCOPES.items()])
    window = forms.ChoiceField(label="Each", choices=[_NONE, *((key, key) for key in WINDOWS)])
    count = forms.IntegerField(label="At most, number", min_value=1, max_value=1_000_000, required=False)
    usd = forms.DecimalField(label="At most, USD", min_value=1, max_digits=18, decimal_places=2, required=False)


class QuestionRow(forms.Form):
    message_id = forms.RegexField(r"^[A-Za-z0-9]{1,20}$", label="IBKR's message id")
    answer = forms.ChoiceField(label="Then", choices=[_NONE, *ANSWERS.items()])


def _usd(label: str) -> forms.DecimalField:
    return forms.DecimalField(label=label, min_value=0, max_digits=16, decimal_places=2)


class RestForm(forms.Form):
    """What stands once. Everything not named here stays as it is in force."""

    order_limit_advisor = _usd("Largest order of one advisor, USD")
    order_limit_principal = _usd("Largest order of one principal, USD")
    cooling_off_hours = forms.IntegerField(label="New bank details rest, hours", min_value=0, max_value=240)
    batch_below_usd = forms.DecimalField(
        label="Several at once only below, USD", min_value=0, max_digits=16, decimal_places=2, help_text="Zero: one by one, always."
    )  # fmt: skip
    approval_minutes = forms.IntegerField(
        label="An approval should take at most, minutes", min_value=1, max_value=10_080
    )
    preview_minutes = forms.IntegerField(
        label="A preview is looked at again after, minutes", min_value=1, max_value=1_440
    )
    draft_hours, submitted_hours, client_hours, documents_hours, review_hours = (
        forms.IntegerField(label=f"{words}, hours", min_value=1, max_value=8_760) for words, _ in LANES.values()
    )
    effective_at = forms.DateTimeField(
        label="Takes effect, UTC", required=False, help_text="Empty: as soon as it is approved.",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )  # fmt: skip
    reason = forms.CharField(label="Why", max_length=500, required=False, widget=forms.Textarea(attrs={"rows": 2}))
    based_on = forms.IntegerField(widget=forms.HiddenInput)


ApprovalRows = forms.formset_factory(ApprovalRow, extra=2, can_delete=True, max_num=30)
LimitRows = forms.formset_factory(LimitRow, extra=1, can_delete=True, max_num=30)
QuestionRows = forms.formset_factory(QuestionRow, extra=2, can_delete=True, max_num=60)


class PolicyForm:
    """The three tables and the rest, as one form. `document()` is what was typed, once `is_valid()`."""

    def __init__(self, document: Document, number: int, data: Any = None) -> None:
        rules = [
            {"kind": rule.kind, "above_usd": rule.above_usd, "younger_than_days": rule.younger_than_days,
             "approvals": rule.approvals, "role": rule.roles[0]}
            for rule in document.approvals
        ]  # fmt: skip
        limits = [
            {"kind": each.kind, "scope": each.scope, "window": each.window, "count": each.count, "usd": each.usd}
            for each in document.limits
        ]
        questions = [{"message_id": rule.message_id, "answer": rule.answer} for rule in document.questions]
        once = {
            "order_limit_advisor": document.order_limits_usd.get("advisor", 0),
            "order_limit_principal": document.order_limits_usd.get("principal", 0),
            "cooling_off_hours": document.cooling_off_hours,
            "batch_below_usd": document.batch_below_usd,
            "approval_minutes": document.approval_minutes,
            "preview_minutes": document.preview_minutes,
            **{f"{lane}_hours": hours for lane, hours in document.lane_hours.items()},
            "based_on": number,
        }
        self.approvals = ApprovalRows(data, initial=rules, prefix="approvals")
        self.limits = LimitRows(data, initial=limits, prefix="limits")
        self.questions = QuestionRows(data, initial=questions, prefix="questions")
        self.rest = RestForm(data, initial=once)

    def is_valid(self) -> bool:
        results = [each.is_valid() for each in (self.approvals, self.limits, self.questions, self.rest)]
        return all(results)  # each says what is wrong with it, not only the first

    def document(self) -> Document:
        once = self.rest.cleaned_data
        return Document(
            approvals=tuple(
                ApprovalRule(
                    row["kind"],
                    row["approvals"],
                    row["above_usd"] or Decimal(0),
                    row["younger_than_days"] or 0,
                    APPROVERS[row["role"]],
                )
                for row in _kept(self.approvals)
            ),
            limits=tuple(
                Limit(row["kind"], row["scope"], row["window"], row["count"], row["usd"]) for row in _kept(self.limits)
            ),
            questions=tuple(QuestionRule(row["message_id"], row["answer"]) for row in _kept(self.questions)),
            order_limits_usd={"advisor": once["order_limit_advisor"], "principal": once["order_limit_principal"]},
            cooling_off_hours=once["cooling_off_hours"],
            batch_below_usd=once["batch_below_usd"],
            approval_minutes=once["approval_minutes"],
            preview_minutes=once["preview_minutes"],
            lane_hours={lane: once[f"{lane}_hours"] for lane in LANES},
        )

    def effective_at(self) -> datetime:
        typed: datetime | None = self.rest.cleaned_data["effective_at"]
        if typed is None:
            return clock.now()
        return typed.replace(tzinfo=UTC) if timezone.is_naive(typed) else typed


def _kept(rows: Any) -> list[dict[str, Any]]:
    return [row.cleaned_data for row in rows if row.cleaned_data and not row.cleaned_data.get("DELETE")]


class DecisionForm(forms.Form):
    """A second principal's word on a version; the hash is of the document that was shown."""

    document_sha256 = forms.CharField(widget=forms.HiddenInput, max_length=64)
    reason = forms.CharField(label="Reason", max_length=500, required=False)
