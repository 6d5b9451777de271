"""Papers handed in: what an attached file must fulfil, and which task it answers."""

import base64
import binascii
import hashlib
from datetime import date
from typing import Any

from starlette.routing import Route

from .accounts import Person
from .kernel import Sandbox
from .review import RECEIVED, Task, receive_document, tasks
from .rules import day

SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (id INTEGER PRIMARY KEY, account TEXT NOT NULL, form_number INTEGER NOT NULL,
file_name TEXT NOT NULL,
    sha1 TEXT NOT NULL, bytes INTEGER NOT NULL, request_id INTEGER NOT NULL, at TEXT NOT NULL)
"""

LARGEST_FILE = 10 * 1024 * 1024
MIME_BY_EXTENSION = {"pdf": "application/pdf", "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg"}
IDENTITY_TYPES = frozenset(
    {
        "Driver License", "Passport", "Alien ID Card", "National ID Card", "Bank Statement",
        "Evidence of Ownership of Property",
        "Credit Card Statement", "Utility Bill", "Brokerage Statement", "T4 Statement", "CRA Assessment",
        "Hong Kong and Macao Entry Permit",
    }
)  # fmt: skip
ADDRESS_TYPES = frozenset(
    {
        "Driver License", "Bank Statement", "Brokerage Statement", "Homeowner Insurance Policy Bill",
        "Homeowner Insurance Policy Document",
        "Renter Insurance Policy bill", "Renter Insurance Policy Document", "Security System Bill",
        "Government Issued Letters", "Utility Bill",
        "Current Lease", "Evidence of Ownership of Property", "Other Document",
    }
)  # fmt: skip
LONG_NAME = (
    "Unable to process documents::java.sql.SQLIntegrityConstraintViolationException: ORA-02291: integrity constraint"
    " (IBCUST.TOSEND_FKDOCUMENTID) violated \u2013 parent key not found"
)
TAX_FORMS = frozenset({5001, 5002})


def register(sandbox: Sandbox) -> None:
    """Reviews end in `review.bring_up_to_date`."""


def routes(sandbox: Sandbox) -> list[Route]:
    return []


def mistakes(document: dict[str, Any], signers: list[Person], today: date) -> list[str]:
    """What is wrong with one document object, in IBKR's words."""
    found = _file_mistakes(document)
    form = document.get("formNumber")
    if form is None:
        found.append("Form number is missing.")
    for name in ("execTimestamp", "execLoginTimestamp"):
        if len(str(document.get(name, ""))) not in (13, 14):
            found.append(f"{name} is missing or is not in the form YYYYMMDDHHMMSS")
    names = {person.full_name for person in signers}
    if not document.get("signedBy") or not set(document["signedBy"]) <= names:
        found.append("Signature not accepted.")
    if form == 8001:
        kind = document.get("proofOfIdentityType")
        if kind not in IDENTITY_TYPES:
            found.append("Proof of Identity Type (Form 8001) is either missing or is incorrect")
        expires = day(document.get("expirationDate", ""))
        if kind in ("Passport", "Driver License") and (expires is None or expires <= today):
            found.append("Expiration Date for Identification Document (Form 8001)")
    if form == 8002 and document.get("proofOfAddressType") not in ADDRESS_TYPES:
        found.append("Proof of Address Type (Form 8002) is either missing or is incorrect")
    return found


def _file_mistakes(document: dict[str, Any]) -> list[str]:
    attached, payload = document.get("attachedFile", {}), document.get("payload", {})
    file_name = str(attached.get("fileName", ""))
    kind = MIME_BY_EXTENSION.get(file_name.rpartition(".")[2].lower())
    if len(file_name) > 20:
        return [LONG_NAME]
    if kind is None:
        return [f"File {file_name} must have one of the extensions .jpeg .jpg .pdf .png"]
    if payload.get("mimeType") != kind:
        return [f"Unsupported value. Property:'mimeType', value:'{payload.get('mimeType')}'"]
    try:
        content = base64.b64decode(str(payload.get("data", "")), validate=True)
    except (binascii.Error, ValueError):
        content = b""
    if not content or attached.get("fileLength") != len(content):
        return ["I/O error file processing"]
    if len(content) > LARGEST_FILE:
        return [f"File {file_name} exceeds 10 MB"]
    if str(attached.get("sha1Checksum", "")).lower() != hashlib.sha1(content, usedforsecurity=False).hexdigest():
        return ["File has a different SHA-1 check sum in the archived original"]
    return []


def waiting_task(sandbox: Sandbox, account: str, form: int) -> Task | None:
    """The task this form answers now: not completed, and not already with a reviewer."""
    return next(
        (
            t
            for t in tasks(sandbox, account)
            if t.form_number == form and t.completed_at is None and t.state != RECEIVED
        ),
        None,
    )


def take(sandbox: Sandbox, account: str, document: dict[str, Any], request_id: int, at: str) -> list[int]:
    """File one checked document and return the forms it answers; a driver's licence with `validAddress` answers two."""
    form, attached = document["formNumber"], document["attachedFile"]
    sandbox.store.execute(
        "INSERT INTO documents (account, form_number, file_name, sha1, bytes, request_id, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        account, form, attached["fileName"], attached["sha1Checksum"].lower(), attached["fileLength"], request_id, at,
    )  # fmt: skip
    forms = [form]
    if form == 8001 and document.get("validAddress") and document.get("proofOfIdentityType") == "Driver License":
        forms.append(8002)
    answered = []
    for number in forms:
        if (task := waiting_task(sandbox, account, number)) is not None:
            receive_document(sandbox, task, attached["fileName"])
            answered.append(number)
    sandbox.ledger.record(
        "document",
        f"{account}:{form}",
        str(request_id),
        {"sha1": attached["sha1Checksum"].lower(), "fileName": attached["fileName"]},
    )
    return answered
