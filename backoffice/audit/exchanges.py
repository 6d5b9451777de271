"""Digests of what was said to and by IBKR, beside the business object it was said about.

`about` names the object for whatever this process asks next; the journal does so when it claims, looks and answers.
The rows are written by the broker layer in the same round trip as its health note (`note` gives the statement), and
`ledgers` binds those that are kept into the chain: one entry for a run of them, so that a call to IBKR waits for nothing.
"""

from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import models

from backoffice.audit import services
from backoffice.audit.models import Exchange
from backoffice.core import clock
from backoffice.ibkr.operations import template_of
from backoffice.ibkr.transport import Exchange as Sent

NOTE = "audit_note_exchange(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
KEPT = timedelta(days=3)
# These keep a session alive and serve no object; their number would drown the rest.
_CHORES = ("/oauth2/", "/v1/api/tickle", "/v1/api/iserver/auth", "/v1/api/sso", "/v1/api/logout")


@dataclass(frozen=True, slots=True)
class Subject:
    """What the next calls are about. `is_kept` False: a passing question, swept after days like any other read."""

    model: str = ""
    id: str = ""
    is_kept: bool = True


_subject: ContextVar[Subject] = ContextVar("exchange_subject", default=Subject())  # noqa: B039 (frozen)


def about(row: models.Model | None, *, is_kept: bool = True) -> None:
    """Name the row that this process's next calls to IBKR are about, until the task ends; None: nothing in particular."""
    _subject.set(Subject() if row is None else Subject(row._meta.label_lower, str(row.pk), is_kept))


def about_subject(model: str, subject_id: str) -> None:
    """Do the same by the name and key of a row, as the journal knows its subjects."""
    _subject.set(Subject(model, subject_id))


def note(connection_id: UUID, lane: str, sent: Sent) -> list[Any]:
    """Return the values of `NOTE` for one exchange."""
    subject, here = _subject.get(), services.origin.get()
    is_write = sent.method != "GET" and not sent.path.startswith(_CHORES)
    return [
        sent.started, connection_id, lane, sent.method, template_of(sent.path)[:160], sent.status, sent.outcome[:120],
        min(sent.elapsed_ms, 2_000_000_000), sent.request_id, sent.request_sha256, sent.answer_sha256,
        subject.model, subject.id, here.correlation if here else "", is_write or bool(subject.model and subject.is_kept),
    ]  # fmt: skip


def of(row: models.Model) -> "models.QuerySet[Exchange]":
    """Return the exchanges about one row, oldest first."""
    return Exchange.objects.filter(subject_model=row._meta.label_lower, subject_id=str(row.pk)).order_by("id")


def sweep() -> int:
    """Forget the reads of days ago that served nobody in particular; return how many."""
    return Exchange.objects.filter(is_kept=False, at__lt=clock.now() - KEPT).delete()[0]
