from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backoffice.sandbox.app import build
from backoffice.sandbox.clock import moment
from tests.checked_sandbox import checked
from tests.sandbox.trading.trader import AAPL, HSBA, KO, MASTER, NVDA, SPY, Trader, inline, ticket

ACCOUNT = "U1000012"
BALANCED = ["U1000011", "U1000012", "U1000013", "U1000016", "U1000019"]


def settle(trader: Trader, order_id: int, seconds: int = 20) -> None:
    trader.wait(seconds)
    assert trader.live(order_id)["status"] == "Filled"


def test_a_marketable_order_fills_in_parts_over_time_and_books_both_sides(trader: Trader) -> None:
    cash, held = trader.cash(ACCOUNT), trader.held(ACCOUNT, KO)
    order_id = trader.accept(ACCOUNT, ticket(ACCOUNT, KO, "BUY", 100, cOID="m-1"))

    seen = []
    for _ in range(14):
        trader.wait(1)
        live = trader.live(order_id)
        seen.append(int(live["filledQuantity"]))
        assert live["filledQuantity"] + live["remainingQuantity"] == live["totalSize"] == 100
        assert trader.held(ACCOUNT, KO) == held + seen[-1]

    assert seen == sorted(seen)
    assert 2 <= len(set(seen) - {0}) <= 4
    trades = trader.trades(order_id)
    spent = sum(Decimal(trade["price"]) * trade["size"] + Decimal(trade["commission"]) for trade in trades)
    assert trader.cash(ACCOUNT) == cash - spent
    assert sum(Decimal(trade["commission"]) for trade in trades) == 1
    assert sum(trade["size"] for trade in trades) == 100
    assert {trade["order_ref"] for trade in trades} == {"m-1"}
    assert {trade["account"] for trade in trades} == {ACCOUNT}
    average = sum(Decimal(trade["price"]) * trade["size"] for trade in trades) / 100
    assert Decimal(trader.live(order_id)["avgPrice"]) == average.quantize(Decimal("0.00000001"))


def test_selling_brings_cash_and_takes_shares(trader: Trader) -> None:
    cash, held = trader.cash(ACCOUNT), trader.held(ACCOUNT, KO)
    order_id = trader.accept(ACCOUNT, ticket(ACCOUNT, KO, "SELL", 50))
    settle(trader, order_id)

    trades = trader.trades(order_id)
    assert {trade["side"] for trade in trades} == {"S"}
    got = sum(trade["net_amount"] - Decimal(trade["commission"]) for trade in trades)
    assert trader.cash(ACCOUNT) == cash + got
    assert trader.held(ACCOUNT, KO) == held - 50


def test_pence_are_booked_as_pounds(trader: Trader) -> None:
    cash = trader.cash("U1000014", "GBP")
    order_id = trader.accept("U1000014", ticket("U1000014", HSBA, "BUY", 100))
    settle(trader, order_id)

    trades = trader.trades(order_id)
    spent = sum((Decimal(trade["price"]) / 100 * trade["size"]).quantize(Decimal("0.01")) for trade in trades)
    charged = sum(Decimal(trade["commission"]) for trade in trades)
    assert charged == 3
    assert trader.cash("U1000014", "GBP") == cash - spent - charged
    assert 900 < spent < 1300


def test_a_limit_waits_until_the_minute_of_the_crossing_and_never_pays_more(stopped: Trader) -> None:
    market, now = stopped.sandbox.market, stopped.sandbox.clock.now()
    limit = (market.price(NVDA) * Decimal("0.985")).quantize(Decimal("0.01"))
    order = ticket("U1000011", NVDA, "BUY", 20, orderType="LMT", price=limit, tif="GTC")
    order_id = stopped.accept("U1000011", order)
    stopped.wait(30)
    assert stopped.live(order_id)["status"] == "Submitted"
    assert stopped.trades(order_id) == []
    minute = now.replace(second=0, microsecond=0)
    crossing = next(
        minute + timedelta(minutes=n)
        for n in range(1, 60 * 24 * 40)
        if market.spread(NVDA, minute + timedelta(minutes=n))[1] <= limit
    )

    stopped.wait(int((crossing - now).total_seconds()) + 86_400 * 9)  # looked at once, long after
    stopped.ready()

    row = stopped.sandbox.store.row("SELECT * FROM trading_orders WHERE order_id = ?", order_id)
    assert row is not None
    assert row["status"] == "Filled"
    fills = stopped.sandbox.store.rows("SELECT price, at FROM trading_executions WHERE order_id = ?", order_id)
    assert all(Decimal(fill["price"]) <= limit for fill in fills)
    assert all(timedelta() < moment(fill["at"]) - crossing <= timedelta(seconds=12) for fill in fills)


