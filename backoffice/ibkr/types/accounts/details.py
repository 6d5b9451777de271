"""Everything IBKR reports about one account: the account, its people and firms, what they own and may do."""

from typing import Annotated, Any, TypeAlias

from pydantic import AliasChoices, BeforeValidator, Field

from backoffice.ibkr.parsing import Day, Flag, Id, Instant, Number, OptionalId, Text
from backoffice.ibkr.types.base import Answer


def _object(value: object) -> object:
    return value if isinstance(value, dict) else {}


def _object_or_none(value: object) -> object:
    return value if isinstance(value, dict) and value else None


def _list(value: object) -> object:
    if value is None or value == "":
        return []
    return value if isinstance(value, list) else [value]


def _texts(value: object) -> object:
    return [str(item) for item in _each(value) if isinstance(item, str | int) and str(item).strip()]


def _objects(value: object) -> object:
    return [item for item in _each(value) if isinstance(item, dict)]


def _each(value: object) -> list[Any]:
    listed = _list(value)
    return listed if isinstance(listed, list) else []


# Parts whose members IBKR does not describe. They may hold personal data, so they never show in a repr.
Members: TypeAlias = Annotated[dict[str, Any], BeforeValidator(_object), Field(default_factory=dict, repr=False)]
Rows: TypeAlias = Annotated[tuple[dict[str, Any], ...], BeforeValidator(_objects), Field(default=(), repr=False)]
Texts: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_texts), Field(default=())]


class ReportedAddress(Answer):
    """An address as IBKR reports it back; the spelling of its members varies, so unknown ones are in `raw`."""

    street1: Text = Field(default="", validation_alias=AliasChoices("street1", "street", "street_1"))
    street2: Text = Field(default="", validation_alias=AliasChoices("street2", "street_2"))
    city: Text = ""
    state: Text = ""
    country: Text = ""
    postal_code: Text = Field(default="", validation_alias=AliasChoices("postalCode", "postal_code", "zip"))


MaybeAddress = Annotated[
    ReportedAddress | None, BeforeValidator(lambda value: value if isinstance(value, dict) and value else None)
]


class AssociatedPerson(Answer):
    """A person of an account. `user_status` is about the login, `trading_status` about its right to trade."""

    entity_id: OptionalId = Field(default=None, alias="entityId")
    external_id: OptionalId = Field(default=None, validation_alias=AliasChoices("externalCode", "externalId"))
    first_name: Text = Field(default="", alias="firstName")
    middle_name: Text = Field(default="", validation_alias=AliasChoices("middleName", "middleInitial"))
    last_name: Text = Field(default="", alias="lastName")
    salutation: Text = ""
    suffix: Text = ""
    username: Text = ""
    user_status: Text = Field(default="", alias="userStatus")
    trading_status: Text = Field(default="", alias="userStatusTrading")
    password_date: Instant = Field(default=None, alias="passwordDate")
    last_login: Instant = Field(default=None, alias="lastLogin")
    security_device: Text = Field(default="", alias="securityDevice")
    market_data_status: Text = Field(default="", alias="mdSubscriberStatus")
    email: Text = Field(default="", repr=False)
    phones: Members
    gender: Text = ""
    marital_status: Text = Field(default="", alias="maritalStatus")
    dependents: Number = Field(default=None, alias="numberOfDependents")
    date_of_birth: Day = Field(default=None, alias="dateOfBirth", repr=False)
    country_of_birth: Text = Field(default="", alias="countryOfBirth")
    country_of_citizenship: Text = Field(default="", alias="countryOfCitizenship")
    country_of_residence: Text = Field(default="", alias="countryOfLegalResidence")
    state_of_residence: Text = Field(default="", alias="stateOfLegalResidence")
    residence: MaybeAddress = Field(default=None, repr=False)
    mailing: MaybeAddress = Field(default=None, repr=False)
    associations: Texts
    employment_type: Text = Field(default="", alias="employmentType")
    employment: Members = Field(alias="employmentDetails")
    identity_documents: Rows = Field(alias="identityDocuments")
    services: Rows = Field(alias="subscribedServices")
    tax_treaties: Rows = Field(alias="taxTreatyDetails")


class AssociatedEntity(Answer):
    """A firm or trust of an account, and the people behind it."""

    entity_id: OptionalId = Field(default=None, alias="entityId")
    external_id: OptionalId = Field(default=None, validation_alias=AliasChoices("externalCode", "externalId"))
    name: Text = ""
    email: Text = Field(default="", repr=False)
    country: Text = Field(default="", alias="organizationCountry")
    phones: Members
    residence: MaybeAddress = Field(default=None, repr=False)
    mailing: MaybeAddress = Field(default=None, repr=False)
    associations: Texts
    identity_documents: Rows = Field(alias="identityDocuments")
    tax_treaties: Rows = Field(alias="taxTreatyDetails")
    persons: tuple[AssociatedPerson, ...] = Field(
        default=(), validation_alias=AliasChoices("AssociatedPersons", "associatedPersons")
    )


