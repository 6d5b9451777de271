"""What needs a person is written down, told by e-mail without names, put off for a reason, and handed on when nobody looks."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from smtplib import SMTPServerDisconnected
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.test import Client as Browser
from django.urls import reverse

from backoffice.audit.models import Entry
from backoffice.core import clock
from backoffice.core.errors import InvalidInput
from backoffice.home import notice_mail, notices, registry, selectors
from backoffice.home.models import Notice, NoticePreference
from backoffice.home.registry import InboxItem
from backoffice.home.tasks import sweep_notices
from backoffice.people.models import Book, User

pytestmark = pytest.mark.django_db


class FailingMail(EmailBackend):
    """A mail server that hangs up."""

    def send_messages(self, messages: Any) -> int:
        raise SMTPServerDisconnected("gone")


@pytest.fixture
def waiting() -> Iterator[dict[str, list[InboxItem]]]:
    """What the inbox says of each person, by e-mail address, in place of what the apps say."""
    items: dict[str, list[InboxItem]] = {}
    with registry.inbox.holding(lambda user: items.get(user.email, [])):
        yield items


def item(kind: str = "funding.approval:1", group: str = "approval", tone: Any = "wait", **more: Any) -> InboxItem:
    return InboxItem(
        kind=kind, group=group, title="Withdrawal of Marianne Holloway", detail="It waits.", action="Review", url="/funding/",
        tone=tone, **more,
    )  # fmt: skip


def long_ago(**passed: int) -> datetime:
    return clock.now() - timedelta(**passed)


def browser_of(user: User) -> Browser:
    browser = Browser()
    browser.force_login(user, backend="backoffice.people.backends.EmailBackend")
    return browser


def never_quiet(user: User, **wishes: Any) -> NoticePreference:
    return NoticePreference.objects.create(
        user=user, **{"quiet_from": time(0), "quiet_to": time(0), "zone": "UTC", **wishes}
    )


def test_a_matter_is_written_once_and_is_over_when_it_is_gone(advisor: Any, waiting: Any) -> None:
    waiting[advisor.email] = [item()]
    assert (notices.note(advisor), notices.note(advisor)) == (1, 0)
    waiting[advisor.email] = []
    notices.note(advisor)

    notice = Notice.objects.get()
    assert notice.gone_at is not None
    assert notice.title == "Withdrawal of Marianne Holloway"
    waiting[advisor.email] = [item()]
    assert notices.note(advisor) == 1  # it came back: a matter of its own


def test_a_matter_that_got_worse_is_new_again(advisor: Any, waiting: Any) -> None:
    waiting[advisor.email] = [item()]
    notices.note(advisor)
    notices.snooze(Notice.objects.get(), until=clock.now() + timedelta(hours=4), reason="Client travels", by=advisor)
    assert notices.unread_count(advisor) == 0
    waiting[advisor.email] = [item(tone="unknown")]
    notices.note(advisor)

    assert notices.unread_count(advisor) == 1
    assert notices.snoozed_kinds(advisor) == set()


def test_what_is_put_off_leaves_ones_own_inbox_only(advisor: Any, other_advisor: Any, waiting: Any) -> None:
    waiting[advisor.email] = waiting[other_advisor.email] = [item()]
    notices.note_everybody()
    mine = Notice.objects.get(user=advisor)

    answer = browser_of(advisor).post(
        reverse("home:notice_snooze", args=[mine.pk]), {"hours": "4", "reason": "Client travels"}
    )

    assert answer.status_code == 302
    seen = selectors.inbox(User.objects.get(pk=advisor.pk))
    assert (seen.number, seen.asleep) == (0, 1)
    assert selectors.inbox(User.objects.get(pk=other_advisor.pk)).number == 1
    assert Entry.objects.filter(action="home.snooze", actor=advisor).count() == 1
    browser_of(advisor).post(reverse("home:notice_wake", args=[mine.pk]))
    assert selectors.inbox(User.objects.get(pk=advisor.pk)).number == 1


@pytest.mark.parametrize(("hours", "reason"), [(0, "why"), (24 * 15, "why"), (4, "  ")])
def test_putting_off_needs_a_near_time_and_a_reason(advisor: Any, waiting: Any, hours: int, reason: str) -> None:
    waiting[advisor.email] = [item()]
    notices.note(advisor)

    with pytest.raises(InvalidInput):
        notices.snooze(Notice.objects.get(), until=clock.now() + timedelta(hours=hours), reason=reason, by=advisor)

    assert notices.snoozed_kinds(advisor) == set()


def test_an_urgent_matter_is_mailed_once_and_names_nobody(advisor: Any, waiting: Any, settings: Any) -> None:
    settings.PUBLIC_URL = "https://backoffice.example.com"
    never_quiet(advisor, other="none")
    waiting[advisor.email] = [
        item("order.question:1", "answer", "bad", since=long_ago(minutes=12)),
        item("funding.approval:2", "approval", since=long_ago(minutes=50)),
    ]
    notices.note(advisor)

    assert (notice_mail.deliver(), notice_mail.deliver()) == (1, 0)

    (sent,) = mail.outbox
    assert sent.to == [advisor.email]
    assert sent.subject == "1 matter needs you"
    assert "- Answer now: 1, the oldest for 12 min" in sent.body
    assert "https://backoffice.example.com/notices/" in sent.body
    assert not [word for word in ("Holloway", "Marianne", "Withdrawal", "U1000") if word in sent.body + sent.subject]


def test_the_page_has_two_minutes_before_an_email_leaves(advisor: Any, waiting: Any) -> None:
    never_quiet(advisor)
    NoticePreference.objects.update(other="none")
    waiting[advisor.email] = [item("order.question:1", "answer", "bad")]
    notices.note(advisor)

    assert notice_mail.deliver() == 0


def test_quiet_hours_hold_back_and_lose_nothing(advisor: Any, waiting: Any) -> None:
    wish = never_quiet(advisor, other="none", quiet_from=time(20), quiet_to=time(7), zone="America/New_York")
    waiting[advisor.email] = [item("order.question:1", "answer", "bad", since=long_ago(minutes=5))]
    notices.note(advisor)

    night, morning = (datetime(2026, 11, 24, hour, tzinfo=UTC) for hour in (6, 12))  # 01:00 and 07:00 in New York
    assert [notice_mail.is_quiet(wish, at) for at in (night, morning)] == [True, False]
    now = clock.now()
    NoticePreference.objects.update(
        zone="UTC", quiet_from=(now - timedelta(hours=1)).time(), quiet_to=(now + timedelta(hours=1)).time()
    )
    assert notice_mail.deliver() == 0
    NoticePreference.objects.update(quiet_to=time(0), quiet_from=time(0))
    assert notice_mail.deliver() == 1


def test_the_digest_comes_once_a_day_with_everything_that_stands(advisor: Any, waiting: Any) -> None:
    never_quiet(advisor, digest_at=time(0))
    waiting[advisor.email] = [item(), item("funding.approval:2"), item("reporting.failed:1", "reports")]
    notices.note(advisor)
    browser_of(advisor).post(reverse("home:notices_read"))  # seen is not done

    assert (notice_mail.deliver(), notice_mail.deliver()) == (1, 0)

    assert mail.outbox[0].subject == "Today: 3 matters need you"
    NoticePreference.objects.update(last_digest_on=clock.now().date() - timedelta(days=1))
    assert notice_mail.deliver() == 1


def test_a_digest_set_into_the_quiet_hours_comes_at_their_end(advisor: Any, waiting: Any, time_machine: Any) -> None:
    never_quiet(advisor, digest_at=time(21), quiet_from=time(20), quiet_to=time(7))
    waiting[advisor.email] = [item()]
    sent = []
    for hour in (6, 7, 12, 21):
        time_machine.move_to(datetime(2026, 11, 24, hour, 1, tzinfo=UTC))
        notices.note(advisor)
        sent.append(notice_mail.deliver())

    assert sent == [0, 1, 0, 0]


def test_one_persons_broken_row_keeps_nobody_else_from_being_told(advisor: Any, other_advisor: Any) -> None:
    def provider(user: User) -> list[InboxItem]:
        if user == advisor:
            raise LookupError("a row nobody can read")
        return [item()]

    with registry.inbox.holding(provider), pytest.raises(LookupError):
        notices.note_everybody()

    assert Notice.objects.get().user == other_advisor


def test_what_nobody_looked_at_goes_to_the_principals_once_even_in_their_quiet_hours(
    advisor: Any, principal: Any, waiting: Any
) -> None:
    now = clock.now()
    for user in (advisor, principal):
        NoticePreference.objects.create(
            user=user,
            zone="UTC",
            quiet_from=(now - timedelta(hours=1)).time(),
            quiet_to=(now + timedelta(hours=1)).time(),
        )
    waiting[advisor.email] = [item("order.question:1", "answer", "bad", since=long_ago(minutes=16))]
    notices.note(advisor)

    assert (notice_mail.deliver(), notice_mail.deliver()) == (1, 0)

    assert mail.outbox[0].to == [principal.email]
    assert mail.outbox[0].subject == "Nobody is on it: 1 matter needs you"


def test_putting_off_what_is_urgent_does_not_keep_it_from_the_principals(
    advisor: Any, other_advisor: Any, principal: Any, waiting: Any, time_machine: Any
) -> None:
    for user in (advisor, other_advisor, principal):
        never_quiet(user, urgent="none", other="none")
    question = item("order.question:1", "answer", "bad", since=clock.now())
    waiting[advisor.email] = [question, item("order.question:2", "answer", "bad", since=clock.now()), item("a.task:3")]
    waiting[other_advisor.email] = waiting[advisor.email][1:2]
    notices.note_everybody()
    browser = browser_of(advisor)
    for notice in Notice.objects.filter(user=advisor):
        page = browser.get(reverse("home:notice_snooze", args=[notice.pk])).content.decode()
        assert ("once it has stood for 15 min, they are told" in page) == (notice.group == "answer")
        notices.snooze(notice, until=clock.now() + timedelta(days=7), reason="Client travels", by=advisor)
    notices.mark_read(Notice.objects.get(user=other_advisor), by=other_advisor)  # the second question has somebody
    assert notice_mail.deliver() == 0
    time_machine.move_to(clock.now() + timedelta(minutes=16))

    assert (notice_mail.deliver(), notice_mail.deliver()) == (1, 0)

    assert mail.outbox[0].to == [principal.email]
    assert [notice.kind for notice in Notice.objects.filter(escalated_at__isnull=False)] == ["order.question:1"]
    page = browser.get(reverse("home:notice_snooze", args=[Notice.objects.get(escalated_at__isnull=False).pk]))
    assert "The principals were told that nobody is on it." in page.content.decode()


def test_what_stood_for_a_closed_account_is_not_handed_on_for_ever(
    advisor: Any, principal: Any, waiting: dict[str, list[InboxItem]]
) -> None:
    waiting[advisor.email] = [item("order.question:1", "answer", "bad", since=long_ago(minutes=16))]
    notices.note(advisor)
    User.objects.filter(pk=advisor.pk).update(is_active=False)
    waiting.clear()  # it was answered meanwhile
    notices.note_everybody()

    assert notice_mail.deliver() == 0


def test_one_look_is_enough_for_what_several_people_have(advisor: Any, operations: Any, waiting: Any) -> None:
    principal = User.objects.create_user(email="p@example.com", name="P", role="principal")
    for user in (advisor, operations, principal):
        never_quiet(user, urgent="none", other="none")
    waiting[advisor.email] = waiting[operations.email] = [
        item("order.question:1", "answer", "bad", since=long_ago(minutes=16))
    ]
    notices.note_everybody()
    browser_of(operations).get(reverse("home:notice_open", args=[Notice.objects.get(user=operations).pk]))

    assert notice_mail.deliver() == 0


def test_a_mail_server_that_hangs_up_delays_and_loses_nothing(advisor: Any, waiting: Any, settings: Any) -> None:
    never_quiet(advisor, other="none")
    waiting[advisor.email] = [item("order.question:1", "answer", "bad", since=long_ago(minutes=5))]
    notices.note(advisor)
    usual, settings.EMAIL_BACKEND = settings.EMAIL_BACKEND, f"{__name__}.FailingMail"
    assert notice_mail.deliver() == 0
    settings.EMAIL_BACKEND = usual

    assert notice_mail.deliver() == 1


def test_the_list_shows_ones_own_and_opening_one_marks_it_and_leads_there(
    advisor: Any, other_advisor: Any, waiting: Any
) -> None:
    waiting[advisor.email] = [item()]
    notices.note_everybody()
    browser, pk = browser_of(advisor), Notice.objects.get().pk

    assert "Withdrawal of Marianne Holloway" in browser.get(reverse("home:notice_list")).content.decode()
    assert "Nothing new" in browser_of(other_advisor).get(reverse("home:notice_list")).content.decode()
    assert browser.get(reverse("home:notice_open", args=[pk])).headers["Location"] == "/funding/"
    assert browser_of(other_advisor).get(reverse("home:notice_open", args=[pk])).status_code == 404
    assert "Nothing new" in browser.get(reverse("home:notice_list")).content.decode()
    assert "Marianne" in browser.get(reverse("home:notice_list"), {"view": "standing"}).content.decode()


@pytest.mark.parametrize("lost", ["book", "role"])
def test_what_was_written_for_a_lost_book_or_role_names_nobody_any_more(lost: str, advisor: User, waiting: Any) -> None:
    book = Book.objects.create(name="Ada")
    advisor.books.add(book)
    waiting[advisor.email] = [item("a"), item("b")]
    notices.note(advisor)
    waiting[advisor.email] = [item("a")]
    notices.note(advisor)  # one of the two is over
    if lost == "book":
        advisor.books.clear()
    else:
        User.objects.filter(pk=advisor.pk).update(role="viewer")
    browser = browser_of(User.objects.get(pk=advisor.pk))

    pages = [browser.get(reverse("home:notice_list"), {"view": view}).content.decode() for view in ("standing", "past")]
    opened = browser.get(reverse("home:notice_open", args=[Notice.objects.filter(user=advisor)[0].pk]))

    assert not any("Marianne" in page for page in pages)
    assert opened.status_code == 404


def test_what_still_needs_somebody_after_their_books_changed_is_there_again_as_it_was(
    advisor: User, waiting: Any
) -> None:
    waiting[advisor.email] = [item("a")]
    notices.note(advisor)
    notices.mark_all_read(advisor)
    advisor.books.add(Book.objects.create(name="Ada"))

    assert notices.note(advisor) == 0
    kept = Notice.objects.visible_to(advisor).standing().get()
    assert (kept.kind, kept.read_at is None) == ("a", False)


def test_how_one_is_told_is_kept_and_a_bad_time_is_refused_at_its_field(advisor: Any) -> None:
    browser, url = browser_of(advisor), reverse("home:notice_settings")
    times = {"digest_at": "09:30", "quiet_from": "22:00", "quiet_to": "06:00", "zone": "Europe/Zurich"}
    typed = {"urgent": "at_once", "other": "none", **times}

    assert browser.post(url, {**typed, "digest_at": "25:00"}).status_code == 422
    assert browser.post(url, {**typed, "zone": "Mars/Base"}).status_code == 422
    assert browser.post(url, typed).status_code == 302
    assert NoticePreference.objects.get(user=advisor).zone == "Europe/Zurich"


def test_a_session_that_ended_and_a_closed_gate_stand_in_the_inbox(principal: Any, viewer: Any, master: Any) -> None:
    from backoffice.broker.models import BrokerageSession, Gate

    BrokerageSession.objects.create(master=master, state="competing", detail="TWS on another machine.")
    Gate.objects.create(scope="global", is_open=False, reason="Drill", set_by=principal, set_at=clock.now())

    titles = [found.title for heading in selectors.inbox(principal).headings for found in heading.items]

    assert f"The trading session of {master.username} was taken by another login" in titles
    assert "Everything: sending is stopped" in titles
    assert "The trading session" not in str(selectors.inbox(viewer))


def test_what_has_been_over_for_three_months_is_deleted_and_what_stands_stays(advisor: User) -> None:
    now = clock.now()

    def note(kind: str, since: int, gone: int | None) -> Notice:
        return Notice.objects.create(
            user=advisor, kind=kind, group="other", title="A matter", url="/", tone="wait",
            since=now - timedelta(days=since), gone_at=None if gone is None else now - timedelta(days=gone),
        )  # fmt: skip

    kept = {note("stands", 400, None).pk, note("young", 100, 89).pk}
    note("old", 200, 91)

    for _ in range(2):
        sweep_notices()

    assert set(Notice.objects.values_list("pk", flat=True)) == kept
    assert [entry.summary for entry in Entry.objects.filter(action="home.forget_notices")] == [
        "1 notices over for 90 days deleted"
    ]


def test_the_audit_says_how_many_notices_were_seen(advisor: Any, waiting: Any) -> None:
    for number, some in enumerate((["1"], ["2", "3"]), start=1):
        waiting[advisor.email] = [item(f"funding.approval:{number}{each}") for each in some]
        notices.note(advisor)
        browser_of(advisor).post(reverse("home:notices_read"))

    seen = Entry.objects.filter(action="home.read_notices", actor=advisor).order_by("pk")
    assert [entry.summary for entry in seen] == ["Saw 1 notice", "Saw 2 notices"]