def test_a_day_order_expires_at_midnight_in_new_york(trader: Trader) -> None:
    price = trader.far_price(KO, "BUY", 20)
    order_id = trader.accept(ACCOUNT, ticket(ACCOUNT, KO, "BUY", 5, orderType="LMT", price=price))
    trader.wait(86_400)
    trader.sandbox.tick()

    row = trader.sandbox.store.row("SELECT status, ended_because FROM trading_orders WHERE order_id = ?", order_id)
    assert row is not None
    assert tuple(row) == ("Cancelled", "Order expired")


def test_immediate_or_cancel_fills_at_once_or_not_at_all(trader: Trader) -> None:
    filled = trader.accept(ACCOUNT, ticket(ACCOUNT, KO, "BUY", 5, tif="IOC"))
    missed = trader.accept(
        ACCOUNT, ticket(ACCOUNT, KO, "BUY", 5, tif="IOC", orderType="LMT", price=trader.far_price(KO, "BUY"))
    )

    assert trader.live(filled)["status"] == "Filled"
    assert trader.live(missed)["status"] == "Cancelled"
    assert "order_cancellation_by_system_reason" in trader.live(missed)


def test_a_stop_waits_presubmitted_and_one_past_the_market_triggers(trader: Trader) -> None:
    last = trader.sandbox.market.price(KO)
    waiting = trader.accept(
        ACCOUNT, ticket(ACCOUNT, KO, "SELL", 5, orderType="STP", price=trader.far_price(KO, "BUY", 10))
    )
    touched = trader.accept(ACCOUNT, ticket(ACCOUNT, KO, "SELL", 5, orderType="STP", price=last + Decimal("1.00")))
    both = ticket(
        ACCOUNT, KO, "SELL", 5, orderType="STOP_LIMIT", price=last - Decimal("1.00"), auxPrice=last + Decimal("1.00")
    )
    stop_limit = trader.accept(ACCOUNT, both)
    trader.wait(20)

    assert trader.live(waiting)["status"] == "PreSubmitted"
    assert trader.live(touched)["status"] == "Filled"
    assert trader.live(stop_limit)["status"] == "Filled"


@pytest.mark.parametrize(("group", "method"), [("Balanced", "N"), ("Income", "E")])
def test_a_group_order_is_shared_by_the_groups_method(trader: Trader, group: str, method: str) -> None:
    accounts = trader.post("/iserver/account/allocation/group/single", {"name": group}).json["accounts"]
    members = [item["name"] for item in accounts]
    equities = trader.get("/iserver/account/allocation/accounts").json["accounts"]
    worth = {item["name"]: Decimal(item["data"][0]["value"]) if method == "N" else Decimal(1) for item in equities}
    before = {member: trader.held(member, SPY) for member in members}

    order_id = trader.accept(group, ticket(group, SPY, "BUY", 23))
    settle(trader, order_id)

    got = {member: trader.held(member, SPY) - before[member] for member in members}
    total = sum(worth[member] for member in members)
    assert sum(got.values()) == 23
    assert all(abs(got[member] - 23 * worth[member] / total) < 1 for member in members)
    live = trader.live(order_id)
    assert (live["acct"], live["account"]) == (group, group)


