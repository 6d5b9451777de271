"""The tasks of clients: one call into dispatch each. Safe to run twice."""

from celery import shared_task

from clients import dispatch


@shared_task(name="clients.send_application")
def send_application(submission_pk: str) -> None:
    dispatch.send_application(submission_pk)


@shared_task(name="clients.look_for_application")
def look_for_application(submission_pk: str) -> None:
    dispatch.look_for_application(submission_pk)


@shared_task(name="clients.send_document")
def send_document(submission_pk: str) -> None:
    dispatch.send_document(submission_pk)


@shared_task(name="clients.look_for_document")
def look_for_document(submission_pk: str) -> None:
    dispatch.look_for_document(submission_pk)


@shared_task(name="clients.send_change")
def send_change(submission_pk: str) -> None:
    dispatch.send_change(submission_pk)


@shared_task(name="clients.look_for_change")
def look_for_change(submission_pk: str) -> None:
    dispatch.look_for_change(submission_pk)


@shared_task(name="clients.poll_statuses")
def poll_statuses() -> None:
    dispatch.poll_statuses()


@shared_task(name="clients.poll_account")
def poll_account(account_pk: str) -> None:
    dispatch.poll_account(account_pk)


@shared_task(name="clients.sweep_changes")
def sweep_changes() -> None:
    dispatch.sweep_changes()


@shared_task(name="clients.poll_change")
def poll_change(case_pk: str) -> None:
    dispatch.poll_change(case_pk)


@shared_task(name="clients.answer_portal_link")
def answer_portal_link(inquiry_pk: str) -> None:
    dispatch.answer_portal_link(inquiry_pk)
