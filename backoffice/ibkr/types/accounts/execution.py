"""How a new account trades: limits, commissions, settlement instructions. IBKR's schema names them and explains little."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from backoffice.ibkr.types.accounts.fees import Figure
from backoffice.ibkr.types.base import Request
from backoffice.ibkr.types.finances import AssetClass
from backoffice.ibkr.types.people import BaseCurrency, ExternalId

Exchange = Literal["NYSE", "AMEX", "NASDAQ", "CBOE", "ISE", "BOX", "PHLX", "PSE"]
Quantity = Annotated[int, Field(ge=0, le=2**31 - 1)]
Rate = Annotated[Decimal, Field(max_digits=12, decimal_places=6, allow_inf_nan=False)]


class OrderValueLimits(Request):
    """The largest values of an order and of what is outstanding, and the largest net number of contracts."""

    max_order_value: Figure | None = None
    max_gross_value: Figure | None = None
    max_net_value: Figure | None = None
    net_contract_limit: Figure | None = None


class EfpQuantityLimits(Request):
    """The largest numbers of exchanges of futures for physicals."""

    max_nominal_efp_per_order: Quantity | None = None
    max_net_efp_trades: Quantity | None = None
    max_gross_efp_trades: Quantity | None = None


class QuantityLimit(Request):
    """The largest quantity of one kind of product, in an order or in a day."""

    asset: AssetClass
    quantity: Quantity


class TradingLimits(Request):
    """How large orders of the account may be."""

    order_value_limits: OrderValueLimits | None = None
    efp_quantity_limits: EfpQuantityLimits | None = None
    order_quantity_limits: tuple[QuantityLimit, ...] = ()
    day_quantity_limits: tuple[QuantityLimit, ...] = ()

    @model_validator(mode="after")
    def _each_product_once(self) -> Self:
        for limits in (self.order_quantity_limits, self.day_quantity_limits):
            if len({each.asset for each in limits}) != len(limits):
                raise ValueError("a kind of product has one limit")
        return self


class CommissionConfig(Request):
    """Whether commissions of one kind of product are bundled with the exchanges' fees."""

    style: Literal["Bundled", "Unbundled"]
    type: Literal["Commodities", "Securities"]


class ExchangeAccess(Request):
    """An exchange that is open to the account for one kind of product."""

    asset_class: AssetClass
    exchange: Exchange


class InterestMarkup(Request):
    """What is added to and taken from interest in one currency."""

    currency: BaseCurrency
    debit_markup: Rate | None = None
    ib_debit_markup: Rate | None = None
    credit_markdown: Rate | None = None
    short_credit_markdown: Rate | None = None
    short_cfd_credit_markdown: Rate | None = None
    long_cfd_debit_markdown: Rate | None = None
    short_index_cfd_credit_markdown: Rate | None = None
    long_index_cfd_debit_markdown: Rate | None = None
    short_fx_cfd_markup: Rate | None = None
    long_fx_cfd_markdown: Rate | None = None


class DvpInstruction(Request):
    """A standing instruction for delivery versus payment. Trap: two of its members end in ID, in capitals."""

    type: Literal["DTCID", "NSCC", "CMTA", "GUS", "OCCSSF"]
    name: str | None = None
    role: Literal["E", "C", "B"] | None = None
    external_id: ExternalId | None = None
    id: str | None = None
    external_account_id: str | None = Field(default=None, alias="externalAccountID")
    account_id: str | None = Field(default=None, alias="accountID")
    agent_id: str | None = Field(default=None, alias="agentID")
    firm_id: str | None = Field(default=None, alias="firmID")
    agent_name: str | None = None
    account_name: str | None = None
    day_do_id: str | None = Field(default=None, alias="dayDoID")
    tx_group_code: Literal["G", "Z", "R", "N"] | None = None
    broker_code: str | None = None
    asset_class: AssetClass | None = None
    exchange: Exchange | None = None
    prepay_tax: bool | None = None
    prepay_commission: bool | None = None
    expiry: date | None = None
    is_default: bool | None = Field(default=None, alias="default")


class LiteExecution(Request):
    """Whether a new account trades by IBKR Lite."""

    type: Literal["LiteExecution"] = "LiteExecution"
    value: bool


class RepDetail(Request):
    """A user of the master account who looks after the new account, and the share credited, in per cent."""

    rep_id: Annotated[str, Field(min_length=1, max_length=63)]
    percentage: Annotated[int, Field(ge=1, le=100)]


class AccountRep(Request):
    """Who looks after the new account; the shares total 100."""

    rep_details: Annotated[tuple[RepDetail, ...], Field(min_length=1)]
    included: bool | None = None

    @model_validator(mode="after")
    def _totals_hundred(self) -> Self:
        if len({each.rep_id for each in self.rep_details}) != len(self.rep_details):
            raise ValueError("a representative may be named only once")
        total = sum(each.percentage for each in self.rep_details)
        if total != 100:
            raise ValueError(f"the shares of the representatives total 100 per cent, not {total}")
        return self
