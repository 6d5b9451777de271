"""Who saw a person: reveals, downloads and exports by whom they were about; and a bound on how many one person may have.

An insider who reads client after client is let through up to REVEALS_PER_HOUR values an hour; the last one allowed also
writes an alarm for the principals, and more are refused (reliability.md Z13).
"""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models

from backoffice.audit import services
from backoffice.audit.models import Entry
from backoffice.core import clock
from backoffice.core.errors import NotPermitted

ALARM = "audit.mass_reveal"
HOUR = timedelta(hours=1)


def require_room(by: Any, action: str) -> None:
    """Call before a reveal is recorded under `action`. Raises NotPermitted when the person has had the hour's share."""
    allowed = int(settings.REVEALS_PER_HOUR)
    taken = Entry.objects.filter(actor=by, action=action, at__gt=clock.now() - HOUR).count()
    if taken >= allowed:
        raise NotPermitted(f"You have revealed {taken} values within an hour. The next one is possible later.")
    if taken + 1 == allowed:
        services.record(
            ALARM, by=by, summary=f"{allowed} values revealed within an hour; further ones are refused", of=action
        )


def by_person(row: models.Model) -> list[tuple[str, int, datetime]]:
    """Return who saw this row how many times, and when last; whoever saw it most comes first."""
    counted = (
        of(row)
        .order_by()
        .values("actor__name")
        .annotate(times=models.Count("id", distinct=True), last=models.Max("at"))
    )
    return [
        (each["actor__name"] or "the system", each["times"], each["last"])
        for each in counted.order_by("-times", "actor__name")
    ]


def of(row: models.Model) -> "models.QuerySet[Entry]":
    """Return the entries that let personal data of this row out, newest first."""
    return (
        Entry.objects.filter(
            disclosures__subject_model=row._meta.label_lower, disclosures__subject_id=str(row.pk)
        )
        .select_related("actor", "seal")
        .order_by("-at", "-id")
    )  # fmt: skip
