"""How an advisor is paid by a new account: account-management.md section 11, written as IBKR's file has each member.

Several figures are text in IBKR's file and numbers in others. They are Decimals here, and each is sent in its own form:
a figure in the wrong one refuses the whole application.
"""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, PlainSerializer, model_validator

from backoffice.ibkr.types.base import Request
from backoffice.ibkr.types.people import Currency

MOST_RANGES = 5
Figure = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=8, allow_inf_nan=False)]
WrittenFigure = Annotated[Figure, PlainSerializer(lambda value: format(value, "f"), return_type=str)]  # sent as text
# IBKR's own spellings; QUATERLY is one of them.
FeeType = Literal[
    "ANNUALFLATFEE", "ANNUALFLATFEE_MONTHLY", "ANNUALFLATFEE_QUATERLY", "PERCENTOFEQUITY", "PERCENTOFEQUITY_MONTHLY",
    "PERCENTOFEQUITY_EOM", "PERCENTOFEQUITY_QUATERLY", "PERCENTOFEQUITY_QUARTERLY", "PERCENTOFEQUITY_EOQ",
    "BLENDEDPERCENTOFEQUITY", "BLENDEDPERCENTOFEQUITY_MONTHLY", "BLENDEDPERCENTOFEQUITY_EOM",
    "BLENDEDPERCENTOFEQUITY_QUARTERLY", "BLENDEDPERCENTOFEQUITY_EOQ", "INVOICE_LIMIT", "INVOICE_LIMIT_Q",
    "PERCENTOFPROFIT", "PERCENTOFPROFIT_QUARTER", "PERTRADE", "PERCENTOFNLV_CAP", "PERCENTOFNLV_CAP_EOPEQTY",
    "PERCENTOFNLV_CAP_Q", "PERCENTOFNLV_CAP_EOPEQTY_Q",
]  # fmt: skip


class BlendedPercentage(Request):
    """The annual percentage that holds from one value of the account to another, in the base currency."""

    blended_from: WrittenFigure
    blended_to: WrittenFigure | None = None
    percentage: WrittenFigure


class ValueRange(Request):
    """The largest fee while the account's net asset value lies in a range."""

    min: Figure
    max: Figure
    max_fee: Figure


class Stair(Request):
    """One stair of a markup: the amount that holds from `threshold` on."""

    threshold: Figure = Field(alias="break")
    amount: Figure


class Markup(Request):
    """The markup on trades of one product; `code` and `type` are IBKR's, which explains neither."""

    code: str
    type: Literal["FA", "FM", "PM"]
    amount: Figure | None = None
    minimum: Figure | None = None
    maximum: Figure | None = None
    plus_cost: bool | None = None
    ticket_charge: Figure | None = None
    stairs: tuple[Stair, ...] = ()


class CommissionSchedule(Request):
    """Markups by product."""

    markups: tuple[Markup, ...]
    pricing_structure: Literal["FIXED", "TIERED"] | None = None


class AutomatedFee(Request):
    """One automatic advisor fee; `type` is IBKR's spelling, e.g. PERCENTOFEQUITY_MONTHLY."""

    type: FeeType
    max_fee: Figure | None = None
    num_contracts: Annotated[int, Field(ge=0)] | None = None
    post_frequency: str | None = None
    percent_of_nlv_cap: WrittenFigure | None = Field(default=None, alias="percentOfNLVCap")
    percent_of_nlv_cap_q: WrittenFigure | None = Field(default=None, alias="percentOfNLVCapQ")
    annual_blended_percentages: tuple[BlendedPercentage, ...] = ()
    nav_ranges: Annotated[tuple[ValueRange, ...], Field(max_length=MOST_RANGES)] = ()
    per_trade_markups: CommissionSchedule | None = None


class HighWaterMarkRule(Request):
    """How a high-water mark is reckoned."""

    number_of_periods: Annotated[int, Field(ge=1)]
    prorate_for_withdrawals: bool | None = None


class PreviousLoss(Request):
    """A loss that counts towards a high-water mark from the beginning."""

    loss: Annotated[int, Field(ge=0)]
    quarter: Annotated[int, Field(ge=1, le=4)] | None = None
    year: int
    currency: Currency


class HighWaterMark(Request):
    """The high-water mark of a fee on profit."""

    hwm: HighWaterMarkRule | None = None
    previous_losses: tuple[PreviousLoss, ...] = ()


class AdvisorWrapFees(Request):
    """How the advisor is paid. Advisors must say so at registration, here or by naming a fee template."""

    strategy: Literal["NO_FEE", "AUTOMATED", "DIRECTBILLING"] = "NO_FEE"
    charge_advisor: bool | None = None
    charge_other_fees_to_advisor: bool | None = None
    automated_fees_details: tuple[AutomatedFee, ...] = ()
    high_water_mark_config_hwma: HighWaterMark | None = None
    high_water_mark_config_hwmq: HighWaterMark | None = None

    @model_validator(mode="after")
    def _details_with_automated(self) -> Self:
        if (self.strategy == "AUTOMATED") != bool(self.automated_fees_details):
            raise ValueError("automatic fees need their details, and only they do")
        return self
