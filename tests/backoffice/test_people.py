"""Who may sign in, and what each role may do."""

from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.test import RequestFactory

from backoffice.people import demonstration
from backoffice.people.models import Role
from backoffice.people.policy import PERMISSIONS, may, requires
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
        "funding.view",
        "trading.view",
        "reporting.view",
    }


def test_an_administrator_sees_no_client(administrator: Any) -> None:
    assert not any(
        may(administrator, name)
        for name in PERMISSIONS
        if name.split(".")[0] in {"clients", "funding", "trading", "reporting"}
    )
