"""People and places as IBKR's account management spells them; used by applications and by changes."""

import re
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from backoffice.ibkr.types.base import Request

_EMAIL = re.compile(
    r"[A-Z0-9][A-Z0-9._%+-]{0,63}@(?:(?=[A-Z0-9-]{1,63}[.])[A-Z0-9]+(?:-[A-Z0-9]+)*[.]){1,8}[A-Z]{2,63}", re.IGNORECASE
)


def _email(value: str) -> str:
    if not _EMAIL.fullmatch(value):
        raise ValueError("must be an e-mail address such as name@example.com")
    return value


Email = Annotated[str, AfterValidator(_email)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]  # ISO 3166 alpha-3
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
BaseCurrency = Literal[
    "USD", "EUR", "GBP", "CAD", "JPY", "HKD", "AUD", "CHF", "MXN", "SEK", "NZD", "HUF", "CZK", "CNH", "DKK", "RUB", "ILS",
    "NOK", "SGD", "PLN", "ZAR", "AED", "KRW", "SAR", "TRY", "RON", "BGN",
]  # fmt: skip
AccountId = Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,4}[0-9]{1,12}[A-Z]?$")]
EntityId = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,18}$")]  # IBKR's number of a person or firm
Username = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{3,63}$")]
Prefix = Annotated[str, StringConstraints(pattern=r"^[a-z]{3,6}$")]
NamePart = Annotated[str, StringConstraints(min_length=1, max_length=50)]
InputLanguage = Literal["en", "zh-Hans", "ja", "ru", "fr", "pt", "es", "it", "ar-AE", "de", "he-IL", "hu"]


class PersonName(Request):
    """A name in Latin letters; documents must be signed with exactly first, middle and last."""

    first: NamePart
    last: NamePart
    middle: NamePart | None = None
    salutation: Literal["Mr.", "Mrs.", "Ms.", "Dr.", "Mx.", "Ind."] | None = None
    suffix: Literal["Jr.", "Sr.", "I", "II", "III", "IV", "V"] | None = None


class Address(Request):
    """A postal address; a hybrid application needs the country only. `state` is ISO 3166-2 (GB-ENG; the US bare CT)."""

    country: Country
    street1: Annotated[str, Field(max_length=200)] | None = Field(default=None, alias="street1")
    street2: Annotated[str, Field(max_length=200)] | None = Field(default=None, alias="street2")
    city: Annotated[str, Field(max_length=100)] | None = None
    state: Annotated[str, Field(max_length=10)] | None = None
    postal_code: Annotated[str, Field(max_length=20)] | None = None


class Phone(Request):
    """A telephone number in the form its country writes it; IBKR requires one of type Mobile for a full application."""

    number: Annotated[str, StringConstraints(min_length=3, max_length=18, pattern=r"^[0-9 +().-]+$")]
    country: Country
    type: Literal["Mobile", "Mobile (work)", "Mobile (other)", "Home", "Work", "Business", "Fax", "Other (voice)"] = (
        "Mobile"
    )
    verified: bool | None = None


class TaxResidency(Request):
    """A country where the person pays tax. Without `tin` IBKR asks for an explanation on form W-8BEN."""

    country: Country
    tin: Annotated[str, Field(min_length=1, max_length=40)] | None = None
    tin_type: Literal["SSN", "EIN", "NonUS_NationalId"] | None = None

    @model_validator(mode="after")
    def _number_and_type_together(self) -> Self:
        if (self.tin is None) != (self.tin_type is None):
            raise ValueError("a tax number and its type come together")
        return self


class Identification(Request):
    """An identity document; `issuing_country` goes with any number, an expiry date with passports and licences."""

    citizenship: Country | None = None
    citizenship2: Country | None = Field(default=None, alias="citizenship2")
    citizenship3: Country | None = Field(default=None, alias="citizenship3")
    issuing_country: Country | None = None
    issuing_state: str | None = None
    passport: str | None = None
    national_card: str | None = None
    drivers_license: str | None = None
    alien_card: str | None = None
    tax_id: str | None = None
    ssn: str | None = None
    sin: str | None = None
    pan_number: str | None = None
    hk_travel_permit: str | None = None
    medicare_card: str | None = None
    card_color: Literal["BLUE", "GREEN", "YELLOW"] | None = None
    medicare_reference: str | None = None
    rta: str | None = None
    legal_residence_country: Country | None = None
    legal_residence_state: str | None = None
    educational_qualification: str | None = None
    fathers_name: str | None = None
    green_card: bool | None = None
    proof_of_age_card: str | None = None
    expire: bool | None = None
    expiration_date: date | None = None

    @property
    def has_number(self) -> bool:
        """Whether the number of at least one document is given."""
        return any(getattr(self, name) for name in _NUMBERS)


_NUMBERS = (
    "passport", "national_card", "drivers_license", "alien_card", "tax_id", "ssn", "sin", "pan_number", "hk_travel_permit",
    "medicare_card", "proof_of_age_card",
)  # fmt: skip


class EmploymentDetails(Request):
    """Where a person works. Occupation and business are words of IBKR's enumeration business-and-occupation."""

    employer: Annotated[str, Field(max_length=128)]
    occupation: str
    employer_business: str
    description: Annotated[str, Field(max_length=200)] | None = None
    employer_address: Address | None = None
    employer_phone: Annotated[str, Field(max_length=18)] | None = None
    empl_country_res_country_details: Annotated[str, Field(max_length=200)] | None = None  # works in another country


EmploymentType = Literal["EMPLOYED", "SELFEMPLOYED", "RETIRED", "STUDENT", "UNEMPLOYED", "ATHOMETRADER", "HOMEMAKER"]
