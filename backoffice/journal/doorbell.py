"""Ringing Celery. A lost ring costs seconds, because the sweeps find the row; so a dead broker is logged, not raised."""

import logging
from functools import partial
from typing import Any

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


def ring(task: str, *args: Any) -> bool:
    """Ask for a task by name now; False when the broker could not be reached."""
    try:
        current_app.send_task(task, args=[str(arg) for arg in args], retry=False, ignore_result=True)
    except OperationalError as error:
        log.warning("doorbell %s not rung, the sweep will find it: %s", task, type(error).__name__)
        return False
    return True


def ring_on_commit(task: str, *args: Any) -> None:
    """Ask for a task once the rows it will read are committed."""
    transaction.on_commit(partial(ring, task, *args))
