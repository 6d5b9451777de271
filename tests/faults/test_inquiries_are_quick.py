"""A read that a person waits for is on the page soon after IBKR answered, whatever the other lanes are doing."""

import re
import time
import uuid
from decimal import Decimal
from typing import Any

import pytest
from celery import current_app
from django.test import Client as Browser
from django.urls import reverse

from backoffice.core import clock
from backoffice.core.doorbell import ring
from tests.faults.conftest import Effect
from tests.worker_processes import Processes, wait_until
from trading.services import tickets

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults, pytest.mark.alone]
ASKED = 40
WARM_UP = 3  # each worker process has done everything once
BAR_MS = 400
AGAIN = re.compile(r'hx-get="([^"]+)" hx-trigger="load delay:(\d+)ms"')


def until_shown(browser: Browser, answer: Any) -> Any:
    """Do what htmx does: ask again after the delay the fragment names, until it asks no more."""
    while (again := AGAIN.search(answer.content.decode())) is not None:
        time.sleep(int(again[2]) / 1000)
        answer = browser.get(again[1])
    return answer


def p95(times: list[int]) -> int:
    return sorted(times)[-(-len(times) * 95 // 100) - 1]


def keep_busy() -> None:
    """Ring for everything the schedule has for the lanes that speak to IBKR."""
    for entry in current_app.conf.beat_schedule.values():
        if ".sync_" in entry["task"] or ".sweep_" in entry["task"]:
            ring(entry["task"])


def of_other_lanes(sandbox: Any) -> list[str]:
    mine = ("/marketdata/", "/secdef/", "/contract/", "/whatif", "/token")
    return [call["path"] for call in sandbox.requests() if not any(part in call["path"] for part in mine)]


@pytest.fixture
def at_work(
    processes: Processes, sandbox: Any, account: Any, advisor: Any, withdrawal: Effect, application: Effect
) -> Browser:
    """Workers as the supervisor starts them, each lane with work of its own, and IBKR 50 ms away."""
    from trading.models import Instrument

    Instrument.objects.create(
        conid="265598", symbol="AAPL", name="Apple Inc", exchange="NASDAQ", currency="USD", tick=Decimal("0.01")
    )
    processes.worker("trading", 1)
    processes.worker("interactive", 2)
    processes.worker("accounts,funding,reports", 2)
    processes.beat()
    withdrawal.begin()
    application.begin()
    browser = Browser()
    browser.force_login(advisor)
    wait_until(
        lambda: "Ask again" in until_shown(browser, browser.post(reverse("trading:quote", args=["265598"]))).content.decode(),
        60, "the first quote, which only warms IBKR's feed", processes.logs,
    )  # fmt: skip
    for path in ("marketdata/snapshot", "secdef/search", "contract/", "orders/whatif"):
        sandbox.fault({"path": path, "times": 10_000, "phase": "answered", "action": "latency", "seconds": 0.05})
    return browser


@pytest.mark.parametrize("kind", ["quote", "instrument search", "what-if"])
def test_an_inquiry_is_on_the_page_within_400_ms(
    at_work: Browser, sandbox: Any, account: Any, advisor: Any, kind: str
) -> None:
    from trading.models import Instrument

    instrument = Instrument.objects.get(conid="265598")
    draft = tickets.draw_up(
        intent=uuid.uuid4(), by=advisor, instrument=instrument, side="BUY", quantity=Decimal(1), order_type="LMT",
        limit_price=Decimal("100.00"), tif="DAY", reason="To be measured", account=account,
    )  # fmt: skip
    address, typed, meant = {
        "quote": (reverse("trading:quote", args=["265598"]), {}, "Ask again"),
        "instrument search": (reverse("trading:instrument_ask"), {"text": "AAPL"}, "Apple Inc"),
        "what-if": (reverse("trading:what_if", args=[draft.pk]), {}, "No order is made by asking."),
    }[kind]
    times, calls_before = [], len(of_other_lanes(sandbox))
    for number in range(-WARM_UP, ASKED):
        if number % 4 == 0:
            keep_busy()
        Instrument.objects.filter(pk=instrument.pk).update(quoted_at=None if kind == "quote" else clock.now())
        began = time.monotonic_ns()
        shown = until_shown(at_work, at_work.post(address, typed)).content.decode()
        times.append((time.monotonic_ns() - began) // 1_000_000)
        assert meant in shown
    del times[:WARM_UP]

    meanwhile = len(of_other_lanes(sandbox)) - calls_before
    print(
        f"{kind}: median {sorted(times)[ASKED // 2]} ms, p95 {p95(times)} ms of {ASKED}; {meanwhile} calls of other lanes"
    )
    assert meanwhile >= ASKED // 2
    assert p95(times) <= BAR_MS, times


def test_with_ibkr_hanging_every_page_answers_as_fast_as_before(at_work: Browser, sandbox: Any) -> None:
    names = ("home:today", "trading:portfolio", "trading:blotter", "trading:order_new", "clients:client_list")
    pages = [reverse(name) for name in names]

    def slowest() -> int:
        took = []
        for page in pages * 3:
            began = time.monotonic_ns()
            assert at_work.get(page).status_code == 200
            took.append((time.monotonic_ns() - began) // 1_000_000)
        return sorted(took)[len(took) // 2]

    before = slowest()
    sandbox.clear_faults()
    sandbox.fault({"path": ".*", "times": 100_000, "phase": "pre_read", "action": "hang", "seconds": 30})
    time.sleep(3)
    during = slowest()
    sandbox.clear_faults()

    print(f"median page: {before} ms before, {during} ms with IBKR hanging")
    assert during <= max(before * 2, before + 50)
