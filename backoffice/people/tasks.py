"""Tidying away what nobody can use any more."""

from celery import shared_task

from backoffice.people import services


@shared_task(name="people.sweep_sessions")
def sweep_sessions() -> None:
    services.sweep_sessions()
