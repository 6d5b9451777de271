"""What a client owns, earns, wants and knows: the financial information of applications and of changes."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from backoffice.ibkr.types.base import Request

AssetClass = Literal[
    "BILL", "BOND", "CASH", "CFD", "COMB", "FOP", "FUND", "FUT", "OPT", "SSF", "STK", "WAR", "MRGN", "CLP"
]
InvestmentObjective = Literal["Preservation", "Income", "Growth", "Trading", "Speculation", "Hedging"]
HIGHEST_RANGE_ID = 100  # up to this, a number is the id of a range (enumeration fin-info-ranges), not money
HIGHEST_WORTH = 50_000_001
HIGHEST_INCOME = 1_000_001
Worth = Annotated[Decimal, Field(ge=0, le=HIGHEST_WORTH, max_digits=10, decimal_places=2, allow_inf_nan=False)]
Income = Annotated[Decimal, Field(ge=0, le=HIGHEST_INCOME, max_digits=9, decimal_places=2, allow_inf_nan=False)]
Percentage = Annotated[int, Field(ge=0, le=100)]


class AssetExperience(Request):
    """Experience with one kind of product. Years of trading may not exceed the person's age less 18."""

    asset_class: AssetClass
    years_trading: Annotated[int, Field(ge=0, le=100)]
    trades_per_year: Annotated[int, Field(ge=0, le=1_000_000)]
    knowledge_level: Literal["None", "Limited", "Good", "Extensive"]


class SourceOfWealth(Request):
    """Where wealth came from. The shares of the sources that fund the account total exactly 100."""

    source_type: Literal[
        "SOW-IND-Allowance", "SOW-IND-Disability", "SOW-IND-Income", "SOW-IND-Inheritance", "SOW-IND-Interest",
        "SOW-IND-MarketProfit", "SOW-IND-Other", "SOW-IND-Pension", "SOW-IND-Property", "SOW-ORG-Business",
        "SOW-ORG-MarketTradingProfits", "SOW-ORG-Other", "SOW-ORG-OwnerEquity", "SOW-ORG-Property",
        "SOW-ORG-RetainedEarnings",
    ]  # fmt: skip
    used_for_funds: bool
    percentage: Percentage | None = None
    description: Annotated[str, Field(min_length=1, max_length=128)] | None = None

    @model_validator(mode="after")
    def _share_and_words(self) -> Self:
        if self.used_for_funds != bool(self.percentage):
            raise ValueError("a source that funds the account has a share above 0, and only such a source has one")
        if self.source_type.endswith("Other") and self.description is None:
            raise ValueError("another source of wealth must be described")
        return self


class SourceOfIncome(Request):
    """A further income beside the main one."""

    source_type: Literal[
        "CONSULTING", "DISABILITY", "INHERITANCE", "INTEREST", "REALESTATE", "RENTAL", "SEVERANCE", "SPOUSE",
        "TRADINGANDINVESTMENTS", "PENSIONANDSOCIALSECURITY", "UNEMPLOYMENT", "OTHER",
    ]  # fmt: skip
    percentage: Annotated[int, Field(ge=1, le=100)]
    description: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class IncomeQuestionnaire(Request):
    """Words about the sources of income."""

    details: Annotated[str, Field(min_length=1, max_length=350)]


class FinancialQuestionnaire(Request):
    """Words that belong to one questionnaire about finances."""

    form_number: Annotated[int, Field(gt=0, lt=100_000)]
    detail: Annotated[str, Field(min_length=1, max_length=350)]


class FinancialInformation(Request):
    """What a person or firm owns, earns and knows, in the account's base currency.

    Trap: a number up to 100 is the id of a range of the enumeration fin-info-ranges, not an amount of money.
    """

    net_worth: Worth | None = None
    liquid_net_worth: Worth | None = None
    annual_net_income: Income | None = None
    total_assets: Worth | None = None
    investment_experience: tuple[AssetExperience, ...] = ()
    investment_objectives: tuple[InvestmentObjective, ...] = ()
    sources_of_wealth: tuple[SourceOfWealth, ...] = ()
    additional_sources_of_income: tuple[SourceOfIncome, ...] = ()
    source_of_funds: str | None = None
    soi_questionnaire: IncomeQuestionnaire | None = None
    questionnaires: tuple[FinancialQuestionnaire, ...] = ()
    translated: bool | None = None

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.is_empty:
            raise ValueError("nothing is said")
        net, liquid = self.net_worth, self.liquid_net_worth
        if net is not None and liquid is not None and liquid > HIGHEST_RANGE_ID and HIGHEST_RANGE_ID < net < liquid:
            raise ValueError("the liquid net worth is part of the net worth and cannot exceed it")
        _once("a kind of product", (each.asset_class for each in self.investment_experience))
        _once("an investment objective", self.investment_objectives)
        _once("a source of wealth", (each.source_type for each in self.sources_of_wealth))
        _once("a source of income", (each.source_type for each in self.additional_sources_of_income))
        shares = sum(each.percentage or 0 for each in self.sources_of_wealth)
        if self.sources_of_wealth and shares != 100:
            raise ValueError(f"the sources that fund the account total 100 per cent, not {shares}")
        return self

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing."""
        told = self.model_dump(exclude_none=True, exclude={"translated"})
        return not any(value not in ((), []) for value in told.values())


def _once(what: str, names: Iterable[str]) -> None:
    listed = list(names)
    if len(listed) != len(set(listed)):
        raise ValueError(f"{what} may be named only once")
