"""Orders against the sandbox: each is sent once, each answer is read for what it is, and doubt is resolved by looking."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import F

from backoffice.broker import services as broker
from backoffice.broker.models import BrokerageSession, Gate
from backoffice.core import clock
from backoffice.core.errors import Conflict, InvalidInput
from backoffice.journal import dry_run, inquiries
from backoffice.journal import services as journal
from backoffice.journal.models import Inquiry, InquiryState, State, Submission
from backoffice.people.models import Role, User
from backoffice.people.policies.document import FIRST, QuestionRule
from clients.models import Account
from tests.backoffice.test_policies import put_in_force
from tests.trading.conftest import NUMBERS, give_figures, make_account, make_group
from trading.dispatch import groups as group_dispatch
from trading.dispatch import inquiries as inquiry_dispatch
from trading.dispatch import looks, sync
from trading.dispatch import orders as dispatch
from trading.models import AllocationGroup, Execution, GroupChange, Instrument, Order, Position, Status
from trading.services import groups, orders, tickets

AAPL = "265598"
SPY = "756733"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def desk(live_session: Any, connected_master: Any, advisor: Any) -> Any:
    """The sandbox's first three accounts in the advisor's book, with an instrument at the market's own price."""
    from backoffice.people.models import Book

    book = Book.objects.create(name="Alder")
    book.members.add(advisor)
    for number in NUMBERS:
        give_figures(make_account(number, connected_master, book), "100000")
    return connected_master


@pytest.fixture
def instrument(desk: Any, advisor: Any) -> Instrument:
    row = Instrument.objects.create(conid=AAPL, symbol="AAPL", exchange="NASDAQ", currency="USD")
    inquiry_dispatch.answer_quote(str(inquiries.ask("trading.answer_quote", {"conid": AAPL}, by=advisor).pk))
    row.refresh_from_db()
    return row


@pytest.fixture
def send(desk: Any, instrument: Instrument, advisor: Any) -> Callable[..., Order]:
    """Promise an order: buy 5 for the first account, a little above the market; keywords change any of it."""

    def make(**changes: Any) -> Order:
        instrument.refresh_from_db()
        assert instrument.ask is not None
        arguments: dict[str, Any] = {
            "intent": uuid.uuid4(), "by": advisor, "instrument": instrument, "side": "BUY", "quantity": Decimal(5),
            "order_type": "LMT", "limit_price": (instrument.ask * Decimal("1.005")).quantize(Decimal("0.01")),
            "tif": "DAY", "reason": "Asked for by phone",
        }  # fmt: skip
        if not {"account", "group", "chosen"} & set(changes):
            arguments["account"] = Account.objects.get(number=NUMBERS[0])
        order = tickets.draw_up(**{**arguments, **changes})
        return tickets.send(order, by=advisor, allocation_sha256=order.allocation_sha256)

    return make


def far_below(instrument: Instrument) -> Decimal:
    """A limit that raises no question and does not trade."""
    assert instrument.last is not None
    return (instrument.last * Decimal("0.98")).quantize(Decimal("0.01"))


def submit(order: Order) -> Order:
    dispatch.send_order(str(order.submission_id))
    return reread(order)


def reread(order: Order) -> Order:
    return Order.objects.select_related("submission", "instrument", "cancel").get(pk=order.pk)


def follow(sandbox: Any, order: Order, seconds: int = 180) -> Order:
    sandbox.advance(seconds)
    sync.sync_orders()
    sync.sync_orders()
    return reread(order)


def test_an_order_for_one_account_is_placed_once_and_filled(sandbox: Any, send: Callable[..., Order]) -> None:
    order = submit(send())

    assert (order.status, order.submission.state) == (Status.WORKING, State.ACKED)
    filled = follow(sandbox, order)

    assert (filled.status, filled.filled, filled.ibkr_status) == (Status.FILLED, Decimal(5), "Filled")
    assert [row.quantity for row in Execution.objects.filter(order=order)] != []
    assert sum(row.quantity for row in Execution.objects.filter(order=order)) == 5
    effects = sandbox.ledger("order", order.client_order_id)
    assert len(effects) == 1
    assert effects[0]["data"]["promised"] == {NUMBERS[0]: 5}


