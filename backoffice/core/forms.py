"""Forms that take their own fields and nothing else, forms that may be sent once, and amounts as people type them."""

import re
import uuid
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError

_EVERY_FORM = frozenset({"csrfmiddlewaretoken"})
_BETWEEN_THOUSANDS = ", '\u2019\u00a0\u202f"
# Digits alone, or in threes with one sort of mark between them throughout.
_NUMBER = re.compile(rf"-?(?:\d+|\d{{1,3}}([{_BETWEEN_THOUSANDS}])\d{{3}}(?:\1\d{{3}})*)(?:\.\d*)?|-?\.\d+", re.ASCII)


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
    """An amount as people type it: "48,500.00" and "48 500.00" are the same. Raises ValidationError for "48,50"."""

    widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})

    def to_python(self, value: Any) -> Decimal | None:
        return typed_number(value, "an amount", example="48,500.00")


def typed_number(value: Any, what: str, *, example: str, decimals: int = 8) -> Decimal | None:
    """Read a number as people type it, None where nothing was typed. Raises ValidationError with the fix.

    A comma that does not part thousands is refused, never dropped: whoever writes decimals with one means 48.50 by "48,50",
    and would send 4,850.
    """
    text = str(value or "").strip()
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        if "," in text and not text.strip("-0123456789,. \u00a0\u202f"):
            raise forms.ValidationError(
                "This can be read in two ways.",
                params={"fix": f"Part decimals with a point and thousands with a comma: {example}."},
            )
        raise forms.ValidationError(f"This is not {what}.", params={"fix": f"Write it in digits, such as {example}."})
    number = Decimal(re.sub(f"[{_BETWEEN_THOUSANDS}]", "", text))
    if number.adjusted() > 14 or -int(number.as_tuple().exponent) > decimals:
        raise forms.ValidationError(f"This is not {what}.", params={"fix": f"Write it in digits, such as {example}."})
    return number
