# ruff: noqa: F811 (the desk and its fixtures are another module's)
"""Where IBKR may answer either way: an order is sent once, and what we write down is true, whichever it is."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from backoffice.broker.models import BrokerageSession
from backoffice.broker.session import Keeper
from backoffice.journal.models import BrokerObject, State, Submission
from tests.trading.test_dispatch import desk, far_below, follow, instrument, reread, send, submit  # noqa: F401 (fixtures)
from trading.dispatch import looks, sync
from trading.dispatch import orders as dispatch
from trading.models import Instrument, Order, Status
from trading.services import orders

pytestmark = pytest.mark.django_db(transaction=True)


def new_session(sandbox: Any, master: Any) -> None:
    """Let IBKR's nightly reset end the session, and the keeper open the next one."""
    sandbox.control("POST", "session", {"username": master.username, "action": "reset"})
    keeper = Keeper(master)
    BrokerageSession.objects.filter(master=master).update(lease_until=None)
    assert keeper.acquire()
    assert keeper.open()


def two_orders(send: Callable[..., Order], instrument: Instrument) -> tuple[Order, Order]:
    limit = far_below(instrument)
    return submit(send(limit_price=limit)), submit(send(limit_price=limit, quantity=Decimal(6)))


# ---- ids of orders that differ between sessions


@pytest.mark.parametrize("numbers", ["life", "session"])
def test_a_cancel_in_a_later_session_hits_its_own_order(
    sandbox: Any, send: Callable[..., Order], instrument: Instrument, advisor: Any, desk: Any, numbers: str
) -> None:
    sandbox.config(order_numbers=numbers)
    first, second = two_orders(send, instrument)
    cancel = orders.request_cancel(first, by=advisor)
    new_session(sandbox, desk)

    dispatch.send_cancel(str(cancel.pk))

    cancel.refresh_from_db()
    assert cancel.state == State.ACKED
    assert [effect["key"] for effect in sandbox.ledger("cancel")] == [first.client_order_id]
    assert follow(sandbox, second, seconds=10).status == Status.WORKING


def test_a_cancel_of_the_same_session_reads_no_list_first(
    sandbox: Any, send: Callable[..., Order], instrument: Instrument, advisor: Any
) -> None:
    order = submit(send(limit_price=far_below(instrument)))
    cancel = orders.request_cancel(order, by=advisor)
    before = len(sandbox.requests())

    dispatch.send_cancel(str(cancel.pk))

    assert [row["method"] for row in sandbox.requests()[before:]] == ["DELETE"]


def test_a_cancel_whose_order_has_no_reference_at_ibkr_goes_by_an_id_that_is_the_order(
    sandbox: Any, send: Callable[..., Order], instrument: Instrument, advisor: Any, desk: Any
) -> None:
    sandbox.config(order_ref_in_orders=False)
    first, _ = two_orders(send, instrument)
    cancel = orders.request_cancel(first, by=advisor)
    new_session(sandbox, desk)

    dispatch.send_cancel(str(cancel.pk))

    assert [effect["key"] for effect in sandbox.ledger("cancel")] == [first.client_order_id]


def test_without_a_reference_an_id_of_another_order_cancels_nothing(
    sandbox: Any, send: Callable[..., Order], instrument: Instrument, advisor: Any, desk: Any
) -> None:
    sandbox.config(order_ref_in_orders=False, order_numbers="session")
    first, _ = two_orders(send, instrument)
    cancel = orders.request_cancel(first, by=advisor)
    new_session(sandbox, desk)

    dispatch.send_cancel(str(cancel.pk))

    cancel.refresh_from_db()
    assert (cancel.state, sandbox.ledger("cancel")) == (State.READY, [])
    assert f"does not show {first.reference} in this session" in cancel.reason


def test_orders_under_new_ids_are_followed_and_none_is_called_an_orphan(
    sandbox: Any, send: Callable[..., Order], instrument: Instrument, desk: Any
) -> None:
    sandbox.config(order_numbers="session")
    first, second = two_orders(send, instrument)
    was = (first.ibkr_order_id, second.ibkr_order_id)
    new_session(sandbox, desk)
    sync.sync_orders()

    first, second = reread(first), reread(second)
    assert (second.ibkr_order_id, first.ibkr_order_id) == was
    Order.objects.filter(pk=first.pk).update(status=Status.CANCELLED)  # not followed any more, and still listed
    new_session(sandbox, desk)
    sync.sync_orders()
    assert not BrokerObject.objects.filter(kind="order").exists()


# ---- "DUPLICATE ORDER DETECTED"


def test_an_order_that_is_called_a_duplicate_of_another_is_looked_for_and_proven_absent(
    sandbox: Any, send: Callable[..., Order], instrument: Instrument
) -> None:
    sandbox.config(duplicate_order_detected="like")
    limit = far_below(instrument)
    submit(send(limit_price=limit))

    twin = submit(send(limit_price=limit, twin_reason="A second tranche, as agreed"))
    assert (twin.status, twin.submission.state) == (Status.REQUESTED, State.UNKNOWN)
    assert twin.submission.reason.endswith("DUPLICATE ORDER DETECTED")
    for _ in range(4):
        looks.look_for_order(str(twin.submission_id))

    assert reread(twin).submission.state == State.ABSENT
    assert len(sandbox.ledger("order")) == 1


def test_an_order_that_is_called_a_duplicate_of_itself_is_found_and_exists_once(
    sandbox: Any, send: Callable[..., Order], instrument: Instrument
) -> None:
    sandbox.config(duplicate_order_detected="same_id")
    order = send(limit_price=far_below(instrument))
    sandbox.fault({
        "method": "POST", "path": "/iserver/account/[^/]+/orders$", "phase": "applied_not_answered", "action": "reset",
    })  # fmt: skip
    order = submit(order)
    Submission.objects.filter(pk=order.submission_id).update(state=State.READY)  # as two people release it, too early

    again = submit(order)
    assert (again.submission.state, again.submission.attempts.count()) == (State.UNKNOWN, 2)
    looks.look_for_order(str(order.submission_id))

    found = reread(order)
    assert (found.status, found.submission.state) == (Status.WORKING, State.ACKED)
    assert len(sandbox.ledger("order", order.client_order_id)) == 1
