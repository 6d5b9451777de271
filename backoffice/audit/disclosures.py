"""Who saw a person: reveals, downloads and exports by whom they were about; and a bound on how many one person may have.

An insider who reads client after client is let through up to REVEALS_PER_HOUR values an hour; the last one allowed also
writes an alarm for the principals, and more are refused (reliability.md Z13).
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models

from backoffice.audit import services
from backoffice.audit.models import Disclosure, Entry
from backoffice.audit.reading import Row
from backoffice.core import clock
from backoffice.core.errors import NotPermitted

Named = list[tuple[str, str]]

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


def by_person(*rows: models.Model) -> list[tuple[str, int, datetime]]:
    """Return who saw any of these rows how many times, and when last; whoever saw them most comes first."""
    counted = (
        of(*rows)
        .order_by()
        .values("actor__name")
        .annotate(times=models.Count("id", distinct=True), last=models.Max("at"))
    )
    return [
        (each["actor__name"] or "the system", each["times"], each["last"])
        for each in counted.order_by("-times", "actor__name")
    ]


def of(*rows: models.Model) -> "models.QuerySet[Entry]":
    """Return the entries that let personal data of any of these rows out, newest first, each once."""
    named = models.Q(pk__in=[])
    for row in rows:
        named |= models.Q(subject_model=row._meta.label_lower, subject_id=str(row.pk))
    return (
        Entry.objects.filter(pk__in=Disclosure.objects.filter(named).values("entry"))
        .select_related("actor", "seal")
        .order_by("-at", "-id")
    )  # fmt: skip


def named_by(entries: Sequence[int]) -> dict[int, Named]:
    """Return whom each of some entries names, as (model, key), in the order that its digest was made over."""
    found: dict[int, Named] = {}
    rows = Disclosure.objects.none()
    if entries:  # a batch follows the numbers, so its ends are cheaper to ask by than twenty thousand numbers
        rows = Disclosure.objects.filter(entry__gte=min(entries), entry__lte=max(entries))
    for entry, model, key in rows.values_list("entry_id", "subject_model", "subject_id").iterator(chunk_size=5_000):
        found.setdefault(entry, []).append((model, key))
    return {entry: sorted(named) for entry, named in found.items()}


def are_those_of(row: Row, named: Named) -> bool:
    """Whether these are the people an entry was recorded with: their digest is in its data, which its mac covers."""
    data = json.loads(row.content.data) if '"disclosed_sha256"' in row.content.data else {}
    if "disclosed_sha256" not in data:
        return not named
    return bool(data["disclosed_sha256"] == services.digest_of_disclosed(named, row.key_id))
