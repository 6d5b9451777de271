from datetime import UTC, datetime
from decimal import Decimal

import pytest

from backoffice.ibkr.types.portfolio import Position
from tests.contract.conftest import APPLE, MASTER, Connected

HOLLOWAY, ACHTERBERG = "U1000011", "U1000012"
CLIENTS = [f"U10000{number}" for number in range(11, 20)]


def test_an_account_is_described(signed_in: Connected) -> None:
    portfolio = signed_in.client.portfolio
    portfolio.subaccounts()

    meta = portfolio.meta(HOLLOWAY)

    assert (meta.account_id, meta.title, meta.currency, meta.type) == (
        HOLLOWAY, "Marianne Holloway", "USD", "INDIVIDUAL",
    )  # fmt: skip
    assert meta.opened_at == datetime(2023, 1, 2, 14, 5, tzinfo=UTC)
    assert (meta.parent_id, meta.is_advisor_client, meta.has_brokerage_access) == (MASTER, True, True)


def test_clients_come_page_by_page(signed_in: Connected) -> None:
    portfolio = signed_in.client.portfolio

    first, second = portfolio.subaccount_page(0), portfolio.subaccount_page(1)

    assert [account.account_id for account in first.accounts] == CLIENTS
    assert (first.total, first.page_size, first.page) == (Decimal(9), Decimal(20), Decimal(0))
    assert (second.accounts, second.page) == ((), Decimal(1))
    asked = signed_in.sent("GET", "/subaccounts2")
    assert [account.account_id for account in portfolio.all_subaccounts()] == CLIENTS
    assert signed_in.sent("GET", "/subaccounts2") == asked + 1
    assert portfolio.meta(CLIENTS[-1]).account_id == CLIENTS[-1], "pages of clients prime their accounts, too"


def test_one_holding_is_known_before_its_instrument_is(trading: Connected) -> None:
    (cold,) = trading.client.portfolio.position(HOLLOWAY, APPLE)
    (warm,) = trading.client.portfolio.position(HOLLOWAY, APPLE)

    for position in (cold, warm):
        assert (position.account_id, position.conid, position.quantity) == (HOLLOWAY, APPLE, Decimal(150))
        assert (position.market_price, position.market_value) == (Decimal("256.35"), Decimal("38452.50"))
        assert position.unrealised_pnl == Decimal("-1610.50")
        assert position.unit_multiplier == 1
        assert position.at is None, "what IBKR calls time is how long it took to look the instrument up"
    assert (cold.symbol, cold.listing_exchange, cold.sector) == ("", "", "")
    assert (warm.symbol, warm.listing_exchange, warm.sector) == ("AAPL", "NASDAQ", "Information Technology")


def test_an_instrument_over_all_accounts_counts_no_segment_twice(trading: Connected) -> None:
    found = trading.client.portfolio.positions_in(APPLE)

    assert {position.account_id: (position.quantity, position.market_value) for position in found} == {
        "U1000011": (Decimal(150), Decimal("38452.50")),
        "U1000014": (Decimal(55), Decimal("14099.25")),
        "U1000015": (Decimal(30), Decimal("7690.50")),
    }
    assert len(found) == 3


@pytest.mark.parametrize("is_text", [True, False])
def test_live_positions_are_the_cached_ones_in_other_words(trading: Connected, is_text: bool) -> None:
    trading.sandbox.config(portfolio2_conid_as_text=is_text)

    def figures(position: Position) -> tuple[object, ...]:
        return (
            position.account_id, position.quantity, position.currency, position.market_price, position.market_value,
            position.average_cost, position.unrealised_pnl, position.description, position.asset_class, position.sector,
        )  # fmt: skip

    live = {position.conid: position for position in trading.client.portfolio.live_positions(HOLLOWAY)}
    cached = {position.conid: position for position in trading.client.portfolio.positions(HOLLOWAY)}

    assert {conid: figures(each) for conid, each in live.items()} == {
        conid: figures(each) for conid, each in cached.items()
    }
    assert live[APPLE].quantity == Decimal(150)
    assert {live[conid].description for conid in live} == {"AAPL", "AGG", "ASML", "BND", "MSFT", "PG", "SPY"}
    assert {position.at for position in live.values()} == {datetime(2026, 11, 24, 15, tzinfo=UTC)}
    assert {position.is_last_to_liquidate for position in live.values()} == {False}


def test_a_combination_names_its_legs_and_what_is_held_of_them(trading: Connected) -> None:
    assert trading.client.portfolio.combos(HOLLOWAY) == ()
    trading.sandbox.config(combinations={HOLLOWAY: [[int(APPLE), 1], [272093, -1]]})

    (combo,) = trading.client.portfolio.combos(HOLLOWAY)

    assert [(leg.conid, leg.ratio) for leg in combo.legs] == [(APPLE, Decimal(1)), ("272093", Decimal(-1))]
    assert combo.description == "1*265598-1*272093"
    assert {position.conid: position.quantity for position in combo.positions} == {
        APPLE: Decimal(150), "272093": Decimal(70),
    }  # fmt: skip


def test_holdings_are_shared_out_by_class_sector_and_industry(trading: Connected) -> None:
    one = trading.client.portfolio.allocation(HOLLOWAY)
    two = trading.client.portfolio.consolidated_allocation([HOLLOWAY, ACHTERBERG])

    assert one.asset_classes is not None
    assert one.asset_classes.long == {"STK": Decimal("219418.38"), "CASH": Decimal("55244.89")}
    assert one.asset_classes.short == {}
    assert one.industry_groups is not None
    assert one.industry_groups.long["Technology Hardware & Equipment"] == Decimal("38452.50")
    assert two.asset_classes is not None
    assert two.asset_classes.long == {"STK": Decimal("352780.75"), "CASH": Decimal("149761.26")}
    assert two.sectors is not None
    assert two.sectors.long == {
        "Consumer Staples": Decimal("25085.70"),
        "Information Technology": Decimal("110542.23"),
        "Funds": Decimal("206306.62"),
        "Health Care": Decimal("10846.20"),
    }
    assert sum(two.sectors.long.values(), Decimal(0)) == two.asset_classes.long["STK"]
