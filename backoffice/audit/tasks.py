"""The audit's own tasks."""

from celery import shared_task

from backoffice.audit import anchors, exchanges, ledgers, sealing, verifying


@shared_task(name="audit.seal_entries")
def seal_entries() -> None:
    sealing.seal_committed()


@shared_task(name="audit.drop_anchor")
def drop_anchor() -> None:
    ledgers.seal()
    sealing.seal_committed()
    anchors.drop()


@shared_task(name="audit.sweep_exchanges")
def sweep_exchanges() -> None:
    exchanges.sweep()


@shared_task(name="audit.verify_chain")
def verify_chain(verification_pk: str) -> None:
    verifying.run(verification_pk)
