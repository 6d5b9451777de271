"""An account asked for in an application: what it may trade, its money, fees, heirs and first deposit."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from backoffice.ibkr.types.accounts.arrivals import DepositNotification, ExtPositionsTransfer
from backoffice.ibkr.types.accounts.execution import (
    AccountRep,
    CommissionConfig,
    DvpInstruction,
    ExchangeAccess,
    InterestMarkup,
    LiteExecution,
    TradingLimits,
)
from backoffice.ibkr.types.accounts.fees import AdvisorWrapFees, CommissionSchedule
from backoffice.ibkr.types.accounts.heirs import (
    BRITISH,
    INHERITED,
    WITH_PLAN,
    IraBeneficiaries,
    IraDecedent,
    IraType,
)
from backoffice.ibkr.types.base import Request
from backoffice.ibkr.types.finances import InvestmentObjective
from backoffice.ibkr.types.people import AccountId, BaseCurrency, ExternalId

Capability = Literal[
    "BOND", "FOP", "FUND", "FUT", "MRGN", "MULT", "OPT", "SSF", "CFD", "STK", "CLP", "LEVFX", "CMDTY"
]  # fmt: skip
ProductCountry = Literal[
    "ALL", "AUSTRALIA", "AUSTRIA", "BELGIUM", "CANADA", "FRANCE", "GERMANY", "HONG KONG", "ITALY", "JAPAN", "KOREA", "MEXICO",
    "NORWAY", "SINGAPORE", "SPAIN", "SWEDEN", "SWITZERLAND", "THE NETHERLANDS", "UNITED KINGDOM", "UNITED STATES",
    "HK-CHINA",
]  # fmt: skip
Product = Literal[
    "BONDS", "FUTURES", "FOREX", "FUTURES OPTIONS", "MUTUAL FUNDS", "STOCKS", "SINGLE STOCK FUTURES", "OPTIONS",
    "STOCK OPTIONS", "WARRANTS",
]  # fmt: skip


class TradingPermission(Request):
    """What may be traded: an exchange group such as US-Sec, or a product in a country (upper-case names)."""

    exchange_group: Annotated[str, Field(min_length=1)] | None = None
    country: ProductCountry | None = None
    product: Product | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        by_product = self.country is not None and self.product is not None
        if (self.exchange_group is not None) == by_product or (self.country is None) != (self.product is None):
            raise ValueError("name an exchange group, or a country with a product")
        return self


class NewAccount(Request):
    """One account asked for in an application.

    Traps: IBKR spells `decedent` decendent, as one object in its specification and as a list in its documents; with
    `decedent_listed` the second is sent. British savings accounts hold cash and stocks only.
    """

    external_id: ExternalId
    base_currency: BaseCurrency
    margin: Literal["Cash", "Margin", "RegT", "PortfolioMargin"] | None = None
    multi_currency: bool = True
    trading_permissions: Annotated[tuple[TradingPermission, ...], Field(min_length=1)] = (
        TradingPermission(exchange_group="US-Sec"),
    )
    advisor_wrap_fees: AdvisorWrapFees | None = None
    fees_template_name: Annotated[str, Field(min_length=1)] | None = None
    investment_objectives: tuple[InvestmentObjective, ...] = ()
    capabilities: tuple[Capability, ...] = ()
    alias: Annotated[str, Field(max_length=80)] | None = None
    drip: bool | None = None
    stock_yield_program: bool | None = None
    option_level: Annotated[int, Field(ge=0, le=4)] | None = None
    account_type: Literal["Investment", "Trading", "SMSF"] | None = None  # IB-AU only
    ira: bool | None = None
    ira_type: IraType | None = None
    ira_official_title: Annotated[str, Field(min_length=1)] | None = None
    ira_beneficiaries: IraBeneficiaries | None = None
    decedent: IraDecedent | None = Field(default=None, alias="decendent")
    decedent_listed: Annotated[bool, Field(exclude=True)] = False
    employee_plan: AccountId | None = None  # of SEP and SIMPLE accounts: enumeration employee-plans
    property_profile: str | None = None
    account_configuration: LiteExecution | None = None
    account_rep: AccountRep | None = None
    deposit_notification: DepositNotification | None = None
    ext_positions_transfers: tuple[ExtPositionsTransfer, ...] = ()
    client_commission_schedule: CommissionSchedule | None = None
    client_interest_markup_schedules: tuple[InterestMarkup, ...] = ()
    commission_configs: tuple[CommissionConfig, ...] = ()
    trading_limits: TradingLimits | None = None
    all_exchange_access: tuple[ExchangeAccess, ...] = ()
    dvp_instructions: tuple[DvpInstruction, ...] = ()
    brokerage_service_codes: tuple[Literal["IBClearing", "IBExecution", "IBPrime"], ...] = ()
    client_active_trading: bool | None = None
    migration: bool | None = None
    source_account_id: AccountId | None = None  # of a migration
    duplicate: bool | None = None
    number_of_duplicates: Annotated[int, Field(ge=1, le=100)] | None = None

    @model_validator(mode="after")
    def _retirement_type(self) -> Self:
        if bool(self.ira) != (self.ira_type is not None):
            raise ValueError("a retirement account has its type, and only such an account has one")
        if self.ira_type in WITH_PLAN and self.employee_plan is None:
            raise ValueError("a SEP or SIMPLE account names the employer's plan")
        if not self.ira and (self.ira_beneficiaries or self.decedent or self.ira_official_title):
            raise ValueError("beneficiaries, a decedent and an official title belong to a retirement account")
        return self

    @model_validator(mode="after")
    def _inherited(self) -> Self:
        if (self.decedent is not None) != (self.ira_type in INHERITED):
            raise ValueError("an inherited account (TH, RH, SH) names the decedent, and only it does")
        return self

    @model_validator(mode="after")
    def _british(self) -> Self:
        if self.ira_type not in BRITISH:
            return self
        if self.margin not in (None, "Cash"):
            raise ValueError("an ISA or JISA is a cash account")
        products = {each.product for each in self.trading_permissions if each.product is not None}
        if products - {"STOCKS"}:
            raise ValueError("an ISA or JISA holds stocks only")
        return self

    @model_validator(mode="after")
    def _one_fee_scheme(self) -> Self:
        if self.advisor_wrap_fees is not None and self.fees_template_name is not None:
            raise ValueError("fees are given by a scheme or by a template, not by both")
        return self

    @model_validator(mode="after")
    def _duplicates(self) -> Self:
        if bool(self.duplicate) != (self.number_of_duplicates is not None):
            raise ValueError("a number of duplicates goes with duplicate, and only with it")
        return self

    @model_validator(mode="after")
    def _asks_once(self) -> Self:
        for what, named in (
            ("a permission", [repr(each) for each in self.trading_permissions]),
            ("an objective", list(self.investment_objectives)),
            ("a capability", list(self.capabilities)),
            ("a currency's interest", [each.currency for each in self.client_interest_markup_schedules]),
            ("a commission style", [each.type for each in self.commission_configs]),
        ):
            if len(set(named)) != len(named):
                raise ValueError(f"{what} may be named only once")
        return self

    def wire_members(self) -> dict[str, Any]:
        """Return the account as IBKR spells it, its heirs and its decedent in the chosen of their forms."""
        own = super().wire_members()
        if self.ira_beneficiaries is not None and "iraBeneficiaries" in own:
            own["iraBeneficiaries"] = self.ira_beneficiaries.wire_members()
        if self.decedent_listed and "decendent" in own:
            own["decendent"] = [own["decendent"]]
        return own
