"""What cannot be taken back asks who it is, five minutes after the last proof, and loses nothing that was typed."""

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client
from django.urls import URLResolver, get_resolver

from backoffice.audit.models import Entry
from backoffice.broker.models import Gate
from backoffice.people import policy
from backoffice.people.models import Invitation, User
from tests.conftest import PASSWORD
from tests.second_factors import code, give_app
from tests.test_authorisation import MATRIX

pytestmark = pytest.mark.django_db
START = "2026-11-02 09:00:00+00:00"
SEAT = {"email": "new@example.com", "name": "Nell & New", "role": "viewer", "intent": str(uuid.uuid4())}


@pytest.fixture(autouse=True)
def five_minutes(settings: Any) -> None:
    settings.STEP_UP_SECONDS = settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 300


@pytest.fixture
def time() -> Any:
    with time_machine.travel(START, tick=False) as time:
        yield time


def sign_in(person: Any) -> Client:
    client = Client()
    client.post("/account/login/", {"login": person.email, "password": PASSWORD})
    return client


def test_signing_in_counts_for_five_minutes(time: Any, administrator: User) -> None:
    client = sign_in(administrator)
    time.shift(300)

    assert client.post("/people/invite/", SEAT)["Location"] == "/people/"


@pytest.mark.parametrize(
    "address",
    [
        "clients:application_submit", "clients:account_alias", "clients:account_address", "trading:group_new",
        "trading:group_edit", "trading:group_delete",
    ],
)  # fmt: skip
def test_what_goes_to_ibkr_asks_and_the_look_at_its_form_does_not(address: str) -> None:
    (permission,) = MATRIX[address].needs

    assert policy.needs_step_up(permission, "POST")
    assert not policy.needs_step_up(permission, "GET")


def test_a_second_later_the_form_waits_and_then_goes_on_as_it_was_typed(time: Any, administrator: User) -> None:
    client = sign_in(administrator)
    time.shift(301)

    asked = client.post("/people/invite/", SEAT)
    assert asked["Location"] == "/account/reauthenticate/?next=%2Fpeople%2Finvite%2F"
    assert not Invitation.objects.exists()
    done = client.post(asked["Location"], {"password": PASSWORD, "next": "/people/invite/"})

    assert done["Location"] == "/people/"
    assert Invitation.objects.get().name == "Nell & New"
    assert Entry.objects.get(action="people.step_up").data["route"] == "people:invite"
    assert Entry.objects.filter(action="people.prove_again", actor=administrator).count() == 1


def test_what_was_typed_is_sealed_while_it_waits(time: Any, administrator: User) -> None:
    client = sign_in(administrator)
    time.shift(301)

    client.post("/people/invite/", SEAT)

    assert "new@example" not in json.dumps(dict(client.session.items()))


def test_a_wrong_password_does_nothing(time: Any, administrator: User) -> None:
    client = sign_in(administrator)
    time.shift(301)
    asked = client.post("/people/invite/", SEAT)

    answer = client.post(asked["Location"], {"password": "wrong horse", "next": "/people/invite/"})

    assert "The password is not right." in answer.content.decode()
    assert not Invitation.objects.exists()
    assert Entry.objects.filter(action="people.sign_in_failed", subject_id=str(administrator.pk)).count() == 1


def test_a_role_lost_while_it_waits_is_refused_when_it_goes_on(time: Any, administrator: User) -> None:
    client = sign_in(administrator)
    time.shift(301)
    asked = client.post("/people/invite/", SEAT)
    User.objects.filter(pk=administrator.pk).update(role="principal")

    answer = client.post(asked["Location"], {"password": PASSWORD, "next": "/people/invite/"})

    assert answer.status_code == 403
    assert not Invitation.objects.exists()


