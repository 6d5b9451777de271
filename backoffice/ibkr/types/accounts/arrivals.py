"""What comes with a new account: the notice of its first deposit, and positions from another broker."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from backoffice.ibkr.types.accounts.heirs import IraType
from backoffice.ibkr.types.base import Request
from backoffice.ibkr.types.people import AccountId, BaseCurrency, Country

Text = Annotated[str, Field(min_length=1, max_length=128)]
Amount = Annotated[Decimal, Field(gt=0, max_digits=18, decimal_places=2, allow_inf_nan=False)]
Units = Annotated[int, Field(gt=0, le=2**63 - 1)]
Routing = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}$")]
Ssn = Annotated[str, StringConstraints(pattern=r"^[0-9]{9}$")]
Ein = Annotated[str, StringConstraints(pattern=r"^[0-9]{9}$")]
SubType = Literal["ACATS", "ATON"]
Side = Literal["LONG", "SHORT"]
OptionRight = Literal["CALL", "PUT"]


class CheckDetails(Request):
    """The cheque on its way. Trap: IBKR's documents call `account_number` acctNumber; its specification does not."""

    check_number: Annotated[str, Field(min_length=1, max_length=16)]
    routing_number: Routing
    account_number: Annotated[str, Field(min_length=1, max_length=32)]


class WireDetails(Request):
    """The wire on its way."""

    bank_name: Text
    bank_account_number: Text | None = None
    bank_code: Text | None = None
    routing_number: Text | None = None
    instruction: Text | None = None
    country_code: Country | None = None
    reference_number: Text | None = None


class AchDetails(Request):
    """The ACH payment on its way; `cust_init_ach` says that the client starts it at the bank."""

    bank_name: Text
    cust_init_ach: bool | None = None


class IraDepositDetails(Request):
    """What kind of payment into a retirement account it is."""

    deposit_type: Literal["contribution", "rollover"]
    tax_year: Literal["current", "prior"] | None = None
    from_ira_type: IraType | None = None


class DepositNotification(Request):
    """The first deposit. Funded applications are looked at first; it turns status N into P."""

    type: Literal["CHECK", "WIRE", "ACH", "SKIP_DEPOSIT"]
    amount: Amount | None = None
    currency: BaseCurrency | None = None
    ib_account: AccountId | None = None
    check_details: CheckDetails | None = None
    wire_details: WireDetails | None = None
    ach_details: AchDetails | None = None
    ira_deposit_details: IraDepositDetails | None = None

    @model_validator(mode="after")
    def _details_fit_the_type(self) -> Self:
        for kind, details in (("CHECK", self.check_details), ("WIRE", self.wire_details), ("ACH", self.ach_details)):
            if (self.type == kind) != (details is not None):
                raise ValueError("a deposit has the details of its own type, and of no other")
        if self.type != "SKIP_DEPOSIT" and self.amount is None:
            raise ValueError("a deposit has an amount; only one that is skipped has none")
        if (self.amount is None) != (self.currency is None):
            raise ValueError("an amount and its currency come together")
        return self


class _PartOfPosition(Request):
    """All of a position, or so many units of it."""

    all: bool | None = None

    def _one_of_all_or(self, units: int | None) -> None:
        if bool(self.all) == (units is not None):
            raise ValueError("say how many, or that all of them come")


class PartialStockPosition(_PartOfPosition):
    """Shares that come."""

    symbol: Text
    number_of_shares: Units | None = None
    position: Side = "LONG"
    exchange: Text | None = None

    @model_validator(mode="after")
    def _how_many(self) -> Self:
        self._one_of_all_or(self.number_of_shares)
        return self


class PartialBondPosition(_PartOfPosition):
    """Bonds that come."""

    cusip_number: Annotated[str, StringConstraints(pattern=r"^[0-9A-Z*@#]{9}$")]
    number_of_bonds: Units | None = None

    @model_validator(mode="after")
    def _how_many(self) -> Self:
        self._one_of_all_or(self.number_of_bonds)
        return self


class PartialOptionPosition(_PartOfPosition):
    """Options that come. Trap: IBKR's strike is a whole number (?)."""

    symbol: Text
    option_type: OptionRight
    strike_price: Units
    expiration_date: Text
    number_of_contracts: Units | None = None
    position: Side = "LONG"

    @model_validator(mode="after")
    def _how_many(self) -> Self:
        self._one_of_all_or(self.number_of_contracts)
        return self


class PartialWarrantPosition(_PartOfPosition):
    """Warrants that come."""

    symbol: Text
    option_type: OptionRight
    strike_price: Units
    expiration_date: Text
    number_of_shares: Units | None = None
    position: Side = "LONG"

    @model_validator(mode="after")
    def _how_many(self) -> Self:
        self._one_of_all_or(self.number_of_shares)
        return self


class PartialFundPosition(_PartOfPosition):
    """Shares of a fund that come."""

    symbol: Text
    number_of_shares: Units | None = None

    @model_validator(mode="after")
    def _how_many(self) -> Self:
        self._one_of_all_or(self.number_of_shares)
        return self


class PartialCashPosition(Request):
    """Cash that comes."""

    amount: Amount | None = None
    full_cash: bool | None = None
    margin_loan: bool | None = None

    @model_validator(mode="after")
    def _how_much(self) -> Self:
        if bool(self.full_cash) == (self.amount is not None):
            raise ValueError("say how much, or that all of the cash comes")
        return self


class ExtPositionsTransfer(Request):
    """Positions from another broker, whose transfer starts by itself when the account opens.

    Traps: without `ssn` or `ein` IBKR refuses the application; IBKR's documents call `src_ira_type` sourceIRAType.
    """

    type: Literal["FULL", "PARTIAL"]
    sub_type: SubType
    account_at_broker: Text
    signature: Text
    broker_id: Text | None = None
    broker_name: Text | None = None
    ssn: Ssn | None = None
    ein: Ein | None = None
    src_ira_type: IraType | None = Field(default=None, alias="srcIRAType")
    margin_loan: bool | None = None
    short_pos: bool | None = None
    option_pos: bool | None = None
    authorize_to_remove_fund: bool | None = None
    approximate_account_value: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    third_party_type: Text | None = None
    ib_account: AccountId | None = None
    partial_stock_positions: tuple[PartialStockPosition, ...] = ()
    partial_bond_positions: tuple[PartialBondPosition, ...] = ()
    partial_option_positions: tuple[PartialOptionPosition, ...] = ()
    partial_warrant_positions: tuple[PartialWarrantPosition, ...] = ()
    partial_fund_positions: tuple[PartialFundPosition, ...] = ()
    partial_cash_positions: tuple[PartialCashPosition, ...] = ()

    @model_validator(mode="after")
    def _names_owner_and_broker(self) -> Self:
        if self.ssn is None and self.ein is None:
            raise ValueError("a transfer names its owner by an SSN or by an EIN")
        if self.broker_id is None and self.broker_name is None:
            raise ValueError("a transfer names the broker: broker_id or broker_name")
        return self

    @model_validator(mode="after")
    def _parts_of_a_partial_one(self) -> Self:
        parts = (
            self.partial_stock_positions, self.partial_bond_positions, self.partial_option_positions,
            self.partial_warrant_positions, self.partial_fund_positions, self.partial_cash_positions,
        )  # fmt: skip
        if (self.type == "PARTIAL") != any(parts):
            raise ValueError("a partial transfer lists its positions, and only it does")
        return self
