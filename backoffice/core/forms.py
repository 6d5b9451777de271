"""Forms that take their own fields and nothing else, and forms that may be sent once."""

import uuid
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
