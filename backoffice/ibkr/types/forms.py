"""Forms that IBKR publishes, their files, and the questions behind a questionnaire."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field

from backoffice.ibkr.parsing import Flag, Instant, Number, OptionalId, Text
from backoffice.ibkr.types.base import Answer, Request
from backoffice.ibkr.types.people import Country


def _texts(value: object) -> object:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _objects(value: object) -> object:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]


class OfferedAnswer(Answer):
    """One answer that may be chosen. `depends_on_...` name the question and answer that lead here, if any."""

    id: OptionalId = Field(default=None, validation_alias=AliasChoices("answerId", "id"))
    text: Text = Field(default="", alias="answer")
    depends_on_question: OptionalId = Field(default=None, alias="dependentQuestionId")
    depends_on_answer: OptionalId = Field(default=None, alias="dependentAnswerId")
    parts: Texts = Field(default=(), alias="multiAnswerDetail")


class Question(Answer):
    """One question of a questionnaire or quiz. `type` is IBKR's free word."""

    id: OptionalId = Field(default=None, validation_alias=AliasChoices("questionId", "id"))
    text: Text = Field(default="", alias="question")
    type: Text = Field(default="", alias="questionType")
    is_mandatory: Flag = Field(default=None, alias="isMandatoryToAnswer")
    answers: Annotated[tuple[OfferedAnswer, ...], BeforeValidator(_objects)] = ()


class FormDetails(Answer):
    """One form in one language. `action` is "to sign", "to send" or "to complete" (in the portal only, unless by API)."""

    form_number: OptionalId = Field(default=None, alias="formNumber")
    form_name: Text = Field(default="", alias="formName")
    language: Text = ""
    file_name: Text = Field(default="", alias="fileName")
    file_length: Number = Field(default=None, alias="fileLength")
    sha1: Text = Field(default="", alias="sha1Checksum")
    modified: Instant = Field(default=None, alias="dateModified")
    type: Text = ""
    action: Text = ""
    is_done_by_api: Flag = Field(default=None, alias="apiSupportedTask")
    acceptable_documents: Texts = Field(default=(), alias="acceptableDocs")
    questions: Annotated[tuple[Question, ...], BeforeValidator(_objects)] = Field(default=(), alias="questionnaire")


@dataclass(frozen=True, slots=True)
class FormFile:
    """The blank file of a form, with what IBKR says about it (`details` is None for a file nobody described)."""

    name: str
    content: bytes = field(repr=False)
    mime_type: str
    details: FormDetails | None = None


@dataclass(frozen=True, slots=True)
class FormLibrary:
    """Forms and the files that came with them."""

    forms: tuple[FormDetails, ...]
    files: tuple[FormFile, ...]

    def in_language(self, language: str) -> tuple[FormFile, ...]:
        """Return the files of the forms in one language, such as "en"; files nobody described are left out."""
        wanted = language.lower()
        return tuple(file for file in self.files if file.details and file.details.language.lower() == wanted)


class RequiredFormsQuery(Request):
    """The traits of an application that decide which forms it needs. Words are IBKR's; most are not listed anywhere."""

    residence_country: Country
    account_type: str | None = None
    applicant_type: str | None = None
    process_type: str | None = None
    ira: bool | None = None
    ira_type: str | None = None
    requested_syep: bool | None = Field(default=None, alias="requestedSYEP")
    requested_fcbp: bool | None = Field(default=None, alias="requestedFCBP")
    additional_account: bool | None = None
    additional_applicant: bool | None = None
    mifid_category: str | None = None
    trading_permissions: tuple[str, ...] = ()
    capability: tuple[str, ...] = ()
    fa_trading_account: bool | None = None

    def query(self) -> dict[str, str]:
        """Return the flat query: lists with commas, truth in lower case."""
        return {name: _in_query(value) for name, value in self.wire_members().items()}


Projection = Literal["PAYLOAD", "DOCS", "NONE"]


def _in_query(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(value) if isinstance(value, list) else str(value)
