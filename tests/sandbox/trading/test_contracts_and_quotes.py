from decimal import Decimal

from tests.sandbox.trading.trader import AAPL, KO, SPY, Trader


def test_a_symbol_may_have_several_listings(trader: Trader) -> None:
    found = trader.get("/iserver/secdef/search", symbol="AAPL").json

    assert [(hit["conid"], hit["description"]) for hit in found] == [("265598", "NASDAQ"), ("273982664", "EBS")]
    assert found[0]["companyHeader"] == "APPLE INC - NASDAQ"
    assert found[0]["sections"] == [{"secType": "STK"}]


def test_part_of_a_name_finds_instruments(trader: Trader) -> None:
    found = trader.post("/iserver/secdef/search", {"symbol": "vanguard", "name": True}).json

    assert {hit["symbol"] for hit in found} == {"VTI", "VOO", "VXUS", "BND", "VNQ", "VWCE"}


def test_search_refuses_nothing_and_finds_nothing(trader: Trader) -> None:
    assert trader.get("/iserver/secdef/search", symbol="ZZZZ").json == {"error": "No symbol found"}
    assert trader.get("/iserver/secdef/search").status == 400
    assert trader.get("/iserver/secdef/search", symbol="KO", secType="XXX").status == 400


def test_info_definitions_and_rules(trader: Trader) -> None:
    info = trader.get(f"/iserver/contract/{KO}/info").json
    assert (info["con_id"], info["symbol"], info["currency"], info["instrument_type"]) == (KO, "KO", "USD", "STK")
    assert trader.get("/iserver/contract/1/info").status == 400

    defined = trader.get("/trsrv/secdef", conids=f"{KO},{SPY},1").json["secdef"]
    assert [item["conid"] for item in defined] == [KO, SPY]
    assert defined[0]["strike"] == "0"
    assert trader.get("/trsrv/secdef", conids="1").status == 204

    rules = trader.post("/iserver/contract/rules", {"conid": KO}).json
    assert rules["increment"] == Decimal("0.01")
    assert len(rules["canTradeAcctIds"]) == 9
    assert trader.post("/iserver/contract/rules", {"conid": 416904}).json["error"] == "No trading permissions."


def test_the_first_snapshot_is_cold_and_later_ones_are_strings(trader: Trader) -> None:
    first = trader.get("/iserver/marketdata/snapshot", conids=f"{KO},{AAPL}", fields="31,84,86,55,83,87").json
    second = trader.get("/iserver/marketdata/snapshot", conids=f"{KO},{AAPL}").json

    assert first == [{"conidEx": str(KO), "conid": KO}, {"conidEx": str(AAPL), "conid": AAPL}]
    quote = trader.sandbox.market.quote(KO)
    assert second[0]["31"] == str(quote.last)
    assert second[0]["55"] == "KO"
    assert second[0]["6509"].startswith("R")
    assert second[0]["83"].endswith("%")
    assert Decimal(second[0]["84"]) < Decimal(second[0]["86"])
    assert "7295" not in second[0]


def test_a_stream_can_be_closed_once(trader: Trader) -> None:
    trader.get("/iserver/marketdata/snapshot", conids=KO)

    assert trader.post("/iserver/marketdata/unsubscribe", {"conid": KO}).json == {"success": True}
    again = trader.post("/iserver/marketdata/unsubscribe", {"conid": KO})
    assert (again.status, again.json) == (500, {"error": "unknown"})
    assert trader.get("/iserver/marketdata/unsubscribeall").json == {"unsubscribed": True}
    assert len(trader.get("/iserver/marketdata/snapshot", conids=KO).json[0]) == 2


def test_exchange_rates_agree_with_the_market(trader: Trader) -> None:
    rate = trader.get("/iserver/exchangerate", source="EUR", target="USD").json["rate"]

    assert rate == trader.sandbox.market.fx("EUR", "USD")
    assert trader.get("/iserver/exchangerate", source="EUR", target="XXX").status == 400
