"""The historical data service is shut until it is opened; a regulatory snapshot is charged each time it is drawn."""

from decimal import Decimal
from typing import Any

from tests.sandbox.trading.trader import AAPL, HSBA, KO, Answer, Trader

NOT_OPEN = {"error": "Not Found", "statusCode": 404}


def bars(trader: Trader, **asked: Any) -> Answer:
    return trader.get("/hmds/history", **{"conid": KO, "period": "1w", "bar": "1d", **asked})


def fees(trader: Trader) -> list[dict[str, Any]]:
    return [effect.data for effect in trader.sandbox.ledger.effects("market-data-fee")]


def test_hmds_is_not_found_until_it_is_opened_in_the_session(stopped: Trader) -> None:
    assert [(bars(stopped).status, bars(stopped).json) for _ in range(2)] == [(404, NOT_OPEN)] * 2
    assert stopped.get("/tickle").json["hmds"] == {"error": "no bridge"}

    assert stopped.post("/hmds/auth/init").json["authenticated"] is True

    assert bars(stopped).json["data"] == chart(stopped).json["data"]
    assert stopped.get("/tickle").json["hmds"]["authStatus"]["authenticated"] is True
    stopped.break_session("reset")
    assert stopped.get("/tickle").json["hmds"] == {"error": "no bridge"}
    stopped.ready()
    assert bars(stopped).status == 404, "the next session opens it anew"


def chart(trader: Trader) -> Answer:
    return trader.get("/iserver/marketdata/history", conid=KO, period="1w", bar="1d")


def test_a_first_history_may_open_hmds_and_is_not_found_itself(stopped: Trader) -> None:
    stopped.knob(hmds_opened_by="either")

    assert [bars(stopped).status for _ in range(3)] == [404, 200, 200]


def test_hmds_needs_the_brokerage_session(cold: Trader) -> None:
    assert cold.post("/hmds/auth/init").json["error"] == "Init session first"
    assert cold.get("/md/regsnapshot", conid=KO).json["error"] == "Init session first"


def test_the_head_of_hmds_history_is_that_of_the_other_or_a_short_one(stopped: Trader) -> None:
    stopped.post("/hmds/auth/init")
    whole = bars(stopped, barType="Midpoint").json
    assert (whole["symbol"], whole["priceFactor"]) == ("KO", 100)

    stopped.knob(hmds_history_head="short")

    short = bars(stopped, barType="Midpoint").json
    assert short["data"] == whole["data"]
    assert list(short) == ["startTime", "startTimeVal", "endTime", "endTimeVal", "data", "points", "mktDataDelay"]
    assert bars(stopped, barType="FeeRate").status == 500


def test_each_regulatory_snapshot_is_real_time_and_charged(stopped: Trader) -> None:
    stopped.knob(market_data={"NASDAQ": "N"})
    bid, ask = stopped.sandbox.market.spread(AAPL)

    found = stopped.get("/md/regsnapshot", conid=AAPL).json

    assert (found["conid"], found["conidEx"], found["55"], found["6509"]) == (AAPL, str(AAPL), "AAPL", "RP")
    assert (Decimal(found["84"]), Decimal(found["86"])) == (bid, ask)
    assert fees(stopped) == [{"username": "alder01", "amount": "0.01", "currency": "USD"}]
    stopped.get("/md/regsnapshot", conid=AAPL)
    assert len(fees(stopped)) == 2


def test_what_has_no_regulatory_snapshot_costs_nothing(stopped: Trader) -> None:
    assert [stopped.get("/md/regsnapshot", conid=conid).status for conid in (HSBA, 1, "x")] == [400] * 3
    stopped.get("/iserver/marketdata/snapshot", conids=AAPL, fields="31")
    stopped.get("/iserver/marketdata/snapshot", conids=AAPL, fields="31")

    assert fees(stopped) == []


def test_a_regulatory_snapshot_comes_bare_or_in_a_list(stopped: Trader) -> None:
    bare = stopped.get("/md/regsnapshot", conid=AAPL).json
    stopped.knob(regsnapshot_shape="list")

    assert stopped.get("/md/regsnapshot", conid=AAPL).json == [bare]


def test_both_histories_count_against_the_same_limit(trader: Trader) -> None:
    trader.post("/hmds/auth/init")
    trader.knob(enforce_pacing=True, global_per_second=500)

    statuses = [(bars(trader) if turn % 2 else chart(trader)).status for turn in range(13)]

    assert statuses[:2] == [200, 200]
    assert 429 in statuses
