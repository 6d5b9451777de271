"""Who inherits a retirement account, and whom it was inherited from: account-management.md section 6.3."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from backoffice.ibkr.types.base import Request
from backoffice.ibkr.types.holders import PersonDetails, Title
from backoffice.ibkr.types.people import Address, ExternalId, PersonName

IraType = Literal[
    "RI", "RO", "RT", "SP", "ED", "TH", "RH", "SH", "RRSP", "SRRSP", "TFSA", "SIMPLE", "ISA", "JISA"
]  # fmt: skip
Relation = Literal[
    "Brother", "Daughter", "Estate", "Father", "Husband", "Mother", "Other", "Sister", "Son", "Wife", "Charity", "Trust",
    "Spouse", "Child", "Sibling", "Parent", "Grandchild", "Common Law Partner",
]  # fmt: skip
Share = Annotated[Decimal, Field(gt=0, le=100, max_digits=5, decimal_places=2)]  # per cent
INHERITED = frozenset({"TH", "RH", "SH"})
WITH_PLAN = frozenset({"SP", "SIMPLE"})
BRITISH = frozenset({"ISA", "JISA"})


class IraBeneficiary(PersonDetails):
    """A person who inherits a share of the account."""

    name: PersonName
    relationship: Relation
    ownership_percentage: Share
    title: Title | None = None


class IraBeneficiaryEntity(Request):
    """A trust, an estate or a charity that inherits a share of the account."""

    name: Annotated[str, Field(min_length=1)]
    entity_type: Literal["Trust", "Estate", "Charity"]
    ownership_percentage: Share
    relationship: Relation | None = None
    external_id: ExternalId | None = None
    id: Annotated[str, Field(min_length=1)] | None = None
    title: Title | None = None
    address: Address | None = None
    executor: PersonDetails | None = None
    execution_date: date | None = None
    article_of_will: Annotated[str, Field(min_length=1)] | None = None


class PrimaryBeneficiaryEntity(IraBeneficiaryEntity):
    """The same among the primary beneficiaries. Trap: IBKR takes a charity's number here, and not of a contingent one."""

    charity_number: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _number_of_a_charity(self) -> Self:
        if self.charity_number is not None and self.entity_type != "Charity":
            raise ValueError("only a charity has a charity's number")
        return self


class IraBeneficiaries(Request):
    """Who inherits: the primary beneficiaries, and the contingent ones if there is none of those. Each group totals 100.

    Trap: IBKR's specification spells spousePrimaryBeneficary, its documents spousePrimaryBeneficiary; with
    `as_documented` the second is sent. A TFSA says whether the spouse is the `successor`.
    """

    primary_beneficiaries: tuple[IraBeneficiary, ...] = ()
    primary_beneficiary_entities: tuple[PrimaryBeneficiaryEntity, ...] = ()
    contingent_beneficiaries: tuple[IraBeneficiary, ...] = ()
    contingent_beneficiary_entities: tuple[IraBeneficiaryEntity, ...] = ()
    spouse_primary_beneficary: bool | None = None
    successor: bool | None = None
    as_documented: Annotated[bool, Field(exclude=True)] = False

    @model_validator(mode="after")
    def _each_group_totals_hundred(self) -> Self:
        groups: tuple[tuple[str, tuple[IraBeneficiary | IraBeneficiaryEntity, ...]], ...] = (
            ("primary", (*self.primary_beneficiaries, *self.primary_beneficiary_entities)),
            ("contingent", (*self.contingent_beneficiaries, *self.contingent_beneficiary_entities)),
        )
        for name, group in groups:
            total = sum((each.ownership_percentage for each in group), Decimal(0))
            if group and total != 100:
                raise ValueError(f"the shares of the {name} beneficiaries total 100 per cent, not {total}")
        return self

    def wire_members(self) -> dict[str, Any]:
        """Return the beneficiaries, the member that IBKR spells in two ways in the chosen one."""
        own = super().wire_members()
        if self.as_documented and "spousePrimaryBeneficary" in own:
            own["spousePrimaryBeneficiary"] = own.pop("spousePrimaryBeneficary")
        return own


class IraDecedent(PersonDetails):
    """Whom an inherited account comes from. Trap: `title` is one title here, not a list."""

    name: PersonName
    date_of_death: date
    relationship: Literal["Other", "Trust", "Spouse", "Individual"]
    inheritor_type: Literal["S", "I", "T", "O"]
    title: Title | None = None

    @model_validator(mode="after")
    def _dies_after_birth(self) -> Self:
        if self.date_of_birth is not None and self.date_of_death < self.date_of_birth:
            raise ValueError("the date of death lies before the date of birth")
        return self
