from collections.abc import Callable
from decimal import Decimal
from time import monotonic, sleep
from typing import Any, TypeVar

import pytest

from backoffice.ibkr import OutcomeUnknown, Rejected
from backoffice.ibkr.types.allocation import GroupDefinition, GroupShare
from backoffice.ibkr.types.orders import (
    CancelRequested,
    Execution,
    LiveOrder,
    OrderTicket,
    Placed,
    PlaceOutcome,
    Question,
    Refused,
    Share,
    WhatIf,
)
from tests.contract.conftest import APPLE, MASTER, Connected

Value = TypeVar("Value")


def eventually(look: Callable[[], Value | None], seconds: int = 15) -> Value:
    deadline = monotonic() + seconds
    while (value := look()) is None:
        assert monotonic() < deadline, "it did not happen in time"
        sleep(0.2)
    return value


def last_price(trading: Connected) -> Decimal:
    (snapshot,) = trading.client.market.snapshot([APPLE])
    assert snapshot.last is not None
    return snapshot.last.value


def ticket(trading: Connected, key: str, **changes: Any) -> OrderTicket:
    """A day's limit order well away from the market, so that it rests."""
    price = (last_price(trading) * Decimal("0.98")).quantize(Decimal("0.01"))
    members = {
        "client_order_id": key,
        "conid": APPLE,
        "side": "BUY",
        "order_type": "LMT",
        "price": price,
        "quantity": "10",
    }
    return OrderTicket.model_validate({**members, "account": "U1000011", **changes})


def settled(trading: Connected, outcome: PlaceOutcome) -> Placed:
    """Confirm whatever is asked, as a person would who has read it."""
    for _ in range(10):
        if isinstance(outcome, Placed):
            return outcome
        assert isinstance(outcome, Question), outcome
        assert outcome.messages
        outcome = trading.client.orders.reply(outcome.reply_id, confirmed=True)
    raise AssertionError("the questions do not end")


def live(trading: Connected, key: str) -> LiveOrder | None:
    orders = trading.client.orders.live()
    if not orders.is_loaded:
        return None
    return next((order for order in orders.orders if order.client_order_id == key), None)


def fills(trading: Connected, key: str) -> list[Execution]:
    """The executions of one order; the first answers of a session may be empty."""
    return eventually(lambda: [each for each in trading.client.orders.trades() if each.client_order_id == key] or None)


def test_accounts_positions_cash_and_summary_agree_with_the_world(signed_in: Connected) -> None:
    portfolio = signed_in.client.portfolio
    world = {account["account"]: account for account in signed_in.sandbox.world()["accounts"]}
    listed = portfolio.subaccounts()

    assert {account.account_id for account in portfolio.accounts()}
    assert {"U1000011", "U1000019"} <= {account.account_id for account in listed}
    for account in listed[:3]:
        assert account.currency == world[account.account_id]["base_currency"]
        positions = portfolio.positions(account.account_id)
        assert 4 <= len(positions) <= 9
        assert all(position.quantity and position.market_value and position.currency for position in positions)
        ledger = portfolio.ledger(account.account_id)
        assert len(ledger.currencies) >= 2
        assert ledger.base is not None
        assert ledger.base.cash is not None
        summary = portfolio.summary(account.account_id)
        assert summary.net_liquidation is not None
        assert summary.net_liquidation.currency == account.currency
        assert summary.net_liquidation.amount
        assert summary.available_funds is not None
        portfolio.invalidate(account.account_id)


def test_an_account_that_is_not_ours_has_no_portfolio(trading: Connected) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011
        trading.client.portfolio.ledger("U9999999")

    assert type(caught.value).__name__ in ("Rejected", "Unavailable", "AuthFailed")


def test_instruments_are_found_and_described(trading: Connected) -> None:
    found = trading.client.contracts.search("AAPL")

    assert APPLE in {match.conid for match in found}
    assert len(found) > 1
    info = trading.client.contracts.info(APPLE)
    assert (info.conid, info.symbol, info.currency) == (APPLE, "AAPL", "USD")
    assert "NASDAQ" in info.valid_exchanges
    assert next(match for match in found if match.conid == APPLE).listing_exchange == "NASDAQ"
    assert trading.client.contracts.search("NOSUCHSYMBOL") == ()


def test_a_cold_snapshot_warms_up(trading: Connected) -> None:
    apple, microsoft = trading.client.market.snapshot([APPLE, "272093"])

    assert trading.sent("GET", "/snapshot") >= 2
    for snapshot in (apple, microsoft):
        assert snapshot.last is not None
        assert snapshot.bid is not None
        assert snapshot.ask is not None
        assert snapshot.bid.value <= snapshot.ask.value
        assert snapshot.availability