def test_what_one_person_left_waiting_is_not_carried_out_by_the_next(
    time: Any, administrator: User, person: Any
) -> None:
    client = sign_in(administrator)
    time.shift(301)
    asked = client.post("/people/invite/", SEAT)
    session = client.session
    waiting = session["account_reauthentication_state"]
    other = sign_in(person("administrator", "Olga Other"))
    theirs = other.session
    theirs["account_reauthentication_state"] = waiting
    theirs.save()

    answer = other.post(asked["Location"], {"password": PASSWORD, "next": "/people/invite/"})

    assert answer["Location"] == "/people/invite/"
    assert not Invitation.objects.exists()


def test_what_was_left_behind_is_not_carried_out_by_a_proof_for_something_else(time: Any, administrator: User) -> None:
    client = sign_in(administrator)
    time.shift(301)
    client.post("/people/invite/", SEAT)  # and then not answered: another page is opened instead

    asked = client.get("/audit/export/")
    after = parse_qs(urlsplit(asked["Location"]).query)["next"][0]
    answer = client.post(asked["Location"], {"password": PASSWORD, "next": after})

    assert answer["Location"] == after
    assert not Invitation.objects.exists()
    assert "account_reauthentication_state" not in client.session


def test_a_fragment_is_answered_by_a_dialog_and_then_goes_again(time: Any, administrator: User) -> None:
    client = sign_in(administrator)
    time.shift(301)
    htmx = {"HX-Request": "true"}

    asked = client.post("/people/invite/", SEAT, headers=htmx)
    wrong = client.post("/account/confirm/", {"proof": "wrong horse"}, headers=htmx)
    right = client.post("/account/confirm/", {"proof": PASSWORD}, headers=htmx)
    again = client.post("/people/invite/", SEAT, headers=htmx)

    assert (asked.status_code, asked["HX-Retarget"], asked["X-Step-Up"]) == (422, "#confirm", "needed")
    assert b"Is it still you?" in asked.content
    assert (wrong.status_code, b"The password is not right." in wrong.content) == (422, True)
    assert (right.status_code, right["HX-Trigger"], right.content) == (200, "bo:confirmed", b"")
    assert again["Location"] == "/people/"


def test_guessing_in_the_dialog_from_many_addresses_is_stopped(time: Any, administrator: User) -> None:
    cache.clear()
    client = sign_in(administrator)

    answers = [
        client.post(
            "/account/confirm/", {"proof": f"wrong horse {last}"}, headers={"HX-Request": "true"},
            REMOTE_ADDR=f"10.0.0.{last}",
        ).content.decode()
        for last in range(1, 12)
    ]  # fmt: skip
    right = client.post(
        "/account/confirm/", {"proof": PASSWORD}, headers={"HX-Request": "true"}, REMOTE_ADDR="10.0.1.1"
    )

    assert ["Too many tries" in each for each in answers] == [False] * 10 + [True]
    assert (right.status_code, "Too many tries" in right.content.decode()) == (422, True)


def test_a_code_of_the_app_proves_as_well_as_the_password_once(time: Any, administrator: User) -> None:
    give_app(administrator)
    client = Client()
    client.force_login(administrator)
    time.shift(301)

    first = client.post("/account/confirm/", {"proof": code()}, headers={"HX-Request": "true"})
    second = client.post("/account/confirm/", {"proof": code()}, headers={"HX-Request": "true"})

    assert (first.status_code, second.status_code) == (200, 422)
    assert b"it has been used" in second.content


def test_a_program_gets_403_and_a_sentence(time: Any, administrator: User) -> None:
    client = sign_in(administrator)
    time.shift(301)

    answer = client.post("/people/invite/", SEAT, headers={"Accept": "application/json"})

    assert answer.status_code == 403
    assert answer.json()["code"] == "step_up_needed"
    assert not Invitation.objects.exists()


def test_an_export_of_personal_data_asks_though_it_only_reads(time: Any, viewer: User) -> None:
    client = sign_in(viewer)
    time.shift(301)

    asked = client.get("/clients/export.csv?q=x", headers={"Referer": "http://testserver/clients/?q=x"})
    after = parse_qs(urlsplit(asked["Location"]).query)["next"][0]
    answer = client.post(asked["Location"], {"password": PASSWORD, "next": after})
    page = client.get(answer["Location"])

    assert urlsplit(asked["Location"]).path == "/account/reauthenticate/"
    assert 'href="/clients/export.csv?q=x" data-bo-fetch' in page.content.decode()
    assert 'href="/clients/?q=x">Back to where you were' in page.content.decode()
    assert client.get("/clients/export.csv?q=x").status_code == 200


