"""kill -9 of the worker after IBKR booked the effect and before its answer was read.

Whatever it was, the sandbox's ledger holds exactly one of it after the restart, nothing was sent twice, and the page
told the truth at every step.
"""

from typing import Any

import pytest
from django.test import Client as Browser

from backoffice.core.models import StatusEvent
from backoffice.journal.models import State
from tests.faults.conftest import Effect
from tests.worker_processes import Processes, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]


@pytest.mark.row(id="S03")
@pytest.mark.parametrize("name", ["application", "withdrawal", "order"])
def test_a_worker_killed_between_effect_and_answer_leaves_exactly_one(
    name: str, request: pytest.FixtureRequest, processes: Processes, sandbox: Any, advisor: Any
) -> None:
    effect: Effect = request.getfixturevalue(name)
    browser = Browser()
    browser.force_login(advisor)
    worker = processes.worker()
    sandbox.fault(
        {"method": "POST", "path": effect.path, "phase": "applied_not_answered", "action": "hang", "seconds": 120}
    )

    row = effect.begin()
    wait_until(lambda: sandbox.ledger(effect.ledger), 40, f"{name} booked", processes.logs)
    assert effect.submission(row).state == State.SENDING
    assert "Being sent" in page(browser, row)
    processes.kill(worker)
    sandbox.clear_faults()

    processes.beat()
    processes.worker()
    wait_until(lambda: effect.submission(row).state == State.ACKED, 60, f"{name} found", processes.logs)

    submission = effect.submission(row)
    assert [event.new for event in moves(submission)] == ["claimed", "sending", "unknown", "acked"]
    assert len(sandbox.ledger(effect.ledger)) == 1
    assert posts(sandbox, effect.path) == 1
    assert submission.attempts.count() == 1
    assert submission.attempts.get().outcome is None  # the dead worker closed nothing, and nobody pretended it did
    assert submission.observations.filter(finding="found").count() == 1
    assert "Outcome unknown" not in page(browser, row)


def page(browser: Browser, row: Any) -> str:
    return browser.get(row.get_absolute_url()).content.decode()


def moves(submission: Any) -> list[StatusEvent]:
    events = StatusEvent.objects.filter(subject_model="journal.submission", subject_id=str(submission.pk)).order_by(
        "id"
    )
    return [event for event in events if event.new != "ready"]


def posts(sandbox: Any, path: str) -> int:
    return len([call for call in sandbox.requests() if call["method"] == "POST" and call["path"] == path.strip("^$")])
