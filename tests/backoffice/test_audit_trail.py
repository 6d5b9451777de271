# ruff: noqa: F811 (the fixture `firm` is another module's)
"""Every act, download and refusal leaves an entry: the addresses come from the URLconf, so a new one is asked too."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import transaction
from django.test import Client as Browser
from django.urls import reverse

from backoffice.audit import services
from backoffice.audit.models import Disclosure, Entry
from backoffice.people.models import Role
from backoffice.people.policy import PERMISSIONS
from tests.test_authorisation import MATRIX, firm  # noqa: F401 (a fixture)
from tests.two_books import OWN, Firm

pytestmark = pytest.mark.django_db
LOOKS = {
    "home:search",
    "clients:client_list",
}  # posted to, so that what is typed stays out of addresses; it changes nothing
UNSAFE = [name for name, entry in MATRIX.items() if "POST" in entry.methods and name not in LOOKS]
DOWNLOADS = {
    "clients:client_export": "clients.export",
    "funding:export": "funding.export",
    "trading:blotter_export": "trading.export",
    "reporting:download": "reporting.open",
    "journal:evidence_file": "journal.download_evidence",
}


@dataclass(frozen=True)
class Left:
    """What a request answered and what it left in the audit."""

    status: int
    entries: list[Entry]
    disclosed: int

    @property
    def actions(self) -> set[str]:
        return {entry.action for entry in self.entries}


def ask(firm: Firm, person: str, method: str, name: str, data: Any = None, place: str = OWN) -> Left:
    entry = MATRIX[name]
    thing = firm.address_of(person, entry.of, place) if entry.of else ()
    url = reverse(name, args=() if entry.in_body else thing)
    body = {**({entry.in_body: thing[0]} if entry.in_body else {}), **(data or {})}
    browser = Browser(raise_request_exception=False)
    browser.force_login(firm.people[person], backend="backoffice.people.backends.EmailBackend")
    with transaction.atomic():
        newest = Entry.objects.order_by("-id").values_list("id", flat=True).first() or 0
        response = browser.generic(method, url) if method != "POST" else browser.post(url, body)
        if response.streaming:
            b"".join(response.streaming_content)
        entries = list(Entry.objects.filter(id__gt=newest).order_by("id"))
        disclosed = Disclosure.objects.filter(entry__in=entries).count()
        transaction.set_rollback(True)
    return Left(response.status_code, entries, disclosed)


@pytest.mark.parametrize("name", UNSAFE)
def test_a_posting_leaves_an_entry_whatever_comes_of_it(name: str, firm: Firm) -> None:
    left = ask(firm, "principal", "POST", name, {"intent": str(uuid.UUID(int=9))})

    assert left.status < 500
    assert left.entries, f"{name} answered {left.status} and left nothing in the audit"
    assert left.status < 400 or "request.refused" in left.actions
    assert all(entry.actor_id == firm.people["principal"].pk for entry in left.entries)


@pytest.mark.parametrize("name", DOWNLOADS)
def test_a_download_names_everybody_it_shows(name: str, firm: Firm) -> None:
    left = ask(firm, "advisor", "GET", name)

    assert (left.status, left.actions) == (200, {DOWNLOADS[name]})
    assert left.disclosed == left.entries[0].data["disclosed"] >= 1


def test_an_export_of_figures_alone_is_written_down_too(firm: Firm) -> None:
    left = ask(firm, "advisor", "GET", "trading:portfolio_export")

    assert (left.status, left.actions, left.disclosed) == (200, {"trading.export"}, 0)


def test_what_was_searched_for_is_not_in_the_entry_of_an_export(firm: Firm) -> None:
    browser = Browser()
    browser.force_login(firm.people["advisor"], backend="backoffice.people.backends.EmailBackend")

    with transaction.atomic():
        browser.get(reverse("clients:client_export"), {"q": "Hollow", "country": "DEU"})
        filters = Entry.objects.order_by("-id")[0].data["filters"]
        transaction.set_rollback(True)

    assert filters == {"country": "DEU", "q": services.digest_of_text("Hollow")[:16]}


@pytest.mark.parametrize("name", [name for name, entry in MATRIX.items() if entry.needs and "GET" in entry.methods])
def test_a_refused_page_leaves_an_entry_with_who_and_where(name: str, firm: Firm) -> None:
    person = next((each for each in ("administrator", "viewer", "advisor") if _is_refused(firm, each, name)), None)
    if person is None:
        assert PERMISSIONS[MATRIX[name].needs[0]] == set(Role.values)  # open to every role
        return

    left = ask(firm, person, "GET", name)

    assert (left.status, left.actions) == (403, {"request.refused"})
    assert left.entries[0].data["route"] == name
    assert left.entries[0].actor_id == firm.people[person].pk


def _is_refused(firm: Firm, person: str, name: str) -> bool:
    from backoffice.people.policy import may

    return not any(may(firm.people[person], permission) for permission in MATRIX[name].needs)


def test_asking_for_a_thing_of_another_book_is_written_down(firm: Firm) -> None:
    left = ask(firm, "advisor", "GET", "clients:client_detail", place="foreign")

    assert (left.status, left.actions) == (404, {"request.refused"})
    assert left.entries[0].data["of"] == {"pk": str(firm.things["foreign"]["client"][0])}


def test_a_secret_in_an_address_does_not_get_into_the_audit(db: None) -> None:
    url = reverse("account_reset_password_from_key", kwargs={"uidb36": "1", "key": "set-the-secret"})

    Browser().post(url, {"password1": "x"}, HTTP_X="1")

    assert "set-the-secret" not in str(list(Entry.objects.values_list("summary", "data")))


def test_strangers_postings_are_written_down_once_a_minute(db: None) -> None:
    stranger = Browser(enforce_csrf_checks=True)

    statuses = [stranger.post(reverse("funding:withdraw")).status_code for _ in range(5)]

    assert statuses == [403] * 5
    refused = Entry.objects.filter(actor=None, data__status=403)
    assert [entry.data["route"] for entry in refused] == ["funding:withdraw"]


@pytest.mark.parametrize("name", sorted(LOOKS))
def test_a_look_that_is_posted_changes_nothing_and_leaves_nothing(name: str, firm: Firm) -> None:
    assert ask(firm, "advisor", "POST", name, {"q": "hollow"}).entries == []


def test_a_look_at_a_page_leaves_nothing(firm: Firm) -> None:
    assert ask(firm, "advisor", "GET", "clients:client_list").entries == []


@pytest.fixture(autouse=True)
def _no_origin() -> Iterator[None]:
    services.origin.set(None)
    yield
    services.origin.set(None)
