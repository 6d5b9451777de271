# ruff: noqa: F811 (the fixture `firm` is another module's)
"""Every write is recorded with what it made of each row: the database is compared with itself around each act.

The acts come from the URLconf, and the rows from every table of ours, so neither a new address nor a new table is left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from allauth.mfa.models import Authenticator
from django.apps import apps
from django.db import transaction
from django.test import Client as Browser
from django.urls import reverse

from backoffice.audit import losses, services
from backoffice.audit.models import Entry
from backoffice.people.models import User
from tests.backoffice.acts import ACTS, TOGETHER
from tests.backoffice.test_audit_trail import UNSAFE
from tests.conftest import PASSWORD
from tests.second_factors import give_app
from tests.test_authorisation import MATRIX, firm  # noqa: F401 (a fixture)
from tests.two_books import OWN, Firm

pytestmark = pytest.mark.django_db
APPS = {"home", "people", "broker", "journal", "clients", "funding", "trading", "reporting", "mfa"}
# Not the firm's business but our own bookkeeping, or a part of a row that is named, under its seal.
PARTS = {
    "people.limitcounter": "a sum of what is recorded one by one",
    "funding.banklisting": "when IBKR's list was last asked for",
    "trading.instrument": "until when somebody watches its quote",
    "trading.orderallocation": "sealed by the digest of the allocation, which is in the entry of its order",
    "reporting.fetchitem": "a line of the fetch that is named",
    "people.invitation_books": "named in the entry of the invitation",
}
State = dict[tuple[str, str], str]


@dataclass(frozen=True)
class Told:
    """What an entry says of one row."""

    action: str
    before: str
    after: str


def stand() -> State:
    """The digest of every row of ours."""
    return {
        (model._meta.label_lower, str(row.pk)): services.digest(row)
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label in APPS
        for row in model._base_manager.all()
    }


def told_by(entries: list[Entry]) -> dict[tuple[str, str], list[Told]]:
    found: dict[tuple[str, str], list[Told]] = {}
    for entry in entries:
        if entry.subject_model:
            told = Told(entry.action, entry.before, entry.after)
            found.setdefault((entry.subject_model, entry.subject_id), []).append(told)
        for each in entry.data.get("changed", []):
            told = Told(entry.action, each["before"], each["after"])
            found.setdefault((each["object"], each["id"]), []).append(told)
    return found


def complaints(before: State, after: State, entries: list[Entry]) -> Iterator[str]:
    told = told_by(entries)
    for row in sorted(before.keys() | after.keys()):
        was, became, said = before.get(row, ""), after.get(row, ""), told.get(row, [])
        if was == became or row[0] in PARTS:
            continue
        if not said:
            yield f"{row[0]} changed, and no entry says so"
        elif (said[0].before, said[-1].after) != (was, became):
            actions = ", ".join(each.action for each in said)
            yield f"{row[0]} did not change as {actions} say" + ("" if said[0].before == was else ": other before")
    for row, said in told.items():
        if row in after and before.get(row) == after[row] and any(each.after != after[row] for each in said):
            yield f"{row[0]} is as it was, {said[0].action} says otherwise"


def test_every_address_that_takes_postings_has_its_act() -> None:
    assert set(UNSAFE) == ACTS.keys() | TOGETHER.keys()


@pytest.mark.parametrize("name", sorted(ACTS))
def test_an_act_is_recorded_with_each_row_before_and_after(name: str, firm: Firm) -> None:
    act, entry = ACTS[name], MATRIX[name]
    with transaction.atomic():
        data = act.posted(firm)
        thing = firm.address_of(act.by, entry.of, OWN) if entry.of else ()
        body = {**({entry.in_body: thing[0]} if entry.in_body else {}), **data}
        browser = act.browser(firm)
        newest = Entry.objects.order_by("-id").values_list("id", flat=True).first() or 0
        before = stand()

        answer = act.send(browser, reverse(name, args=() if entry.in_body else thing), body)

        after, entries = stand(), list(Entry.objects.filter(id__gt=newest).order_by("id"))
        lost = losses.of_rows()
        transaction.set_rollback(True)

    assert answer.status_code < 400, answer.content.decode()[-500:]
    first = next(each for each in entries if each.action == act.action)
    assert (first.address, len(first.correlation), len(first.mac)) == ("127.0.0.1", 12, 64)
    assert first.actor_id == firm.people[act.by].pk
    assert list(complaints(before, after, entries)) == []
    assert lost == "", "after a restore this would be taken for a loss"


def test_a_change_that_nobody_recorded_is_seen_by_the_comparison(firm: Firm) -> None:
    account = firm.rows[OWN]["account"]
    with transaction.atomic():
        before = stand()
        type(account).objects.filter(pk=account.pk).update(alias="Unsaid")
        after = stand()
        transaction.set_rollback(True)

    assert list(complaints(before, after, [])) == ["clients.account changed, and no entry says so"]


@pytest.fixture(autouse=True)
def _no_origin() -> Iterator[None]:
    services.origin.set(None)
    yield
    services.origin.set(None)


# ---- what allauth writes


def rows_of_an_account_page(person: User, url: str, data: dict[str, str]) -> tuple[list[str], list[Entry]]:
    """Post to one's own account page; return the complaints and the entries."""
    browser = Browser()
    browser.force_login(User.objects.get(pk=person.pk), backend="backoffice.people.backends.EmailBackend")
    newest = Entry.objects.order_by("-id").values_list("id", flat=True).first() or 0
    before = stand()

    answer = browser.post(url, data)

    assert answer.status_code == 302, answer.content.decode()[-500:]
    entries = list(Entry.objects.filter(id__gt=newest).order_by("id"))
    assert losses.of_rows() == "", "after a restore this would be taken for a loss"
    return list(complaints(before, stand(), entries)), entries


