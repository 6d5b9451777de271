"""Orders changed while they work, brackets and one-cancels-all, by our client against the sandbox."""

from decimal import Decimal

import pytest

from backoffice.ibkr.types.orders import GroupOutcome, Mixed, OrderTicket, Placed, PlacedOrder, Question, Refused
from backoffice.ibkr.types.tickets import OrderGroup
from tests.contract.conftest import Connected
from tests.contract.test_trading import eventually, last_price, live, settled, ticket

CENT = Decimal("0.01")


def confirmed(trading: Connected, group: OrderGroup) -> GroupOutcome:
    """Place the tickets together and confirm whatever is asked."""
    outcome = trading.client.orders.place_group(group)
    for _ in range(20):
        if not isinstance(outcome, Question):
            return outcome
        outcome = trading.client.orders.reply_for_group(outcome.reply_id, confirmed=True, tickets=len(group.tickets))
    raise AssertionError("the questions do not end")


def child(trading: Connected, parent: str, **changes: object) -> OrderTicket:
    return ticket(trading, "", side="SELL", parent_id=parent, tif="GTC", **changes)


def bracket(trading: Connected, key: str) -> OrderGroup:
    last = last_price(trading)
    above, below = (last * Decimal("1.02")).quantize(CENT), (last * Decimal("0.9")).quantize(CENT)
    return OrderGroup(
        tickets=(
            ticket(trading, key, tif="GTC"),
            child(trading, key, price=above),
            child(trading, key, order_type="STP", price=below),
        )
    )


def status(trading: Connected, order_id: str) -> str:
    return trading.client.orders.status(order_id).status


def test_a_changed_order_is_the_same_order_under_new_terms(trading: Connected) -> None:
    first = ticket(trading, "CT-change")
    (placed,) = settled(trading, trading.client.orders.place(first)).orders
    new_price = first.price - Decimal(1) if first.price else None

    changed = first.model_copy(update={"quantity": Decimal(7), "price": new_price})
    (after,) = settled(trading, trading.client.orders.modify(placed.order_id, changed)).orders

    assert after.order_id == placed.order_id
    order = eventually(lambda: live(trading, "CT-change"))
    assert (order.order_id, order.quantity, order.price) == (placed.order_id, Decimal(7), new_price)
    assert len(trading.ledger("order", "CT-change")) == 1


def test_a_filled_order_cannot_be_changed(trading: Connected) -> None:
    first = ticket(trading, "CT-toolate", order_type="MKT", price=None)
    (placed,) = settled(trading, trading.client.orders.place(first)).orders
    trading.sandbox.advance(300)
    assert status(trading, placed.order_id) == "Filled"

    outcome = trading.client.orders.modify(placed.order_id, first.model_copy(update={"quantity": Decimal(20)}))

    assert isinstance(outcome, Refused)
    assert outcome.reason


def test_the_children_of_a_bracket_wait_for_their_parent_and_end_with_it(trading: Connected) -> None:
    outcome = confirmed(trading, bracket(trading, "CT-bracket"))

    assert isinstance(outcome, Placed), outcome
    parent, profit, stop = outcome.orders
    assert [each.parent_order_id for each in outcome.orders] == ["", parent.order_id, parent.order_id]
    trading.sandbox.advance(10)
    found = [status(trading, each.order_id) for each in (parent, profit, stop)]
    assert found == ["Submitted", "PreSubmitted", "PreSubmitted"]

    trading.client.orders.cancel("U1000011", parent.order_id)
    trading.sandbox.advance(10)
    assert {status(trading, each.order_id) for each in outcome.orders} == {"Cancelled"}


@pytest.mark.row(id="S12")
def test_a_bracket_of_which_ibkr_takes_a_part_is_told_ticket_by_ticket(trading: Connected) -> None:
    why = "We cannot accept an order at the stop price you selected"
    trading.sandbox.control("POST", "orders", {"match": {"place": 2}, "script": {"refuse": why}})

    outcome = confirmed(trading, bracket(trading, "CT-part"))

    assert isinstance(outcome, Mixed), outcome
    assert [type(each) for each in outcome.outcomes] == [PlacedOrder, PlacedOrder, Refused]
    refused = outcome.outcomes[2]
    assert isinstance(refused, Refused)
    assert why in refused.reason
    assert len(trading.ledger("order", "CT-part")) == 1


def test_of_a_one_cancels_all_group_one_execution_ends_the_others(trading: Connected) -> None:
    group = OrderGroup(
        tickets=(
            ticket(trading, "CT-oca-1", order_type="MKT", price=None),
            ticket(trading, "CT-oca-2"),
        ),
        is_one_cancels_all=True,
    )

    outcome = confirmed(trading, group)

    assert isinstance(outcome, Placed), outcome
    trading.sandbox.advance(300)
    assert [status(trading, each.order_id) for each in outcome.orders] == ["Filled", "Cancelled"]
