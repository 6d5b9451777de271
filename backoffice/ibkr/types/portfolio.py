"""Accounts, positions, cash and the summary of an account, as the portfolio back end reports them."""

import re
from decimal import Decimal
from typing import Any

from pydantic import AliasChoices, Field, model_validator

from backoffice.ibkr.parsing import Day, Flag, Id, Instant, Number, OptionalId, Text
from backoffice.ibkr.types.base import Answer

_SEGMENT = re.compile(r"([A-Z]{1,4}[0-9]{1,12})([A-Z])")


class PortfolioAccount(Answer):
    """One account. `opened_at` comes from a field IBKR calls accountStatus."""

    account_id: Id = Field(validation_alias=AliasChoices("accountId", "id"))
    title: Text = Field(default="", alias="accountTitle")
    display_name: Text = Field(default="", alias="displayName")
    alias: Text = Field(default="", alias="accountAlias")
    currency: Text = ""
    type: Text = ""
    trading_type: Text = Field(default="", alias="tradingType")
    clearing_status: Text = Field(default="", alias="clearingStatus")
    opened_at: Instant = Field(default=None, alias="accountStatus")
    is_advisor_client: Flag = Field(default=None, validation_alias=AliasChoices("faclient", "faClient"))
    entity: Text = Field(default="", alias="ibEntity")
    business_type: Text = Field(default="", alias="businessType")
    customer_type: Text = Field(default="", alias="acctCustType")
    is_closed_to_client_trading: Flag = Field(default=None, alias="noClientTrading")
    has_brokerage_access: Flag = Field(default=None, alias="brokerageAccess")
    parent_id: OptionalId = None

    @model_validator(mode="before")
    @classmethod
    def _lift_parent(cls, data: Any) -> Any:
        parent = data.get("parent") if isinstance(data, dict) else None
        return {**data, "parent_id": parent.get("accountId") or None} if isinstance(parent, dict) else data


class SubaccountPage(Answer):
    """One page of an advisor's clients. `total` is None where IBKR answered with a bare list."""

    accounts: tuple[PortfolioAccount, ...] = ()
    total: Number = None
    page_size: Number = None
    page: Number = None


class Position(Answer):
    """A holding. Money is in `currency` (the instrument's); `quantity` is negative for a short position.

    IBKR's multiplier may be null or 0: `unit_multiplier` is 1 then. `segment` is the letter of a segment account
    (U1234567C is the commodities part of U1234567); the same holding is not counted in both.
    """

    account_id: OptionalId = Field(default=None, validation_alias=AliasChoices("acctId", "accountId"))
    conid: Id
    quantity: Number = Field(default=None, alias="position")
    currency: Text = ""
    market_price: Number = Field(default=None, validation_alias=AliasChoices("mktPrice", "marketPrice"))
    market_value: Number = Field(default=None, validation_alias=AliasChoices("mktValue", "marketValue"))
    average_cost: Number = Field(default=None, alias="avgCost")
    average_price: Number = Field(default=None, alias="avgPrice")
    unrealised_pnl: Number = Field(default=None, alias="unrealizedPnl")
    realised_pnl: Number = Field(default=None, alias="realizedPnl")
    base_market_value: Number = Field(default=None, alias="baseMktValue")
    description: Text = Field(default="", validation_alias=AliasChoices("contractDesc", "description"))
    symbol: Text = Field(default="", alias="ticker")
    name: Text = Field(default="", validation_alias=AliasChoices("name", "fullName"))
    asset_class: Text = Field(default="", validation_alias=AliasChoices("assetClass", "secType"))
    sector: Text = ""
    listing_exchange: Text = Field(default="", alias="listingExchange")
    multiplier: Number = None
    model: Text = ""
    base_average_cost: Number = Field(default=None, alias="baseAvgCost")
    base_unrealised_pnl: Number = Field(default=None, alias="baseUnrealizedPnl")
    base_realised_pnl: Number = Field(default=None, alias="baseRealizedPnl")
    underlying_conid: OptionalId = Field(default=None, alias="undConid")
    expires_on: Day = Field(default=None, alias="expiry")
    last_trading_day: Day = Field(default=None, alias="lastTradingDay")
    right: Text = Field(default="", alias="putOrCall")
    strike: Number = None
    industry_group: Text = Field(default="", alias="group")
    country: Text = Field(default="", alias="countryCode")
    is_last_to_liquidate: Flag = Field(default=None, alias="isLastToLoq")
    at: Instant = Field(default=None, alias="timestamp")  # IBKR's "time" is how long its look-up took

    @property
    def unit_multiplier(self) -> Decimal:
        """What one unit is multiplied by: 1 where IBKR says null or 0."""
        return self.multiplier or Decimal(1)

    @property
    def main_account(self) -> str:
        """The account without the letter of its segment."""
        match = _SEGMENT.fullmatch(self.account_id or "")
        return match[1] if match else self.account_id or ""

    @property
    def segment(self) -> str:
        """The letter of the segment account the row is of; empty for the account itself."""
        match = _SEGMENT.fullmatch(self.account_id or "")
        return match[2] if match else ""


