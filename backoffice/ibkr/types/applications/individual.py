"""One person: type INDIVIDUAL, with everything that IBKR can be told about the applicant."""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Self

from pydantic import Field, model_validator

from backoffice.ibkr.types.applications import completeness
from backoffice.ibkr.types.applications.persons import Applicant
from backoffice.ibkr.types.applications.registration import ApplicantNode, Registration, TaxInformation
from backoffice.ibkr.types.holders import Title


class AccountHolder(Applicant):
    """The one holder."""

    titles: tuple[Title, ...] = (Title(code="Account Holder"),)

    @model_validator(mode="after")
    def _is_the_holder(self) -> Self:
        if "Account Holder" not in {title.code for title in self.titles}:
            raise ValueError("the holder has the title Account Holder")
        return self


class IndividualNode(ApplicantNode):
    """The holder, with finances and answers. Trap: accountHolderDetails is an array of one."""

    arrays_of_one: ClassVar[tuple[str, ...]] = ("accountHolderDetails",)
    holder: AccountHolder = Field(alias="accountHolderDetails")
    tax_information: TaxInformation | None = None

    def persons(self) -> Sequence[Applicant]:
        """Return the holder."""
        return (self.holder,)


class OnePersonApplication(Registration):
    """What the applications of one person have in common, whatever the account is."""

    customer_type: ClassVar[str] = "INDIVIDUAL"
    node_name: ClassVar[str] = "accountHolder"
    account_holder: IndividualNode

    @property
    def node(self) -> IndividualNode:
        """Who applies."""
        return self.account_holder

    def missing(self) -> Iterator[str]:
        """Yield what the full route wants and is not there."""
        holder, finances = self.account_holder.holder, self.account_holder.financial_information
        is_australian = holder.residence_address.country == "AUS"
        yield from completeness.persons((holder,))
        yield from completeness.finances(finances)
        yield from completeness.regulation(self.account_holder.regulatory_information, is_australian=is_australian)
        yield from completeness.accounts(self.accounts)


class IndividualApplication(OnePersonApplication):
    """An application for one person's own account; retirement and British savings accounts have types of their own."""

    def _mistakes(self) -> Iterator[str]:
        yield from super()._mistakes()
        yield from no_special_accounts(self)


def no_special_accounts(application: Registration) -> Iterator[str]:
    """Yield that accounts for retirement and of Australian funds belong into another kind of application."""
    for account in application.accounts:
        if account.ira:
            yield "an account for retirement has an application of its own: RetirementApplication, Isa- or JisaApplication"
        if account.account_type == "SMSF":
            yield "an account of type SMSF is a trust's"
