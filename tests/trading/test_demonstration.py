"""The demonstration firm's groups and past orders agree with the sandbox's own books."""

from decimal import Decimal
from typing import Any

import pytest

from backoffice.people import demonstration as people
from clients import demonstration as clients
from trading import demonstration
from trading.models import AllocationGroup, Execution, Instrument, Order, Status
from trading.selectors import orders as selectors

pytestmark = pytest.mark.django_db


@pytest.fixture
def firm(sandbox: Any, connected_master: Any, settings: Any) -> dict[str, Any]:
    settings.DEMONSTRATION = True
    world = sandbox.world()
    users = people.load()
    clients.load(world, users, connected_master)
    demonstration.load(world, users, connected_master)
    return {"world": world, "users": users, "master": connected_master}


def test_groups_and_orders_are_those_of_the_world(firm: dict[str, Any]) -> None:
    groups = {group.name: group for group in AllocationGroup.objects.all()}

    assert {name: group.method for name, group in groups.items()} == {"Balanced": "N", "Income": "E"}
    assert Order.objects.count() == len(firm["world"]["orders"]) >= 6
    assert set(Order.objects.values_list("status", flat=True)) == {Status.FILLED}
    assert Execution.objects.count() == sum(len(order["executions"]) for order in firm["world"]["orders"])
    assert Instrument.objects.get(conid="756733").symbol == "SPY"


def test_every_past_order_was_filled_as_frozen(firm: dict[str, Any]) -> None:
    orders = selectors.with_parts(Order.objects.all())

    for order in orders:
        comparison = selectors.compare(order)
        assert comparison.is_settled
        assert comparison.off == []
        assert comparison.promised == order.quantity
        assert order.average_price is not None
        assert order.average_price > Decimal(0)


def test_loading_again_changes_nothing(firm: dict[str, Any]) -> None:
    before = (Order.objects.count(), Execution.objects.count(), Instrument.objects.count())

    demonstration.load(firm["world"], firm["users"], firm["master"])

    assert (Order.objects.count(), Execution.objects.count(), Instrument.objects.count()) == before


def test_each_advisor_sees_the_orders_of_the_own_book(firm: dict[str, Any]) -> None:
    for key in ("advisor", "advisor2"):
        person = firm["users"][key]
        seen = Order.objects.visible_to(person)
        assert all(
            row.account.client.book.members.filter(pk=person.pk).exists()
            for order in seen
            for row in order.allocations.select_related("account__client__book")
        )
