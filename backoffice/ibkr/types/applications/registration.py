"""What every application has: the customer, accounts, users, documents, and the applicant's node inside the customer."""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from backoffice.ibkr.types.accounts import Application, NewAccount, NewUser
from backoffice.ibkr.types.applications.persons import AGE_OF_CREDIT, Applicant, age_on, raise_all, spelled
from backoffice.ibkr.types.applications.regulatory import (
    AccreditedInvestorInformation,
    RegulatedMembership,
    RegulatoryInformation,
)
from backoffice.ibkr.types.base import Request
from backoffice.ibkr.types.documents import Document, Documents, expired
from backoffice.ibkr.types.finances import FinancialInformation
from backoffice.ibkr.types.people import AccountId, Country, Email, ExternalId, InputLanguage, PersonName, Prefix
from backoffice.ibkr.types.questionnaires import AnsweredForm
from backoffice.ibkr.types.tax import W9, Crs, TreatyCountry, W8Ben
from backoffice.ibkr.types.tax_entities import W8BenE

Route = Literal["hybrid", "full"]
Language = Literal["en", "de", "es", "jp", "zh_CN", "fr", "zh_TW", "he"]
WantedUsername = Annotated[str, StringConstraints(min_length=9, max_length=63, pattern=r"^[a-z0-9]+$")]
Rate = Annotated[Decimal, Field(ge=0, le=100, max_digits=7, decimal_places=4, allow_inf_nan=False)]
CUSTOMER_MEMBERS = (
    "externalId", "prefix", "userName", "email", "mdStatusNonPro", "preferredPrimaryLanguage", "preferredSecondaryLanguage",
    "legalResidenceCountry", "taxTreatyCountry", "meetAmlStandard", "directTradingAccess", "originCountry",
    "optForDebitCard", "roboFaClient", "independentAccount", "transferUsMicroCapStock",
)  # fmt: skip
APPLICATION_MEMBERS = ("inputLanguage", "translation", "paperAccount", "masterAccountId")
PROOF_OF_IDENTITY, PROOF_OF_ADDRESS = 8001, 8002
_ARRAYS_OF_ONE = ("financialInformation", "regulatoryInformation")


class WithholdingStatement(Request):
    """How a client of a qualified intermediary is taxed. Rates are in per cent."""

    fatca_compliant_type: Literal["FATCA_COMPLIANT", "NON_CONSENTING_US_ACCOUNT", "NON_COOPERATIVE_ACCOUNT"]
    account_id: AccountId | None = None
    us_backup_withholding: bool | None = None
    treaty_country: TreatyCountry | None = None
    corporation: bool | None = None
    flow_through: bool | None = None
    effective_date: date | None = None
    dividend_rate: Rate | None = None
    interest_rate: Rate | None = None
    us_other_rate: Rate | None = None
    eci_rate: Rate | None = None


class TaxInformation(Request):
    """The tax forms of an applicant as a whole; those of one person go with the person."""

    w9: W9 | None = Field(default=None, alias="w9")
    w8_ben: W8Ben | None = None
    crs: Crs | None = None
    w8_ben_e: W8BenE | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if sum(form is not None for form in (self.w9, self.w8_ben, self.w8_ben_e)) > 1:
            raise ValueError("one tax form is signed: W-9, W-8BEN or W-8BEN-E")
        return self


class ApplicantNode(Request):
    """The part of the customer that says who applies. Finances and regulatory answers travel in arrays of one."""

    financial_information: FinancialInformation | None = None
    regulatory_information: RegulatoryInformation | None = None
    regulated_memberships: tuple[RegulatedMembership, ...] = ()
    accredited_investor_information: AccreditedInvestorInformation | None = None
    withholding_statement: WithholdingStatement | None = None
    arrays_of_one: ClassVar[tuple[str, ...]] = ()

    def persons(self) -> Sequence[Applicant]:
        """Return the persons who become entities at IBKR, those who sign first."""
        raise NotImplementedError

    def wire_members(self) -> dict[str, Any]:
        """Return the node as IBKR spells it, with its arrays of one."""
        own = super().wire_members()
        for name in (*_ARRAYS_OF_ONE, *self.arrays_of_one):
            if name in own:
                own[name] = [own[name]]
        return own