def test_groups_are_made_read_changed_and_removed(trading: Connected) -> None:
    allocation = trading.client.allocation
    made = GroupDefinition(
        name="Contract",
        method="R",
        members=(GroupShare(account="U1000011", amount="1"), GroupShare(account="U1000012", amount="3")),
    )
    changed = GroupDefinition(name="Contract 2", method="E", members=(GroupShare(account="U1000011"),))

    allocation.create_group(made)
    read = allocation.group("Contract")
    assert (read.method, [(member.account_id, member.amount) for member in read.members]) == (
        "R",
        [("U1000011", Decimal(1)), ("U1000012", Decimal(3))],
    )
    with pytest.raises(Rejected):
        allocation.create_group(made)
    allocation.replace_group(changed, previous_name="Contract")
    assert allocation.group("Contract 2").method == "E"
    assert "Contract" not in {group.name for group in allocation.groups()}
    allocation.delete_group("Contract 2")
    assert {group.name for group in allocation.groups()} >= {"Balanced", "Income"}
    assert "Contract 2" not in {group.name for group in allocation.groups()}
    with pytest.raises(Rejected):
        allocation.delete_group("Contract 2")


def test_the_figures_behind_computed_groups_are_read(trading: Connected) -> None:
    figures = {account.account_id: account for account in trading.client.allocation.accounts()}

    assert figures["U1000011"].net_liquidation is not None
    assert figures["U1000011"].net_liquidation > 0
    assert figures["U1000011"].available_equity is not None


def test_a_resting_order_is_seen_and_cancelled(trading: Connected) -> None:
    placed = settled(trading, trading.client.orders.place(ticket(trading, "CT-rest")))

    order = eventually(lambda: live(trading, "CT-rest"))
    assert order.order_id == placed.order_id
    assert (order.side, order.quantity, order.account) == ("BUY", Decimal(10), "U1000011")
    status = trading.client.orders.status(placed.order_id)
    assert status.order_id == placed.order_id
    assert status.quantity == Decimal(10)
    cancelled = trading.client.orders.cancel("U1000011", placed.order_id)
    assert isinstance(cancelled, CancelRequested)
    trading.sandbox.advance(10)
    assert trading.client.orders.status(placed.order_id).status == "Cancelled"
    assert isinstance(trading.client.orders.cancel("U1000011", "999999999"), Refused)


def test_a_market_order_is_asked_about_filled_and_reported(trading: Connected) -> None:
    market = ticket(trading, "CT-mkt", order_type="MKT", price=None)

    outcome = trading.client.orders.place(market)
    assert isinstance(outcome, Question)
    assert "o10151" in outcome.message_ids
    placed = settled(trading, outcome)
    trading.sandbox.advance(120)

    status = trading.client.orders.status(placed.order_id)
    assert status.status == "Filled"
    assert status.average_price is not None
    trades = fills(trading, "CT-mkt")
    assert sum((trade.quantity or Decimal(0) for trade in trades), Decimal(0)) == Decimal(10)
    assert {(trade.account, trade.side, trade.conid) for trade in trades} == {("U1000011", "BUY", APPLE)}
    assert all(trade.executed_at is not None and trade.price for trade in trades)
    assert len(trading.ledger("order", "CT-mkt")) == 1


def test_a_declined_question_leaves_no_order(trading: Connected) -> None:
    outcome = trading.client.orders.place(ticket(trading, "CT-no", order_type="MKT", price=None))
    assert isinstance(outcome, Question)

    declined = trading.client.orders.reply(outcome.reply_id, confirmed=False)

    assert isinstance(declined, Refused)
    assert declined.is_declined
    assert trading.ledger("order", "CT-no") == []


def test_a_prompt_is_answered_by_its_option_and_the_order_goes_on(trading: Connected) -> None:
    trading.sandbox.config(prompt_price_management=True)
    last_price(trading)
    trading.client.orders.suppress(["o10151"])

    prompt = trading.client.orders.place(ticket(trading, "CT-prompt", order_type="MKT", price=None))

    assert isinstance(prompt, Question)
    assert (prompt.is_prompt, prompt.options) == (True, ("Use on this order", "Always use", "Do not use"))
    held = trading.client.orders.status(prompt.prompt_order_id)
    trading.client.orders.answer_prompt(prompt, "Use on this order")
    trading.sandbox.advance(60)
    assert held.status == "Inactive"
    assert trading.client.orders.status(prompt.prompt_order_id).status == "Filled"


def test_a_suppressed_question_is_not_asked_until_it_is_allowed_again(trading: Connected) -> None:
    orders = trading.client.orders
    last_price(trading)

    orders.suppress(["o10151"])
    unasked = orders.place(ticket(trading, "CT-quiet", order_type="MKT", price=None))
    orders.reset_suppressed()
    asked = orders.place(ticket(trading, "CT-asked", order_type="MKT", price=None))

    assert isinstance(unasked, Placed)
    assert len(trading.ledger("order", "CT-quiet")) == 1
    assert isinstance(asked, Question)
    assert "o10151" in asked.message_ids


def test_a_late_reply_is_a_doubt_not_a_verdict(trading: Connected) -> None:
    outcome = trading.client.orders.place(ticket(trading, "CT-late", order_type="MKT", price=None))
    assert isinstance(outcome, Question)
    trading.client.orders.reply(outcome.reply_id, confirmed=False)

    with pytest.raises(OutcomeUnknown):
        trading.client.orders.reply(outcome.reply_id, confirmed=True)


