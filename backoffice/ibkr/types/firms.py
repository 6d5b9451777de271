"""What is known of a firm, a trust or an organisation: of applications and of changes."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from backoffice.ibkr.types.base import Request
from backoffice.ibkr.types.people import Address, Country, Email, ExternalId, Phone
from backoffice.ibkr.types.tax import EntityTaxResidency, TaxNumber


class LegalEntityIdentification(Request):
    """Where a firm is, and under which number it is registered."""

    place_of_business_address: Address | None = None
    mailing_address: Address | None = None
    same_mail_address: bool | None = None
    identification: str | None = None
    identification_country: Country | None = None
    formation_country: Country | None = None
    formation_type: Literal["PUBLIC", "PRIVATE", "OTHER"] | None = None
    exchange_code: str | None = None
    exchange_symbol: str | None = None


class LegalEntity(Request):
    """A firm behind the account."""

    name: Annotated[str, Field(min_length=1)] | None = None
    external_id: ExternalId | None = None
    id: Annotated[str, Field(min_length=1)] | None = None
    address: Address | None = None
    phones: tuple[Phone, ...] = ()
    email: Email | None = None
    legal_entity_identification: LegalEntityIdentification | None = None
    tax_residencies: tuple[EntityTaxResidency, ...] = ()
    us_tax_resident: bool | None = None
    translated: bool | None = None


class TrustIdentification(Request):
    """What is known of a trust."""

    name: Annotated[str, Field(min_length=1)] | None = None
    description: str | None = None
    type_of_trust: (
        Literal["IRREVOC", "SMSF", "REVOCABLE", "TESTAMENTARY", "RETIREMENT", "ERISA", "OTHER"] | None
    ) = None  # fmt: skip
    purpose_of_trust: str | None = None
    date_formed: date | None = None
    formation_country: Country | None = None
    formation_state: str | None = None
    registration_number: TaxNumber | None = None
    registration_type: Literal["SSN", "EIN", "NonUS_NationalId"] | None = None
    registration_country: Country | None = None
    address: Address | None = None
    mailing_address: Address | None = None
    same_mail_address: bool | None = None
    phones: tuple[Phone, ...] = ()
    translated: bool | None = None


class OrganizationIdentification(Request):
    """What is known of an organisation."""

    name: Annotated[str, Field(min_length=1)] | None = None
    business_description: str | None = None
    website_address: str | None = None
    identification: str | None = None
    identification_country: Country | None = None
    formation_country: Country | None = None
    formation_state: str | None = None
    place_of_business_address: Address | None = None
    mailing_address: Address | None = None
    same_mail_address: bool | None = None
    phones: tuple[Phone, ...] = ()
    translated: bool | None = None
