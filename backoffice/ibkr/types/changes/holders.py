"""Operations on the people behind an account: their details, finances, tax forms and answers."""

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from backoffice.ibkr.types.documents import Documents, DocumentSubmission, expired
from backoffice.ibkr.types.finances import FinancialInformation
from backoffice.ibkr.types.holders import HolderDetails
from backoffice.ibkr.types.operation import Change, Operation
from backoffice.ibkr.types.people import (
    AccountId,
    Address,
    EntityId,
    ExternalId,
    Identification,
    InputLanguage,
    Phone,
    Username,
)
from backoffice.ibkr.types.questionnaires import AnsweredForm, ProhibitedCountryAnswer, QuizTask
from backoffice.ibkr.types.tax import W9, LocalTaxForm, TreatyCountry, W8Ben
from backoffice.ibkr.types.tax_entities import W8BenE


class ChangeAccountHolderDetail(Operation):
    """New details of holders, each named by IBKR's `id` or our `external_id`.

    `account_id` changes them for this account only, `reference_user_name` for all of the user's accounts. Traps: it
    replaces a pending change of the same holder without saying so; a new name, citizenship, address or tax country
    needs a new tax form; a pending account takes it only while task 9974 is open.
    """

    operation: ClassVar[str] = "changeAccountHolderDetail"
    new_account_holder_details: Annotated[tuple[HolderDetails, ...], Field(min_length=1)]
    documents: DocumentSubmission | None = None
    account_id: AccountId | None = None
    reference_user_name: Username | None = None
    input_language: InputLanguage = "en"
    translation: bool = False

    @model_validator(mode="after")
    def _names_whom(self) -> Self:
        _require_one_reach(self.account_id, self.reference_user_name)
        if any(each.id is None and each.external_id is None for each in self.new_account_holder_details):
            raise ValueError("say whose details change: id or external_id")
        return self

    def objections(self, today: date) -> Iterator[str]:
        """Yield what IBKR would refuse on `today`."""
        for each in self.new_account_holder_details:
            yield from each.objections(today)
        if self.documents is not None:
            yield from self.documents.objections(today)


class AddressChange(Change):
    """A new address or telephone of an account holder, named by `entity_id` or `external_id`.

    Traps: it replaces a pending change of the same holder without saying so, and IBKR may want a new tax form.
    """

    operation: ClassVar[str] = "changeAccountHolderDetail"
    entity_id: EntityId | None = None
    external_id: ExternalId | None = None
    residence_address: Address | None = None
    mailing_address: Address | None = None
    same_mail_address: bool | None = None
    phones: tuple[Phone, ...] = ()
    documents: DocumentSubmission | None = None
    input_language: InputLanguage = "en"
    translation: bool = False

    @model_validator(mode="after")
    def _names_holder_and_change(self) -> Self:
        if self.entity_id is None and self.external_id is None:
            raise ValueError("say whose address changes: entity_id or external_id")
        if self.residence_address is None and self.mailing_address is None and not self.phones:
            raise ValueError("nothing is changed")
        if self.mailing_address is not None and self.same_mail_address:
            raise ValueError("a separate mailing address contradicts mail going to the residence")
        return self

    def wire_members(self) -> dict[str, Any]:
        """Return the operation with the holder's new details as an array of one."""
        own = super().wire_members()
        moved = ("residenceAddress", "mailingAddress", "sameMailAddress", "phones", "entityId", "externalId")
        holder = {name: own.pop(name) for name in moved if name in own}
        identity = {"id": holder.pop("entityId")} if self.entity_id else {"externalId": holder["externalId"]}
        holder.pop("externalId", None)
        return {"newAccountHolderDetails": [{**identity, **holder}], **own}


class ChangeFinancialInformation(Operation):
    """New finances, objectives or experience. IBKR needs one or two business days.

    Traps: a level of knowledge can never be lowered, and a number up to 100 is the id of a range.
    """

    operation: ClassVar[str] = "changeFinancialInformation"
    new_financial_information: FinancialInformation
    account_id: AccountId | None = None
    reference_user_name: Username | None = None

    @model_validator(mode="after")
    def _names_whom(self) -> Self:
        _require_one_reach(self.account_id, self.reference_user_name)
        return self