def test_ringing_twice_sends_once(sandbox: Any, send: Callable[..., Order]) -> None:
    order = send()

    dispatch.send_order(str(order.submission_id))
    dispatch.send_order(str(order.submission_id))

    assert len(sandbox.ledger("order")) == 1


def sandbox_group(desk: Any) -> AllocationGroup:
    return make_group(desk, "Income-3", "E", dict.fromkeys(Account.objects.filter(number__in=NUMBERS)))


@pytest.fixture
def group(desk: Any, instrument: Instrument) -> AllocationGroup:
    """A group of the three accounts that IBKR has too."""
    from backoffice.broker import client as broker
    from backoffice.ibkr.types.allocation import GroupDefinition, GroupShare

    definition = GroupDefinition(name="Income-3", method="E", members=tuple(GroupShare(account=n) for n in NUMBERS))
    client = broker.client_for(desk, lane="trading")
    client.allocation.create_group(definition)
    return sandbox_group(desk)


def test_a_block_is_asked_about_confirmed_and_shared_as_frozen(
    sandbox: Any, send: Callable[..., Order], group: AllocationGroup, advisor: Any
) -> None:
    order = submit(send(group=group, quantity=Decimal(8)))
    question = order.questions.get()

    assert order.submission.state == State.QUESTION
    assert question.message_ids == ["p6"]
    assert question.words.startswith("This order will be distributed over multiple accounts.")
    assert sandbox.ledger("order") == []
    orders.answer(question, by=advisor, answer="yes")
    dispatch.send_reply(str(order.submission_id))
    filled = follow(sandbox, order)

    assert filled.status == Status.FILLED
    shares = {row.account.number: row.quantity for row in order.allocations.select_related("account")}
    booked: dict[str, Decimal] = {}
    for row in Execution.objects.filter(order=order).select_related("account"):
        booked[row.account.number] = booked.get(row.account.number, Decimal(0)) + row.quantity
    assert shares == {NUMBERS[0]: 3, NUMBERS[1]: 3, NUMBERS[2]: 2}
    assert booked == shares
    assert len(sandbox.ledger("order", order.client_order_id)) == 1


def test_a_declined_question_leaves_nothing_at_ibkr(
    sandbox: Any, send: Callable[..., Order], group: AllocationGroup, advisor: Any
) -> None:
    order = submit(send(group=group, quantity=Decimal(9)))

    orders.answer(order.questions.get(), by=advisor, answer="no")
    dispatch.send_reply(str(order.submission_id))

    order = reread(order)
    assert (order.status, order.submission.state) == (Status.DECLINED, State.REJECTED)
    assert order.ibkr_words == "Order not confirmed"
    assert sandbox.ledger("order") == []


@pytest.mark.row(id="S11")
def test_a_question_nobody_answers_is_declined_by_the_named_rule(
    sandbox: Any, send: Callable[..., Order], group: AllocationGroup, time_machine: Any
) -> None:
    order = submit(send(group=group, quantity=Decimal(9)))
    looks.sweep_questions()
    question = order.questions.get()
    assert question.is_open

    time_machine.move_to(question.deadline)
    looks.sweep_questions()
    dispatch.send_reply(str(order.submission_id))

    question.refresh_from_db()
    assert (question.answer, question.answered_by, question.rule) == ("no", None, "deadline")
    assert reread(order).status == Status.DECLINED
    assert sandbox.ledger("order") == []


def test_chosen_accounts_go_inline_with_amounts_that_add_up(
    sandbox: Any, send: Callable[..., Order], advisor: Any
) -> None:
    first, second, _ = Account.objects.filter(number__in=NUMBERS).order_by("number")

    order = submit(send(chosen={first: Decimal(4), second: Decimal(3)}, quantity=Decimal(7)))
    orders.answer(order.questions.get(), by=advisor, answer="yes")
    dispatch.send_reply(str(order.submission_id))

    effect = sandbox.ledger("order", order.client_order_id)[0]
    assert effect["data"]["promised"] == {first.number: 4, second.number: 3}
    assert reread(order).status in (Status.WORKING, Status.FILLED)


