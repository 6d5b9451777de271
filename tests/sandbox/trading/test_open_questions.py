"""Where IBKR's documents leave an answer open the sandbox plays each: what a knob changes, and what it is without it."""

from decimal import Decimal
from typing import Any

import pytest

from tests.sandbox.trading.trader import AAPL, ASML, KO, MASTER, Trader, inline, ticket

ACCOUNT = "U1000011"
THREE = ("U1000011", "U1000012", "U1000013")
GROUP = "/iserver/account/allocation/group"


def preview(trader: Trader, account: str = ACCOUNT, **more: Any) -> Any:
    return trader.post(
        f"/iserver/account/{account}/orders/whatif", {"orders": [ticket(account, KO, "BUY", 10, **more)]}
    )


def resting(trader: Trader, account: str = ACCOUNT, quantity: int = 9, **more: Any) -> dict[str, Any]:
    price = trader.far_price(KO, "BUY")
    return ticket(account, KO, "BUY", quantity, orderType="LMT", price=price, **more)


def make_group(trader: Trader, method: str, *amounts: Any) -> Any:
    accounts = [
        {"name": name, **({"amount": amount} if amount else {})}
        for name, amount in zip(THREE, amounts or (None,) * 3, strict=False)
    ]
    return trader.post(GROUP, {"name": "Three", "default_method": method, "accounts": accounts})


def promised(trader: Trader, order_id: int) -> dict[str, int]:
    (effect,) = [each for each in trader.sandbox.ledger.effects("order") if each.broker_id == str(order_id)]
    return dict(effect.data["promised"])


def test_a_preview_of_a_contract_that_was_not_looked_at_warns(trader: Trader) -> None:
    assert preview(trader).json["warn"].startswith("21/You are trying to submit an order without having market data")

    trader.get("/iserver/marketdata/snapshot", conids=KO, fields="31")

    assert preview(trader).json["warn"] is None


def test_a_commission_is_a_figure_or_a_range(trader: Trader) -> None:
    assert preview(trader).json["amount"]["commission"] == "1.00 USD"
    trader.knob(commission_range=True)
    assert preview(trader).json["amount"]["commission"] == "0.50 … 1.00 USD"


def test_a_block_has_a_preview_or_none(trader: Trader) -> None:
    assert preview(trader, "Income").status == 200
    trader.knob(what_if_of_blocks="refused")
    assert preview(trader, "Income").status == 400
    body = {"orders": [inline({THREE[0]: 1, THREE[1]: 1}, KO, "BUY")]}
    assert trader.post(f"/iserver/account/{MASTER}/orders/whatif", body).status == 400
    assert preview(trader).status == 200


def test_an_order_begins_as_pre_submitted_or_as_pending_submit(stopped: Trader) -> None:
    assert stopped.place(ACCOUNT, resting(stopped)).json[0]["order_status"] == "PreSubmitted"
    stopped.knob(first_status="PendingSubmit")
    order_id = int(stopped.place(ACCOUNT, resting(stopped)).json[0]["order_id"])
    assert stopped.status(order_id) == "PendingSubmit"

    stopped.wait(2)

    assert stopped.status(order_id) == "Submitted"


def test_a_side_is_written_in_capitals_or_in_any_case(trader: Trader) -> None:
    dear = {"orders": [{**ticket(ACCOUNT, KO, "BUY", 90_000), "side": "Buy"}]}
    path = f"/iserver/account/{ACCOUNT}/orders/whatif"
    assert trader.post(path, dear).json["error"] == "Bad Request: side is not valid: Buy"
    trader.knob(side_in_any_case=True)
    assert "insufficient funds" in trader.post(path, dear).json["error"]


def test_a_block_is_listed_under_its_group_or_under_the_master_account(trader: Trader) -> None:
    order_id = trader.accept("Income", resting(trader, "Income", 8))
    assert trader.live(order_id)["account"] == "Income"
    trader.knob(block_order_account="master")
    assert (trader.live(order_id)["account"], trader.live(order_id)["acct"]) == (MASTER, MASTER)