class Registration(Application):
    """One application for one customer, of the type its subclass is for.

    `external_id` is our key for the whole and must never be used for another one. `route` says who hosts the application:
    "hybrid" lets the client finish in IBKR's portal; "full" demands, before anything is sent, what IBKR wants of advisors
    and disclosed brokers who host all of it. Without `users` each person of `logins` gets one. `user_name` is by
    agreement with IBKR only; `meet_aml_standard`, `direct_trading_access` and `legal_residence_country` are of
    non-disclosed brokers. Trap: of joint holders each document says whose it is.
    """

    customer_type: ClassVar[str]
    node_name: ClassVar[str]

    external_id: ExternalId
    prefix: Prefix
    email: Email
    accounts: Annotated[tuple[NewAccount, ...], Field(min_length=1)]
    users: tuple[NewUser, ...] = ()
    documents: Documents = ()
    questionnaires: tuple[AnsweredForm, ...] = ()
    route: Annotated[Route, Field(exclude=True)] = "hybrid"
    user_name: WantedUsername | None = None
    md_status_non_pro: bool = True
    preferred_primary_language: Language | None = None
    preferred_secondary_language: Language | None = None
    legal_residence_country: Country | None = None
    tax_treaty_country: Country | None = None
    meet_aml_standard: Literal["true"] | None = None  # a text, not a boolean
    direct_trading_access: bool | None = None
    origin_country: Country | None = None
    opt_for_debit_card: bool | None = None
    robo_fa_client: bool | None = None
    independent_account: bool | None = None
    transfer_us_micro_cap_stock: bool | None = None
    paper_account: bool | None = None
    master_account_id: AccountId | None = None
    input_language: InputLanguage | None = None
    translation: bool | None = None

    @property
    def node(self) -> ApplicantNode:
        """Who applies."""
        raise NotImplementedError

    @property
    def type_on_wire(self) -> str:
        """What IBKR calls the type of the customer."""
        return self.customer_type

    def logins(self) -> Sequence[Applicant]:
        """Return the persons who get a login when none is asked for by name."""
        return self.node.persons()

    def missing(self) -> Iterator[str]:
        """Yield what the full route wants and is not there."""
        yield f"customers of type {self.customer_type} are registered by the hybrid route only"

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        raise_all(self._mistakes())
        return self

    def _mistakes(self) -> Iterator[str]:
        persons = self.node.persons()
        yield from _ids(self, [person.external_id for person in persons])
        if not self.users and not self.logins():
            yield "nobody is named who gets a login: give users"
        if self.user_name is not None and sum(letter.isalpha() for letter in self.user_name) < 3:
            yield "a username has at least three letters"
        yield from self.signatures(persons)
        yield from _proofs(self.documents)
        yield from _tax_files(self.documents, persons)
        yield from _local_tax_forms(self.accounts, persons)
        yield from _amounts(self.node.financial_information)
        if self.is_natural:
            yield from _income(self.node.financial_information, persons[0])
        if self.route == "full":
            yield from self.missing()

    def signatures(self, persons: Sequence[Applicant]) -> Iterator[str]:
        """Yield what is wrong with the signatures under the documents."""
        names = {form for person in persons for form in _signed_forms(person.name)}
        for document in self.documents:
            if not set(document.signed_by) <= names:
                yield f"form {document.form_number} is signed by somebody who is not in the application, letter by letter"

    def objections(self, today: date) -> Iterator[str]:
        """Yield what IBKR would refuse on `today`: ages, expired papers, experience older than the person's adult life."""
        persons = self.node.persons()
        for person in persons:
            yield from person.objections(today)
        ages = [age_on(person.date_of_birth, today) for person in persons if person.date_of_birth is not None]
        is_on_credit = any(account.margin not in (None, "Cash") for account in self.accounts)
        if self.is_natural and is_on_credit and ages and min(ages) < AGE_OF_CREDIT:
            yield f"Somebody younger than {AGE_OF_CREDIT} can have a cash account only."
        finances = self.node.financial_information
        if self.is_natural and finances is not None and ages:
            for each in finances.investment_experience:
                if each.years_trading > max(0, ages[0] - 18):
                    yield f"Nobody of {ages[0]} has traded {each.asset_class} for {each.years_trading} years."
        yield from expired(self.documents, today)

    @property
    def is_natural(self) -> bool:
        """Whether the customer is one or two persons."""
        return True

    def wire_members(self) -> dict[str, Any]:
        """Return `{"application": {...}}` as POST /accounts takes it."""
        own = super().wire_members()
        customer = {name: own[name] for name in CUSTOMER_MEMBERS if name in own}
        application: dict[str, Any] = {
            "customer": {**customer, "type": self.type_on_wire, self.node_name: self.node.wire_members()},
            "accounts": [account.wire_members() for account in self.accounts],
            "users": [user.wire_members() for user in self.users or self._default_users()],
        }
        if self.documents:
            application["documents"] = [document.wire_members() for document in self.documents]
        if self.questionnaires:
            application["questionnaires"] = {"questionnaire": own["questionnaires"]}
        return {"application": application | {name: own[name] for name in APPLICATION_MEMBERS if name in own}}

    def _default_users(self) -> tuple[NewUser, ...]:
        return tuple(
            NewUser(external_user_id=each.external_id, external_individual_id=each.external_id, prefix=self.prefix)
            for each in self.logins()
        )


