"""Maintenance windows: work parks before, resumes after, and pages say when."""

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

from backoffice.broker import calendar, limiter
from backoffice.ibkr.errors import HeldBack
from backoffice.ibkr.limits import Priority
from backoffice.ibkr.transport import Call, Effect
from backoffice.journal import sending
from backoffice.journal import services as journal
from backoffice.journal.models import Submission
from backoffice.journal.outcomes import Asked
from tests.journal_rows import make_submission, send

SATURDAY = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)
MONDAY_NIGHT = datetime(2026, 11, 24, 5, 30, tzinfo=UTC)
SUNDAY_OPENS = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)


@pytest.fixture
def windows_kept(master: Any) -> Any:
    master.keeps_windows = True
    master.save()
    return master


@pytest.mark.django_db
def test_a_sandbox_keeps_no_windows_unless_told_and_ibkr_always_does(master: Any) -> None:
    assert calendar.parked_until(master, "funding", SATURDAY) is None
    master.environment = "production"

    closed = calendar.parked_until(master, "funding", SATURDAY)

    assert closed is not None
    assert closed.ends == SUNDAY_OPENS
    assert calendar.sentence(closed).endswith("until Sunday 15:00 New York time.")


@pytest.mark.row(id="S09")
@pytest.mark.django_db(transaction=True)
def test_a_submission_is_put_off_to_the_end_of_the_window_and_no_try_is_counted(
    windows_kept: Any, advisor: Any
) -> None:
    with time_machine.travel(SATURDAY, tick=False):
        submission = make_submission(windows_kept, advisor)
        assert sending.claim(str(submission.pk)) is None
        parked = Submission.objects.get(pk=submission.pk)

    assert (parked.state, parked.due_at, parked.unsent_tries) == ("ready", SUNDAY_OPENS, 0)
    assert "until Sunday 15:00 New York time" in parked.reason
    with time_machine.travel(SUNDAY_OPENS, tick=False):
        assert sending.claim(str(submission.pk)) is not None


@pytest.mark.django_db
def test_an_answer_to_ibkrs_question_is_not_put_off_because_the_question_would_die(
    windows_kept: Any, advisor: Any
) -> None:
    order = make_submission(windows_kept, advisor, lane="trading", reply="trading.send_reply")
    with time_machine.travel(SUNDAY_OPENS, tick=False) as time:
        Submission.objects.filter(pk=order.pk).update(due_at=SUNDAY_OPENS)
        send(order, lambda: Asked("Sure?"))
        time.move_to(MONDAY_NIGHT)
        assert calendar.parked_until(windows_kept, "trading") is not None
        journal.answer(order, by=advisor, because="Confirmed")

        assert sending.claim(str(order.pk), phase="reply") is not None


@pytest.mark.django_db
def test_a_read_in_a_window_is_held_back_until_its_end(windows_kept: Any) -> None:
    call = Call("GET", "http://127.0.0.1:9/gw/api/v1/client-instructions/7", Effect.READ)

    with (
        time_machine.travel(SATURDAY, tick=False),
        pytest.raises(HeldBack) as held,
        limiter.SharedLimiter(windows_kept).turn(call, Priority.PERSON),
    ):
        pass

    assert held.value.until == SUNDAY_OPENS


@pytest.mark.django_db
def test_the_calendar_lists_each_closure_once_for_several_connections(windows_kept: Any) -> None:
    with time_machine.travel(SATURDAY, tick=False):
        once = calendar.upcoming([windows_kept], days=3)

        assert calendar.upcoming([windows_kept, windows_kept], days=3) == once
    assert [closure.begins for closure in once] == sorted(closure.begins for closure in once)
