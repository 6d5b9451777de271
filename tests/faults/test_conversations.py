"""The conversation an order is, broken off at every place: a crash between two questions, a question that is gone, one that
is answered twice or that nobody knows; and lists that are empty though the order is there.
"""

import itertools
import json
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from backoffice.broker import client as broker
from backoffice.broker.session import Keeper
from backoffice.core import clock
from backoffice.core.errors import Conflict
from backoffice.ibkr import Exchange
from backoffice.ibkr.orders import group_outcome_of
from backoffice.ibkr.transport import Reply
from backoffice.ibkr.types.allocation import GroupDefinition, GroupShare
from backoffice.ibkr.types.orders import Doubtful, Mixed, Placed, PlacedOrder, Question, Refused
from backoffice.journal import sending, sweeps
from backoffice.journal.models import Phase, State, Submission
from clients.models import Account
from tests.trading.conftest import NUMBERS, give_figures, make_account, make_group
from trading import contributions
from trading.dispatch import looks, sync
from trading.dispatch import orders as dispatch
from trading.models import AllocationGroup, Instrument, Order, Status
from trading.services import orders, tickets

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]
LOOKS = 4
# What makes the sandbox ask one more question each; p6, about the block itself, is always the first.
MORE_QUESTIONS = [{"size_limit": 1}, {"value_limit": 1}, {"price_band_percent": 0.001}]
ASKED = ["p6", "o382", "o163", "o383", "o451"]


@pytest.fixture
def instrument(live_session: Any, book: Any, account: Account) -> Instrument:
    """Traded by three accounts; its price step here is finer than at the sandbox, so that an off-step price can leave."""
    give_figures(account, "100000")
    for number in NUMBERS[1:]:
        give_figures(make_account(number, live_session.master, book), "100000")
    row = Instrument.objects.create(
        conid="265598", symbol="AAPL", name="Apple Inc", exchange="NASDAQ", currency="USD", tick=Decimal("0.001")
    )
    client = broker.client_for(live_session.master, lane="trading")
    client.market.snapshot([row.conid])
    last = client.market.snapshot([row.conid])[0].last
    assert last is not None
    row.last = last.value
    row.save()
    return row


@pytest.fixture
def group(instrument: Instrument, live_session: Any) -> AllocationGroup:
    definition = GroupDefinition(name="Income-3", method="E", members=tuple(GroupShare(account=n) for n in NUMBERS))
    broker.client_for(live_session.master, lane="trading").allocation.create_group(definition)
    return make_group(live_session.master, "Income-3", "E", dict.fromkeys(Account.objects.filter(number__in=NUMBERS)))


@pytest.fixture
def block(group: AllocationGroup, instrument: Instrument, advisor: Any, sandbox: Any) -> Callable[[int, int], Order]:
    """Send a block that IBKR asks so many questions about, and bring it to the first."""

    def make(questions: int, quantity: int) -> Order:
        sandbox.config(size_limit=5000, value_limit=100_000_000, price_band_percent=3)
        for knob in MORE_QUESTIONS[: questions - 1]:
            sandbox.config(**knob)
        assert instrument.last is not None
        price = (instrument.last * Decimal("0.995")).quantize(Decimal("0.01"))
        order = tickets.draw_up(
            intent=uuid.uuid4(), by=advisor, instrument=instrument, side="BUY", quantity=Decimal(quantity), group=group,
            order_type="LMT", limit_price=price + Decimal("0.005" if questions == len(ASKED) else 0), tif="DAY",
            reason="Invest the November contribution",
        )  # fmt: skip
        order = tickets.send(order, by=advisor, allocation_sha256=order.allocation_sha256)
        dispatch.send_order(str(order.submission_id))
        return reread(order)

    return make


def reread(order: Order) -> Order:
    return Order.objects.select_related("submission").get(pk=order.pk)


