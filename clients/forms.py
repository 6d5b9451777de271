"""Forms of clients. The application form keeps everything typed; the checks are `clients.rules`."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.urls import reverse

from backoffice.core.errors import InvalidInput
from backoffice.core.forms import OneUseForm
from backoffice.people.models import Book
from clients import rules
from clients.models import Account, AccountTask, Application
from clients.rules import Defect, facts

_REQUIRED = {
    "first_name", "last_name", "date_of_birth", "email", "phone", "country", "street1", "city", "postal_code", "base_currency",
    "margin", "prefix", "permissions",
}  # fmt: skip


def _countries(words: str = "Choose") -> list[tuple[str, str]]:
    return [("", words), *facts.countries()]


class ApplicationForm(forms.Form):
    """The fields of one section, filled from the draft, with the defects that are to be shown.

    It never cleans anything away: what is wrong stays in the field and is said under it.
    """

    salutation = forms.ChoiceField(choices=[("", "none"), *facts.choices("salutations")])
    first_name = forms.CharField()
    middle_name = forms.CharField()
    last_name = forms.CharField()
    date_of_birth = forms.CharField(widget=forms.TextInput(attrs={"placeholder": "1983-04-17", "inputmode": "numeric"}))
    country_of_birth = forms.ChoiceField(choices=_countries)
    citizenship = forms.ChoiceField(choices=_countries)
    email = forms.CharField(widget=forms.TextInput(attrs={"type": "email"}))
    phone = forms.CharField(widget=forms.TextInput(attrs={"type": "tel"}))
    country = forms.ChoiceField(choices=_countries)
    street1 = forms.CharField()
    street2 = forms.CharField()
    city = forms.CharField()
    postal_code = forms.CharField()
    state = forms.CharField()
    tax_country = forms.ChoiceField(choices=_countries)
    tax_number = forms.CharField()
    base_currency = forms.ChoiceField(choices=[("", "Choose"), *facts.choices("currencies")])
    margin = forms.ChoiceField(choices=[("", "Choose"), *facts.choices("margins")])
    alias = forms.CharField()
    prefix = forms.CharField()  # type: ignore[assignment]  # a field here; the form class takes it out again
    permissions = forms.MultipleChoiceField(choices=facts.choices("permissions"), widget=forms.CheckboxSelectMultiple)
    is_professional = forms.BooleanField()

    def __init__(
        self, application: Application, *, defects: Iterable[Defect], section: str = "", only: str = ""
    ) -> None:
        draft = application.draft
        super().__init__(data=_as_data(draft))
        self.application = application
        for name in list(self.fields):
            fact = rules.FIELDS[name]
            if (section and fact.section != section) or (only and name != only):
                del self.fields[name]
                continue
            field = self.fields[name]
            field.label, field.help_text, field.required = fact.label, fact.help, name in _REQUIRED
            field.widget.is_required = False  # the browser must not keep a wrong value from being saved
            field.widget.attrs |= {
                "hx-post": reverse("clients:application_field", args=[application.pk, name]),
                "hx-trigger": "change",
                "hx-target": f"#at-{name}",
                "hx-swap": "outerHTML",
                "autocomplete": "off",
                "maxlength": "400",
            }
        self._shown = [defect for defect in defects if defect.field in self.fields]
        self._refusals = [item for item in application.refusals if item["field"] in self.fields]

    def full_clean(self) -> None:
        """Put the defects that are to be shown at their fields; nothing else is checked here."""
        self._errors = forms.utils.ErrorDict()
        self.cleaned_data = {}
        for defect in self._shown:
            if defect.stops:
                error = ValidationError(defect.message, params={"fix": defect.fix, "rule": defect.rule})
                self._errors.setdefault(defect.field, self.error_class(renderer=self.renderer)).extend([error])

    def warnings_at(self, name: str) -> list[Defect]:
        return [defect for defect in self._shown if defect.field == name and not defect.stops and not defect.is_missing]

    def refusals_at(self, name: str) -> list[str]:
        return [item["words"] for item in self._refusals if item["field"] == name]


def _as_data(draft: Mapping[str, Any]) -> dict[str, Any]:
    return {name: draft.get(name, [] if name == "permissions" else "") for name in rules.FIELDS}


class StartForm(OneUseForm):
    """In whose book the new application stands."""

    book = forms.ModelChoiceField(
        Book.objects.none(), label="Book", empty_label=None, help_text="Who will see this client."
    )

    def __init__(self, *args: Any, books: list[Book], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["book"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Book.objects.filter(pk__in=[book.pk for book in books]).order_by("name")


class RefusableForm(OneUseForm):
    """A form whose service may refuse one field with a rule and a fix."""

    def refuse(self, refusal: InvalidInput) -> None:
        """Show a service's refusal at its field, or above the form when the field is not here."""
        error = ValidationError(refusal.message, params={"fix": refusal.fix})
        self.add_error(refusal.field if refusal.field in self.fields else None, error)


