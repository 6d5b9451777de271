"""Accounts, positions, cash and the summary of an account, as the portfolio back end reports them."""

from pydantic import AliasChoices, Field

from backoffice.ibkr.parsing import Flag, Id, Instant, Number, OptionalId, Text
from backoffice.ibkr.types.base import Answer


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


class Position(Answer):
    """A holding. Money is in `currency` (the instrument's); `quantity` is negative for a short position.

    `multiplier` is 1 where IBKR says null or 0.
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
