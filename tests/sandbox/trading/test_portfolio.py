from decimal import Decimal

import pytest

from tests.sandbox.trading.trader import ASML, KO, MASTER, SPY, Trader, ticket

CENT = Decimal("0.01")
OPEN = [f"U100001{n}" for n in range(1, 10)]


@pytest.fixture
def trader(trader: Trader) -> Trader:
    """With a clock that stands still, so that two answers are of one instant."""
    trader.sandbox.clock.stop(trader.sandbox.clock.now())
    return trader


def test_subaccounts_must_be_asked_for_before_one_of_them(cold: Trader) -> None:
    refused = cold.get("/portfolio/U1000011/ledger")

    assert refused.status == 400
    assert cold.get("/portfolio/accounts").status == 200
    assert cold.get("/portfolio/U1000011/ledger").status == 400, (
        "the list of the master alone opens none of its clients"
    )
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

    cold.knob(subaccounts2_shape="array")
    assert [account["id"] for account in cold.get("/portfolio/subaccounts2").json] == OPEN


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
    assert (len(summary), len(base)) == (114, 30)
    assert summary["nlvandmargininreview"]["value"] == "false"
    assert summary["netliquidation-s"]["amount"] == summary["netliquidation"]["amount"]
    assert summary["netliquidation-c"]["amount"] == 0


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


def test_the_definition_of_a_contract_is_there_from_the_second_asking_on(trader: Trader) -> None:
    (first,) = trader.get(f"/portfolio/U1000012/position/{KO}").json
    (second,) = trader.get(f"/portfolio/U1000012/position/{KO}").json

    assert "ticker" not in first
    assert (first["multiplier"], first["strike"]) == (None, 0)
    assert (second["ticker"], second["multiplier"], second["strike"]) == ("KO", 0, "0")
    assert second["mktValue"] == first["mktValue"]


def test_positions_may_come_before_their_definitions(trader: Trader) -> None:
    bare = trader.get("/portfolio/U1000012/positions/0", waitForSecDef="false").json
    later = trader.get("/portfolio/U1000012/positions/0", waitForSecDef="false").json

    assert all("ticker" not in position for position in bare)
    assert all("ticker" in position for position in later)


def test_positions_are_sorted_as_asked(trader: Trader) -> None:
    path = "/portfolio/U1000012/positions/0"
    names = [position["contractDesc"] for position in trader.get(path).json]
    values = [position["mktValue"] for position in trader.get(path, sort="marketValue", direction="d").json]

    assert names == sorted(names)
    assert values == sorted(values, reverse=True)
    assert trader.get(path, model="Growth").json == []


def test_a_position_sold_out_today_lingers_at_zero_when_told_to(trader: Trader) -> None:
    trader.knob(fill_seconds=0, linger_zero_positions=True)
    held = int(trader.held("U1000012", KO))
    trader.accept("U1000012", ticket("U1000012", KO, "SELL", held))

    found = {position["conid"]: position for position in trader.get("/portfolio/U1000012/positions/0").json}
    assert found[KO]["position"] == 0
    assert found[KO]["realizedPnl"] != 0
    ledger = trader.get("/portfolio/U1000012/ledger").json
    assert ledger["USD"]["realizedpnl"] == found[KO]["realizedPnl"]


def test_one_contract_over_all_accounts_names_segments_twice(trader: Trader) -> None:
    found = trader.get(f"/portfolio/positions/{KO}").json

    whole = {account for account in found if not account.endswith("C")}
    assert whole == {account for account in OPEN if trader.held(account, KO)}
    margin = {account for account in whole if trader.sandbox.accounts.get(account).margin != "Cash"}  # type: ignore[union-attr]
    assert {account for account in found if account.endswith("C")} == {f"{account}C" for account in margin}
    for account in margin:
        (segment,) = found[f"{account}C"]
        assert segment["position"] == trader.held(account, KO)


def test_allocation_adds_up_to_the_account(trader: Trader) -> None:
    path = "/portfolio/U1000014"
    found = trader.get(f"{path}/allocation").json
    base = trader.get(f"{path}/ledger").json["BASE"]

    assert found["assetClass"]["long"]["STK"] == base["stockmarketvalue"]
    assert found["assetClass"]["long"]["CASH"] == base["cashbalance"]
    assert sum(found["sector"]["long"].values()) == base["stockmarketvalue"]
    assert sum(found["group"]["long"].values()) == base["stockmarketvalue"]
    assert found["assetClass"]["short"] == {}


def test_allocation_of_several_accounts_is_one(trader: Trader) -> None:
    usd = [account for account in OPEN if trader.get(f"/portfolio/{account}/meta").json["currency"] == "USD"][:2]
    alone = [trader.get(f"/portfolio/{account}/allocation").json["assetClass"]["long"]["STK"] for account in usd]

    together = trader.post("/portfolio/allocation", {"acctIds": usd}).json

    assert together["assetClass"]["long"]["STK"] == sum(alone)
    assert trader.post("/portfolio/allocation", {"acctIds": []}).status == 400
    assert trader.post("/portfolio/allocation", {"acctIds": ["U9999999"]}).status == 400


