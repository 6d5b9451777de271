from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.sandbox.trading.trader import AAPL, KO, SPY, Trader

CALL, PUT, ES, ES_INDEX, BOND, EUR_USD, HSBA_IN_LONDON = (
    730295700, 730296451, 515416632, 11004968, 401820131, 12087792, 909083,
)  # fmt: skip


@pytest.fixture
def trader(trader: Trader) -> Trader:
    """With a clock that stands still, so that an answer and the market are of one instant."""
    trader.sandbox.clock.stop(trader.sandbox.clock.now())
    return trader


def test_a_symbol_may_have_several_listings(trader: Trader) -> None:
    found = trader.get("/iserver/secdef/search", symbol="AAPL").json

    assert [(hit["conid"], hit["description"]) for hit in found] == [("265598", "NASDAQ"), ("273982664", "EBS")]
    assert found[0]["companyHeader"] == "APPLE INC - NASDAQ"
    assert found[0]["opt"] == "20270115"
    assert found[0]["sections"] == [{"secType": "STK"}, {"secType": "OPT", "months": "JAN27", "exchange": "SMART"}]
    assert found[1]["sections"] == [{"secType": "STK"}]


def test_part_of_a_name_finds_instruments(trader: Trader) -> None:
    found = trader.post("/iserver/secdef/search", {"symbol": "vanguard", "name": True}).json

    assert {hit["symbol"] for hit in found} == {"VTI", "VOO", "VXUS", "BND", "VNQ", "VWCE"}


def test_search_refuses_nothing_and_finds_nothing(trader: Trader) -> None:
    assert trader.get("/iserver/secdef/search", symbol="ZZZZ").json == {"error": "No symbol found"}
    assert trader.get("/iserver/secdef/search").status == 400
    assert trader.get("/iserver/secdef/search", symbol="KO", secType="XXX").status == 400

    trader.knob(no_symbol_found="empty")
    assert trader.get("/iserver/secdef/search", symbol="ZZZZ").json == []


def test_strikes_are_unknown_until_the_underlier_has_been_searched(trader: Trader) -> None:
    asked = {"conid": AAPL, "sectype": "OPT", "month": "JAN27"}

    assert trader.get("/iserver/secdef/strikes", **asked).json == {"call": [], "put": []}
    trader.get("/iserver/secdef/search", symbol="AAPL")
    assert trader.get("/iserver/secdef/strikes", **asked).json == {"call": [150], "put": [150]}
    assert trader.get("/iserver/secdef/strikes", **{**asked, "month": "FEB27"}).json == {"call": [], "put": []}
    assert trader.get("/iserver/secdef/strikes", conid=AAPL, sectype="OPT").status == 400


def test_an_option_is_found_by_month_strike_and_right_after_its_strikes(trader: Trader) -> None:
    asked = {"conid": AAPL, "sectype": "OPT", "month": "JAN27", "strike": "150", "right": "P"}
    trader.get("/iserver/secdef/search", symbol="AAPL")

    assert trader.get("/iserver/secdef/info", **asked).json == []
    trader.get("/iserver/secdef/strikes", conid=AAPL, sectype="OPT", month="JAN27")
    (found,) = trader.get("/iserver/secdef/info", **asked).json
    assert (found["conid"], found["right"], found["strike"], found["maturityDate"]) == (PUT, "P", 150, "20270115")
    assert found["multiplier"] == "100"
    assert trader.get("/iserver/secdef/info", conid=AAPL, sectype="OPT").status == 500


def test_a_session_forgets_what_it_has_searched(trader: Trader) -> None:
    trader.get("/iserver/secdef/search", symbol="AAPL")
    trader.break_session("reset")
    trader.ready()

    asked = trader.get("/iserver/secdef/strikes", conid=AAPL, sectype="OPT", month="JAN27")

    assert asked.json == {"call": [], "put": []}


def test_a_contract_is_an_array_or_an_object(trader: Trader) -> None:
    (found,) = trader.get("/iserver/secdef/info", conid=KO, sectype="STK").json

    assert (found["conid"], found["ticker"], found["right"], found["strike"]) == (KO, "KO", "?", 0)
    trader.knob(secdef_info_object=True)
    assert trader.get("/iserver/secdef/info", conid=KO, sectype="STK").json["conid"] == KO


