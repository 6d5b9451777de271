"""Who may sign in, and what each role may do."""

import uuid
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from backoffice.audit.models import Entry
from backoffice.core.errors import Conflict, InvalidInput
from backoffice.people import demonstration, services, tokens
from backoffice.people.models import Book, Role, User
from backoffice.people.policy import PERMISSIONS, may, requires
from clients.models import Application
from clients.services import drafts
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db


def sign_in(email: str, password: str) -> Any:
    return authenticate(RequestFactory().post("/account/login/"), email=email, password=password)


def test_a_person_signs_in_by_email_in_any_case(advisor: Any) -> None:
    assert sign_in(advisor.email.upper(), PASSWORD) == advisor
    assert sign_in(advisor.email, "wrong") is None


def test_demonstration_people_are_refused_outside_the_demonstration(settings: Any) -> None:
    people = demonstration.load()
    assert sign_in(people["principal"].email, demonstration.PASSWORD) == people["principal"]

    settings.DEMONSTRATION = False

    assert all(sign_in(user.email, demonstration.PASSWORD) is None for user in people.values())


def test_there_is_a_demonstration_login_for_every_role() -> None:
    assert {login.role for login in demonstration.LOGINS} == set(Role)


def test_what_is_not_in_the_policy_is_refused_to_everybody(principal: Any) -> None:
    assert not may(principal, "funding.print_money")
    with pytest.raises(LookupError):
        requires("funding.print_money")


def test_nobody_inactive_or_signed_out_may_do_anything(principal: Any) -> None:
    from django.contrib.auth.models import AnonymousUser

    principal.is_active = False

    assert not any(may(principal, name) or may(AnonymousUser(), name) for name in PERMISSIONS)


def test_a_viewer_reads_and_changes_nothing(viewer: Any) -> None:
    assert {name for name in PERMISSIONS if may(viewer, name)} == {
        "home.view_today",
        "clients.view",
        "clients.export",
        "clients.reveal",
        "funding.view",
        "funding.export",
        "trading.view",
        "trading.export",
        "reporting.view",
        "people.view_own",
        "people.manage_tokens",
        "policies.view",
    }


def test_an_administrator_sees_no_client(administrator: Any) -> None:
    assert not any(
        may(administrator, name)
        for name in PERMISSIONS
        if name.split(".")[0] in {"clients", "funding", "trading", "reporting"}
    )


# ---- giving and taking


@pytest.mark.row(id="Z04")
def test_a_role_withdrawn_while_a_form_is_open_refuses_the_posting_and_says_why(
    client: Client, advisor: Any, administrator: Any
) -> None:
    client.force_login(advisor)
    assert client.get("/clients/applications/new/").status_code == 200
    services.change_role(advisor, role="viewer", by=administrator)

    answer = client.post("/clients/applications/new/", {"intent": "7b0b2a54-6f55-4f0e-a3ce-0f4f6c2f1f10"})

    assert answer.status_code == 403
    assert "Your role does not include clients.apply." in answer.content.decode()
    refused = Entry.objects.get(action="request.refused")
    assert (refused.actor_id, refused.data["route"], refused.data["status"]) == (
        advisor.pk,
        "clients:application_start",
        403,
    )


@pytest.mark.row(id="Z04")
def test_a_book_withdrawn_while_a_form_is_open_refuses_the_posting_and_is_recorded(
    client: Client, advisor: Any, administrator: Any, master: Any
) -> None:
    book = Book.objects.create(name="North")
    book.members.add(advisor)
    intent = uuid.uuid4()
    application = drafts.start_application(intent=intent, book=book, master=master, by=advisor)
    client.force_login(advisor)
    assert client.get(f"/clients/applications/{application.pk}/").status_code == 200
    services.change_books(advisor, books=(), by=administrator)

    answer = client.post(f"/clients/applications/{application.pk}/discard/")

    assert answer.status_code == 404
    assert "is not in your book" in answer.content.decode()
    assert Application.objects.get(pk=application.pk).status == "draft"
    refused = Entry.objects.get(action="request.refused")
    assert (refused.data["route"], refused.data["status"]) == ("clients:application_discard", 404)


