from decimal import Decimal
from typing import Any

import pytest

from tests.sandbox.trading.trader import AAPL, HSBA, KO, MASTER, SPY, Trader, inline, ticket

ACCOUNT = "U1000012"


def near(trader: Trader, conid: int) -> Decimal:
    return trader.sandbox.market.price(conid)


def first_id(trader: Trader, account: str, order: dict[str, Any]) -> str:
    return str(trader.place(account, order).json[0]["id"])


def test_a_limit_near_the_market_is_taken_without_a_question(trader: Trader) -> None:
    answer = trader.place(ACCOUNT, ticket(ACCOUNT, KO, "BUY", 10, orderType="LMT", price=near(trader, KO), cOID="a-1"))

    [accepted] = answer.json
    assert accepted["order_id"].isdecimal()
    assert accepted["order_status"] in ("PreSubmitted", "Submitted")
    assert (accepted["encrypt_message"], accepted["local_order_id"]) == ("1", "a-1")
    assert trader.effects("order", "a-1") == 1


def test_a_market_order_asks_and_nothing_exists_until_it_is_confirmed(trader: Trader) -> None:
    [question] = trader.place(ACCOUNT, ticket(ACCOUNT, KO, "BUY", 10, cOID="a-2")).json

    assert question["messageIds"] == ["o10151"]
    assert question["isSuppressed"] is False
    assert question["message"][0].startswith("<h4>Market Order Confirmation</h4>")
    assert trader.effects("order") == 0

    accepted = trader.post(f"/iserver/reply/{question['id']}", {"confirmed": True}).json
    assert accepted[0]["order_status"] in ("PreSubmitted", "Submitted")
    assert trader.effects("order", "a-2") == 1


def asked_about(trader: Trader, account: str, order: dict[str, Any]) -> list[str]:
    return trader.confirm_all(trader.place(account, order))[1]


def test_each_cause_raises_its_question(trader: Trader) -> None:
    trader.knob(size_limit=500, value_limit=50_000)

    def asked(conid: int, side: str, quantity: int, price: Decimal, kind: str = "LMT") -> list[str]:
        order = ticket(ACCOUNT, conid, side, quantity, orderType=kind, price=price)
        return asked_about(trader, ACCOUNT, order)

    assert asked(KO, "BUY", 1, trader.far_price(KO, "BUY", 5)) == ["o163"]
    assert asked(KO, "BUY", 1, near(trader, KO) + Decimal("0.001")) == ["o382"]
    assert asked(KO, "SELL", 1, trader.far_price(KO, "BUY"), "STP") == ["o10331", "o10152"]
    assert asked(KO, "BUY", 501, near(trader, KO)) == ["o383"]
    assert asked(SPY, "BUY", 90, near(trader, SPY)) == ["o451"]
    trader.knob(ask_without_market_data=True)
    assert asked(AAPL, "BUY", 1, near(trader, AAPL)) == ["o354"]


def test_a_block_is_asked_about_once_by_group_and_inline(trader: Trader) -> None:
    price = near(trader, SPY)

    assert asked_about(trader, "Balanced", ticket("Balanced", SPY, "BUY", 20, orderType="LMT", price=price)) == ["p6"]
    order = inline({"U1000011": 3, "U1000012": 2}, SPY, "BUY", orderType="LMT", price=price)
    assert asked_about(trader, MASTER, order) == ["p6"]


def test_selling_a_block_that_some_do_not_hold_is_a_cross_side_order(trader: Trader) -> None:
    order = inline({"U1000012": 5, "U1000014": 5}, KO, "SELL", orderType="LMT", price=near(trader, KO))

    answer, asked = trader.confirm_all(trader.place(MASTER, order))

    assert asked == ["p6", "o2137"]
    assert "U1000014 holds 0 shares free to sell" in answer.json["error"]  # a cash account cannot sell short
    assert trader.effects("order") == 0


def test_questions_come_one_after_the_other_each_with_its_own_id(trader: Trader) -> None:
    first = trader.place("Balanced", ticket("Balanced", SPY, "BUY", 20)).json[0]
    second = trader.post(f"/iserver/reply/{first['id']}", {"confirmed": True}).json[0]

    assert (first["messageIds"], second["messageIds"]) == (["p6"], ["o10151"])
    assert first["id"] != second["id"]
    again = trader.post(f"/iserver/reply/{first['id']}", {"confirmed": True})
    assert (again.status, again.json) == (400, {"error": f"reply id not found: '{first['id']}'"})


