# ruff: noqa: F811 (the desk and its fixtures are another module's)
"""Where IBKR may answer either way: an order is sent once, and what we write down is true, whichever it is."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from backoffice.audit.models import Entry
from backoffice.broker.models import BrokerageSession
from backoffice.broker.session import Keeper
from backoffice.core import clock
from backoffice.home import selectors as today
from backoffice.journal.models import Orphan, State, Submission
from clients.models import Account
from tests.trading.conftest import NUMBERS
from tests.trading.test_dispatch import desk, far_below, follow, group, instrument, reread, send, submit  # noqa: F401 (fixtures)
from trading import contributions, policy
from trading.dispatch import looks, sync
from trading.dispatch import orders as dispatch
from trading.models import AllocationGroup, Execution, Instrument, Order, Status
from trading.selectors import orders as selectors
from trading.services import orders, progress

pytestmark = pytest.mark.django_db(transaction=True)


def new_session(sandbox: Any, master: Any) -> None:
    """Let IBKR's nightly reset end the session, and the keeper open the next one."""
    sandbox.control("POST", "session", {"username": master.username, "action": "reset"})
    keeper = Keeper(master, sleep=sandbox.advance)
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


@pytest.mark.parametrize("path", ["/iserver/account/orders$", "/iserver/accounts$"])
def test_a_cancel_that_could_not_be_looked_up_has_not_left_and_goes_by_itself(
    sandbox: Any, send: Callable[..., Order], instrument: Instrument, advisor: Any, desk: Any, path: str
) -> None:
    order = submit(send(limit_price=far_below(instrument)))
    cancel = orders.request_cancel(order, by=advisor)
    new_session(sandbox, desk)
    sandbox.fault({"method": "GET", "path": path, "phase": "pre_read", "action": "status", "status": 503, "times": 3})

    dispatch.send_cancel(str(cancel.pk))
    cancel.refresh_from_db()
    assert (cancel.state, sandbox.ledger("cancel")) == (State.READY, [])
    Submission.objects.filter(pk=cancel.pk).update(due_at=clock.now())
    dispatch.send_cancel(str(cancel.pk))

    cancel.refresh_from_db()
    assert cancel.state == State.ACKED
    assert [effect["key"] for effect in sandbox.ledger("cancel")] == [order.client_order_id]


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


def test_an_id_that_has_become_a_like_order_s_cancels_nothing(
    sandbox: Any, send: Callable[..., Order], instrument: Instrument, advisor: Any, desk: Any
) -> None:
    sandbox.config(order_numbers="session")
    first, second = two_orders(send, instrument)
    cancel = orders.request_cancel(first, by=advisor)
    new_session(sandbox, desk)
    # IBKR lists the first no more, and the second, which is like it, has its id now.
    Order.objects.filter(pk=first.pk).update(client_order_id="T-gone", quantity=second.quantity)

    dispatch.send_cancel(str(cancel.pk))

    cancel.refresh_from_db()
    assert (cancel.state, sandbox.ledger("cancel")) == (State.READY, [])


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
    assert not Orphan.objects.filter(kind="order").exists()


def test_an_order_that_was_given_up_and_works_at_ibkr_after_all_is_told_once(
    sandbox: Any, send: Callable[..., Order], instrument: Instrument, advisor: Any, operations: Any
) -> None:
    order = given_up(send, sandbox, instrument, advisor)
    followed = submit(send(limit_price=far_below(instrument)))
    sync.sync_orders()
    Submission.objects.filter(pk=order.submission_id).update(next_look_at=clock.now())
    looks.look_for_order(str(order.submission_id))
    sync.sync_orders()

    assert reread(followed).status == Status.WORKING
    assert told(operations) == [f"Given up, and at IBKR after all: {order.submission.summary}"]
    assert told(advisor) == []


def test_an_order_that_nobody_looks_for_any_more_is_told_as_one_that_nothing_explains(
    sandbox: Any, send: Callable[..., Order], instrument: Instrument, advisor: Any, operations: Any
) -> None:
    order = given_up(send, sandbox, instrument, advisor)
    submit(send(limit_price=far_below(instrument)))
    Submission.objects.filter(pk=order.submission_id).update(next_look_at=None)
    for _ in range(2):
        sync.sync_orders()

    number = sandbox.ledger("order", order.client_order_id)[0]["broker_id"]
    assert [row.broker_id for row in Orphan.objects.filter(kind="order")] == [number]
    details = [item.detail for item in contributions.inbox(operations) if item.kind.startswith("trading.unexplained")]
    assert len(details) == 1
    assert number in details[0]
    assert told(advisor) == []


def given_up(send: Callable[..., Order], sandbox: Any, instrument: Instrument, advisor: Any) -> Order:
    """Return an order that was given up as absent and came after all, later than the looks."""
    order = send(limit_price=far_below(instrument))
    sandbox.fault({
        "method": "POST", "path": "/iserver/account/[^/]+/orders$", "phase": "applied_not_answered", "action": "reset",
    })  # fmt: skip
    order = submit(order)
    sandbox.clear_faults()
    Submission.objects.filter(pk=order.submission_id).update(state=State.ABSENT)
    orders.take_back(reread(order), by=advisor, reason="Not wanted any more")
    return reread(order)


def told(user: Any) -> list[str]:
    late = ("trading.unexplained", "journal.late")
    return [item.title for item in today.waiting(user) if item.kind.startswith(late)]