def test_a_passkey_gets_another_name_with_an_entry(viewer: User) -> None:
    key = Authenticator.objects.create(user=viewer, type="webauthn", data={"name": "Desk", "credential": {}})

    wrong, entries = rows_of_an_account_page(viewer, reverse("mfa_edit_webauthn", args=[key.pk]), {"name": "Laptop"})

    assert (wrong, [entry.action for entry in entries]) == ([], ["people.rename_passkey"])
    assert (entries[0].subject_model, entries[0].subject_id) == ("mfa.authenticator", str(key.pk))
    assert "" != entries[0].before != entries[0].after
    assert "Laptop" not in str(Entry.objects.filter(pk=entries[0].pk).values())


def test_a_passkey_is_taken_away_with_an_entry(viewer: User) -> None:
    key = Authenticator.objects.create(user=viewer, type="webauthn", data={"name": "Desk", "credential": {}})
    rows_of_an_account_page(viewer, reverse("mfa_edit_webauthn", args=[key.pk]), {"name": "Laptop"})

    wrong, entries = rows_of_an_account_page(viewer, reverse("mfa_remove_webauthn", args=[key.pk]), {})

    assert (wrong, [entry.action for entry in entries]) == ([], ["people.remove_second_factor"])


def test_an_app_is_added_and_taken_away_with_entries(viewer: User) -> None:
    give_app(viewer)

    wrong, entries = rows_of_an_account_page(viewer, reverse("mfa_deactivate_totp"), {})

    assert (wrong, {entry.action for entry in entries}) == ([], {"people.remove_second_factor"})


def test_a_password_is_changed_with_an_entry(viewer: User) -> None:
    typed = {"oldpassword": PASSWORD, "password1": "a longer horse battery", "password2": "a longer horse battery"}

    wrong, entries = rows_of_an_account_page(viewer, reverse("account_change_password"), typed)

    assert (wrong, [entry.action for entry in entries]) == ([], ["people.change_password"])
