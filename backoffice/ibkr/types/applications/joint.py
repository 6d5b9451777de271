"""Two persons who hold an account together: type JOINT."""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from backoffice.ibkr.types.applications import completeness
from backoffice.ibkr.types.applications.individual import no_special_accounts
from backoffice.ibkr.types.applications.persons import Applicant
from backoffice.ibkr.types.applications.registration import ApplicantNode, Registration, TaxInformation, by_holder
from backoffice.ibkr.types.holders import Title

JointType = Literal["community", "joint_tenants", "tenants_common", "tbe", "au_joint_account"]


class FirstHolder(Applicant):
    """The first holder."""

    titles: tuple[Title, ...] = (Title(code="FIRST HOLDER"),)


class SecondHolder(Applicant):
    """The second holder."""

    titles: tuple[Title, ...] = (Title(code="SECOND HOLDER"),)


class JointNode(ApplicantNode):
    """Both holders. Traps: their details are arrays of one; only tenants in common have shares, which total 100.

    `type`: community property, joint tenants with right of survivorship, tenants in common, tenants by the entirety, and
    the Australian joint account.
    """

    arrays_of_one: ClassVar[tuple[str, ...]] = ("firstHolderDetails", "secondHolderDetails")
    type: JointType
    first_holder: FirstHolder = Field(alias="firstHolderDetails")
    second_holder: SecondHolder = Field(alias="secondHolderDetails")
    tax_information: TaxInformation | None = None

    def persons(self) -> Sequence[Applicant]:
        """Return both holders, the first one first."""
        return (self.first_holder, self.second_holder)

    @model_validator(mode="after")
    def _two_holders(self) -> Self:
        if self.first_holder.mobiles & self.second_holder.mobiles:
            raise ValueError("the mobile numbers of the two holders differ")
        for holder, code in ((self.first_holder, "FIRST HOLDER"), (self.second_holder, "SECOND HOLDER")):
            if code not in {title.code for title in holder.titles}:
                raise ValueError(f"one holder has the title {code}")
        return self

    @model_validator(mode="after")
    def _shares(self) -> Self:
        shares = [holder.ownership_percentage for holder in self.persons()]
        if self.type != "tenants_common":
            if any(share is not None for share in shares):
                raise ValueError("only tenants in common have shares")
        elif None in shares or sum(share for share in shares if share is not None) != 100:
            raise ValueError("the shares of tenants in common total 100 per cent")
        return self


class JointApplication(Registration):
    """An application for two persons' account. Without `users` each holder gets a login."""

    customer_type: ClassVar[str] = "JOINT"
    node_name: ClassVar[str] = "jointHolders"  # IBKR's documents say jointHolder in their text, and send jointHolders
    joint_holders: JointNode

    @property
    def node(self) -> JointNode:
        """Who applies."""
        return self.joint_holders

    def signatures(self, persons: Sequence[Applicant]) -> Iterator[str]:
        """Yield what is wrong with the signatures: each document says whose it is, and that holder signs it."""
        return by_holder(self.documents, persons)

    def _mistakes(self) -> Iterator[str]:
        yield from super()._mistakes()
        yield from no_special_accounts(self)

    def missing(self) -> Iterator[str]:
        """Yield what the full route wants and is not there."""
        holders, finances = self.joint_holders.persons(), self.joint_holders.financial_information
        is_australian = any(holder.residence_address.country == "AUS" for holder in holders)
        yield from completeness.persons(holders)
        yield from completeness.finances(finances)
        yield from completeness.regulation(self.joint_holders.regulatory_information, is_australian=is_australian)
        yield from completeness.accounts(self.accounts)
