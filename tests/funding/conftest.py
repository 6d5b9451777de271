"""An open account in the advisor's book with a bank, and the shortest way to a withdrawal from it."""

import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from backoffice.core import clock
from backoffice.core.money import Money
from backoffice.people.models import Book
from clients.models import Account, Client
from funding import services
from funding.models import BankInstruction, CashTransfer


def make_account(number: str, master: Any, book: Book, **changes: Any) -> Account:
    client = Client.objects.create(first_name="Marianne", last_name=f"Holloway {number[-2:]}", book=book, country="USA")
    columns = {"number": number, "client": client, "master": master, "base_currency": "USD", "ibkr_status": "O"}
    return Account.objects.create(**{**columns, **changes})


def make_bank(account: Account, **changes: Any) -> BankInstruction:
    now = clock.now()
    columns = {
        "account": account, "name": "Main bank", "method": "WIRE", "currency": "USD", "last4": "7042",
        "ibkr_status": "PROCESSED", "first_seen_at": now, "seen_at": now,
    }  # fmt: skip
    return BankInstruction.objects.create(**{**columns, **changes})


@pytest.fixture
def book(advisor: Any) -> Book:
    book = Book.objects.create(name="Alder")
    book.members.add(advisor)
    return book


@pytest.fixture
def account(master: Any, book: Book) -> Account:
    return make_account("U1000011", master, book)


@pytest.fixture
def bank(account: Account) -> BankInstruction:
    return make_bank(account)


@pytest.fixture
def withdraw(advisor: Any, account: Account, bank: BankInstruction) -> Callable[..., CashTransfer]:
    """Ask for USD 1,250.00 to the main bank; keywords change any of it."""

    def ask(**changes: Any) -> CashTransfer:
        arguments: dict[str, Any] = {
            "account": account, "money": Money(Decimal("1250.00"), "USD"), "bank": bank, "by": advisor,
            "intent": uuid.uuid4(), "note": "Asked for by phone, 23 Nov",
        }  # fmt: skip
        return services.request_withdrawal(**{**arguments, **changes})

    return ask