def say_yes(order: Order, advisor: Any) -> Order:
    orders.answer(order.questions.get(answered_at__isnull=True), by=advisor, answer="yes")
    dispatch.send_reply(str(order.submission_id))
    return reread(order)


def look(order: Order) -> Order:
    for _ in range(LOOKS):
        looks.look_for_order(str(order.submission_id))
    return reread(order)


def calls(sandbox: Any, part: str) -> list[str]:
    return [row["path"] for row in sandbox.requests() if row["method"] == "POST" and part in row["path"]]


class Died(BaseException):
    """The worker is no more."""


def die_after_replying(order: Order, advisor: Any) -> None:
    """Answer yes and reply, and die before the answer can be written down."""
    question = order.questions.get(answered_at__isnull=True)
    orders.answer(question, by=advisor, answer="yes")
    submission = sending.claim(str(order.submission_id), phase=Phase.REPLY)
    assert submission is not None
    client = broker.client_for(submission.master, lane="trading")

    def reply() -> Any:
        client.orders.reply(question.reply_id, confirmed=True)
        raise Died

    with pytest.raises(Died):
        sending.attempt(submission, reply)


@pytest.mark.row(id="S11")
@pytest.mark.parametrize("questions", [1, 2, 3, 4, 5])
def test_s11_a_crash_between_two_questions_leaves_one_order_or_none(
    questions: int, block: Callable[[int, int], Order], sandbox: Any, advisor: Any, time_machine: Any
) -> None:
    for crash_at in range(1, questions + 1):
        order = block(questions, 9 + crash_at)
        for _ in range(crash_at - 1):
            order = say_yes(order, advisor)
        assert order.submission.state == State.QUESTION
        replies = len(calls(sandbox, "/iserver/reply/"))

        die_after_replying(order, advisor)
        Submission.objects.filter(pk=order.submission_id).update(lease_until=order.created_at)  # it lapsed long ago
        sweeps.sweep_submissions()
        assert reread(order).submission.state == State.UNKNOWN
        order = look(order)

        was_the_last = crash_at == questions
        assert len(sandbox.ledger("order", order.client_order_id)) == was_the_last
        assert (order.submission.state == State.ACKED) == was_the_last
        assert was_the_last or order.submission.state in {State.UNKNOWN, State.ABSENT}
        assert len(calls(sandbox, "/iserver/reply/")) == replies + 1  # no answer that nobody gave
        assert calls(sandbox, "/account/Income-3/orders") == ["/v1/api/iserver/account/Income-3/orders"] * crash_at


@pytest.mark.row(id="S11")
def test_s11_the_longest_chain_is_asked_step_by_step(
    block: Callable[[int, int], Order], sandbox: Any, advisor: Any
) -> None:
    order = block(5, 12)
    for _ in ASKED:
        assert sandbox.ledger("order") == []
        order = say_yes(order, advisor)

    assert [row.message_ids for row in order.questions.order_by("number")] == [[each] for each in ASKED]
    assert order.submission.state == State.ACKED
    assert len(sandbox.ledger("order", order.client_order_id)) == 1


@pytest.mark.row(id="S11")
@pytest.mark.parametrize("status", [400, 503])
def test_s11_a_question_ibkr_no_longer_knows_is_a_doubt_and_not_asked_for_again(
    status: int, block: Callable[[int, int], Order], sandbox: Any, advisor: Any
) -> None:
    order = block(1, 12)
    sandbox.config(late_reply_status=status)
    sandbox.advance(61)

    order = look(say_yes(order, advisor))

    assert order.submission.state in {State.UNKNOWN, State.ABSENT}
    assert sandbox.ledger("order") == []
    assert len(calls(sandbox, "/iserver/reply/")) == 1
    assert len(calls(sandbox, "/orders")) == 1


