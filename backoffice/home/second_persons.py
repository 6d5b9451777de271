"""What waits for a second person below the apps: a change of policy, and a seat with power over money or people."""

from collections.abc import Iterator

from django.urls import reverse

from backoffice.home.registry import InboxItem
from backoffice.people import seats
from backoffice.people.models import PolicyStatus, PolicyVersion, User
from backoffice.people.policy import may


def inbox(user: User) -> Iterator[InboxItem]:
    """Put before each person what another one asked for and this one may decide."""
    if may(user, "policies.approve"):
        proposed = PolicyVersion.objects.filter(status=PolicyStatus.PROPOSED).exclude(maker=user)
        for version in proposed.select_related("maker"):
            yield InboxItem(
                kind=f"policies.version:{version.number}", group="approval", icon="shield", tone="wait", urgency=40,
                title=f"A change of the firm's policies: version {version.number}",
                detail=f"Asked for by {version.maker.name}: {version.reason} The rules stay as they are until you agree.",
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
