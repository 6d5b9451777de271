"""Every order type and time in force: when it meets the market and at which price, on a fixed day of a fixed seed."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from backoffice.sandbox.clock import moment
from tests.sandbox.trading.trader import AAPL, KO, Trader, ticket

ACCOUNT = "U1000012"
CENT = Decimal("0.01")


def placed(trader: Trader, conid: int = KO, side: str = "BUY", quantity: int = 10, **more: Any) -> int:
    return trader.accept(ACCOUNT, ticket(ACCOUNT, conid, side, quantity, **more))


def fills(trader: Trader, order_id: int) -> list[tuple[datetime, Decimal]]:
    rows = trader.sandbox.store.rows(
        "SELECT at, price FROM trading_executions WHERE order_id = ? ORDER BY at", order_id
    )
    return [(moment(row["at"]), Decimal(row["price"])) for row in rows]


def status(trader: Trader, order_id: int) -> str:
    trader.sandbox.tick()
    return str(trader.sandbox.store.value("SELECT status FROM trading_orders WHERE order_id = ?", order_id))


def away(trader: Trader, permille: int, conid: int = KO) -> Decimal:
    return (trader.sandbox.market.price(conid) * (1000 + permille) / 1000).quantize(CENT)


def first_minute(trader: Trader, test: Any, conid: int = KO) -> datetime:
    """The first minute from now on whose last price passes the test."""
    start = trader.sandbox.clock.now().replace(second=0)
    minutes = (start + timedelta(minutes=n) for n in range(60 * 24 * 90))
    return next(at for at in minutes if test(trader.sandbox.market.price(conid, at)))


@pytest.mark.parametrize(("order_type", "permille"), [("MIT", -10), ("STP", 10)])
def test_a_trigger_is_met_in_its_minute_and_executes_at_the_market(
    stopped: Trader, order_type: str, permille: int
) -> None:
    trigger = away(stopped, permille)
    met = first_minute(stopped, lambda last: last <= trigger if order_type == "MIT" else last >= trigger)
    order_id = placed(stopped, orderType=order_type, price=trigger, tif="GTC")
    stopped.wait(int((met - stopped.sandbox.clock.now()).total_seconds()) - 60)
    assert status(stopped, order_id) == "PreSubmitted"

    stopped.wait(120)

    assert status(stopped, order_id) == "Filled"
    assert all(met < at <= met + timedelta(seconds=12) for at, _ in fills(stopped, order_id))
    ask = stopped.sandbox.market.spread(KO, met)[1]
    assert all(ask <= price <= ask + CENT for _, price in fills(stopped, order_id))


def test_a_limit_if_touched_becomes_a_limit_order(stopped: Trader) -> None:
    touch = away(stopped, -10)
    limit = away(stopped, -30)
    met = first_minute(stopped, lambda last: last <= touch)
    order_id = placed(stopped, orderType="LIT", price=limit, auxPrice=touch, tif="GTC")
    stopped.wait(int((met - stopped.sandbox.clock.now()).total_seconds()) + 60)

    assert status(stopped, order_id) == "Submitted"
    assert fills(stopped, order_id) == []


def test_a_trailing_stop_follows_the_best_price_and_never_back(stopped: Trader) -> None:
    amount, market, now = Decimal("0.50"), stopped.sandbox.market, stopped.sandbox.clock.now()
    best, at = market.price(KO, now), now
    while market.price(KO, at) > best - amount:
        at += timedelta(minutes=1)
        best = max(best, market.price(KO, at))
    order_id = placed(stopped, side="SELL", orderType="TRAIL", trailingAmt=amount, trailingType="amt", tif="GTC")
    stopped.wait(int((at - now).total_seconds()) - 60)
    assert status(stopped, order_id) == "PreSubmitted"

    stopped.wait(120)

    assert status(stopped, order_id) == "Filled"
    assert all(at < when <= at + timedelta(seconds=12) for when, _ in fills(stopped, order_id))


def test_a_trailing_stop_limit_keeps_its_limit_at_a_distance(stopped: Trader) -> None:
    last = stopped.sandbox.market.price(KO)
    stop, limit = (last * Decimal("0.99")).quantize(CENT), (last * Decimal("0.989")).quantize(CENT)
    order_id = placed(
        stopped,
        side="SELL",
        orderType="TRAILLMT",
        price=limit,
        auxPrice=stop,
        trailingAmt=1,
        trailingType="%",
        tif="GTC",
    )
    stopped.wait(120)
    stopped.post("/iserver/account", {"acctId": ACCOUNT})
    found = stopped.get(f"/iserver/account/order/status/{order_id}").json

    assert Decimal(found["stop_price"]) - Decimal(found["limit_price"]) == stop - limit
    assert Decimal(found["stop_price"]) >= stop


def test_orders_on_close_execute_in_the_closing_auction_or_not_at_all(stopped: Trader) -> None:
    close = datetime(2026, 3, 2, 21, 0, tzinfo=UTC)
    price = stopped.sandbox.market.price(KO, close)
    at_market = placed(stopped, orderType="MOC")
    good, bad = (placed(stopped, orderType="LOC", price=limit) for limit in (price, price - CENT))
    stopped.wait(3600)
    assert {status(stopped, order_id) for order_id in (at_market, good, bad)} == {"PreSubmitted"}

    stopped.wait(5 * 3600)

    assert [status(stopped, order_id) for order_id in (at_market, good, bad)] == ["Filled", "Filled", "Cancelled"]
    assert fills(stopped, at_market) == fills(stopped, good) == [(close, price)]


def test_an_order_at_the_opening_waits_for_the_next_auction(stopped: Trader) -> None:
    opening = datetime(2026, 3, 3, 14, 30, tzinfo=UTC)
    order_id = placed(stopped, tif="OPG")
    stopped.wait(86_400)

    assert status(stopped, order_id) == "Filled"
    assert fills(stopped, order_id) == [(opening, stopped.sandbox.market.price(KO, opening))]


def test_a_relative_order_rests_on_its_own_side_and_a_midprice_order_between(stopped: Trader) -> None:
    stopped.knob(fill_seconds=0)
    bid, ask = stopped.sandbox.market.spread(AAPL)
    middle = placed(stopped, AAPL, orderType="MIDPRICE")
    capped = placed(stopped, AAPL, orderType="MIDPRICE", price=bid - CENT)
    relative = placed(stopped, AAPL, orderType="REL", auxPrice=CENT)
    next_minute = stopped.sandbox.clock.now().replace(second=0) + timedelta(minutes=1)
    resting = stopped.sandbox.market.spread(AAPL, next_minute)[0] + CENT
    assert [status(stopped, order_id) for order_id in (middle, capped, relative)] == [
        "Filled", "PreSubmitted", "PreSubmitted"
    ]  # fmt: skip
    assert bid < fills(stopped, middle)[0][1] < ask

    stopped.wait(60)

    assert status(stopped, relative) == "Filled"
    assert fills(stopped, relative) == [(next_minute, resting)]


def test_all_or_none_is_one_execution(stopped: Trader) -> None:
    order_id = placed(stopped, quantity=200, allOrNone=True)
    stopped.wait(20)

    assert len(fills(stopped, order_id)) == 1


def test_with_market_hours_orders_wait_for_the_opening_and_day_orders_end_at_the_close(stopped: Trader) -> None:
    stopped.knob(market_hours=True)
    stopped.wait(7 * 3600)  # 17:00 in New York
    stopped.ready()
    regular = placed(stopped)
    ask = stopped.sandbox.market.spread(KO)[1]
    extended = placed(stopped, orderType="LMT", price=ask + 1, outsideRTH=True)
    far = placed(stopped, orderType="LMT", price=stopped.far_price(KO, "BUY", 20))
    late = placed(stopped, tif="IOC")
    stopped.wait(60)
    assert [status(stopped, order_id) for order_id in (regular, extended, far, late)] == [
        "PreSubmitted", "Filled", "PreSubmitted", "Cancelled"
    ]  # fmt: skip

    stopped.wait(86_400)

    opening = datetime(2026, 3, 3, 14, 30, tzinfo=UTC)
    assert [status(stopped, order_id) for order_id in (regular, far)] == ["Filled", "Cancelled"]
    assert all(opening < at <= opening + timedelta(seconds=12) for at, _ in fills(stopped, regular))
    ended = stopped.sandbox.store.value("SELECT expires_at FROM trading_orders WHERE order_id = ?", far)
    assert moment(ended) == datetime(2026, 3, 3, 21, 0, tzinfo=UTC)


def test_an_overnight_order_executes_in_the_night(stopped: Trader) -> None:
    stopped.knob(market_hours=True)
    price = away(stopped, 20)
    night, both = (placed(stopped, orderType="LMT", price=price, tif=tif) for tif in ("OVT", "OND"))
    stopped.wait(30)
    assert [status(stopped, order_id) for order_id in (night, both)] == ["PreSubmitted", "Filled"]

    stopped.wait(11 * 3600)

    evening = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)
    assert all(evening < at <= evening + timedelta(seconds=12) for at, _ in fills(stopped, night))
    assert status(stopped, night) == "Filled"


def test_cash_buys_whole_shares_when_the_account_may(stopped: Trader) -> None:
    stopped.knob(supports_cash_quantity=True)
    order = ticket(ACCOUNT, KO, "BUY", 1, cashQty=1000)
    del order["quantity"]
    answer, asked = stopped.confirm_all(stopped.place(ACCOUNT, order))
    ask = stopped.sandbox.market.spread(KO)[1]

    assert asked == ["o10151", "o10164", "o10223"]
    assert stopped.live(int(answer.json[0]["order_id"]))["totalSize"] == int(1000 / ask)
    assert "less than one share" in stopped.place(ACCOUNT, {**order, "cashQty": 1}).json["error"]


def test_no_price_leaves_the_bounds_that_let_the_engine_pass_over_a_stretch(stopped: Trader) -> None:
    market, start = stopped.sandbox.market, datetime(2026, 3, 2, tzinfo=UTC)

    for minutes in (60, 1440):
        low, high = market.bounds(KO, start, minutes)
        seen = [market.price(KO, start + timedelta(minutes=n)) for n in range(minutes)]
        assert low <= min(seen) < max(seen) <= high
        assert high / low < Decimal("1.06")
