"""Modifying and cancelling orders that still work, and the races with their fills."""

from decimal import Decimal
from typing import Any

import pytest

from tests.sandbox.trading.trader import KO, MASTER, Trader, inline, ticket

ACCOUNT = "U1000012"


def resting(trader: Trader, quantity: int = 10, **more: Any) -> dict[str, Any]:
    return ticket(ACCOUNT, KO, "BUY", quantity, orderType="LMT", price=trader.far_price(KO, "BUY"), **more)


def change(trader: Trader, order_id: int, order: dict[str, Any], account: str = ACCOUNT) -> Any:
    return trader.confirm_all(trader.post(f"/iserver/account/{account}/order/{order_id}", order))


def test_a_modified_order_works_under_its_new_terms(stopped: Trader) -> None:
    order = resting(stopped, cOID="m-1")
    order_id = stopped.accept(ACCOUNT, order)
    stopped.wait(5)
    ask = stopped.sandbox.market.spread(KO)[1]

    answer, asked = change(stopped, order_id, {**order, "price": float(ask), "quantity": 15, "tif": "GTC"})

    assert asked == []
    assert answer.json == [{"order_id": str(order_id), "order_status": "Submitted", "encrypt_message": "1"}]
    live = stopped.live(order_id)
    assert (live["totalSize"], live["price"], live["timeInForce"], live["order_ref"]) == (15, str(ask), "GTC", "m-1")
    stopped.wait(20)
    assert stopped.status(order_id) == "Filled"
    assert stopped.effects("modify", "m-1") == 1


def test_a_part_filled_order_keeps_what_it_has_and_its_quantity_is_the_new_total(stopped: Trader) -> None:
    stopped.script({}, fills=[{"quantity": 4}])
    order = inline({"U1000011": 6, ACCOUNT: 4}, KO, "BUY", orderType="LMT", price=stopped.far_price(KO, "BUY"))
    order_id = stopped.accept(MASTER, order)
    stopped.wait(5)
    before = {trade["account"]: trade["size"] for trade in stopped.trades(order_id)}
    assert sum(before.values()) == 4

    assert "must exceed" in change(stopped, order_id, {**order, "quantity": 4}, MASTER)[0].json["error"]
    ask = stopped.sandbox.market.spread(KO)[1]
    change(stopped, order_id, {**order, "quantity": 30, "price": float(ask)}, MASTER)
    stopped.wait(20)

    live = stopped.live(order_id)
    assert (live["status"], live["filledQuantity"], live["totalSize"]) == ("Filled", 30, 30)
    after: dict[str, Decimal] = {}
    for trade in stopped.trades(order_id):
        after[trade["account"]] = after.get(trade["account"], Decimal(0)) + trade["size"]
    assert sum(after.values()) == 30
    assert all(after[account] >= units for account, units in before.items())


@pytest.mark.parametrize("wrong", [{"side": "SELL"}, {"conid": 265598}])
def test_contract_and_side_stay(stopped: Trader, wrong: dict[str, Any]) -> None:
    order = resting(stopped)
    order_id = stopped.accept(ACCOUNT, order)

    assert "cannot be modified" in change(stopped, order_id, order | wrong)[0].json["error"]


def test_modifying_asks_too_and_voids_an_open_question(stopped: Trader) -> None:
    order = resting(stopped)
    order_id = stopped.accept(ACCOUNT, order)
    question = stopped.place(ACCOUNT, ticket(ACCOUNT, KO, "BUY", 1)).json[0]["id"]
    stopped.knob(size_modification_limit=100)

    answer, asked = change(stopped, order_id, {**order, "quantity": 200, "price": 10})

    assert asked == ["o163", "o10138"]
    assert answer.json[0]["order_id"] == str(order_id)
    assert stopped.post(f"/iserver/reply/{question}", {"confirmed": True}).status == 400


def test_what_is_filled_or_cancelled_is_neither_modified_nor_cancelled(stopped: Trader) -> None:
    filled = stopped.accept(ACCOUNT, ticket(ACCOUNT, KO, "BUY", 1, tif="IOC"))
    order = resting(stopped)
    asked = stopped.accept(ACCOUNT, order)
    gone = {"error": f"OrderID {filled} doesn't exist"}

    assert change(stopped, filled, order)[0].json == gone
    assert stopped.delete(f"/iserver/account/{ACCOUNT}/order/{filled}").json == gone

    question = stopped.post(f"/iserver/account/{ACCOUNT}/order/{asked}", {**order, "price": 10}).json[0]["id"]
    stopped.sandbox.store.execute("UPDATE trading_orders SET cancel_at = created_at WHERE order_id = ?", asked)
    late = stopped.post(f"/iserver/reply/{question}", {"confirmed": True})
    assert late.json == {"error": f"OrderID {asked} doesn't exist"}


def test_an_order_may_be_filled_while_its_cancel_is_pending(stopped: Trader) -> None:
    stopped.script({}, fill_on_cancel=True)
    order_id = stopped.accept(ACCOUNT, resting(stopped))
    stopped.wait(5)

    stopped.delete(f"/iserver/account/{ACCOUNT}/order/{order_id}")
    assert stopped.status(order_id) == "PendingCancel"
    stopped.wait(5)

    assert stopped.status(order_id) == "Filled"
    assert stopped.delete(f"/iserver/account/{ACCOUNT}/order/{order_id}").json["error"].endswith("doesn't exist")


def test_minus_one_cancels_everything_of_the_account_or_of_the_master(stopped: Trader) -> None:
    mine, other = stopped.accept(ACCOUNT, resting(stopped)), resting(stopped) | {"acctId": "U1000011"}
    theirs = stopped.accept("U1000011", other)

    answer = stopped.delete(f"/iserver/account/{ACCOUNT}/order/-1").json
    assert (answer["order_id"], answer["conid"]) == (-1, -1)
    stopped.wait(5)
    assert (stopped.status(mine), stopped.status(theirs)) == ("Cancelled", "Submitted")

    stopped.delete(f"/iserver/account/{MASTER}/order/-1")
    stopped.wait(5)
    assert stopped.status(theirs) == "Cancelled"
