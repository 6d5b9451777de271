"""What the audit's pages show."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from backoffice.audit import anchors, disclosures, sealing
from backoffice.audit.models import Entry, Verification
from backoffice.core import clock
from backoffice.home.registry import InboxItem
from backoffice.people.models import User
from backoffice.people.policy import may

VIEWS = {
    "": "Everything",
    "refused": "Refused",
    "disclosed": "Seen, downloaded, exported",
    "decided": "Decisions",
    "access": "Sign-in and people",
    "system": "By the system",
}
_OF_VIEW = {
    "refused": Q(action="request.refused") | Q(action__contains="refuse") | Q(action__contains="fail"),
    "disclosed": Q(data__has_key="disclosed") | Q(action="request.download") | Q(action__endswith="export"),
    "decided": Q(action__in=["journal.approve", "journal.refuse", "journal.withdraw", "journal.attest", "journal.release",
                             "journal.answer"]),
    "access": Q(action__startswith="people."),
    "system": Q(actor=None),
}  # fmt: skip
CHECK_IS_LOST_AFTER = timedelta(minutes=10)
PERIODS = {"1": "Last day", "7": "Last 7 days", "30": "Last 30 days", "365": "Last year"}


def entries(asked: Mapping[str, str]) -> "QuerySet[Entry]":
    """Return the entries the address asks for. What cannot be read filters nothing out of sight: it finds nothing."""
    rows = Entry.objects.select_related("actor", "seal")
    if (view := asked.get("view", "")) in _OF_VIEW:
        rows = rows.filter(_OF_VIEW[view])
    for name, column in (
        ("action", "action"),
        ("model", "subject_model"),
        ("object", "subject_id"),
        ("ref", "correlation"),
    ):
        if value := asked.get(name, "")[:80]:
            rows = rows.filter(**{column: value})
    if app := asked.get("app", "")[:20]:
        rows = rows.filter(action__startswith=f"{app}.")
    if person := asked.get("who", "")[:40]:
        rows = rows.filter(actor__id=person) if _is_uuid(person) else rows.none()
    if address := asked.get("address", "")[:45]:
        rows = rows.filter(address=address) if _is_address(address) else rows.none()
    if (days := asked.get("days", "")) in PERIODS:
        rows = rows.filter(at__gte=clock.now() - timedelta(days=int(days)))
    if (first := _day(asked.get("from", ""))) is not None:
        rows = rows.filter(at__gte=first)
    if (last := _day(asked.get("to", ""))) is not None:
        rows = rows.filter(at__lt=last + timedelta(days=1))
    return rows


def _is_uuid(text: str) -> bool:
    return len(text) == 36 and all(letter in "0123456789abcdef-" for letter in text)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _day(text: str) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError:
        return None


@dataclass(frozen=True)
class Chain:
    """How the chain stands: its end, what waits for a place, the newest anchor and check."""

    head: sealing.Head
    unsealed: int
    anchor: anchors.Anchor | None
    check: Verification | None

    @property
    def is_anchored_lately(self) -> bool:
        return self.anchor is not None and clock.now() - self.anchor.at < timedelta(minutes=15)


def chain() -> Chain:
    """Read how the chain stands now."""
    check = Verification.objects.select_related("asked_by").first()
    return Chain(sealing.head(), sealing.unsealed(), anchors.latest(), check)


def data_lines(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return an entry's data as lines of name and value; of each row that was changed beside the object, one line."""
    lines = [(name, str(value)) for name, value in sorted(data.items()) if name != "changed"]
    return lines + [
        (
            f"changed: {each['object']}",
            f"{each['id']}, from {each['before'][:16] or 'nothing'} to {each['after'][:16] or 'nothing'}",
        )
        for each in data.get("changed", [])
    ]


def _much(bound: disclosures.Bound) -> str:
    return f"{bound.did} many {'personal values' if bound.what == 'values' else bound.what}"


def inbox(user: User) -> list[InboxItem]:
    """Alarms of the last day for those who look after people: somebody took value after value, or file after file."""
    if not may(user, "audit.view"):
        return []
    alarms = Entry.objects.filter(action__in=disclosures.ALARMS, at__gt=clock.now() - timedelta(days=1)).select_related(
        "actor"
    )
    return [
        InboxItem(
            kind=f"audit.alarm:{alarm.pk}",
            group="other",
            title=f"{alarm.actor.name if alarm.actor else 'Somebody'} {_much(disclosures.ALARMS[alarm.action])}",
            detail=f"{alarm.summary}. Look at who was seen, and ask why.",
            action="Look at the entries",
            url=f"/audit/?who={alarm.actor_id}&view=disclosed",
            icon="shield-x",
            tone="bad",
            since=alarm.at,
            since_words="Since",
            urgency=10,
        )
        for alarm in alarms.order_by("-at")[:10]
    ]