def by_holder(documents: Sequence[Document], holders: Sequence[Applicant]) -> Iterator[str]:
    """Yield what is wrong with documents that say whose they are: each is signed by its owner."""
    owners = {holder.external_id: _signed_forms(holder.name) for holder in holders}
    for document in documents:
        names = owners.get(document.external_individual_id or "")
        if names is None:
            yield f"form {document.form_number} does not say whose it is (external_individual_id)"
        elif not set(document.signed_by) <= names:
            yield f"form {document.form_number} is not signed by the holder it belongs to"


def _signed_forms(name: PersonName) -> set[str]:
    """The name in full, and with the middle name's initial, as IBKR's documents have it."""
    short = name.model_copy(update={"middle": name.middle[0]}) if name.middle else name
    return {spelled(name), spelled(short)}


def _ids(application: Registration, persons: list[str]) -> Iterator[str]:
    if len(set(persons)) != len(persons):
        yield "each person has an external id of the own"
    for user in application.users:
        if user.external_individual_id not in persons:
            yield "each user belongs to a person of the application (external_individual_id)"
        if user.prefix != application.prefix:
            yield "the prefix is the same on the customer and on each user"
    accounts = {account.external_id for account in application.accounts}
    if len(accounts) != len(application.accounts):
        yield "each account has an external id of the own"
    if len({user.external_user_id for user in application.users}) != len(application.users):
        yield "each user has an external id of the own"
    for user in application.users:
        if any(privilege.external_account_id not in accounts for privilege in user.user_privileges):
            yield "a privilege is for an account of the application"


def _tax_files(documents: Sequence[Document], persons: Sequence[Applicant]) -> Iterator[str]:
    attached = {document.file.file_name for document in documents}
    for person in persons:
        for form in (person.w8_ben, person.w9):
            if documents and form is not None and form.tax_form_file not in (None, *attached):
                yield f"the tax form's file {form.tax_form_file} is not among the documents"


def _proofs(documents: Sequence[Document]) -> Iterator[str]:
    for document in documents:
        if document.form_number == PROOF_OF_IDENTITY and document.proof_of_identity_type is None:
            yield f"form {PROOF_OF_IDENTITY} says which proof of identity it is"
        if document.form_number == PROOF_OF_ADDRESS and document.proof_of_address_type is None:
            yield f"form {PROOF_OF_ADDRESS} says which proof of address it is"


def _local_tax_forms(accounts: Sequence[NewAccount], persons: Sequence[Applicant]) -> Iterator[str]:
    """Foreigners who ask for Canadian or Australian products say so in form W-8BEN."""
    wanted = {permission.country for account in accounts for permission in account.trading_permissions}
    for country, home, authority in (("CANADA", "CAN", "CANADA_TA"), ("AUSTRALIA", "AUS", "AUSTRALIA_TA")):
        for person in persons:
            if country not in wanted or person.w8_ben is None or person.residence_address.country in (home, "USA"):
                continue
            if authority not in {form.tax_authority for form in person.w8_ben.local_tax_forms}:
                yield f"products of {country} ask for the local tax form {authority} in form W-8BEN"


def _amounts(finances: FinancialInformation | None) -> Iterator[str]:
    if finances is not None and None in (finances.net_worth, finances.liquid_net_worth, finances.annual_net_income):
        yield "finances name the net worth, the liquid net worth and the annual net income, or are left out"


def _income(finances: FinancialInformation | None, holder: Applicant) -> Iterator[str]:
    """Somebody who works has an income, whether it funds the account or not."""
    named = {each.source_type for each in finances.sources_of_wealth} if finances is not None else set()
    if named and holder.employment_type in ("EMPLOYED", "SELFEMPLOYED") and "SOW-IND-Income" not in named:
        yield "somebody who works has SOW-IND-Income among the sources of wealth, used for funds or not"
