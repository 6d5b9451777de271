"""What is written about a person leaves its entry: who, which row, and keyed digests from before and after; no value."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse

from backoffice.audit import disclosures, services
from backoffice.audit.models import Entry
from backoffice.core import clock
from clients.models import Account, Client
from clients.selectors.maintenance import cases_of
from clients.services import applications, drafts, maintenance
from clients.services.applications import Registration, SeenStatus
from tests.clients.conftest import READY

pytestmark = pytest.mark.django_db
Make = Callable[..., Any]


def last(action: str) -> Entry:
    return Entry.objects.filter(action=action).latest("id")


def test_a_typed_field_is_an_entry_that_names_the_field_and_not_what_was_typed(
    draft: Make, master: Any, operations: Any
) -> None:
    application = draft(master)

    drafts.save_draft(application=application, values={"email": "other@example.org"}, by=operations)

    entry = last("clients.save_draft")
    assert (entry.actor, entry.subject_id, entry.data) == (operations, str(application.pk), {"fields": ["email"]})
    assert entry.before != entry.after
    assert len(entry.before) == len(entry.after) == 64
    assert "other@example.org" not in f"{entry.summary}{entry.data}"


def test_what_was_typed_already_is_no_write(draft: Make, master: Any, advisor: Any) -> None:
    application = draft(master)
    before = Entry.objects.count()

    drafts.save_draft(application=application, values={"email": READY["email"]}, by=advisor)

    assert Entry.objects.count() == before


def test_a_person_taken_from_an_application_is_an_entry_about_the_person(
    submitted: Make, master: Any, advisor: Any
) -> None:
    application = submitted(master)

    entry = last("clients.write_client")

    client = Client.objects.get(pk=application.client_id)
    assert (entry.actor, entry.subject_id, entry.before) == (advisor, str(client.pk), "")
    assert entry.after == services.digest(client)


def test_the_account_ibkr_opens_and_each_new_status_are_entries_of_the_system(submitted: Make, master: Any) -> None:
    application = submitted(master)
    applications.mark_registered(application, Registration(account="U7654321"))
    account, now = Account.objects.get(number="U7654321"), clock.now()

    for status, minutes in (("P", 1), ("P", 2), ("O", 3)):
        seen = SeenStatus(status=status, state="", as_of=now + timedelta(minutes=minutes), opened_on=None)
        applications.record_status(account, seen)

    assert last("clients.register_account").subject_id == str(account.pk)
    told = list(Entry.objects.filter(action="clients.see_status").order_by("id"))
    assert [entry.summary for entry in told] == [
        "IBKR says P of U7654321, said N before", "IBKR says O of U7654321, said P before"
    ]  # fmt: skip
    assert all(entry.actor is None and entry.before != entry.after for entry in told)


@pytest.mark.parametrize("kind", ["address", "alias"])
def test_what_ibkr_shows_after_a_change_is_an_entry_with_both_digests(
    kind: str, open_account: Make, master: Any, advisor: Any
) -> None:
    account = open_account(master, "U1000013")
    typed = {
        "street1": "Kade 1",
        "street2": "",
        "city": "Hoorn",
        "state": "",
        "postal_code": "1621 AA",
        "country": "NLD",
    }
    case = (
        maintenance.request_alias(account=account, alias="Savings", intent=uuid.uuid4(), by=advisor)
        if kind == "alias"
        else maintenance.request_address(account=account, address=typed, intent=uuid.uuid4(), by=advisor)
    )

    maintenance.record_look(case, shown=case.after, word="PROCESSED")

    entry = last(f"clients.take_{kind}")
    changed = Account.objects.get(pk=account.pk) if kind == "alias" else Client.objects.get(pk=account.client_id)
    assert entry.actor is None
    assert entry.before != entry.after == services.digest(changed)
    assert "Kade" not in f"{entry.summary}{entry.data}"


def test_whoever_opens_a_draft_somebody_else_typed_has_seen_the_person(
    draft: Make, master: Any, advisor: Any, operations: Any
) -> None:
    application = draft(master)

    for person, section in ((advisor, "contact"), (operations, "contact"), (operations, "account")):
        browser = Browser()
        browser.force_login(person, backend="backoffice.people.backends.EmailBackend")
        page = browser.get(reverse("clients:application_edit", args=[application.pk, section]))
        assert page.status_code == 200

    assert [(entry.actor, entry.data["fields"]) for entry in disclosures.of(application)] == [
        (operations, ["city", "email", "phone", "postal_code", "street1", "tax_number"])
    ]


def test_a_case_shows_enough_of_an_address_to_compare_by_and_no_more(
    open_account: Make, master: Any, advisor: Any
) -> None:
    account = open_account(master)
    typed = {
        "street1": "Kade 1",
        "street2": "",
        "city": "Hoorn",
        "state": "",
        "postal_code": "1621 AA",
        "country": "NLD",
    }
    case = maintenance.request_address(account=account, address=typed, intent=uuid.uuid4(), by=advisor)
    case.before_text = case.after_text.replace("Kade 1", "Kade 22")

    shown = {change.label: (change.before, change.after) for change in cases_of([case])[0].changes}

    assert shown["Street"] == ("Ka••••", "Ka•••• (another)")
    assert shown["Postal code"] == ("16••••", "16••••")
    assert shown["City"] == ("Hoorn", "Hoorn")
