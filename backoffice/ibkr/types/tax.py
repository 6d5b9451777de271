"""Tax forms of persons: W-8BEN, W-9, local forms and CRS; the W-8BEN-E of firms is in `tax_entities`."""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from backoffice.ibkr.types.base import Request
from backoffice.ibkr.types.people import Country

TreatyCountry = Annotated[str, StringConstraints(pattern=r"^(?:[A-Z]{3}|N/A)$")]
Explanation = Literal["US_TIN", "TIN_NOT_DISCLOSED", "TIN_NOT_REQUIRED", "TIN_NOT_ISSUED"]
SignatureType = Literal["Electronic", "Physical"]
TaxNumber = Annotated[str, Field(min_length=1, max_length=40)]
W8BEN_FORM = 5001
W9_FORM = 5002


class LocalTaxForm(Request):
    """What another tax authority is told; needed when a foreigner asks for Canadian or Australian products."""

    tax_authority: Literal["ISRAEL_TA", "CANADA_TA", "RUSSIA_TA", "SWEDEN_TA", "AUSTRALIA_TA"]
    qualified: bool
    treaty_country: TreatyCountry | None = None


class W8Ben(Request):
    """Form W-8BEN of a person who is not a US taxpayer.

    `name` is first, middle, last and suffix exactly as on the application. Traps: either `foreign_tax_id` (as in the tax
    residency) or `explanation`, never both; `part29_a_country` is the treaty country or "N/A", and never absent.
    """

    name: Annotated[str, Field(min_length=1)]
    part29_a_country: TreatyCountry = Field(alias="part29ACountry")
    cert: bool
    foreign_tax_id: Annotated[str, Field(min_length=6, max_length=40)] | None = None
    explanation: Explanation | None = None
    tin: TaxNumber | None = None
    tin_or_explanation_required: bool | None = None
    reference_number: int | None = None
    signature_type: SignatureType | None = None
    blank_form: bool | None = None
    tax_form_file: Annotated[str, Field(min_length=1)] | None = None  # the file name of the attached form
    proprietary_form_number: int | None = None
    electronic_format: bool | None = None
    submit_date: date | None = None
    local_tax_forms: tuple[LocalTaxForm, ...] = ()

    @model_validator(mode="after")
    def _number_or_reason(self) -> Self:
        if (self.foreign_tax_id is None) == (self.explanation is None):
            raise ValueError("give the foreign tax number, or the explanation why there is none")
        return self


class W9(Request):
    """Form W-9 of a US taxpayer. Trap: `customer_type` is written in mixed case (Individual, not INDIVIDUAL)."""

    name: Annotated[str, Field(min_length=1)]
    tin: TaxNumber
    tin_type: Literal["SSN", "EIN", "NonUS_NationalId"]
    customer_type: Literal["Individual", "Corporation", "Partnership", "LLC", "Other"] = "Individual"
    cert1: bool = Field(alias="cert1")
    cert2: bool = Field(alias="cert2")
    cert3: bool = Field(alias="cert3")
    cert4: bool | None = Field(default=None, alias="cert4")
    business_name: str | None = None
    tax_classification: str | None = None
    other_customer_type: str | None = None
    signature_type: SignatureType | None = None
    blank_form: bool | None = None
    tax_form_file: Annotated[str, Field(min_length=1)] | None = None
    proprietary_form_number: int | None = None
    local_tax_forms: tuple[LocalTaxForm, ...] = ()

    @model_validator(mode="after")
    def _other_is_explained(self) -> Self:
        if (self.customer_type == "Other") != (self.other_customer_type is not None):
            raise ValueError("the customer type Other is described, and only it is")
        return self


class Crs(Request):
    """What the Common Reporting Standard asks of a person who controls a firm, or of the firm."""

    controlling_person_designation: Literal["SENIOR_MGMT_OFFICER", "BY_OWNERSHIP", "BY_OTHER_MEANS"] | None = None
    oecd_status: (
        Literal[
            "DEPOSITORY_INSTITUTION", "CUSTODIAL_INSTITUTION", "SPECIFIED_INSURANCE_COMPANY",
            "INVESTMENT_ENTITY_IN_NONPARTICIPATING_JURISDICTION", "INVESTMENT_ENTITY_NOT_LISTED",
            "PUBLICLY_TRADED_CORPORATION_OR_AFFILIATE", "OTHER_ACTIVE_NON_FINANCIAL_ENTITY",
            "PASSIVE_NON_FINANCIAL_ENTITY", "EXEMPT_RETIREMENT_PLAN", "NON_REPORTING_FI", "OTHER_INVESTMENT_ENTITY",
            "FINANCIAL_INSTITUTION", "NON_REPORTING_FINANCIAL_INSTITUTION",
        ]
        | None
    ) = None  # fmt: skip


class EntityTaxResidency(Request):
    """A country where a firm pays tax; a US firm has an EIN."""

    country: Country
    tin: TaxNumber
    tin_type: Literal["EIN", "NonUS_NationalId"]
