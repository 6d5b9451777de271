"""Balances and profit as the brokerage session reports them, and who owns an account."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pydantic import AliasChoices, Field, model_validator

from backoffice.ibkr.parsing import Flag, Id, MoneyText, Number, Text
from backoffice.ibkr.types.base import Answer


class CashBalance(Answer):
    """Cash of one currency. IBKR's row of all currencies together is called "Total (in USD)": see `is_total`."""

    currency: Text = ""
    balance: Number = None
    settled: Number = Field(default=None, alias="settledCash")

    @property
    def is_total(self) -> bool:
        """Whether the row is the sum in the base currency, not a currency."""
        return self.currency.lower().startswith("total")


class BrokerageSummary(Answer):
    """An account's key figures in whole units of its base currency. For exact figures use `portfolio.summary`."""

    account_id: str
    account_type: Text = Field(default="", alias="accountType")
    status: Text = ""
    balance: Number = None
    special_memorandum: Number = Field(default=None, alias="SMA")
    buying_power: Number = Field(default=None, alias="buyingPower")
    available_funds: Number = Field(default=None, alias="availableFunds")
    excess_liquidity: Number = Field(default=None, alias="excessLiquidity")
    net_liquidation: Number = Field(default=None, alias="netLiquidationValue")
    equity_with_loan: Number = Field(default=None, alias="equityWithLoanValue")
    total_cash: Number = Field(default=None, alias="totalCashValue")
    accrued_interest: Number = Field(default=None, alias="accruedInterest")
    gross_positions: Number = Field(default=None, alias="securitiesGVP")
    regulation_t_loan: Number = Field(default=None, alias="regTLoan")
    regulation_t_margin: Number = Field(default=None, alias="regTMargin")
    initial_margin: Number = Field(default=None, alias="initialMargin")
    maintenance_margin: Number = Field(default=None, alias="maintenanceMargin")
    cash: tuple[CashBalance, ...] = Field(default=(), alias="cashBalances")


@dataclass(frozen=True, slots=True)
class DisplayFigure:
    """A figure IBKR wrote for a screen, such as "994,831 USD", "Unlimited" or "@ 16:00:00".

    `amount` is None when the text is no figure. It is rounded to whole units (`is_rounded`): never a limit, never added up.
    """

    text: str
    amount: Decimal | None = None
    currency: str = ""
    is_rounded: bool = True


@dataclass(frozen=True, slots=True)
class DisplayPage:
    """One page of balances for a screen: figures by segment (or currency) and by IBKR's abbreviated label.

    Labels vary with the account, so a label that is missing says nothing.
    """

    account_id: str
    segments: dict[str, dict[str, DisplayFigure]]
    raw: dict[str, Any] = field(default_factory=dict, repr=False)

    def figure(self, segment: str, label: str) -> DisplayFigure | None:
        """Return one figure by IBKR's names; None when IBKR did not give it."""
        return self.segments.get(segment, {}).get(label)


def display_figure(text: str, amount: MoneyText | Decimal | None) -> DisplayFigure:
    """Return a text with what could be read of it."""
    match amount:
        case MoneyText(amount=value, currency=currency):
            return DisplayFigure(text, value, currency)
        case Decimal():
            return DisplayFigure(text, amount)
    return DisplayFigure(text)


class ProfitRow(Answer):
    """Profit of one account, or of one model in it ("Core" is what belongs to no model), in the base currency."""

    account_id: str = ""
    model: str = ""
    daily: Number = Field(default=None, alias="dpl")
    unrealised: Number = Field(default=None, alias="upl")
    net_liquidation: Number = Field(default=None, alias="nl")
    excess_liquidity: Number = Field(default=None, validation_alias=AliasChoices("uel", "el"))
    market_value: Number = Field(default=None, alias="mv")
    row_type: Number = Field(default=None, alias="rowType")


class PartitionedProfit(Answer):
    """Profit of the selected account, row by row."""

    rows: tuple[ProfitRow, ...] = ()


class Owner(Answer):
    """A person or firm with a role on an account. Personal data: for the screen that asked, never for a log."""

    role: Text = Field(default="", alias="roleId", repr=False)
    username: Text = Field(default="", alias="userName", repr=False)
    has_rights: Flag = Field(default=None, alias="hasRightCodeInd")
    kind: Text = ""
    name: Text = Field(default="", repr=False)
    first_name: Text = Field(default="", repr=False)
    last_name: Text = Field(default="", repr=False)

    @model_validator(mode="before")
    @classmethod
    def _lift_entity(cls, data: Any) -> Any:
        entity = data.get("entity") if isinstance(data, dict) else None
        if not isinstance(entity, dict):
            return data
        return {
            **data,
            "kind": entity.get("entityType"),
            "name": entity.get("entityName"),
            "first_name": entity.get("firstName"),
            "last_name": entity.get("lastName"),
        }


class SignaturesAndOwners(Answer):
    """Who owns and signs for an account. Personal data: `raw` is not kept, and the exchange records no answer."""

    account_id: Id = Field(alias="accountId")
    owners: tuple[Owner, ...] = Field(default=(), alias="users", repr=False)
    signatures: tuple[Text, ...] = Field(default=(), repr=False)

    @model_validator(mode="before")
    @classmethod
    def _lift_signatures(cls, data: Any) -> Any:
        applicant = data.get("applicant") if isinstance(data, dict) else None
        signed = applicant.get("signatures") if isinstance(applicant, dict) else None
        return {**data, "signatures": signed} if isinstance(signed, list) else data
