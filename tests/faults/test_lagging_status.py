"""S13: IBKR's status lags. For a while what it took cannot be found, then it is pending for hours; words come late, twice
and in any order. Nothing is concluded from that, nothing is sent again, and no state goes back.
"""

import json
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import requests
import time_machine
from celery import current_app
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backoffice.core import clock
from backoffice.journal.models import Finding, State
from funding.dispatch import poll_transfer
from funding.models import CashTransfer
from funding.models import Status as TransferStatus
from tests.faults.conftest import Effect
from tests.faults.moved_clock import MovedClock, journal_times, run
from trading.dispatch import sync
from trading.models import Order
from trading.models import Status as OrderStatus
from trading.services import progress

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]
UNFINDABLE, PENDING = 90, 7200  # seconds; two hours of it
NOT_YET = {"method": "GET", "phase": "answered", "action": "status", "times": 10_000}
# How far each word is on the way; a later word never gives way to an earlier one.
RANKS: dict[str, int] = {
    TransferStatus.REQUESTED: 0,
    TransferStatus.SUBMITTED: 1,
    TransferStatus.DONE: 2,
    TransferStatus.REJECTED: 2,
    OrderStatus.REQUESTED: 0,
    OrderStatus.WORKING: 1,
    OrderStatus.FILLED: 2,
    OrderStatus.CANCELLED: 2,
    "submitted": 1,
    "opened": 2,
}


@pytest.fixture(autouse=True)
def _times(settings: Any) -> None:
    journal_times(settings, quiet=120)


def posts(sandbox: Any, effect: Effect) -> int:
    wanted = effect.path.strip("^$")
    return len([call for call in sandbox.requests() if call["method"] == "POST" and call["path"] == wanted])


def hide_withdrawal(sandbox: Any, session: Any, effect: Effect) -> None:
    """Another one of ours can be seen, so that a look has its positive control."""
    control = effect.begin(1150)
    assert run(effect.submission(control), "operation") == State.ACKED
    CashTransfer.objects.update(next_poll_at=clock.now())
    poll_transfer(str(control.pk))
    sandbox.config(instruction_hidden_seconds=UNFINDABLE)
    sandbox.advance(UNFINDABLE)  # the control is old enough


def hide_application(sandbox: Any, session: Any, effect: Effect) -> None:
    """Nothing can be found by its number, so no look has a control."""
    sandbox.fault(
        {**NOT_YET, "path": "^/gw/api/v1/accounts$", "status": 404, "body": '{"status": 404, "title": "Not Found"}'}
    )


def hide_order(sandbox: Any, session: Any, effect: Effect) -> None:
    """The lists stand still: another order of ours is in them, so that a look has its positive control."""
    control = effect.submission(effect.begin(4))
    assert run(control, "operation") == State.ACKED
    session.refresh_from_db()
    asked = {"Authorization": f"Bearer {session.bearer}", "User-Agent": "tests"}
    for path in ("/iserver/account/orders", "/iserver/account/trades"):
        for _ in range(2):  # the first answer of a session may not be loaded yet
            listing = requests.get(f"{session.master.base_url}/v1/api{path}", headers=asked, timeout=10).text
        assert control.key in listing or "trades" in path
        sandbox.fault({**NOT_YET, "path": f"{path}$", "status": 200, "body": listing})


def pend(sandbox: Any) -> None:
    """Whatever IBKR took stays as it is for two hours."""
    sandbox.config(
        instruction_seconds=UNFINDABLE + PENDING, accept_milliseconds=PENDING * 1000, first_status="PendingSubmit",
        review_seconds=PENDING, approval_seconds=PENDING,
    )  # fmt: skip


HIDE: dict[str, Callable[[Any, Any, Effect], None]] = {
    "withdrawal": hide_withdrawal,
    "application": hide_application,
    "order": hide_order,
}
POLL: dict[str, Callable[[Any], Any]] = {
    "withdrawal": lambda row: poll_transfer(str(row.pk)),
    "application": lambda row: current_app.tasks["clients.poll_statuses"](),
    "order": lambda row: sync.sync_orders(),
}


