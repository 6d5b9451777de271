"""Ringing Celery. A lost ring costs seconds, because the sweeps find the row; so a dead broker is logged, not raised.

A broker that accepts and never answers holds each ring until its time-out (reliability.md I11). After one silence this
process therefore rings nobody for a while: a page that rings many times waits once, not many times.
"""

import logging
import time
from functools import partial
from typing import Any

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)

QUIET_SECONDS = 5
# How long a ring that a sweep repeats every few seconds is worth hearing: lanes that stand still for hours must not
# find thousands of them. Long enough that no worker whose clock is a little fast takes each for too old.
REMINDER_SECONDS = 60


class Broker:
    """What this process knows of the broker: whether it was silent a moment ago."""

    def __init__(self) -> None:
        self._silent_until = 0

    @property
    def is_silent(self) -> bool:
        return time.monotonic_ns() < self._silent_until

    def note_silence(self) -> None:
        self._silent_until = time.monotonic_ns() + QUIET_SECONDS * 1_000_000_000

    def forget(self) -> None:
        """Try it again at once, e.g. because its address changed."""
        self._silent_until = 0


broker = Broker()


def ring(task: str, *args: Any, expires: int | None = None) -> bool:
    """Ask for a task by name now; False when the broker could not be reached, or was silent a moment ago.

    A worker that hears it after `expires` seconds lets it pass.
    """
    if current_app.conf.task_routes is None:
        # Celery's own app stands in for ours and would ring a queue that nobody hears: see manage.py and wsgi.py.
        log.error("doorbell %s not rung: this process was started without backoffice.celery", task)
        return False
    if broker.is_silent:
        return False
    try:
        current_app.send_task(task, args=[str(arg) for arg in args], retry=False, ignore_result=True, expires=expires)
    except OperationalError as error:
        broker.note_silence()
        log.warning("doorbell %s not rung, the sweep will find it: %s", task, type(error).__name__)
        return False
    return True


def remind(task: str, *args: Any) -> bool:
    """Ring for what the next sweep rings for as well, if it is still there."""
    return ring(task, *args, expires=REMINDER_SECONDS)


def ring_on_commit(task: str, *args: Any) -> None:
    """Ask for a task once the rows it will read are committed."""
    transaction.on_commit(partial(ring, task, *args))