def test_units_left_over_go_as_listed_or_by_lot(trader: Trader) -> None:
    assert make_group(trader, "E").json == {"success": True}
    assert promised(trader, trader.accept("Three", resting(trader, "Three", 4))) == {
        THREE[0]: 2,
        THREE[1]: 1,
        THREE[2]: 1,
    }
    trader.knob(remainders="drawn")

    drawn = []
    for seed in range(8):
        trader.sandbox.seed = seed
        share = promised(trader, trader.accept("Three", resting(trader, "Three", 4)))
        assert sorted(share.values()) == [1, 1, 2]
        drawn.append(max(share, key=lambda account: share[account]))

    assert len(set(drawn)) > 1
    trader.sandbox.seed = 3
    again = promised(trader, trader.accept("Three", resting(trader, "Three", 4)))
    assert max(again, key=lambda account: again[account]) == drawn[3]


def test_shares_of_a_group_are_scaled_or_must_add_up(trader: Trader) -> None:
    assert make_group(trader, "S", 2, 1, 1).json == {"success": True}
    assert promised(trader, trader.accept("Three", resting(trader, "Three", 8))) == {
        THREE[0]: 4,
        THREE[1]: 2,
        THREE[2]: 2,
    }
    trader.knob(shares_scaled=False)

    assert "not the sum of the group's shares" in trader.place("Three", resting(trader, "Three", 8)).json["error"]
    assert trader.accept("Three", resting(trader, "Three", 4))


def test_amounts_of_a_group_may_have_decimals_or_not(trader: Trader) -> None:
    trader.knob(whole_amounts=True)
    assert make_group(trader, "P", 33.5, 33.5, 33).status == 500
    assert make_group(trader, "P", 34, 33, 33).json == {"success": True}
    trader.knob(whole_amounts=False)
    assert trader.post(f"{GROUP}/delete", {"name": "Three"}).json == {"success": True}
    assert make_group(trader, "P", 33.5, 33.5, 33).json == {"success": True}


def test_what_an_account_may_buy_with_cash_and_in_fractions_is_shown_where_it_may(trader: Trader) -> None:
    def shown() -> tuple[Any, ...]:
        properties = trader.get("/iserver/accounts").json["acctProps"][ACCOUNT]
        rules = trader.post("/iserver/contract/rules", {"conid": AAPL}).json
        flags = (properties["supportsCashQty"], properties["supportsFractions"])
        return (*flags, bool(rules["cqtTypes"]), bool(rules["fraqTypes"]))

    assert shown() == (False, False, False, False)
    trader.knob(supports_cash_quantity=True, supports_fractions=True)
    assert shown() == (True, True, True, True)


def test_the_suffix_a_of_a_time_in_force_says_nothing_or_all_or_none(trader: Trader) -> None:
    def suffixes(conid: int) -> set[str]:
        listed = trader.post("/iserver/contract/rules", {"conid": conid}).json["tifTypes"]
        return {each.rpartition(",")[2] for each in listed}

    def whole(conid: int) -> Any:
        price = trader.far_price(conid, "BUY")
        wanted = ticket(ACCOUNT, conid, "BUY", 1, orderType="LMT", price=price, allOrNone=True)
        return trader.place(ACCOUNT, wanted).json

    assert suffixes(KO) == suffixes(ASML) == {"a"}
    assert isinstance(whole(ASML), list)
    trader.knob(tif_suffix_a="all-or-none")

    assert suffixes(KO) == {"a"}
    assert "a" not in suffixes(ASML)
    assert whole(ASML) == {"error": "invalid order attribute : All or None"}
    assert isinstance(whole(KO), list)
    assert trader.accept(ACCOUNT, ticket(ACCOUNT, ASML, "BUY", 1))


def test_notices_are_read_with_the_sign_on_alone_or_in_a_session(cold: Trader) -> None:
    assert cold.get("/fyi/unreadnumber").status == 200
    cold.knob(fyi_needs_session=True)
    assert cold.get("/fyi/unreadnumber").status in (400, 401)
    cold.ready()
    assert cold.get("/fyi/unreadnumber").status == 200


@pytest.mark.parametrize("status", [401, 410])
def test_whoever_has_logged_out_is_unauthorized_or_gone(trader: Trader, status: int) -> None:
    trader.knob(logged_out_status=status)

    assert trader.post("/logout").json == {"status": True}

    assert trader.get("/sso/validate").status == status
    trader.token = "nobody"
    assert trader.get("/sso/validate").status == 401


