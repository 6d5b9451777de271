"""What a block is shared by, where accounts have different base currencies."""

from decimal import Decimal
from typing import Any

import pytest

from backoffice.core import clock
from backoffice.people.models import Book
from clients.models import Account
from tests.trading.conftest import give_figures, make_account
from trading.models import AccountSnapshot, ExchangeRate
from trading.selectors import standing

pytestmark = pytest.mark.django_db


@pytest.fixture
def two_currencies(master: Any, book: Book) -> list[Account]:
    """One account worth USD 100,000, and one worth EUR 100,000, which is USD 110,000."""
    accounts = [make_account("U1000011", master, book), make_account("U1000013", master, book, base_currency="EUR")]
    for account in accounts:
        give_figures(account, "100000")
    ExchangeRate.objects.create(from_currency="EUR", to_currency="USD", rate=Decimal("1.10"), as_of=clock.now())
    return accounts


@pytest.mark.parametrize("told", ["100000", "110000"])
def test_figures_are_in_one_currency_whichever_ibkr_gives_them_in(two_currencies: list[Account], told: str) -> None:
    """The facts leave open whether the euro account's figure is in euros or in the master's dollars (trading.md 9.3)."""
    AccountSnapshot.objects.filter(account=two_currencies[1]).update(allocation_net_liquidation=Decimal(told))

    figures = standing.allocation_figures(two_currencies)

    assert standing.common_currency(two_currencies) == "USD"
    worth = {number: figure.net_liquidation for number, figure in figures.items()}
    assert worth == {"U1000011": Decimal(100000), "U1000013": Decimal(110000)}


def test_accounts_of_one_currency_keep_what_ibkr_shares_by(two_currencies: list[Account]) -> None:
    """Between two readings the figures differ a little: the ones IBKR shares by count."""
    euros = two_currencies[1:]
    AccountSnapshot.objects.filter(account=euros[0]).update(allocation_net_liquidation=Decimal("100400"))

    assert standing.common_currency(euros) == "EUR"
    assert standing.allocation_figures(euros)["U1000013"].net_liquidation == Decimal("100400")


def test_a_figure_without_a_rate_is_not_known(two_currencies: list[Account]) -> None:
    ExchangeRate.objects.all().delete()

    assert standing.allocation_figures(two_currencies)["U1000013"].net_liquidation is None