@pytest.mark.row(id="S11")
def test_s11_a_question_is_answered_once_whoever_answers_again(
    block: Callable[[int, int], Order], sandbox: Any, advisor: Any, principal: Any
) -> None:
    order = block(1, 12)
    question = order.questions.get()
    orders.answer(question, by=advisor, answer="yes")

    with pytest.raises(Conflict):
        orders.answer(question, by=principal, answer="no")
    for _ in range(3):
        dispatch.send_reply(str(order.submission_id))

    assert len(calls(sandbox, "/iserver/reply/")) == 1
    assert len(sandbox.ledger("order", order.client_order_id)) == 1


@pytest.mark.row(id="S11")
def test_s11_a_question_nobody_has_seen_before_waits_for_a_person(
    block: Callable[[int, int], Order], sandbox: Any
) -> None:
    sandbox.fault({
        "method": "POST", "path": "/iserver/account/Income-3/orders$", "phase": "read_not_applied", "action": "status",
        "status": 200, "body": '[{"id": "07a13a5a-4a48-44a5-bb25-5ab37b79186c", "message": ["What is that?"],'
        ' "isSuppressed": false, "messageIds": ["o99999"]}]',
    })  # fmt: skip

    order = block(1, 12)
    looks.sweep_questions()

    question = order.questions.get()
    assert (order.submission.state, question.message_ids) == (State.QUESTION, ["o99999"])
    assert (question.answer, question.words) == ("", "What is that?")
    assert calls(sandbox, "/iserver/reply/") == []


@pytest.mark.row(id="S07")
@pytest.mark.parametrize("phase", ["read_not_applied", "applied_not_answered"])
def test_s07_a_bearer_that_ends_between_question_and_reply_is_a_doubt_and_the_chain_is_looked_up(
    phase: str, block: Callable[[int, int], Order], sandbox: Any, advisor: Any, live_session: Any
) -> None:
    order = block(1, 12)
    sandbox.fault({"method": "POST", "path": "/iserver/reply/", "phase": phase, "action": "expired_token"})

    order = say_yes(order, advisor)
    assert order.submission.state == State.UNKNOWN
    assert look(order).submission.state == State.UNKNOWN  # nothing can be seen without a session
    keeper = Keeper(live_session.master)
    assert keeper.acquire()
    assert not keeper.open()  # IBKR still has the session of the bearer that ended, and it is not thrown out
    sandbox.advance(400)  # it has been idle for longer than IBKR lets it
    assert keeper.open()
    order = look(order)

    took = phase == "applied_not_answered"
    assert (order.submission.state == State.ACKED) == took
    assert took or order.submission.state in {State.UNKNOWN, State.ABSENT}
    assert len(sandbox.ledger("order", order.client_order_id)) == took
    assert len(calls(sandbox, "/iserver/reply/")) == 1
    assert len(calls(sandbox, "/orders")) == 1


@pytest.mark.row(id="S14")
@pytest.mark.parametrize("is_loaded", [True, False])
def test_s14_an_empty_list_is_no_proof_that_an_order_is_not_there(
    is_loaded: bool, order: Any, sandbox: Any, account: Account
) -> None:
    row = order.begin()
    sandbox.fault({"method": "POST", "path": order.path, "phase": "applied_not_answered", "action": "reset"})
    dispatch.send_order(str(row.submission_id))
    assert reread(row).submission.state == State.UNKNOWN
    polls = 6
    listing = f'{{"orders": [], "snapshot": {str(is_loaded).lower()}}}'
    empty = {"method": "GET", "phase": "answered", "action": "status", "status": 200, "times": polls * 4}
    sandbox.fault({**empty, "path": "/iserver/account/orders$", "body": listing})
    sandbox.fault({**empty, "path": "/iserver/account/trades$", "body": "[]"})

    for _ in range(polls):
        looks.look_for_order(str(row.submission_id))
        assert reread(row).submission.state == State.UNKNOWN
    findings = set(reread(row).submission.observations.values_list("finding", flat=True))
    assert findings == {"inconclusive"}
    sandbox.clear_faults()
    found = look(row)

    assert found.submission.state == State.ACKED
    assert len(sandbox.ledger("order", row.client_order_id)) == 1
    assert len(calls(sandbox, "/orders")) == 1


