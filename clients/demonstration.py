"""The demonstration firm's clients: nine with open accounts, three at IBKR, and drafts in every state. Harmless when run again."""

import json
import uuid
from datetime import datetime, timedelta
from typing import Any

from backoffice.broker.models import MasterAccount
from backoffice.core import clock
from backoffice.people.models import Book, User
from clients import translate
from clients.models import Account, Application, ApplicationStatus, Client
from clients.services import applications, drafts

_NAMESPACE = uuid.UUID("5f2d3f0e-6a5c-4a3e-9d0a-1c7f6f1e2b11")
# With every account of the group "Balanced", so that its advisor can place a block order for it.
_FIRST_BOOK = {"U1000011", "U1000012", "U1000013", "U1000016", "U1000018", "U1000019", "U1000021", "U1000023"}
_TAX_NUMBERS = {
    "U1000011": "987654320",
    "U1000013": "12345678901",
    "U1000018": "123456789",
}  # IBKR's own invented examples

_READY = {
    "salutation": "Ms.", "first_name": "Ilse", "last_name": "Vandermolen", "date_of_birth": "1988-02-11", "country_of_birth": "NLD",
    "citizenship": "NLD", "email": "ilse.vandermolen@example.org", "phone": "+31 612345678", "country": "NLD",
    "street1": "Iepenlaan 40", "city": "Haarlem", "postal_code": "2061 GL", "tax_country": "NLD", "tax_number": "123456789",
    "base_currency": "EUR", "margin": "Cash", "prefix": "ilsev", "permissions": ["US-Sec"],
}  # fmt: skip
_UNREADY = {
    "first_name": "Bartholomew", "last_name": "Quillfeather", "date_of_birth": "1990-8-8", "email": "bart@quillfeather",
    "phone": "+44 7400 123456", "country": "GBR", "street1": "PO Box 114", "city": "Leeds", "base_currency": "GBP",
    "margin": "RegT", "prefix": "Bart1", "permissions": ["US-Sec"],
}  # fmt: skip
_TO_BE_REFUSED = _READY | {
    "salutation": "Mr.", "first_name": "Odhran", "last_name": "Castellane", "date_of_birth": "1974-12-03",
    "country_of_birth": "IRL", "citizenship": "IRL", "phone": "+353 85 555 0121", "country": "IRL",
    "street1": "7 Blackthorn Road", "city": "Cork",
    "postal_code": "T12 X8KA", "tax_country": "", "tax_number": "", "prefix": "odhra",
    "email": "operations@alderrow.example.com",  # the master account's own address: only IBKR can know that, and refuses it
}  # fmt: skip
_GIVEN_UP = {
    "first_name": "Perpetua",
    "last_name": "Nightjar",
    "country": "PRT",
    "base_currency": "EUR",
    "margin": "Cash",
}


def load(world: dict[str, Any], people: dict[str, User], master: MasterAccount) -> None:
    """Make what is missing: clients and accounts as the sandbox's world has them, and our own drafts."""
    books = {
        "first": (Book.objects.get_or_create(name="Carvalho")[0], people["advisor"]),
        "second": (Book.objects.get_or_create(name="Halloway")[0], people["advisor2"]),
    }
    for fact in world["accounts"]:
        if fact["master"] == master.account and not Account.objects.filter(number=fact["account"]).exists():
            book, owner = books["first" if fact["account"] in _FIRST_BOOK else "second"]
            _account(fact, book=book, owner=owner, master=master)
    if master.account != world["masters"][0]["account"]:
        return  # the drafts are the first firm's; a second one shows its own accounts only
    book, owner = books["first"]
    _draft("ready", _READY, book=book, master=master, by=owner)
    _draft("unready", _UNREADY, book=books["second"][0], master=master, by=books["second"][1])
    refused = _draft("refused", _TO_BE_REFUSED, book=book, master=master, by=people["operations"])
    if refused.status == ApplicationStatus.DRAFT:
        sealed = applications.sealed_request(refused)
        applications.submit_application(application=refused, sha256=sealed.sha256, by=people["operations"])
    given_up = _draft("given-up", _GIVEN_UP, book=book, master=master, by=owner)
    if given_up.status == ApplicationStatus.DRAFT:
        drafts.discard(application=given_up, by=owner)


def _account(fact: dict[str, Any], *, book: Book, owner: User, master: MasterAccount) -> None:
    person, now = fact["person"], clock.now()
    started = datetime.fromisoformat(fact["started"])
    opened = datetime.fromisoformat(fact["opened"]) if fact["opened"] else None
    typed = _typed(fact)
    client = Client(
        first_name=person["first"], last_name=person["last"], book=book, email=person["email"], phone=typed["phone"],
        date_of_birth=person["date_of_birth"], residence=translate.residence_text(typed), country=person["country"],
        tax_number=typed["tax_number"],
    )  # fmt: skip
    client.save(force_insert=True)
    Client.objects.filter(pk=client.pk).update(created_at=started)
    account = Account.objects.create(
        number=fact["account"], client=client, master=master, base_currency=fact["base_currency"], alias=fact["alias"],
        external_id=fact["external_id"], holder_external_id=person["external_id"], holder_entity_id=str(person["entity_id"]),
        username=fact["username"], ibkr_status=fact["status"], ibkr_state=fact["state"], status_as_of=now,
        opened_on=opened.astimezone(clock.NEW_YORK).date() if opened else None,
    )  # fmt: skip
    application = Application(
        intent=_intent(fact["account"]), book=book, owner=owner, master=master, client=client, account=account,
        status=ApplicationStatus.OPENED if opened else ApplicationStatus.SUBMITTED, stage_since=opened or started,
        external_id=fact["external_id"], draft_text=json.dumps(typed), version=1, saved_at=started, saved_by=owner,
        applicant=client.name, country=client.country, margin=typed["margin"], ibkr_status=fact["status"], ibkr_state=fact["state"],
        created_at=started - timedelta(hours=3), submitted_at=started, ended_at=opened,
    )  # fmt: skip
    application.stage = translate.stage_of(application, [])
    application.save(force_insert=True)


def _typed(fact: dict[str, Any]) -> dict[str, Any]:
    """What would have been typed for a person who is at IBKR already."""
    person = fact["person"]
    return {
        "first_name": person["first"], "last_name": person["last"], "date_of_birth": person["date_of_birth"],
        "citizenship": person["country"], "email": person["email"], "phone": f"+{person['phone']}", "country": person["country"],
        "street1": person["street"], "city": person["city"], "postal_code": person["postal_code"], "state": person["state"],
        "tax_country": person["country"], "tax_number": _TAX_NUMBERS.get(fact["account"], ""),
        "base_currency": fact["base_currency"], "margin": "Cash", "prefix": fact["username"][:5], "permissions": ["US-Sec"],
    }  # fmt: skip


def _intent(name: str) -> uuid.UUID:
    return uuid.uuid5(_NAMESPACE, name)


def _draft(name: str, typed: dict[str, Any], *, book: Book, master: MasterAccount, by: User) -> Application:
    application = drafts.start_application(intent=_intent(f"{master.account}:{name}"), book=book, master=master, by=by)
    if application.version > 1 or not application.is_editable:
        return application
    return drafts.save_draft(application=application, values=typed, by=by)
