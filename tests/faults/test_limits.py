"""S06: IBKR shuts our address out for asking too much. Every lane in every process stands still, and goes on in its order.

What left is counted at the sandbox, whose box begins anew with each call that comes from inside it.
"""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse

from backoffice.broker import client as broker
from backoffice.broker.models import BrokerageSession, Penalty
from backoffice.core import clock
from backoffice.core.doorbell import ring
from backoffice.ibkr.errors import RateLimited
from backoffice.journal.models import Inquiry, State, Submission
from reporting.models import Offer
from tests.faults.conftest import Effect
from tests.worker_processes import Processes, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]
PENALTY = 600
HELD_BACK = "IBKR limits the number of requests; nothing is sent until"


def shut_out(sandbox: Any, master: Any) -> Penalty:
    """Ask more than IBKR allows, which has become less than it says, until it answers 429."""
    sandbox.config(enforce_pacing=True, global_per_second=1, penalty_seconds=PENALTY, retry_after=True)
    client = broker.client_for(master, lane="interactive")

    def ask_too_much() -> None:
        for _ in range(5):
            client.market.snapshot(["265598"])

    with pytest.raises(RateLimited):
        ask_too_much()
    sandbox.config(global_per_second=10)
    return Penalty.objects.get()


def refusals(sandbox: Any) -> tuple[int, list[int]]:
    """How many calls the sandbox's limits turned away, and the statuses of what its log has from the first of them on."""
    statuses = [call["status"] for call in sandbox.requests()]
    return sandbox.control("GET", "limits")["refused"], statuses[statuses.index(429) :]


def seconds_left(sandbox: Any) -> int:
    """How long the box still holds."""
    (left,) = sandbox.control("GET", "limits")["penalty_seconds_left"].values()
    return int(left)


@pytest.mark.row(id="S06")
def test_s06_in_the_box_no_lane_of_any_process_lets_a_call_go_and_afterwards_all_is_done_in_order(
    processes: Processes, sandbox: Any, live_session: BrokerageSession, account: Any, advisor: Any, settings: Any,
    withdrawal: Effect, application: Effect, order: Effect, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    waiting = [
        (withdrawal, withdrawal.begin(1250)), (withdrawal, withdrawal.begin(1350)), (withdrawal, withdrawal.begin(1450)),
        (application, application.begin()), (order, order.begin()),
    ]  # fmt: skip
    settings.SANDBOX_LIMITS = True
    monkeypatch.setenv("SANDBOX_LIMITS", "true")  # the processes' own
    penalty = shut_out(sandbox, live_session.master)
    began = time.monotonic()
    assert timedelta(0) <= penalty.until - penalty.noted_at - timedelta(seconds=PENALTY) <= timedelta(seconds=5)
    assert refusals(sandbox) == (1, [429])

    browser = Browser()
    browser.force_login(advisor)
    browser.post(reverse("trading:instrument_ask"), {"text": "AAPL"})
    ring("reporting.sync_account", account.pk)
    processes.worker("trading,interactive", 1)
    processes.worker("accounts,funding,reports", 1)
    processes.beat()
    wait_until(lambda: all(HELD_BACK in effect.submission(row).reason for effect, row in waiting), 90, "all were held back",
               processes.logs)  # fmt: skip
    wait_until(lambda: HELD_BACK in Inquiry.objects.get().message, 90, "the person is told", processes.logs)
    wait_until(lambda: Offer.objects.filter(failure__startswith=HELD_BACK), 90, "no report is read", processes.logs)
    BrokerageSession.objects.update(owner="", lease_until=None)  # the test's own keeper is no more
    processes.keeper()
    held = BrokerageSession.objects.filter(detail__startswith=HELD_BACK)
    wait_until(held.exists, 90, "the session's keeper stands still", processes.logs)
    time.sleep(6)  # every sweep and every short poll comes round once more

    assert refusals(sandbox) == (1, [429])
    assert seconds_left(sandbox) <= PENALTY - int(time.monotonic() - began) + 1
    assert {effect.submission(row).state for effect, row in waiting} == {State.READY}
    assert not Submission.objects.filter(unsent_tries__gt=0).exists()  # held back is no failed try
    assert Penalty.objects.get().hits == 1

    sandbox.control("DELETE", "limits")  # ten minutes later
    Penalty.objects.update(until=clock.now())
    Submission.objects.update(due_at=clock.now())
    wait_until(lambda: {effect.submission(row).state for effect, row in waiting} == {State.ACKED}, 120, "all is done",
               processes.logs)  # fmt: skip

    keys = [effect["key"] for effect in sandbox.ledger("withdrawal")]
    assert keys == [withdrawal.submission(row).key for effect, row in waiting if effect is withdrawal]
    assert [len(sandbox.ledger(kind)) for kind in ("application", "order")] == [1, 1]
    assert sandbox.control("GET", "limits")["refused"] == 0


@pytest.mark.row(id="S06")
def test_s06_without_a_time_from_ibkr_it_is_a_quarter_of_an_hour_and_a_little(
    sandbox: Any, live_session: BrokerageSession, settings: Any
) -> None:
    settings.SANDBOX_LIMITS = True
    sandbox.fault({"path": "/accounts/U1000011/status", "phase": "pre_read", "action": "penalty", "seconds": 5})

    with pytest.raises(RateLimited):
        broker.client_for(live_session.master, lane="accounts").accounts.status("U1000011")

    penalty = Penalty.objects.get()
    assert timedelta(minutes=15) <= penalty.until - penalty.noted_at <= timedelta(minutes=15, seconds=5)
