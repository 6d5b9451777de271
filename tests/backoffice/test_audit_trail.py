# ruff: noqa: F811 (the fixture `firm` is another module's)
"""Every act, download and refusal leaves an entry: the addresses come from the URLconf, so a new one is asked too."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import transaction
from django.test import Client as Browser
from django.urls import reverse

from backoffice.audit import services
from backoffice.audit.models import Disclosure, Entry
from backoffice.audit.reasons import REVEAL_REASONS
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
}


@dataclass(frozen=True)
class Act:
    """A posting that succeeds, by whom, and the entry its service writes in its own words."""

    action: str
    data: dict[str, Any] = field(default_factory=dict)
    by: str = "advisor"


ACTS = {
    "broker:gate_set": Act(
        "broker.close_gate",
        {"scope": "global", "key": "", "reason": "A drill", "verb": "close", "is_open": ""},
        "principal",
    ),
    "broker:test_ask": Act("broker.test_connection", by="principal"),
    "clients:application_discard": Act("clients.discard_application"),
    "clients:application_field": Act("clients.save_draft", {"city": "Elsewhere"}),
    "clients:client_reveal": Act("clients.reveal", {"reason": next(iter(REVEAL_REASONS))}),
    "funding:decline": Act("journal.refuse", {"decline-reason": "Not the client's wish"}, "principal"),
    "funding:take_back": Act("journal.withdraw", {"back-reason": "Asked for twice"}),
    "clients:account_portal": Act("clients.open_portal", {"page": "AccountSettings"}),
    "trading:order_take_back": Act("journal.withdraw", {"reason": "The client called again"}),
    "trading:order_discard": Act("trading.discard"),
    "trading:quote": Act("request.done"),
    "trading:instrument_ask": Act("request.done", {"text": "apple"}),
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


@pytest.mark.parametrize("name", ACTS)
def test_an_act_leaves_an_entry_in_the_words_of_its_service(name: str, firm: Firm) -> None:
    act = ACTS[name]

    left = ask(firm, act.by, "POST", name, {"intent": str(uuid.UUID(int=9)), **act.data})

    assert left.status < 400
    assert act.action in left.actions
    first = next(entry for entry in left.entries if entry.action == act.action)
    assert (first.address, len(first.correlation)) == ("127.0.0.1", 12)
    assert len(first.mac) == 64


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
