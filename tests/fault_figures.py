"""After each fault test the sandbox's ledger is held against the journal: nothing twice, nothing lost, nothing left in doubt.

A test that leaves a duplicate, a loss or a doubt that looking does not end fails, whatever else it looked at. `make faults`
names a file in FAULT_FIGURES; each test adds a line to it, and backoffice/embedded/faults.py adds them up.
"""

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

LEDGERS = {
    "trading.send_order": "order",
    "funding.send_transfer": "withdrawal",
    "clients.send_application": "application",
}
MATRIX = (
    "test_lost_answers.py",
    "test_late_effects.py",
    "test_kill_worker.py",
)  # every effect crossed with every fault
LOOKS = 6
FAILED = pytest.StashKey[bool]()
RESIDUAL = pytest.StashKey[int]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report: Any = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture
def note_residual(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> Callable[..., None]:
    """Say how many effects came double where nothing can prevent it (S21: later than any quiet time, at a broker that does not
    know the key again). They are printed at the end of the run instead of failing it."""

    def note(count: int, of: str) -> None:
        request.node.stash[RESIDUAL] = count
        record_property("residual", (of, count))

    return note


def pytest_terminal_summary(terminalreporter: Any) -> None:
    measured = [
        value
        for report in terminalreporter.stats.get("passed", [])
        for name, value in report.user_properties
        if name == "residual"
    ]
    if measured:
        terminalreporter.write_line(
            "Residual of S21, effects that came double when they were released at the first chance:"
        )
        for of, count in sorted(measured):
            terminalreporter.write_line(f"  {count}  {of}")


@pytest.fixture(autouse=True)
def _accounted_for(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.node.get_closest_marker("faults") is None or "sandbox" not in request.fixturenames:
        yield
        return
    request.getfixturevalue("transactional_db")
    sandbox = request.getfixturevalue("sandbox")
    yield
    try:
        sandbox.clear_faults()
    except requests.ConnectionError:
        return  # the test killed it and failed before it started it again
    found = reckoning(sandbox)
    found["duplicates"] -= request.node.stash.get(RESIDUAL, 0)
    if path := os.environ.get("FAULT_FIGURES"):
        cell = {"is_cell": request.node.path.name in MATRIX, "has_failed": request.node.stash.get(FAILED, False)}
        with open(path, "a") as file:
            file.write(json.dumps(cell | found) + "\n")
    assert (found["duplicates"], found["lost"], found["unresolved"]) == (0, 0, 0)


def reckoning(sandbox: Any) -> dict[str, int]:
    """Count effects beyond the first of a submission, ACKED ones without an effect, and doubts that looking does not end."""
    from backoffice.journal.models import State, Submission

    # Any other state over an effect is a doubt that must end; a refusal or a withdrawal over one is never right.
    effects: dict[tuple[str, str], int] = {}
    for kind in LEDGERS.values():
        for effect in sandbox.ledger(kind):
            effects[kind, effect["key"]] = effects.get((kind, effect["key"]), 0) + 1
    found = {"duplicates": 0, "lost": 0, "unresolved": 0}
    for submission in Submission.objects.filter(operation__in=LEDGERS):
        count = effects.get((LEDGERS[submission.operation], submission.key), 0)
        found["duplicates"] += max(0, count - 1)
        found["lost"] += submission.state == State.ACKED and not count
        found["unresolved"] += (
            bool(count) and submission.state != State.ACKED and not (ends(submission) or is_told(submission))
        )
    return found


def is_told(submission: Any) -> bool:
    """Whether people were told that what they had given up is there after all: only they can undo it."""
    from backoffice.audit.models import Entry

    return Entry.objects.filter(action="journal.came_late", subject_id=str(submission.pk)).exists()


def ends(submission: Any) -> bool:
    """Look at IBKR until the doubt ends, at most so many times."""
    from celery import current_app

    from backoffice.journal.models import State

    current_app.loader.import_default_modules()
    for _ in range(LOOKS):
        current_app.tasks[submission.look](str(submission.pk))
        submission.refresh_from_db()
        if submission.state == State.ACKED:
            return True
    return False
