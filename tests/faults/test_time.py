"""Clocks that are off, closing hours, and a login elsewhere: work waits, nobody is fought, nothing happens twice."""

import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from celery import current_app
from django.test import Client as Browser
from django.urls import reverse

from backoffice.broker import client as broker
from backoffice.broker.models import AccessToken, BrokerageSession, SessionState
from backoffice.broker.session import Keeper
from backoffice.core import clock
from backoffice.core.money import Money
from backoffice.ibkr.types.funding import Withdrawal
from backoffice.journal import sending, sweeps
from backoffice.journal import services as journal
from backoffice.journal.models import State, Submission
from backoffice.journal.outcomes import Accepted
from clients.models import Account
from funding import services as funding
from funding.models import BankInstruction
from tests.faults.conftest import Effect

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]
MONEY_OUT = "/gw/api/v1/external-cash-transfers"
APPROVED = 100


@pytest.fixture(autouse=True)
def _tasks() -> None:
    current_app.loader.import_default_modules()


def posts(sandbox: Any, path: str) -> int:
    return len([call for call in sandbox.requests() if call["method"] == "POST" and call["path"].endswith(path)])


def run(submission: Submission) -> State:
    current_app.tasks[submission.operation](str(submission.pk))
    submission.refresh_from_db()
    return State(submission.state)


# ---- S08, the clock


@pytest.mark.row(id="S08")
@pytest.mark.parametrize("minutes", [10, -10])
def test_s08_a_clock_ten_minutes_off_sends_nothing_and_is_named(minutes: int, withdrawal: Effect, sandbox: Any) -> None:
    submission = withdrawal.submission(withdrawal.begin())
    AccessToken.objects.all().delete()
    Submission.objects.filter(pk=submission.pk).update(due_at=clock.now() - timedelta(hours=1))

    with time_machine.travel(clock.now() + timedelta(minutes=minutes), tick=True):
        assert run(submission) == State.READY
    word = "ahead of" if minutes > 0 else "behind"
    assert "This machine's clock is" in submission.reason
    assert f"{word} IBKR's" in submission.reason
    assert sandbox.ledger("withdrawal") == []
    assert posts(sandbox, MONEY_OUT) == 0

    Submission.objects.filter(pk=submission.pk).update(due_at=clock.now())
    assert run(submission) == State.ACKED
    assert len(sandbox.ledger("withdrawal")) == 1


@pytest.mark.row(id="S08")
@pytest.mark.parametrize("minutes", [10, -10])
def test_s08_a_clock_that_jumps_while_sending_sends_nothing_twice(
    minutes: int, withdrawal: Effect, sandbox: Any
) -> None:
    row = withdrawal.begin()
    claimed = sending.claim(str(withdrawal.submission(row).pk))
    assert claimed is not None
    client = broker.client_for(claimed.master, lane="funding")

    def send_while_the_clock_jumps() -> Accepted:
        members = {key: value for key, value in claimed.payload["instruction"].items() if key != "clientInstructionId"}
        answer = client.funding.withdraw(Withdrawal.model_validate(members), key=claimed.key)
        with time_machine.travel(clock.now() + timedelta(minutes=minutes), tick=True):
            sweeps.sweep_submissions()  # to a clock ten minutes ahead the lease has lapsed
            assert sending.claim(str(claimed.pk)) is None
        return Accepted(answer.instruction_id or "")

    sending.settle(claimed, sending.attempt(claimed, send_while_the_clock_jumps))

    submission = withdrawal.submission(row)
    assert submission.state == State.ACKED
    assert submission.attempts.count() == 1
    assert [len(sandbox.ledger("withdrawal")), posts(sandbox, MONEY_OUT)] == [1, 1]


# ---- S09, the windows


@pytest.mark.row(id="S09")
@pytest.mark.parametrize(
    ("inside", "opens"),
    [
        (datetime(2026, 3, 7, 15, 0, tzinfo=UTC), datetime(2026, 3, 8, 19, 0, tzinfo=UTC)),  # an hour is missing
        (datetime(2025, 11, 1, 15, 0, tzinfo=UTC), datetime(2025, 11, 2, 20, 0, tzinfo=UTC)),  # an hour comes twice
    ],
)
def test_s09_a_hundred_approved_wait_for_the_end_of_the_window_and_go_out_once(
    inside: datetime, opens: datetime, account: Account, advisor: Any, principal: Any, sandbox: Any
) -> None:
    world = next(row for row in sandbox.world()["accounts"] if row["account"] == account.number)
    bank = bank_of(account, world["bank_instructions"][0])
    waiting = []
    with time_machine.travel(clock.now() - timedelta(seconds=2 * APPROVED), tick=False) as then:
        for number in range(APPROVED):  # at the pace the firm's policy allows
            waiting.append(approved(account, bank, Decimal(10 + number), advisor, principal))
            then.shift(2)
    account.master.keeps_windows = True
    account.master.save()

    with time_machine.travel(inside, tick=False):
        Submission.objects.update(due_at=clock.now())
        for submission in waiting:
            assert run(submission) == State.READY
    assert {(row.due_at, row.unsent_tries) for row in Submission.objects.all()} == {(opens, 0)}
    assert posts(sandbox, MONEY_OUT) == 0

    account.master.keeps_windows = False  # so that the test runs at any hour; the window of that weekend is long over
    account.master.save()
    for _ in range(2):  # and each doorbell rings twice
        for submission in waiting:
            assert run(submission) == State.ACKED

    keys = [effect["key"] for effect in sandbox.ledger("withdrawal")]
    assert sorted(keys) == sorted(submission.key for submission in waiting)
    assert posts(sandbox, MONEY_OUT) == APPROVED