@pytest.mark.row(id="S14")
def test_s14_an_empty_list_ends_no_order_that_works(order: Any, sandbox: Any) -> None:
    row = order.begin()
    dispatch.send_order(str(row.submission_id))
    sandbox.fault({"method": "GET", "path": "/iserver/account/orders$", "phase": "answered", "action": "status",
                   "status": 200, "times": 20, "body": '{"orders": [], "snapshot": true}'})  # fmt: skip
    sandbox.fault({"method": "GET", "path": "/iserver/account/trades$", "phase": "answered", "action": "status",
                   "status": 200, "times": 20, "body": "[]"})  # fmt: skip

    for _ in range(3):
        sync.sync_orders()

    assert reread(row).status == Status.WORKING


# ---- S12, several tickets at once

ACK = {"order_id": "1370093239", "order_status": "PreSubmitted", "encrypt_message": "1"}
ANSWERS: dict[str, tuple[dict[str, Any], type]] = {
    "taken": (ACK, PlacedOrder),
    "refused": ({"error": "No trading permissions."}, Refused),
    "asked": ({"id": "07a13a5a-4a48-44a5-bb25-5ab37b79186c", "message": ["Sure?"], "messageIds": ["o163"]}, Question),
    "unreadable": ({"status": "fine"}, Doubtful),
}


@pytest.mark.row(id="S12")
def test_s12_each_ticket_of_a_bracket_has_an_outcome_of_its_own_in_every_mixture() -> None:
    exchange = Exchange("id", "POST", "/x", {}, None, clock.now(), 1, "answered", 200)
    for mixture in itertools.product(ANSWERS, repeat=3):
        body = json.dumps([ANSWERS[name][0] for name in mixture]).encode()

        outcome = group_outcome_of(Reply(200, {}, body, exchange), tickets=3)

        if set(mixture) == {"taken"}:
            assert isinstance(outcome, Placed)
            assert len(outcome.orders) == 3
        else:
            assert isinstance(outcome, Mixed), mixture
            assert [type(each) for each in outcome.outcomes] == [ANSWERS[name][1] for name in mixture]


@pytest.mark.row(id="S12")
@pytest.mark.parametrize("second", ["taken", "refused", "asked", "unreadable"])
def test_s12_more_than_one_answer_to_one_ticket_is_an_alarm(
    second: str, order: Any, sandbox: Any, advisor: Any
) -> None:
    row = order.begin()
    both = json.dumps([ACK, ANSWERS[second][0]])
    sandbox.fault({"method": "POST", "path": order.path, "phase": "applied_not_answered", "action": "status",
                   "status": 200, "body": both})  # fmt: skip

    dispatch.send_order(str(row.submission_id))

    assert reread(row).submission.state == State.UNKNOWN
    assert [item.group for item in contributions.inbox(advisor)] == ["doubt"]
    sandbox.clear_faults()
    assert look(row).submission.state == State.ACKED
    assert len(sandbox.ledger("order", row.client_order_id)) == 1
    assert len(calls(sandbox, "/orders")) == 1


@pytest.mark.row(id="S12")
def test_s12_each_ticket_is_a_submission_and_one_that_is_refused_stops_no_other(
    group: AllocationGroup, block: Callable[[int, int], Order], sandbox: Any, advisor: Any
) -> None:
    first = block(1, 12)
    sandbox.fault({"method": "POST", "path": "/iserver/reply/", "nth": 2, "phase": "read_not_applied", "action": "status",
                   "status": 200, "body": '{"error": "No trading permissions."}'})  # fmt: skip
    first = say_yes(first, advisor)
    second = say_yes(block(1, 15), advisor)

    assert [first.submission.state, second.submission.state] == [State.ACKED, State.REJECTED]
    assert [effect["key"] for effect in sandbox.ledger("order")] == [first.client_order_id]
    assert second.ibkr_words == "No trading permissions."