def test_a_path_that_nobody_serves_is_a_page(trader: Trader) -> None:
    found = trader.get("/iserver/no/such/thing")

    assert (found.status, found.text) == (404, "<html>Resource not found</html>")


def test_a_request_without_a_user_agent_never_reaches_the_limits(trader: Trader) -> None:
    trader.knob(enforce_pacing=True)
    for _ in range(3):  # one validation a minute is the limit
        assert trader.call("GET", "/sso/validate", agent=b"").status == 403
    assert trader.get("/sso/validate").status == 200
    assert trader.get("/sso/validate").status == 429


def test_percentages_add_up_to_100_or_are_ratios(trader: Trader) -> None:
    assert make_group(trader, "P", 50, 25, 5).json == {"error": "Percentages must add up to 100"}
    trader.knob(percentages_add_up=False)
    assert make_group(trader, "P", 50, 25, 5).json == {"success": True}
    order_id = trader.accept("Three", resting(trader, "Three", 16))
    assert list(promised(trader, order_id).values()) == [10, 5, 1]


def test_a_group_by_cash_quantity_takes_units_or_cash(trader: Trader) -> None:
    assert make_group(trader, "C", 5000, 3000, 2000).json == {"success": True}
    in_units = resting(trader, "Three", 10)
    in_cash = {name: value for name, value in in_units.items() if name != "quantity"} | {"cashQty": 610}
    assert list(promised(trader, trader.accept("Three", in_units)).values()) == [5, 3, 2]
    assert "Cash quantity orders are not supported" in trader.place("Three", in_cash).json["error"]
    trader.knob(cash_groups="cash")

    assert "needs a cash quantity" in trader.place("Three", in_units).json["error"]
    order_id = trader.accept("Three", in_cash)

    bought = int(610 / in_cash["price"])
    assert sum(promised(trader, order_id).values()) == bought > 5
    assert trader.accept("Income", resting(trader, "Income", 8))  # a group of another method goes by units as ever


def test_equities_are_in_the_account_s_currency_or_in_the_master_s(trader: Trader) -> None:
    def equities() -> dict[str, Decimal]:
        found = trader.get("/iserver/account/allocation/accounts").json["accounts"]
        return {each["name"]: Decimal(each["data"][0]["value"]) for each in found}

    own = equities()
    trader.knob(equities_currency="master")
    in_dollars = equities()

    assert in_dollars["U1000011"] == own["U1000011"]
    rate = trader.sandbox.market.fx("EUR", "USD")
    assert abs(in_dollars["U1000013"] / own["U1000013"] - rate) < Decimal("0.001")
    assert rate != 1


@pytest.mark.parametrize("currency", ["account", "master"])
def test_a_block_by_net_liquidation_is_shared_in_one_currency(trader: Trader, currency: str) -> None:
    trader.knob(equities_currency="master")
    found = trader.get("/iserver/account/allocation/accounts").json["accounts"]
    worth = {each["name"]: Decimal(each["data"][0]["value"]) for each in found if each["name"] in THREE}
    trader.knob(equities_currency=currency)
    assert make_group(trader, "N").json == {"success": True}

    shares = promised(trader, trader.accept("Three", resting(trader, "Three", 1000)))

    total = sum(worth.values())
    assert all(abs(units - 1000 * worth[account] / total) < 2 for account, units in shares.items())


@pytest.mark.parametrize(
    ("knobs", "status", "body"),
    [
        ({}, 500, {"error": "Group Income already exists"}),
        ({"allocation_refusal_words": "vague"}, 500, {"error": "Operation failed"}),
        ({"allocation_refusal_words": "none", "allocation_refusal_status": 200}, 200, {"success": False}),
        ({"allocation_refusal_status": 400}, 400, {"error": "Group Income already exists"}),
    ],
)
def test_a_group_that_is_refused_is_refused_in_words_or_without(
    trader: Trader, knobs: dict[str, Any], status: int, body: dict[str, Any]
) -> None:
    trader.knob(**knobs)
    wanted = {"name": "Income", "default_method": "E", "accounts": [{"name": THREE[0]}]}

    found = trader.post(GROUP, wanted)

    assert (found.status, found.json) == (status, body)
    assert trader.effects("group") == 0
