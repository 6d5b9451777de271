"""Seats offered by e-mail: one link, once, for three days."""

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from backoffice.audit.models import Entry
from backoffice.core import clock
from backoffice.core.errors import Conflict, InvalidInput, NotPermitted
from backoffice.people import services
from backoffice.people.models import Book, Invitation, User

pytestmark = pytest.mark.django_db
GOOD = "violet harbour 48 kettle"


@pytest.fixture
def letters(mailoutbox: list[Any], django_capture_on_commit_callbacks: Any) -> Any:
    """Run something, and return the links in the letters it sent."""

    def run(act: Any) -> list[str]:
        before = len(mailoutbox)
        with django_capture_on_commit_callbacks(execute=True):
            act()
        return [re.search(r"http://\S+/account/seat/\S+", letter.body)[0] for letter in mailoutbox[before:]]  # type: ignore[index]

    return run


def offer(client: Client, administrator: User, **changed: Any) -> Any:
    client.force_login(administrator)
    return client.post(
        "/people/invite/",
        {"email": "new@example.com", "name": "Nell New", "role": "advisor", "intent": str(uuid.uuid4()), **changed},
    )


def test_an_invited_person_joins_with_the_role_and_the_books_of_the_invitation(
    client: Client, administrator: User, letters: Any
) -> None:
    book = Book.objects.create(name="North")
    [link] = letters(lambda: offer(client, administrator, books=[book.pk]))
    guest = Client()

    shown = guest.get(link)
    taken = guest.post(link, {"password": GOOD, "again": GOOD})

    assert (shown.status_code, taken.status_code, taken["Location"]) == (200, 302, "/account/login/")
    person = User.objects.get(email="new@example.com")
    assert (person.role, list(person.books.all()), person.check_password(GOOD)) == ("advisor", [book], True)
    assert guest.login(email="new@example.com", password=GOOD)
    assert [entry.action for entry in Entry.objects.order_by("pk")][:2] == ["people.invite", "people.accept_invitation"]


def test_the_link_is_kept_as_a_digest_only(client: Client, administrator: User, letters: Any) -> None:
    [link] = letters(lambda: offer(client, administrator))
    secret = link.rstrip("/").rsplit("/", 1)[1]

    invitation = Invitation.objects.get()

    assert invitation.token_sha256 == services.digest(secret)
    assert secret not in str(Invitation.objects.values().get())


def test_a_link_works_once(client: Client, administrator: User, letters: Any) -> None:
    [link] = letters(lambda: offer(client, administrator))
    Client().post(link, {"password": GOOD, "again": GOOD})

    again = Client().post(link, {"password": "another harbour 48 kettle", "again": "another harbour 48 kettle"})

    assert again.status_code == 410
    assert "This invitation has been used." in again.content.decode()
    assert User.objects.get(email="new@example.com").check_password(GOOD)


def test_an_expired_invitation_is_refused_with_a_sentence_and_recorded(
    client: Client, administrator: User, letters: Any
) -> None:
    with time_machine.travel("2026-11-02 09:00:00+00:00", tick=False):
        [link] = letters(lambda: offer(client, administrator))
    with time_machine.travel("2026-11-05 09:00:00+00:00", tick=False):
        answer = Client().post(link, {"password": GOOD, "again": GOOD})

    assert answer.status_code == 410
    assert "This invitation expired on 5 November 2026 at 09:00 UTC." in answer.content.decode()
    assert not User.objects.filter(email="new@example.com").exists()
    assert Entry.objects.filter(action="people.refuse_invitation", subject_id=str(Invitation.objects.get().pk)).exists()


def test_a_second_before_it_expires_it_is_taken(administrator: User) -> None:
    with time_machine.travel("2026-11-02 09:00:00+00:00", tick=False) as time:
        invitation = services.invite(
            email="a@example.com", name="A", role="viewer", books=(), by=administrator, link=str
        )
        time.shift(timedelta(days=3) - timedelta(seconds=1))

        assert services.accept_invitation(invitation, password=GOOD).role == "viewer"


def test_sending_again_ends_the_earlier_link_and_begins_the_days_anew(
    client: Client, administrator: User, letters: Any
) -> None:
    [first] = letters(lambda: offer(client, administrator))
    invitation = Invitation.objects.get()
    Invitation.objects.update(expires_at=clock.now() - timedelta(hours=1))

    [second] = letters(lambda: client.post(f"/people/invitations/{invitation.pk}/resend/"))

    assert Client().get(first).status_code == 410
    assert Client().get(second).status_code == 200


def test_a_withdrawn_invitation_is_closed(client: Client, administrator: User, letters: Any) -> None:
    [link] = letters(lambda: offer(client, administrator))

    client.post(f"/people/invitations/{Invitation.objects.get().pk}/withdraw/")

    answer = Client().post(link, {"password": GOOD, "again": GOOD})
    assert answer.status_code == 410
    assert "withdrawn" in answer.content.decode()
    with pytest.raises(Conflict):
        services.resend(Invitation.objects.get(), by=administrator, link=str)


@pytest.mark.parametrize(
    ("password", "sentence"),
    [
        ("harbour 48", "at least 12 characters"),
        ("qwerty123456", "too common"),
        ("aaaaaaaaaaaa", "6 different characters"),
        ("ababcabcabcb", "6 different characters"),
        ("123456789012", "in their own order"),
        ("Abcdefghijklm", "in their own order"),
        ("zyxwvutsrqpo!", "in their own order"),
        ("new@example.com", "too similar"),
        ("Nell New 1", "too similar"),
    ],
)
def test_a_weak_password_is_refused(
    password: str, sentence: str, client: Client, administrator: User, letters: Any
) -> None:
    [link] = letters(lambda: offer(client, administrator))

    answer = Client().post(link, {"password": password, "again": password})

    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert not User.objects.filter(email="new@example.com").exists()


def test_two_passwords_that_differ_are_refused(client: Client, administrator: User, letters: Any) -> None:
    [link] = letters(lambda: offer(client, administrator))

    answer = Client().post(link, {"password": GOOD, "again": GOOD + "."})

    assert (answer.status_code, "The two are not the same." in answer.content.decode()) == (422, True)


def test_an_address_is_invited_once_and_never_beside_a_person(administrator: User, advisor: User) -> None:
    seat: dict[str, Any] = {"name": "N", "role": "viewer", "books": (), "by": administrator, "link": str}
    services.invite(email="a@example.com", **seat)

    with pytest.raises(InvalidInput, match="has an invitation already"):
        services.invite(email="A@Example.com", **seat)
    with pytest.raises(InvalidInput, match="Somebody here has this address"):
        services.invite(email=advisor.email.upper(), **seat)


def test_only_an_administrator_invites(principal: User) -> None:
    with pytest.raises(NotPermitted):
        services.invite(email="a@example.com", name="A", role="principal", books=(), by=principal, link=str)


def test_a_mail_server_that_fails_leaves_the_invitation_unsent_and_says_so(
    client: Client, administrator: User, settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_PORT = 1

    with django_capture_on_commit_callbacks(execute=True):
        offer(client, administrator)

    assert Invitation.objects.get().sent_at is None
    assert "The mail server refused it" in client.get("/people/").content.decode()


def test_a_link_that_is_not_ours_is_closed() -> None:
    assert Client().get("/account/seat/made-up/").status_code == 410