def test_every_account_of_a_block_gets_the_same_average_price(trader: Trader) -> None:
    order_id = trader.accept("Balanced", ticket("Balanced", KO, "BUY", 150))
    cash = {account: trader.cash(account) for account in BALANCED}
    settle(trader, order_id)

    trades = trader.trades(order_id)
    assert {Decimal(trade["price"]) for trade in trades} == {Decimal(trader.live(order_id)["avgPrice"])}
    assert {trade["account_allocation_name"] for trade in trades} == set(BALANCED)
    for account in BALANCED:
        mine = [trade for trade in trades if trade["account"] == account]
        spent = sum(trade["net_amount"] + Decimal(trade["commission"]) for trade in mine)
        assert trader.cash(account) == cash[account] - spent
        assert sum(Decimal(trade["commission"]) for trade in mine) >= 1
    assert len({trade["execution_id"] for trade in trades}) == len(trades)


def test_inline_shares_are_given_exactly(trader: Trader) -> None:
    order_id = trader.accept(MASTER, inline({"U1000011": 7, "U1000012": 2, "U1000016": 1}, KO, "BUY", cOID="inline-1"))
    before = {account: trader.held(account, KO) for account in ("U1000011", "U1000016")}
    settle(trader, order_id)

    shares = dict.fromkeys(("U1000011", "U1000012", "U1000016"), 0)
    for trade in trader.trades(order_id):
        shares[trade["account"]] += int(trade["size"])
    assert shares == {"U1000011": 7, "U1000012": 2, "U1000016": 1}
    assert trader.held("U1000011", KO) == before["U1000011"] + 7
    assert trader.live(order_id)["acct"] == MASTER


def test_inline_amounts_that_do_not_add_up_are_ratios_and_the_quantity_wins(trader: Trader) -> None:
    order = {**inline({"U1000011": 1, "U1000012": 3}, KO, "BUY"), "quantity": 100}
    order_id = trader.accept(MASTER, order)

    shares = trader.sandbox.store.rows("SELECT account, quantity FROM trading_shares WHERE order_id = ?", order_id)
    assert {row["account"]: row["quantity"] for row in shares} == {"U1000011": 25, "U1000012": 75}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(quantity=st.integers(1, 400), filled=st.data())
def test_a_block_cancelled_part_filled_is_shared_exactly(trader: Trader, quantity: int, filled: st.DataObject) -> None:
    trader.knob(cancel_milliseconds=0, value_limit=10**9, fill_seconds=12)
    order_id = trader.accept("Balanced", ticket("Balanced", KO, "BUY", quantity))
    before = {account: trader.held(account, KO) for account in BALANCED}
    trader.wait(filled.draw(st.integers(0, 14)))
    cancelled = trader.delete(f"/iserver/account/Balanced/order/{order_id}")

    assert cancelled.status == 200
    live = trader.live(order_id)
    assert live["status"] in ("Cancelled", "Filled")
    shares = {account: trader.held(account, KO) - before[account] for account in BALANCED}
    promised = {
        row["account"]: row["quantity"]
        for row in trader.sandbox.store.rows(
            "SELECT account, quantity FROM trading_shares WHERE order_id = ?", order_id
        )
    }
    assert sum(promised.values()) == quantity
    assert sum(shares.values()) == live["filledQuantity"]
    assert all(0 <= shares[account] <= promised[account] for account in BALANCED)
    assert sum(trade["size"] for trade in trader.trades(order_id)) == live["filledQuantity"]
    assert all(amount == 0 for amount in trader.sandbox.books.totals()[0].values())


def test_a_cancel_is_asked_for_first_and_takes_effect_later(trader: Trader) -> None:
    price = trader.far_price(KO, "BUY")
    order_id = trader.accept(ACCOUNT, ticket(ACCOUNT, KO, "BUY", 10, orderType="LMT", price=price, cOID="c-1"))
    trader.wait(2)
    path = f"/iserver/account/{ACCOUNT}/order/{order_id}"

    answer = trader.delete(path).json

    assert answer == {"msg": "Request was submitted", "order_id": order_id, "conid": KO, "account": ACCOUNT}
    assert trader.live(order_id)["status"] == "PendingCancel"
    assert trader.delete(path).json["msg"] == "Request was submitted"  # repeating does no harm
    trader.wait(2)
    assert trader.live(order_id)["status"] == "Cancelled"
    assert trader.live(order_id)["filledQuantity"] == 0
    assert trader.effects("cancel", "c-1") == 1
    assert trader.delete(path).json == {"error": f"OrderID {order_id} doesn't exist"}