class DocumentForm(RefusableForm):
    """A file for one task."""

    file = forms.FileField(
        label="File", help_text="PDF, PNG or JPEG, at most 10 MB.", allow_empty_file=True,
        widget=forms.ClearableFileInput(attrs={"accept": ".pdf,.png,.jpg,.jpeg"}),
        error_messages={"required": "No file is chosen."},
    )  # fmt: skip
    proof_type = forms.ChoiceField(label="What it is", error_messages={"required": "IBKR asks what this document is."})
    expires_on = forms.DateField(
        label="Expires on", required=False, help_text="Passport and driver license only.",
        widget=forms.DateInput(attrs={"type": "date"}),
        error_messages={"invalid": "This is not a date; write year-month-day."},
    )  # fmt: skip

    def __init__(self, *args: Any, task: AccountTask, **kwargs: Any) -> None:
        super().__init__(*args, auto_id=f"id_{task.pk}_%s", **kwargs)
        proofs = facts.proof_choices(task.form_number)
        if proofs:
            field = self.fields["proof_type"]
            assert isinstance(field, forms.ChoiceField)
            field.choices = [("", "Choose"), *proofs]
        else:
            del self.fields["proof_type"]
        if task.form_number != "8001":
            del self.fields["expires_on"]


class AliasForm(RefusableForm):
    """A new alias for one account."""

    alias = forms.CharField(
        label="New alias",
        max_length=400,
        help_text="At most 80 characters; yours and the client's name for the account.",
    )

    def __init__(self, *args: Any, account: Account, **kwargs: Any) -> None:
        super().__init__(*args, initial={"alias": account.alias}, **kwargs)

    def clean(self) -> dict[str, Any]:
        _add_defects(self, list(rules.check_alias(str(self.cleaned_data.get("alias") or ""))))
        return self.cleaned_data


class AddressForm(RefusableForm):
    """A new residence address of the account's holder, typed whole: the present one stays masked until it is asked for."""

    country = forms.ChoiceField(choices=_countries, label="Country")
    street1 = forms.CharField(label="Street and number")
    street2 = forms.CharField(label="Flat, building", required=False)
    city = forms.CharField(label="City")
    postal_code = forms.CharField(label="Postal code")
    state = forms.CharField(
        label="State or province", required=False, help_text="ISO 3166-2: GB-ENG, PL-DS; US states bare, CT."
    )

    def __init__(self, *args: Any, account: Account, **kwargs: Any) -> None:
        super().__init__(*args, initial={"country": account.client.country}, **kwargs)

    def clean(self) -> dict[str, Any]:
        _add_defects(self, [defect for defect in rules.check_address(self.cleaned_data) if defect.stops])
        return self.cleaned_data


def _add_defects(form: forms.Form, defects: list[Defect]) -> None:
    for name in (bound.name for bound in form.visible_fields()):
        if form.has_error(name, "required"):  # the rules say what may stay empty, and what to do about it
            del form.errors[name]
            form.cleaned_data[name] = ""
    for defect in defects:
        form.add_error(defect.field, ValidationError(defect.message, params={"fix": defect.fix, "rule": defect.rule}))


class HoldForm(forms.Form):
    """Why everything of a client must stay."""

    reason = forms.CharField(
        label="The matter", max_length=300, help_text="A case number or an examination. The audit keeps it."
    )


class ReleaseForm(forms.Form):
    """Why a hold may go."""

    reason = forms.CharField(label="Why it is over", max_length=300)


class DestroyForm(forms.Form):
    """The client's name, typed by the person who destroys what it names."""

    typed = forms.CharField(
        label="The client's name", required=False, widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="Typed as it is written above: what is destroyed does not come back.",
    )  # fmt: skip
