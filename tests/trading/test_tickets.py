"""A ticket is previewed, frozen, and sent once, as it was shown, or not at all."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from backoffice.broker import services as broker
from backoffice.core import clock
from backoffice.core.errors import Conflict, InvalidInput, NotPermitted
from backoffice.journal import services as journal
from backoffice.journal.models import State, Submission
from backoffice.people.models import Book
from clients.models import Account
from tests.trading.conftest import give_figures, give_position, make_account, make_group
from trading import policy, preview
from trading.models import AllocationGroup, GroupMember, Instrument, Order, Status
from trading.services import orders, progress, tickets


def promised(order: Order) -> dict[str, Decimal]:
    return {row.account.number: row.quantity for row in order.allocations.select_related("account")}


def stops(order: Order, by: Any) -> list[str]:
    return [check.title for check in preview.stops(tickets.checks_of(order, by=by))]


def test_a_block_is_shared_by_net_liquidation_as_ibkr_does(
    draw_up: Callable[..., Order], group: AllocationGroup
) -> None:
    order = draw_up(group=group, quantity=Decimal(700))

    assert promised(order) == {"U1000011": 100, "U1000012": 200, "U1000013": 400}
    assert order.definition == {
        "method": "N", "members": [["U1000011", None], ["U1000012", None], ["U1000013", None]],
    }  # fmt: skip


def test_odd_units_are_marked(draw_up: Callable[..., Order], accounts: list[Account], master: Any) -> None:
    group = make_group(master, "Equal", "E", dict.fromkeys(accounts))

    order = draw_up(group=group, quantity=Decimal(8))

    assert [(row.quantity, row.has_odd_unit) for row in order.allocations.all()] == [(3, True), (3, True), (2, False)]


def test_preview_shows_weights_and_cash(
    draw_up: Callable[..., Order], accounts: list[Account], instrument: Instrument
) -> None:
    give_position(accounts[0], instrument, "50")

    row = draw_up(quantity=Decimal(25)).allocations.get()

    assert (row.held, row.weight_before, row.weight_after) == (50, Decimal("20.00"), Decimal("30.00"))
    assert row.cash_after == Decimal("47500")
    assert row.flags == []


def test_money_of_another_currency_is_converted(
    draw_up: Callable[..., Order], master: Any, book: Book, instrument: Instrument
) -> None:
    account = make_account("U1000019", master, book, base_currency="EUR")
    give_figures(account, "100000", cash="1000")

    row = draw_up(account=account, quantity=Decimal(11)).allocations.get()

    assert row.weight_after == Decimal("1.00")
    assert row.cash_after == Decimal("0")


def test_the_seal_changes_with_anything_that_matters(draw_up: Callable[..., Order]) -> None:
    first = draw_up()

    seals = {
        draw_up(**change).allocation_sha256
        for change in (
            {"quantity": Decimal(11)},
            {"limit_price": Decimal("100.01")},
            {"side": "SELL"},
            {"tif": "GTC"},
            {"order_type": "MKT", "limit_price": None},
        )  # fmt: skip
    }

    assert len(seals | {first.allocation_sha256}) == 6


def test_previewing_again_keeps_number_and_key(draw_up: Callable[..., Order]) -> None:
    intent = uuid.uuid4()

    first = draw_up(intent=intent)
    second = draw_up(intent=intent, quantity=Decimal(20))

    assert (first.pk, first.number, first.client_order_id) == (second.pk, second.number, second.client_order_id)
    assert promised(second) == {"U1000011": 20}
    assert Submission.objects.count() == 0


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"quantity": Decimal("0")}, "quantity"),
        ({"quantity": Decimal("-5")}, "quantity"),
        ({"quantity": Decimal("1.5")}, "quantity"),
        ({"limit_price": None}, "limit_price"),
        ({"limit_price": Decimal("-1")}, "limit_price"),
        ({"limit_price": Decimal("100.005")}, "limit_price"),
        ({"reason": "   "}, "reason"),
        ({"side": "HOLD"}, "side"),
    ],
)
def test_a_defect_names_its_field_and_the_fix(
    draw_up: Callable[..., Order], changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        draw_up(**changes)

    assert refused.value.field == field
    assert refused.value.fix
    assert Order.objects.count() == 0


def test_an_order_without_a_target_is_refused(draw_up: Callable[..., Order]) -> None:
    with pytest.raises(InvalidInput) as refused:
        draw_up(account=None)

    assert refused.value.field == "allocate_to"


def test_amounts_that_do_not_add_up_are_refused(draw_up: Callable[..., Order], accounts: list[Account]) -> None:
    with pytest.raises(InvalidInput, match="add up to 9, not 10"):
        draw_up(chosen={accounts[0]: Decimal(4), accounts[1]: Decimal(5)}, quantity=Decimal(10))


def test_a_group_with_a_member_outside_the_book_is_refused(
    draw_up: Callable[..., Order], group: AllocationGroup, master: Any
) -> None:
    foreign = make_account("U1000099", master, Book.objects.create(name="Other"))
    give_figures(foreign, "1000")
    GroupMember.objects.create(group=group, account=foreign, place=9)

    with pytest.raises(InvalidInput, match="Not all of its accounts"):
        draw_up(group=group)


def test_a_viewer_and_operations_may_not_draw_up(draw_up: Callable[..., Order], viewer: Any, operations: Any) -> None:
    for person in (viewer, operations):
        with pytest.raises(NotPermitted):
            draw_up(by=person)


def test_a_short_sale_is_stopped(
    draw_up: Callable[..., Order], advisor: Any, accounts: list[Account], instrument: Instrument
) -> None:
    give_position(accounts[0], instrument, "9")

    order = draw_up(side="SELL", quantity=Decimal(10))

    assert stops(order, advisor) == ["U1000011 would be short."]


def test_a_price_far_off_is_stopped_and_one_a_little_off_warned_of(draw_up: Callable[..., Order], advisor: Any) -> None:
    near = draw_up(limit_price=Decimal("104.00"))
    far = draw_up(limit_price=Decimal("111.00"))

    assert stops(near, advisor) == []
    assert [check.title for check in tickets.checks_of(near, by=advisor) if check.result == "warn"][0].startswith(
        "Price 4.0% above last"
    )
    assert stops(far, advisor) == ["Price 11.0% above last."]


def test_an_order_over_the_makers_limit_is_stopped(draw_up: Callable[..., Order], advisor: Any) -> None:
    order = draw_up(quantity=Decimal(5001))

    assert stops(order, advisor) == ["Over your limit of USD 500,000 an order."]


def test_a_market_order_without_any_price_is_stopped(
    draw_up: Callable[..., Order], advisor: Any, instrument: Instrument
) -> None:
    Instrument.objects.filter(pk=instrument.pk).update(last=None, quoted_at=None)
    instrument.refresh_from_db()

    order = draw_up(order_type="MKT", limit_price=None)

    assert "No price is known." in stops(order, advisor)


def test_a_closed_account_is_stopped(
    draw_up: Callable[..., Order], advisor: Any, accounts: list[Account], group: AllocationGroup
) -> None:
    Account.objects.filter(pk=accounts[1].pk).update(ibkr_status="C")

    assert stops(draw_up(group=group, quantity=Decimal(70)), advisor) == ["U1000012 not open at IBKR."]


def test_a_stopped_gate_stops_the_ticket(draw_up: Callable[..., Order], advisor: Any, principal: Any) -> None:
    broker.close_gate(scope="lane", key="trading", reason="Drill", by=principal)

    assert stops(draw_up(), advisor) == ["Sending is stopped."]


def test_sending_promises_exactly_what_was_frozen(
    send: Callable[..., Order], group: AllocationGroup, advisor: Any
) -> None:
    order = send(group=group, quantity=Decimal(700))

    submission = order.submission
    assert submission is not None
    assert (order.status, submission.state) == (Status.REQUESTED, State.READY)
    assert submission.key == order.client_order_id
    assert submission.payload["ticket"]["group"] == "Balanced"
    assert submission.payload["allocation"] == [["U1000011", "100"], ["U1000012", "200"], ["U1000013", "400"]]
    assert submission.payload["allocationSha256"] == order.allocation_sha256
    assert submission.maker == advisor


def test_sending_twice_is_one_order(draw_up: Callable[..., Order], advisor: Any) -> None:
    order = draw_up()

    first = tickets.send(order, by=advisor, allocation_sha256=order.allocation_sha256)
    second = tickets.send(order, by=advisor, allocation_sha256=order.allocation_sha256)

    assert first.pk == second.pk
    assert Submission.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_ten_clicks_at_once_are_one_order(draw_up: Callable[..., Order], advisor: Any) -> None:
    order = draw_up()
    gate = Barrier(10)

    def click(_: int) -> str:
        gate.wait()
        try:
            return str(tickets.send(order, by=advisor, allocation_sha256=order.allocation_sha256).submission_id)
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        found = set(pool.map(click, range(10)))

    assert len(found) == 1
    assert Submission.objects.count() == 1


def test_another_seal_than_the_one_shown_is_refused(draw_up: Callable[..., Order], advisor: Any) -> None:
    order = draw_up()

    with pytest.raises(Conflict, match="not what would be sent"):
        tickets.send(order, by=advisor, allocation_sha256="0" * 64)

    assert Submission.objects.count() == 0


def test_an_old_preview_is_not_sent(draw_up: Callable[..., Order], advisor: Any, time_machine: Any) -> None:
    order = draw_up()

    time_machine.move_to(clock.now() + policy.PREVIEW_FRESH + timedelta(seconds=1))
    with pytest.raises(Conflict, match="over 2 min old"):
        tickets.send(order, by=advisor, allocation_sha256=order.allocation_sha256)

    assert Submission.objects.count() == 0


def test_nobody_sends_another_persons_ticket(draw_up: Callable[..., Order], principal: Any) -> None:
    order = draw_up()

    with pytest.raises(NotPermitted):
        tickets.send(order, by=principal, allocation_sha256=order.allocation_sha256)


def test_a_stopped_ticket_is_not_sent(draw_up: Callable[..., Order], advisor: Any) -> None:
    order = draw_up(side="SELL")

    with pytest.raises(Conflict, match="would be short"):
        tickets.send(order, by=advisor, allocation_sha256=order.allocation_sha256)

    assert Submission.objects.count() == 0


def test_a_twin_within_ten_minutes_needs_a_reason(
    send: Callable[..., Order], draw_up: Callable[..., Order], advisor: Any
) -> None:
    first = send()

    twin = draw_up()
    with pytest.raises(Conflict, match=f"{first.reference}, Ada Alder, is like this one"):
        tickets.send(twin, by=advisor, allocation_sha256=twin.allocation_sha256)
    explained = send(twin_reason="A second client asked for the same")

    assert explained.status == Status.REQUESTED
    assert Submission.objects.count() == 2


def test_after_ten_minutes_it_is_no_twin(send: Callable[..., Order], time_machine: Any, instrument: Instrument) -> None:
    send()

    time_machine.move_to(clock.now() + policy.TWIN_WINDOW + timedelta(seconds=1))

    assert send().status == Status.REQUESTED


def test_an_unsent_order_can_be_taken_back(send: Callable[..., Order], advisor: Any) -> None:
    order = send()

    orders.take_back(order, by=advisor, reason="The client changed her mind")

    order.refresh_from_db()
    assert order.status == Status.VOID
    assert journal.current_for(order).state == State.VOID  # type: ignore[union-attr]


def test_a_draft_can_be_discarded_by_its_maker_only(
    draw_up: Callable[..., Order], advisor: Any, principal: Any
) -> None:
    order = draw_up()

    with pytest.raises(NotPermitted):
        tickets.discard(order, by=principal)
    tickets.discard(order, by=advisor)

    assert Order.objects.get(pk=order.pk).status == Status.VOID


def working(order: Order, ibkr_id: str = "1370093001") -> Order:
    progress.mark_working(order, ibkr_order_id=ibkr_id, word="Submitted")
    return Order.objects.get(pk=order.pk)


def fill(account: str, units: int, price: str = "100", key: str = "0001", revision: int = 1) -> progress.Fill:
    return progress.Fill(f"{key}.{account}", revision, account, Decimal(units), Decimal(price), None, clock.now())


def test_fills_are_counted_once_and_corrections_replace(send: Callable[..., Order]) -> None:
    order = working(send())

    assert progress.record_fills(order, [fill("U1000011", 4)])
    assert not progress.record_fills(order, [fill("U1000011", 4)])
    assert progress.record_fills(order, [fill("U1000011", 4, price="101", revision=2)])

    order.refresh_from_db()
    assert (order.filled, order.average_price, order.status) == (4, Decimal("101"), Status.WORKING)


def test_executions_that_add_up_fill_the_order(send: Callable[..., Order]) -> None:
    order = working(send())

    progress.record_fills(order, [fill("U1000011", 4), fill("U1000011", 6, key="0002")])

    order.refresh_from_db()
    assert (order.status, order.filled) == (Status.FILLED, 10)


def test_a_row_of_the_master_is_not_a_clients_share(send: Callable[..., Order]) -> None:
    order = working(send())

    assert not progress.record_fills(order, [fill("F1000001", 10)])


def test_late_words_never_turn_an_order_back(send: Callable[..., Order]) -> None:
    order = working(send())
    progress.record_live(order, progress.LiveWord("1", "Filled", Decimal(10), Decimal(100)))

    progress.record_live(order, progress.LiveWord("1", "Submitted", Decimal(3), None))

    order.refresh_from_db()
    assert (order.status, order.filled, order.ibkr_status) == (Status.FILLED, 10, "Filled")


def test_a_word_we_do_not_know_moves_nothing_and_is_flagged(send: Callable[..., Order]) -> None:
    order = working(send())

    progress.record_live(order, progress.LiveWord("1", "Levitating", None, None))

    order.refresh_from_db()
    assert (order.status, order.ibkr_status, order.is_unfamiliar) == (Status.WORKING, "Levitating", True)


def test_a_cancelled_order_keeps_its_fills(send: Callable[..., Order]) -> None:
    order = working(send())

    progress.record_live(order, progress.LiveWord("1", "Cancelled", Decimal(3), Decimal(100)))

    order.refresh_from_db()
    assert (order.status, order.filled) == (Status.CANCELLED, 3)