def test_futures_are_found_below_their_underlier(trader: Trader) -> None:
    (hit,) = trader.get("/iserver/secdef/search", symbol="ES", secType="IND").json
    (found,) = trader.get("/iserver/secdef/info", conid=hit["conid"], sectype="FUT", month="DEC26").json

    assert hit["conid"] == str(ES_INDEX)
    assert hit["sections"] == [{"secType": "IND"}, {"secType": "FUT", "months": "DEC26", "exchange": "CME"}]
    assert (found["conid"], found["exchange"]) == (ES, "CME")
    assert trader.get("/trsrv/futures", symbols="ES,XX").json == {
        "ES": [
            {
                "symbol": "ES",
                "conid": ES,
                "underlyingConid": ES_INDEX,
                "expirationDate": 20261218,
                "ltd": 20261217,
                "shortFuturesCutOff": 20261217,
                "longFuturesCutOff": 20261217,
            }
        ],
        "XX": [],
    }


def test_a_bond_yields_less_the_more_is_paid_for_it(trader: Trader) -> None:
    for _ in range(2):
        (row,) = trader.get("/iserver/marketdata/snapshot", conids=BOND, fields="7698,7699,7720").json

    last, bid, ask = (Decimal(row[field]) for field in ("7698", "7699", "7720"))

    assert bid > last > ask


def test_bonds_are_found_by_their_issuer(trader: Trader) -> None:
    (hit,) = trader.get("/iserver/secdef/search", symbol="US-T", secType="BOND").json
    issuer = hit["issuers"][0]["id"]

    filters = trader.get("/iserver/secdef/bond-filters", symbol="BOND", issuerId=issuer).json["bondFilters"]
    assert [each["displayText"] for each in filters] == ["Maturity Date", "Coupon", "Currency"]
    assert filters[0]["options"] == [{"text": "Jan 2027", "value": "202701"}]
    assert [each["options"] for each in filters[1:]] == [[{"value": "1.5"}], [{"value": "USD"}]]
    (bond,) = trader.get("/iserver/secdef/info", issuerId=issuer, sectype="BOND").json
    assert (bond["conid"], bond["maturityDate"]) == (BOND, "20270131")

    nobody = trader.get("/iserver/secdef/bond-filters", symbol="BOND", issuerId="e1")
    assert (nobody.status, [each["options"] for each in nobody.json["bondFilters"]]) == (200, [[], [], []])
    assert trader.get("/iserver/secdef/bond-filters", symbol="US-T", issuerId=issuer).status == 400


def test_symbols_of_stocks_are_in_capitals(cold: Trader) -> None:
    found = cold.get("/trsrv/stocks", symbols="AAPL,ko").json

    assert found["ko"] == []
    (apple,) = found["AAPL"]
    assert apple["contracts"] == [
        {"conid": AAPL, "exchange": "NASDAQ", "isUS": True},
        {"conid": 273982664, "exchange": "EBS", "isUS": False},
    ]
    assert cold.get("/trsrv/stocks").status == 400


def test_info_and_definitions(trader: Trader) -> None:
    info = trader.get(f"/iserver/contract/{KO}/info").json
    assert (info["con_id"], info["symbol"], info["currency"], info["instrument_type"]) == (KO, "KO", "USD", "STK")
    assert trader.get("/iserver/contract/1/info").status == 400
    option = trader.get(f"/iserver/contract/{CALL}/info").json
    assert (option["text"], option["right"], option["strike"]) == ("JAN 15 '27 150 Call", "CALL", "150")
    assert (option["multiplier"], option["cfi_code"]) == ("100", "OCXXXS")

    defined = trader.get("/trsrv/secdef", conids=f"{KO},{SPY},1").json["secdef"]
    assert [item["conid"] for item in defined] == [KO, SPY]
    assert defined[0]["strike"] == "0"
    assert trader.get("/trsrv/secdef", conids="1").status == 204
    (derivative,) = trader.get("/trsrv/secdef", conids=CALL).json["secdef"]
    assert (derivative["strike"], derivative["multiplier"], derivative["undConid"]) == ("150", 100, AAPL)
    assert derivative["fullName"] == "AAPL Jan15'27 150 Call"


def test_all_conids_of_an_exchange(cold: Trader) -> None:
    found = cold.get("/trsrv/all-conids", exchange="EBS").json

    assert {"ticker": "NESN", "conid": 52238348, "exchange": "EBS"} in found
    assert cold.get("/trsrv/all-conids", exchange="NOWHERE").json == []
    assert cold.get("/trsrv/all-conids").status == 400