def test_a_group_that_changed_at_ibkr_is_not_sent(
    sandbox: Any, send: Callable[..., Order], group: AllocationGroup, desk: Any
) -> None:
    from backoffice.broker import client as broker
    from backoffice.ibkr.types.allocation import GroupDefinition, GroupShare

    order = send(group=group, quantity=Decimal(9))
    smaller = GroupDefinition(name="Income-3", method="E", members=tuple(GroupShare(account=n) for n in NUMBERS[:2]))
    broker.client_for(desk, lane="trading").allocation.replace_group(smaller)

    order = submit(order)

    assert (order.status, order.submission.state) == (Status.VOID, State.VOID)
    assert order.ibkr_words == (
        f"The group Income-3 changed at IBKR after the preview: {NUMBERS[2]} left. Nothing was sent."
    )
    assert [row for row in sandbox.requests() if row["path"].endswith("/orders")] == []


def test_a_group_that_shares_otherwise_now_is_not_sent(
    sandbox: Any, send: Callable[..., Order], group: AllocationGroup, desk: Any
) -> None:
    from backoffice.broker import client as broker
    from backoffice.ibkr.types.allocation import GroupDefinition, GroupShare

    order = send(group=group, quantity=Decimal(9))
    other = GroupDefinition(name="Income-3", method="N", members=tuple(GroupShare(account=n) for n in NUMBERS))
    broker.client_for(desk, lane="trading").allocation.replace_group(other)

    order = submit(order)

    assert (order.status, order.submission.state) == (Status.VOID, State.VOID)
    assert "its method is N, not E" in order.ibkr_words


def test_a_refusal_is_kept_in_ibkrs_words(sandbox: Any, send: Callable[..., Order]) -> None:
    order = send(side="BUY")
    sandbox.fault({
        "method": "POST", "path": "/iserver/account/[^/]+/orders$", "phase": "read_not_applied", "action": "status",
        "status": 200, "body": '{"error": "No trading permissions."}',
    })  # fmt: skip

    order = submit(order)

    assert (order.status, order.submission.state) == (Status.REJECTED, State.REJECTED)
    assert order.ibkr_words == "No trading permissions."
    assert sandbox.ledger("order") == []


def test_lost_answer_is_looked_for_and_found_by_its_key(
    sandbox: Any, send: Callable[..., Order], instrument: Instrument
) -> None:
    order = send(limit_price=far_below(instrument))
    sandbox.fault({
        "method": "POST", "path": "/iserver/account/[^/]+/orders$", "phase": "applied_not_answered", "action": "reset",
    })  # fmt: skip

    order = submit(order)
    assert (order.status, order.submission.state) == (Status.REQUESTED, State.UNKNOWN)
    looks.look_for_order(str(order.submission_id))

    order = reread(order)
    assert (order.status, order.submission.state) == (Status.WORKING, State.ACKED)
    effects = sandbox.ledger("order", order.client_order_id)
    assert [effect["broker_id"] for effect in effects] == [order.ibkr_order_id]
    sent = [row for row in sandbox.requests() if row["method"] == "POST" and row["path"].endswith("/orders")]
    assert len(sent) == 1


@pytest.mark.parametrize("ours", [{"quantity": 8}, {"side": "SELL"}, {"target_name": NUMBERS[2]}])
def test_what_is_found_under_its_key_and_is_not_what_was_sent_stays_a_doubt(
    sandbox: Any, send: Callable[..., Order], instrument: Instrument, ours: dict[str, Any]
) -> None:
    order = send(limit_price=far_below(instrument))
    sandbox.fault({
        "method": "POST", "path": "/iserver/account/[^/]+/orders$", "phase": "applied_not_answered", "action": "reset",
    })  # fmt: skip
    submit(order)
    Order.objects.filter(pk=order.pk).update(**ours)

    looks.look_for_order(str(order.submission_id))

    submission = reread(order).submission
    assert (submission.state, submission.observations.get().finding) == (State.UNKNOWN, "mismatch")


def test_lost_answer_of_an_order_that_filled_is_found(sandbox: Any, send: Callable[..., Order]) -> None:
    order = send()
    sandbox.fault({
        "method": "POST", "path": "/iserver/account/[^/]+/orders$", "phase": "applied_not_answered", "action": "status",
        "status": 503, "body": "<html>unavailable</html>",
    })  # fmt: skip

    order = submit(order)
    sandbox.advance(300)
    looks.look_for_order(str(order.submission_id))

    order = reread(order)
    assert (order.status, order.filled) == (Status.FILLED, Decimal(5))
    assert len(sandbox.ledger("order", order.client_order_id)) == 1