def test_declining_leaves_nothing_behind(trader: Trader) -> None:
    reply_id = first_id(trader, ACCOUNT, ticket(ACCOUNT, KO, "BUY", 10, cOID="a-3"))

    assert trader.post(f"/iserver/reply/{reply_id}", {"confirmed": False}).json == {"error": "Order not confirmed "}
    assert trader.post(f"/iserver/reply/{reply_id}", {"confirmed": True}).status == 400
    assert trader.effects("order") == 0


def test_a_late_reply_finds_no_question(trader: Trader) -> None:
    reply_id = first_id(trader, ACCOUNT, ticket(ACCOUNT, KO, "BUY", 10))

    trader.wait(61)

    late = trader.post(f"/iserver/reply/{reply_id}", {"confirmed": True})
    assert (late.status, late.json) == (400, {"error": f"reply id not found: '{reply_id}'"})


def test_the_next_order_voids_the_open_question(trader: Trader) -> None:
    reply_id = first_id(trader, ACCOUNT, ticket(ACCOUNT, KO, "BUY", 10, cOID="first"))
    trader.place(ACCOUNT, ticket(ACCOUNT, KO, "BUY", 10, cOID="second"))

    assert trader.post(f"/iserver/reply/{reply_id}", {"confirmed": True}).status == 400
    assert trader.effects("order", "first") == 0


def test_a_reply_belongs_to_the_session_that_was_asked(trader: Trader) -> None:
    reply_id = first_id(trader, ACCOUNT, ticket(ACCOUNT, KO, "BUY", 10))
    trader.break_session("steal")
    trader.ready()

    assert trader.post(f"/iserver/reply/{reply_id}", {"confirmed": True}).status == 400


def test_the_status_of_a_late_reply_is_a_knob(trader: Trader) -> None:
    trader.knob(late_reply_status=503)

    assert trader.post("/iserver/reply/nothing", {"confirmed": True}).status == 503
    assert trader.post("/iserver/reply/nothing", {"confirmed": "yes"}).status == 400


def test_a_client_order_id_counts_for_a_day(trader: Trader) -> None:
    order = ticket(ACCOUNT, KO, "BUY", 1, orderType="LMT", price=trader.far_price(KO, "BUY"), cOID="once")
    trader.accept(ACCOUNT, order)

    twice = trader.place(ACCOUNT, order)
    text = "Order couldn't be submitted: Local order ID=once is already registered."
    assert (twice.status, twice.json) == (400, {"error": text})
    assert trader.effects("order", "once") == 1

    trader.wait(86_401)
    trader.ready()
    trader.accept(ACCOUNT, order)
    assert trader.effects("order", "once") == 2


def test_duplicate_order_detected_is_said_of_the_same_id_or_of_a_like_order(trader: Trader) -> None:
    order = ticket(ACCOUNT, KO, "BUY", 1, orderType="LMT", price=trader.far_price(KO, "BUY"), cOID="once")
    trader.accept(ACCOUNT, order)
    detected = (400, {"error": "DUPLICATE ORDER DETECTED"})

    trader.knob(duplicate_order_detected="same_id")
    same = trader.place(ACCOUNT, order)
    assert (same.status, same.json) == detected
    trader.accept(ACCOUNT, {**order, "cOID": "like it"})

    trader.knob(duplicate_order_detected="like")
    like = trader.place(ACCOUNT, {**order, "cOID": "and again"})
    assert (like.status, like.json) == detected
    trader.accept(ACCOUNT, {**order, "cOID": "larger", "quantity": 2})
    trader.wait(61)
    trader.accept(ACCOUNT, {**order, "cOID": "later"})
    assert [effect.key for effect in trader.sandbox.ledger.effects("order")] == ["once", "like it", "larger", "later"]


def test_a_server_that_does_not_look_at_client_order_ids_can_be_had(trader: Trader) -> None:
    trader.knob(dedupe_coid=False)
    order = ticket(ACCOUNT, KO, "BUY", 1, orderType="LMT", price=trader.far_price(KO, "BUY"), cOID="once")

    trader.accept(ACCOUNT, order)
    trader.accept(ACCOUNT, order)

    assert trader.effects("order", "once") == 2


