"""Applications and what IBKR says about accounts: status, tasks, details, requests."""

import re
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, Field, StringConstraints, computed_field, model_validator

from backoffice.ibkr.parsing import Flag, Id, Instant, Number, OptionalId, Text
from backoffice.ibkr.types.base import Answer, Request
from backoffice.ibkr.types.people import (
    Address,
    Country,
    Currency,
    Email,
    EmploymentDetails,
    EmploymentType,
    ExternalId,
    Identification,
    PersonName,
    Phone,
    TaxResidency,
)

Prefix = Annotated[str, StringConstraints(pattern=r"^[a-z]{3,6}$")]


class TradingPermission(Request):
    """What may be traded: an exchange group such as US-Sec, or a product in a country (upper-case names)."""

    exchange_group: str | None = None
    country: str | None = None
    product: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        by_product = self.country is not None and self.product is not None
        if (self.exchange_group is not None) == by_product or (self.country is None) != (self.product is None):
            raise ValueError("name an exchange group, or a country with a product")
        return self


class AutomatedFee(Request):
    """One automatic advisor fee; `type` is IBKR's spelling, e.g. PERCENTOFEQUITY_MONTHLY."""

    type: str
    max_fee: Annotated[Number, Field()] = None
    num_contracts: int | None = None
    post_frequency: int | None = None
    percent_of_nlv_cap: Annotated[Number, Field(alias="percentOfNLVCap")] = None
    percent_of_nlv_cap_q: Annotated[Number, Field(alias="percentOfNLVCapQ")] = None


class AdvisorWrapFees(Request):
    """How the advisor is paid. Advisors must say so at registration, here or by naming a fee template."""

    strategy: Literal["NO_FEE", "AUTOMATED", "DIRECTBILLING"] = "NO_FEE"
    charge_advisor: bool | None = None
    charge_other_fees_to_advisor: bool | None = None
    automated_fees_details: tuple[AutomatedFee, ...] = ()

    @model_validator(mode="after")
    def _details_with_automated(self) -> Self:
        if (self.strategy == "AUTOMATED") != bool(self.automated_fees_details):
            raise ValueError("automatic fees need their details, and only they do")
        return self


class NewAccount(Request):
    """One account asked for in an application."""

    external_id: ExternalId
    base_currency: Currency
    margin: Literal["Cash", "Margin", "RegT", "PortfolioMargin"] | None = None
    multi_currency: bool = True
    trading_permissions: tuple[TradingPermission, ...] = (TradingPermission(exchange_group="US-Sec"),)
    advisor_wrap_fees: AdvisorWrapFees | None = None
    fees_template_name: str | None = None
    investment_objectives: tuple[
        Literal["Preservation", "Income", "Growth", "Trading", "Speculation", "Hedging"], ...
    ] = ()
    capabilities: tuple[str, ...] = ()
    alias: Annotated[str, Field(max_length=80)] | None = None
    drip: bool | None = None
    stock_yield_program: bool | None = None

    @model_validator(mode="after")
    def _one_fee_scheme(self) -> Self:
        if self.advisor_wrap_fees is not None and self.fees_template_name is not None:
            raise ValueError("fees are given by a scheme or by a template, not by both")
        return self


class UserPrivilege(Request):
    """What a user may do in one of the application's accounts."""

    external_account_id: ExternalId
    privilege: Literal["OWNER", "TRADER", "CUSTOM", "NONE"] = "OWNER"


class NewUser(Request):
    """One login asked for; `external_individual_id` names the person it belongs to."""

    external_user_id: ExternalId
    external_individual_id: ExternalId
    prefix: Prefix
    user_privileges: tuple[UserPrivilege, ...] = ()


