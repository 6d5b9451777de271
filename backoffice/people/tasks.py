"""Tidying away what nobody can use any more."""

from celery import shared_task

from backoffice.core import clock
from backoffice.people import services
from backoffice.people.policies import limits


@shared_task(name="people.sweep_sessions")
def sweep_sessions() -> None:
    services.sweep_sessions()


@shared_task(name="people.sweep_counters")
def sweep_counters() -> None:
    limits.forget(clock.now())