@pytest.mark.row(id="S14")
def test_an_order_that_never_arrived_is_not_called_absent_without_a_control(
    sandbox: Any, send: Callable[..., Order]
) -> None:
    order = send()
    sandbox.fault({
        "method": "POST", "path": "/iserver/account/[^/]+/orders$", "phase": "read_not_applied", "action": "reset",
    })  # fmt: skip
    order = submit(order)

    for _ in range(4):
        looks.look_for_order(str(order.submission_id))

    order = reread(order)
    assert order.submission.state == State.UNKNOWN
    assert {row.finding for row in order.submission.observations.all()} == {"inconclusive"}
    assert sandbox.ledger("order") == []


def test_an_order_that_never_arrived_is_proven_absent_beside_another_of_ours(
    sandbox: Any, send: Callable[..., Order], instrument: Instrument
) -> None:
    control = submit(send(limit_price=far_below(instrument), quantity=Decimal(2)))
    order = send()
    sandbox.fault({
        "method": "POST", "path": "/iserver/account/[^/]+/orders$", "phase": "read_not_applied", "action": "reset",
    })  # fmt: skip
    order = submit(order)

    for _ in range(4):
        looks.look_for_order(str(order.submission_id))

    order = reread(order)
    assert control.status == Status.WORKING
    assert order.submission.state == State.ABSENT
    assert order.status == Status.REQUESTED
    assert [effect["key"] for effect in sandbox.ledger("order")] == [control.client_order_id]


@pytest.mark.row(id="S11")
def test_lost_reply_is_looked_for_not_answered_again(
    sandbox: Any, send: Callable[..., Order], group: AllocationGroup, advisor: Any, instrument: Instrument
) -> None:
    order = submit(send(group=group, quantity=Decimal(9), limit_price=far_below(instrument)))
    orders.answer(order.questions.get(), by=advisor, answer="yes")
    sandbox.fault({"method": "POST", "path": "/iserver/reply/", "phase": "applied_not_answered", "action": "reset"})

    dispatch.send_reply(str(order.submission_id))
    assert reread(order).submission.state == State.UNKNOWN
    looks.look_for_order(str(order.submission_id))

    order = reread(order)
    assert (order.status, order.submission.state) == (Status.WORKING, State.ACKED)
    assert len(sandbox.ledger("order", order.client_order_id)) == 1
    assert len([row for row in sandbox.requests() if "/iserver/reply/" in row["path"]]) == 1


@pytest.mark.row(id="S11")
@pytest.mark.parametrize(("answer", "replies"), [("yes", 0), ("no", 1)])
def test_a_yes_that_was_held_up_for_minutes_does_not_leave_any_more(
    sandbox: Any, send: Callable[..., Order], group: AllocationGroup, advisor: Any, instrument: Instrument, principal: Any,
    answer: str, replies: int,
) -> None:  # fmt: skip
    order = submit(send(group=group, quantity=Decimal(9), limit_price=far_below(instrument)))
    orders.answer(order.questions.get(), by=advisor, answer=answer)
    gate = broker.close_gate(scope=Gate.Scope.LANE, key="trading", reason="Stop", by=principal)
    dispatch.send_reply(str(order.submission_id))
    Gate.objects.filter(pk=gate.pk).update(is_open=True)
    order.questions.update(asked_at=clock.now() - timedelta(minutes=5))

    dispatch.send_reply(str(order.submission_id))

    assert len([row for row in sandbox.requests() if "/iserver/reply/" in row["path"]]) == replies
    assert sandbox.ledger("order") == []
    assert (reread(order).submission.state == State.UNKNOWN) == (answer == "yes")


@pytest.mark.parametrize(("hours", "leaves"), [(23, True), (25, False)])
def test_an_order_held_up_for_a_day_does_not_leave_by_itself(
    sandbox: Any, send: Callable[..., Order], instrument: Instrument, hours: int, leaves: bool
) -> None:
    order = send(limit_price=far_below(instrument))
    Order.objects.filter(pk=order.pk).update(sent_at=clock.now() - timedelta(hours=hours))

    dispatch.send_order(str(order.submission_id))
    sync.sync_orders()

    order = reread(order)
    assert len(sandbox.ledger("order")) == leaves
    assert order.status == (Status.WORKING if leaves else Status.VOID)
    assert ("nobody has said yes" in order.ibkr_words) != leaves


