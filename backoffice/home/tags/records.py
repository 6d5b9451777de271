"""The way from an object's page to its records."""

from typing import Any
from uuid import UUID

from django.template import Context
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from backoffice.home.tags.marks import icon
from backoffice.people.policy import may


def records(context: Context, kind: str, pk: UUID) -> SafeString:
    """Draw the buttons that make an object's evidence pack and, for a client, tell who saw the person."""
    user: Any = getattr(context.get("request"), "user", None)
    drawn = SafeString("")
    if kind == "client" and may(user, "audit.who_saw"):
        drawn += format_html(
            '<a class="bo-button" href="{}">{} Who saw this person</a> ',
            reverse("audit:who_saw", args=[pk]),
            icon("eye-check", 16),
        )
    if may(user, "audit.evidence"):
        drawn += format_html(
            '<a class="bo-button" href="{}" download>{} Evidence pack</a>',
            reverse("audit:evidence_pack", args=[kind, pk]), icon("file-zip", 16),
        )  # fmt: skip
    return drawn
