"""The doorbells of the funding lane; each body is one call."""

from celery import shared_task

from funding import dispatch


@shared_task(name="funding.send_transfer")
def send_transfer(submission_pk: str) -> None:
    dispatch.send_transfer(submission_pk)


@shared_task(name="funding.look_for_transfer")
def look_for_transfer(submission_pk: str) -> None:
    dispatch.look_for_transfer(submission_pk)


@shared_task(name="funding.poll_transfer")
def poll_transfer(transfer_pk: str) -> None:
    dispatch.poll_transfer(transfer_pk)


@shared_task(name="funding.sweep_transfers")
def sweep_transfers() -> None:
    dispatch.sweep_transfers()


@shared_task(name="funding.sync_banks")
def sync_banks(account_pk: str) -> None:
    dispatch.sync_banks(account_pk)


@shared_task(name="funding.answer_withdrawable")
def answer_withdrawable(inquiry_pk: str) -> None:
    dispatch.answer_withdrawable(inquiry_pk)