def test_fills_may_still_come_while_a_cancel_is_pending(trader: Trader) -> None:
    trader.knob(cancel_milliseconds=60_000)
    order_id = trader.accept(ACCOUNT, ticket(ACCOUNT, KO, "BUY", 10))
    trader.delete(f"/iserver/account/{ACCOUNT}/order/{order_id}")
    trader.wait(20)

    assert trader.live(order_id)["status"] == "Filled"


@pytest.mark.parametrize("order_id", ["-2", "1", "x"])
def test_cancelling_what_is_not_there_is_refused(trader: Trader, order_id: str) -> None:
    refused = trader.delete(f"/iserver/account/{ACCOUNT}/order/{order_id}")

    assert "error" in refused.json
    assert trader.effects("cancel") == 0


def test_another_accounts_path_does_not_cancel(trader: Trader) -> None:
    order_id = trader.accept(
        ACCOUNT, ticket(ACCOUNT, KO, "BUY", 10, orderType="LMT", price=trader.far_price(KO, "BUY"))
    )

    assert "doesn't exist" in trader.delete(f"/iserver/account/U1000011/order/{order_id}").json["error"]


def test_live_orders_are_empty_first_and_whenever_forced(trader: Trader) -> None:
    trader.accept("U1000011", ticket("U1000011", KO, "BUY", 1, cOID="seen"))
    path = "/iserver/account/orders"

    assert trader.get(path).json == {"orders": [], "snapshot": False}
    assert [order["order_ref"] for order in trader.get(path).json["orders"]] == ["seen"]
    assert trader.get(path, force="true").json == {"orders": [], "snapshot": False}
    assert trader.get(path).json["snapshot"] is True
    assert trader.get(path, filters="cancelled").json["orders"] == []
    assert len(trader.get(path, filters="pre_submitted,submitted,filled").json["orders"]) == 1
    trader.knob(order_ref_in_orders=False)
    assert "order_ref" not in trader.get(path).json["orders"][0]


def test_live_orders_are_scoped_by_account(trader: Trader) -> None:
    far = {"orderType": "LMT", "price": trader.far_price(KO, "BUY")}
    single = trader.accept(ACCOUNT, ticket(ACCOUNT, KO, "BUY", 1, **far))
    group = trader.accept("Income", ticket("Income", KO, "BUY", 8, **far))
    block = trader.accept(MASTER, inline({"U1000011": 1, ACCOUNT: 1}, KO, "BUY", **far))
    trader.get("/iserver/account/orders")

    def ids(**query: str) -> set[int]:
        return {order["orderId"] for order in trader.get("/iserver/account/orders", **query).json["orders"]}

    assert ids() == {group, block}  # U1000011 is selected
    assert ids(accountId=ACCOUNT) == {single}
    assert ids(accountId="Income") == {group}
    assert ids(accountId=MASTER) == {group, block}
    assert ids(accountId="All") == {single, group, block}
    trader.post("/iserver/account", {"acctId": ACCOUNT})
    assert ids() == {single, group, block}


def test_a_new_session_sees_what_works_and_not_what_ended(trader: Trader) -> None:
    done = trader.accept("U1000011", ticket("U1000011", KO, "BUY", 1, tif="IOC"))
    works = trader.accept(
        "U1000011", ticket("U1000011", KO, "BUY", 1, orderType="LMT", price=trader.far_price(KO, "BUY"))
    )
    trader.break_session("reset")
    trader.ready()

    trader.get("/iserver/account/orders")
    found = [order["orderId"] for order in trader.get("/iserver/account/orders", accountId="All").json["orders"]]
    assert found == [works]
    assert trader.get(f"/iserver/account/order/status/{done}").status == 503
    assert len(trader.trades(done)) == 1


