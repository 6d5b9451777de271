"""Everything that may be said about one person: holders of accounts, users, people behind a firm."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from backoffice.ibkr.types.base import Request
from backoffice.ibkr.types.people import (
    Address,
    Country,
    Email,
    EmploymentDetails,
    EmploymentType,
    EntityId,
    ExternalId,
    Identification,
    PersonName,
    Phone,
    TaxResidency,
)
from backoffice.ibkr.types.questionnaires import ProhibitedCountryAnswers
from backoffice.ibkr.types.tax import W9, Crs, W8Ben

NativePart = Annotated[str, Field(min_length=1, max_length=50)]


class NativeName(Request):
    """A name in its own script; required for Russia and Israel."""

    first: NativePart
    last: NativePart
    middle: NativePart | None = None


class Title(Request):
    """What a person is to the account."""

    code: Literal[
        "Account Holder", "FIRST HOLDER", "SECOND HOLDER", "TRADER", "CEO", "SECRETARY", "TREASURER", "OWNER", "PRINCIPAL",
        "SHAREHOLDER", "TRUSTEE", "BENEFICIARY", "GRANTOR", "Employee", "CONTINGENT", "IRA_BENEFICIARY", "IRA DECEDENT",
        "COMP_OFFICER", "Other Officer", "Controlling Officer", "SIGNATORY", "NON-EMPLOYEE", "CUSTODIAN",
        "SUCCESSOR_CUSTODIAN", "DIRECTOR", "PARTNER", "CUSTODIAN EMPLOYEE", "SUCCESSOR CUSTODIAN EMPLOYEE", "SPOUSE",
        "Successor Holder", "Registered Contact",
    ]  # fmt: skip
    value: str | None = None


class PersonDetails(Request):
    """What is known, or is to be changed, about one person. Only what is given is sent."""

    external_id: ExternalId | None = None
    id: EntityId | None = None  # IBKR's number, the entityId of details
    name: PersonName | None = None
    native_name: NativeName | None = None
    birth_name: NativeName | None = None
    mother_maiden_name: NativeName | None = None
    email: Email | None = None
    date_of_birth: date | None = None
    country_of_birth: Country | None = None
    city_of_birth: str | None = None
    gender: Literal["M", "F", "Male", "Female"] | None = None
    marital_status: Literal["S", "M", "W", "D", "C"] | None = None
    num_dependents: Annotated[int, Field(ge=0, le=99)] | None = None
    residence_address: Address | None = None
    mailing_address: Address | None = None
    same_mail_address: bool | None = None
    phones: tuple[Phone, ...] = ()
    identification: Identification | None = None
    employment_type: EmploymentType | None = None
    employment_details: EmploymentDetails | None = None
    employee_title: str | None = None
    tax_residencies: tuple[TaxResidency, ...] = ()
    w9: W9 | None = Field(default=None, alias="w9")
    w8_ben: W8Ben | None = None
    crs: Crs | None = None
    prohibited_country_questionnaire: ProhibitedCountryAnswers | None = None
    user_id: str | None = None
    authorized_to_sign_on_behalf_of_owner: bool | None = None
    authorized_trader: bool | None = None
    us_tax_resident: bool | None = None
    translated: bool | None = None
    primary_trustee: bool | None = None

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.mailing_address is not None and self.same_mail_address:
            raise ValueError("a separate mailing address contradicts mail going to the residence")
        if self.w9 is not None and self.w8_ben is not None:
            raise ValueError("a person signs form W-9 or form W-8BEN, not both")
        return self

    def objections(self, today: date) -> Iterator[str]:
        """Yield what IBKR would refuse about this person's dates on `today`."""
        if self.date_of_birth is not None and self.date_of_birth >= today:
            yield "The date of birth is not in the past."
        expires = self.identification.expiration_date if self.identification else None
        if expires is not None and expires <= today:
            yield "The identity document has expired."


class HolderDetails(PersonDetails):
    """A holder of an account, with the part of it that is theirs."""

    titles: tuple[Title, ...] = ()
    ownership_percentage: Annotated[Decimal, Field(gt=0, le=100, decimal_places=2)] | None = None
    authorized_person: bool | None = None
    reference_username: str | None = None


class UserPerson(PersonDetails):
    """The person a new login is for. Trap: the titles of a user are called `title`."""

    title: tuple[Title, ...] = ()
    ownership_percentage: Annotated[Decimal, Field(gt=0, le=100, decimal_places=2)] | None = None
    authorized_person: bool | None = None
    reference_username: str | None = None
