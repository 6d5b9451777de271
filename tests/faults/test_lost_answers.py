"""Each way an answer of IBKR's can be lost or lie, crossed with each effect that must happen exactly once.

The names carry the rows of the fault model: S02 reset before, S03 after the effect, S04 a 5xx with and without it, S05 a
body that cannot be read, S06 a limit, S07 a token that ends, S13 an old status.
"""

from typing import Any

import pytest
from celery import current_app

from backoffice.broker.models import AccessToken
from backoffice.journal import services as journal
from backoffice.journal.models import State
from tests.faults.conftest import Effect

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]
KINDS = ["application", "withdrawal", "order"]
LOOKS = 6
OTHER = {"withdrawal": (1350,), "order": (6,)}  # an amount and a quantity that no first one has


@pytest.fixture(autouse=True)
def _tasks() -> None:
    current_app.loader.import_default_modules()


@pytest.fixture(params=KINDS)
def effect(request: pytest.FixtureRequest) -> Effect:
    found: Effect = request.getfixturevalue(request.param)
    return found


def send(effect: Effect, row: Any) -> str:
    """Let the lane's worker do its work once, in this process; return the submission's state."""
    submission = effect.submission(row)
    current_app.tasks[submission.operation](str(submission.pk))
    return str(effect.submission(row).state)


def look(effect: Effect, row: Any, times: int = LOOKS) -> str:
    """Look at IBKR until it is settled, at most so many times; the looks of tests are due at once."""
    for _ in range(times):
        submission = effect.submission(row)
        if submission.state != State.UNKNOWN:
            break
        current_app.tasks[submission.look](str(submission.pk))
    return str(effect.submission(row).state)


def posts(sandbox: Any, effect: Effect) -> int:
    wanted = effect.path.strip("^$")
    return len([call for call in sandbox.requests() if call["method"] == "POST" and call["path"] == wanted])


def plan(effect: Effect, **members: Any) -> dict[str, Any]:
    return {"method": "POST", "path": effect.path, **members}


@pytest.mark.row(id="S02")
def test_s02_reset_before_anything_was_read_is_in_doubt_and_not_sent_again(effect: Effect, sandbox: Any) -> None:
    row = begun(effect)
    sandbox.fault(plan(effect, phase="pre_read", action="reset"))

    assert send(effect, row) == State.UNKNOWN
    assert send(effect, row) == State.UNKNOWN  # a second doorbell is no second sending

    assert sandbox.ledger(effect.ledger) == []
    assert look(effect, row) in {State.UNKNOWN, State.ABSENT}
    assert posts(sandbox, effect) == 1


@pytest.mark.row(id="S02")
def test_s02_proven_absent_and_released_by_two_it_goes_out_under_its_own_key(
    effect: Effect, sandbox: Any, principal: Any, operations: Any
) -> None:
    control = begun(effect)  # what the looks can see, without which nothing is ever proven absent
    assert send(effect, control) == State.ACKED
    row = effect.begin(*OTHER.get(effect.name, ()))
    sandbox.fault(plan(effect, phase="pre_read", action="reset"))
    assert send(effect, row) == State.UNKNOWN
    assert look(effect, row) == State.ABSENT
    key = effect.submission(row).key
    assert sandbox.ledger(effect.ledger, key) == []

    for person in (operations, principal):
        assert send(effect, row) == State.ABSENT  # one person is not enough
        journal.release(effect.submission(row), by=person, evidence="IBKR's desk says it never came, ticket 4711")
    assert send(effect, row) == State.ACKED

    assert [each["key"] for each in sandbox.ledger(effect.ledger, key)] == [key]
    assert posts(sandbox, effect) == 1 + 2
    assert effect.submission(row).attempts.count() == 2


@pytest.mark.row(id="S03")
@pytest.mark.parametrize("action", ["reset", "hang"])
def test_s03_an_answer_lost_after_the_effect_is_found_by_looking(effect: Effect, sandbox: Any, action: str) -> None:
    row = begun(effect)
    sandbox.fault(
        plan(effect, phase="applied_not_answered", action="reset" if action == "reset" else "hang", seconds=1)
    )

    assert send(effect, row) == State.UNKNOWN
    sandbox.clear_faults()

    assert look(effect, row) == State.ACKED
    assert len(sandbox.ledger(effect.ledger)) == 1
    assert posts(sandbox, effect) == 1


