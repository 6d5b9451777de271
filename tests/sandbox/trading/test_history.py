from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from backoffice.sandbox import hours
from tests.sandbox.trading.trader import HSBA, KO, Answer, Trader


@pytest.fixture
def trader(trader: Trader) -> Trader:
    """With a clock that stands still, so that an answer and the market are of one instant."""
    trader.sandbox.clock.stop(trader.sandbox.clock.now())
    return trader


def chart(trader: Trader, **asked: Any) -> Answer:
    return trader.get("/iserver/marketdata/history", **{"conid": KO, "period": "1w", "bar": "1d", **asked})


def test_daily_bars_close_at_the_prices_that_the_books_are_valued_at(trader: Trader) -> None:
    found = chart(trader, period="1m").json

    today = trader.sandbox.clock.now()
    finished = [bar for bar in found["data"] if _close(bar) <= today]
    assert len(finished) >= 18
    for bar in finished:
        assert bar["c"] == trader.sandbox.market.close(KO, _close(bar).date())
        assert bar["l"] <= min(bar["o"], bar["c"]) <= max(bar["o"], bar["c"]) <= bar["h"]
    assert (found["symbol"], found["barLength"], found["timePeriod"]) == ("KO", 86_400, "1m")
    assert found["points"] == len(found["data"]) - 1


def _close(bar: dict[str, Any]) -> datetime:
    opened = datetime.fromtimestamp(bar["t"] // 1000, UTC)
    return hours.of("NYSE").next_close(opened)


def test_the_extremes_of_the_head_are_scaled_and_counted_from_its_start(trader: Trader) -> None:
    found = chart(trader, period="1m").json

    price, volume, minutes = found["high"].split("/")
    highest = max(found["data"], key=lambda bar: bar["h"])
    assert found["priceFactor"] == 100
    assert Decimal(price) == highest["h"] * 100
    assert Decimal(volume) == highest["v"]
    start = datetime.strptime(found["startTime"], "%Y%m%d-%H:%M:%S").replace(tzinfo=UTC)
    assert start + timedelta(minutes=int(minutes)) == datetime.fromtimestamp(highest["t"] // 1000, UTC)


def test_bars_within_a_day_keep_its_hours(trader: Trader) -> None:
    regular = chart(trader, period="2d", bar="1h").json["data"]
    longer = chart(trader, period="2d", bar="1h", outsideRth="true").json["data"]

    where = hours.of("NYSE")
    assert all(where.is_open(datetime.fromtimestamp(bar["t"] // 1000, UTC)) for bar in regular)
    assert len(longer) > len(regular)
    assert all(before["t"] < after["t"] for before, after in pairwise(longer))


def test_a_chart_may_begin_or_end_at_a_time(trader: Trader) -> None:
    start = (trader.sandbox.clock.now() - timedelta(days=60)).replace(hour=0, minute=0, second=0, microsecond=0)
    text = start.strftime("%Y%m%d-%H:%M:%S")

    before = chart(trader, startTime=text, direction=-1).json["data"]
    after = chart(trader, startTime=text, direction=1).json["data"]

    assert all(bar["t"] < start.timestamp() * 1000 for bar in before)
    assert all(bar["t"] >= start.timestamp() * 1000 for bar in after)
    assert len(before) in (4, 5)
    assert len(after) in (4, 5)


def test_no_more_than_a_thousand_points_and_the_newest_of_them(trader: Trader) -> None:
    found = chart(trader, period="1y", bar="8h").json["data"]
    assert len(found) <= 1000

    many = chart(trader, period="1w", bar="10min", outsideRth="true", conid=HSBA).json["data"]
    assert len(many) == 255
    minutes = chart(trader, period="6d", bar="1min").json["data"]
    assert len(minutes) == 1000
    assert minutes[-1]["t"] > (trader.sandbox.clock.now() - timedelta(days=5)).timestamp() * 1000


def test_weeks_and_months_are_one_bar_each(trader: Trader) -> None:
    weeks = chart(trader, period="1y", bar="1w").json["data"]
    months = chart(trader, period="1y", bar="1m").json["data"]

    assert len(weeks) in (52, 53, 54)
    assert len(months) in (12, 13)


def test_sources_differ_as_ibkr_says(trader: Trader) -> None:
    last = chart(trader, source="Last").json["data"][0]
    middle = chart(trader, source="Midpoint").json["data"][0]
    both = chart(trader, source="Bid_Ask").json["data"][0]

    assert last["v"] > 0
    assert (middle["v"], both["v"]) == (0, 0)
    assert both["o"] < middle["o"]
    assert both["c"] > middle["c"]


@pytest.mark.parametrize(
    "asked",
    [
        {"period": "0d"},
        {"period": "9h"},
        {"period": "16y"},
        {"period": "1x"},
        {"period": "1d", "bar": "1d"},
        {"period": "1w", "bar": "1min"},
        {"period": "1w", "bar": "7min"},
        {"startTime": "yesterday"},
        {"conid": 1},
    ],
)
def test_what_cannot_be_charted_is_a_500(trader: Trader, asked: dict[str, Any]) -> None:
    refused = chart(trader, **asked)

    assert refused.status == 500
    assert refused.json["error"]


def test_a_chart_needs_the_right_to_see_prices(trader: Trader) -> None:
    trader.knob(market_data={"NYSE": "N"})
    assert chart(trader).json == {"error": "Chart data unavailable"}

    trader.knob(market_data={"NYSE": "D"})
    assert chart(trader).json["mktDataDelay"] == 900


@pytest.mark.parametrize("unseen", [{"market_data": {"NYSE": "N"}}, {}])
def test_a_chart_that_cannot_be_drawn_is_an_error_of_json_or_text_or_has_no_bars(
    trader: Trader, unseen: dict[str, Any]
) -> None:
    trader.knob(**unseen)
    asked = {} if unseen else {"conid": 1}
    assert (chart(trader, **asked).status, chart(trader, **asked).json) == (500, {"error": "Chart data unavailable"})

    trader.knob(chart_unavailable="text")
    assert (chart(trader, **asked).status, chart(trader, **asked).text) == (500, "Chart data unavailable")

    trader.knob(chart_unavailable="empty")
    assert (chart(trader, **asked).status, chart(trader, **asked).json["data"]) == (200, [])
