"""The doorbells of the reports lane; each body is one call."""

from celery import shared_task

from reporting import dispatch


@shared_task(name="reporting.sync_available")
def sync_available() -> None:
    dispatch.sync_available()


@shared_task(name="reporting.sync_account")
def sync_account(account_pk: str) -> None:
    dispatch.sync_account(account_pk)


@shared_task(name="reporting.fetch_report")
def fetch_report(item_pk: str) -> None:
    dispatch.fetch_report(item_pk)


@shared_task(name="reporting.sweep_fetches")
def sweep_fetches() -> None:
    dispatch.sweep_fetches()
