"""Answering a task with a file."""

import base64
import hashlib
import uuid
from datetime import date

from django.db import transaction

from backoffice.core import clock, uploads
from backoffice.core.errors import Conflict, InvalidInput, NotPermitted
from backoffice.journal import services as journal
from backoffice.people.models import User
from backoffice.people.policies.document import Facts
from backoffice.people.policy import may
from clients.models import DOCUMENT_LIFECYCLE, AccountTask, Client, Document, DocumentStatus
from clients.rules import facts

LONGEST_NAME = 20  # IBKR fails with ORA-02291 on a longer one
_EXPIRING = {"Passport", "Driver License"}


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
        if (repeated.uploaded_by_id, repeated.task_id) != (by.pk, task.pk):
            raise Conflict("This form was sent before, for something else. Open it again.")
        return repeated
    safe = uploads.check(content)
    task = (
        AccountTask.objects.select_for_update(of=("self",))
        .select_related("account__client", "account__master")
        .get(pk=task.pk)
    )
    if not task.takes_document:
        raise Conflict("This task takes no file now: IBKR closed it or is looking at the last one.")
    if Document.objects.filter(task=task, status=DocumentStatus.PROMISED).exists():
        raise Conflict("A file for this task is on its way to IBKR. Wait until IBKR has looked at it.")
    _check_proof(task.form_number, proof_type, expires_on)
    document = Document(
        intent=intent,
        task=task,
        form_number=task.form_number,
        proof_type=proof_type,
        expires_on=expires_on,
        file_name=uploads.short_name(original_name, safe.extension, longest=LONGEST_NAME),
        original_name=original_name[:200],
        content_type=safe.content_type,
        size=len(safe.content),
        sha1=hashlib.sha1(safe.content, usedforsecurity=False).hexdigest(),
        sha256=hashlib.sha256(safe.content).hexdigest(),
        content=base64.b64encode(safe.content).decode(),
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
            "person": task.external_id,  # of two holders, each has a task of this form
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
        facts=Facts("document", accounts=(account.number,)),
        summary=f"Document for form {task.form_number}, {account.number}",
    )
    return document


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
