"""What the frame's pages show, gathered from the providers on the registry."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.db.models import Count, Min

from backoffice.core import clock
from backoffice.home import formats, notices, registry
from backoffice.home.registry import FeedItem, Figure, InboxGroup, InboxItem, SearchHit, StateBarItem
from backoffice.journal.models import Inquiry, InquiryState, State, Submission
from backoffice.people.models import User

FEED_LENGTH = 12
HITS_PER_PROVIDER = 6


@dataclass(frozen=True)
class Heading:
    """One group of the inbox with its items."""

    group: InboxGroup
    items: tuple[InboxItem, ...]


@dataclass(frozen=True)
class Inbox:
    """The inbox and a mark that changes when what it asks for does; ages alone do not change it. `asleep`: put off."""

    headings: tuple[Heading, ...]
    mark: str
    number: int
    asleep: int = 0


def waiting(user: User) -> list[InboxItem]:
    """Return everything that waits for this person and is not put off, gathered once for each request."""
    gathered, asleep = _gathered(user)
    return [item for item in gathered if item.kind not in asleep]


def _gathered(user: User) -> tuple[list[InboxItem], set[str]]:
    """The side column counts the same list that the inbox shows, so it is kept with the user of the request."""
    found: tuple[list[InboxItem], set[str]] | None = getattr(user, "_waiting", None)
    if found is None:
        items = [item for provider in registry.inbox for item in provider(user)]
        found = items, notices.snoozed_kinds(user) & {item.kind for item in items}
        user._waiting = found  # type: ignore[attr-defined]
    return found


def inbox(user: User, scope: str = "all") -> Inbox:
    """Return what this person must do, grouped. `scope` "mine" keeps what they own and what nobody does."""
    items = waiting(user)
    if scope == "mine":
        items = [item for item in items if item.owner in (user, None)]
    groups = {group.key: group for group in registry.inbox_groups}
    by_group: dict[str, list[InboxItem]] = {}
    for item in items:
        by_group.setdefault(item.group if item.group in groups else "other", []).append(item)
    headings = tuple(
        Heading(groups[key], tuple(sorted(members, key=lambda item: (item.urgency, item.kind))))
        for key, members in sorted(by_group.items(), key=lambda pair: groups[pair[0]].order)
    )
    said = "\n".join(
        f"{item.kind}|{item.title}|{item.tone}|{item.action}" for heading in headings for item in heading.items
    )
    return Inbox(headings, sha256(said.encode()).hexdigest()[:12], len(items), len(_gathered(user)[1]))


def figures(user: User) -> list[Figure]:
    """Return the strip of Today, in order."""
    return sorted(
        (figure for provider in registry.figures for figure in provider(user)), key=lambda figure: figure.order
    )


def feed(user: User, since: datetime) -> list[FeedItem]:
    """Return what happened since, newest first."""
    items = [item for provider in registry.feed for item in provider(user, since)]
    return sorted(items, key=lambda item: item.at, reverse=True)[:FEED_LENGTH]


def state_bar(user: User) -> list[StateBarItem]:
    """Return the state bar, in order; what is bad comes first among equals."""
    rank = {"bad": 0, "unknown": 1, "wait": 2}
    items = [item for provider in registry.state_bar for item in provider(user)]
    return sorted(items, key=lambda item: (item.order, rank.get(item.tone, 3)))


def search(user: User, text: str) -> list[SearchHit]:
    """Return the first answers of each provider, and the places whose name fits."""
    hits: list[SearchHit] = []
    for provider in registry.search:
        hits += list(provider(user, text))[:HITS_PER_PROVIDER]
    return hits


@dataclass(frozen=True)
class Lane:
    """One lane: what waits to be sent now, since when, and what waits for a later time."""

    name: str
    waiting: int
    oldest: str
    parked: int


def lanes() -> list[Lane]:
    """Return every lane with what waits in it; the interactive one counts inquiries."""
    now = clock.now()
    unsent = Submission.objects.filter(state__in=[State.READY, State.CLAIMED, State.REPLYING])
    due: dict[str, dict[str, Any]] = {
        row["lane"]: dict(row)
        for row in unsent.filter(due_at__lte=now).values("lane").annotate(number=Count("pk"), oldest=Min("due_at"))
    }
    later = {
        row["lane"]: row["number"] for row in unsent.filter(due_at__gt=now).values("lane").annotate(number=Count("pk"))
    }
    asked = Inquiry.objects.filter(state=InquiryState.WAITING).aggregate(number=Count("pk"), oldest=Min("asked_at"))
    due["interactive"] = asked
    found = []
    for name in ("trading", "funding", "accounts", "reports", "interactive"):
        row = due.get(name) or {"number": 0, "oldest": None}
        oldest = formats.span(now - row["oldest"]) if row["oldest"] else ""
        found.append(Lane(name, int(row["number"]), oldest, int(later.get(name, 0))))
    return found
