"""A trust: type TRUST. By the full route only an Australian fund that its members manage themselves (SMSF)."""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from backoffice.ibkr.types.applications import completeness
from backoffice.ibkr.types.applications.persons import Applicant, mistakes, raise_all
from backoffice.ibkr.types.applications.registration import ApplicantNode, Registration
from backoffice.ibkr.types.base import Request
from backoffice.ibkr.types.firms import LegalEntity, TrustIdentification
from backoffice.ibkr.types.holders import HolderDetails
from backoffice.ibkr.types.people import Address, Country, Identification, PersonName
from backoffice.ibkr.types.tax import EntityTaxResidency
from backoffice.ibkr.types.tax_entities import W8BenE
from backoffice.ibkr.types.tax_intermediaries import W8Imy

Text = Annotated[str, Field(min_length=1)]
SMSF = "SMSF"


class RegisteredTrust(TrustIdentification):
    """The trust as its deed has it."""

    name: Text
    type_of_trust: Literal["IRREVOC", "SMSF", "REVOCABLE", "TESTAMENTARY", "RETIREMENT", "ERISA", "OTHER"]
    date_formed: date
    formation_country: Country
    formation_state: Text
    address: Address

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        raise_all(completeness.address("the address of the trust", self.address))
        if self.mailing_address is not None and self.same_mail_address:
            raise ValueError("a separate mailing address contradicts mail going to the trust's address")
        if (self.registration_number is None) != (self.registration_type is None):
            raise ValueError("a registration number and its type come together")
        return self


class TrusteePerson(Applicant):
    """Somebody who acts as trustee. IBKR gives such a person no titles and no share."""

    @model_validator(mode="after")
    def _holds_nothing(self) -> Self:
        if self.titles or self.ownership_percentage is not None or self.authorized_person or self.reference_username:
            raise ValueError("a trustee has no titles, share, authorised person or username of another")
        return self


class Trustee(TrusteePerson):
    """A person who is trustee."""

    identification: Identification
    authorized_to_sign_on_behalf_of_owner: bool
    authorized_trader: bool
    primary_trustee: bool
    nfa_registered: bool | None = None
    nfa_registration_number: Text | None = None

    @model_validator(mode="after")
    def _is_a_trustee(self) -> Self:
        if self.identification.citizenship is None or self.identification.issuing_country is None:
            raise ValueError("a trustee has a citizenship and an issuing country")
        if bool(self.nfa_registered) != (self.nfa_registration_number is not None):
            raise ValueError("a trustee who is registered with the NFA has a number there, and only such a one")
        return self


