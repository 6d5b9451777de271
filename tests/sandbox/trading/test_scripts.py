"""Suppressed questions, prompts, presets that act, and what a test can write down for an order."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from backoffice.sandbox.statement_figures import draw
from backoffice.sandbox.trading import orderbook
from tests.sandbox.trading.trader import KO, MASTER, USERNAME, Trader, ticket

ACCOUNT = "U1000012"
PRESETS = "/iserver/account/allocation/presets"


def control(trader: Trader, path: str, body: dict[str, Any]) -> Any:
    return trader.call("POST", f"/_sandbox{path}", body, root="")


def asked(trader: Trader, order: dict[str, Any]) -> list[str]:
    return trader.confirm_all(trader.place(str(order["acctId"]), order))[1]


def test_suppressed_questions_are_not_asked_until_reset_or_the_session_ends(stopped: Trader) -> None:
    order, path = ticket(ACCOUNT, KO, "BUY", 1), "/iserver/questions/suppress"

    assert stopped.post(path, {"messageIds": ["o10151", "o163"]}).json == {"status": "submitted"}
    assert asked(stopped, order) == []
    stopped.post(path, {"messageIds": ["o163"]})  # the list replaces the one before
    assert asked(stopped, order) == ["o10151"]
    stopped.post(path, {"messageIds": ["o10151"]})
    assert stopped.post(f"{path}/reset").json == {"status": "submitted"}
    assert asked(stopped, order) == ["o10151"]
    stopped.post(path, {"messageIds": ["o10151"]})
    stopped.break_session("reset")
    stopped.ready()
    assert asked(stopped, order) == ["o10151"]
    assert stopped.post(path, {"messageIds": ["o1"] * 52}).status == 500
    assert stopped.post(path, {"messageIds": "o1"}).status == 400


def test_any_question_can_be_had_and_several_in_one_item(stopped: Trader) -> None:
    stopped.script({}, ask=["o10336", "o2136"])
    assert asked(stopped, ticket(ACCOUNT, KO, "BUY", 1)) == ["o10151", "o10336", "o2136"]

    stopped.knob(ask=["o10153"], questions_at_once=5)
    [item] = stopped.place(ACCOUNT, ticket(ACCOUNT, KO, "BUY", 1)).json
    assert item["messageIds"] == ["o10151", "o10153"]
    assert len(item["message"]) == 2


def test_a_stop_that_would_trigger_at_once_says_so(stopped: Trader) -> None:
    price = stopped.far_price(KO, "BUY")

    assert asked(stopped, ticket(ACCOUNT, KO, "BUY", 1, orderType="STP", price=price)) == ["o10331", "o10152", "o403"]


@pytest.mark.parametrize(("text", "status"), [("Use on this order", "Filled"), ("Do not use", "Cancelled")])
def test_a_prompted_order_waits_for_the_choice(stopped: Trader, text: str, status: str) -> None:
    stopped.knob(prompt_price_management=True)
    prompt = stopped.confirm_all(stopped.place(ACCOUNT, ticket(ACCOUNT, KO, "BUY", 5, cOID="p")))[0].json

    assert (prompt["messageId"], prompt["prompt"], prompt["type"]) == ("p12", True, "M")
    stopped.wait(20)
    assert stopped.status(prompt["orderId"]) == "Inactive"
    told = stopped.sandbox.store.rows("SELECT username FROM trading_events WHERE topic = 'ntf'")
    assert [row["username"] for row in told] == [USERNAME]
    answer = {"orderId": prompt["orderId"], "reqId": prompt["reqId"]}
    assert stopped.post("/iserver/notification", {**answer, "text": "Perhaps"}).status == 400
    assert stopped.post("/iserver/notification", {**answer, "text": text}).json == "Request was submitted"
    stopped.wait(20)
    assert stopped.status(prompt["orderId"]) == status
    assert stopped.post("/iserver/notification", {**answer, "text": text}).status == 400


def test_always_use_ends_the_prompts_of_the_username(stopped: Trader) -> None:
    stopped.knob(prompt_price_management=True)
    prompt = stopped.confirm_all(stopped.place(ACCOUNT, ticket(ACCOUNT, KO, "BUY", 1)))[0].json
    answer = {"orderId": prompt["orderId"], "reqId": prompt["reqId"], "text": "Always use"}
    stopped.post("/iserver/notification", answer)

    assert stopped.accept(ACCOUNT, ticket(ACCOUNT, KO, "BUY", 1))


def test_a_rejected_order_is_inactive_and_may_come_back(stopped: Trader) -> None:
    stopped.script({"order_ref": "r"}, reject={"because": "No shares to borrow", "after_milliseconds": 2000})
    order_id = stopped.accept(ACCOUNT, ticket(ACCOUNT, KO, "BUY", 5, cOID="r", orderType="LMT", price=60, tif="GTC"))
    stopped.wait(5)
    live = stopped.live(order_id)
    assert (live["status"], live["order_cancellation_by_system_reason"]) == ("Inactive", "No shares to borrow")

    assert control(stopped, f"/orders/{order_id}", {"revive": True}).status == 200
    stopped.wait(5)
    assert stopped.status(order_id) in ("Submitted", "Filled")
    assert control(stopped, f"/orders/{order_id}", {"revive": True}).status == 400


def test_an_order_saved_without_transmitting_is_inactive_until_it_is_cancelled(stopped: Trader) -> None:
    order_id = stopped.accept(ACCOUNT, ticket(ACCOUNT, KO, "BUY", 5, deactivated=True))
    stopped.wait(20)
    assert (stopped.status(order_id), stopped.trades(order_id)) == ("Inactive", [])

    stopped.delete(f"/iserver/account/{ACCOUNT}/order/{order_id}")
    assert stopped.status(order_id) == "Cancelled"


def test_scripted_fills_come_as_written_and_a_correction_replaces_one(stopped: Trader) -> None:
    stopped.script(
        {"account": ACCOUNT}, fills=[{"quantity": 3, "price": 60.5}, {"after_milliseconds": 9000, "quantity": 2}]
    )
    cash = stopped.cash(ACCOUNT)
    order_id = stopped.accept(ACCOUNT, ticket(ACCOUNT, KO, "BUY", 10, orderType="LMT", price=50, tif="GTC"))
    stopped.wait(5)
    [trade] = stopped.trades(order_id)
    assert (trade["size"], trade["price"]) == (3, "60.5")

    corrected = control(stopped, f"/executions/{trade['execution_id']}", {"price": 60.25}).json["execution_id"]

    assert corrected == trade["execution_id"][:-2] + "02"
    [after] = stopped.trades(order_id)
    assert (after["execution_id"], after["price"], after["commission"]) == (corrected, "60.25", trade["commission"])
    assert stopped.cash(ACCOUNT) == cash - 3 * Decimal("60.25") - Decimal(trade["commission"])
    assert stopped.live(order_id)["avgPrice"] == "60.25"
    assert control(stopped, f"/executions/{trade['execution_id']}", {"price": 60}).status == 400
    stopped.wait(10)
    assert stopped.live(order_id)["filledQuantity"] == 5
    assert all(amount == 0 for amount in stopped.sandbox.books.totals()[0].values())


def executed_and_corrected(trader: Trader, side: str, **changed: float) -> None:
    """Ten shares at 90, which is nowhere near what the account paid for those it holds; then the correction."""
    trader.script({"account": ACCOUNT}, fills=[{"quantity": 10, "price": 90}])
    order_id = trader.accept(ACCOUNT, ticket(ACCOUNT, KO, side, 10))
    trader.wait(5)
    [trade] = trader.trades(order_id)
    if changed:
        assert control(trader, f"/executions/{trade['execution_id']}", changed).status == 200


def coca_cola(trader: Trader) -> dict[str, Any]:
    found = trader.get(f"/portfolio2/{ACCOUNT}/positions").json
    return next(row for row in found if row["conid"] == str(KO))


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_a_corrected_commission_leaves_cost_and_profit_as_they_were(stopped: Trader, side: str) -> None:
    executed_and_corrected(stopped, side)
    before = coca_cola(stopped)

    [trade, *_] = stopped.trades(orderbook.of_master(stopped.sandbox, MASTER)[0].order_id)
    assert control(stopped, f"/executions/{trade['execution_id']}", {"commission": 2.5}).status == 200

    assert coca_cola(stopped) == before


@pytest.mark.parametrize("looks", [1, 2])
def test_fills_of_several_orders_are_booked_in_turn_however_late_somebody_looks(stopped: Trader, looks: int) -> None:
    held, cost = stopped.held(ACCOUNT, KO), Decimal(coca_cola(stopped)["avgCost"])
    for side, seconds, price in (("SELL", 3_000, 90), ("BUY", 1, 10)):
        fill = {"after_milliseconds": seconds * 1000, "quantity": 10, "price": price}
        stopped.script({"account": ACCOUNT, "side": side}, fills=[fill])
        stopped.accept(ACCOUNT, ticket(ACCOUNT, KO, side, 10))

    for _ in range(looks):
        stopped.wait(4_000 // looks)
        stopped.ready()

    average = (held * cost + 100) / (held + 10)  # what was bought first had its part in what was sold
    assert abs(Decimal(coca_cola(stopped)["realizedPnl"]) - 10 * (90 - average)) < Decimal("0.02")


def test_a_corrected_sale_realizes_its_own_profit_once(stopped: Trader) -> None:
    cost = Decimal(coca_cola(stopped)["avgCost"])

    executed_and_corrected(stopped, "SELL", price=91)

    assert abs(Decimal(coca_cola(stopped)["realizedPnl"]) - 10 * (91 - cost)) < Decimal("0.01")
    assert abs(Decimal(coca_cola(stopped)["avgCost"]) - cost) < Decimal("0.001")


def test_a_correction_of_the_day_after_leaves_the_statement_of_the_day_as_it_was(stopped: Trader) -> None:
    executed_and_corrected(stopped, "BUY")
    day = stopped.sandbox.clock.now().date()
    account = stopped.sandbox.accounts.get(ACCOUNT)
    assert account
    before = draw(stopped.sandbox, account, day, day)
    stopped.wait(86_400)
    stopped.ready()
    [trade, *_] = stopped.trades(orderbook.of_master(stopped.sandbox, MASTER)[0].order_id)

    assert control(stopped, f"/executions/{trade['execution_id']}", {"price": 89}).status == 200

    assert draw(stopped.sandbox, account, day, day) == before
    trades = draw(stopped.sandbox, account, day + timedelta(days=1), day + timedelta(days=1)).trades
    assert [(entry.quantity, entry.price) for entry in trades] == [(-10, 90), (10, 89)]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"script": {}},
        {"script": {"explode": True}},
        {"match": {"colour": 1}, "script": {"refuse": "no"}},
        {"script": {"fills": [{"quantity": 0}]}},
        {"script": {"reject": {"status": "Filled"}}},
        {"script": {"ask": ["o1"]}},
    ],
)
def test_a_script_that_says_nothing_known_is_a_mistake(stopped: Trader, body: dict[str, Any]) -> None:
    assert control(stopped, "/orders", body).status == 400


def shares(trader: Trader, order_id: int) -> dict[str, int]:
    rows = trader.sandbox.store.rows("SELECT account, quantity FROM trading_shares WHERE order_id = ?", order_id)
    return {row["account"]: row["quantity"] for row in rows if row["quantity"]}


def group(trader: Trader, method: str, **amounts: int) -> None:
    accounts = [{"name": name, "amount": amount} if amount else {"name": name} for name, amount in amounts.items()]
    body = {"name": "G", "default_method": method, "accounts": accounts}
    assert trader.post("/iserver/account/allocation/group", body).json == {"success": True}


@pytest.mark.parametrize("method", ["C", "P", "R", "S"])
def test_given_amounts_share_the_quantity(stopped: Trader, method: str) -> None:
    group(stopped, method, U1000011=25, U1000012=75)

    assert shares(stopped, stopped.accept("G", ticket("G", KO, "BUY", 40))) == {"U1000011": 10, "U1000012": 30}


def test_a_ticket_may_override_the_method_of_its_group(stopped: Trader) -> None:
    group(stopped, "R", U1000011=1, U1000012=3)
    order = ticket("G", KO, "BUY", 40, allocationMethod="EqualQuantity")

    assert shares(stopped, stopped.accept("G", order)) == {"U1000011": 20, "U1000012": 20}
    wrong = stopped.place("G", {**order, "allocationMethod": "PctChange"})
    assert wrong.json == {"error": "Invalid allocation method: PctChange"}


def test_presets_close_positions_first_or_make_them_proportional(stopped: Trader) -> None:
    held = int(stopped.held(ACCOUNT, KO))
    group(stopped, "E", U1000012=0, U1000016=0)
    other = int(stopped.held("U1000016", KO))
    stopped.knob(short_selling=True)
    presets = stopped.get(PRESETS).json
    closing = {**presets, "group_auto_close_positions": True, "group_proportional_allocation": True}
    stopped.post(PRESETS, closing)
    quantity = held + other

    first = stopped.accept("G", ticket("G", KO, "SELL", quantity))
    assert shares(stopped, first) == {name: units for name, units in (("U1000012", held), ("U1000016", other)) if units}

    stopped.delete(f"/iserver/account/G/order/{first}")
    stopped.post(PRESETS, {**closing, "group_proportional_allocation": False})
    now = {name: int(stopped.held(name, KO)) for name in ("U1000012", "U1000016")}
    gap = abs(now["U1000012"] - now["U1000016"])
    second = stopped.accept("G", ticket("G", KO, "BUY", gap + 10))
    bought = shares(stopped, second)
    assert now["U1000012"] + bought.get("U1000012", 0) == now["U1000016"] + bought.get("U1000016", 0)


def test_accounts_without_a_share_do_not_keep_alive_an_order_that_the_others_cannot_bear(stopped: Trader) -> None:
    group(stopped, "R", U1000014=9, U1000012=1)
    stopped.knob(credit_failure="reduce")

    refused = stopped.confirm_all(stopped.place("G", ticket("G", KO, "SELL", 1)))[0]

    assert "free to sell" in refused.json["error"]
    assert stopped.effects("order") == 0


def test_a_login_to_trader_workstation_overwrites_the_presets_and_takes_the_session(stopped: Trader) -> None:
    presets = stopped.get(PRESETS).json
    stopped.post(PRESETS, {**presets, "strict_credit_check": True})

    assert control(stopped, "/tws", {"username": USERNAME, "presets": {"default_method_for_all": "E"}}).status == 200

    assert stopped.get(PRESETS).status == 401
    stopped.ready()
    assert stopped.get(PRESETS).json == {**presets, "default_method_for_all": "E"}
    assert control(stopped, "/tws", {"username": "nobody"}).status == 400


def test_an_account_that_cannot_pay_is_left_out_unless_credit_is_strict(stopped: Trader) -> None:
    group(stopped, "R", U1000012=1, U1000014=1)
    order = ticket("G", KO, "SELL", 20)
    stopped.knob(credit_failure="reduce")

    assert shares(stopped, stopped.accept("G", order)) == {"U1000012": 10}

    stopped.post(PRESETS, {**stopped.get(PRESETS).json, "strict_credit_check": True})
    refused = stopped.confirm_all(stopped.place("G", order))[0]
    assert "free to sell" in refused.json["error"]
    assert stopped.get("/iserver/account/allocation/group").json["data"]
    assert stopped.get("/portfolio/accounts").json[0]["accountId"] == MASTER