def test_rules_say_who_may_trade_and_how(trader: Trader) -> None:
    rules = trader.post("/iserver/contract/rules", {"conid": KO}).json

    assert rules["increment"] == Decimal("0.01")
    assert len(rules["canTradeAcctIds"]) == 9
    assert rules["incrementRules"] == [{"lowerEdge": 0, "increment": Decimal("0.01")}]
    assert "DAY/o,a" in rules["tifTypes"]
    assert rules["fraqTypes"] == []
    ask = trader.sandbox.market.spread(KO)[1]
    assert rules["orderDefaults"] == {"LMT": {"LP": str(ask)}}
    sell = trader.post("/iserver/contract/rules", {"conid": KO, "isBuy": False}).json
    assert sell["limitPrice"] == trader.sandbox.market.spread(KO)[0]

    refused = trader.post("/iserver/contract/rules", {"conid": 416904})
    assert (refused.status, refused.json["error"]) == (200, "No trading permissions.")
    assert refused.json["canTradeAcctIds"] == []


def test_info_and_rules_is_fuller_the_second_time(trader: Trader) -> None:
    first = trader.get(f"/iserver/contract/{KO}/info-and-rules").json
    second = trader.get(f"/iserver/contract/{KO}/info-and-rules").json

    assert first["con_id"] == KO
    assert "cashCcy" not in first["rules"]
    assert second["rules"]["cashCcy"] == "USD"
    assert second["rules"].items() >= first["rules"].items()


def test_algorithms_come_with_the_second_call_and_by_exact_name(trader: Trader) -> None:
    path = f"/iserver/contract/{KO}/algos"

    assert trader.get(path).json == {"algos": []}
    assert len(trader.get(path).json["algos"]) == 10
    assert trader.get(path, algos="vwap").json == {"algos": []}
    assert trader.get(path, algos="Adaptive").json == {"algos": [{"name": "Adaptive", "id": "Adaptive"}]}
    (vwap,) = trader.get(path, algos="Vwap", addDescription=1, addParams=1).json["algos"]
    assert vwap["parameters"][0]["required"] == "true"
    assert vwap["description"]
    assert trader.get(path, algos=";".join("abcdefghi")).status == 400
    assert trader.get("/iserver/contract/1/algos").status == 503


def test_exchange_rates_agree_with_the_market(trader: Trader) -> None:
    rate = trader.get("/iserver/exchangerate", source="EUR", target="USD").json["rate"]

    assert rate == trader.sandbox.market.fx("EUR", "USD")
    assert trader.get("/iserver/exchangerate", source="EUR", target="XXX").status == 400


def test_currency_pairs_name_the_other_currency(trader: Trader) -> None:
    found = trader.get("/iserver/currency/pairs", currency="USD").json["USD"]

    assert {"symbol": "EUR.USD", "conid": EUR_USD, "ccyPair": "EUR"} in found
    assert {each["ccyPair"] for each in found} == {"EUR", "GBP", "JPY", "CHF", "CAD", "AUD"}
    assert trader.get("/iserver/currency/pairs").status == 400


def test_the_trading_schedule_has_six_days_and_no_holiday(cold: Trader) -> None:
    now = cold.sandbox.clock.now()
    found = cold.get("/contract/trading-schedule", conid=AAPL).json

    assert found["exchange_time_zone"] == "US/Eastern"
    assert len(found["schedules"]) == 6
    day = next(iter(found["schedules"].values()))
    assert day["liquid_hours"][0]["closing"] - day["liquid_hours"][0]["opening"] in (23_400, 12_600)
    assert day["extended_hours"][0]["closing"] > now.timestamp()
    assert cold.get("/contract/trading-schedule", conid=1).status == 400


def test_the_older_schedule_is_by_generic_weekday(cold: Trader) -> None:
    (nasdaq, _) = cold.get("/trsrv/secdef/schedule", assetClass="STK", symbol="AAPL").json

    assert [day["tradingScheduleDate"] for day in nasdaq["schedules"]][0] == "20000101"
    assert nasdaq["schedules"][0]["tradingtimes"] == []
    assert nasdaq["schedules"][2]["sessions"] == [{"openingTime": "0930", "closingTime": "1600", "prop": "LIQUID"}]
    assert cold.get("/trsrv/secdef/schedule", assetClass="STK").status == 400


