"""A password alone opens nothing but a viewer's account and hands out nothing; a code works once, the last factor stays."""

import json
import re
from typing import Any

import pytest
import time_machine
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from django.test import Client
from django.urls import reverse
from pydantic import ValidationError

from backoffice.audit.models import Entry
from backoffice.environment import Environment
from backoffice.people import services
from tests.api.program import Program
from tests.backoffice.test_downloads import address, browser_of, is_file
from tests.conftest import PASSWORD
from tests.second_factors import Passkey, code, give_app
from tests.test_authorisation import firm  # noqa: F401 (a fixture)
from tests.two_books import OWN, PERSONAL, Firm

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def required(settings: Any) -> None:
    settings.MFA_REQUIRED = True


def sign_in(person: Any, password: str = PASSWORD) -> tuple[Client, Any]:
    client = Client()
    return client, client.post("/account/login/", {"login": person.email, "password": password})


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


# ---- enforced


@pytest.mark.parametrize("role", ["advisor", "operations", "principal", "administrator"])
@pytest.mark.row(id="Z05")
def test_without_a_second_factor_there_is_nothing_but_enrolment(role: str, person: Any) -> None:
    client, answer = sign_in(person(role, "Pat Person"))
    assert answer["Location"] == "/"

    assert client.get("/")["Location"] == "/account/factors/"
    assert client.get("/people/")["Location"] == "/account/factors/"
    assert client.get("/account/tokens/")["Location"] == "/account/factors/"
    posted = client.post("/funding/withdraw/", {"amount": "1"})
    assert (posted.status_code, posted.json()["code"]) == (403, "second_factor_needed")
    fragment = client.get("/state/", headers={"HX-Request": "true"})
    assert (fragment.status_code, fragment["HX-Redirect"]) == (401, "/account/factors/")
    page = text_of(client.get("/account/factors/"))
    assert "Add a second factor" in page
    assert "bo-side" not in page


def test_a_viewer_needs_none(viewer: Any) -> None:
    client, _ = sign_in(viewer)

    assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        "clients:client_export", "funding:export", "trading:portfolio_export", "trading:blotter_export",
        "reporting:download", "journal:evidence_file",
    ],
)  # fmt: skip
def test_a_viewer_takes_no_file_of_people_with_a_password_alone(name: str, firm: Firm) -> None:  # noqa: F811
    browser, url = browser_of(firm, "viewer"), address(firm, name, "viewer")

    held = browser.get(url, headers={"Referer": "http://testserver/clients/?stage=open"})
    page = text_of(held)
    assert (held.status_code, is_file(held)) == (403, False)
    assert "asks for a second factor, and your account has none. Nothing was handed out." in page
    assert 'href="/account/factors/" target="_blank"' in page
    assert f'href="{url}">Go on' in page
    assert 'href="/clients/?stage=open"' in page
    give_app(firm.people["viewer"])

    assert is_file(browser.get(url))


def test_a_viewer_is_shown_no_masked_value_with_a_password_alone(firm: Firm) -> None:  # noqa: F811
    browser, client = browser_of(firm, "viewer"), firm.rows[OWN]["account"].client
    url, reason = reverse("clients:client_reveal", args=[client.pk, "email"]), {"reason": "IBKR asked"}

    held = browser.post(url, reason, headers={"HX-Request": "true"})
    assert (held.status_code, held["HX-Retarget"]) == (422, "#confirm")
    assert 'href="/account/factors/" target="_blank"' in text_of(held)
    typed = browser.post(url, reason)
    assert (typed.status_code, '<input type="hidden" name="reason" value="IBKR asked">' in text_of(typed)) == (
        403,
        True,
    )
    assert PERSONAL["email"] not in text_of(held) + text_of(typed)
    assert not Entry.objects.filter(action="clients.reveal").exists()
    give_app(firm.people["viewer"])

    assert PERSONAL["email"] in text_of(browser.post(url, reason, headers={"HX-Request": "true"}))


def test_a_viewers_program_fetches_no_statement_before_its_owner_has_a_second_factor(firm: Firm) -> None:  # noqa: F811
    viewer = firm.people["viewer"]
    program, url = Program(viewer, "reporting.view"), address(firm, "api:reports-file", "viewer")

    assert program.get(reverse("api:reports-list")) == 200
    assert program.get(url) == 403
    assert program.error["code"] == "second_factor_needed"
    give_app(viewer)

    assert program.get(url) == 200


def test_where_no_second_factor_is_asked_for_a_viewer_reads_as_before(firm: Firm, settings: Any) -> None:  # noqa: F811
    settings.MFA_REQUIRED = False

    assert is_file(browser_of(firm, "viewer").get(reverse("clients:client_export")))


def test_whoever_is_held_may_still_sign_out(advisor: Any) -> None:
    client, _ = sign_in(advisor)

    assert client.post("/account/logout/").status_code == 302
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("said", [{"MFA_REQUIRED": False}, {"STEP_UP_SECONDS": 301}])
def test_a_production_start_refuses_the_demonstrations_comfort(said: dict[str, Any]) -> None:
    Environment(DEMONSTRATION=True, **said)  # type: ignore[call-arg]

    with pytest.raises(ValidationError, match="for the demonstration firm only"):
        Environment(DEMONSTRATION=False, **said)  # type: ignore[call-arg]