@pytest.mark.row(id="S09")
def test_s09_after_the_reset_no_order_goes_out_before_the_session_was_read_and_found_sound(
    order: Effect, live_session: BrokerageSession, sandbox: Any
) -> None:
    submission = order.submission(order.begin())
    master = live_session.master
    master.keeps_windows = True
    master.save()
    keeper = Keeper(master, sleep=lambda seconds: None)
    assert keeper.acquire()
    looks = iter([False, False, True])  # once round

    with time_machine.travel(datetime(2026, 3, 11, 4, 30, tzinfo=UTC), tick=False):  # Wednesday 00:30 in New York
        Submission.objects.update(due_at=clock.now())
        keeper.keep(should_stop=lambda: next(looks, True))
        assert run(submission) == State.READY
        live_session.refresh_from_db()
        assert live_session.state == SessionState.DOWN
    master.keeps_windows = False  # so that the test runs at any hour; that night is long over
    master.save()
    Submission.objects.update(due_at=clock.now())
    assert run(submission) == State.READY  # the window is over, and nobody has looked yet
    before = len(sandbox.requests())
    keeper = Keeper(master, sleep=sandbox.advance)
    assert keeper.acquire()
    assert keeper.open()
    Submission.objects.update(due_at=clock.now())
    assert run(submission) == State.ACKED

    since = [call["path"].removeprefix("/v1/api") for call in sandbox.requests()[before:]]
    sent = since.index(order.path.strip("^$").removeprefix("/v1/api"))
    assert {"/iserver/auth/status", "/iserver/accounts", "/portfolio/subaccounts"} <= set(since[:sent])
    assert [len(sandbox.ledger("order")), posts(sandbox, order.path.strip("^$"))] == [1, 1]


def bank_of(account: Account, listed: dict[str, Any]) -> BankInstruction:
    now = clock.now()
    return BankInstruction.objects.create(
        account=account, name=listed["name"], method=listed["method"], currency=listed["currency"], last4=listed["last4"],
        ibkr_status="PROCESSED", first_seen_at=now, seen_at=now,
    )  # fmt: skip


def approved(account: Account, bank: BankInstruction, amount: Decimal, maker: Any, checker: Any) -> Submission:
    transfer = funding.request_withdrawal(
        account=account, money=Money(amount, bank.currency), bank=bank, by=maker, intent=uuid.uuid4(), note="By phone"
    )
    submission = journal.current_for(transfer)
    assert submission is not None
    funding.approve(transfer, by=checker, payload_sha256=submission.payload_sha256)
    return submission


# ---- S10, a login elsewhere


@pytest.mark.row(id="S10")
def test_s10_a_session_taken_elsewhere_stops_the_desk_within_a_minute_and_is_not_fought(
    order: Effect, live_session: BrokerageSession, sandbox: Any, principal: Any
) -> None:
    browser = Browser()
    browser.force_login(principal)
    submission = order.submission(order.begin())
    inits = posts(sandbox, "/ssodh/init")
    sandbox.control("POST", "session", {"username": "alder01", "action": "steal"})
    minutes, told_after = 10, None

    with time_machine.travel(clock.now(), tick=False) as now:
        began = clock.now()

        def pause(seconds: int) -> None:
            nonlocal told_after
            now.shift(seconds)
            sandbox.advance(seconds)
            if (
                told_after is None
                and "Trading session taken by another login" in browser.get(reverse("home:state_bar")).content.decode()
            ):
                told_after = clock.now() - began

        keeper = Keeper(live_session.master, sleep=pause)
        assert keeper.acquire()
        live_session.refresh_from_db()
        keeper.keep(should_stop=lambda: clock.now() - began >= timedelta(minutes=minutes))
        assert run(submission) == State.READY

    assert told_after is not None
    assert told_after <= timedelta(seconds=60)
    assert posts(sandbox, "/ssodh/init") - inits <= minutes
    assert posts(sandbox, order.path.strip("^$")) == 0
    assert BrokerageSession.objects.exclude(state=SessionState.LIVE).count() == 1
    assert sandbox.ledger("order") == []