class HybridIndividualApplication(Request):
    """An application for one person who finishes it in IBKR's portal.

    `name`, `email` and `residence_address.country` are enough; whatever else is given prefills the portal.
    `external_id` is our key for the whole application and must never be used for another one. Without `users`
    one login is asked for, for the holder.
    """

    external_id: ExternalId
    prefix: Prefix
    name: PersonName
    email: Email
    residence_address: Address
    accounts: Annotated[tuple[NewAccount, ...], Field(min_length=1)]
    users: tuple[NewUser, ...] = ()
    holder_external_id: ExternalId | None = None  # defaults to external_id
    mailing_address: Address | None = None
    same_mail_address: bool | None = None
    date_of_birth: date | None = None
    country_of_birth: Country | None = None
    marital_status: Literal["S", "M", "W", "D", "C"] | None = None
    num_dependents: Annotated[int, Field(ge=0, le=99)] | None = None
    gender: Literal["Male", "Female", "M", "F"] | None = None
    phones: tuple[Phone, ...] = ()
    identification: Identification | None = None
    tax_residencies: tuple[TaxResidency, ...] = ()
    employment_type: EmploymentType | None = None
    employment_details: EmploymentDetails | None = None
    md_status_non_pro: bool = True
    preferred_primary_language: Literal["en", "de", "es", "jp", "zh_CN", "fr", "zh_TW", "he"] | None = None
    input_language: (
        Literal["en", "zh-Hans", "ja", "ru", "fr", "pt", "es", "it", "ar-AE", "de", "he-IL", "hu"] | None
    ) = None

    @property
    def holder_id(self) -> str:
        """The holder's external id."""
        return self.holder_external_id or self.external_id

    @model_validator(mode="after")
    def _ids_agree(self) -> Self:
        if self.mailing_address is not None and self.same_mail_address:
            raise ValueError("a separate mailing address contradicts mail going to the residence")
        for user in self.users:
            if user.external_individual_id != self.holder_id:
                raise ValueError("each user must belong to the account holder (externalIndividualId)")
            if user.prefix != self.prefix:
                raise ValueError("the prefix must be the same on the customer and on each user")
        if self.employment_type in ("EMPLOYED", "SELFEMPLOYED") and self.employment_details is None:
            raise ValueError("an employed person's employment must be described")
        return self

    def wire_members(self) -> dict[str, Any]:
        """Return `{"application": {...}}` as POST /accounts takes it."""
        own = super().wire_members()
        holder_names = (
            "dateOfBirth", "countryOfBirth", "maritalStatus", "numDependents", "gender", "phones", "identification",
            "taxResidencies", "employmentType", "employmentDetails", "residenceAddress", "mailingAddress", "sameMailAddress",
        )  # fmt: skip
        holder = {"externalId": self.holder_id, "name": own["name"], "email": self.email}
        holder |= {name: own[name] for name in holder_names if name in own}
        holder["titles"] = [{"code": "Account Holder"}]
        customer = {
            "externalId": self.external_id,
            "type": "INDIVIDUAL",
            "prefix": self.prefix,
            "email": self.email,
            "mdStatusNonPro": self.md_status_non_pro,
            "preferredPrimaryLanguage": self.preferred_primary_language,
            "accountHolder": {"accountHolderDetails": [holder]},
        }
        default_user = {
            "externalUserId": self.external_id,
            "externalIndividualId": self.holder_id,
            "prefix": self.prefix,
        }
        application = {
            "customer": {name: value for name, value in customer.items() if value is not None},
            "accounts": own["accounts"],
            "users": own.get("users") or [default_user],
        }
        if self.input_language is not None:
            application["inputLanguage"] = self.input_language
        return {"application": application}