def test_the_day_of_an_order_that_was_released_begins_with_the_release(
    sandbox: Any, send: Callable[..., Order], instrument: Instrument, operations: Any, principal: Any
) -> None:
    sandbox.fault({"method": "POST", "path": "/orders$", "phase": "read_not_applied", "action": "reset"})
    order = submit(send(limit_price=far_below(instrument)))
    Submission.objects.filter(pk=order.submission_id).update(state=State.ABSENT)
    for person in (operations, principal):
        journal.release(reread(order).submission, by=person, evidence="IBKR's desk sees nothing")

    Order.objects.filter(pk=order.pk).update(sent_at=clock.now() - timedelta(hours=25))

    order = reread(order)
    assert (order.submission.state, order.why_not_sent(order.submission)) == (State.READY, "")


def test_the_cancel_of_an_old_order_leaves_however_long_it_waited(
    sandbox: Any, send: Callable[..., Order], instrument: Instrument, advisor: Any
) -> None:
    order = submit(send(limit_price=far_below(instrument)))
    cancel = orders.request_cancel(order, by=advisor)
    Order.objects.filter(pk=order.pk).update(sent_at=clock.now() - timedelta(days=3))

    dispatch.send_cancel(str(cancel.pk))

    cancel.refresh_from_db()
    assert cancel.state == State.ACKED


@pytest.mark.row(id="S11")
def test_a_question_lost_with_its_session_becomes_a_doubt(
    sandbox: Any, send: Callable[..., Order], group: AllocationGroup, live_session: Any
) -> None:
    order = submit(send(group=group, quantity=Decimal(9)))

    type(live_session).objects.filter(pk=live_session.pk).update(serial=live_session.serial + 1)
    looks.sweep_questions()

    order = reread(order)
    assert order.submission.state == State.UNKNOWN
    assert order.questions.get().rule == "session lost"


def test_no_order_leaves_while_another_is_asked_about(
    sandbox: Any, send: Callable[..., Order], group: AllocationGroup
) -> None:
    asked = submit(send(group=group, quantity=Decimal(9)))
    waiting = submit(send(quantity=Decimal(2)))

    assert asked.submission.state == State.QUESTION
    assert waiting.submission.state == State.READY
    assert sandbox.ledger("order") == []


def test_a_cancel_is_asked_once_and_the_order_ends_when_ibkr_shows_it(
    sandbox: Any, send: Callable[..., Order], instrument: Instrument, advisor: Any
) -> None:
    order = submit(send(limit_price=far_below(instrument)))

    first = orders.request_cancel(order, by=advisor)
    assert orders.request_cancel(reread(order), by=advisor).pk == first.pk
    dispatch.send_cancel(str(first.pk))
    assert reread(order).status == Status.WORKING
    ended = follow(sandbox, order, seconds=10)

    assert (ended.status, ended.filled) == (Status.CANCELLED, Decimal(0))
    assert len(sandbox.ledger("cancel", order.client_order_id)) == 1


def test_lost_answer_of_a_cancel_is_looked_for(
    sandbox: Any, send: Callable[..., Order], instrument: Instrument, advisor: Any
) -> None:
    order = submit(send(limit_price=far_below(instrument)))
    cancel = orders.request_cancel(order, by=advisor)
    sandbox.fault(
        {"method": "DELETE", "path": "/iserver/account/.*/order/", "phase": "applied_not_answered", "action": "reset"}
    )

    dispatch.send_cancel(str(cancel.pk))
    sandbox.advance(10)
    looks.look_for_cancel(str(cancel.pk))

    cancel.refresh_from_db()
    assert cancel.state == State.ACKED
    assert reread(order).status == Status.CANCELLED
    assert len(sandbox.ledger("cancel", order.client_order_id)) == 1


def test_portfolios_are_read_with_their_age(sandbox: Any, desk: Any) -> None:
    sync.sync_portfolios()

    account = Account.objects.select_related("snapshot").get(number=NUMBERS[0])
    assert account.snapshot.failure == ""
    assert (clock.now() - account.snapshot.as_of).total_seconds() < 60
    assert Position.objects.filter(account=account).count() >= 4
    assert account.cash_balances.count() >= 2
    total = sum((row.base_value for row in account.positions.all()), Decimal(0))
    cash = sum((row.amount * row.rate for row in account.cash_balances.all()), Decimal(0))
    assert abs(account.snapshot.net_liquidation - total - cash) < 2
    assert {group.name for group in AllocationGroup.objects.listed()} >= {"Balanced", "Income"}
    assert account.snapshot.allocation_net_liquidation is not None


