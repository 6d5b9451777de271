"""Where a request enters: its address behind a proxy, its length, and what every answer carries."""

import io
import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from backoffice.audit.models import Entry
from backoffice.people import tokens
from backoffice.people.models import User
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
HOLLOW = 13 * 1024 * 1024


def addresses(**headers: str) -> str | None:
    """Return the address the audit keeps of a sign-in that fails."""
    Client().post("/account/login/", {"login": "nobody@example.com", "password": "wrong horse"}, headers=headers)
    return Entry.objects.filter(action="people.sign_in_failed").latest("id").address


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("10.0.0.1, 203.0.113.9", "203.0.113.9"),
        ("203.0.113.9,2001:db8::7", "2001:db8::7"),
        ("203.0.113.9, not an address", "127.0.0.1"),
        ("", "127.0.0.1"),
    ],
)
def test_behind_the_proxy_a_person_has_the_address_the_proxy_saw(told: str, kept: str, settings: Any) -> None:
    settings.TRUSTED_PROXY = True

    assert addresses(**{"X-Forwarded-For": told}) == kept


def test_without_a_proxy_nobody_names_their_own_address() -> None:
    assert addresses(**{"X-Forwarded-For": "198.51.100.7"}) == "127.0.0.1"


def test_wrong_passwords_behind_the_proxy_hold_one_address_and_not_the_office(settings: Any, viewer: User) -> None:
    settings.TRUSTED_PROXY = True
    settings.AXES_ENABLED, settings.ACCOUNT_RATE_LIMITS = True, {"login_failed": "100000/m/ip"}

    def sign_in(password: str, address: str) -> int:
        typed = {"login": viewer.email, "password": password}
        return Client().post("/account/login/", typed, headers={"X-Forwarded-For": address}).status_code

    for _ in range(8):
        sign_in("wrong horse", "198.51.100.7")

    assert sign_in(PASSWORD, "198.51.100.7") == 429
    assert sign_in(PASSWORD, "203.0.113.9") == 302


@pytest.mark.row(id="Z08")
def test_what_is_too_long_is_refused_before_it_is_read_and_recorded(client: Client, advisor: User) -> None:
    client.force_login(advisor)
    untouched = io.BytesIO(b"--x")

    answer = client.generic(
        "POST", reverse("clients:application_start"), b"", CONTENT_LENGTH=str(HOLLOW),
        content_type="multipart/form-data; boundary=x", **{"wsgi.input": untouched},
    )  # fmt: skip

    assert answer.status_code == 413
    assert "At most 12 MB can be sent at once." in answer.content.decode()
    assert untouched.tell() == 0
    refused = Entry.objects.get(action="request.refused")
    assert (refused.actor, refused.data["route"], refused.data["status"]) == (advisor, "clients:application_start", 413)


@pytest.mark.row(id="Z08")
def test_a_stranger_does_not_fill_the_disk(tmp_path: Any, settings: Any) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    file = SimpleUploadedFile("large.pdf", b"%PDF-1.7" + b"0" * HOLLOW, content_type="application/pdf")

    answer = Client(enforce_csrf_checks=True).post("/account/login/", {"login": "a@example.com", "file": file})

    assert answer.status_code == 413
    assert list(tmp_path.iterdir()) == []


@pytest.mark.row(id="Z10")
@pytest.mark.parametrize("where", ["field", "name", "question"])
def test_a_zero_character_is_refused_in_words_recorded_and_changes_nothing(
    where: str, client: Client, advisor: User
) -> None:
    client.force_login(advisor)
    url = reverse("trading:portfolio_refresh")
    given = {"zero": "a\0b"} if where == "field" else {"a\0b": "1"}

    answer = client.get(reverse("trading:blotter"), {"q": "\0"}) if where == "question" else client.post(url, given)

    assert answer.status_code == 400
    assert "A zero character, which no text holds" in answer.content.decode()
    assert Entry.objects.filter(action="request.refused", actor=advisor).count() == (where != "question")
    assert not Entry.objects.exclude(action="request.refused").exists()


@pytest.mark.row(id="Z10")
def test_a_program_s_zero_character_is_told_in_its_own_shape(advisor: User) -> None:
    _, text = tokens.create(owner=advisor, name="N", scopes=["clients.view"], days=7)

    answer = Client().get("/api/v1/clients/", {"book": "\0"}, headers={"Authorization": f"Bearer {text}"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid")


def test_a_program_that_sends_too_much_is_told_in_its_own_shape(advisor: User) -> None:
    _, text = tokens.create(owner=advisor, name="N", scopes=["funding.request"], days=7)

    answer = Client().post(
        "/api/v1/transfers/", json.dumps({"note": "x" * HOLLOW}), content_type="application/json",
        headers={"Authorization": f"Bearer {text}"},
    )  # fmt: skip

    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize("url", ["/", "/clients/export.csv", "/api/v1/clients/", "/account/login/", "/no-such-page/"])
def test_every_answer_keeps_itself_out_of_caches_frames_and_scripts(url: str, client: Client, viewer: User) -> None:
    client.force_login(viewer)

    headers = client.get(url).headers

    assert headers["Cache-Control"].split(",")[-1].strip() in {"no-store", "private"}
    assert "no-store" in headers["Cache-Control"]
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert (policy["default-src"], policy["script-src"], policy["style-src"]) == ("'none'", "'self'", "'self'")
    assert policy["frame-ancestors"] == "'none'"
    assert (headers["X-Frame-Options"], headers["X-Content-Type-Options"]) == ("DENY", "nosniff")
    assert (headers["Referrer-Policy"], headers["Cross-Origin-Opener-Policy"]) == ("same-origin", "same-origin")
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
