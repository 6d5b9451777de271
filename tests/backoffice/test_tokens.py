"""Tokens: shown once, never more than their owner, until a day. Tried on a view of this file, as the API will have them."""

import uuid
from datetime import timedelta
from typing import Any, ClassVar

import pytest
import time_machine
from django.contrib.auth.decorators import login_not_required
from django.db import IntegrityError
from django.test import Client
from django.urls import path
from rest_framework.authentication import SessionAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backoffice.audit.models import Entry
from backoffice.core import clock
from backoffice.core.errors import InvalidInput, NotPermitted
from backoffice.people import policy, services, tokens
from backoffice.people.models import ApiToken, Role

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


class Probe(APIView):
    authentication_classes: ClassVar[Any] = [tokens.TokenAuthentication, SessionAuthentication]
    permission_classes: ClassVar[Any] = [tokens.HasPermission]
    permission: ClassVar[Any] = {"GET": "clients.view", "POST": "journal.approve"}

    def get(self, request: Request) -> Response:
        return Response({"person": request.user.get_username()})

    def post(self, request: Request) -> Response:
        return Response({"approved": True})


class Open(Probe):
    permission: ClassVar[Any] = None


urlpatterns = [
    path("probe/", login_not_required(Probe.as_view())),
    path("open/", login_not_required(Open.as_view())),
]


def bearer(text: str, method: str = "get", url: str = "/probe/") -> Any:
    return getattr(Client(), method)(url, headers={"Authorization": f"Bearer {text}"})


def asked(*scopes: str) -> dict[str, Any]:
    """What the page's form sends."""
    return {"name": "Nightly", "days": "30", "scopes": list(scopes), "intent": str(uuid.uuid4())}


def make(owner: Any, *scopes: str, days: int = 30) -> tuple[ApiToken, str]:
    return tokens.create(owner=owner, name="Nightly", scopes=list(scopes or ("clients.view",)), days=days)


def test_a_token_acts_for_its_owner_within_its_scopes(advisor: Any) -> None:
    token, text = make(advisor)

    assert bearer(text).json() == {"person": advisor.email}
    token.refresh_from_db()
    assert (token.last_address, token.last_used_at is not None) == ("127.0.0.1", True)


def test_only_the_digest_is_kept(advisor: Any) -> None:
    token, text = make(advisor)

    assert text.startswith("bo_")
    assert token.sha256 == services.digest(text)
    assert text not in str(ApiToken.objects.values().get()) + str(list(Entry.objects.values()))


def test_a_permission_that_is_not_a_scope_is_refused(advisor: Any) -> None:
    _, text = make(advisor, "trading.view")

    answer = bearer(text)

    assert (answer.status_code, answer.json()["error"]["message"]) == (
        403,
        "Your role or your token does not include clients.view.",
    )


def test_a_scope_outlives_no_role(advisor: Any, administrator: Any) -> None:
    _, text = make(advisor)
    services.change_role(advisor, role="administrator", by=administrator)

    assert bearer(text).status_code == 403


@pytest.mark.parametrize("way", ["expired", "revoked", "owner closed", "made up"])
def test_a_token_that_is_over_is_refused_with_one_sentence(way: str, advisor: Any, administrator: Any) -> None:
    token, text = make(advisor, days=1)
    if way == "revoked":
        tokens.revoke(token, by=advisor)
    elif way == "owner closed":
        services.deactivate(advisor, by=administrator)
    elif way == "made up":
        text = text[:-1] + "?"

    with time_machine.travel(clock.now() + timedelta(days=1 if way == "expired" else 0)):
        answer = bearer(text)

    assert answer.status_code == 401
    assert answer.json()["error"]["message"] == "This token does not work: it is unknown, has expired or was revoked."
    assert Entry.objects.filter(action="people.refuse_token").count() == (0 if way == "made up" else 1)


def test_a_token_works_until_the_second_it_expires(advisor: Any) -> None:
    _, text = make(advisor, days=1)

    with time_machine.travel(clock.now() + timedelta(days=1, seconds=-5)):
        assert bearer(text).status_code == 200


def test_no_token_holds_what_asks_for_step_up(principal: Any) -> None:
    assert not policy.STEP_UP & set(policy.grantable(principal))
    for scope in ("journal.approve", "trading.send", "people.view", "clients.export"):
        with pytest.raises(InvalidInput, match="You cannot give a token"):
            make(principal, scope)
    _, text = make(principal)
    assert bearer(text, "post").status_code == 403


def test_nobody_hands_on_what_they_do_not_hold(viewer: Any) -> None:
    with pytest.raises(InvalidInput, match=r"You cannot give a token clients\.apply"):
        make(viewer, "clients.view", "clients.apply")
    assert not ApiToken.objects.exists()


def test_a_token_lasts_a_year_at_most_in_the_form_and_in_the_database(advisor: Any) -> None:
    with pytest.raises(InvalidInput, match="1 to 365 days"):
        make(advisor, days=366)
    now = clock.now()
    with pytest.raises(IntegrityError, match="token_expires_within_a_year"):
        ApiToken.objects.create(
            owner=advisor, name="N", hint="bo_", sha256="x", scopes=[], created_at=now,
            expires_at=now + timedelta(days=367),
        )  # fmt: skip


def test_its_owner_and_an_administrator_revoke_a_token_and_nobody_else(
    advisor: Any, other_advisor: Any, administrator: Any
) -> None:
    first, second = make(advisor)[0], make(advisor)[0]

    with pytest.raises(NotPermitted):
        tokens.revoke(first, by=other_advisor)
    tokens.revoke(first, by=advisor)
    tokens.revoke(second, by=administrator)
    tokens.revoke(second, by=advisor)

    kept = Entry.objects.filter(action="people.revoke_token").order_by("id")
    assert [entry.actor_id for entry in kept] == [advisor.pk, administrator.pk]


def test_a_session_asks_for_step_up_where_a_browser_would(principal: Any, settings: Any) -> None:
    client = Client()
    with time_machine.travel("2026-11-02 09:00:00+00:00", tick=False) as time:
        client.force_login(principal)
        fresh = client.post("/probe/").status_code
        settings.STEP_UP_SECONDS = 300
        time.shift(301)
        stale = client.post("/probe/")

    assert fresh == 200
    assert (stale.status_code, "Prove who you are again first" in stale.json()["error"]["message"]) == (403, True)


def test_a_view_that_names_no_permission_is_closed(principal: Any) -> None:
    _, text = make(principal)

    assert bearer(text, url="/open/").status_code == 403


def test_without_a_token_the_answer_says_how_to_come_back() -> None:
    answer = Client().get("/probe/")

    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.urls("backoffice.urls")
def test_the_page_shows_a_new_token_once(client: Client, advisor: Any) -> None:
    client.force_login(advisor)

    made = client.post("/account/tokens/", asked("clients.view"))
    text = str(made.context["text"])

    assert text in made.content.decode()
    assert text not in client.get("/account/tokens/").content.decode()
    assert text[:8] in client.get("/account/tokens/").content.decode()


@pytest.mark.urls("backoffice.urls")
def test_a_forged_scope_is_refused_by_the_form(client: Client, viewer: Any) -> None:
    client.force_login(viewer)

    answer = client.post("/account/tokens/", asked("clients.apply"))

    assert answer.status_code == 422
    assert not ApiToken.objects.exists()


def test_every_permission_a_token_may_hold_is_said_in_words(person: Any) -> None:
    everybody = {name for role in Role for name in policy.grantable(person(role, f"{role.label} Of All"))}

    assert everybody == set(policy.SCOPE_WORDS)
