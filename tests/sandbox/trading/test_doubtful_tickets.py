"""What a ticket may say where IBKR's documents disagree, and who may cancel it: each answer is played."""

from datetime import timedelta
from typing import Any

import pytest

from backoffice.sandbox.clock import stamp
from tests.sandbox.trading.trader import AAPL, KO, MASTER, Trader, ticket

ACCOUNT = "U1000011"
GROUP = "/iserver/account/allocation/group"


def tried(trader: Trader, order_type: str, **more: Any) -> str:
    """What IBKR says of such an order: "asked" or "taken", or its refusal."""
    answer = trader.place(ACCOUNT, ticket(ACCOUNT, KO, "BUY", 1, orderType=order_type, **more)).json
    if isinstance(answer, list):
        return "asked" if "id" in answer[0] else "taken"
    return str(answer["error"])


@pytest.mark.parametrize("order_type", ["MOC", "LOC", "MIT", "LIT", "REL"])
def test_types_that_are_merely_seen_are_taken_or_not(trader: Trader, order_type: str) -> None:
    near = trader.far_price(KO, "BUY")
    prices = {"MOC": {}, "LOC": {"price": near}, "MIT": {"price": near}, "REL": {"auxPrice": 0.05}}
    more = prices.get(order_type, {"price": near, "auxPrice": near})
    assert tried(trader, order_type, **more) in ("asked", "taken")

    trader.knob(order_types="documented")

    assert tried(trader, order_type, **more) == f"Order type {order_type} is not supported for this contract"
    assert tried(trader, "LMT", price=near) == "taken"


@pytest.mark.parametrize(
    ("known", "long", "short"), [("both", True, True), ("long", True, False), ("short", False, True)]
)
def test_a_stop_limit_has_two_names_or_one(trader: Trader, known: str, long: bool, short: bool) -> None:
    trader.knob(stop_limit_name=known)
    above = trader.far_price(KO, "SELL")

    assert (tried(trader, "STOP_LIMIT", price=above, auxPrice=above) == "asked") is long
    assert (tried(trader, "STP LMT", price=above, auxPrice=above) == "asked") is short


@pytest.mark.parametrize(
    ("where", "in_price", "in_aux"), [("either", True, True), ("price", True, False), ("aux", False, True)]
)
def test_the_stop_of_a_stop_is_in_one_field_or_in_either(
    trader: Trader, where: str, in_price: bool, in_aux: bool
) -> None:
    trader.knob(stop_of_stp=where)
    above = trader.far_price(KO, "SELL")

    assert (tried(trader, "STP", price=above) == "asked") is in_price
    assert (tried(trader, "STP", auxPrice=above) == "asked") is in_aux
    assert tried(trader, "STP") == "invalid order price fields"


def test_the_stop_is_that_of_the_field_that_counts(trader: Trader) -> None:
    above, higher = trader.far_price(KO, "SELL"), trader.far_price(KO, "SELL", 4)
    trader.knob(stop_of_stp="aux")
    order = trader.accept(ACCOUNT, ticket(ACCOUNT, KO, "BUY", 1, orderType="STP", price=above, auxPrice=higher))

    assert trader.get(f"/iserver/account/order/status/{order}").json["stop_price"] == str(higher)


def test_the_legacy_method_of_a_group_s_order_is_taken_ignored_or_refused(trader: Trader) -> None:
    accounts = [{"name": "U1000011", "amount": 3}, {"name": "U1000012", "amount": 1}]
    assert trader.post(GROUP, {"name": "Two", "default_method": "R", "accounts": accounts}).json == {"success": True}
    price = trader.far_price(KO, "BUY")
    order = ticket("Two", KO, "BUY", 8, orderType="LMT", price=price, allocationMethod="EqualQuantity")

    def shares() -> list[int]:
        trader.accept("Two", order)
        return list(trader.sandbox.ledger.effects("order")[-1].data["promised"].values())

    assert shares() == [4, 4]
    trader.knob(allocation_method="ignored")
    assert shares() == [6, 2]
    trader.knob(allocation_method="refused")
    assert trader.place("Two", order).json == {"error": "Invalid allocation method: EqualQuantity"}


@pytest.fixture
def colleague(trader: Trader) -> Trader:
    """Another user of the same master, in a session of their own."""
    other, now = Trader(trader.app, "bearer-2"), trader.sandbox.clock.wall()
    trader.sandbox.store.execute("DELETE FROM sso_bearers WHERE token = 'bearer-2'")
    trader.sandbox.store.execute(
        "INSERT INTO sso_bearers VALUES (?, ?, ?, ?, ?, ?)",
        "bearer-2", "alder02", MASTER, '["127.0.0.1"]', stamp(now), stamp(now + timedelta(days=1)),
    )  # fmt: skip
    return other.ready()


def test_another_user_may_cancel_an_order_or_may_not(trader: Trader, colleague: Trader) -> None:
    first, second = (
        trader.accept(ACCOUNT, ticket(ACCOUNT, conid, "BUY", 1, orderType="LMT", price=trader.far_price(conid, "BUY")))
        for conid in (KO, AAPL)
    )
    path = f"/iserver/account/{ACCOUNT}/order"
    assert colleague.delete(f"{path}/{first}").json["msg"] == "Request was submitted"
    trader.knob(cancel_by_others="refused")

    assert colleague.delete(f"{path}/{second}").json == {"error": f"OrderID {second} doesn't exist"}
    assert colleague.delete(f"{path}/-1").json["order_id"] == -1
    assert colleague.get(f"/iserver/account/order/status/{second}").json["cannot_cancel_order"] is True

    assert [effect.broker_id for effect in trader.sandbox.ledger.effects("cancel")] == [str(first)]
    assert trader.delete(f"{path}/{second}").json["msg"] == "Request was submitted"