def test_an_empty_answer_is_not_taken_for_no_positions(sandbox: Any, desk: Any) -> None:
    sync.sync_portfolios()
    account = Account.objects.get(number=NUMBERS[0])
    before = Position.objects.filter(account=account).count()
    sandbox.fault({
        "method": "GET", "path": f"/portfolio/{account.number}/positions/", "times": 9, "phase": "read_not_applied",
        "action": "status", "status": 200, "body": "[]",
    })  # fmt: skip

    sync.sync_portfolios()

    assert Position.objects.filter(account=account).count() == before
    account.snapshot.refresh_from_db()
    assert account.snapshot.failure.startswith("IBKR lists no positions")


def test_search_shows_each_listing_with_exchange_and_currency(sandbox: Any, desk: Any, advisor: Any) -> None:
    inquiry = inquiries.ask("trading.answer_instrument_search", {"text": "spy"}, by=advisor)

    inquiry_dispatch.answer_instrument_search(str(inquiry.pk))

    inquiry = Inquiry.objects.get(pk=inquiry.pk)
    assert inquiry.state == InquiryState.ANSWERED, inquiry.message
    found = Instrument.objects.filter(conid__in=inquiry.answer["conids"])
    assert SPY in {row.conid for row in found}
    assert all(row.currency and row.exchange for row in found)


def test_nothing_is_asked_while_ibkr_waits_for_an_answer(
    sandbox: Any, send: Callable[..., Order], group: AllocationGroup, advisor: Any
) -> None:
    submit(send(group=group, quantity=Decimal(9)))
    before = len(sandbox.requests())
    inquiry = inquiries.ask("trading.answer_quote", {"conid": AAPL}, by=advisor)

    inquiry_dispatch.answer_quote(str(inquiry.pk))
    sync.sync_orders()
    sync.sync_portfolios()

    assert Inquiry.objects.get(pk=inquiry.pk).state == InquiryState.FAILED
    assert len(sandbox.requests()) == before


def define(desk: Any, advisor: Any, **changes: Any) -> GroupChange:
    members: dict[Account, Decimal | None] = dict.fromkeys(Account.objects.filter(number__in=NUMBERS))
    arguments: dict[str, Any] = {
        "master": desk, "name": "Growth", "method": "E", "members": members, "by": advisor, "intent": uuid.uuid4(),
    }  # fmt: skip
    return groups.define_group(**{**arguments, **changes})


def test_a_group_is_made_changed_and_removed(sandbox: Any, desk: Any, advisor: Any) -> None:
    made = define(desk, advisor)
    group_dispatch.send_group(str(made.submission_id))
    group = AllocationGroup.objects.get(name="Growth")
    first = group.members.first()
    assert first is not None
    changed = define(desk, advisor, replaces=group, method="R", members={first.account: Decimal(2)})
    group_dispatch.send_group(str(changed.submission_id))
    group.refresh_from_db()

    assert (group.method, [(row.account.number, row.amount) for row in group.members.all()]) == (
        "R", [(first.account.number, Decimal(2))],
    )  # fmt: skip
    removed = groups.remove_group(group, by=advisor, intent=uuid.uuid4())
    group_dispatch.send_group(str(removed.submission_id))

    group.refresh_from_db()
    assert not group.is_listed
    assert [effect["data"]["action"] for effect in sandbox.ledger("group", "Growth")] == ["create", "replace", "delete"]


def test_lost_answer_of_a_new_group_is_looked_for(sandbox: Any, desk: Any, advisor: Any) -> None:
    made = define(desk, advisor)
    sandbox.fault({"method": "POST", "path": "/allocation/group$", "phase": "applied_not_answered", "action": "reset"})

    group_dispatch.send_group(str(made.submission_id))
    group_dispatch.look_for_group(str(made.submission_id))

    made.refresh_from_db()
    assert made.status == "done"
    assert len(sandbox.ledger("group", "Growth")) == 1


# ---- questions answered by the policy


