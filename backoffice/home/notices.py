"""What needs each person, written down every minute: nothing is lost when no page is open.

The inbox says what needs a person now. `note` compares it with what was written last: what is new becomes a notice, what is
no longer there is over. A matter that got worse is unread again. Putting off hides a matter from the person's own inbox
until a time, for a reason; it goes on standing for everybody else, and what is urgent still goes to the principals
(`notice_mail`).
"""

from contextlib import ExitStack
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet

from backoffice.audit import services as audit
from backoffice.core import clock
from backoffice.core.errors import InvalidInput
from backoffice.core.sql import DESTROYED
from backoffice.home import registry
from backoffice.home.models import Notice, NoticePreference, reach_of
from backoffice.home.registry import InboxItem
from backoffice.people.models import User

URGENT = ("answer", "doubt")  # groups whose matters cannot wait for a digest
LATE = Q(group="approval", tone="bad")  # nor can what should have been decided by now
_RANK = {"good": 0, "neutral": 0, "info": 1, "wait": 2, "bad": 3, "unknown": 3}
LONGEST_SNOOZE = timedelta(days=14)
KEPT_FOR = timedelta(days=90)
_LISTED = 50
_KEY_LENGTH = 36  # of a key that is no row's of another table


def is_urgent(notice: Notice) -> bool:
    """Tell whether it is told at once and handed on when nobody looks; `urgent` is the same as a filter."""
    return notice.group in URGENT or (notice.group == "approval" and notice.tone == "bad")


def urgent(standing: "QuerySet[Notice]") -> "QuerySet[Notice]":
    return standing.filter(Q(group__in=URGENT) | LATE)


def note_everybody() -> int:
    """Write down what needs each active person; return how many notices are new.

    One person's broken row must not keep everybody else from being told: the others are written down all the same, and
    what went wrong is raised at the end.
    """
    new: list[int] = []
    with ExitStack() as stack:
        for user in User.objects.filter(is_active=True):
            stack.callback(lambda each: new.append(note(each)), user)
    return sum(new)


@transaction.atomic
def note(user: User) -> int:
    """Compare what needs one person with what was written last; return how many notices are new."""
    now, reach = clock.now(), reach_of(user)
    items = {item.kind: item for provider in registry.inbox for item in provider(user)}
    standing = {notice.kind: notice for notice in Notice.objects.select_for_update().filter(user=user).standing()}
    for kind, notice in standing.items():
        if kind not in items:
            Notice.objects.filter(pk=notice.pk).update(gone_at=now)
        elif _is_worse(items[kind], notice):
            Notice.objects.filter(pk=notice.pk).update(
                tone=items[kind].tone, read_at=None, snoozed_until=None, mailed_at=None, escalated_at=None
            )
        if kind in items and notice.reach != reach:
            Notice.objects.filter(pk=notice.pk).update(reach=reach)
    new = [_notice(user, item, now, reach) for kind, item in items.items() if kind not in standing]
    Notice.objects.bulk_create(new, ignore_conflicts=True)
    return len(new)


def _is_worse(item: InboxItem, notice: Notice) -> bool:
    return _RANK.get(item.tone, 0) > _RANK.get(notice.tone, 0)


def _notice(user: User, item: InboxItem, now: datetime, reach: str) -> Notice:
    return Notice(
        user=user, kind=item.kind, group=item.group, title=item.title, url=item.url, tone=item.tone, since=item.since or now,
        reach=reach,
    )  # fmt: skip


@transaction.atomic
def forget_old() -> int:
    """Delete what has been over for three months; return how many. What stands stays, however old."""
    gone, _ = Notice.objects.filter(gone_at__lt=clock.now() - KEPT_FOR).delete()
    if gone:
        days = KEPT_FOR.days
        audit.record("home.forget_notices", by=None, summary=f"{gone} notices over for {days} days deleted")
    return gone


@transaction.atomic
def forget(name: str, keys: set[str]) -> list[audit.Standing]:
    """Empty the notices that name a person or are about rows with these keys, as their personal data is destroyed."""
    was = []
    for notice in Notice.objects.iterator():  # titles are sealed, so each is opened; three months of them are kept
        if name in notice.title or any(part in keys for part in notice.kind.split(":") if len(part) >= _KEY_LENGTH):
            was += audit.standing(notice)
            notice.title, notice.snooze_reason = DESTROYED, notice.snooze_reason and DESTROYED
            notice.save(update_fields=["title", "snooze_reason"])
    return was


def snoozed_kinds(user: User) -> set[str]:
    """Return the kinds this person has put off for now."""
    return set(Notice.objects.visible_to(user).asleep(clock.now()).values_list("kind", flat=True))


def unread_count(user: User) -> int:
    """Return how many new notices this person has, up to a hundred."""
    new = Notice.objects.visible_to(user).unread().exclude(snoozed_until__gt=clock.now())
    return len(new.values_list("pk", flat=True)[:100])


@transaction.atomic
def mark_read(notice: Notice, *, by: User) -> None:
    """Mark one as seen, by whoever it is for."""
    _see(Notice.objects.filter(pk=notice.pk), by)


@transaction.atomic
def mark_all_read(user: User) -> int:
    """Mark everything this person has as seen; return how many that were."""
    return _see(Notice.objects.visible_to(user), user)


def _see(notices: "QuerySet[Notice]", by: User) -> int:
    unread = list(notices.filter(read_at=None).select_for_update(of=("self",)).order_by("pk"))
    for start in range(0, len(unread), _LISTED):  # an entry stays readable however many there are
        some = unread[start : start + _LISTED]
        was = audit.standing(*some)
        Notice.objects.filter(pk__in=[each.pk for each in some]).update(read_at=clock.now())
        audit.record(
            "home.read_notices",
            by=by,
            summary=f"Saw {len(some)} {'notice' if len(some) == 1 else 'notices'}",
            changed=was,
        )
    return len(unread)


@transaction.atomic
def snooze(notice: Notice, *, until: datetime, reason: str, by: User) -> None:
    """Put a matter off. Raises InvalidInput (fields until, reason)."""
    now = clock.now()
    if not now < until <= now + LONGEST_SNOOZE:
        raise InvalidInput("until", "A matter can be put off for two weeks at most.", "Choose a nearer time.")
    if not reason.strip():
        raise InvalidInput("reason", "Why it can wait is missing.", "A few words; the audit keeps them.")
    before = audit.digest_now(notice)
    Notice.objects.filter(pk=notice.pk).update(snoozed_until=until, snooze_reason=reason.strip()[:200], read_at=now)
    audit.record(
        "home.snooze", by=by, on=notice, summary=f"Put off a matter of the kind {notice.kind.split(':')[0]}",
        before=before, until=until.isoformat(),
    )  # fmt: skip


@transaction.atomic
def wake(notice: Notice, *, by: User) -> None:
    """Take a matter up again before its time."""
    before = audit.digest_now(notice)
    Notice.objects.filter(pk=notice.pk).update(snoozed_until=None, snooze_reason="")
    kind = notice.kind.split(":")[0]
    audit.record("home.wake", by=by, on=notice, summary=f"Took up a matter of the kind {kind}", before=before)


def preference_of(user: User) -> NoticePreference:
    """Return how a person wants to be told; the usual way when they never said."""
    return NoticePreference.objects.filter(user=user).first() or NoticePreference(user=user)


@transaction.atomic
def keep_preference(wish: NoticePreference) -> None:
    """Keep how a person wants to be told from now on."""
    before = audit.digest_now(wish)
    wish.save()
    audit.record("home.wish", by=wish.user, on=wish, summary="How they want to be told was changed", before=before)