@pytest.mark.row(id="S04")
@pytest.mark.parametrize("status", [400, 408, 500, 502, 503, 504])  # a broker once answered 400 and placed it (A.4)
@pytest.mark.parametrize("phase", ["read_not_applied", "applied_not_answered"])
def test_s04_an_error_status_says_nothing_about_the_effect(
    effect: Effect, sandbox: Any, status: int, phase: str
) -> None:
    row = begun(effect)
    sandbox.fault(plan(effect, phase=phase, action="status", status=status))

    assert send(effect, row) == State.UNKNOWN
    sandbox.clear_faults()

    booked = 1 if phase == "applied_not_answered" else 0
    settled = look(effect, row)
    assert settled == State.ACKED if booked else settled in {State.UNKNOWN, State.ABSENT}
    assert len(sandbox.ledger(effect.ledger)) == booked
    assert posts(sandbox, effect) == 1


@pytest.mark.row(id="S05")
@pytest.mark.parametrize("action", ["garbage", "html", "empty", "truncated", "wrong_schema", "duplicate_key"])
def test_s05_an_answer_that_cannot_be_read_is_looked_up(effect: Effect, sandbox: Any, action: str) -> None:
    row = begun(effect)
    sandbox.fault(plan(effect, phase="applied_not_answered", action=action))

    assert send(effect, row) == State.UNKNOWN
    sandbox.clear_faults()

    assert look(effect, row) == State.ACKED
    assert len(sandbox.ledger(effect.ledger)) == 1


@pytest.mark.row(id="S06")
def test_s06_after_a_429_nothing_more_leaves(effect: Effect, sandbox: Any, settings: Any) -> None:
    settings.SANDBOX_LIMITS = True
    row = begun(effect)
    sandbox.fault({"path": effect.path, "phase": "read_not_applied", "action": "penalty", "seconds": 600})

    assert send(effect, row) == State.UNKNOWN  # whether a 429 comes before or after the effect is not documented
    before = sandbox.requests()
    for _ in range(3):
        look(effect, row, 1)

    assert before[-1]["status"] == 429
    assert sandbox.requests() == before
    assert sandbox.control("GET", "limits")["refused"] == 0  # of what came after the one that the fault turned away
    assert sandbox.ledger(effect.ledger) == []


@pytest.mark.row(id="S07")
@pytest.mark.parametrize("name", ["application", "withdrawal"])
def test_s07_a_token_that_ends_is_refreshed_once_and_the_write_is_not_repeated(
    name: str, request: pytest.FixtureRequest, sandbox: Any
) -> None:
    effect: Effect = request.getfixturevalue(name)
    row = begun(effect)
    sandbox.fault(plan(effect, phase="pre_read", action="expired_token"))

    assert send(effect, row) == State.UNKNOWN
    assert look(effect, row) in {State.UNKNOWN, State.ABSENT}

    assert posts(sandbox, effect) == 1
    assert sandbox.ledger(effect.ledger) == []
    assert len([call for call in sandbox.requests() if call["path"].endswith("/token")]) >= 2
    assert all(row.token for row in AccessToken.objects.all())


@pytest.mark.row(id="S13")
def test_s13_an_old_status_after_a_new_one_changes_nothing_back(withdrawal: Effect, sandbox: Any) -> None:
    from funding.dispatch import poll_transfer
    from funding.models import Status

    row = begun(withdrawal)
    assert send(withdrawal, row) == State.ACKED
    sandbox.fault({"method": "GET", "path": "client-instructions", "phase": "answered", "action": "stale",
                   "nth": 2, "times": 3})  # fmt: skip
    seen = []
    for seconds in (0, 1200, 10, 10):
        sandbox.advance(seconds)
        poll_transfer(str(row.pk))
        row.refresh_from_db()
        seen.append(row.status)

    ranks = [list(Status).index(Status(word)) for word in seen]
    assert ranks == sorted(ranks)
    assert len(sandbox.ledger(withdrawal.ledger)) == 1


def begun(effect: Effect) -> Any:
    """Ask for the effect; nothing has been sent yet, for no worker runs here."""
    return effect.begin()
