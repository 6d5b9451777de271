"""Sessions end by themselves, are seen and ended by their owner, and change their key when it matters."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.test import Client

from backoffice.audit.models import Entry
from backoffice.people.tasks import sweep_sessions
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
START = "2026-11-02 09:00:00+00:00"
BACKGROUND = {"X-Background": "1", "HX-Request": "true"}


@pytest.fixture(autouse=True)
def production_lengths(settings: Any) -> None:
    settings.SESSION_IDLE = timedelta(minutes=15)
    settings.SESSION_LONGEST = timedelta(hours=8)


def sign_in(person: Any, **headers: str) -> Client:
    client = Client(headers=headers)
    client.post("/account/login/", {"login": person.email, "password": PASSWORD})
    assert client.get("/").status_code == 200
    return client


def test_a_session_ends_after_a_quarter_of_an_hour_of_nothing(viewer: Any) -> None:
    with time_machine.travel(START, tick=False) as time:
        client = sign_in(viewer)
        time.shift(timedelta(minutes=14, seconds=59))
        assert client.get("/").status_code == 200
        time.shift(timedelta(minutes=15))

        answer = client.get("/clients/?q=x")

        assert answer["Location"] == "/account/login/?next=/clients/%3Fq%3Dx"
        page = client.get(answer["Location"]).content.decode()
        assert "You were signed out: nothing was done here for 15 minutes." in page
        assert Entry.objects.get(action="people.session_over").actor_id == viewer.pk
        assert not UserSession.objects.exists()


def test_what_a_page_asks_by_itself_keeps_no_session_alive(viewer: Any) -> None:
    with time_machine.travel(START, tick=False) as time:
        client = sign_in(viewer)
        for _ in range(14):
            time.shift(60)
            assert client.get("/state/", headers=BACKGROUND).status_code == 200
        time.shift(60)

        answer = client.get("/state/", headers={**BACKGROUND, "HX-Current-URL": "http://testserver/clients/?q=x"})

        assert answer.status_code == 401
        assert answer["HX-Redirect"] == "/account/login/?next=%2Fclients%2F%3Fq%3Dx"


def test_an_address_elsewhere_is_not_where_sign_in_leads(viewer: Any) -> None:
    answer = Client().get("/state/", headers={**BACKGROUND, "HX-Current-URL": "https://evil.example/clients/"})

    assert answer["HX-Redirect"] == "/account/login/?next=%2F"


def test_a_session_ends_after_a_working_day_however_busy(viewer: Any) -> None:
    with time_machine.travel(START, tick=False) as time:
        client = sign_in(viewer)
        for _ in range(40):
            assert client.get("/account/stay/").status_code == 204
            time.shift(timedelta(minutes=12))

        answer = client.get("/")

        assert answer.status_code == 302
        assert "a session lasts 8 hours" in client.get(answer["Location"]).content.decode()


def test_every_page_knows_when_its_session_ends(viewer: Any) -> None:
    with time_machine.travel(START, tick=False):
        page = sign_in(viewer).get("/").content.decode()

    assert 'data-bo-idle="900" data-bo-ends="1793638800" data-bo-stay="/account/stay/"' in page


@pytest.mark.row(id="Z04")
def test_signing_in_gives_a_new_key(viewer: Any) -> None:
    client = Client()
    client.get("/account/login/")
    session = client.session
    session["planted"] = "by somebody else"
    session.save()
    client.cookies["session"] = planted = str(session.session_key)

    client.post("/account/login/", {"login": viewer.email, "password": PASSWORD})

    assert client.session.session_key != planted
    assert not Session.objects.filter(pk=planted).exists()


def test_sessions_are_listed_with_device_and_address(viewer: Any) -> None:
    sign_in(viewer, **{"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0) Version/19.0 Safari/604.1"})
    here = sign_in(viewer, **{"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"})

    page = here.get("/account/sessions/").content.decode()

    assert "Safari on iPhone" in page
    assert "Firefox on Linux" in page
    assert page.count("127.0.0.1") == 2
    assert page.count("This one") == 1


@pytest.mark.row(id="Z04")
def test_a_session_ended_elsewhere_is_out_with_its_next_request(viewer: Any) -> None:
    there, here = sign_in(viewer), sign_in(viewer)
    row = UserSession.objects.get(session_key=there.session.session_key)

    here.post(f"/account/sessions/{row.pk}/end/")

    assert there.get("/").status_code == 302
    assert here.get("/").status_code == 200
    assert Entry.objects.get(action="people.end_session").actor_id == viewer.pk


def test_all_others_are_signed_out_at_once(viewer: Any) -> None:
    others, here = [sign_in(viewer) for _ in range(3)], sign_in(viewer)

    here.post("/account/sessions/end-others/")

    assert [client.get("/").status_code for client in others] == [302, 302, 302]
    assert here.get("/").status_code == 200


def test_a_session_of_somebody_else_is_not_found(viewer: Any, advisor: Any) -> None:
    theirs = sign_in(advisor)
    row = UserSession.objects.get(user=advisor)

    answer = sign_in(viewer).post(f"/account/sessions/{row.pk}/end/")

    assert answer.status_code == 404
    assert theirs.get("/").status_code == 200


@pytest.mark.row(id="Z04")
def test_a_new_password_ends_every_other_session(viewer: Any) -> None:
    there, here = sign_in(viewer), sign_in(viewer)
    new = "violet harbour 48 kettle"

    here.post("/account/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})

    assert there.get("/").status_code == 302
    assert here.get("/").status_code == 200
    assert Entry.objects.filter(action="people.change_password").count() == 1


@pytest.mark.row(id="Z04")
def test_a_stolen_cookie_is_worth_nothing_after_signing_out(viewer: Any) -> None:
    client = sign_in(viewer)
    stolen = client.cookies["session"].value

    client.post("/account/logout/")

    thief = Client()
    thief.cookies["session"] = stolen
    assert thief.get("/").status_code == 302


def test_sessions_that_are_over_are_swept_away_twice_over_and_others_stay(viewer: Any) -> None:
    with time_machine.travel(START, tick=False) as time:
        old = sign_in(viewer)
        time.shift(timedelta(hours=7, minutes=59))
        new = sign_in(viewer)
        time.shift(timedelta(minutes=2))

        sweep_sessions()
        sweep_sessions()

        assert not Session.objects.filter(pk=old.cookies["session"].value).exists()
        assert [row.session_key for row in UserSession.objects.all()] == [new.session.session_key]
        assert new.get("/").status_code == 200