def test_the_status_of_an_order_wants_its_account_selected(trader: Trader) -> None:
    order_id = trader.accept(
        ACCOUNT, ticket(ACCOUNT, AAPL, "BUY", 5, orderType="LMT", price=trader.far_price(AAPL, "BUY"))
    )
    path = f"/iserver/account/order/status/{order_id}"
    trader.wait(2)

    assert trader.get(path).status == 503
    trader.post("/iserver/account", {"acctId": ACCOUNT})
    found = trader.get(path).json
    assert (found["order_status"], found["side"], found["size"], found["total_size"]) == (
        "Submitted",
        "B",
        "5.0",
        "5.0",
    )
    assert (found["order_id"], found["account"], found["cum_fill"]) == (order_id, ACCOUNT, "0.0")
    assert trader.get("/iserver/account/order/status/1").status == 503


def test_a_filled_day_order_shows_close_and_its_average(trader: Trader) -> None:
    order_id = trader.accept(ACCOUNT, ticket(ACCOUNT, KO, "BUY", 5))
    settle(trader, order_id)

    live = trader.live(order_id)
    assert (live["timeInForce"], live["orderType"], live["price"], live["sizeAndFills"]) == ("CLOSE", "Market", "", "5")
    assert isinstance(live["orderId"], int)
    assert isinstance(live["avgPrice"], str)


def test_trades_of_the_demonstration_go_back_seven_days(trader: Trader) -> None:
    path = "/iserver/account/trades"
    assert trader.get(path, days=7, accountId="All").json == []  # the first call of a session

    found = trader.get(path, days=7, accountId="All").json

    assert len({trade["order_id"] for trade in found}) >= 6
    trade = found[0]
    assert isinstance(trade["price"], str)
    assert isinstance(trade["commission"], str)
    assert isinstance(trade["trade_time_r"], int)
    account = found[-1]["account"]
    assert {row["account"] for row in trader.get(path, days=7, accountId=account).json} == {account}
    assert trader.get(path, days=8).status == 400


def test_commission_may_come_late(trader: Trader) -> None:
    trader.knob(commission_delay_seconds=60)
    order_id = trader.accept(ACCOUNT, ticket(ACCOUNT, KO, "BUY", 5, tif="IOC"))

    assert "commission" not in trader.trades(order_id)[0]
    trader.wait(61)
    assert trader.trades(order_id)[0]["commission"] == "1.00"


def test_working_orders_survive_a_restart_of_the_sandbox(trader: Trader, tmp_path: Path) -> None:
    order_id = trader.accept(ACCOUNT, ticket(ACCOUNT, KO, "BUY", 50))
    trader.sandbox.store.close()
    trader.app = checked(build(tmp_path, seed=7))
    trader.sandbox = trader.app.state.sandbox
    trader.wait(20)

    assert trader.live(order_id)["status"] == "Filled"
    assert sum(trade["size"] for trade in trader.trades(order_id)) == 50


def test_the_books_sum_to_zero_after_trading(trader: Trader) -> None:
    for order_id in (
        trader.accept("Balanced", ticket("Balanced", SPY, "BUY", 17)),
        trader.accept("U1000014", ticket("U1000014", HSBA, "SELL", 33)),
    ):
        settle(trader, order_id)

    cash, units = trader.sandbox.books.totals()
    assert all(amount == 0 for amount in cash.values())
    assert all(amount == 0 for amount in units.values())


def test_a_reply_whose_answer_is_lost_has_placed_exactly_one_order(trader: Trader) -> None:
    order = ticket(ACCOUNT, KO, "BUY", 5, cOID="lost")
    [question] = trader.place(ACCOUNT, order).json
    fault = {"method": "POST", "path": "/iserver/reply/", "phase": "applied_not_answered", "action": "reset"}
    trader.call("POST", "/_sandbox/faults", fault, root="")

    with pytest.raises(ConnectionResetError):
        trader.post(f"/iserver/reply/{question['id']}", {"confirmed": True})

    assert trader.effects("order", "lost") == 1
    assert trader.post(f"/iserver/reply/{question['id']}", {"confirmed": True}).status == 400
    assert "already registered" in trader.place(ACCOUNT, order).json["error"]
    found = trader.get("/iserver/account/orders", accountId=ACCOUNT, force="true")
    found = trader.get("/iserver/account/orders", accountId=ACCOUNT)
    assert [row["order_ref"] for row in found.json["orders"]] == ["lost"]
