"""What waits for a second person: effects at IBKR, a change of policy, and a seat with power over money or people."""

from collections.abc import Iterator
from datetime import timedelta

from django.urls import reverse

from backoffice.core import clock
from backoffice.home.registry import InboxItem
from backoffice.journal import decisions, selectors
from backoffice.people import seats
from backoffice.people.models import PolicyStatus, PolicyVersion, User
from backoffice.people.policies import services as policies
from backoffice.people.policies.document import FLAGS
from backoffice.people.policy import may

SHOWN = 50


def inbox(user: User) -> Iterator[InboxItem]:
    """Put before each person what another one asked for and this one may decide."""
    if may(user, "journal.approve"):
        yield from _effects(user)
    if may(user, "policies.approve"):
        proposed = PolicyVersion.objects.filter(status=PolicyStatus.PROPOSED).exclude(maker=user)
        for version in proposed.select_related("maker"):
            asked = f"Asked for by {version.maker.name}: {version.reason.rstrip('.')}."
            yield InboxItem(
                kind=f"policies.version:{version.number}", group="approval", icon="shield", tone="wait", urgency=40,
                title=f"A change of the firm's policies: version {version.number}",
                detail=f"{asked} The rules stay as they are until you agree.",
                action="Look at it", url=reverse("policies:detail", args=[version.number]), since=version.proposed_at,
                since_words="Waits",
            )  # fmt: skip
    if may(user, "people.agree"):
        for change in seats.waiting():
            if seats.may_decide(change, user):
                yield InboxItem(
                    kind=f"people.seat:{change.pk}", group="approval", icon="users", tone="wait", urgency=45,
                    title=f"{change.about} {change.words}",
                    detail=f"Asked for by {change.asked_by.name}. Nothing has changed until you agree.",
                    action="Look at it", since=change.asked_at, since_words="Waits",
                    url=reverse("people:detail", args=[change.person_id]) if change.person_id else reverse("people:list"),
                )  # fmt: skip


def _effects(user: User) -> Iterator[InboxItem]:
    """What would be sent to IBKR, the longest waiting first, with who looks at it and until when it should be decided."""
    now, patience = clock.now(), timedelta(minutes=policies.in_force().document.approval_minutes)
    rows = selectors.awaiting(user).select_related("maker", "claimed_by").defer("payload_text")
    for listed in selectors.visible(rows.order_by("created_at", "id")[:SHOWN], user):
        row, said = listed.submission, decisions.headline(listed.submission, listed.subject)
        flags = "".join(f"{FLAGS.get(flag, flag)}. " for flag in row.flags)
        maker = f"Made by {row.maker.name}. " if row.maker else ""
        due_at = row.created_at + patience
        yield InboxItem(
            kind=f"journal.approval:{row.pk}", group="approval", icon="checks", title=said.title,
            tone="bad" if due_at < now else "wait",  # past its time it is told again, and handed on when nobody looks
            detail=f"{said.detail} {flags}{maker}Nothing is sent before you approve it.".strip(), action="Review",
            url=reverse("journal:approval_detail", args=[row.pk]), amount=said.amount, owner=row.claimant,
            due=due_at, due_words="Decide in", since=row.created_at, urgency=10 if due_at < now else 20,
        )  # fmt: skip