def snapshot(trader: Trader, conid: int, fields: str = "") -> dict[str, Any]:
    found: dict[str, Any] = trader.get("/iserver/marketdata/snapshot", conids=conid, fields=fields).json[0]
    return found


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


def test_position_fields_are_those_of_the_selected_account(trader: Trader) -> None:
    fields = "73,74,75,78,79,80,7920,7921"
    trader.post("/iserver/account", {"acctId": "U1000012"})
    snapshot(trader, KO, fields)

    found = snapshot(trader, KO)
    held = trader.get(f"/portfolio/U1000012/position/{KO}").json[0]
    assert Decimal(found["73"].replace(",", "")) == held["mktValue"]
    assert Decimal(found["75"].replace(",", "")) == held["unrealizedPnl"]
    assert Decimal(found["74"]) == held["avgPrice"]
    trader.post("/iserver/account", {"acctId": "U1000011"})
    assert "73" not in snapshot(trader, KO)


def test_a_derivative_is_quoted_after_its_underlier_was_searched(trader: Trader) -> None:
    for _ in range(2):
        assert snapshot(trader, CALL, "31,7308") == {"conidEx": str(CALL), "conid": CALL}
    trader.get("/iserver/secdef/search", symbol="AAPL")
    snapshot(trader, CALL, "31,7308")

    assert Decimal(snapshot(trader, CALL)["7308"]) > 0


@pytest.mark.parametrize(("code", "is_priced"), [("DPB", True), ("Z", True), ("Y", True), ("N", False), ("O", False)])
def test_availability_says_what_may_be_seen(trader: Trader, code: str, is_priced: bool) -> None:
    trader.knob(market_data={"NYSE": code})
    snapshot(trader, KO, "31,55")

    found = snapshot(trader, KO)

    assert found["6509"] == code
    assert ("31" in found) is is_priced
    assert found["55"] == "KO"


def test_a_halted_price_and_one_of_yesterday_carry_a_letter(trader: Trader) -> None:
    snapshot(trader, KO, "31")
    trader.knob(halted=[KO])
    assert snapshot(trader, KO)["31"].startswith("H")

    trader.knob(halted=[], market_hours=True)
    now = trader.sandbox.clock.now()
    noon = now.replace(hour=17, minute=0)
    saturday = noon + timedelta(days=(5 - now.weekday()) % 7 or 7)  # the next, which is always ahead
    trader.wait(int((saturday - now).total_seconds()))
    trader.ready()
    snapshot(trader, KO, "31")
    assert snapshot(trader, KO)["31"].startswith("C")


def test_fields_may_be_missing(trader: Trader) -> None:
    snapshot(trader, KO, "31,84,86,87")
    trader.knob(snapshot_missing_percent=100)

    assert set(snapshot(trader, KO)) == {"conid", "conidEx", "_updated", "server_id", "6119", "6509"}


def test_lines_run_out(trader: Trader) -> None:
    trader.knob(market_data_lines=1)
    snapshot(trader, KO)

    for _ in range(2):
        assert len(snapshot(trader, SPY)) == 2
    assert len(snapshot(trader, KO)) > 2
    trader.get("/iserver/marketdata/unsubscribeall")
    snapshot(trader, SPY)
    assert len(snapshot(trader, SPY)) > 2


def test_too_much_at_once_is_refused(trader: Trader) -> None:
    assert trader.get("/iserver/marketdata/snapshot", conids=",".join(map(str, range(1, 102)))).status == 400
    assert trader.get("/iserver/marketdata/snapshot", conids=KO, fields=",".join(["31"] * 51)).status == 400


def test_a_stream_can_be_closed_once(trader: Trader) -> None:
    trader.get("/iserver/marketdata/snapshot", conids=KO)

    assert trader.post("/iserver/marketdata/unsubscribe", {"conid": KO}).json == {"success": True}
    again = trader.post("/iserver/marketdata/unsubscribe", {"conid": KO})
    assert (again.status, again.json) == (500, {"error": "unknown"})
    assert trader.get("/iserver/marketdata/unsubscribeall").json == {"unsubscribed": True}
    assert len(trader.get("/iserver/marketdata/snapshot", conids=KO).json[0]) == 2
