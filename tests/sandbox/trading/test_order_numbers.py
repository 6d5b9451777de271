"""An order's id is one for life, or each brokerage session counts its own: the same number is then another order."""

from typing import Any

from tests.sandbox.trading.trader import AAPL, KO, Trader, ticket

ACCOUNT = "U1000011"


def resting(trader: Trader, conid: int, **more: Any) -> dict[str, Any]:
    return ticket(ACCOUNT, conid, "BUY", 1, orderType="LMT", price=trader.far_price(conid, "BUY"), **more)


def new_session(trader: Trader) -> None:
    trader.break_session("reset")
    trader.ready()
    trader.get(f"/iserver/account/orders?accountId={ACCOUNT}")


def by_reference(trader: Trader) -> dict[str, int]:
    for _ in range(2):
        found = trader.get("/iserver/account/orders", accountId="All").json["orders"]
    return {order["order_ref"]: order["orderId"] for order in found if "order_ref" in order}


def two_orders(trader: Trader) -> tuple[int, int]:
    return (
        trader.accept(ACCOUNT, resting(trader, KO, cOID="first")),
        trader.accept(ACCOUNT, resting(trader, AAPL, cOID="second")),
    )


def test_an_order_keeps_its_id_in_the_next_session(trader: Trader) -> None:
    first, second = two_orders(trader)

    new_session(trader)

    assert by_reference(trader) == {"first": first, "second": second}


def test_a_session_of_its_own_numbers_calls_another_order_by_an_old_id(trader: Trader) -> None:
    trader.knob(order_numbers="session")
    first, second = two_orders(trader)
    assert by_reference(trader) == {"first": first, "second": second}

    new_session(trader)

    found = by_reference(trader)
    assert found == {"first": second, "second": first}
    assert trader.delete(f"/iserver/account/{ACCOUNT}/order/{first}").json["order_id"] == first
    (cancel,) = trader.sandbox.ledger.effects("cancel")
    assert cancel.key == "second"


def test_a_number_that_the_session_has_not_given_names_no_order(trader: Trader) -> None:
    trader.knob(order_numbers="session")
    first, _ = two_orders(trader)
    trader.break_session("reset")
    trader.ready()

    answer = trader.delete(f"/iserver/account/{ACCOUNT}/order/{first}")

    assert answer.json == {"error": f"OrderID {first} doesn't exist"}
    assert trader.effects("cancel") == 0


def test_trades_prompts_and_parents_go_by_the_session_s_numbers(trader: Trader) -> None:
    trader.knob(order_numbers="session", fill_seconds=0)
    trader.accept(ACCOUNT, resting(trader, KO, cOID="before"))
    new_session(trader)
    filled = trader.accept(ACCOUNT, ticket(ACCOUNT, AAPL, "BUY", 1, cOID="now"))
    for_life = int(trader.sandbox.ledger.effects("order", "now")[0].broker_id)
    assert filled != for_life

    (trade,) = trader.trades(filled)
    assert trade["order_ref"] == "now"
    child = resting(trader, AAPL, parentId=str(filled)) | {
        "side": "SELL",
        "price": float(trader.far_price(AAPL, "SELL")),
    }
    (answer,) = trader.confirm_all(trader.place(ACCOUNT, child))[0].json
    assert answer["parent_order_id"] == str(filled)
    trader.knob(prompt_price_management=True)
    (prompt,) = [trader.confirm_all(trader.place(ACCOUNT, ticket(ACCOUNT, AAPL, "BUY", 1)))[0].json]
    body = {"orderId": prompt["orderId"], "reqId": prompt["reqId"], "text": "Use on this order"}
    assert trader.post("/iserver/notification", body).status == 200
    assert trader.status(prompt["orderId"]) == "Filled"
