"""Papers handed in: what an attached file must fulfil, which task it answers, and the agreements stored once a day.

An agreement must be the published file byte for byte (`forms`). A document without payload is taken when
`POST /accounts/documents` stored the same file earlier the same day (New York); tax forms are never stored that way.
The instants of signing come as YYYYMMDDHHMMSS or in milliseconds since 1970; the knob `exec_timestamps` takes one of
them alone, and `exec_timestamp_zone` says whose time the digits are ("UTC", "New_York"): the ledger keeps the instant.
A signature is the person's name with the middle name whole, as an initial, or left out when there is none.
"""

import base64
import binascii
import hashlib
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from . import forms, login_messages, payloads
from .accounts import Person
from .am_requests import close_request, failure, new_request, report
from .clock import NEW_YORK
from .gateway import Call, Refusal, invalid_arguments, resource
from .jsonio import answer
from .kernel import Sandbox
from .queries import instant
from .review import RECEIVED, Task, receive_document, tasks
from .rules import day

SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (id INTEGER PRIMARY KEY, account TEXT NOT NULL, form_number INTEGER NOT NULL,
file_name TEXT NOT NULL,
    sha1 TEXT NOT NULL, bytes INTEGER NOT NULL, request_id INTEGER NOT NULL, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS daily_documents (master TEXT NOT NULL, day TEXT NOT NULL, form_number INTEGER NOT NULL,
    sha1 TEXT NOT NULL, PRIMARY KEY (master, day, form_number, sha1))
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
# What a paper for these forms may be. Whether a paper may come without its type is not said; it may.
DOCUMENT_TYPES = {
    8360: {"CRS card of Lombardy", "Italian Electronic ID Card - CIE", "Italian Health Card (Tessera Sanitaria)"},
    8541: {"Bank Statement", "Pay Slip", "Employer Confirmation", "Divorce Settlement", "Company Ownership"},
    8542: {"Bank Statement", "Entitlement to Payments", "Severance"},
    8543: {"Pay Slip", "Bank Statement", "Employer Confirmation"},
    8544: {"Letter", "Bank Statement", "Check", "Will", "Brokerage Statement"},
    8545: {"Brokerage Statement", "Tax Return"}, 8546: {"Ownership", "Brokerage Statement", "Tax Return"},
    8547: {"Proof of Winnings", "Bank Statement", "Tax Return", "Brokerage Statement"},
    8548: {"Bank Statement", "Pay Slip"}, 8549: {"Proof of Sale", "Current Lease"},
    9975: {"Bank Statement", "Brokerage Statement", "Financial Statement"},
}  # fmt: skip
LONG_NAME = (
    "Unable to process documents::java.sql.SQLIntegrityConstraintViolationException: ORA-02291: integrity constraint"
    " (IBCUST.TOSEND_FKDOCUMENTID) violated \u2013 parent key not found"
)
TAX_FORMS = frozenset({5001, 5002})
FILED_AHEAD = frozenset({4155})  # handed in before the operation that needs it
NO_FILE = "I/O error file processing"
ANOTHER_FILE = "File has a different SHA-1 check sum in the archived original"


def routes(sandbox: Sandbox) -> list[Route]:
    return [resource(sandbox, "POST", "/accounts/documents", _process_documents, "accounts.write", signed=True)]


def signatures(person: Person) -> set[str]:
    """The texts that count as this person's signature."""
    middle = person.name.get("middle") or ""
    texts = set()
    for part in {middle, middle[:1], f"{middle[:1]}."} if middle else {""}:
        words = (person.name.get("first"), part, person.name.get("last"), person.name.get("suffix"))
        texts.add(" ".join(word for word in words if word))
    return texts


def mistakes(sandbox: Sandbox, master: str, document: dict[str, Any], signers: list[Person]) -> list[str]:
    """What is wrong with one document object of a master's application or update, in IBKR's words."""
    today = sandbox.clock.now().astimezone(NEW_YORK).date()
    found = _file_mistakes(sandbox, master, document)
    form = document.get("formNumber")
    if form is None:
        found.append("Form number is missing.")
    found += _times(sandbox, document)
    names = set().union(*(signatures(person) for person in signers)) if signers else set()
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
    kinds, kind = DOCUMENT_TYPES.get(form) if isinstance(form, int) else None, document.get("documentType")
    if kinds is not None and kind is not None and kind not in kinds:
        found.append(payloads.unsupported("documentType", kind))
    return found


def _times(sandbox: Sandbox, document: dict[str, Any]) -> list[str]:
    return [
        f"{name} is missing or is not in the form YYYYMMDDHHMMSS"
        for name in ("execTimestamp", "execLoginTimestamp")
        if _signed_at(sandbox, document.get(name)) is None
    ]


def _signed_at(sandbox: Sandbox, value: Any) -> datetime | None:
    """The instant that 14 digits or 13 digits of milliseconds stand for."""
    text, form = str(value), sandbox.config.get("exec_timestamps", "both")
    zone = NEW_YORK if sandbox.config.get("exec_timestamp_zone", "UTC") == "New_York" else UTC
    try:
        if len(text) == 14 and form != "milliseconds":
            return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=zone).astimezone(UTC)
        if len(text) == 13 and form != "digits":
            return datetime.fromtimestamp(int(text) // 1000, UTC)
    except ValueError:
        return None
    return None


def _file_mistakes(sandbox: Sandbox, master: str, document: dict[str, Any]) -> list[str]:
    attached, payload = document.get("attachedFile", {}), document.get("payload", {})
    file_name = str(attached.get("fileName", ""))
    kind = MIME_BY_EXTENSION.get(file_name.rpartition(".")[2].lower())
    if len(file_name) > 20:
        return [LONG_NAME]
    if kind is None:
        return [f"File {file_name} must have one of the extensions .jpeg .jpg .pdf .png"]
    claimed, form = str(attached.get("sha1Checksum", "")).lower(), document.get("formNumber")
    if not payload:
        return [] if _is_stored_today(sandbox, master, form, claimed) else [NO_FILE]
    if payload.get("mimeType") != kind:
        return [f"Unsupported value. Property:'mimeType', value:'{payload.get('mimeType')}'"]
    try:
        content = base64.b64decode(str(payload.get("data", "")), validate=True)
    except (binascii.Error, ValueError):
        content = b""
    if not content or attached.get("fileLength") != len(content):
        return [NO_FILE]
    if len(content) > LARGEST_FILE:
        return [f"File {file_name} exceeds 10 MB"]
    if claimed != hashlib.sha1(content, usedforsecurity=False).hexdigest():
        return [ANOTHER_FILE]
    if not isinstance(form, int) or not forms.is_signed(form) or form in TAX_FORMS:
        return []
    return [] if claimed in forms.accepted_sha1s(sandbox, form) else [ANOTHER_FILE]


def _today(sandbox: Sandbox) -> str:
    return sandbox.clock.now().astimezone(NEW_YORK).date().isoformat()


def _is_stored_today(sandbox: Sandbox, master: str, form: Any, sha1: str) -> bool:
    found = sandbox.store.row(
        "SELECT 1 FROM daily_documents WHERE master = ? AND day = ? AND form_number = ? AND sha1 = ?",
        master, _today(sandbox), form, sha1,
    )  # fmt: skip
    return found is not None


def store_today(sandbox: Sandbox, master: str, operation: dict[str, Any]) -> list[str]:
    """Keep today's agreements of a `processDocuments` object; returns what is wrong with them, and then keeps none."""
    handed_in = operation.get("documents", [])
    if not handed_in:
        return ["documents is missing"]
    found: list[str] = []
    for document in handed_in:
        form = document.get("formNumber")
        found += _file_mistakes(sandbox, master, document) if document.get("payload") else [NO_FILE]
        found += _times(sandbox, document)
        if form in TAX_FORMS:
            found.append(f"Form {form} is a tax form and must be attached to the application")
        elif not isinstance(form, int) or not forms.is_signed(form):
            found.append(f"Form {form} is not an agreement")
    if not found:
        for document in handed_in:
            sandbox.store.execute(
                "INSERT OR IGNORE INTO daily_documents VALUES (?, ?, ?, ?)",
                master, _today(sandbox), document["formNumber"], document["attachedFile"]["sha1Checksum"].lower(),
            )  # fmt: skip
    return found


def _process_documents(call: Call) -> Response:
    """`POST /accounts/documents` {"processDocuments": {documents, inputLanguage, translation}}."""
    operation = call.body.get("processDocuments")
    if set(call.body) != {"processDocuments"} or not isinstance(operation, dict):
        raise Refusal(
            invalid_arguments(("processDocuments", "Missing required parameter"), detail="Input validation failed")
        )
    return answer_process_documents(call, payloads.without_nulls(operation))


def answer_process_documents(call: Call, operation: dict[str, Any]) -> Response:
    """Check and keep the agreements, and answer; PATCH /accounts takes the same object."""
    found = payloads.mistakes("ProcessDocuments", operation) or store_today(call.sandbox, call.master, operation)
    request_id = new_request(call.sandbox, call.master, "", "processDocuments")
    outcome = failure("", "", found) if found else {"customer": "", "externalId": "", "status": "Success"}
    response = report(call.sandbox, request_id, call.client.client_id, call.master, outcome)
    close_request(call.sandbox, request_id, "REJECTED" if found else "ACCEPTED", found[0] if found else "", response)
    return answer(response)


def is_on_file(sandbox: Sandbox, account: str, form: int) -> bool:
    found = sandbox.store.row("SELECT 1 FROM documents WHERE account = ? AND form_number = ?", account, form)
    return found is not None


def owner_of(sandbox: Sandbox, account: str, document: dict[str, Any]) -> str | None:
    """The external id of the joint holder a document says it is of; None for any other customer, for whom it is ignored."""
    is_joint = sandbox.accounts.trait(account, "customer type") == "JOINT"
    return document.get("externalIndividualId") if is_joint else None


def repeated(handed_in: list[dict[str, Any]], *, is_joint: bool) -> list[str]:
    """One file for each form number; of joint holders one for each holder."""
    keys = [(each.get("formNumber"), each.get("externalIndividualId") if is_joint else None) for each in handed_in]
    return ["Only one document per form number is accepted"] if len(set(keys)) != len(keys) else []


def joint_mistakes(sandbox: Sandbox, master: str, document: dict[str, Any], holders: dict[str, Person]) -> list[str]:
    """What is wrong with a document of joint holders (by external id): it says whose it is, and that one signs it."""
    owner = document.get("externalIndividualId")
    if owner is None:
        return [f"External Individual Id of the document for form {document.get('formNumber')} is missing."]
    if owner not in holders:
        return [f"External Individual Id {owner} of a document does not match any individual of the application."]
    return mistakes(sandbox, master, document, [holders[owner]])


def waiting_task(sandbox: Sandbox, account: str, form: int, owner: str | None) -> Task | None:
    """The task this form answers now: not completed, and not already with a reviewer; of `owner` where that is told."""
    return next(
        (
            t
            for t in tasks(sandbox, account)
            if t.form_number == form
            and t.completed_at is None
            and t.state != RECEIVED
            and owner in (None, t.external_id)
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
    answers = [form]
    if form == 8001 and document.get("validAddress") and document.get("proofOfIdentityType") == "Driver License":
        answers.append(8002)
    owner, answered = owner_of(sandbox, account, document), []
    for number in answers:
        if (message := login_messages.agreement_for(sandbox, account, number)) is not None:
            login_messages.complete(sandbox, message)
            answered.append(number)
        if (task := waiting_task(sandbox, account, number, owner)) is not None:
            receive_document(sandbox, task, attached["fileName"])
            answered.append(number)
    sandbox.ledger.record(
        "document",
        f"{account}:{form}",
        str(request_id),
        {
            "sha1": attached["sha1Checksum"].lower(),
            "fileName": attached["fileName"],
            "individual": document.get("externalIndividualId"),
            "signedAt": instant(_signed_at(sandbox, document.get("execTimestamp"))),
        },
    )
    return answered
