"""Documents sent to IBKR for a task, and the file inside them."""

from base64 import b64encode
from datetime import date, datetime
from hashlib import sha1
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from backoffice.ibkr.parsing import OptionalId, Text, stamp
from backoffice.ibkr.types.accounts import Task
from backoffice.ibkr.types.base import Answer, Request
from backoffice.ibkr.types.people import AccountId, ExternalId

MIME_TYPES = {".pdf": "application/pdf", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
LARGEST_FILE = 10 * 1024 * 1024
LONGEST_FILE_NAME = 20  # a longer one fails inside IBKR with ORA-02291


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("must say its time zone")
    return moment


AwareInstant = Annotated[datetime, AfterValidator(_aware)]


class DocumentFile(Request):
    """A file as IBKR takes it: its length and SHA-1 describe the raw bytes, its data is base64."""

    file_name: Annotated[str, Field(min_length=5, max_length=LONGEST_FILE_NAME)]
    file_length: Annotated[int, Field(gt=0, le=LARGEST_FILE)]
    sha1_checksum: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    mime_type: Literal["application/pdf", "image/png", "image/jpeg"]
    data: Annotated[str, Field(repr=False, min_length=4)]

    @classmethod
    def from_bytes(cls, file_name: str, content: bytes) -> Self:
        """Return the file for these bytes. Raises ValueError for a name or size IBKR would refuse."""
        extension = file_name[file_name.rfind(".") :].lower() if "." in file_name else ""
        if extension not in MIME_TYPES:
            raise ValueError("A document must be a .pdf, .png, .jpg or .jpeg file.")
        if len(file_name) > LONGEST_FILE_NAME:
            raise ValueError(
                f"A file name may have at most {LONGEST_FILE_NAME} characters; {file_name!r} has {len(file_name)}."
            )
        if not content:
            raise ValueError("The file is empty.")
        if len(content) > LARGEST_FILE:
            raise ValueError("A file may have at most 10 MB.")
        return cls.model_validate(
            {
                "file_name": file_name,
                "file_length": len(content),
                "sha1_checksum": sha1(content, usedforsecurity=False).hexdigest(),
                "mime_type": MIME_TYPES[extension],
                "data": b64encode(content).decode("ascii"),
            }
        )


class Document(Request):
    """One signed or proving document, for one form number. `signed_by` repeats the name exactly as applied with."""

    form_number: Annotated[int, Field(gt=0, lt=100_000)]
    file: DocumentFile
    signed_by: Annotated[tuple[str, ...], Field(min_length=1)]
    exec_timestamp: AwareInstant
    exec_login_timestamp: AwareInstant
    proof_of_identity_type: str | None = None
    proof_of_address_type: str | None = None
    document_type: str | None = None
    valid_address: bool | None = None
    expiration_date: date | None = None
    external_individual_id: ExternalId | None = None

    @model_validator(mode="after")
    def _identity_expires(self) -> Self:
        if self.proof_of_identity_type in ("Passport", "Driver License") and self.expiration_date is None:
            raise ValueError("a passport or driver license needs its expiration date")
        return self

    def wire_members(self) -> dict[str, Any]:
        """Return the document with its file in IBKR's two places, and its times as 14-digit numbers."""
        own = super().wire_members()
        file = own.pop("file")
        own["attachedFile"] = {name: file[name] for name in ("fileName", "fileLength", "sha1Checksum")}
        own["payload"] = {"mimeType": file["mimeType"], "data": file["data"]}
        own["execTimestamp"] = stamp(self.exec_timestamp)
        own["execLoginTimestamp"] = stamp(self.exec_login_timestamp)
        return own


class DocumentSubmission(Request):
    """Documents for one account, sent by PATCH /accounts; reviewed within about a day."""

    account_id: AccountId
    documents: Annotated[tuple[Document, ...], Field(min_length=1)]
    input_language: str = "en"
    translation: bool = False

    def wire_members(self) -> dict[str, Any]:
        """Return the submission as IBKR spells it."""
        return {
            "documents": [document.wire_members() for document in self.documents],
            "accountId": self.account_id,
            "inputLanguage": self.input_language,
            "translation": self.translation,
        }


class ChangeAccepted(Answer):
    """IBKR took a change or documents. With HTTP 202 it is only queued (`is_processed` is False): follow `request_id`."""

    request_id: OptionalId = Field(default=None, alias="requestId")
    is_processed: bool = False
    status: Text = ""
    message: Text = ""
    pending_tasks: tuple[Task, ...] = ()
