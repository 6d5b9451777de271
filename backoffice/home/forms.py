"""The forms of notices."""

import zoneinfo
from typing import Any

from django import forms

from backoffice.home.models import NoticePreference


class SnoozeForm(forms.Form):
    """For how long a matter can wait, and why."""

    hours = forms.TypedChoiceField(
        label="Put off for", coerce=int, choices=((1, "An hour"), (4, "Four hours"), (24, "A day"), (168, "A week"))
    )
    reason = forms.CharField(
        label="Why it can wait", max_length=200, help_text="The audit keeps it, so that nothing leaves silently."
    )


class NoticePreferenceForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    """How one wants to be told."""

    zone = forms.ChoiceField(label="Times are of", help_text="The digest and the quiet hours go by the clock there.")

    class Meta:
        model = NoticePreference
        fields = ("urgent", "other", "digest_at", "quiet_from", "quiet_to", "zone")
        labels = {
            "urgent": "Questions, unknown outcomes, late approvals", "other": "Everything else", "digest_at": "The digest comes at",
            "quiet_from": "Quiet from", "quiet_to": "Quiet until",
        }  # fmt: skip
        help_texts = {
            "urgent": "Unread or put off, they go to the principals too after 15 minutes, also in your quiet hours.",
            "quiet_to": "The same time twice means no quiet hours. Nothing is lost: it comes when they end.",
        }
        widgets = {
            name: forms.TimeInput({"type": "time"}, format="%H:%M") for name in ("digest_at", "quiet_from", "quiet_to")
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = zoneinfo.available_timezones()
        zones = sorted(zone for zone in known if "/" in zone and not zone.startswith(("Etc/", "posix/", "right/")))
        self.fields["zone"].choices = [(zone, zone.replace("_", " ")) for zone in zones]  # type: ignore[attr-defined]
