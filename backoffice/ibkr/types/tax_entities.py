"""Form W-8BEN-E, by which a firm that is not a US taxpayer says what it is."""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from backoffice.ibkr.types.base import Request
from backoffice.ibkr.types.people import Country, ExternalId
from backoffice.ibkr.types.tax import Explanation, SignatureType

EntityType = Literal[
    "CORPORATION", "DISREGARDED_ENTITY", "PARTNERSHIP", "SIMPLE_TRUST", "GRANTOR_TRUST", "COMPLEX_TRUST", "ESTATE",
    "GOVERNMENT", "CENTRAL_BANK_OF_ISSUE", "TAX_EXEMPT_ORGANIZATION", "PRIVATE_FOUNDATION",
]  # fmt: skip
FatcaStatus = Literal[
    "NONPARTICIPATING_FFI", "PARICIPATING_FFI", "REPORTING_MODEL_1_FFI", "REPORTING_MODEL_2_FFI",
    "REGISTERED_DEEMED_COMPLIANT_FFI", "SPONSORED_FFI", "CERTIFIED_DEEMED_COMPLIANT_NONREGISTERING_LOCAL_BANK",
    "CERTIFIED_DEEMED_COMPLIANT_FFI", "CERTIFIED_DEEMED_COMPLIANT_SPONSORED_VEHICLE",
    "CERTIFIED_DEEMED_COMPLIANT_LIMITED_LIFE_DEBT", "CERTIFIED_DEEMED_COMPLIANT_INVESTMENT_ADVISORS",
    "OWNER_DOCUMENTED_FFI", "RESTRICTED_DISTRIBUTOR", "NONREPORTING_IGA_FFI", "FOREIGN_GOVERNMENT",
    "INTERNATIONAL_ORGANIZATION", "EXEMPT_RETIREMENT_PLANS", "ENTITY_OWNED_BY_EXEMPT_BENEFICIAL_OWNERS",
    "TERRITORY_FINANCIAL_INSTITUTION", "NONFINANCIAL_GROUP", "EXCEPTED_NONFINANCIAL_STARTUP",
    "EXCEPTED_NONFINANCIAL_ENTITY", "AN_501_C_ORGANIZATION", "NONPROFIT_ORGANIZATION", "PUBLICLY_TRADED_NFFE",
    "EXCEPTED_TERRITORY_NFFE", "ACTIVE_NFFE", "PASSIVE_NFFE", "EXCEPTED_INTER_AFFILIATE_FFI", "DIRECT_REPORTING_NFFE",
    "SPONSORED_DIRECT_REPORTING_NFFE",
]  # fmt: skip
Box11Status = Literal[
    "LIMITED_BRANCH", "US_BRANCH", "PARTICIPATING_FFI", "REPORTING_MODEL_1_FFI", "REPORTING_MODEL_2_FFI"
]
Part314B = Literal[
    "CompanyMeetsOwnershipAndBaseErosionTest", "TaxExemptPensionTrustOrPensionFund", "CompanyMeetsDerivativeBenefitsTest",
    "TaxExemptOrganization", "CompanyWithIncomeActiveBusiness", "PubliclyTradedCorporation",
    "FavorableDiscretionaryDetermination", "SubsidiaryOfAPubliclyTradedCorporation", "Government", "NoLobArticleInTreaty",
    "Other",
]  # fmt: skip
Part1226Kind = Literal[
    "CollectiveInvestmentVehicle", "ExemptBeneficialOwner-RetirementPlan", "FinancialInstitutionwithlocalClientBase",
    "InvestmentAdvisorsandManagers", "LocalBank", "SponsoredCloselyHeldInvestmentVehicle", "SponsoredInvestmentEntity",
    "TrusteeDocumentedTrust",
]  # fmt: skip


class W8BenE(Request):
    """Form W-8BEN-E. Each `part...` member is the form's own part, line and letter (part1428_a: part 14, line 28a).

    Trap: IBKR spells PARICIPATING_FFI so, and refuses the correct word.
    """

    name: Annotated[str, Field(min_length=1)]
    country_of_organization: Country
    entity_type: EntityType
    fatca_status: FatcaStatus
    cert: bool
    substantial_us_owner_external_ids: tuple[ExternalId, ...] = ()
    disregarded_entity_name: str | None = None
    us_tin: str | None = None
    giin: str | None = None
    foreign_tin: str | None = None
    tin_or_explanation_required: bool | None = None
    explanation: Explanation | None = None
    reference_number: int | None = None
    submit_date: date | None = None
    box11_status: Box11Status | None = None
    part314_a: bool | None = None
    part314_a_country: str | None = None
    part314_b: Part314B | None = None
    part314_c: bool | None = None
    part416: str | None = None
    part417_i: bool | None = None
    part417_ii: bool | None = None
    part518: bool | None = None
    part619: bool | None = None
    part720: str | None = None
    part721: bool | None = None
    part822: bool | None = None
    part923: bool | None = None
    part1024_a: bool | None = None
    part1024_b: bool | None = None
    part1024_c: bool | None = None
    part1024_d: bool | None = None
    part1125_a: bool | None = None
    part1125_b: bool | None = None
    part1125_c: bool | None = None
    part1226: bool | None = None
    part1226_desc1: str | None = None
    part1226_desc2: str | None = None
    part1226_desc3: Part1226Kind | None = None
    part1226_desc4: str | None = None
    part1327: bool | None = None
    part1428_a: bool | None = None
    part1428_b: bool | None = None
    part1529_a: bool | None = None
    part1529_b: bool | None = None
    part1529_c: bool | None = None
    part1529_d: bool | None = None
    part1529_e: bool | None = None
    part1529_f: bool | None = None
    part1630: bool | None = None
    part1731: bool | None = None
    part1832: bool | None = None
    part1933: bool | None = None
    part2034: bool | None = None
    part2135: bool | None = None
    part2135_date: str | None = None
    part2236: bool | None = None
    part2337_a: bool | None = None
    part2337_a_desc: str | None = None
    part2337_b: bool | None = None
    part2337_b_desc1: str | None = None
    part2337_b_desc2: str | None = None
    part2438: bool | None = None
    part2539: bool | None = None
    part2640_a: bool | None = None
    part2640_b: bool | None = None
    part2640_c: bool | None = None
    part2741: bool | None = None
    part2842: str | None = None
    part2843: bool | None = None
    signature_type: SignatureType | None = None
    blank_form: bool | None = None
    tax_form_file: str | None = None
    proprietary_form_number: int | None = None
    electronic_format: bool | None = None

    @model_validator(mode="after")
    def _number_or_reason(self) -> Self:
        if self.foreign_tin is not None and self.explanation is not None:
            raise ValueError("give the foreign tax number, or the explanation why there is none")
        return self