@pytest.mark.row(id="S13")
@pytest.mark.parametrize("answer", ["lost", "read"])
@pytest.mark.parametrize("name", list(HIDE))
def test_s13_unfindable_for_90_seconds_and_pending_for_two_hours_is_neither_absent_nor_sent_again(
    name: str, answer: str, request: pytest.FixtureRequest, sandbox: Any, live_session: Any
) -> None:
    effect: Effect = request.getfixturevalue(name)
    pend(sandbox)
    HIDE[name](sandbox, live_session, effect)
    row = effect.begin()
    submission = effect.submission(row)
    before = posts(sandbox, effect)
    if answer == "lost":
        sandbox.fault({"method": "POST", "path": effect.path, "phase": "applied_not_answered", "action": "reset"})
    meant = State.UNKNOWN if answer == "lost" else State.ACKED
    seen: list[str] = []

    def look_around() -> None:
        run(submission, "operation")  # a doorbell that rings again
        run(submission, "look")
        POLL[name](row)
        row.refresh_from_db()
        seen.append(row.status)

    assert run(submission, "operation") == meant
    with time_machine.travel(clock.now(), tick=True) as traveller:
        moved = MovedClock(traveller, sandbox, live_session)
        while moved.passed + 10 < UNFINDABLE:
            moved.step(10)
            look_around()
            assert (moved.passed, submission.state) == (moved.passed, meant)
        if answer == "lost":
            findings = list(submission.observations.values_list("finding", flat=True))
            says = Finding.INCONCLUSIVE if name == "application" else Finding.CLEAN
            assert findings == [says] * len(findings) != []  # not there, says each look; nothing was concluded
        sandbox.clear_faults()
        while moved.passed < UNFINDABLE + PENDING:
            moved.step(60 if submission.state == State.UNKNOWN else 300)
            look_around()
            assert submission.state != State.ABSENT
            assert submission.state == State.ACKED or moved.passed < 600
        moved.step(300)
        for _ in range(3):
            moved.step(300)
            look_around()

    ranks = [RANKS[word] for word in seen]
    assert ranks == sorted(ranks)
    assert name != "withdrawal" or (seen[-5], seen[-1]) == (TransferStatus.SUBMITTED, TransferStatus.DONE)
    assert [len(sandbox.ledger(effect.ledger, submission.key)), posts(sandbox, effect) - before] == [1, 1]
    assert submission.attempts.count() == 1


# ---- words in any order

TRANSFER_WORDS = ["PENDING", "PENDING_VERIFICATION", "PROCESSED", "REJECTED", "LEVITATING"]
ORDER_WORDS = ["PendingSubmit", "PreSubmitted", "Submitted", "PendingCancel", "Cancelled", "Filled", "Levitating"]


@pytest.mark.row(id="S13")
def test_s13_a_transfers_words_in_any_order_never_lead_back(
    withdrawal: Effect, sandbox: Any, request: pytest.FixtureRequest
) -> None:
    row = withdrawal.begin()
    submission = withdrawal.submission(row)
    assert run(submission, "operation") == State.ACKED
    rounds = 100 if request.config.option.markexpr == "faults" else 12
    luck = random.Random(13)

    for _ in range(rounds):
        CashTransfer.objects.filter(pk=row.pk).update(status=TransferStatus.SUBMITTED, settled_at=None)
        seen = []
        for word in luck.choices(TRANSFER_WORDS, k=6):
            result = {"clientInstructionId": int(submission.key), "instructionId": 9001, "instructionStatus": word,
                      "instructionType": "WITHDRAWAL"}  # fmt: skip
            body = json.dumps({"status": 200, "instructionSetId": 4711, "instructionResult": result})
            sandbox.fault({"method": "GET", "path": "client-instructions", "phase": "answered", "action": "status",
                           "status": 200, "body": body})  # fmt: skip
            CashTransfer.objects.filter(pk=row.pk).update(next_poll_at=clock.now())
            poll_transfer(str(row.pk))
            sandbox.clear_faults()
            row.refresh_from_db()
            seen.append((RANKS[row.status], row.status))

        assert [rank for rank, _ in seen] == sorted(rank for rank, _ in seen), seen
        assert len({word for rank, word in seen if rank == 2}) <= 1, f"one end gave way to another: {seen}"
    assert posts(sandbox, withdrawal) == 1


@pytest.mark.row(id="S13")
def test_s13_an_orders_words_in_any_order_never_lead_back(order: Effect, sandbox: Any) -> None:
    row = order.begin(10)
    assert run(order.submission(row), "operation") == State.ACKED
    word = st.tuples(st.sampled_from(ORDER_WORDS), st.integers(0, 10))

    @settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.lists(word, min_size=2, max_size=7))
    def go(words: list[tuple[str, int]]) -> None:
        Order.objects.filter(pk=row.pk).update(
            status=OrderStatus.WORKING, filled=0, average_price=None, settled_at=None
        )
        seen = []
        for said, filled in words:
            progress.record_live(row, progress.LiveWord("1", said, Decimal(filled), Decimal(100 + filled)))
            row.refresh_from_db()
            seen.append((RANKS[row.status], row.status, row.filled, row.average_price))

        assert [each[0] for each in seen] == sorted(each[0] for each in seen), seen
        assert [each[2] for each in seen] == sorted(each[2] for each in seen), seen
        working = [each[2:] for each in seen if each[0] < RANKS[OrderStatus.FILLED]]
        assert working == sorted(working), f"the price of an older word came back: {seen}"
        assert len({each[1] for each in seen if each[0] == 2}) <= 1, seen

    go()
    assert posts(sandbox, order) == 1
