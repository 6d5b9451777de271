"""IBKR's limits, kept by everybody together."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from backoffice.broker import client as broker
from backoffice.broker import limiter
from backoffice.broker.models import LimitSlot, LimitWaiter, Penalty
from backoffice.core import clock
from backoffice.ibkr.errors import HeldBack
from backoffice.ibkr.limits import PENALTY_SECONDS, Priority
from backoffice.ibkr.transport import Call, Effect

pytestmark = pytest.mark.django_db(transaction=True)


def call(path: str, method: str = "GET", effect: Effect = Effect.READ) -> Call:
    return Call(method, f"http://127.0.0.1:9{path}", effect)


STATUS = call("/gw/api/v1/accounts/U1000011/status")
ORDERS = call("/v1/api/iserver/account/orders")


def take(shared: limiter.SharedLimiter, one: Call, times: int, priority: Priority = Priority.PERSON) -> None:
    for _ in range(times):
        with shared.turn(one, priority):
            pass


def test_the_eleventh_call_of_a_second_waits_until_the_first_answer_is_a_second_old(master: Any) -> None:
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        time.sleep(seconds)

    shared = limiter.SharedLimiter(master, sleep=sleep)
    take(shared, STATUS, 10)
    assert naps == []
    started = clock.now()
    # As if all had been answered at once: on a slow machine the first is a second old before the tenth is sent.
    LimitSlot.objects.filter(bucket__endswith="/status").update(free_at=started + timedelta(seconds=1))

    take(shared, STATUS, 1)

    assert naps
    assert clock.now() - started >= timedelta(seconds=1)


def test_a_slot_is_busy_from_the_sending_until_a_window_after_the_answer(master: Any) -> None:
    shared = limiter.SharedLimiter(master)

    with shared.turn(ORDERS, Priority.RECONCILE):
        lease = LimitSlot.objects.get(bucket__endswith="|/v1/api/iserver/account/orders").free_at - clock.now()
        before = clock.now()
    free_at = LimitSlot.objects.get(bucket__endswith="|/v1/api/iserver/account/orders").free_at

    assert timedelta(seconds=20) < lease < timedelta(seconds=26)  # what a process that dies here leaves behind
    assert before + timedelta(seconds=5) <= free_at <= clock.now() + timedelta(seconds=5)


def test_whoever_polls_is_told_to_come_back_instead_of_holding_up_the_lane(master: Any) -> None:
    naps: list[float] = []
    shared = limiter.SharedLimiter(master, sleep=naps.append)
    take(shared, ORDERS, 1)

    with pytest.raises(HeldBack) as held, shared.turn(ORDERS, Priority.POLLING):
        pass

    assert naps == []
    assert held.value.until is not None
    assert timedelta(seconds=3) < held.value.until - clock.now() <= timedelta(seconds=5)


def test_polling_leaves_two_calls_of_ten_to_people(master: Any) -> None:
    naps: list[float] = []
    shared = limiter.SharedLimiter(master, sleep=naps.append)
    take(shared, STATUS, 8, Priority.POLLING)
    LimitSlot.objects.filter(free_at__gt=clock.now() - timedelta(minutes=1)).update(
        free_at=clock.now() + timedelta(seconds=30)
    )

    with pytest.raises(HeldBack), shared.turn(STATUS, Priority.POLLING):
        pass
    take(shared, STATUS, 2, Priority.PERSON)

    assert naps == []


def test_the_more_urgent_goes_first_though_it_came_later(master: Any) -> None:
    order: list[str] = []
    take(limiter.SharedLimiter(master), ORDERS, 1)  # one call in 5 s: one slot, which comes free once
    LimitSlot.objects.filter(bucket__endswith="/orders").update(free_at=clock.now() + timedelta(seconds=3))

    def wait(name: str, priority: Priority) -> None:
        with limiter.SharedLimiter(master).turn(ORDERS, priority):
            order.append(name)
        connection.close()

    threads = [threading.Thread(target=wait, args=("reconcile", Priority.RECONCILE))]
    threads[0].start()
    time.sleep(0.2)
    threads.append(threading.Thread(target=wait, args=("cancel", Priority.CANCEL)))
    threads[1].start()
    for thread in threads:
        thread.join(20)

    assert order == ["cancel", "reconcile"]
    assert not LimitWaiter.objects.exists()


def test_every_master_has_its_own_budget_and_an_address_one_penalty(master: Any) -> None:
    from backoffice.broker.models import MasterAccount

    other = MasterAccount.objects.create(
        account="F2000001", kind="FD", environment="sandbox", base_url=master.base_url, client_id="x", key_id="y",
        private_key_path="/nonexistent",
    )  # fmt: skip
    naps: list[float] = []
    take(limiter.SharedLimiter(master), STATUS, 10)
    take(limiter.SharedLimiter(other, sleep=naps.append), STATUS, 10)
    assert naps == []

    limiter.SharedLimiter(master).penalise(STATUS, None)

    for each in (master, other):
        with pytest.raises(HeldBack) as held, limiter.SharedLimiter(each).turn(ORDERS, Priority.CANCEL):
            pass
        assert held.value.until is not None
        assert held.value.until - clock.now() > timedelta(seconds=PENALTY_SECONDS - 5)


def test_a_penalty_grows_but_never_shrinks_and_ends_by_itself(master: Any) -> None:
    shared = limiter.SharedLimiter(master)
    shared.penalise(STATUS, 600)
    shared.penalise(STATUS, 10)
    row = Penalty.objects.get()
    assert (row.hits, row.path) == (2, "/gw/api/v1/accounts/U1000011/status")
    assert row.until - clock.now() > timedelta(seconds=590)

    Penalty.objects.update(until=clock.now())

    assert limiter.penalty_of(master) is None
    take(shared, STATUS, 1)


def test_use_is_counted_for_the_connections_page(master: Any) -> None:
    take(limiter.SharedLimiter(master), STATUS, 3)

    usage = {line.name: (line.used, line.allowed) for line in limiter.usage_of(master)}

    assert usage["account management"] == (3, 600)


def test_thirty_threads_never_have_more_answers_in_a_window_than_allowed(master: Any) -> None:
    stamps: list[float] = []

    def read(_: int) -> None:
        with limiter.SharedLimiter(master).turn(STATUS, Priority.PERSON):
            stamps.append(time.monotonic())
        connection.close()

    with ThreadPoolExecutor(30) as pool:
        list(pool.map(read, range(45)))

    stamps.sort()
    assert len(stamps) == 45
    assert all(later - earlier >= 1.0 for earlier, later in zip(stamps, stamps[10:], strict=False))


ASK = """
import sys, threading, django
django.setup()
from django.db import connection
from backoffice.broker import client
from backoffice.broker.models import MasterAccount
master = MasterAccount.objects.get(account="F1000001")
connection.close()
found = []
def ask():
    found.append(client.client_for(master, lane="accounts").accounts.status("U1000011").account_id)
    connection.close()
