"""Who saw a person: reveals, downloads and exports by whom they were about; and a bound on how many one person may have.

An insider who reads client after client is let through up to an hour's share of each kind (`BOUNDS`): values revealed,
drafts opened that others typed, files of many people, documents of one, and people read by programs. What uses the share
up also writes an alarm for the principals, and more is refused (reliability.md Z13). A program's share counts for its
owner, whichever token it holds.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models, transaction

from backoffice.audit import services
from backoffice.audit.models import Disclosure, Entry
from backoffice.audit.reading import Row
from backoffice.core import clock
from backoffice.core.errors import NotPermitted

Named = list[tuple[str, str]]

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Bound:
    """How much of one kind a person may have within an hour. `did` and `what` are words: "revealed", "personal values"."""

    setting: str
    alarm: str
    did: str
    what: str
    actions: tuple[str, ...]
    counts_people: bool = False  # different people in the entries, not the entries

    @property
    def allowed(self) -> int:
        return int(getattr(settings, self.setting))

    def taken(self, by: Any) -> int:
        """Return how much of it this person has had within the last hour."""
        if not self.counts_people:
            return Entry.objects.filter(actor=by, action__in=self.actions, at__gt=clock.now() - HOUR).count()
        return self._people(by).count()

    def adds(self, by: Any, rows: Sequence[models.Model]) -> bool:
        """Tell whether these would be more of it: people that were had within the hour already are not."""
        if not self.counts_people:
            return True
        keys = {str(row.pk) for row in rows}
        return self._people(by).filter(subject_id__in=keys).count() < len(keys)

    def _people(self, by: Any) -> "models.QuerySet[Any, Any]":
        entries = Entry.objects.filter(actor=by, action__in=self.actions, at__gt=clock.now() - HOUR)
        return Disclosure.objects.filter(entry__in=entries).values("subject_model", "subject_id").distinct()


BOUNDS = (
    Bound("REVEALS_PER_HOUR", "audit.mass_reveal", "revealed", "values", ("clients.reveal",)),
    # The form shows in the clear what others typed, so it is bounded as the eye on a client's page is.
    Bound(
        "REVEALS_PER_HOUR", "audit.mass_drafts", "opened", "drafts that others typed", ("clients.show_draft",),
        counts_people=True,
    ),
    Bound(
        "EXPORTS_PER_HOUR", "audit.mass_export", "exported", "files",
        ("clients.export", "funding.export", "trading.export", "audit.export", "audit.evidence"),
    ),
    Bound(
        "DOCUMENTS_PER_HOUR", "audit.mass_download", "downloaded", "documents",
        ("reporting.open", "journal.download_evidence"),
    ),
    Bound("API_PEOPLE_PER_HOUR", "audit.mass_read", "read by program", "people", ("api.read",), counts_people=True),
)  # fmt: skip
ALARMS = {bound.alarm: bound for bound in BOUNDS}
_BOUND_OF = {action: bound for bound in BOUNDS for action in bound.actions}


@transaction.atomic
def let_out(
    action: str, *, by: Any, disclosed: Iterable[models.Model] = (), on: models.Model | None = None, **entry: Any
) -> Entry:
    """Record that personal data leaves, as `services.record` does. Raises NotPermitted past the hour's share.

    `action` is one of a bound's. Requests of one person take turns, so that two at once do not both find the last place.
    """
    bound = _BOUND_OF[action]
    by._meta.model._base_manager.select_for_update().get(pk=by.pk)
    before, disclosed = bound.taken(by), list(disclosed)
    if before >= bound.allowed and bound.adds(by, disclosed):
        raise NotPermitted(f"You have {bound.did} {before} {bound.what} within an hour. The next is possible later.")
    written = services.record(action, by=by, on=on, disclosed=disclosed, **entry)
    if before < bound.allowed <= bound.taken(by):
        services.record(
            bound.alarm, by=by, of=action,
            summary=f"{bound.allowed} {bound.what} {bound.did} within an hour; further ones are refused",
        )  # fmt: skip
    return written


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