@pytest.mark.parametrize("hosts", ["*", "office.example.com,*", " * "])
def test_a_production_start_refuses_to_answer_to_any_name(hosts: str) -> None:
    """The link of a forgotten password carries the name that was asked for, and would lead wherever a stranger says."""
    with pytest.raises(ValidationError, match="the names this site answers to"):
        Environment(DEMONSTRATION=False, MFA_REQUIRED=True, ALLOWED_HOSTS=hosts)  # type: ignore[call-arg]


def test_a_session_may_not_be_made_longer_than_the_rule() -> None:
    for said in ({"SESSION_IDLE_SECONDS": 901}, {"SESSION_SECONDS": 8 * 3600 + 1}):
        with pytest.raises(ValidationError):
            Environment(DEMONSTRATION=True, **said)  # type: ignore[call-arg, arg-type]


# ---- an authenticator app


def test_an_app_is_added_and_recovery_codes_are_shown_once(advisor: Any) -> None:
    client, _ = sign_in(advisor)
    page = text_of(client.get("/account/factors/totp/activate/"))
    secret = re.search(r"type the key: <span[^>]*>(\w+)<", page)[1]  # type: ignore[index]

    added = client.post("/account/factors/totp/activate/", {"code": code(secret)})
    shown = text_of(client.get(added["Location"]))

    codes = re.findall(r'<li class="bo-mono">(\d{8})</li>', shown)
    assert len(set(codes)) == 10
    assert not re.findall(r'<li class="bo-mono">(\d{8})</li>', text_of(client.get("/account/factors/recovery-codes/")))
    assert client.get("/").status_code == 200
    kept = Authenticator.objects.get(user=advisor, type="totp").data
    assert secret not in json.dumps(kept)
    assert kept["secret"].startswith("v1.")


@pytest.mark.row(id="Z05")
def test_the_first_code_of_an_app_does_not_sign_in_as_well(advisor: Any) -> None:
    with time_machine.travel("2026-11-29T12:00:05Z", tick=False):
        client, _ = sign_in(advisor)
        page = text_of(client.get("/account/factors/totp/activate/"))
        secret = re.search(r"type the key: <span[^>]*>(\w+)<", page)[1]  # type: ignore[index]
        assert client.post("/account/factors/totp/activate/", {"code": code(secret)}).status_code == 302
        thief, _ = sign_in(advisor)

        refused = thief.post("/account/factors/authenticate/", {"code": code(secret)})

    assert (refused.status_code, "_auth_user_id" in thief.session) == (200, False)
    assert "Each code works once." in text_of(refused)


def test_a_wrong_first_code_adds_nothing(advisor: Any) -> None:
    client, _ = sign_in(advisor)
    client.get("/account/factors/totp/activate/")

    answer = client.post("/account/factors/totp/activate/", {"code": "000000"})

    assert "This code is not right" in text_of(answer)
    assert not Authenticator.objects.exists()


@time_machine.travel("2026-11-02 09:00:05+00:00", tick=False)
def test_signing_in_takes_the_password_and_then_the_code(advisor: Any) -> None:
    give_app(advisor)

    client, answer = sign_in(advisor)
    assert answer["Location"] == "/account/factors/authenticate/"
    assert client.get("/")["Location"].startswith("/account/login/")
    answer = client.post("/account/factors/authenticate/", {"code": code()})

    assert answer["Location"] == "/"
    assert client.get("/").status_code == 200
    assert Entry.objects.get(action="people.sign_in").summary == "Signed in by password and second factor"


@pytest.mark.row(id="Z05")
def test_a_code_that_was_used_is_refused_in_the_same_half_minute_and_after_it(advisor: Any) -> None:
    give_app(advisor)
    with time_machine.travel("2026-11-02 09:00:05+00:00", tick=False) as time:
        used = code()
        first, _ = sign_in(advisor)
        first.post("/account/factors/authenticate/", {"code": used})
        answers = []
        for seconds in (0, 24, 1, 30):
            time.shift(seconds)
            again, _ = sign_in(advisor)
            answers.append(again.post("/account/factors/authenticate/", {"code": used}))

    assert [answer.status_code for answer in answers] == [200] * 4
    assert "it has been used" in text_of(answers[0])
    assert Entry.objects.filter(action="people.code_failed", subject_id=str(advisor.pk)).count() == 4
    assert Entry.objects.filter(action="people.sign_in").count() == 1


def test_a_code_of_the_next_half_minute_is_not_taken_early(advisor: Any) -> None:
    give_app(advisor)
    client, _ = sign_in(advisor)

    answer = client.post("/account/factors/authenticate/", {"code": code(steps=2)})

    assert (answer.status_code, "_auth_user_id" in client.session) == (200, False)


