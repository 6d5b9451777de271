"""What a task's entries and exchanges carry: the task's own id as their correlation, and no subject of the task before."""

from typing import Any

from celery.signals import task_postrun, task_prerun

from backoffice.audit import exchanges, services


def connect() -> None:
    """Name the origin of whatever a worker does, task by task."""
    task_prerun.connect(_begins, dispatch_uid="audit.begins")
    task_postrun.connect(_ends, dispatch_uid="audit.ends")


def _begins(task_id: str = "", **_: Any) -> None:
    services.origin.set(services.Origin(correlation=task_id[:12]))
    exchanges.about(None)


def _ends(**_: Any) -> None:
    services.origin.set(None)
    exchanges.about(None)
