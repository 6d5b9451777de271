"""Brackets, OCA groups, and tickets of one request of which IBKR takes only some."""

from decimal import Decimal
from typing import Any

from tests.sandbox.trading.trader import AAPL, KO, Trader, ticket

ACCOUNT = "U1000012"


def bracket(trader: Trader, quantity: int = 10, **parent: Any) -> list[dict[str, Any]]:
    last = trader.sandbox.market.price(KO)
    below, above = (last * Decimal("0.7")).quantize(Decimal("0.01")), (last * Decimal("1.02")).quantize(Decimal("0.01"))
    return [
        ticket(ACCOUNT, KO, "BUY", quantity, cOID="P", **parent),
        ticket(ACCOUNT, KO, "SELL", quantity, orderType="LMT", price=above, tif="GTC", parentId="P"),
        ticket(ACCOUNT, KO, "SELL", quantity, orderType="STP", price=below, tif="GTC", parentId="P"),
    ]


def ids(answer: Any) -> list[int]:
    return [int(item["order_id"]) for item in answer]


def test_the_children_of_a_bracket_wait_until_the_parent_is_filled(stopped: Trader) -> None:
    far = stopped.far_price(KO, "BUY")
    answer = stopped.place_all(ACCOUNT, *bracket(stopped, orderType="LMT", price=far, tif="GTC"))
    parent, profit, stop = ids(answer)
    stopped.wait(60)

    assert [item.get("parent_order_id") for item in answer] == [None, str(parent), str(parent)]
    assert [stopped.status(order) for order in (parent, profit, stop)] == ["Submitted", "PreSubmitted", "PreSubmitted"]
    assert stopped.live(profit)["parentId"] == str(parent)

    near = stopped.sandbox.market.spread(KO)[1]
    changed = ticket(ACCOUNT, KO, "BUY", 10, cOID="P", orderType="LMT", price=near, tif="GTC")
    stopped.confirm_all(stopped.post(f"/iserver/account/{ACCOUNT}/order/{parent}", changed))
    stopped.wait(20)
    assert [stopped.status(order) for order in (parent, profit, stop)] == ["Filled", "Submitted", "PreSubmitted"]


def test_when_one_child_executes_the_other_is_cancelled(stopped: Trader) -> None:
    stopped.script({"place": 1}, fills=[{"after_milliseconds": 5000, "quantity": 10}])
    parent, profit, stop = ids(stopped.place_all(ACCOUNT, *bracket(stopped)))
    held = stopped.held(ACCOUNT, KO)
    stopped.wait(60)

    assert [stopped.status(order) for order in (parent, profit, stop)] == ["Filled", "Filled", "Cancelled"]
    assert "OCA group" in stopped.live(stop)["order_cancellation_by_system_reason"]
    assert stopped.held(ACCOUNT, KO) == held
    bought, sold = stopped.trades(parent), stopped.trades(profit)
    assert max(trade["trade_time_r"] for trade in bought) + 5000 == sold[0]["trade_time_r"]


def test_children_end_with_their_parent(stopped: Trader) -> None:
    far = stopped.far_price(KO, "BUY")
    orders = ids(stopped.place_all(ACCOUNT, *bracket(stopped, orderType="LMT", price=far)))

    stopped.delete(f"/iserver/account/{ACCOUNT}/order/{orders[0]}")
    stopped.wait(5)

    assert [stopped.status(order) for order in orders] == ["Cancelled"] * 3
    assert stopped.live(orders[1])["order_cancellation_by_system_reason"] == "Parent order was cancelled"


def test_a_child_may_be_refused_while_the_others_work(stopped: Trader) -> None:
    stopped.script({"place": 2}, refuse="We cannot accept an order at the stop price you selected")

    answer = stopped.place_all(ACCOUNT, *bracket(stopped))

    assert answer[2] == {"error": "We cannot accept an order at the stop price you selected"}
    parent, profit = ids(answer[:2])
    stopped.wait(20)
    assert (stopped.status(parent), stopped.status(profit)) == ("Filled", "Submitted")
    assert stopped.effects("order") == 2


def test_without_the_parent_nothing_is_placed(stopped: Trader) -> None:
    stopped.script({"place": 0}, refuse="Your order is not accepted. Reason: insufficient funds.")

    assert stopped.place_all(ACCOUNT, *bracket(stopped)) == {
        "error": "Your order is not accepted. Reason: insufficient funds."
    }
    assert stopped.effects("order") == 0


def test_a_child_may_follow_later_by_client_order_id_or_order_id(stopped: Trader) -> None:
    whole = bracket(stopped, orderType="LMT", price=stopped.far_price(KO, "BUY"))
    parent = stopped.accept(ACCOUNT, whole[0])

    profit = stopped.accept(ACCOUNT, whole[1])
    stop = stopped.accept(ACCOUNT, whole[2] | {"parentId": str(parent)})
    stopped.wait(5)

    assert [stopped.live(order)["parentId"] for order in (profit, stop)] == [str(parent)] * 2
    assert stopped.status(stop) == "PreSubmitted"
    lost = stopped.place_all(ACCOUNT, whole[1] | {"parentId": "nobody"})
    assert lost == {"error": "Parent order nobody doesn't exist"}


def test_one_order_of_an_oca_group_cancels_the_others(stopped: Trader) -> None:
    stopped.script({"conid": AAPL}, fills=[{"after_milliseconds": 2000, "quantity": 1}])
    wanted = [
        ticket(ACCOUNT, conid, "BUY", 4, orderType="LMT", price=stopped.far_price(conid, "BUY"), isSingleGroup=True)
        for conid in (KO, AAPL, KO)
    ]
    orders = ids(stopped.place_all(ACCOUNT, *wanted))
    stopped.wait(1)
    assert {stopped.status(order) for order in orders} == {"Submitted"}

    stopped.wait(5)

    assert [stopped.status(order) for order in orders] == ["Cancelled", "Submitted", "Cancelled"]
    assert stopped.live(orders[1])["filledQuantity"] == 1


def test_the_questions_of_a_bracket_are_one_conversation(stopped: Trader) -> None:
    body = {"orders": bracket(stopped)}

    _, asked = stopped.confirm_all(stopped.post(f"/iserver/account/{ACCOUNT}/orders", body))

    assert asked == ["o10151", "o10331", "o10152"]
    assert stopped.effects("order") == 3


def test_a_bracket_survives_a_restart_and_tells_the_stream_of_each_change(stopped: Trader) -> None:
    parent, profit, _ = ids(stopped.place_all(ACCOUNT, *bracket(stopped)))
    stopped.wait(30)
    stopped.sandbox.tick()

    rows = stopped.sandbox.store.rows("SELECT * FROM trading_events ORDER BY id")
    of_parent = [row["payload"] for row in rows if row["order_id"] == parent and row["topic"] == "sor"]
    assert '"status":"PreSubmitted"' in of_parent[0]
    assert '"status":"Filled"' in of_parent[-1]
    assert '"ticker"' not in of_parent[-1]  # only what changed
    executed = [row for row in rows if row["topic"] == "str"]
    assert {row["account"] for row in executed} == {ACCOUNT}
    assert len(executed) == len(stopped.trades(parent))
    assert [row["order_id"] for row in rows if row["topic"] == "sor"].count(profit) >= 2
