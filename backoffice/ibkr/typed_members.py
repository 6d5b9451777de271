"""Which members of an application our types can say: the second part of COVERAGE.md, read from the types themselves.

IBKR's names are those of its specification, by object (`tests/ibkr/wire_names.json` is the excerpt). What no type of ours
says has its reason in LEFT_OUT; `unreasoned` and `untyped` name what has been forgotten.
"""

from collections.abc import Mapping

from backoffice.ibkr.types import accounts, applications, finances, firms, people, questionnaires, tax
from backoffice.ibkr.types.accounts import fees
from backoffice.ibkr.types.applications.registration import APPLICATION_MEMBERS, CUSTOMER_MEMBERS
from backoffice.ibkr.types.base import Request
from backoffice.ibkr.types.documents import Document, DocumentFile
from backoffice.ibkr.types.holders import NativeName, PersonDetails, Title
from backoffice.ibkr.types.tax_entities import W8BenE
from backoffice.ibkr.types.tax_intermediaries import W8Imy

Names = Mapping[str, Mapping[str, str]]
ROOT = "ApplicationPayload"

PARTS: dict[str, tuple[type[Request], ...]] = {
    "ApplicationPayload": (),
    "Application": (applications.Registration,),
    "Customer": (applications.Registration,),
    "IndividualApplicant": (applications.IndividualNode, applications.JisaNode),
    "JointApplicant": (applications.JointNode,),
    "OrganizationApplicant": (applications.OrganizationNode,),
    "TrustApplicant": (applications.TrustNode,),
    "AssociatedIndividual": (applications.Applicant,),
    "Individual": (PersonDetails,),
    "TrusteeIndividual": (applications.Trustee,),
    "TrusteesType": (applications.Trustees,),
    "TrusteeEntityType": (applications.TrusteeEntity,),
    "AssociationTypeEntities": (applications.Beneficiaries, applications.Grantors),
    "AssociatedEntities": (),
    "OrganizationIdentification": (applications.RegisteredOrganization,),
    "TrustIdentification": (applications.RegisteredTrust,),
    "LegalEntity": (firms.LegalEntity,),
    "LegalEntityIdentification": (firms.LegalEntityIdentification,),
    "ManagingOwner": (applications.ManagingOwner,),
    "AccountSupportType": (applications.AccountSupport,),
    "PrimaryContributorType": (applications.Contributor,),
    "AdministratorType": (applications.Administrator,),
    "AdministratorContactPersonType": (applications.AdministratorContact,),
    "IndividualName": (people.PersonName, NativeName),
    "ResidenceAddress": (people.Address,),
    "Address": (people.Address,),
    "PhoneInfo": (people.Phone,),
    "Identification": (people.Identification,),
    "EmploymentDetails": (people.EmploymentDetails,),
    "TaxResidency": (people.TaxResidency, tax.EntityTaxResidency),
    "Title": (Title,),
    "FormW9": (tax.W9,),
    "FormW8BEN": (tax.W8Ben,),
    "FormW8BENE": (W8BenE,),
    "FormW8IMY": (W8Imy,),
    "FormCRS": (tax.Crs,),
    "LocalTaxForm": (tax.LocalTaxForm,),
    "IndividualTaxInformation": (applications.TaxInformation,),
    "WithholdingStatementType": (applications.WithholdingStatement,),
    "ProhibitedCountryQuestionnaireList": (questionnaires.ProhibitedCountryAnswers,),
    "ProhibitedQuestionnaireDetail": (questionnaires.ProhibitedCountryAnswer,),
    "Questionnaires": (),
    "Questionnaire": (questionnaires.AnsweredForm,),
    "Answer": (questionnaires.GivenAnswer,),
    "AnswerDetail": (questionnaires.AnswerDetail,),
    "FinancialInformation": (finances.FinancialInformation,),
    "AssetExperience": (finances.AssetExperience,),
    "SourceOfWealthType": (finances.SourceOfWealth,),
    "SourceOfIncomeType": (finances.SourceOfIncome,),
    "SOIQuestionnaire": (finances.IncomeQuestionnaire,),
    "QuestionnaireType": (finances.FinancialQuestionnaire,),
    "RegulatoryInformation": (applications.RegulatoryInformation,),
    "RegulatoryDetail": (applications.RegulatoryDetail,),
    "SelfRegulatedMembershipType": (applications.SelfRegulatedMembership,),
    "AffiliationDetailsType": (applications.AffiliationDetails,),
    "ORGRegulatoryInfoType": (applications.OrganizationRegulation,),
    "ORGRegulatorType": (applications.OrganizationRegulator,),
    "PublicCompanyInfoType": (applications.PublicCompany,),
    "AUSExposureDetailsType": (applications.AustralianExposure,),
    "PoliticalMilitaryDiplomaticDetailsType": (applications.PublicOffice,),
    "RegulatedMembership": (applications.RegulatedMembership,),
    "AccreditedInvestorInformation": (applications.AccreditedInvestorInformation,),
    "Account": (accounts.NewAccount,),
    "TradingPermission": (accounts.TradingPermission,),
    "AccountConfigurationType": (accounts.LiteExecution,),
    "CommissionConfig": (accounts.CommissionConfig,),
    "ExchangeAccess": (accounts.ExchangeAccess,),
    "DVPInstruction": (accounts.DvpInstruction,),
    "TradingLimits": (accounts.TradingLimits,),
    "OrderValueLimits": (accounts.OrderValueLimits,),
    "EFPQuantityLimits": (accounts.EfpQuantityLimits,),
    "OrderQuantityLimit": (accounts.QuantityLimit,),
    "DayQuantityLimit": (accounts.QuantityLimit,),
    "AdvisorWrapFeesType": (fees.AdvisorWrapFees,),
    "AutomatedWrapFeeDetailsType": (fees.AutomatedFee,),
    "AnnualBlendedPercentage": (fees.BlendedPercentage,),
    "NAVRangeType": (fees.ValueRange,),
    "HighWaterMarkConfigurationType": (fees.HighWaterMarkRule,),
    "HighWaterMarkType": (fees.HighWaterMark,),
    "PreviousLossesType": (fees.PreviousLoss,),
    "CommissionScheduleType": (fees.CommissionSchedule,),
    "CommissionMarkupType": (fees.Markup,),
    "MarkupStaircaseType": (fees.Stair,),
    "InterestMarkupType": (accounts.InterestMarkup,),
    "IRADecedent": (accounts.IraDecedent,),
    "IRABeneficiariesType": (accounts.IraBeneficiaries,),
    "IRAPrimaryBeneficiary": (accounts.IraBeneficiary,),
    "IRAContingentBeneficiary": (accounts.IraBeneficiary,),
    "IRAPrimaryBeneficiaryEntity": (accounts.PrimaryBeneficiaryEntity,),
    "IRAContingentBeneficiaryEntity": (accounts.IraBeneficiaryEntity,),
    "ExtPositionsTransferType": (accounts.ExtPositionsTransfer,),
    "PartialStockPosition": (accounts.PartialStockPosition,),
    "PartialBondPosition": (accounts.PartialBondPosition,),
    "PartialOptionPosition": (accounts.PartialOptionPosition,),
    "PartialWarrantPosition": (accounts.PartialWarrantPosition,),
    "PartialFundPosition": (accounts.PartialFundPosition,),
    "PartialCashPosition": (accounts.PartialCashPosition,),
    "DepositNotification": (accounts.DepositNotification,),
    "CheckDetails": (accounts.CheckDetails,),
    "WireDetails": (accounts.WireDetails,),
    "ACHDetails": (accounts.AchDetails,),
    "IRADepositDetails": (accounts.IraDepositDetails,),
    "AccountRep": (accounts.AccountRep,),
    "RepDetail": (accounts.RepDetail,),
    "User": (accounts.NewUser,),
    "UserPrivilege": (accounts.UserPrivilege,),
    "Document": (Document,),
    "AttachedFileType": (DocumentFile,),
    "FilePayload": (DocumentFile,),
}
# Members that our types write by their structure and not by a field of the same name.
STRUCTURE: dict[str, frozenset[str]] = {
    "ApplicationPayload": frozenset({"application"}),
    "Application": frozenset({"customer", "accounts", "users", "documents", "questionnaires", *APPLICATION_MEMBERS}),
    "Customer": frozenset({"type", "accountHolder", "jointHolders", "organization", "trust", *CUSTOMER_MEMBERS}),
    "AssociatedEntities": frozenset({"associatedIndividuals"}),
    "Questionnaires": frozenset({"questionnaire"}),
    "Document": frozenset({"attachedFile", "payload"}),
}
_IBKRS = "IBKR's own number: a new thing has none."
_PORTAL = "Of UGMA and UTMA, which IBKR takes in its portal only."
_TWICE = "The same under a second name."
_UNEXPLAINED = "IBKR's documents do not explain it."
LEFT_OUT: dict[str, str] = {
    "Application.additionalAccounts": "Another account is asked for by PATCH addAdditionalAccount.",
    "Application.id": _IBKRS,
    "Customer.governingState": _PORTAL,
    "Customer.id": _IBKRS,
    "Customer.meetsAmlStandard": _TWICE,
    "Customer.paperAccount": "The application says it.",
    "Customer.terminationAge": _PORTAL,
    "Customer.userNameAlias": _UNEXPLAINED,
    "Customer.userNameSource": _UNEXPLAINED,
    "Account.custodian": _PORTAL,
    "Account.id": _IBKRS,
    "Account.successorCustodian": _PORTAL,
    "AssociatedEntities.associatedEntities": "The specification shows the form of an answer (?), and no sample sends one.",
    "IndividualName.title": _UNEXPLAINED,
    "RegulatoryInformation.regulatoryDetails": _TWICE,
    "RegulatoryDetail.details": _TWICE,
    "TradingPermission.assetClass": "Permissions are asked for by exchange group, or by country and product.",
    "User.encryptedKeyName": "How a password is encrypted is documented nowhere.",
    "User.encryptedPassword": "How a password is encrypted is documented nowhere.",
    "User.id": _IBKRS,
    "Document.externalAccountId": _UNEXPLAINED,
    "Document.signature": _UNEXPLAINED,
}