@pytest.mark.row(id="Z05")
def test_a_recovery_code_signs_in_once(advisor: Any) -> None:
    first_code, second_code, *_ = give_app(advisor)
    client, _ = sign_in(advisor)
    assert client.post("/account/factors/authenticate/", {"code": first_code})["Location"] == "/"

    again, _ = sign_in(advisor)
    refused = again.post("/account/factors/authenticate/", {"code": first_code})
    taken = again.post("/account/factors/authenticate/", {"code": second_code})

    assert (refused.status_code, taken["Location"]) == (200, "/")


@pytest.mark.row(id="Z05")
def test_codes_cannot_be_tried_without_end(advisor: Any) -> None:
    codes = give_app(advisor)
    client, _ = sign_in(advisor)
    for number in range(5):
        client.post("/account/factors/authenticate/", {"code": f"00000{number}"})

    answer = client.post("/account/factors/authenticate/", {"code": codes[0]})

    assert "Too many wrong attempts." in text_of(answer)
    assert "_auth_user_id" not in client.session


def test_the_last_factor_of_whoever_needs_one_stays(advisor: Any) -> None:
    give_app(advisor)
    client = Client()
    client.force_login(advisor)

    answer = client.post("/account/factors/totp/deactivate/")

    assert "Your role needs a second factor." in text_of(answer)
    assert Authenticator.objects.filter(user=advisor, type="totp").exists()


def test_an_administrator_takes_lost_factors_off_and_the_person_enrols_again(advisor: Any, administrator: Any) -> None:
    give_app(advisor)
    give_app(administrator)
    client = Client()
    client.force_login(advisor)
    assert client.get("/").status_code == 200

    services.remove_second_factors(advisor, by=administrator)

    assert client.get("/")["Location"].startswith("/account/login/")
    again, _ = sign_in(advisor)
    assert again.get("/")["Location"] == "/account/factors/"
    assert Entry.objects.get(action="people.remove_second_factors").actor_id == administrator.pk


# ---- a passkey


def enrolled(person: Any) -> tuple[Client, Passkey]:
    """Somebody who added a passkey that signs in by itself."""
    client, _ = sign_in(person)
    key = Passkey()
    page = client.get("/account/factors/webauthn/add/")
    options = page.context["js_data"]["creation_options"]
    answer = client.post(
        "/account/factors/webauthn/add/",
        {"name": "Desk", "passwordless": "on", "credential": key.register(json.loads(json.dumps(dict(options))))},
    )
    assert answer.status_code == 302, text_of(answer)
    return client, key


def test_a_passkey_is_added_and_opens_the_account(advisor: Any) -> None:
    client, _ = enrolled(advisor)

    assert client.get("/").status_code == 200
    assert Authenticator.objects.get(user=advisor, type="webauthn").data["name"] == "Desk"
    assert Entry.objects.filter(action="people.add_second_factor", subject_id=str(advisor.pk)).exists()


def test_a_passkey_signs_in_as_the_second_step(advisor: Any) -> None:
    _, key = enrolled(advisor)
    client, _ = sign_in(advisor)
    options = client.get("/account/factors/authenticate/").context["js_data"]["request_options"]

    answer = client.post("/account/factors/authenticate/", {"credential": key.sign(options)})

    assert answer["Location"] == "/"
    assert client.get("/").status_code == 200


@pytest.mark.row(id="Z05")
def test_a_passkey_signs_in_alone_and_its_answer_is_not_taken_twice(advisor: Any) -> None:
    _, key = enrolled(advisor)
    client = Client()
    options = client.get("/account/factors/webauthn/login/", headers={"Accept": "application/json"}).json()
    signed = key.sign(options["request_options"], person=user_pk_to_url_str(advisor))

    answer = client.post("/account/factors/webauthn/login/", {"credential": signed})
    replayed = Client().post("/account/factors/webauthn/login/", {"credential": signed})

    assert answer["Location"] == "/"
    assert client.get("/").status_code == 200
    assert replayed["Location"] == "/account/login/"


def test_a_closed_account_is_not_opened_by_its_passkey(advisor: Any, administrator: Any) -> None:
    _, key = enrolled(advisor)
    services.deactivate(advisor, by=administrator)
    client = Client()
    options = client.get("/account/factors/webauthn/login/", headers={"Accept": "application/json"}).json()

    client.post(
        "/account/factors/webauthn/login/",
        {"credential": key.sign(options["request_options"], person=user_pk_to_url_str(advisor))},
    )

    assert "_auth_user_id" not in client.session


def test_a_demonstration_person_is_not_let_in_by_passkey_outside_the_demonstration(advisor: Any, settings: Any) -> None:
    _, key = enrolled(advisor)
    advisor.is_demonstration = True
    advisor.save()
    settings.DEMONSTRATION = False
    client = Client()
    options = client.get("/account/factors/webauthn/login/", headers={"Accept": "application/json"}).json()

    client.post(
        "/account/factors/webauthn/login/",
        {"credential": key.sign(options["request_options"], person=user_pk_to_url_str(advisor))},
    )

    assert "_auth_user_id" not in client.session
