"""Digests of what was said to and by IBKR, beside the business object it was said about.

`about` names the object for whatever this process asks next; the journal does so when it claims, looks and answers.
The rows are written by the broker layer in the same round trip as its health note (`note` gives the statement), and
`seal` binds those that are kept into the chain: one entry for a run of them, so that a call to IBKR waits for nothing.
"""

import hashlib
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, models, transaction

from backoffice.audit import services
from backoffice.audit.models import Entry, Exchange
from backoffice.core import clock
from backoffice.ibkr.operations import template_of
from backoffice.ibkr.transport import Exchange as Sent

NOTE = "audit_note_exchange(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
SEALED = "audit.seal_exchanges"
# Late commits are over by then; a call's own row is written right after its answer.
SETTLED = timedelta(minutes=2)
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


@transaction.atomic
def seal() -> int:
    """Bind the kept exchanges since the last time into the chain by one entry; return how many."""
    last = Entry.objects.filter(action=SEALED).order_by("-at", "-id").first()
    first = int(last.data["last"]) if last else 0
    upper = Exchange.objects.filter(is_kept=True, id__gt=first, at__lt=clock.now() - SETTLED).aggregate(
        last=models.Max("id")
    )["last"]
    if upper is None:
        return 0
    count, digest = digest_of(first, upper)
    services.record(
        SEALED, by=None, summary=f"Digests of {count} exchanges with IBKR bound into the chain",
        after=first, last=upper, count=count, sha256=digest,
    )  # fmt: skip
    return count


def digest_of(after: int, last: int) -> tuple[int, str]:
    """Return how many kept exchanges have an id in (after, last], and the SHA-256 over all their columns."""
    total, count = hashlib.sha256(), 0
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (extract(epoch FROM at) * 1000000)::bigint, x.id, connection, lane, method, path, status, outcome,"
            " milliseconds, request_id, request_sha256, answer_sha256, subject_model, subject_id, correlation"
            " FROM audit_exchange x WHERE is_kept AND id > %s AND id <= %s ORDER BY id",
            [after, last],
        )
        while rows := cursor.fetchmany(5000):
            for row in rows:
                total.update("\x1f".join(map(str, row)).encode() + b"\x1e")
            count += len(rows)
    return count, total.hexdigest()


def sweep() -> int:
    """Forget the reads of days ago that served nobody in particular; return how many."""
    return Exchange.objects.filter(is_kept=False, at__lt=clock.now() - KEPT).delete()[0]
