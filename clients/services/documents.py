"""Answering a task with a file."""

import base64
import hashlib
import re
import uuid
from datetime import date
from pathlib import PurePosixPath

from django.db import transaction

from backoffice.core import clock
from backoffice.core.errors import Conflict, InvalidInput, NotPermitted
from backoffice.journal import services as journal
from backoffice.people.models import User
from backoffice.people.policy import may
from clients.models import DOCUMENT_LIFECYCLE, AccountTask, Client, Document, DocumentStatus
from clients.rules import facts

LARGEST = 10 * 1024 * 1024  # bytes, section 8.1
LONGEST_NAME = 20  # IBKR fails with ORA-02291 on a longer one
_BEGINNINGS = {
    b"%PDF-": ("application/pdf", ".pdf"),
    b"\x89PNG\r\n\x1a\n": ("image/png", ".png"),
    b"\xff\xd8\xff": ("image/jpeg", ".jpg"),
}
_EXPIRING = {"Passport", "Driver License"}


def kind_of(content: bytes) -> tuple[str, str] | None:
    """Return (content type, extension) by the first bytes, whatever the name says; None for what IBKR does not take."""
    return next((kind for beginning, kind in _BEGINNINGS.items() if content.startswith(beginning)), None)


def short_name(original: str, extension: str) -> str:
    """Return a name of at most 20 plain characters, with the extension of what the file really is."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", PurePosixPath(original.replace("\\", "/")).stem).strip("-") or "document"
    return stem[: LONGEST_NAME - len(extension)].rstrip("-_") + extension


@transaction.atomic
def send_document(
    *,
    task: AccountTask,
    content: bytes,
    original_name: str,
    proof_type: str,
    expires_on: date | None,
    intent: uuid.UUID,
    by: User,
) -> Document:
    """Keep a file and promise to hand it to IBKR for this task. The same intent yields the same document.

    Raises NotPermitted, Conflict (the task no longer takes a file), InvalidInput (fields file, proof_type, expires_on).
    """
    if not may(by, "clients.apply"):
        raise NotPermitted("Only advisors, operations and principals may send documents.")
    repeated: Document | None = Document.objects.defer("content").filter(intent=intent).first()
    if repeated is not None:
        return repeated
    task = (
        AccountTask.objects.select_for_update(of=("self",))
        .select_related("account__client", "account__master")
        .get(pk=task.pk)
    )
    if not task.takes_document:
        raise Conflict("This task takes no file now: IBKR closed it or is looking at the last one.")
    if Document.objects.filter(task=task, status=DocumentStatus.PROMISED).exists():
        raise Conflict("A file for this task is on its way to IBKR. Wait until IBKR has looked at it.")
    content_type, extension = _checked_kind(content)
    _check_proof(task.form_number, proof_type, expires_on)
    document = Document(
        intent=intent,
        task=task,
        form_number=task.form_number,
        proof_type=proof_type,
        expires_on=expires_on,
        file_name=short_name(original_name, extension),
        original_name=original_name[:200],
        content_type=content_type,
        size=len(content),
        sha1=hashlib.sha1(content, usedforsecurity=False).hexdigest(),
        sha256=hashlib.sha256(content).hexdigest(),
        content=base64.b64encode(content).decode(),
        uploaded_by=by,
        uploaded_at=clock.now(),
    )
    document.save(force_insert=True)
    account = task.account
    journal.submit(
        operation="clients.send_document",
        look="clients.look_for_document",
        subject=document,
        payload={
            "document": str(document.pk),
            "account": account.number,
            "form": task.form_number,
            "file": document.file_name,
            "sha1": document.sha1,
            "sha256": document.sha256,
            "proof": proof_type,
            "expires": expires_on.isoformat() if expires_on else "",
            "task_state": task.state,  # what the task said before; a look that finds the same words found nothing new
        },
        key_space="document",
        key=str(document.pk),
        lane="accounts",
        master=account.master,
        maker=by,
        summary=f"Document for form {task.form_number}, {account.number}",
    )
    return document


def _checked_kind(content: bytes) -> tuple[str, str]:
    if not content:
        raise InvalidInput("file", "The file is empty.", "Choose another.")
    if len(content) > LARGEST:
        raise InvalidInput("file", _too_large(content), "Scan it smaller: IBKR takes at most 10 MB.")
    kind = kind_of(content)
    if kind is None:
        raise InvalidInput(
            "file",
            "The file is neither PDF, PNG nor JPEG.",
            "Save it as one of these; the name alone does not make it one.",
        )
    return kind


def _too_large(content: bytes) -> str:
    megabytes = -(-len(content) * 10 // (1024 * 1024))
    return f"The file has {megabytes // 10}.{megabytes % 10} MB."


def _check_proof(form_number: str, proof_type: str, expires_on: date | None) -> None:
    allowed = dict(facts.proof_choices(form_number))
    if allowed and proof_type not in allowed:
        raise InvalidInput("proof_type", "IBKR asks what this document is.", "Choose from the list.")
    if form_number == "8001" and proof_type in _EXPIRING:
        if expires_on is None:
            raise InvalidInput("expires_on", f"A {proof_type.lower()} needs its expiry date.", "Fill it in.")
        if expires_on <= clock.today(clock.NEW_YORK):
            raise InvalidInput("expires_on", "The document has expired.", "Ask the client for a valid one.")


def signature(holder: Client) -> str:
    """Return the name documents are signed with: exactly the name of the application, else IBKR does not accept it."""
    application = holder.applications.order_by("-created_at").first()
    middle = str(application.draft.get("middle_name") or "") if application else ""
    return " ".join(part for part in (holder.first_name, middle, holder.last_name) if part)


def mark_sent(document: Document) -> None:
    """IBKR took the file; the task will say what it thinks of it."""
    if document.status == DocumentStatus.PROMISED:
        DOCUMENT_LIFECYCLE.move(document, to=DocumentStatus.SENT, because="IBKR took it", sent_at=clock.now())


def mark_refused(document: Document, reason: str) -> None:
    """IBKR did not take the file; the reason is IBKR's."""
    if document.status == DocumentStatus.PROMISED:
        DOCUMENT_LIFECYCLE.move(document, to=DocumentStatus.REFUSED, because="IBKR did not take it", reason=reason)
