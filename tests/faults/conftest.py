"""A firm that can do real things at the sandbox, and the three effects that must happen exactly once."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from backoffice.core import clock
from backoffice.core.money import Money
from backoffice.journal import services as journal
from backoffice.journal.models import Submission
from backoffice.people.models import Book
from clients.models import Account, Client


@dataclass(frozen=True)
class Effect:
    """One thing that must happen once: how to ask for it, the request that carries it, where it is shown."""

    name: str
    path: str  # of the request, as a regular expression
    ledger: str
    begin: Callable[..., Any]  # returns the row

    def submission(self, row: Any) -> Submission:
        found = journal.current_for(row)
        assert found is not None
        return found


@pytest.fixture
def book(advisor: Any) -> Book:
    book = Book.objects.create(name="Alder")
    book.members.add(advisor)
    return book


@pytest.fixture
def account(live_session: Any, book: Book) -> Account:
    """U1000011, open at the sandbox, with cash and a saved bank."""
    client = Client.objects.create(first_name="Marianne", last_name="Holloway", book=book, country="USA")
    return Account.objects.create(
        number="U1000011", client=client, master=live_session.master, base_currency="USD", ibkr_status="O",
        ibkr_state="Open", opened_on=clock.today(clock.NEW_YORK),
    )  # fmt: skip


@pytest.fixture
def withdrawal(account: Account, advisor: Any, principal: Any, sandbox: Any) -> Effect:
    from funding import services
    from funding.models import BankInstruction

    listed = next(row for row in sandbox.world()["accounts"] if row["account"] == account.number)["bank_instructions"][
        0
    ]

    def begin(amount: int = 1250) -> Any:
        now = clock.now()
        bank, _ = BankInstruction.objects.get_or_create(
            account=account, name=listed["name"], method=listed["method"],
            defaults={
                "currency": listed["currency"], "last4": listed["last4"], "ibkr_status": "PROCESSED",
                "first_seen_at": now, "seen_at": now,
            },
        )  # fmt: skip
        transfer = services.request_withdrawal(
            account=account, money=Money(Decimal(amount), listed["currency"]), bank=bank, by=advisor,
            intent=uuid.uuid4(), note="Asked for by phone",
        )  # fmt: skip
        submission = journal.current_for(transfer)
        assert submission is not None
        services.approve(transfer, by=principal, payload_sha256=submission.payload_sha256)
        return transfer

    return Effect("withdrawal", r"^/gw/api/v1/external-cash-transfers$", "withdrawal", begin)


@pytest.fixture
def application(connected_master: Any, book: Book, advisor: Any, account: Account) -> Effect:
    from clients.services import applications, drafts

    def begin() -> Any:
        draft = drafts.start_application(intent=uuid.uuid4(), book=book, master=connected_master, by=advisor)
        draft = drafts.save_draft(application=draft, values=HYBRID_APPLICANT, by=advisor)
        sealed = applications.sealed_request(draft)
        return applications.submit_application(application=draft, sha256=sealed.sha256, by=advisor)

    return Effect("application", r"^/gw/api/v1/accounts$", "application", begin)


HYBRID_APPLICANT = {
    "first_name": "Leonie",
    "last_name": "Brandt",
    "email": "leonie.brandt@example.org",
    "phone": "+12025550142",
    "date_of_birth": "1984-05-17",
    "country": "USA",
    "street1": "14 Larch Street",
    "city": "Hartford",
    "state": "CT",
    "postal_code": "06103",
    "base_currency": "USD",
    "margin": "Cash",
    "permissions": ["US-Sec"],
    "prefix": "leobra",
    "fees": "NO_FEE",
}


@pytest.fixture
def order(account: Account, advisor: Any, live_session: Any) -> Effect:
    """A marketable limit order for one account; IBKR takes it without a question."""
    from trading.dispatch import sync
    from trading.models import Instrument
    from trading.services import tickets

    def begin(quantity: int = 5) -> Any:
        instrument, _ = Instrument.objects.get_or_create(
            conid="265598",
            defaults={
                "symbol": "AAPL", "name": "Apple Inc", "exchange": "NASDAQ", "currency": "USD", "asset_class": "STK",
                "tick": Decimal("0.01"),
            },
        )  # fmt: skip
        sync.sync_portfolios()
        draft = tickets.draw_up(
            intent=uuid.uuid4(), by=advisor, instrument=instrument, side="BUY", quantity=Decimal(quantity), order_type="LMT",
            limit_price=held_price(account, instrument), tif="DAY", reason="Invest the November contribution",
            account=account,
        )  # fmt: skip
        return tickets.send(draft, by=advisor, allocation_sha256=draft.allocation_sha256)

    return Effect("order", r"^/v1/api/iserver/account/U1000011/orders$", "order", begin)


def held_price(account: Account, instrument: Any) -> Decimal:
    from trading.models import Position

    held = Position.objects.filter(instrument=instrument).first()
    assert held is not None, "nobody of the demonstration holds it, so there is no price to go by"
    return Decimal(str(held.price)).quantize(Decimal("0.01"))
