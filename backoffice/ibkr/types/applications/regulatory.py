"""What regulators ask of an applicant, a person or a firm."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from backoffice.ibkr.types.base import Request
from backoffice.ibkr.types.people import Address, Country, Email, ExternalId

Words = Annotated[str, Field(min_length=1)]
RegulatoryCode = Literal[
    "CRIMINAL", "AFFILIATION", "CFTCREGISTERED", "IBACCOUNTS", "REGULATORYCONTROL", "EmployeePubTrade", "ControlPubTraded",
    "BROKERDEALER", "EXCHANGEMEMBERSHIP", "STOCKCONTROL", "DISPUTE", "INVESTIGATION", "MEMBERSHIP", "AUSEXPOSURE",
    "CONTROLLER", "POLITICALMILITARYDIPLOMATIC", "FOREIGN_BANK", "BROKER_DEALER", "FUTURES_COMMISSION_MERCHANT",
    "MUTUAL_FUND", "FOREIGN_EXCHANGE", "MONEY_TRANSMITTER", "EMPLOYEE_BENEFIT_PLAN", "US_BANK", "US_SWAP_DEALER",
    "US_SWAP_PARTICIPANT", "US_INSURANCE_COMPANY", "NON_US_INSURANCE_COMPANY", "US_DEPT", "FINANCIAL_ADVISOR",
    "HIGH_RISK_CONTRIBUTION",
]  # fmt: skip


class RegulatoryDetail(Request):
    """The answer to one question. Yes needs words: symbols in upper case, comma separated, where it is about shares."""

    code: RegulatoryCode
    status: bool
    detail: Words | None = None
    external_individual_id: ExternalId | None = None

    @model_validator(mode="after")
    def _yes_is_explained(self) -> Self:
        # An affiliation is explained by affiliation_details.
        if self.status and self.code != "AFFILIATION" and self.detail is None:
            raise ValueError(f"{self.code} is answered by yes, so it needs a detail")
        return self


class AffiliationDetails(Request):
    """Who works for a broker or an exchange: the firm by its number in enumeration employee-track, or in words."""

    affiliation_relationship: Literal["Self", "Spouse", "Parent", "Child", "Other"]
    person_name: Annotated[str, Field(min_length=1, max_length=48)]
    company_id: Annotated[int, Field(gt=0, le=2**31 - 1)] | None = None
    company: Annotated[str, Field(min_length=1, max_length=400)] | None = None
    company_mailing_address: Address | None = None
    company_phone: Annotated[str, Field(min_length=3, max_length=18)] | None = None
    company_email_address: Annotated[Email, Field(max_length=80)] | None = None
    duplicate_stmt_required: bool | None = None

    @model_validator(mode="after")
    def _names_the_firm(self) -> Self:
        by_words = (self.company, self.company_mailing_address, self.company_phone, self.company_email_address)
        if self.company_id is None and None in by_words:
            raise ValueError("name the firm by company_id, or by its name with address, telephone and e-mail")
        return self


class SelfRegulatedMembership(Request):
    """Memberships of exchanges and of organisations that regulate themselves."""

    exchanges: Words | None = None
    organizations: Words | None = None


class PublicCompany(Request):
    """Where a public company is traded, and under which symbol."""

    exchange_traded_on: Words
    quoted_symbol: Words


class OrganizationRegulator(Request):
    """Who regulates an organisation, in which capacity."""

    regulator_name: Words
    regulator_country: Country
    regulated_in_capacity: Words | None = None
    regulator_id: Words | None = None


class OrganizationRegulation(Request):
    """Whether an organisation is regulated or public. Yes is told in full."""

    regulated: bool
    is_public: bool = Field(alias="public")
    org_regulators: tuple[OrganizationRegulator, ...] = ()
    public_company_info: PublicCompany | None = None

    @model_validator(mode="after")
    def _told_in_full(self) -> Self:
        if self.regulated != bool(self.org_regulators):
            raise ValueError("a regulated organisation names its regulators, and only it does")
        if self.is_public != (self.public_company_info is not None):
            raise ValueError("a public company says where it is traded, and only it does")
        return self


class AustralianExposure(Request):
    """Who is exposed to the Australian financial industry."""

    aus_exposure_relationship: Words
    person_name: Words
    license_number: Annotated[int, Field(gt=0, le=2**31 - 1)] | None = None


class PublicOffice(Request):
    """Who holds a political, military or diplomatic office."""

    person_name: Words
    title: Words
    organization: Words
    country: Country


class RegulatoryInformation(Request):
    """The answers to the regulators' questions. Trap: the list is called regulatoryDetail, in the singular."""

    regulatory_detail: Annotated[tuple[RegulatoryDetail, ...], Field(min_length=1)]
    affiliation_details: AffiliationDetails | None = None
    self_regulated_membership: SelfRegulatedMembership | None = None
    financial_org_types: tuple[Words, ...] = ()
    org_regulatory_info: OrganizationRegulation | None = None
    aus_exposure_details: AustralianExposure | None = None
    controller_exchange_code: Words | None = None
    political_military_diplomatic_details: PublicOffice | None = None
    translated: bool | None = None

    @model_validator(mode="after")
    def _affiliation_is_explained(self) -> Self:
        asked = [(each.code, each.external_individual_id) for each in self.regulatory_detail]
        if len(set(asked)) != len(asked):
            raise ValueError("a question is answered once for each person")
        is_affiliated = any(each.status for each in self.regulatory_detail if each.code == "AFFILIATION")
        if is_affiliated != (self.affiliation_details is not None):
            raise ValueError("an affiliation is explained by affiliation_details, and only it is")
        return self

    @property
    def codes(self) -> frozenset[str]:
        """The questions that are answered."""
        return frozenset(each.code for each in self.regulatory_detail)


class RegulatedMembership(Request):
    """A membership of a regulated organisation."""

    organization_code: Words
    membership_id: Words | None = None


class AccreditedInvestorInformation(Request):
    """Five answers about being an accredited investor; IBKR's specification numbers the questions and prints none."""

    q1: bool | None = Field(default=None, alias="q1")
    q2: bool | None = Field(default=None, alias="q2")
    q3: bool | None = Field(default=None, alias="q3")
    q4: bool | None = Field(default=None, alias="q4")
    q5: bool | None = Field(default=None, alias="q5")
