"""Forms that take their own fields and nothing else, forms that may be sent once, and amounts as people type them."""

import uuid
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError

_EVERY_FORM = frozenset({"csrfmiddlewaretoken"})


class StrictForm(forms.Form):
    """A form that refuses a name it did not ask for, so that a forged hidden field is an error and not a try for free.

    `beside` names what else its template sends; one that ends in "-" begins a family ("units-U1234567").
    """

    beside: ClassVar[tuple[str, ...]] = ()

    def full_clean(self) -> None:
        super().full_clean()
        if self.is_bound and (foreign := self._foreign()):
            names = ", ".join(f"“{name[:40]}”" for name in foreign[:5])
            self.add_error(None, ValidationError(f"This form does not take {names}. Open it again.", code="foreign"))

    def _foreign(self) -> list[str]:
        own = {self.add_prefix(name) for name in self.fields} | _EVERY_FORM | set(self.beside)
        families = tuple(name for name in self.beside if name.endswith("-"))
        sent = {str(name) for name in (*self.data, *self.files)}
        return sorted(name for name in sent - own if not (families and name.startswith(families)))


class OneUseForm(StrictForm):
    """A form whose `intent` is made when it is drawn. The service stores it in a unique column, so a double click, a
    reload or a second tab yields the first row again, never a second one.
    """

    intent = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.is_bound:
            self.initial["intent"] = uuid.uuid4()


class AmountField(forms.Field):
    """An amount as people type it: "48,500.00" and "48 500.00" are the same."""

    widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})

    def to_python(self, value: Any) -> Decimal | None:
        text = str(value or "").replace(",", "").replace(" ", "").replace("\u00a0", "")
        if not text:
            return None
        try:
            number = Decimal(text)
        except InvalidOperation as error:
            raise forms.ValidationError(
                "This is not an amount.", params={"fix": "Write it in digits, such as 48,500.00."}
            ) from error
        if not number.is_finite() or number.adjusted() > 15:
            raise forms.ValidationError(
                "This is not an amount.", params={"fix": "Write it in digits, such as 48,500.00."}
            )
        return number