class TrusteeEntity(Request):
    """A firm that is trustee, with at least one person who may both trade and sign."""

    legal_entity: LegalEntity
    employees: Annotated[tuple[TrusteePerson, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _somebody_acts(self) -> Self:
        if self.legal_entity.name is None:
            raise ValueError("a firm that is trustee has a name")
        if not any(each.authorized_trader and each.authorized_to_sign_on_behalf_of_owner for each in self.employees):
            raise ValueError("a firm that is trustee has at least one person who may trade and sign")
        return self


class Trustees(Request):
    """Who manages the trust."""

    individuals: tuple[Trustee, ...] = ()
    entities: tuple[TrusteeEntity, ...] = ()

    @model_validator(mode="after")
    def _somebody_is(self) -> Self:
        if not self.individuals and not self.entities:
            raise ValueError("a trust has a trustee")
        if sum(each.primary_trustee for each in self.individuals) > 1:
            raise ValueError("one trustee at most is the primary one")
        return self


class Interested(HolderDetails):
    """A person for whom, or by whom, the trust is."""

    name: PersonName

    @model_validator(mode="after")
    def _would_be_taken(self) -> Self:
        raise_all(mistakes(self))
        return self


class Beneficiaries(Request):
    """For whom the trust is. Trap: the lists are in the singular, and a firm cannot say its share; the persons' total 100."""

    individual: tuple[Interested, ...] = ()
    legal_entity: tuple[LegalEntity, ...] = ()

    @model_validator(mode="after")
    def _shares(self) -> Self:
        shares = [each.ownership_percentage for each in self.individual]
        if None in shares:
            raise ValueError("a beneficiary has a share")
        total = sum((share for share in shares if share is not None), Decimal(0))
        if total > 100 or (self.individual and not self.legal_entity and total != 100):
            raise ValueError(f"the shares of the beneficiaries total 100 per cent, not {total}")
        return self


class Grantors(Request):
    """Who set the trust up; each person has a citizenship."""

    individual: tuple[Interested, ...] = ()
    legal_entity: tuple[LegalEntity, ...] = ()

    @model_validator(mode="after")
    def _citizens(self) -> Self:
        for each in self.individual:
            if each.identification is None or each.identification.citizenship is None:
                raise ValueError("a grantor has a citizenship")
        return self


class TrustNode(ApplicantNode):
    """The trust, its trustees, and for whom and by whom it is. Trap: `identification` is an array of one, without an s."""

    arrays_of_one: ClassVar[tuple[str, ...]] = ("identification",)
    identification: RegisteredTrust
    trustees: Trustees
    third_party_management: bool
    trust_type: Literal["COMPLEX_TRUST", "SINGLE_TRUST", "GRANTOR_TRUST", "US_TAXABLE_TRUST"] | None = None
    beneficiaries: Beneficiaries | None = None
    grantors: Grantors | None = None
    tax_residencies: tuple[EntityTaxResidency, ...] = ()
    w8_ben_e: W8BenE | None = None
    w8_imy: W8Imy | None = Field(default=None, alias="w8IMY")

    def persons(self) -> Sequence[Applicant]:
        """Return the trustees and those who act for a firm that is one."""
        acting = [employee for entity in self.trustees.entities for employee in entity.employees]
        return (*self.trustees.individuals, *acting)

    @property
    def is_smsf(self) -> bool:
        """Whether it is an Australian fund that its members manage themselves."""
        return self.identification.type_of_trust == SMSF

    @model_validator(mode="after")
    def _one_tax_form(self) -> Self:
        if self.w8_ben_e is not None and self.w8_imy is not None:
            raise ValueError("one tax form is signed: W-8BEN-E or W-8IMY")
        return self


class TrustApplication(Registration):
    """An application for a trust. Without `users` each trustee who may trade gets a login."""

    customer_type: ClassVar[str] = "TRUST"
    node_name: ClassVar[str] = "trust"
    trust: TrustNode

    @property
    def node(self) -> TrustNode:
        """Who applies."""
        return self.trust

    @property
    def is_natural(self) -> bool:
        """Whether the customer is one or two persons."""
        return False

    def logins(self) -> Sequence[Applicant]:
        """Return the trustees who may trade."""
        return tuple(person for person in self.trust.persons() if person.authorized_trader)

    def _mistakes(self) -> Iterator[str]:
        yield from super()._mistakes()
        for account in self.accounts:
            if account.ira:
                yield "an account for retirement is one person's"
            if (account.account_type == SMSF) != self.trust.is_smsf:
                yield "an account of type SMSF is of a trust of type SMSF, and of no other"

    def missing(self) -> Iterator[str]:
        """Yield what the full route wants of an Australian fund; other trusts are registered by the hybrid route."""
        if not self.trust.is_smsf:
            yield "a trust is registered by the hybrid route only, unless it is an SMSF"
            return
        card = self.trust.identification
        if None in (card.registration_number, card.registration_type, card.registration_country):
            yield "the trust's registration is missing: number, type and country"
        if self.trust.beneficiaries is None or self.trust.grantors is None:
            yield "the trust's beneficiaries and grantors are missing"
        yield from completeness.persons(self.trust.trustees.individuals)
        yield from completeness.finances(self.trust.financial_information)
        yield from completeness.regulation(self.trust.regulatory_information, is_australian=True)
        yield from completeness.accounts(self.accounts)