def test_an_unanswered_question_does_not_use_the_client_order_id_up(trader: Trader) -> None:
    trader.place(ACCOUNT, ticket(ACCOUNT, KO, "BUY", 1, cOID="again"))

    trader.accept(ACCOUNT, ticket(ACCOUNT, KO, "BUY", 1, cOID="again"))

    assert trader.effects("order", "again") == 1


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"side": None}, 400, "Bad Request: side is required"),
        ({"side": "Hold"}, 400, "Bad Request: side is not valid: Hold"),
        ({"conid": None}, 400, "Bad Request: conid is required and must be an integer"),
        ({"conid": "8894"}, 400, "Bad Request: conid is required and must be an integer"),
        ({"conid": 1}, 400, "Bad Request: no contract found for conid 1"),
        ({"conid": 416904}, 200, "No trading permissions."),
        ({"orderType": None}, 400, "Bad Request: orderType is required"),
        ({"orderType": "PEG"}, 200, "Order type PEG is not supported for this contract"),
        (
            {"orderType": "TRAIL", "conid": HSBA, "trailingAmt": 1, "trailingType": "amt"},
            200,
            "Order type TRAIL is not supported for this contract",
        ),
        ({"orderType": "TRAIL"}, 200, "invalid order price fields"),
        ({"orderType": "TRAIL", "trailingAmt": 1}, 200, "invalid order price fields"),
        ({"orderType": "TRAILLMT", "trailingAmt": 1, "trailingType": "amt"}, 200, "invalid order price fields"),
        ({"orderType": "LIT", "price": 10}, 200, "invalid order price fields"),
        ({"orderType": "MIT"}, 200, "invalid order price fields"),
        ({"orderType": "LOC"}, 200, "invalid order price fields"),
        ({"orderType": "MOC", "price": 10}, 200, "invalid order price fields"),
        ({"orderType": "MOC", "tif": "GTC"}, 200, "invalid time in force: GTC"),
        ({"orderType": "STP", "price": 10, "tif": "IOC"}, 200, "invalid time in force: IOC"),
        ({"tif": "OVT"}, 200, "invalid time in force: OVT"),
        ({"tif": "PAX"}, 200, "invalid time in force: PAX"),
        ({"tif": "OPG", "conid": HSBA}, 200, "invalid time in force: OPG"),
        (
            {"orderType": "STP", "price": 10, "outsideRTH": True},
            200,
            "invalid order attribute : Outside Regular Trading Hours",
        ),
        ({"parentId": 5}, 400, "Bad Request: parentId must be text"),
        ({"fxQty": 100}, 200, "Currency conversion orders are not supported for this contract"),
        ({"conid": 515416632}, 200, "manualIndicator and extOperator are required for US futures (CME Rule 536-B)"),
        ({"tif": None}, 400, "Bad Request: tif is required"),
        ({"tif": "GTD"}, 200, "invalid time in force: GTD"),
        ({"quantity": None}, 400, "Bad Request: quantity is required"),
        ({"quantity": "10"}, 400, "Bad Request: quantity must be a number"),
        ({"quantity": True}, 400, "Bad Request: quantity must be a number"),
        ({"quantity": 0}, 400, "Bad Request: quantity must be greater than zero"),
        ({"quantity": -5}, 400, "Bad Request: quantity must be greater than zero"),
        ({"quantity": 1.5}, 200, "The account does not have permission to trade fractional shares"),
        ({"price": 10}, 200, "invalid order price fields"),
        ({"orderType": "LMT"}, 200, "invalid order price fields"),
        ({"orderType": "LMT", "price": "10"}, 400, "Bad Request: price must be a number"),
        ({"orderType": "STOP_LIMIT", "price": 10}, 200, "invalid order price fields"),
        ({"outsideRTH": True}, 200, "invalid order attribute : Outside Regular Trading Hours"),
        ({"cOID": "x" * 65}, 400, "Bad Request: cOID must be text of at most 64 characters"),
        ({"acctId": "U1000013"}, 200, "Invalid account ID"),
        ({"jsonPayload": {"allocation_profile": {}}}, 200, "Invalid account number"),
        ({"cashQty": 100}, 200, "Cash quantity orders are not supported for this account"),
    ],
)
def test_a_wrong_ticket_is_refused(trader: Trader, change: dict[str, Any], status: int, error: str) -> None:
    order = {key: value for key, value in {**ticket(ACCOUNT, KO, "BUY", 10), **change}.items() if value is not None}

    refused = trader.place(ACCOUNT, order)

    assert (refused.status, refused.json["error"]) == (status, error)
    assert trader.effects("order") == 0


def test_unknown_keys_pass_in_silence(trader: Trader) -> None:
    order = ticket(ACCOUNT, KO, "BUY", 1, orderType="LMT", price=near(trader, KO), outsideRth=True, nonsense=1)

    assert "order_id" in trader.place(ACCOUNT, order).json[0]


def test_a_bare_array_is_taken_and_a_basket_is_not(trader: Trader) -> None:
    order = ticket(ACCOUNT, KO, "BUY", 1, orderType="LMT", price=near(trader, KO))
    path = f"/iserver/account/{ACCOUNT}/orders"

    assert "order_id" in trader.post(path, [order]).json[0]
    wrong: tuple[Any, ...] = (
        {"orders": [order, order]},
        {"orders": []},
        {"orders": "x"},
        {},
        b"{",
        b'{"orders": [NaN]}',
    )
    for body in wrong:
        assert trader.post(path, body).status == 400