@pytest.mark.parametrize(
    "file", ["", "/clients/", "//evil.example/clients/export.csv", "https://evil.example/clients/export.csv", "/[x"]
)
def test_the_page_that_fetches_a_file_fetches_no_other_address(file: str, viewer: User) -> None:
    client = sign_in(viewer)

    answer = client.get("/account/file/", {"file": file})

    assert (answer.status_code, answer["Location"]) == (302, "/")


@pytest.mark.parametrize("back", ["", "https://evil.example/", "//evil.example/", "javascript:alert(1)", "clients/"])
def test_the_page_that_fetches_a_file_leads_nowhere_else(back: str, viewer: User) -> None:
    page = sign_in(viewer).get("/account/file/", {"file": "/clients/export.csv", "back": back}).content.decode()

    assert 'href="/">Back to where you were' in page


def test_a_referer_of_another_site_is_not_the_way_back(time: Any, viewer: User) -> None:
    client = sign_in(viewer)
    time.shift(301)

    asked = client.get("/clients/export.csv", headers={"Referer": "https://evil.example/clients/"})

    assert parse_qs(urlsplit(parse_qs(urlsplit(asked["Location"]).query)["next"][0]).query) == {
        "file": ["/clients/export.csv"]
    }


def test_adding_a_factor_asks_too(time: Any, viewer: User) -> None:
    client = sign_in(viewer)
    assert client.get("/account/factors/totp/activate/").status_code == 200
    time.shift(301)

    assert client.get("/account/factors/totp/activate/")["Location"].startswith("/account/reauthenticate/")


def test_a_clock_that_was_set_back_does_not_make_an_old_proof_fresh(time: Any, administrator: User) -> None:
    client = sign_in(administrator)
    time.shift(timedelta(minutes=-1))

    assert client.post("/people/invite/", SEAT)["Location"].startswith("/account/reauthenticate/")


def test_stopping_never_asks_and_letting_go_again_does(time: Any, principal: User, second_principal: User) -> None:
    stop = {"scope": "global", "key": "", "reason": "A drill", "to_open": ""}
    client, other = sign_in(principal), sign_in(second_principal)
    time.shift(301)

    stopped = client.post("/connections/gates/", stop)
    asked = other.post("/connections/gates/", {**stop, "to_open": "on"})

    assert stopped["Location"] == "/connections/"
    assert asked["Location"] == "/account/reauthenticate/?next=%2Fconnections%2Fgates%2F"
    assert not Gate.objects.get().is_open
    other.post(asked["Location"], {"password": PASSWORD, "next": "/connections/gates/"})
    assert Gate.objects.get().is_open


def test_everything_that_asks_guards_an_address() -> None:
    guarding = {getattr(view, "permission", None) for view in views()}

    # A gate's address stops as well as opens, so its view asks for the second itself (see above). A withdrawal's form
    # asks where nobody else will (tests/funding/test_policies.py).
    assert policy.STEP_UP - guarding == {"broker.open_gate", "funding.send"}


def views(resolver: Any = None) -> Iterator[Any]:
    """Every view of the URLconf."""
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLResolver):
            yield from views(pattern)
        else:
            yield pattern.callback


def test_what_asks_is_in_the_policy_and_reading_pages_is_not_among_it() -> None:
    assert set(policy.PERMISSIONS) >= policy.STEP_UP
    assert {"journal.approve", "journal.release", "trading.send", "clients.reveal", "clients.export"} <= policy.STEP_UP
    assert not policy.needs_step_up("journal.approve", "GET")
    assert policy.needs_step_up("journal.approve", "POST")
    assert policy.needs_step_up("clients.export", "GET")
    assert policy.needs_step_up("audit.evidence", "GET")
    assert not policy.needs_step_up("clients.view", "GET")
