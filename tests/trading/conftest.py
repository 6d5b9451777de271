"""A small desk: three open accounts in the advisor's book with figures, an instrument, a group, and short ways to orders."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from backoffice.core import clock
from backoffice.people.models import Book
from clients.models import Account, Client
from trading.models import AccountSnapshot, AllocationGroup, ExchangeRate, GroupMember, Instrument, Order, Position
from trading.services import tickets

NUMBERS = ("U1000011", "U1000012", "U1000013")


def make_account(number: str, master: Any, book: Book, **changes: Any) -> Account:
    client = Client.objects.create(first_name="Marianne", last_name=f"Holloway {number[-2:]}", book=book, country="USA")
    columns = {"number": number, "client": client, "master": master, "base_currency": "USD", "ibkr_status": "O"}
    return Account.objects.create(**{**columns, **changes})


def give_figures(account: Account, worth: str, cash: str = "50000") -> AccountSnapshot:
    return AccountSnapshot.objects.create(
        account=account, currency=account.base_currency, net_liquidation=Decimal(worth), total_cash=Decimal(cash),
        available_funds=Decimal(cash), excess_liquidity=Decimal(cash), allocation_net_liquidation=Decimal(worth),
        allocation_available=Decimal(cash), as_of=clock.now(), asked_at=clock.now(), allocation_as_of=clock.now(),
    )  # fmt: skip


def give_position(account: Account, instrument: Instrument, quantity: str, price: str = "100") -> Position:
    value = Decimal(quantity) * Decimal(price)
    return Position.objects.create(
        account=account, instrument=instrument, quantity=Decimal(quantity), price=Decimal(price), value=value,
        average_cost=Decimal("90"), unrealised=value / 10, base_value=value, base_unrealised=value / 10,
        as_of=clock.now(),
    )  # fmt: skip


def make_group(master: Any, name: str, method: str, members: dict[Account, Decimal | None]) -> AllocationGroup:
    group = AllocationGroup.objects.create(master=master, name=name, method=method, seen_at=clock.now())
    for place, (account, amount) in enumerate(members.items()):
        GroupMember.objects.create(group=group, account=account, amount=amount, place=place)
    return group


@pytest.fixture
def book(advisor: Any) -> Book:
    book = Book.objects.create(name="Alder")
    book.members.add(advisor)
    return book


@pytest.fixture
def accounts(master: Any, book: Book) -> list[Account]:
    made = [make_account(number, master, book) for number in NUMBERS]
    for account, worth in zip(made, ("25000", "50000", "100000"), strict=True):
        give_figures(account, worth)
    return made


@pytest.fixture
def instrument(db: None) -> Instrument:
    ExchangeRate.objects.get_or_create(
        from_currency="EUR", to_currency="USD", defaults={"rate": Decimal("1.1"), "as_of": clock.now()}
    )
    return Instrument.objects.create(
        conid="265598", symbol="AAPL", name="Apple Inc", exchange="NASDAQ", currency="USD", last=Decimal("100"),
        bid=Decimal("99.99"), ask=Decimal("100.01"), availability="R", quoted_at=clock.now() - timedelta(seconds=1),
    )  # fmt: skip


@pytest.fixture
def group(master: Any, accounts: list[Account]) -> AllocationGroup:
    return make_group(master, "Balanced", "N", dict.fromkeys(accounts))


@pytest.fixture
def draw_up(advisor: Any, accounts: list[Account], instrument: Instrument) -> Callable[..., Order]:
    """Draw up a ticket: buy 10 at 100.00 for the first account; keywords change any of it."""

    def make(**changes: Any) -> Order:
        arguments: dict[str, Any] = {
            "intent": uuid.uuid4(), "by": advisor, "instrument": instrument, "side": "BUY", "quantity": Decimal(10),
            "order_type": "LMT", "limit_price": Decimal("100.00"), "tif": "DAY", "reason": "Asked for by phone",
        }  # fmt: skip
        if not {"account", "group", "chosen"} & set(changes):
            arguments["account"] = accounts[0]
        return tickets.draw_up(**{**arguments, **changes})

    return make


@pytest.fixture
def send(draw_up: Callable[..., Order], advisor: Any) -> Callable[..., Order]:
    def make(**changes: Any) -> Order:
        order = draw_up(**changes)
        by = changes.get("by", advisor)
        return tickets.send(order, by=by, allocation_sha256=order.allocation_sha256)

    return make
