"""A firm: type ORG, by the hybrid route only; the regulators' questions are answered in IBKR's portal."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from backoffice.ibkr.types.applications import completeness
from backoffice.ibkr.types.applications.individual import no_special_accounts
from backoffice.ibkr.types.applications.persons import Applicant, raise_all
from backoffice.ibkr.types.applications.registration import ApplicantNode, Registration
from backoffice.ibkr.types.base import Request
from backoffice.ibkr.types.firms import OrganizationIdentification
from backoffice.ibkr.types.holders import Title
from backoffice.ibkr.types.people import Address, Country, ExternalId, Identification, TaxResidency
from backoffice.ibkr.types.tax import EntityTaxResidency
from backoffice.ibkr.types.tax_entities import W8BenE
from backoffice.ibkr.types.tax_intermediaries import W8Imy

AUTHORIZED = frozenset({"DIRECTOR", "Other Officer", "SECRETARY"})
Text = Annotated[str, Field(min_length=1)]
Suffix = Literal["Jr.", "Sr.", "I", "II", "III", "IV", "V"]


class RegisteredOrganization(OrganizationIdentification):
    """The firm as its register has it."""

    name: Text
    identification: Text
    identification_country: Country
    formation_country: Country
    place_of_business_address: Address

    @model_validator(mode="after")
    def _has_a_place(self) -> Self:
        raise_all(completeness.address("the place of business", self.place_of_business_address))
        if self.mailing_address is not None and self.same_mail_address:
            raise ValueError("a separate mailing address contradicts mail going to the place of business")
        return self


class OrganizationPerson(Applicant):
    """Somebody behind the firm. A person who is authorised is director, other officer or secretary of it."""

    titles: Annotated[tuple[Title, ...], Field(min_length=1)]
    date_of_birth: date
    identification: Identification
    tax_residencies: Annotated[tuple[TaxResidency, ...], Field(min_length=1)]
    authorized_person: bool
    authorized_to_sign_on_behalf_of_owner: bool
    authorized_trader: bool

    @model_validator(mode="after")
    def _may_act(self) -> Self:
        if self.authorized_person and not AUTHORIZED & {title.code for title in self.titles}:
            raise ValueError(f"an authorised person has one of the titles {', '.join(sorted(AUTHORIZED))}")
        if self.identification.citizenship is None or self.identification.issuing_country is None:
            raise ValueError("somebody behind a firm has a citizenship and an issuing country")
        return self


class Contributor(Request):
    """Who brings most of the money."""

    first_name: Text
    last_name: Text
    middle_initial: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    suffix: Suffix | None = None
    employer: Text | None = None
    occupation: Text | None = None
    address: Address | None = None
    source_of_funds: Text | None = None


class Administrator(Request):
    """Who administers the firm."""

    first_name: Text
    last_name: Text
    middle_initial: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    suffix: Suffix | None = None
    address: Address | None = None


class AdministratorContact(Request):
    """Whom to call there."""

    first_name: Text
    last_name: Text
    middle_initial: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    suffix: Suffix | None = None
    phone_number: Annotated[str, Field(min_length=3, max_length=18)] | None = None


class AccountSupport(Request):
    """What the firm does and who is behind its money."""

    type: (
        Literal[
            "FINANCIALINSTITUTION", "PROPRIETARYTRADING", "FAMILYINVVEHICLE", "OPERATINGBUSINESS", "BROKERDEALER",
            "LICENSEDADVISOR",
        ]
        | None
    ) = None  # fmt: skip
    business_description: Text | None = None
    primary_contributor: Contributor | None = None
    administrator: Administrator | None = None
    administrator_contact_person: AdministratorContact | None = None
    owners_reside_us: bool | None = Field(default=None, alias="ownersResideUS")
    solicit_owners_reside_us: bool | None = Field(default=None, alias="solicitOwnersResideUS")
    accept_owners_reside_us: bool | None = Field(default=None, alias="acceptOwnersResideUS")


class ManagingOwner(Request):
    """The owner who manages, by our id of one of the firm's persons."""

    external_id: ExternalId
    is25_percent_owner: bool


class OrganizationNode(ApplicantNode):
    """The firm and the persons behind it. Trap: `identifications` is an array of one, and has an s here only."""

    arrays_of_one: ClassVar[tuple[str, ...]] = ("identifications",)
    type: Literal["LLC", "CORPORATION", "PARTNERSHIP", "UNINCORPORATED BUSINESS"]
    type_of_trading: Literal["FIRM", "CUSTOMER"]
    us_tax_purpose_type: Literal["C", "P", "E"]
    identification: RegisteredOrganization = Field(alias="identifications")
    individuals: Annotated[tuple[OrganizationPerson, ...], Field(min_length=1, alias="associatedEntities")]
    tax_residencies: Annotated[tuple[EntityTaxResidency, ...], Field(min_length=1)]
    w8_ben_e: W8BenE | None = None
    w8_imy: W8Imy | None = Field(default=None, alias="w8IMY")
    account_support: AccountSupport | None = None
    managing_owner: ManagingOwner | None = None
    org_us_subsidiary: bool | None = None
    qualified_intermediary: bool | None = None
    assumed_primary_reporting: bool | None = None
    accepted_primary_withholding: bool | None = None

    def persons(self) -> Sequence[Applicant]:
        """Return the persons behind the firm, in the order given."""
        return self.individuals

    @model_validator(mode="after")
    def _somebody_acts(self) -> Self:
        if not any(person.authorized_person for person in self.individuals):
            raise ValueError("a firm has at least one authorised person")
        shares = [person.ownership_percentage or 0 for person in self.individuals]
        if sum(shares) > 100:
            raise ValueError("the owners' shares total at most 100 per cent")
        owner = self.managing_owner
        if owner is not None and owner.external_id not in {person.external_id for person in self.individuals}:
            raise ValueError("the managing owner is one of the firm's persons")
        return self

    @model_validator(mode="after")
    def _taxes(self) -> Self:
        if any(each.country == "USA" and each.tin_type != "EIN" for each in self.tax_residencies):
            raise ValueError("a firm that pays taxes in the USA has an EIN")
        if self.w8_ben_e is not None and self.w8_imy is not None:
            raise ValueError("one tax form is signed: W-8BEN-E or W-8IMY")
        return self

    def wire_members(self) -> dict[str, Any]:
        """Return the node as IBKR spells it, its persons one level deeper."""
        own = super().wire_members()
        own["associatedEntities"] = {"associatedIndividuals": own["associatedEntities"]}
        return own


class OrganizationApplication(Registration):
    """An application for a firm. Without `users` each person who may trade gets a login."""

    customer_type: ClassVar[str] = "ORG"
    node_name: ClassVar[str] = "organization"
    organization: OrganizationNode

    @property
    def node(self) -> OrganizationNode:
        """Who applies."""
        return self.organization

    @property
    def is_natural(self) -> bool:
        """Whether the customer is one or two persons."""
        return False

    def logins(self) -> Sequence[Applicant]:
        """Return the persons who may trade."""
        return tuple(person for person in self.organization.individuals if person.authorized_trader)

    def _mistakes(self) -> Iterator[str]:
        yield from super()._mistakes()
        yield from no_special_accounts(self)