class UpdateTaxForm(Change):
    """A new tax form of one person or firm, with its signed file among `documents`.

    Traps: a W-8BEN that claims a treaty ends after three years; `tax_form_file` is the name of the attached file.
    """

    operation: ClassVar[str] = "updateTaxForm"
    entity_id: EntityId | None = None
    external_id: ExternalId | None = None
    w8_ben: W8Ben | None = None
    w8_ben_e: W8BenE | None = None
    w9: W9 | None = Field(default=None, alias="w9")
    local_tax_forms: tuple[LocalTaxForm, ...] = ()
    documents: Documents = ()
    input_language: InputLanguage = "en"
    translation: bool = False

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        forms = [form for form in (self.w8_ben, self.w8_ben_e, self.w9) if form is not None]
        if len(forms) > 1 or not (forms or self.local_tax_forms):
            raise ValueError("give one tax form: W-8BEN, W-8BEN-E or W-9, or local forms alone")
        if self.entity_id is None and self.external_id is None:
            raise ValueError("say whose tax form it is: entity_id or external_id")
        named = {form.tax_form_file for form in forms} - {None}
        if self.documents and named - {each.file.file_name for each in self.documents}:
            raise ValueError("the file that the tax form names is not among the documents")
        return self

    def objections(self, today: date) -> Iterator[str]:
        """Yield what IBKR would refuse on `today`."""
        yield from expired(self.documents, today)


class UpdateWithholdingStatement(Change):
    """How a qualified intermediary's client is taxed. Traps: only from today on, and never for advisors' clients."""

    operation: ClassVar[str] = "updateWithholdingStatement"
    effective_date: date
    fatca_compliant_type: Literal["FATCA_COMPLIANT", "NON_CONSENTING_US_ACCOUNT", "NON_COOPERATIVE_ACCOUNT"]
    treaty_country: TreatyCountry | None = None
    cert_w8_imy: bool | None = None
    us_income_tax: bool | None = None

    def objections(self, today: date) -> Iterator[str]:
        """Yield what IBKR would refuse on `today`."""
        if self.effective_date != today:
            yield f"A withholding statement takes effect on the day it is sent, {today}, not on {self.effective_date}."


class AddMiFirData(Change):
    """What European transaction reports need to know about a holder."""

    operation: ClassVar[str] = "addMiFirData"
    title: Literal["ACCOUNT HOLDER", "FIRST HOLDER", "SECOND HOLDER"]
    identifications: Annotated[tuple[Identification, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _has_numbers(self) -> Self:
        if not all(each.has_number for each in self.identifications):
            raise ValueError("each identification has the number of a document")
        return self

    def objections(self, today: date) -> Iterator[str]:
        """Yield what IBKR would refuse on `today`."""
        for each in self.identifications:
            if each.expiration_date is not None and each.expiration_date <= today:
                yield "An identity document has expired."


class UpdateBcan(Change):
    """The Hong Kong exchange's number of a non-disclosed client: up to ten digits, none of 1 to 99."""

    operation: ClassVar[str] = "updateBcan"
    bcan: Annotated[str, Field(pattern=r"^[1-9][0-9]{2,9}$")]
    ce_number: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{6}$")]


class Questionnaires(Change):
    """Answers to due-diligence questionnaires; the questions come from the enumeration edd-avt."""

    operation: ClassVar[str] = "questionnaires"
    questionnaire: Annotated[tuple[AnsweredForm, ...], Field(min_length=1)]


class QuizQuestionnaires(Change):
    """Answers to a quiz of knowledge, and the tasks they are meant to complete."""

    operation: ClassVar[str] = "quizQuestionnaires"
    questionnaire: Annotated[tuple[AnsweredForm, ...], Field(min_length=1)]
    task: tuple[QuizTask, ...] = ()


class ProhibitedCountryQuestionnaire(Change):
    """Answers about ties to prohibited countries (form 3442). Trap: here the list's name is in the plural."""

    operation: ClassVar[str] = "prohibitedCountryQuestionnaire"
    prohibited_questionnaire_details: Annotated[tuple[ProhibitedCountryAnswer, ...], Field(min_length=1)]
    entity_id: EntityId | None = None
    external_id: ExternalId | None = None

    @model_validator(mode="after")
    def _names_whom(self) -> Self:
        if self.entity_id is None and self.external_id is None:
            raise ValueError("say whose answers they are: entity_id or external_id")
        codes = [each.code for each in self.prohibited_questionnaire_details]
        if len(codes) != len(set(codes)):
            raise ValueError("each kind of tie is answered once")
        return self


def _require_one_reach(account_id: str | None, username: str | None) -> None:
    if (account_id is None) == (username is None):
        raise ValueError(
            "say how far it reaches: account_id for one account, reference_user_name for all of the user's"
        )