def test_without_an_account_the_order_goes_to_the_first_one(trader: Trader) -> None:
    order = ticket(ACCOUNT, KO, "BUY", 1, orderType="LMT", price=near(trader, KO))
    del order["acctId"]

    order_id = trader.accept(ACCOUNT, order)

    assert trader.live(order_id)["acct"] == "U1000011"


@pytest.mark.parametrize("account", ["U1000021", "U9999999", "balanced"])
def test_an_unknown_target_is_refused(trader: Trader, account: str) -> None:
    assert (
        trader.place(account, ticket(account, KO, "BUY", 1)).json["error"]
        == f"Bad Request: accountId is not valid: {account}"
    )


def test_an_inline_allocation_names_open_accounts_once_and_shares(trader: Trader) -> None:
    good = inline({"U1000011": 3, "U1000012": 2}, KO, "BUY")
    profile = good["jsonPayload"]["allocation_profile"]
    unknown = [{"account": "U1000021", "amount": 5}]
    twice = [profile["allocations"][0]] * 2

    for change, error in (
        ({"allocations": unknown}, "Invalid account number"),
        ({"allocations": twice}, "Invalid account number"),
        ({"allocations": []}, "Bad Request: allocation_profile.allocations is required"),
        ({"alloc_type": "CASH"}, "allocation type CASH is not supported for this order"),
        ({"allocations": [{"account": "U1000011", "amount": "5"}]}, "Bad Request: amount must be a number"),
    ):
        wrong = {**good, "jsonPayload": {"allocation_profile": {**profile, **change}}}
        assert trader.place(MASTER, wrong).json["error"] == error
    bare = ticket(MASTER, KO, "BUY", 5)
    assert "needs an allocation" in trader.place(MASTER, bare).json["error"]


def test_what_an_account_cannot_pay_is_refused_after_the_last_question(trader: Trader) -> None:
    answer, asked = trader.confirm_all(trader.place("U1000019", ticket("U1000019", SPY, "BUY", 60, cOID="dear")))

    assert asked == ["o10151"]
    assert answer.status == 200
    assert answer.json["error"].startswith("Your order is not accepted. Reason: insufficient funds.")
    assert trader.effects("order") == 0


def test_funds_promised_to_a_working_order_are_spent_once(trader: Trader) -> None:
    price = trader.far_price(SPY, "BUY")
    order = ticket("U1000019", SPY, "BUY", 20, orderType="LMT", price=price)
    trader.accept("U1000019", order)

    refused = trader.place("U1000019", order)

    assert "insufficient funds" in refused.json["error"]


def test_a_preview_is_text_and_keeps_nothing(trader: Trader) -> None:
    path = f"/iserver/account/{ACCOUNT}/orders/whatif"
    price = near(trader, KO)
    body = {"orders": [ticket(ACCOUNT, KO, "BUY", 100, orderType="LMT", price=price)]}
    trader.get("/iserver/marketdata/snapshot", conids=KO)

    found = trader.post(path, body).json

    assert found["amount"]["amount"] == f"{price * 100:,} USD (100 Shares)"
    assert found["amount"]["commission"] == "1.00 USD"
    assert found["position"] == {"current": "180", "change": "100", "after": "280"}
    assert (found["warn"], found["error"]) == (None, None)
    dear = {"orders": [ticket(ACCOUNT, KO, "BUY", 90_000, orderType="LMT", price=price)]}
    assert "insufficient funds" in trader.post(path, dear).json["error"]
    assert trader.effects("order") == 0


def test_no_member_of_the_wrong_kind_breaks_the_server(trader: Trader) -> None:
    for odd in ([], {}, [[]], [{}], {"a": 1}, 0, -1, 10**30, True, "x", None):
        for accounts in (odd, [odd], [{"name": odd, "amount": odd}]):
            group = {"name": "Odd", "default_method": "R", "accounts": accounts}
            assert trader.post("/iserver/account/allocation/group", group).json.keys() == {"error"}
        for member in ("acctId", "conid", "side", "orderType", "quantity", "price", "cOID", "parentId", "jsonPayload"):
            order = {**ticket(ACCOUNT, KO, "BUY", 90_000, orderType="LMT", price=50), member: odd}
            for orders in ([order], [{**order, "cOID": "odd-1"}, order]):
                answer = trader.post(f"/iserver/account/{ACCOUNT}/orders/whatif", {"orders": orders})
                assert "Internal Server Error" not in answer.text