def test_a_cancel_that_another_user_may_not_ask_for_is_refused_and_the_order_still_works(
    sandbox: Any, send: Callable[..., Order], instrument: Instrument, advisor: Any
) -> None:
    order = submit(send(limit_price=far_below(instrument)))
    cancel = orders.request_cancel(order, by=advisor)
    sandbox.fault({
        "method": "DELETE", "path": "/iserver/account/.*/order/", "phase": "read_not_applied", "action": "status",
        "status": 200, "body": f'{{"error": "OrderID {order.ibkr_order_id} doesn\'t exist"}}',
    })  # fmt: skip

    dispatch.send_cancel(str(cancel.pk))

    cancel.refresh_from_db()
    assert (cancel.state, reread(order).status) == (State.REJECTED, Status.WORKING)
    assert selectors.state_of(reread(order)).word == "Working"
    assert orders.request_cancel(reread(order), by=advisor).pk != cancel.pk
    assert sandbox.ledger("cancel") == []


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


# ---- when the shares of a block show, and whether they move


def booked(order: Order) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for row in Execution.objects.filter(order=order).select_related("account"):
        found[row.account.number] = found.get(row.account.number, Decimal(0)) + row.quantity
    return found


def send_block(sandbox: Any, send: Callable[..., Order], group: AllocationGroup, advisor: Any) -> Order:
    """Send a block of 9 for three accounts that is filled by threes, ten seconds each."""
    fills = [{"after_milliseconds": 10_000 * place, "quantity": 3} for place in range(3)]
    sandbox.control("POST", "orders", {"match": {}, "script": {"fills": fills}})
    order = submit(send(group=group, quantity=Decimal(9)))
    orders.answer(order.questions.get(), by=advisor, answer="yes")
    dispatch.send_reply(str(order.submission_id))
    return reread(order)


def test_shares_that_move_at_the_end_are_moved_here_and_never_counted_twice(
    sandbox: Any, send: Callable[..., Order], group: AllocationGroup, advisor: Any
) -> None:
    sandbox.config(block_shares="moving")
    order = follow(sandbox, send_block(sandbox, send, group, advisor), seconds=12)
    early = booked(order)
    assert (order.status, order.filled, sum(early.values())) == (Status.WORKING, 6, 6)
    assert early != dict.fromkeys(NUMBERS, 2)

    order = follow(sandbox, order, seconds=30)

    assert (order.status, order.filled, booked(order)) == (Status.FILLED, 9, dict.fromkeys(NUMBERS, 3))
    assert selectors.compare(order).off == []


def test_shares_that_move_after_the_end_are_still_followed(
    sandbox: Any, send: Callable[..., Order], group: AllocationGroup, advisor: Any
) -> None:
    sandbox.config(block_shares="moving", block_shares_seconds=300)
    order = follow(sandbox, send_block(sandbox, send, group, advisor), seconds=60)
    assert (order.status, sum(booked(order).values())) == (Status.FILLED, 9)
    assert "It may still move units between them" in selectors.compare(order).sentence

    order = follow(sandbox, order, seconds=300)

    assert (order.filled, booked(order)) == (9, dict.fromkeys(NUMBERS, 3))


def test_an_execution_that_went_to_another_account_leaves_its_mark(
    sandbox: Any, send: Callable[..., Order], group: AllocationGroup, advisor: Any
) -> None:
    order = follow(sandbox, send_block(sandbox, send, group, advisor), seconds=60)
    first = Account.objects.get(number=NUMBERS[0])
    Execution.objects.create(
        key="gone.01", order=order, account=first, quantity=3, price=Decimal("1.50"), at=clock.now()
    )

    follow(sandbox, order, seconds=1)

    assert booked(order) == dict.fromkeys(NUMBERS, 3)
    (entry,) = Entry.objects.filter(action="trading.move_shares")
    assert entry.data["executions"] == [f"gone.01.01 {NUMBERS[0]} 3 at 1.5"]


def test_an_answer_that_does_not_account_for_everything_takes_nothing_away(
    sandbox: Any, send: Callable[..., Order], group: AllocationGroup, advisor: Any
) -> None:
    order = follow(sandbox, send_block(sandbox, send, group, advisor), seconds=60)
    rows = list(Execution.objects.filter(order=order).select_related("account"))
    some = [
        progress.Fill(row.key, 1, row.account.number, row.quantity, row.price, row.commission, row.at)
        for row in rows[1:]
    ]

    assert not progress.record_fills(order, some, is_whole=True)
    assert not progress.record_fills(order, [], is_whole=True)

    assert booked(order) == dict.fromkeys(NUMBERS, 3)


def test_shares_that_show_late_are_waited_for_and_the_master_s_row_is_nobody_s(
    sandbox: Any, send: Callable[..., Order], group: AllocationGroup, advisor: Any
) -> None:
    sandbox.config(block_shares="end", block_shares_seconds=300)
    order = follow(sandbox, send_block(sandbox, send, group, advisor), seconds=60)
    assert (order.status, order.filled, booked(order)) == (Status.FILLED, 9, {})
    assert selectors.compare(order).sentence.startswith("IBKR has not shown yet which account got how much")

    long_ago = clock.now() - policy.SETTLING  # past the time in which every sync looks
    Order.objects.filter(pk=order.pk).update(settled_at=long_ago)
    order = follow(sandbox, order, seconds=300)

    assert (order.filled, booked(order)) == (9, dict.fromkeys(NUMBERS, 3))
    assert selectors.compare(order).is_settled
