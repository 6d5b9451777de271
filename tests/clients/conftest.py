"""Books, drafts and accounts for tests of clients."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from backoffice.people.models import Book
from clients.models import Account, Application, ApplicationStatus, Client, Stage
from clients.services import applications, drafts

READY: dict[str, Any] = {
    "salutation": "Ms.", "first_name": "Ilse", "last_name": "Vandermolen", "date_of_birth": "1988-02-11", "country_of_birth": "NLD",
    "citizenship": "NLD", "email": "ilse.vandermolen@example.org", "phone": "+31 612345678", "country": "NLD",
    "street1": "Iepenlaan 40", "city": "Haarlem", "postal_code": "2061 GL", "tax_country": "NLD", "tax_number": "123456789",
    "base_currency": "EUR", "margin": "Cash", "prefix": "ilsev", "permissions": ["US-Sec"],
}  # fmt: skip


@pytest.fixture
def book(advisor: Any, viewer: Any) -> Book:
    made = Book.objects.create(name="Ada")
    made.members.add(advisor, viewer)
    return made


@pytest.fixture
def other_book(other_advisor: Any) -> Book:
    made = Book.objects.create(name="Oscar")
    made.members.add(other_advisor)
    return made


@pytest.fixture
def draft(book: Book, advisor: Any) -> Callable[..., Application]:
    """A saved draft of the advisor: `draft(master)` is ready to be sent, `draft(master, email="")` is not."""

    def make(master: Any, **typed: Any) -> Application:
        started = drafts.start_application(intent=uuid.uuid4(), book=book, master=master, by=advisor)
        return drafts.save_draft(application=started, values=READY | typed, by=advisor)

    return make


@pytest.fixture
def submitted(draft: Callable[..., Application], advisor: Any) -> Callable[..., Application]:
    """An application promised to IBKR."""

    def make(master: Any, **typed: Any) -> Application:
        application = draft(master, **typed)
        sealed = applications.sealed_request(application)
        return applications.submit_application(application=application, sha256=sealed.sha256, by=advisor)

    return make


@pytest.fixture
def open_account(book: Book) -> Callable[..., Account]:
    """An open account of the sandbox's world, U1000013 unless named, as our rows know it."""

    def make(master: Any, number: str = "U1000013", entity_id: str = "", **fields: Any) -> Account:
        client = Client(
            first_name="Friederike", last_name="Sonnwald", book=book, email="friederike.sonnwald@example.com",
            phone="+4915155501034", date_of_birth="1958-07-30", country="DEU", tax_number="12345678901",
            residence=json.dumps({"street1": "Ahornweg 17", "city": "Freiburg", "postalCode": "79098", "country": "DEU"}),
        )  # fmt: skip
        client.save(force_insert=True)
        return Account.objects.create(
            number=number, client=client, master=master, base_currency="EUR", ibkr_status="O", ibkr_state="Open",
            external_id=f"demo-{number[-4:]}", holder_external_id=f"demo-{number[-4:]}-AH", holder_entity_id=entity_id,
            **{"username": "fries001", **fields},
        )  # fmt: skip

    return make


@pytest.fixture
def applying_account(book: Book, advisor: Any) -> Callable[..., Account]:
    """An account of the world whose application is under way: U1000021 waits for a proof of address."""

    def make(master: Any, number: str = "U1000021", first: str = "Zofia", last: str = "Wielgoszka") -> Account:
        from backoffice.core import clock

        client = Client(first_name=first, last_name=last, book=book, country="POL")
        client.save(force_insert=True)
        account = Account.objects.create(
            number=number, client=client, master=master, base_currency="EUR", ibkr_status="P", external_id=f"demo-{number[-4:]}",
            holder_external_id=f"demo-{number[-4:]}-AH", username="zofia001",
        )  # fmt: skip
        now = clock.now()
        application = Application(
            intent=uuid.uuid4(), book=book, owner=advisor, master=master, client=client, account=account,
            status=ApplicationStatus.SUBMITTED, stage=Stage.SUBMITTED, stage_since=now, external_id=f"demo-{number[-4:]}",
            applicant=client.name, country="POL", margin="Cash", created_at=now, submitted_at=now,
        )  # fmt: skip
        application.save(force_insert=True)
        return account

    return make