class ComboLeg(Answer):
    """One leg of a combination: negative ratios are sold."""

    conid: Id
    ratio: Number = None


class ComboPosition(Answer):
    """Positions that belong together as a combination. They are among the account's positions too: do not add them up."""

    name: Text = ""
    description: Text = ""
    legs: tuple[ComboLeg, ...] = ()
    positions: tuple[Position, ...] = ()


class LongAndShort(Answer):
    """Market values by category, in the base currency; short values are negative."""

    long: dict[str, Number] = Field(default_factory=dict)
    short: dict[str, Number] = Field(default_factory=dict)


class PortfolioAllocation(Answer):
    """How holdings spread over asset classes, sectors and groups of industries, in the base currency."""

    asset_classes: LongAndShort | None = Field(default=None, alias="assetClass")
    sectors: LongAndShort | None = Field(default=None, alias="sector")
    industry_groups: LongAndShort | None = Field(default=None, alias="group")


class LedgerLine(Answer):
    """One currency of an account's books. `exchange_rate` converts to the base currency (1 for BASE itself)."""

    currency: Text = ""
    cash: Number = Field(default=None, alias="cashbalance")
    settled_cash: Number = Field(default=None, alias="settledcash")
    exchange_rate: Number = Field(default=None, alias="exchangerate")
    net_liquidation: Number = Field(default=None, alias="netliquidationvalue")
    stock_value: Number = Field(default=None, alias="stockmarketvalue")
    bond_value: Number = Field(default=None, alias="corporatebondsmarketvalue")
    option_value: Number = Field(default=None, alias="stockoptionmarketvalue")
    fund_value: Number = Field(default=None, alias="funds")
    interest: Number = None
    dividends: Number = None
    unrealised_pnl: Number = Field(default=None, alias="unrealizedpnl")
    realised_pnl: Number = Field(default=None, alias="realizedpnl")
    at: Instant = Field(default=None, alias="timestamp")


class Ledger(Answer):
    """An account's cash by currency. `base` is in the account's base currency, whose code is on the account."""

    account_id: str
    currencies: dict[str, LedgerLine]
    base: LedgerLine | None = None


class SummaryValue(Answer):
    """One figure of the summary. For text figures `amount` is None and `text` holds it."""

    amount: Number = None
    currency: Text = ""
    text: Text = Field(default="", alias="value")
    is_null: Flag = Field(default=None, validation_alias=AliasChoices("isNull", "isNone"))
    at: Instant = Field(default=None, alias="timestamp")


class Summary(Answer):
    """An account's key figures by IBKR's names (lower case; suffix -s securities, -c commodities)."""

    account_id: str
    values: dict[str, SummaryValue]

    def figure(self, name: str) -> SummaryValue | None:
        """Return a figure by IBKR's name, such as "netliquidation"; None when IBKR did not give it."""
        value = self.values.get(name)
        return None if value is None or value.is_null else value

    @property
    def net_liquidation(self) -> SummaryValue | None:
        """Net liquidation value (NLV)."""
        return self.figure("netliquidation")

    @property
    def total_cash(self) -> SummaryValue | None:
        """Cash in all currencies, in the base currency."""
        return self.figure("totalcashvalue")

    @property
    def available_funds(self) -> SummaryValue | None:
        """What may be spent without borrowing more."""
        return self.figure("availablefunds")

    @property
    def withdrawable(self) -> SummaryValue | None:
        """What may be withdrawn."""
        return self.figure("availabletowithdraw")

    @property
    def excess_liquidity(self) -> SummaryValue | None:
        """Distance to a margin call."""
        return self.figure("excessliquidity")

    @property
    def buying_power(self) -> SummaryValue | None:
        """Buying power."""
        return self.figure("buyingpower")