def test_combinations_are_none_unless_named(trader: Trader) -> None:
    path = "/portfolio/U1000012/combo/positions"
    assert trader.get(path).json == []

    trader.knob(combinations={"U1000012": [[KO, 1], [SPY, -1]]})
    (combination,) = trader.get(path).json
    assert combination["legs"] == [{"conid": str(KO), "ratio": 1}, {"conid": str(SPY), "ratio": -1}]
    assert combination["description"] == f"1*{KO}-1*{SPY}"
    assert KO in {position["conid"] for position in combination["positions"]}


def test_the_first_ledger_after_a_login_may_be_empty(trader: Trader) -> None:
    trader.knob(ledger_cold=True)

    assert trader.get("/portfolio/U1000012/ledger").json == {}
    assert "BASE" in trader.get("/portfolio/U1000012/ledger").json


def test_positions_2_may_have_the_names_of_the_documentation(trader: Trader) -> None:
    recorded = trader.get("/portfolio2/U1000012/positions").json[0]
    trader.knob(portfolio2_names="documented")
    documented = trader.get("/portfolio2/U1000012/positions").json[0]

    assert documented["mktValue"] == recorded["marketValue"]
    assert "marketValue" not in documented


def test_positions_2_come_in_one_answer_or_in_pages(trader: Trader) -> None:
    path = "/portfolio2/U1000012/positions"
    whole = [position["conid"] for position in trader.get(path).json]
    assert len(whole) > 4
    trader.knob(portfolio2_page_size=3)

    pages = [[position["conid"] for position in trader.get(path, page=page).json] for page in range(len(whole))]

    assert trader.get(path).json == trader.get(path, page=0).json
    assert [len(page) for page in pages[:2]] == [3, min(3, len(whole) - 3)]
    assert [conid for page in pages for conid in page] == whole


def test_positions_2_have_conids_of_text_or_numbers(trader: Trader) -> None:
    texts = [position["conid"] for position in trader.get("/portfolio2/U1000012/positions").json]
    trader.knob(portfolio2_conid_as_text=False)
    numbers = [position["conid"] for position in trader.get("/portfolio2/U1000012/positions").json]

    assert all(isinstance(conid, int) for conid in numbers)
    assert texts == [str(conid) for conid in numbers]


def test_balances_of_the_brokerage_session_are_whole_units(trader: Trader) -> None:
    path = "/iserver/account/U1000012/summary"
    found = trader.get(path).json
    precise = trader.get("/portfolio/U1000012/summary").json

    assert found["netLiquidationValue"] == precise["netliquidation"]["amount"].quantize(Decimal(1))
    assert '"netLiquidationValue":' + f"{found['netLiquidationValue']:.1f}" in trader.get(path).text
    assert found["cashBalances"][-1]["currency"] == "Total (in USD)"
    assert trader.get("/iserver/account/U9999999/summary").status == 400


def test_balances_for_display_are_text(trader: Trader) -> None:
    path = "/iserver/account/U1000012/summary"
    base = "USD"
    worth = trader.get("/portfolio/U1000012/summary").json["netliquidation"]["amount"].quantize(Decimal(1))

    balances = trader.get(f"{path}/balances").json
    assert balances["total"]["net_liquidation"] == f"{worth:,} {base}"
    assert balances["commodities"]["net_liquidation"] == f"0 {base}"
    funds = trader.get(f"{path}/available_funds").json
    assert (funds["total"]["leverage"], funds["total"]["day_trades_left"]) == ("n/a", "Unlimited")
    assert funds["total"]["Lk Ahd Nxt Chng"] == "@ 16:00:00"
    margins = trader.get(f"{path}/margins").json
    assert set(margins) == {"total", "Crypto at Paxos", "commodities", "securities"}
    values = trader.get(f"{path}/market_value").json
    assert values[f"Total (in {base})"]["net_liquidation"] == f"{worth:,}"
    assert values["USD"]["Exchange Rate"] == "1.00"
    other = trader.get("/iserver/account/U1000014/summary/market_value").json
    assert other["USD"]["Exchange Rate"] == f"{trader.sandbox.market.fx('USD', 'GBP').normalize():f}"


def test_profit_is_empty_at_first_and_then_of_the_selected_account(trader: Trader) -> None:
    trader.post("/iserver/account", {"acctId": "U1000012"})

    assert trader.get("/iserver/account/pnl/partitioned").json == {"upnl": {}}
    rows = trader.get("/iserver/account/pnl/partitioned").json["upnl"]
    assert list(rows) == ["U1000012.Core"]
    summary = trader.get("/portfolio/U1000012/summary").json
    assert rows["U1000012.Core"]["nl"] == summary["netliquidation"]["amount"]
    trader.post("/iserver/account", {"acctId": "All"})
    assert len(trader.get("/iserver/account/pnl/partitioned").json["upnl"]) == 9
