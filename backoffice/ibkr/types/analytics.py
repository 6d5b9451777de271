"""PortfolioAnalyst: performance and transactions. Returns are fractions (0.0639 is 6.39 %); figures lag by a day."""

from datetime import date
from decimal import Decimal
from typing import Any, Literal

from pydantic import AliasChoices, Field, model_validator

from backoffice.ibkr.parsing import Day, Flag, Instant, Number, OptionalId, Text
from backoffice.ibkr.types.base import Answer

Period = Literal["1D", "7D", "MTD", "1M", "3M", "6M", "12M", "YTD"]


class NetAssetValues(Answer):
    """Net asset values of one account (or of all together), one per date of the table it is in."""

    account_id: OptionalId = Field(default=None, alias="id")
    currency: Text = Field(default="", alias="baseCurrency")
    starts_on: Day = Field(default=None, alias="start")
    ends_on: Day = Field(default=None, alias="end")
    start_value: Number = None
    start_value_on: Day = None
    values: tuple[Number, ...] = Field(default=(), alias="navs")

    @model_validator(mode="before")
    @classmethod
    def _lift_start(cls, data: Any) -> Any:
        start = data.get("startNAV") if isinstance(data, dict) else None
        if not isinstance(start, dict):
            return data
        return {**data, "start_value": start.get("val"), "start_value_on": start.get("date")}


class Returns(Answer):
    """Returns of one account, one per date of the table: cumulative in `cumulative`, by period in `by_period`."""

    account_id: OptionalId = Field(default=None, alias="id")
    currency: Text = Field(default="", alias="baseCurrency")
    starts_on: Day = Field(default=None, alias="start")
    ends_on: Day = Field(default=None, alias="end")
    values: tuple[Number, ...] = Field(default=(), alias="returns")


class NavTable(Answer):
    """Net asset values by date. `frequency` is D, M or Q."""

    frequency: Text = Field(default="", alias="freq")
    dates: tuple[Day, ...] = ()
    series: tuple[NetAssetValues, ...] = Field(default=(), alias="data")


class ReturnTable(Answer):
    """Returns by period. `periods` are IBKR's words: YYYYMMDD for days, YYYYMM for months."""

    frequency: Text = Field(default="", alias="freq")
    periods: tuple[Text, ...] = Field(default=(), alias="dates")
    series: tuple[Returns, ...] = Field(default=(), alias="data")


class Performance(Answer):
    """How accounts did in one period. `measure` is TWR (time-weighted) or MWR (money-weighted).

    Several accounts asked for together are consolidated into one series: `included` names them.
    """

    measure: Text = Field(default="", alias="pm")
    currency_type: Text = Field(default="", alias="currencyType")
    included: tuple[Text, ...] = ()
    days: Number = Field(default=None, alias="nd")
    values: NavTable | None = Field(default=None, alias="nav")
    cumulative: ReturnTable | None = Field(default=None, alias="cps")
    by_period: ReturnTable | None = Field(default=None, alias="tpps")


class PeriodPerformance(Answer):
    """One period of one account: value and cumulative return at the end of each date."""

    frequency: Text = Field(default="", alias="freq")
    dates: tuple[Day, ...] = ()
    values: tuple[Number, ...] = Field(default=(), alias="nav")
    cumulative: tuple[Number, ...] = Field(default=(), alias="cps")
    start_value: Number = None
    start_value_on: Day = None

    @model_validator(mode="before")
    @classmethod
    def _lift_start(cls, data: Any) -> Any:
        start = data.get("startNAV") if isinstance(data, dict) else None
        if not isinstance(start, dict):
            return data
        return {**data, "start_value": start.get("val"), "start_value_on": start.get("date")}

    @property
    def total_return(self) -> Decimal | None:
        """The return over the whole period, as a fraction; None when IBKR gave none."""
        return self.cumulative[-1] if self.cumulative else None


class AccountPerformance(Answer):
    """All of IBKR's periods of one account (or, for several accounts together, of their sum)."""

    account_id: str
    currency: Text = Field(default="", alias="baseCurrency")
    starts_on: Day = Field(default=None, alias="start")
    ends_on: Day = Field(default=None, alias="end")
    updated_on: date | None = None
    updated: Text = Field(default="", alias="lastSuccessfulUpdate")  # New York time, as IBKR wrote it
    periods: dict[str, PeriodPerformance] = Field(default_factory=dict)


class AllPeriods(Answer):
    """Every period of every account, by account id."""

    measure: Text = Field(default="", alias="pm")
    currency_type: Text = Field(default="", alias="currencyType")
    included: tuple[Text, ...] = ()
    accounts: dict[str, AccountPerformance] = Field(default_factory=dict)


class Transaction(Answer):
    """One movement in an instrument. A negative quantity is a sale; `amount` is in `currency`, with IBKR's sign."""

    account_id: OptionalId = Field(default=None, alias="acctid")
    conid: OptionalId = None
    day: Day = Field(default=None, validation_alias=AliasChoices("rawDate", "date"))
    at: Instant = Field(default=None, alias="date")
    kind: Text = Field(default="", alias="type")
    currency: Text = Field(default="", alias="cur")
    exchange_rate: Number = Field(default=None, alias="fxRate")
    quantity: Number = Field(default=None, alias="qty")
    price: Number = Field(default=None, alias="pr")
    amount: Number = Field(default=None, alias="amt")
    description: Text = Field(default="", alias="desc")


class RealisedProfit(Answer):
    """Profit or loss of one closing. IBKR shows losses with a positive `amount` too, so read `is_loss`."""

    account_id: OptionalId = Field(default=None, alias="acctid")
    conid: OptionalId = None
    day: Day = Field(default=None, alias="date")
    currency: Text = Field(default="", alias="cur")
    exchange_rate: Number = Field(default=None, alias="fxRate")
    side: Text = ""  # L loss, G gain
    amount: Number = Field(default=None, alias="amt")

    @property
    def is_loss(self) -> bool:
        """Whether IBKR calls it a loss."""
        return self.side == "L"


class Transactions(Answer):
    """An instrument's movements. Not the books: older or other ones are in statements."""

    currency: Text = ""
    begins: Instant = Field(default=None, alias="from")
    ends: Instant = Field(default=None, alias="to")
    includes_today: Flag = Field(default=None, alias="includesRealTime")
    transactions: tuple[Transaction, ...] = ()
    realised: tuple[RealisedProfit, ...] = ()
    realised_total: Number = None

    @model_validator(mode="before")
    @classmethod
    def _lift_profit(cls, data: Any) -> Any:
        profit = data.get("rpnl") if isinstance(data, dict) else None
        if not isinstance(profit, dict):
            return data
        items = profit.get("data")
        return {
            **data,
            "realised": [each for each in items if isinstance(each, dict)] if isinstance(items, list) else [],
            "realised_total": profit.get("amt"),
        }