class Task(Answer):
    """One thing IBKR still wants, or wanted, with both spellings of its flags brought together.

    `action` is one of "to sign", "to send", "to complete" (portal only), "to check" (IBKR is looking).
    """

    form_number: OptionalId = Field(default=None, alias="formNumber")
    form_name: Text = Field(default="", alias="formName")
    task_number: OptionalId = Field(default=None, alias="taskNumber")
    action: Text = ""
    state: Text = ""
    external_id: OptionalId = Field(default=None, alias="externalId")
    entity_id: OptionalId = Field(default=None, alias="entityId")
    url: Text = Field(default="", repr=False)
    warning: Text = ""
    date_completed: Instant = Field(default=None, alias="dateCompleted")
    start_date: Instant = Field(default=None, alias="startDate")
    expires: Instant = Field(default=None, alias="au10tixExpiryDate")
    reject_reasons: tuple[str, ...] = Field(default=(), alias="documentRejectReason")
    is_required_for_approval: Flag = Field(
        default=None, validation_alias=AliasChoices("isRequiredForApproval", "requiredForApproval")
    )
    is_required_for_trading: Flag = Field(
        default=None, validation_alias=AliasChoices("isRequiredForTrading", "requiredForTrading")
    )
    is_online: Flag = Field(default=None, validation_alias=AliasChoices("isOnlineTask", "onlineTask"))
    is_completed: Flag = Field(default=None, validation_alias=AliasChoices("isCompleted", "isComplete", "completed"))
    is_declined: Flag = Field(default=None, validation_alias=AliasChoices("isDeclined", "declined"))

    @model_validator(mode="before")
    @classmethod
    def _reasons_as_list(cls, data: Any) -> Any:
        reasons = data.get("documentRejectReason") if isinstance(data, dict) else None
        if isinstance(reasons, str):
            return {**data, "documentRejectReason": [reasons] if reasons else []}
        if reasons is None and isinstance(data, dict):
            return {name: value for name, value in data.items() if name != "documentRejectReason"}
        return data

    @property
    def is_rejected(self) -> bool:
        """Whether what was handed in was refused; the reason is in `reject_reason`."""
        return self.state.lower().startswith("rejected") or bool(self.reject_reasons)

    @property
    def reject_reason(self) -> str:
        """Why a document was refused, from either place IBKR puts it ("Rejected .. <reason>")."""
        if self.reject_reasons:
            return "; ".join(self.reject_reasons)
        return re.sub(r"(?i)^rejected[ .:-]*", "", self.state) if self.is_rejected else ""


class Tasks(Answer):
    """An account's tasks. `kind` says which list was asked for; "pending" hides those of open accounts."""

    account_id: Text = Field(default="", alias="accountId")
    kind: Literal["registration", "pending"] = "registration"
    status: Text = ""
    description: Text = ""
    state: Text = ""
    tasks: tuple[Task, ...] = ()


class AssignedEntity(Answer):
    """A person of an accepted application and the id IBKR gave it (needed for later changes)."""

    id: OptionalId = Field(default=None, validation_alias=AliasChoices("id", "value", "entityId"))
    external_id: OptionalId = Field(default=None, alias="externalId")


class AssignedUser(Answer):
    """A login IBKR made. Its temporary password is never kept: the client resets it in IBKR's portal."""

    username: OptionalId = Field(default=None, validation_alias=AliasChoices("user", "value", "userName", "username"))
    external_id: OptionalId = Field(default=None, validation_alias=AliasChoices("externalUserId", "externalId"))


class AssignedAccount(Answer):
    """An account number IBKR gave."""

    account_id: OptionalId = Field(default=None, validation_alias=AliasChoices("value", "accountId", "id"))
    external_id: OptionalId = Field(default=None, alias="externalId")


class ApplicationAccepted(Answer):
    """IBKR has the application. With HTTP 202 nothing but `request_id` is known yet (`is_processed` is False)."""

    request_id: OptionalId = Field(default=None, alias="requestId")
    submitted_at: Instant = Field(default=None, validation_alias=AliasChoices("dateSubmitted", "executedAt"))
    is_processed: bool = False
    external_id: OptionalId = Field(default=None, alias="externalId")
    accounts: tuple[AssignedAccount, ...] = ()
    users: tuple[AssignedUser, ...] = ()
    entities: tuple[AssignedEntity, ...] = ()
    pending_tasks: tuple[Task, ...] = Field(default=(), alias="pendingTasks")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def account_id(self) -> str | None:
        """The account number, when there is one already."""
        return self.accounts[0].account_id if self.accounts else None