def test_a_block_order_to_a_group_fills_and_is_shared_out(trading: Connected) -> None:
    block = ticket(trading, "CT-group", order_type="MKT", price=None, account=None, group="Balanced", quantity="100")

    outcome = trading.client.orders.place(block)
    assert isinstance(outcome, Question)
    settled(trading, outcome)
    trading.sandbox.advance(300)

    trades = fills(trading, "CT-group")
    by_account: dict[str, Decimal] = {}
    for trade in trades:
        if trade.allocated_account.startswith("U"):
            by_account[trade.allocated_account] = by_account.get(trade.allocated_account, Decimal(0)) + (
                trade.quantity or 0
            )
    assert sum(by_account.values(), Decimal(0)) == Decimal(100)
    assert set(by_account) <= {member.account_id for member in trading.client.allocation.group("Balanced").members}


def test_an_inline_allocation_gives_each_account_exactly_its_share(trading: Connected) -> None:
    inline = ticket(
        trading, "CT-inline", order_type="MKT", price=None, account=None, master=MASTER, quantity="10",
        allocations=[Share(account="U1000011", amount="7"), Share(account="U1000012", amount="3")],
    )  # fmt: skip

    settled(trading, trading.client.orders.place(inline))
    trading.sandbox.advance(300)

    trades = fills(trading, "CT-inline")
    shares = {
        account: sum((each.quantity or Decimal(0) for each in trades if each.allocated_account == account), Decimal(0))
        for account in ("U1000011", "U1000012")
    }
    assert shares == {"U1000011": Decimal(7), "U1000012": Decimal(3)}


def test_an_impossible_order_is_refused(trading: Connected) -> None:
    outcome = trading.client.orders.place(ticket(trading, "CT-broke", quantity="9000000"))
    while isinstance(outcome, Question):
        outcome = trading.client.orders.reply(outcome.reply_id, confirmed=True)

    assert isinstance(outcome, Refused)
    assert outcome.reason
    assert trading.ledger("order", "CT-broke") == []


def test_a_preview_makes_no_order(trading: Connected) -> None:
    preview = trading.client.orders.whatif(WhatIf(ticket(trading, "CT-whatif")))

    assert preview.amounts is not None
    assert preview.amounts.total is not None
    assert preview.amounts.total.currency == "USD"
    assert preview.equity is not None
    assert preview.equity.current is not None
    assert preview.initial_margin is not None
    assert preview.error == ""
    assert trading.ledger("order") == []


def test_an_order_whose_answer_was_lost_is_found_by_its_key_and_exists_once(trading: Connected) -> None:
    order = ticket(trading, "CT-lost")
    live(trading, "CT-lost")
    trading.sandbox.fault(
        {
            "method": "POST",
            "path": "/iserver/account/U1000011/orders$",
            "phase": "applied_not_answered",
            "action": "reset",
        }
    )

    with pytest.raises(OutcomeUnknown):
        trading.client.orders.place(order)

    found = eventually(lambda: live(trading, "CT-lost"))
    assert found.client_order_id == "CT-lost"
    with pytest.raises(OutcomeUnknown, match="already registered"):
        settled(trading, trading.client.orders.place(order))
    assert len(trading.ledger("order", "CT-lost")) == 1


@pytest.mark.parametrize(
    ("knob", "order_type", "prices"),
    [
        ({"order_types": "documented"}, "MIT", 1),
        ({"stop_limit_name": "short"}, "STOP_LIMIT", 2),
        ({"stop_of_stp": "aux"}, "STP", 1),
    ],
)
def test_a_type_or_a_field_that_ibkr_does_not_know_is_a_refusal(
    trading: Connected, knob: dict[str, str], order_type: str, prices: int
) -> None:
    above = (last_price(trading) * Decimal("1.02")).quantize(Decimal("0.01"))
    order = ticket(trading, "CT-type", order_type=order_type, price=above, aux_price=above if prices == 2 else None)
    trading.sandbox.config(**knob)

    assert isinstance(trading.client.orders.place(order), Refused)

    assert trading.ledger("order") == []


@pytest.mark.parametrize("said_to", ["same_id", "like"])
def test_duplicate_order_detected_is_never_taken_for_a_refusal(trading: Connected, said_to: str) -> None:
    first = ticket(trading, "CT-first")
    settled(trading, trading.client.orders.place(first))
    trading.sandbox.config(duplicate_order_detected=said_to)
    again = first if said_to == "same_id" else first.model_copy(update={"client_order_id": "CT-like"})

    with pytest.raises(OutcomeUnknown, match="DUPLICATE ORDER DETECTED"):
        trading.client.orders.place(again)

    assert [effect["key"] for effect in trading.ledger("order")] == ["CT-first"]


def test_history_of_the_last_days_is_there(trading: Connected) -> None:
    trades = eventually(lambda: trading.client.orders.trades(days=7) or None)

    assert {trade.key for trade in trades}
    assert all(trade.order_id and trade.conid and trade.executed_at for trade in trades)
    one = trading.client.orders.trades(days=7, account_id="U1000018")
    assert {trade.account for trade in one} == {"U1000018"}
