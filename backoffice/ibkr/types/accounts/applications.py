"""Applications, and what IBKR gives back for them."""

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, Field, computed_field, model_validator

from backoffice.ibkr.parsing import Flag, Instant, OptionalId, Text
from backoffice.ibkr.types.accounts.openings import NewAccount
from backoffice.ibkr.types.accounts.tasks import Task
from backoffice.ibkr.types.base import Answer, Request
from backoffice.ibkr.types.people import (
    Address,
    Country,
    Email,
    EmploymentDetails,
    EmploymentType,
    ExternalId,
    Identification,
    InputLanguage,
    PersonName,
    Phone,
    Prefix,
    TaxResidency,
)


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
    md_services: tuple[Annotated[int, Field(gt=0, le=2**31 - 1)], ...] = ()  # numbers of enumeration market-data


class Application(Request):
    """One application: `wire_members` is the whole of what POST /accounts takes, `{"application": {...}}`."""

    def objections(self, today: date) -> Iterator[str]:
        """Yield what would make IBKR refuse this on `today` (New York's day) though it was right when it was written."""
        yield from ()


class HybridIndividualApplication(Application):
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
    input_language: InputLanguage | None = None

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
            "accounts": [account.wire_members() for account in self.accounts],
            "users": own.get("users") or [default_user],
        }
        if self.input_language is not None:
            application["inputLanguage"] = self.input_language
        return {"application": application}


class AssignedEntity(Answer):
    """A person of an accepted application and the id IBKR gave it (needed for later changes)."""

    id: OptionalId = Field(default=None, validation_alias=AliasChoices("id", "value", "entityId"))
    external_id: OptionalId = Field(default=None, alias="externalId")


class AssignedUser(Answer):
    """A login IBKR made. Its temporary password is never kept: the client resets it in IBKR's portal."""

    username: OptionalId = Field(default=None, validation_alias=AliasChoices("user", "value", "userName", "username"))
    external_id: OptionalId = Field(default=None, validation_alias=AliasChoices("externalUserId", "externalId"))


class ProcessedDocument(Answer):
    """A document of the application that IBKR took for a task."""

    form_number: OptionalId = Field(default=None, validation_alias=AliasChoices("formNumber", "value", "formNo"))
    external_id: OptionalId = Field(default=None, alias="externalId")
    state: Text = Field(default="", validation_alias=AliasChoices("state", "status"))


class AssignedAccount(Answer):
    """An account number IBKR gave."""

    account_id: OptionalId = Field(default=None, validation_alias=AliasChoices("value", "accountId", "id"))
    external_id: OptionalId = Field(default=None, alias="externalId")


class ApplicationAccepted(Answer):
    """IBKR has the application. With HTTP 202 nothing but `request_id` is known yet (`is_processed` is False).

    No `pending_tasks` means that it went straight to the approval queue; of those there are, only the ones required
    for approval block. `satellite_account_id` is the general account that IBKR opens beside a British ISA: it is told
    here and nowhere else.
    """

    request_id: OptionalId = Field(default=None, alias="requestId")
    submitted_at: Instant = Field(default=None, validation_alias=AliasChoices("dateSubmitted", "executedAt"))
    is_processed: bool = False
    external_id: OptionalId = Field(default=None, alias="externalId")
    accounts: tuple[AssignedAccount, ...] = ()
    users: tuple[AssignedUser, ...] = ()
    entities: tuple[AssignedEntity, ...] = ()
    documents: tuple[ProcessedDocument, ...] = ()
    pending_tasks: tuple[Task, ...] = Field(default=(), alias="pendingTasks")
    satellite_account_id: OptionalId = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def account_id(self) -> str | None:
        """The account number, when there is one already."""
        return self.accounts[0].account_id if self.accounts else None


class ApplicationRecord(Answer):
    """What IBKR holds under an external id: the witness for an application whose answer was lost.

    `is_success` is None while IBKR has the application but has not said what became of it: IBKR then names only the
    account and its two files. Only accounts opened through the API are known here.
    """

    is_success: bool | None = None
    is_processed: Flag = None
    errors: tuple[str, ...] = ()
    account_id: OptionalId = None
    external_id: OptionalId = None
    users: tuple[AssignedUser, ...] = ()
    entities: tuple[AssignedEntity, ...] = ()
    documents: tuple[ProcessedDocument, ...] = ()
    pending_tasks: tuple[Task, ...] = ()
    satellite_account_id: OptionalId = None
    request_file: Text = ""
    response_file: Text = ""
