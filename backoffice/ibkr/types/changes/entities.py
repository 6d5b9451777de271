"""The operation on the people and firms behind the account of a firm or trust."""

from collections.abc import Iterator
from datetime import date
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from backoffice.ibkr.types.base import Request
from backoffice.ibkr.types.documents import Documents, expired
from backoffice.ibkr.types.firms import LegalEntity, OrganizationIdentification, TrustIdentification
from backoffice.ibkr.types.holders import PersonDetails
from backoffice.ibkr.types.operation import Composed, Operation
from backoffice.ibkr.types.people import AccountId

RelationshipName = Literal[
    "Account_Holder", "Spouse", "Firstholder", "Secondholder", "Trader", "Secretary", "Treasurer", "Ceo", "Owner",
    "Trustee", "Beneficiary", "Grantor", "Director", "Principal", "Shareholder", "Partner", "Controlling_Officer",
    "Beneficialowner", "Signatory", "Comp_Officer", "Superv_Broker", "Pooled_User", "Financial_User", "Contingent",
    "Ira_Beneficiary", "Employee", "Non_Employee", "Fund_Admin", "Fund_Contact", "Firm_Admin", "Firm_Billing",
    "Firm_Clearing", "Firm_Sales", "Firm_Trading", "Firm_User", "Account_Admin", "Account_Billing", "Account_Clearing",
    "Account_Sales", "Account_Trading", "User_Individual", "Fund_Manager", "Investment_Advisor", "Shf_Investmanager",
    "Advisory_Principal", "Advisory_Signatory", "Associated_Fund", "Primary_Contributor", "Administrator", "Contact",
    "Lead_Compliance_Officer", "Compliance_Officer", "Other_Officer", "Apply_User", "Transfer_On_Death_Legator",
    "Tod_Primary_Beneficiary", "Tod_Contingent_Beneficiary", "Nominee", "Nominee_Guardian", "Ira_Decedent",
    "Authorized_Person", "Promoter", "Wholetime_Director", "Nominee_Owner", "Third_Party_Admin", "Compliance_Contact",
    "Trust_Controller", "Trust_Applicant", "Organization_Applicant", "Mm_Contact", "Reg_Rep", "Plan_Sponsor",
    "Plan_Sponsor_Officer", "Pension_Admin", "Pension_Admin_Contact", "Accountant", "Joint_Applicant",
    "Custodian_Employee", "Successor_Custodian", "Custodian", "Successor_Custodian_Employee",
    "Chief_Compliance_Officer", "Chief_Financial_Officer", "Trading_Officer", "Child", "Parent", "Sibling", "Estate",
    "As_Interest_May_Appear", "Ira_Present_Trust", "Other", "Life_Partner", "Common_Law_Partner", "Grandchild",
    "Charity", "Trust_Ira", "Successor_Holder", "Head_Of_Desk", "Cftc_Non_Applicant_Ocr_Contact",
    "Ocr_Account_Controller", "Cftc_Applicant_Ocr_Contact",
]  # fmt: skip
EntityNumber = Annotated[int, Field(gt=0, le=2**63 - 1)]


class Relationship(Request):
    """What somebody is to the account, and the part of it that is theirs, in per cent."""

    name: RelationshipName
    ownership_percentage: Annotated[int, Field(ge=0, le=100)] | None = None


class EndedRelationship(Request):
    """What somebody no longer is to the account."""

    name: RelationshipName


class TrustPart(Request):
    """The trust itself, as one of the entities of its account."""

    identification: TrustIdentification


class OrganizationPart(Request):
    """The organisation itself, as one of the entities of its account."""

    identification: OrganizationIdentification


class AddEntity(Composed):
    """A person or a firm that comes to the account."""

    add_relationships: Annotated[tuple[Relationship, ...], Field(min_length=1)]
    individual: PersonDetails | None = None
    legal_entity: LegalEntity | None = None
    documents: Documents = ()

    @model_validator(mode="after")
    def _person_or_firm(self) -> Self:
        if (self.individual is None) == (self.legal_entity is None):
            raise ValueError("an entity is a person or a firm")
        return self


class UpdateEntity(Composed):
    """New details or relationships of an entity that IBKR knows by its number."""

    ib_entity_id: EntityNumber
    add_relationships: tuple[Relationship, ...] = ()
    delete_relationships: tuple[EndedRelationship, ...] = ()
    individual: PersonDetails | None = None
    legal_entity: LegalEntity | None = None
    trust: TrustPart | None = None
    organization: OrganizationPart | None = None
    documents: Documents = ()

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        kinds = [part for part in (self.individual, self.legal_entity, self.trust, self.organization) if part]
        if len(kinds) > 1:
            raise ValueError("an entity is a person, a firm, a trust or an organisation")
        if not (kinds or self.add_relationships or self.delete_relationships or self.documents):
            raise ValueError("nothing is changed")
        return self


class DeleteEntity(Request):
    """An entity that leaves the account."""

    ib_entity_id: EntityNumber


class InformationChange(Operation):
    """Who is behind the account of a firm or trust. Trap: the account is called ibAccountId here."""

    operation: ClassVar[str] = "informationChange"
    ib_account_id: AccountId
    add_entities: tuple[AddEntity, ...] = ()
    update_entities: tuple[UpdateEntity, ...] = ()
    delete_entities: tuple[DeleteEntity, ...] = ()

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not (self.add_entities or self.update_entities or self.delete_entities):
            raise ValueError("nothing is changed")
        touched = [each.ib_entity_id for each in self.update_entities]
        touched += [each.ib_entity_id for each in self.delete_entities]
        if len(touched) != len(set(touched)):
            raise ValueError("each entity may be changed only once")
        return self

    def objections(self, today: date) -> Iterator[str]:
        """Yield what IBKR would refuse on `today`."""
        changed: list[AddEntity | UpdateEntity] = [*self.add_entities, *self.update_entities]
        for each in changed:
            if each.individual is not None:
                yield from each.individual.objections(today)
            yield from expired(each.documents, today)