threads = [threading.Thread(target=ask) for _ in range(50)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(found), set(found))
"""


@pytest.mark.row(id="S07")
def test_fifty_threads_in_four_processes_ask_for_one_token(connected_master: Any, sandbox: Any) -> None:
    from tests.worker_processes import _environment

    root = Path(__file__).resolve().parents[2]
    running = [
        subprocess.Popen([sys.executable, "-c", ASK], cwd=root, env=_environment(), stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = [process.communicate(timeout=120)[0].strip() for process in running]

    assert said == ["50 {'U1000011'}"] * 4
    tokens = [row for row in sandbox.requests() if row["path"] == "/oauth2/api/v1/token"]
    assert len(tokens) == 1


@pytest.mark.row(id="S07")
def test_fifty_threads_that_are_told_401_at_once_ask_for_one_new_token(connected_master: Any, sandbox: Any) -> None:
    from tests.worker_processes import _environment

    root = Path(__file__).resolve().parents[2]
    broker.client_for(connected_master, lane="accounts").accounts.status("U1000011")
    sandbox.fault({"path": "/accounts/U1000011/status", "phase": "pre_read", "action": "expired_token"})

    running = [
        subprocess.Popen([sys.executable, "-c", ASK], cwd=root, env=_environment(), stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = [process.communicate(timeout=120)[0].strip() for process in running]

    assert said == ["50 {'U1000011'}"] * 4
    refused = [row for row in sandbox.requests() if row["status"] == 401]
    assert len(refused) >= 1
    assert len([row for row in sandbox.requests() if row["path"] == "/oauth2/api/v1/token"]) == 2
