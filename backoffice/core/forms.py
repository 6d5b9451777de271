"""Forms that may be sent once."""

import uuid
from typing import Any

from django import forms


class OneUseForm(forms.Form):
    """A form whose `intent` is made when it is drawn. The service stores it in a unique column, so a double click, a
    reload or a second tab yields the first row again, never a second one.
    """

    intent = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.is_bound:
            self.initial["intent"] = uuid.uuid4()
