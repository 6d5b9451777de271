"""Operations on the account itself: its life, its name, its money and the programmes it takes part in."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from backoffice.ibkr.types.accounts.applications import NewUser
from backoffice.ibkr.types.accounts.openings import NewAccount
from backoffice.ibkr.types.documents import Documents
from backoffice.ibkr.types.finances import FinancialInformation
from backoffice.ibkr.types.holders import HolderDetails
from backoffice.ibkr.types.operation import Change, Composed
from backoffice.ibkr.types.people import BaseCurrency, Country, Email, ExternalId, Prefix


class AccountClose(Change):
    """Close an open account. Traps: only an empty one (status O or Q), and IBKR works on it from 8 to 11 in New York."""

    operation: ClassVar[str] = "accountClose"
    close_reason: Annotated[str, Field(min_length=1, max_length=250)]


class ReopenAccount(Change):
    """Ask for a closed account again. Traps: only one opened by the hybrid route, and its holder must log in and sign."""

    operation: ClassVar[str] = "reopenAccount"


class AbandonAccount(Change):
    """Drop a pending application (status N or P). Trap: its external id stays taken; free it with `UpdateExternalId`."""

    operation: ClassVar[str] = "abandonAccount"


class ResetAbandonedAccount(Change):
    """Bring back an abandoned application that is younger than six months."""

    operation: ClassVar[str] = "resetAbandonedAccount"


class UpdateExternalId(Change):
    """Give an account another external id, for instance to free the old one for a new application."""

    operation: ClassVar[str] = "updateExternalId"
    new_external_id: ExternalId


class AliasChange(Change):
    """A new nickname for an account (updateAccountAlias); takes effect at once."""

    operation: ClassVar[str] = "updateAccountAlias"
    account_alias: Annotated[str, Field(min_length=1, max_length=80)]


class UpdatePropertyProfile(Change):
    """Another property profile; only for firms that agreed on profiles with IBKR."""

    operation: ClassVar[str] = "updatePropertyProfile"
    property_profile: Annotated[str, Field(min_length=1)]


class ChangeBaseCurrency(Change):
    """Another base currency, from the next business day on."""

    operation: ClassVar[str] = "changeBaseCurrency"
    new_base_currency: BaseCurrency


class ApplyFeeTemplate(Change):
    """Assign a fee template by its exact name.

    Trap: for an advisor's client a higher fee waits until the client has agreed in the portal; a lower one does not.
    """

    operation: ClassVar[str] = "applyFeeTemplate"
    template_name: Annotated[str, Field(min_length=1)]


class AccountConfiguration(Change):
    """Switch IBKR Lite on or off. Traps: done the same day only before 15:00 in New York, and three times in 90 days."""

    operation: ClassVar[str] = "accountConfiguration"
    type: Literal["LiteExecution"] = "LiteExecution"
    value: bool


class EnrollInSyep(Change):
    """Join the stock yield enhancement programme. Trap: after leaving it, 90 days must pass."""

    operation: ClassVar[str] = "enrollInSyep"
    documents: Documents = ()


class LeaveSyep(Change):
    """Leave the stock yield enhancement programme."""

    operation: ClassVar[str] = "leaveSyep"


class EnrollInDrip(Change):
    """Have dividends reinvested."""

    operation: ClassVar[str] = "enrollInDrip"


class LeaveDrip(Change):
    """Have dividends paid out again."""

    operation: ClassVar[str] = "leaveDrip"


class DuplicateAccount(Change):
    """Open further accounts like this one."""

    operation: ClassVar[str] = "duplicateAccount"
    number_of_duplicates: Annotated[int, Field(ge=1, le=100)]


class AllocateVan(Change):
    """A virtual account number, to which money in this currency can be sent from this country."""

    operation: ClassVar[str] = "allocateVan"
    currency: BaseCurrency
    country_code: Country


class ExistingCustomer(Composed):
    """The customer who gets another account: named by an id, with what has changed since the first application."""

    external_id: ExternalId | None = None
    id: Annotated[str, Field(min_length=1)] | None = None
    type: Literal["INDIVIDUAL", "JOINT", "TRUST", "ORG", "UGMA", "UTMA", "IRA"] | None = None
    prefix: Prefix | None = None
    email: Email | None = None
    md_status_non_pro: bool | None = None
    account_holder: "ExistingHolder | None" = None

    @model_validator(mode="after")
    def _is_named(self) -> Self:
        if self.external_id is None and self.id is None:
            raise ValueError("say which customer: external_id or id")
        return self


class ExistingHolder(Composed):
    """The holder's details and finances, where they are to be told again."""

    account_holder_details: tuple[HolderDetails, ...] = ()
    financial_information: tuple[FinancialInformation, ...] = ()


class AddAdditionalAccount(Change):
    """Open another account for the customer of `account_id`. Trap: `account.external_id` must be new."""

    operation: ClassVar[str] = "addAdditionalAccount"
    account: NewAccount
    customer: ExistingCustomer | None = None
    users: tuple[NewUser, ...] = ()
    documents: Documents = ()


ExistingCustomer.model_rebuild()