class Beneficiary(Answer):
    """A person or firm that inherits a retirement account; `share` is in per cent of its group."""

    name: Text = ""
    first_name: Text = Field(default="", alias="firstName")
    last_name: Text = Field(default="", alias="lastName")
    type: Text = ""
    entity_type: Text = Field(default="", alias="entityType")
    relationship: Text = ""
    share: Number = Field(default=None, alias="ownership")
    date_of_birth: Day = Field(default=None, alias="dateOfBirth", repr=False)


class Restriction(Answer):
    """A trading restriction on the account; `is_by_ibkr` when IBKR and not the firm set it."""

    id: OptionalId = None
    name: Text = ""
    is_by_ibkr: Flag = Field(default=None, validation_alias=AliasChoices("byIB", "byIb"))


class FinancialProfile(Answer):
    """What the holder declared to own and earn. IBKR gives amounts or the texts of ranges; both are in `raw`."""

    net_worth: Number = Field(default=None, alias="netWorth")
    liquid_net_worth: Number = Field(default=None, alias="liquidNetWorth")
    annual_net_income: Number = Field(default=None, alias="annualNetIncome")
    total_assets: Number = Field(default=None, alias="totalAssets")
    currency: Text = ""
    experience: Rows = Field(alias="investmentExperience")


class AccountDetails(Answer):
    """Everything IBKR reports about one account.

    Trap: it equals IBKR's end-of-day file, so a change of today may not show before tomorrow. Parts without a described
    form (fee template, capabilities, ...) are kept as IBKR gives them.
    """

    account_id: Id = Field(alias="accountId")
    master_account_id: OptionalId = Field(default=None, alias="masterAccountId")
    main_account_id: OptionalId = Field(default=None, alias="mainAccount")
    source_account_id: OptionalId = Field(default=None, alias="sourceAccountId")
    external_id: OptionalId = Field(default=None, alias="externalId")
    title: Text = Field(default="", alias="accountTitle")
    official_title: Text = Field(default="", alias="officialTitle")
    alias: Text = Field(default="", alias="accountAlias")
    primary_user: Text = Field(default="", alias="primaryUser")
    email: Text = Field(default="", alias="emailAddress", repr=False)
    clearing_status: Text = Field(default="", alias="clearingStatus")
    clearing_status_description: Text = Field(default="", alias="clearingStatusDescription")
    state_code: Text = Field(default="", alias="stateCode")
    base_currency: Text = Field(default="", alias="baseCurrency")
    margin: Text = ""
    equity: Number = None
    applicant_type: Text = Field(default="", alias="applicantType")
    sub_type: Text = Field(default="", alias="subType")
    process_type: Text = Field(default="", alias="processType")
    option_level: Number = Field(default=None, alias="optionLevel")
    risk_score: Number = Field(default=None, alias="riskScore")
    household: Text = ""
    property_profile: Text = Field(default="", alias="propertyProfile")
    mifid_category: Text = Field(default="", alias="mifidCategory")
    mifir_status: Text = Field(default="", alias="mifirStatus")
    limited_options: Text = Field(default="", alias="limitedOptionTrading")
    investment_objectives: Texts = Field(alias="investmentObjectives")
    date_begun: Instant = Field(default=None, alias="dateBegun")
    date_approved: Instant = Field(default=None, alias="dateApproved")
    date_opened: Instant = Field(default=None, alias="dateOpened")
    date_funded: Instant = Field(default=None, alias="dateFunded")
    date_closed: Instant = Field(default=None, alias="dateClosed")
    date_linked: Instant = Field(default=None, alias="dateLinked")
    date_delinked: Instant = Field(default=None, alias="dateDelinked")
    trust_type: Text = Field(default="", alias="trustType")
    organization_type: Text = Field(default="", alias="orgType")
    business_description: Text = Field(default="", alias="businessDescription")
    country_of_corporation: Text = Field(default="", alias="countryOfCorporation")
    registered_address: MaybeAddress = Field(default=None, alias="registeredAddress", repr=False)
    mailing: MaybeAddress = Field(default=None, repr=False)
    fee_template: Members = Field(alias="feeTemplate")
    capabilities: Members
    stock_yield_program: Members = Field(alias="stockYieldProgram")
    dividend_reinvestment: Members = Field(alias="dividendReinvestment")
    tax_ids: Rows = Field(alias="taxIds")
    signatures: Texts
    # From here on IBKR puts it beside the account.
    persons: tuple[AssociatedPerson, ...] = ()
    entities: tuple[AssociatedEntity, ...] = ()
    financial: FinancialProfile | None = None
    sources_of_wealth: Rows
    trade_bundles: Texts
    market_data: Rows
    withholding_statement: Members
    beneficiaries: tuple[Beneficiary, ...] = ()
    decedents: Rows
    restrictions: tuple[Restriction, ...] = ()