def typed(schema: str) -> frozenset[str]:
    """Return the members of one of IBKR's objects that our types can say."""
    if PARTS[schema] == (applications.Registration,):
        return STRUCTURE[schema]  # the fields of one class are written into two objects
    fields = [field for model in PARTS[schema] for field in model.model_fields.values() if not field.exclude]
    return frozenset(str(field.alias) for field in fields) | STRUCTURE.get(schema, frozenset())


def left_out(schema: str, names: Names) -> tuple[str, ...]:
    """Return the members of one of IBKR's objects that our types cannot say."""
    return tuple(sorted(set(names[schema]) - typed(schema)))


def untyped(names: Names) -> frozenset[str]:
    """Return the objects that an application may hold and no type of ours is for."""
    seen: set[str] = set()
    waiting = [ROOT]
    while waiting:
        schema = waiting.pop()
        if schema in seen:
            continue
        seen.add(schema)
        if schema in PARTS:
            known = typed(schema)
            waiting += [child for member, child in names[schema].items() if child and member in known]
    return frozenset(seen - set(PARTS))


def unreasoned(names: Names) -> tuple[str, ...]:
    """Return what is left out without a reason, and reasons for what is not left out."""
    missing = {f"{schema}.{member}" for schema in PARTS for member in left_out(schema, names)}
    return tuple(sorted(missing ^ set(LEFT_OUT)))


