"""Notices by e-mail: at once, in a daily digest, and to others when nobody is on it.

An e-mail says how many matters of which group wait and for how long, and where to look. It names nobody: what it is about
is behind sign-in. A matter is marked only after its e-mail has left, so a failing mail server delays and never loses.
"""

import logging
from collections import Counter
from datetime import datetime, time, timedelta
from smtplib import SMTPException
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.mail import send_mail
from django.db.models import Q
from django.urls import reverse

from backoffice.audit import services as audit
from backoffice.core import clock
from backoffice.home import formats, notices, registry
from backoffice.home.models import Delivery, Notice, NoticePreference
from backoffice.people.models import Role, User

log = logging.getLogger(__name__)
HEAD_START = timedelta(minutes=2)  # for the page: most is seen before an e-mail is worth it
ESCALATE_AFTER = timedelta(minutes=15)


def deliver() -> int:
    """Send what is due to everybody; return how many e-mails left."""
    now = clock.now()
    people = list(User.objects.filter(is_active=True).select_related("notice_preference"))
    sent = 0
    for user in people:
        wish = notices.preference_of(user)
        if not is_quiet(wish, now):
            sent += _at_once(user, wish, now) + _digest(user, wish, now)
    return sent + _escalate([user for user in people if user.role == Role.PRINCIPAL], now)


def is_quiet(wish: NoticePreference, now: datetime) -> bool:
    """Tell whether it is the person's quiet time; equal ends mean there is none."""
    return _is_within(wish, now.astimezone(ZoneInfo(wish.zone)).time())


def _is_within(wish: NoticePreference, here: time) -> bool:
    if wish.quiet_from <= wish.quiet_to:
        return wish.quiet_from <= here < wish.quiet_to
    return here >= wish.quiet_from or here < wish.quiet_to


def _wished(wish: NoticePreference, notice: Notice) -> str:
    return wish.urgent if notices.is_urgent(notice) else wish.other


def _at_once(user: User, wish: NoticePreference, now: datetime) -> int:
    due = [
        notice
        for notice in Notice.objects.visible_to(user).unread().filter(mailed_at=None, since__lte=now - HEAD_START)
        if _wished(wish, notice) == Delivery.AT_ONCE
    ]
    if not due or not _send(user, _subject(due), due, now):
        return 0
    Notice.objects.filter(pk__in=[each.pk for each in due]).update(mailed_at=now)
    return 1


def _digest(user: User, wish: NoticePreference, now: datetime) -> int:
    here = now.astimezone(ZoneInfo(wish.zone))
    # A digest set into the quiet hours comes at their end: held back till the next one, it would never come at all.
    at = wish.quiet_to if _is_within(wish, wish.digest_at) else wish.digest_at
    if Delivery.DIGEST not in (wish.urgent, wish.other) or here.time() < at:
        return 0
    if wish.last_digest_on is not None and wish.last_digest_on >= here.date():
        return 0
    due = [
        notice
        for notice in Notice.objects.visible_to(user).standing().exclude(snoozed_until__gt=now)
        if _wished(wish, notice) == Delivery.DIGEST
    ]
    if due and not _send(user, f"Today: {_subject(due)}", due, now):
        return 0
    NoticePreference.objects.update_or_create(user=user, defaults={"last_digest_on": here.date()})
    return int(bool(due))


def _escalate(principals: list[User], now: datetime) -> int:
    """Tell the principals of urgent matters that nobody they need is on. Quiet hours do not hold this back.

    Whoever has opened one is on it; whoever has put it off is not, however long it may wait by their word.
    """
    # What stood for somebody whose account was closed since is compared with nothing any more, and looks open for ever.
    late = notices.urgent(Notice.objects.standing()).filter(
        Q(read_at__isnull=True) | Q(snoozed_until__gt=now),
        user__is_active=True, escalated_at__isnull=True, since__lte=now - ESCALATE_AFTER,
    )  # fmt: skip
    opened = Notice.objects.standing().filter(read_at__isnull=False).exclude(snoozed_until__gt=now)
    taken_up = set(opened.values_list("kind", flat=True))
    left = [notice for notice in late if notice.kind not in taken_up]
    by_kind = list({notice.kind: notice for notice in left}.values())
    if not by_kind:
        return 0
    sent = sum(_send(user, f"Nobody is on it: {_subject(by_kind)}", by_kind, now) for user in principals)
    if sent:
        Notice.objects.filter(kind__in=[each.kind for each in left]).update(escalated_at=now)
        audit.record("home.escalate", by=None, summary=f"Escalated {len(by_kind)} urgent matters to {sent} principals")
    return sent


def _subject(due: list[Notice]) -> str:
    return "1 matter needs you" if len(due) == 1 else f"{len(due)} matters need you"


def _send(user: User, subject: str, due: list[Notice], now: datetime) -> bool:
    titles = {group.key: group.title for group in registry.inbox_groups}
    lines = [
        f"- {titles.get(group, 'Also yours')}: {number}, the oldest for "
        f"{formats.span(now - min(each.since for each in due if each.group == group))}"
        for group, number in Counter(each.group for each in due).most_common()
    ]
    address = f"{settings.PUBLIC_URL}{reverse('home:notice_list')}"
    text = "\n".join([f"{settings.FIRM_NAME}, back office", "", *lines, "", f"See them: {address}", "",
                      "What they are about is not written here, because e-mail is read by others. How you are told can be",
                      f"changed at {settings.PUBLIC_URL}{reverse('home:notice_settings')}", ""])  # fmt: skip
    try:
        send_mail(subject, text, None, [user.email])
    except (SMTPException, OSError) as problem:
        log.warning("an e-mail of notices did not leave and is tried again in a minute: %s", type(problem).__name__)
        return False
    return True
