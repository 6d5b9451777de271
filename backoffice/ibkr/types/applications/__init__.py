"""Applications by type of customer, one module each: what POST /accounts takes, checked before it leaves.

One person (`individual`), two (`joint`), a firm (`organization`), a trust (`trust`), accounts for retirement in the USA and
Canada (`retirement`) and British savings accounts (`british`). `types.accounts.HybridIndividualApplication` is the short
form of one person's, by which the back office's own pages apply. Left out: UGMA and UTMA, which IBKR takes in its portal
only. A SIPP is in none of IBKR's lists (types of customers, `ira_type`, `type_of_trust`), so it cannot be asked for.
"""

from backoffice.ibkr.types.applications.british import (
    IsaApplication,
    JisaApplication,
    JisaNode,
    Minor,
    RegisteredContact,
)
from backoffice.ibkr.types.applications.individual import AccountHolder, IndividualApplication, IndividualNode
from backoffice.ibkr.types.applications.joint import FirstHolder, JointApplication, JointNode, SecondHolder
from backoffice.ibkr.types.applications.organization import (
    AccountSupport,
    Administrator,
    AdministratorContact,
    Contributor,
    ManagingOwner,
    OrganizationApplication,
    OrganizationNode,
    OrganizationPerson,
    RegisteredOrganization,
)
from backoffice.ibkr.types.applications.persons import Applicant
from backoffice.ibkr.types.applications.registration import (
    ApplicantNode,
    Registration,
    TaxInformation,
    WithholdingStatement,
)
from backoffice.ibkr.types.applications.regulatory import (
    AccreditedInvestorInformation,
    AffiliationDetails,
    AustralianExposure,
    OrganizationRegulation,
    OrganizationRegulator,
    PublicCompany,
    PublicOffice,
    RegulatedMembership,
    RegulatoryDetail,
    RegulatoryInformation,
    SelfRegulatedMembership,
)
from backoffice.ibkr.types.applications.retirement import RetirementApplication
from backoffice.ibkr.types.applications.trust import (
    Beneficiaries,
    Grantors,
    Interested,
    RegisteredTrust,
    TrustApplication,
    Trustee,
    TrusteeEntity,
    TrusteePerson,
    Trustees,
    TrustNode,
)

__all__ = [
    "AccountHolder",
    "AccountSupport",
    "AccreditedInvestorInformation",
    "Administrator",
    "AdministratorContact",
    "AffiliationDetails",
    "Applicant",
    "ApplicantNode",
    "AustralianExposure",
    "Beneficiaries",
    "Contributor",
    "FirstHolder",
    "Grantors",
    "IndividualApplication",
    "IndividualNode",
    "Interested",
    "IsaApplication",
    "JisaApplication",
    "JisaNode",
    "JointApplication",
    "JointNode",
    "ManagingOwner",
    "Minor",
    "OrganizationApplication",
    "OrganizationNode",
    "OrganizationPerson",
    "OrganizationRegulation",
    "OrganizationRegulator",
    "PublicCompany",
    "PublicOffice",
    "RegisteredContact",
    "RegisteredOrganization",
    "RegisteredTrust",
    "Registration",
    "RegulatedMembership",
    "RegulatoryDetail",
    "RegulatoryInformation",
    "RetirementApplication",
    "SecondHolder",
    "SelfRegulatedMembership",
    "TaxInformation",
    "TrustApplication",
    "TrustNode",
    "Trustee",
    "TrusteeEntity",
    "TrusteePerson",
    "Trustees",
    "WithholdingStatement",
]
