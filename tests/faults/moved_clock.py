"""Hours that pass in a moment, on our clock and on the sandbox's, with the journal's own times in force."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from celery import current_app

from backoffice.broker import client as broker
from backoffice.journal.models import State, Submission


def journal_times(settings: Any, *, quiet: int) -> None:
    """The times of production, with this quiet time; tests otherwise have none to wait for."""
    settings.JOURNAL_QUIET_SECONDS = quiet
    settings.JOURNAL_LOOK_SECONDS = [5, 15, 45, 120, 300, 600]
    settings.JOURNAL_LEASE_SECONDS = 90
    current_app.loader.import_default_modules()


class MovedClock:
    """Our clock, moved along with the sandbox's. What is signed is signed by the wall's: the sandbox judges it by that."""

    def __init__(self, traveller: Any, sandbox: Any, session: Any) -> None:
        self._traveller = traveller
        self._sandbox = sandbox
        self._session = session
        self.passed = 0

    def step(self, seconds: int) -> None:
        """Let time pass on both sides, and the session live."""
        self._traveller.shift(timedelta(seconds=seconds))
        self._sandbox.advance(seconds)
        self.passed += seconds
        broker.client_for(self._session.master, lane="session").session.tickle()

    @contextmanager
    def on_the_wall(self) -> Iterator[None]:
        self._traveller.shift(timedelta(seconds=-self.passed))
        try:
            yield
        finally:
            self._traveller.shift(timedelta(seconds=self.passed))


def run(submission: Submission, task: str) -> State:
    current_app.tasks[getattr(submission, task)](str(submission.pk))
    submission.refresh_from_db()
    return State(submission.state)
