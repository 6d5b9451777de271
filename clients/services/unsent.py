"""What was stopped before it left: a second person said no, or whoever made it may no longer make it.

The journal knows no app, so its word reaches the rows here, by a sweep. Nothing of this was ever at IBKR.
"""

from typing import TypeVar

from backoffice.core import clock
from backoffice.core.errors import Conflict
from backoffice.journal.models import State, Submission
from clients.models import (
    APPLICATION_LIFECYCLE,
    CASE_LIFECYCLE,
    DOCUMENT_LIFECYCLE,
    Application,
    ApplicationStatus,
    CaseStatus,
    Document,
    DocumentStatus,
    MaintenanceRequest,
    Stage,
)

Row = TypeVar("Row")


def close_void() -> int:
    """Move on every row whose submission was withdrawn; return how many. Harmless when doubled."""
    return sum(
        (
            *(_reopen(row, why) for row, why in _void("externalId", _applications())),
            *(_drop_case(row, why) for row, why in _void("change", _cases())),
            *(_drop_document(row, why) for row, why in _void("document", _documents())),
        )
    )


def _applications() -> dict[str, Application]:
    rows = Application.objects.filter(status=ApplicationStatus.SUBMITTED, account=None)
    return {row.external_id: row for row in rows.defer("draft_text", "refusal_text")}


def _cases() -> dict[str, MaintenanceRequest]:
    rows = MaintenanceRequest.objects.filter(status=CaseStatus.REQUESTED)
    return {str(row.pk): row for row in rows.defer("before_text", "after_text")}


def _documents() -> dict[str, Document]:
    rows = Document.objects.filter(status=DocumentStatus.PROMISED).only("pk", "status")
    return {str(row.pk): row for row in rows}


def _void(key_space: str, rows: dict[str, Row]) -> list[tuple[Row, str]]:
    found = Submission.objects.filter(state=State.VOID, key_space=key_space, key__in=list(rows))
    return [(rows[key], reason) for key, reason in found.values_list("key", "reason")]


def _reopen(row: Application, why: str) -> bool:
    """Back to a draft, for its maker to change, under a new key: the old one stays with what was stopped."""
    base, _, number = row.external_id.partition(".")
    try:
        return APPLICATION_LIFECYCLE.move(
            row, to=ApplicationStatus.DRAFT, because=f"not sent: {why}", stage=Stage.DRAFT, stage_since=clock.now(),
            external_id=f"{base}.{int(number or 1) + 1}",
        )  # fmt: skip
    except Conflict:
        return False  # moved meanwhile: nothing left to close


def _drop_case(row: MaintenanceRequest, why: str) -> bool:
    try:
        return CASE_LIFECYCLE.move(
            row, to=CaseStatus.WITHDRAWN, because=f"not sent: {why}", doubt="", ended_at=clock.now()
        )
    except Conflict:
        return False


def _drop_document(row: Document, why: str) -> bool:
    try:
        return DOCUMENT_LIFECYCLE.move(row, to=DocumentStatus.REFUSED, because=f"not sent: {why}")
    except Conflict:
        return False