@pytest.mark.row(id="Z04")
def test_a_changed_role_gives_the_session_a_new_key_and_asks_who_it_is(
    client: Client, advisor: Any, administrator: Any, settings: Any
) -> None:
    client.force_login(advisor)
    client.get("/")
    before = client.session.session_key
    services.change_role(advisor, role="principal", by=administrator)

    client.get("/")

    assert client.session.session_key != before
    assert not Session.objects.filter(pk=before).exists()
    answer = client.post(f"/funding/{uuid.uuid4()}/approve/")
    assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/account/reauthenticate/")


def test_nobody_changes_their_own_role_books_or_account(client: Client, administrator: Any) -> None:
    other = User.objects.create_user(email="b@example.com", name="B", role="administrator")
    assert services.change_role(other, role="viewer", by=administrator).role == "viewer"
    client.force_login(administrator)

    for part, typed in (("role", {"role": "principal"}), ("books", {}), ("close", {}), ("factors", {})):
        answer = client.post(f"/people/{administrator.pk}/{part}/", typed)

        assert answer.status_code == 403
        assert "Nobody may change their own role" in answer.content.decode()
    assert User.objects.get(pk=administrator.pk).role == "administrator"


@pytest.mark.parametrize("act", ["role", "close"])
@pytest.mark.parametrize("role", ["principal", "administrator"])
def test_the_last_of_a_needed_role_stays(role: str, act: str, person: Any, client: Client) -> None:
    by = person("administrator", "Ada Admin")
    if role == "administrator":
        last = person("administrator", "Last One")
        User.objects.filter(pk=by.pk).update(is_active=False)  # still signed in elsewhere, one request behind
    else:
        last = person("principal", "Last One")

    change = {
        "role": lambda: services.change_role(last, role="viewer", by=by),
        "close": lambda: services.deactivate(last, by=by),
    }
    with pytest.raises(InvalidInput, match="Last One is the last active"):
        change[act]()

    assert User.objects.filter(pk=last.pk, role=role, is_active=True).exists()


def test_a_closed_account_is_out_at_once_and_its_tokens_with_it(
    client: Client, advisor: Any, administrator: Any
) -> None:
    _, text = tokens.create(owner=advisor, name="N", scopes=["clients.view"], days=7)
    client.force_login(advisor)
    client.get("/")

    services.deactivate(advisor, by=administrator)

    assert client.get("/").status_code == 302
    assert advisor.tokens.get().revoked_by == administrator
    assert sign_in(advisor.email, PASSWORD) is None


def test_every_change_of_a_person_is_recorded_with_what_it_was(advisor: Any, administrator: Any) -> None:
    north, south = Book.objects.create(name="North"), Book.objects.create(name="South")
    north.members.add(advisor)

    services.change_role(advisor, role="operations", by=administrator)
    services.change_books(advisor, books=[south], by=administrator)
    services.deactivate(advisor, by=administrator)
    services.reactivate(advisor, by=administrator)

    kept = Entry.objects.filter(subject_id=str(advisor.pk), actor=administrator).order_by("pk")
    assert [entry.action.split(".")[1] for entry in kept] == [
        "change_role",
        "change_books",
        "deactivate",
        "reactivate",
    ]
    assert (kept[0].data["was"], kept[0].data["became"]) == ("advisor", "operations")
    assert (kept[1].data["gave"], kept[1].data["withdrew"]) == ([str(south.pk)], [str(north.pk)])


def test_the_list_of_people_asks_the_database_as_often_for_many_as_for_few(
    client: Client, administrator: Any, person: Any, django_assert_num_queries: Any
) -> None:
    client.force_login(administrator)
    client.get("/people/")
    with CaptureQueriesContext(connection) as few:
        client.get("/people/")
    for number in range(8):
        Book.objects.create(name=f"Book {number}").members.add(person("advisor", f"Nr{number} Person"))

    with django_assert_num_queries(len(few)):
        client.get("/people/")


# ---- the first person


def test_the_first_administrator_is_made_at_the_command_line_and_only_the_first() -> None:
    person = services.add_first_administrator(email="Ada@Example.com", name="Ada", password="violet harbour 48 kettle")

    assert (person.email, person.role, person.check_password("violet harbour 48 kettle")) == (
        "ada@example.com",
        "administrator",
        True,
    )
    with pytest.raises(Conflict, match="There is an administrator already"):
        services.add_first_administrator(email="b@example.com", name="B", password="violet harbour 48 kettle")


def test_a_weak_password_makes_no_first_administrator() -> None:
    with pytest.raises(ValidationError):
        services.add_first_administrator(email="ada@example.com", name="Ada", password="qwerty123456")

    assert not User.objects.exists()
