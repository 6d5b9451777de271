"""Wrong passwords hold one person at one address back, longer each time, and say the same whoever is tried."""

from typing import Any

import pytest
import time_machine
from axes.models import AccessFailureLog
from django.test import Client

from backoffice.audit.models import Entry
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
START = "2026-11-02 09:00:00+00:00"


@pytest.fixture(autouse=True)
def counted(settings: Any) -> None:
    """As in production; allauth's own, shorter brake is let off, so that the lock-out is seen."""
    settings.AXES_ENABLED = True
    settings.ACCOUNT_RATE_LIMITS = {"login_failed": "100000/m/ip"}


def attempt(email: str, password: str = "wrong", address: str = "10.0.0.1") -> Any:
    return Client(REMOTE_ADDR=address).post("/account/login/", {"login": email, "password": password})


def lock(email: str) -> Any:
    """Try until the door is held; the answer to the last try."""
    return [attempt(email) for _ in range(8)][-1]


@pytest.mark.row(id="Z05")
def test_the_eighth_wrong_password_holds_the_door_even_for_the_right_one(viewer: Any) -> None:
    for _ in range(7):
        assert attempt(viewer.email).status_code == 200

    assert attempt(viewer.email).status_code == 429
    assert attempt(viewer.email, PASSWORD).status_code == 429
    assert Entry.objects.filter(action="people.sign_in_failed", subject_id=str(viewer.pk)).count() >= 8
    assert Entry.objects.filter(action="people.lock_out", subject_id=str(viewer.pk)).exists()


def test_seven_wrong_passwords_and_the_right_one_let_in(viewer: Any) -> None:
    for _ in range(7):
        attempt(viewer.email)

    assert attempt(viewer.email, PASSWORD).status_code == 302


def test_others_at_the_same_address_and_the_same_person_elsewhere_are_not_held(viewer: Any, advisor: Any) -> None:
    lock(viewer.email)

    assert attempt(advisor.email, PASSWORD).status_code == 302
    assert attempt(viewer.email, PASSWORD, address="10.0.0.2").status_code == 302


def test_the_case_of_the_address_opens_no_second_door(viewer: Any) -> None:
    lock(viewer.email)

    assert attempt(viewer.email.upper(), PASSWORD).status_code == 429


@pytest.mark.row(id="Z05")
def test_each_lock_out_of_a_day_doubles_the_wait(viewer: Any, settings: Any) -> None:
    settings.AXES_FAILURE_LIMIT = 1  # each try costs a quarter of a second
    with time_machine.travel(START, tick=False) as time:
        waits = []
        for _ in range(3):
            attempt(viewer.email)
            minutes = 0
            time.shift(1)  # the wait counts to its last instant
            while attempt(viewer.email, PASSWORD).status_code == 429:
                time.shift(15 * 60)
                minutes += 15
            waits.append(minutes)

    assert waits == [15, 30, 60]


@pytest.mark.row(id="Z05")
def test_nobody_and_somebody_get_the_same_answers(viewer: Any) -> None:
    def said(email: str) -> list[tuple[int, str]]:
        answers = [attempt(email) for _ in range(9)]
        return [
            (answer.status_code, answer.content.decode().split("<main")[1].split("<footer")[0].replace(email, ""))
            for answer in answers
        ]

    known, unknown = said(viewer.email), said("nobody@example.com")

    assert [status for status, _ in known] == [status for status, _ in unknown] == [200] * 7 + [429] * 2
    assert [_without_tokens(text) for _, text in known] == [_without_tokens(text) for _, text in unknown]


def _without_tokens(text: str) -> str:
    return "".join(part.split('">', 1)[-1] for part in text.split('name="csrfmiddlewaretoken" value="')).split(
        '<span class="bo-mono">'
    )[0]


def test_an_address_of_nobody_is_kept_as_a_digest_in_the_audit() -> None:
    attempt("nobody@example.com")

    entry = Entry.objects.get(action="people.sign_in_failed")
    assert len(entry.data["tried"]) == 64
    assert "nobody@example.com" not in str(Entry.objects.values().get(pk=entry.pk))
    assert AccessFailureLog.objects.count() == 1


def test_without_the_lock_out_the_shorter_brake_holds(viewer: Any, settings: Any) -> None:
    settings.AXES_ENABLED = False
    settings.ACCOUNT_RATE_LIMITS = {}

    answers = [attempt(viewer.email, address=f"10.0.1.{number}") for number in range(5)]
    last = attempt(viewer.email, PASSWORD, address="10.0.1.9")

    assert all(b"is not right" in answer.content for answer in answers)
    assert b"Too many wrong attempts." in last.content


@pytest.mark.row(id="Z05")
def test_asking_for_a_new_password_says_the_same_for_nobody(viewer: Any, mailoutbox: list[Any]) -> None:
    for email in (viewer.email, "nobody@example.com"):
        answer = Client().post("/account/password/reset/", {"email": email})

        assert (answer.status_code, answer["Location"]) == (302, "/account/password/reset/done/")
    assert sum(viewer.email in letter.to for letter in mailoutbox) == 1
