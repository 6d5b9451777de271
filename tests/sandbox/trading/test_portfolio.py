from decimal import Decimal

import pytest

from tests.sandbox.trading.trader import ASML, KO, MASTER, SPY, Trader, ticket

CENT = Decimal("0.01")
OPEN = [f"U100001{n}" for n in range(1, 10)]


def test_subaccounts_must_be_asked_for_before_one_of_them(cold: Trader) -> None:
    refused = cold.get("/portfolio/U1000011/ledger")

    assert refused.status == 400
    assert cold.get("/portfolio/subaccounts").status == 200
    assert cold.get("/portfolio/U1000011/ledger").status == 200


def test_portfolio_works_without_a_brokerage_session(cold: Trader) -> None:
    accounts = cold.get("/portfolio/accounts").json

    assert [account["accountId"] for account in accounts] == [MASTER]
    subaccounts = cold.get("/portfolio/subaccounts").json
    assert [account["accountId"] for account in subaccounts] == OPEN
    first = subaccounts[0]
    assert isinstance(first["accountStatus"], int)  # the opening date, in spite of its name
    assert (first["clearingStatus"], first["currency"], first["faclient"]) == ("O", "USD", True)
    assert first["parent"]["accountId"] == MASTER


def test_subaccounts_come_in_pages_of_twenty(cold: Trader) -> None:
    assert cold.get("/portfolio/subaccounts2", page=0).json["metadata"] == {"total": 9, "pageSize": 20, "pageNum": 0}
    assert cold.get("/portfolio/subaccounts2", page=1).json["subaccounts"] == []


@pytest.mark.parametrize("account", ["U9999999", "U1000021", MASTER])
def test_an_account_that_is_not_open_here_is_refused(trader: Trader, account: str) -> None:
    refused = trader.get(f"/portfolio/{account}/ledger")

    assert (refused.status, refused.json["error"]) == (400, f"Bad Request: accountId is not valid: {account}")


@pytest.mark.parametrize("account", OPEN)
def test_net_liquidation_value_is_cash_and_positions_to_the_cent(trader: Trader, account: str) -> None:
    summary = trader.get(f"/portfolio/{account}/summary").json
    ledger = trader.get(f"/portfolio/{account}/ledger").json
    positions = trader.get(f"/portfolio/{account}/positions/0").json

    base = ledger["BASE"]
    assert summary["netliquidation"]["amount"] == base["netliquidationvalue"]
    assert base["netliquidationvalue"] == base["cashbalance"] + base["stockmarketvalue"]
    assert base["stockmarketvalue"] == sum(position["baseMktValue"] for position in positions)
    in_base = [
        (entry["cashbalance"] * entry["exchangerate"]).quantize(CENT) for key, entry in ledger.items() if key != "BASE"
    ]
    assert base["cashbalance"] == sum(in_base)
    for currency, entry in ledger.items():
        held = [position["mktValue"] for position in positions if position["currency"] == currency]
        assert currency == "BASE" or entry["stockmarketvalue"] == sum(held)
        assert entry["key"] == "LedgerList"
    assert summary["netliquidation"]["currency"] == trader.get(f"/portfolio/{account}/meta").json["currency"]
    assert summary["accountcode"]["value"] == account


def test_cash_of_a_cash_account_is_what_it_may_spend(trader: Trader) -> None:
    summary = trader.get("/portfolio/U1000012/summary").json

    assert summary["availablefunds"]["amount"] == summary["totalcashvalue"]["amount"]
    assert summary["netliquidation"]["isNull"] is False


def test_a_position_shows_instrument_and_base_currency(trader: Trader) -> None:
    found = {position["conid"]: position for position in trader.get("/portfolio/U1000014/positions/0").json}

    pence = found[909083]
    price = trader.sandbox.market.price(909083)
    assert pence["position"] == 1400
    assert pence["currency"] == "GBP"
    assert pence["mktPrice"] == price
    assert pence["mktValue"] == (1400 * price / 100).quantize(CENT)
    assert pence["unrealizedPnl"] == pence["mktValue"] - (pence["avgCost"] * 1400).quantize(CENT)


def test_the_positions_page_is_stale_until_invalidated_and_portfolio2_is_not(trader: Trader) -> None:
    trader.knob(fill_seconds=0)
    before = len(trader.get("/portfolio/U1000012/positions/0").json)
    trader.accept("U1000012", ticket("U1000012", ASML, "BUY", 5))

    assert trader.held("U1000012", ASML) == 5
    assert len(trader.get("/portfolio/U1000012/positions/0").json) == before
    assert len(trader.get("/portfolio2/U1000012/positions").json) == before + 1
    assert trader.post("/portfolio/U1000012/positions/invalidate").json == {"message": "success"}
    assert len(trader.get("/portfolio/U1000012/positions/0").json) == before + 1


def test_the_positions_page_refreshes_itself_after_a_minute(trader: Trader) -> None:
    trader.knob(fill_seconds=0)
    before = trader.get("/portfolio/U1000012/positions/0").json
    trader.accept("U1000012", ticket("U1000012", ASML, "BUY", 5))

    trader.wait(61)

    assert len(trader.get("/portfolio/U1000012/positions/0").json) == len(before) + 1


def test_pages_past_the_end_are_empty_and_one_position_is_an_array(trader: Trader) -> None:
    assert trader.get("/portfolio/U1000012/positions/999").json == []
    assert trader.get("/portfolio/U1000012/positions/x").status == 400
    assert [item["conid"] for item in trader.get(f"/portfolio/U1000012/position/{KO}").json] == [KO]
    assert isinstance(trader.get("/portfolio2/U1000012/positions").json[0]["conid"], str)


def test_no_number_has_an_exponent(trader: Trader) -> None:
    for path in ("/portfolio/U1000014/positions/0", "/portfolio/U1000014/ledger", "/portfolio/U1000014/summary"):
        assert "E-" not in trader.get(path).text.replace("EUR", "")
    assert trader.held("U1000011", SPY) == 120