@pytest.fixture
def rule(principal: User) -> Callable[[str, str], None]:
    second = User.objects.create_user(email="second@alderrow.example", name="Second Principal", role=Role.PRINCIPAL)

    def put(message_id: str, answer: str) -> None:
        put_in_force(replace(FIRST, questions=(QuestionRule(message_id, answer),)), principal, second)

    return put


@pytest.mark.parametrize(("said", "answer", "orders_at_ibkr"), [("auto", "yes", 1), ("refuse", "no", 0)])
def test_a_rule_answers_the_message_it_names_and_is_recorded_with_its_version(
    sandbox: Any, send: Callable[..., Order], group: AllocationGroup, rule: Any, said: str, answer: str, orders_at_ibkr: int
) -> None:  # fmt: skip
    rule("p6", said)

    order = submit(send(group=group, quantity=Decimal(9)))
    dispatch.send_reply(str(order.submission_id))

    question = order.questions.get()
    assert (question.answer, question.answered_by, question.rule) == (answer, None, "policy 2")
    assert len(sandbox.ledger("order")) == orders_at_ibkr
    assert (reread(order).status == Status.DECLINED) is (said == "refuse")


@pytest.mark.parametrize(
    ("said", "words"), [("auto", ["Confirm by rule"]), ("refuse", ["Decline by rule"]), ("ask", [])]
)
def test_a_policy_is_tried_on_what_ibkr_asked_before(
    sandbox: Any, send: Callable[..., Order], group: AllocationGroup, principal: User, said: str, words: list[str]
) -> None:
    order = submit(send(group=group, quantity=Decimal(9)))
    question = order.questions.get()
    assert question.message_ids == ["p6"]

    tried = dry_run.trial(replace(FIRST, questions=(QuestionRule("p6", said),)), by=principal)

    assert tried.asked == 1
    assert [each.words for each in tried.answered] == words
    assert [each.question.url for each in tried.answered] == [order.get_absolute_url()] * len(words)
    question.refresh_from_db()
    assert question.is_open


def test_a_yes_to_a_question_of_an_earlier_session_does_not_leave(
    sandbox: Any, send: Callable[..., Order], group: AllocationGroup, advisor: Any
) -> None:
    order = submit(send(group=group, quantity=Decimal(9)))
    orders.answer(order.questions.get(), by=advisor, answer="yes")
    BrokerageSession.objects.filter(master=order.master).update(serial=F("serial") + 1)
    asked_before = len(sandbox.requests())

    dispatch.send_reply(str(order.submission_id))

    assert reread(order).submission.state == State.UNKNOWN
    assert (len(sandbox.requests()), sandbox.ledger("order")) == (asked_before, [])


def test_a_prompt_is_confirmed_by_no_rule_and_a_no_leaves_it_unanswered(
    sandbox: Any, send: Callable[..., Order], group: AllocationGroup, rule: Any, advisor: Any
) -> None:
    order = submit(send(group=group, quantity=Decimal(9)))
    order.questions.update(prompt_order_id="77", options=["Submit", "Discard"])
    rule("p6", "auto")

    question = orders.policy_rule(order.questions.get())
    assert question.is_open
    with pytest.raises(InvalidInput):
        orders.answer(question, by=advisor, answer="yes")
    orders.answer(question, by=advisor, answer="no")
    asked_before = len(sandbox.requests())
    dispatch.send_reply(str(order.submission_id))

    submission = reread(order).submission
    assert (submission.state, len(sandbox.requests())) == (State.UNKNOWN, asked_before)
    assert "left unanswered, as was chosen" in submission.reason


def test_an_id_no_rule_names_waits_for_a_person(
    sandbox: Any, send: Callable[..., Order], group: AllocationGroup, rule: Any
) -> None:
    rule("o163", "auto")

    order = submit(send(group=group, quantity=Decimal(9)))

    assert order.questions.get().is_open
    assert order.submission is not None
    assert order.submission.state == State.QUESTION
    assert sandbox.ledger("order") == []


def test_the_form_key_of_a_group_finds_nothing_of_another_person(desk: Any, advisor: Any, principal: Any) -> None:
    change = define(desk, advisor)

    with pytest.raises(Conflict):
        define(desk, principal, intent=change.intent)
    with pytest.raises(Conflict):
        define(desk, advisor, name="Income", intent=change.intent)
    assert define(desk, advisor, intent=change.intent).pk == change.pk
