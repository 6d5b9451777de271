"""S21: IBKR carries a request out long after our line to it broke. The journal's own times hold here, on a clock that is moved.

Whatever is proven absent is released by two people at the first chance, the worst they can do. Before the quiet time is over
nothing can be; with a broker that knows the key again nothing comes double however late. What is left is measured and printed.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import time_machine

from backoffice.audit.models import Entry
from backoffice.core import clock
from backoffice.core.errors import Conflict
from backoffice.home import selectors
from backoffice.journal import services as journal
from backoffice.journal.models import State, Submission
from tests.faults.conftest import Effect
from tests.faults.moved_clock import MovedClock, journal_times, run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]
QUIET = 120
STEP = 30
LATENESS = (0, 30, 90, 119, 180, 300, 600)
FIRST = {"withdrawal": 1250, "order": 5}  # amount and quantity; each asks for one more, so that none looks like another
QUICK = (90, 600)  # with every run of the tests; `make faults` tries all


@pytest.fixture(autouse=True)
def _times(settings: Any) -> None:
    journal_times(settings, quiet=QUIET)


@pytest.mark.row(id="S21")
@pytest.mark.parametrize("dedupe", [True, False])
@pytest.mark.parametrize("name", ["withdrawal", "order", "application"])
def test_s21_an_effect_that_comes_late_is_found_and_comes_once(
    name: str, dedupe: bool, request: pytest.FixtureRequest, sandbox: Any, live_session: Any, operations: Any,
    second_principal: Any, note_residual: Callable[..., None],
) -> None:  # fmt: skip
    effect: Effect = request.getfixturevalue(name)
    sandbox.config(dedupe_coid=dedupe, dedupe_instruction_ids=dedupe)
    if name == "order":  # something that the looks can see, without which nothing is ever proven absent
        control = effect.submission(effect.begin(FIRST[name] - 1))
        assert run(control, "operation") == State.ACKED
    lateness = LATENESS if request.config.option.markexpr == "faults" else QUICK
    doubled = {}

    for number, seconds in enumerate(lateness if name != "application" else lateness[-1:]):
        submission = effect.submission(effect.begin(*([] if name == "application" else [FIRST[name] + number])))
        sandbox.fault({
            "method": "POST", "path": effect.path, "phase": "read_not_applied", "action": "late", "seconds": seconds,
        })  # fmt: skip
        assert run(submission, "operation") == State.UNKNOWN

        with time_machine.travel(clock.now(), tick=True) as traveller:
            moved = MovedClock(traveller, sandbox, live_session)
            released_at = follow(submission, seconds, moved, (operations, second_principal))

        effects = len(sandbox.ledger(effect.ledger, submission.key))
        assert (seconds, effects >= 1, submission.state) == (seconds, True, State.ACKED), submission.reason
        assert released_at is None or released_at >= QUIET, "released before the quiet time was over"
        if seconds < QUIET or dedupe or released_at is None:
            assert (seconds, effects) == (seconds, 1)
        doubled[seconds] = effects - 1
        sandbox.clear_faults()

    note_residual(sum(doubled.values()), f"{name}, dedupe {'on' if dedupe else 'off'}: {doubled}")


def follow(submission: Submission, seconds: int, moved: MovedClock, people: tuple[Any, Any]) -> int | None:
    """Look when a look is due and release what is proven absent, until it is at IBKR and known to be.

    Returns after how many seconds it was released, if it ever was.
    """
    released_at = None
    while moved.passed <= seconds or (submission.state != State.ACKED and moved.passed < 1500):
        moved.step(STEP)
        if run(submission, "look") == State.ABSENT and released_at is None:
            with suppress(Conflict), moved.on_the_wall():  # at midnight in New York it is an order of the day before
                for person in people:
                    journal.release(submission, by=person, evidence="IBKR's desk sees nothing")
                released_at = moved.passed
                run(submission, "operation")
    return released_at


@pytest.mark.row(id="S21")
@pytest.mark.parametrize("name", ["withdrawal", "order"])
def test_s21_what_was_given_up_and_comes_after_all_is_told(
    name: str, request: pytest.FixtureRequest, sandbox: Any, live_session: Any, operations: Any, advisor: Any
) -> None:
    effect: Effect = request.getfixturevalue(name)
    assert run(effect.submission(effect.begin(FIRST[name] - 1)), "operation") == State.ACKED
    submission = effect.submission(effect.begin(FIRST[name]))
    sandbox.fault({
        "method": "POST", "path": effect.path, "phase": "read_not_applied", "action": "late", "seconds": 600,
    })  # fmt: skip
    assert run(submission, "operation") == State.UNKNOWN

    with time_machine.travel(clock.now(), tick=True) as traveller:
        moved = MovedClock(traveller, sandbox, live_session)
        while moved.passed < 1500 and not Entry.objects.filter(action="journal.came_late").exists():
            moved.step(STEP)
            if run(submission, "look") == State.ABSENT:
                assert moved.passed < 600
                journal.withdraw(submission, by=operations, reason="The client does not want it any more")

        submission.refresh_from_db()
        assert (submission.state, submission.next_look_at) == (State.VOID, None)
        assert len(sandbox.ledger(effect.ledger, submission.key)) == 1
        assert run(submission, "look") == State.VOID
        told = Entry.objects.get(action="journal.came_late")
        assert told.subject_id == str(submission.pk)
        late = [item for item in selectors.waiting(operations) if item.kind == f"journal.late:{told.pk}"]
        assert [item.title for item in late] == [f"Given up, and at IBKR after all: {submission.summary}"]
        assert not [item for item in selectors.waiting(advisor) if item.kind.startswith("journal.late")]
