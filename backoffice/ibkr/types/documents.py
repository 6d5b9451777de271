"""Documents sent to IBKR for a task, and the file inside them."""

from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import date, datetime
from hashlib import sha1
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, AliasChoices, Field, model_validator

from backoffice.ibkr.parsing import Instant, OptionalId, Text, stamp
from backoffice.ibkr.types.accounts import ProcessedDocument, Task
from backoffice.ibkr.types.base import Answer, Request
from backoffice.ibkr.types.operation import Change, Operation
from backoffice.ibkr.types.people import InputLanguage
from backoffice.ibkr.types.tax import W8BEN_FORM, W9_FORM

MIME_TYPES = {".pdf": "application/pdf", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
LARGEST_FILE = 10 * 1024 * 1024
LONGEST_FILE_NAME = 20  # a longer one fails inside IBKR with ORA-02291
IDENTITY_PROOFS = frozenset(
    {
        *("Driver License", "Passport", "Alien ID Card", "National ID Card", "Hong Kong and Macao Entry Permit"),
        *("Bank Statement", "Evidence of Ownership of Property", "Credit Card Statement", "Utility Bill"),  # Canada
        *("Brokerage Statement", "T4 Statement", "CRA Assessment"),  # Canada
    }
)
ADDRESS_PROOFS = frozenset(
    {
        *("Driver License", "Bank Statement", "Brokerage Statement", "Homeowner Insurance Policy Bill"),
        *("Homeowner Insurance Policy Document", "Renter Insurance Policy bill", "Renter Insurance Policy Document"),
        *("Security System Bill", "Government Issued Letters", "Utility Bill", "Current Lease"),
        *("Evidence of Ownership of Property", "Other Document"),
    }
)
DOCUMENT_TYPES = frozenset(
    {
        *("Check", "Company Ownership", "Divorce Settlement", "Employer Confirmation", "Entitlement to Payments"),
        *("Letter", "Ownership", "Pay Slip", "Proof of Sale", "Proof of Winnings", "Severance", "Tax Return", "Will"),
        *("Bank Statement", "Brokerage Statement", "Current Lease", "Financial Statement", "Company Charter"),
        *("Certificate of Incorporation/Formation", "Certificate of Registratios", "Certificate of Good Standing"),
        *("Government-issued Business License", "Corporate Charter", "Articles of Incorporation", "Passport"),
        *("Bank Passbook/Statement", "Certified Proof of Identity", "Certified Proof of Address", "Income Tax Return"),
        *("Additional Proof of Identity Document", "Proof of Principal Place of Business and Registration"),
        *("Utility Bill", "Evidence of Ownership of Property", "Authorization to Open Account - Evidence"),
        *("Authorization to Open Account - Certification", "Italian Health Card (Tessera Sanitaria)"),
        *("CRS card of Lombardy", "Italian Electronic ID Card - CIE", "Court- or Govt-issued document"),
        *("Copy of Passport, National Id or Driver's License", "National ID"),
    }
)
TAX_FORMS = frozenset({W8BEN_FORM, W9_FORM})


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("must say its time zone")
    return moment


def _one_of(words: frozenset[str]) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value not in words:
            raise ValueError(f"must be one of IBKR's own words, letter by letter: {', '.join(sorted(words))}")
        return value

    return check


IdentityProof = Annotated[str, AfterValidator(_one_of(IDENTITY_PROOFS))]
AddressProof = Annotated[str, AfterValidator(_one_of(ADDRESS_PROOFS))]
DocumentType = Annotated[str, AfterValidator(_one_of(DOCUMENT_TYPES))]
AwareInstant = Annotated[datetime, AfterValidator(_aware)]
IndividualId = Annotated[
    str, Field(min_length=1, max_length=64)
]  # as IBKR tells it: others may have opened the account


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
    """One signed or proving document, for one form number. `signed_by` repeats the name exactly as applied with.

    Trap: of joint holders `external_individual_id` says whose it is; for a single holder IBKR reads past it.
    """

    form_number: Annotated[int, Field(gt=0, lt=100_000)]
    file: DocumentFile
    signed_by: Annotated[tuple[str, ...], Field(min_length=1)]
    exec_timestamp: AwareInstant
    exec_login_timestamp: AwareInstant
    proof_of_identity_type: IdentityProof | None = None
    proof_of_address_type: AddressProof | None = None
    document_type: DocumentType | None = None
    valid_address: bool | None = None
    expiration_date: date | None = None
    external_individual_id: IndividualId | None = None

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


def _one_file_each(documents: tuple[Document, ...]) -> tuple[Document, ...]:
    taken = [(each.form_number, each.external_individual_id) for each in documents]
    if len(taken) != len(set(taken)):
        raise ValueError("IBKR takes one file for each form number of a person: merge the pages first")
    return documents


Documents = Annotated[tuple[Document, ...], AfterValidator(_one_file_each)]
SomeDocuments = Annotated[Documents, Field(min_length=1)]


def expired(documents: tuple[Document, ...], today: date) -> Iterator[str]:
    """Yield a sentence for each document that has expired by `today`."""
    for each in documents:
        if each.expiration_date is not None and each.expiration_date <= today:
            yield f"The document for form {each.form_number} has expired."


class DocumentSubmission(Change):
    """Documents for one account, sent by PATCH /accounts; reviewed within about a day."""

    operation: ClassVar[str] = "documentSubmission"
    documents: SomeDocuments
    input_language: InputLanguage = "en"
    translation: bool = False

    def objections(self, today: date) -> Iterator[str]:
        """Yield what IBKR would refuse on `today`."""
        yield from expired(self.documents, today)


class ProcessDocuments(Operation):
    """The agreements signed today, stored once before the day's applications, which then need only their tax form.

    Trap: tax forms are not taken here; each goes with its application.
    """

    operation: ClassVar[str] = "processDocuments"
    documents: SomeDocuments
    input_language: InputLanguage = "en"
    translation: bool = False

    @model_validator(mode="after")
    def _no_tax_forms(self) -> Self:
        if any(each.form_number in TAX_FORMS for each in self.documents):
            raise ValueError("a tax form goes with its application, not with the day's agreements")
        return self


class ChangeAccepted(Answer):
    """IBKR took a change or documents. With HTTP 202 it is only queued (`is_processed` is False): follow `request_id`."""

    request_id: OptionalId = Field(default=None, alias="requestId")
    submitted_at: Instant = Field(default=None, validation_alias=AliasChoices("dateSubmitted", "executedAt"))
    is_processed: bool = False
    status: Text = ""
    message: Text = ""
    documents: tuple[ProcessedDocument, ...] = ()
    pending_tasks: tuple[Task, ...] = ()