def section(names: Names) -> list[str]:
    """Return the lines of COVERAGE.md about applications."""
    total = sum(len(names[schema]) for schema in PARTS)
    lines = [
        "## What an application can say",
        "",
        f"POST /accounts takes {len(PARTS)} kinds of objects with {total} members; {total - len(LEFT_OUT)} are typed,",
        f"{len(LEFT_OUT)} are left out for the reason given. Customers: INDIVIDUAL (also as IRA, ISA and JISA), JOINT, ORG,",
        "TRUST (also as SMSF). UGMA and UTMA are left out: IBKR takes them in its portal only. A SIPP is in none of IBKR's",
        "lists. The back office's own pages apply for INDIVIDUAL, in its short hybrid form.",
        "",
        "| IBKR's object | our types | typed | not typed |",
        "|---|---|---|---|",
    ]
    return lines + [_row(schema, names) for schema in PARTS]


def _row(schema: str, names: Names) -> str:
    ours = ", ".join(f"`{model.__name__}`" for model in PARTS[schema]) or "by structure"
    absent = left_out(schema, names)
    reasons = "; ".join(f"`{name}`: {LEFT_OUT.get(f'{schema}.{name}', '**no reason**')}" for name in absent)
    return f"| `{schema}` | {ours} | {len(names[schema]) - len(absent)} of {len(names[schema])} | {reasons} |"
