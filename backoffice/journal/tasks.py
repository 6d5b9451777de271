"""The journal's own tasks."""

from celery import shared_task

from backoffice.journal import sweeps


@shared_task(name="journal.sweep_submissions")
def sweep_submissions() -> None:
    sweeps.sweep_submissions()


@shared_task(name="journal.sweep_inquiries")
def sweep_inquiries() -> None:
    sweeps.sweep_inquiries()


@shared_task(name="journal.beat_heart")
def beat_heart(lane: str) -> None:
    sweeps.beat_heart(lane)
