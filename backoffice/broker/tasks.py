"""The doorbells of connections; each body is one call."""

from celery import shared_task

from backoffice.broker import dispatch, health


@shared_task(name="broker.answer_test")
def answer_test(test_pk: str) -> None:
    dispatch.answer_test(test_pk)


@shared_task(name="broker.sweep_minutes")
def sweep_minutes() -> None:
    health.forget_old_minutes()