class ApplicationRecord(Answer):
    """What IBKR holds under an external id: the witness for an application whose answer was lost.

    `is_success` is None while IBKR has the application but has not said what became of it.
    """

    is_success: bool | None = None
    errors: tuple[str, ...] = ()
    account_id: OptionalId = None
    external_id: OptionalId = None
    users: tuple[AssignedUser, ...] = ()
    entities: tuple[AssignedEntity, ...] = ()
    pending_tasks: tuple[Task, ...] = ()
    request_file: Text = ""


class AccountStatus(Answer):
    """Where an account stands. `status` is IBKR's letter (N P O C A R E Q, others possible), `state` its words."""

    account_id: Id = Field(alias="accountId")
    status: Text = ""
    description: Text = ""
    state: Text = ""
    message: Text = ""
    master_account_id: OptionalId = Field(default=None, alias="masterAccountId")
    date_started: Instant = Field(default=None, alias="dateStarted")
    date_opened: Instant = Field(default=None, alias="dateOpened")
    date_closed: Instant = Field(default=None, alias="dateClosed")


class AccountStatusPage(Answer):
    """One page of many accounts' status."""

    accounts: tuple[AccountStatus, ...] = ()
    offset: int = 0
    limit: int = 0
    total: int = 0


class ReportedAddress(Answer):
    """An address as IBKR reports it back; the spelling of its members varies, so unknown ones are in `raw`."""

    street1: Text = Field(default="", validation_alias=AliasChoices("street1", "street", "street_1"))
    street2: Text = Field(default="", validation_alias=AliasChoices("street2", "street_2"))
    city: Text = ""
    state: Text = ""
    country: Text = ""
    postal_code: Text = Field(default="", validation_alias=AliasChoices("postalCode", "postal_code", "zip"))


class AssociatedPerson(Answer):
    """A person of an account."""

    entity_id: OptionalId = Field(default=None, alias="entityId")
    external_id: OptionalId = Field(default=None, validation_alias=AliasChoices("externalCode", "externalId"))
    first_name: Text = Field(default="", alias="firstName")
    middle_name: Text = Field(default="", alias="middleName")
    last_name: Text = Field(default="", alias="lastName")
    username: Text = ""
    user_status: Text = Field(default="", alias="userStatus")
    email: Text = ""
    residence: ReportedAddress | None = None
    mailing: ReportedAddress | None = None


class AccountDetails(Answer):
    """Everything IBKR reports about one account that we read; equal to its end-of-day file."""

    account_id: Id = Field(alias="accountId")
    master_account_id: OptionalId = Field(default=None, alias="masterAccountId")
    title: Text = Field(default="", alias="accountTitle")
    alias: Text = Field(default="", alias="accountAlias")
    external_id: OptionalId = Field(default=None, alias="externalId")
    clearing_status: Text = Field(default="", alias="clearingStatus")
    clearing_status_description: Text = Field(default="", alias="clearingStatusDescription")
    base_currency: Text = Field(default="", alias="baseCurrency")
    email: Text = Field(default="", alias="emailAddress")
    margin: Text = ""
    applicant_type: Text = Field(default="", alias="applicantType")
    primary_user: Text = Field(default="", alias="primaryUser")
    date_begun: Instant = Field(default=None, alias="dateBegun")
    date_opened: Instant = Field(default=None, alias="dateOpened")
    date_funded: Instant = Field(default=None, alias="dateFunded")
    date_closed: Instant = Field(default=None, alias="dateClosed")
    equity: Number = None
    persons: tuple[AssociatedPerson, ...] = ()


class RequestStatus(Answer):
    """What became of an asynchronous request. `status` is IBKR's free word (ACCEPTED, REJECTED, PENDING, ...)."""

    request_id: OptionalId = Field(default=None, alias="requestId")
    request_type: Text = Field(default="", alias="requestType")
    status: Text = ""
    message: Text = ""
    account_id: OptionalId = Field(default=None, validation_alias=AliasChoices("acctId", "accountID", "accountId"))
    errors: tuple[str, ...] = ()
