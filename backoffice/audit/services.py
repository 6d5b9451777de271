"""Writing audit entries."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.db import models

from backoffice.audit.models import Entry
from backoffice.core import clock


@dataclass(frozen=True)
class Origin:
    """Where the present request came from; empty in a worker."""

    address: str | None = None
    correlation: str = ""


origin: ContextVar[Origin] = ContextVar("origin", default=Origin())  # noqa: B039 (frozen)


def record(action: str, *, by: Any, on: models.Model | None = None, summary: str, **data: Any) -> Entry:
    """Write one entry in the caller's transaction: the act and its record stand or fall together.

    `summary` and `data` hold references and digests only, no personal data.
    """
    here = origin.get()
    return Entry.objects.create(
        at=clock.now(),
        actor=by,
        action=action,
        subject_model=on._meta.label_lower if on is not None else "",
        subject_id=str(on.pk) if on is not None else "",
        summary=summary,
        address=here.address,
        correlation=here.correlation,
        data=data,
    )
