"""Order tickets, and the conversation that placing one is."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, BeforeValidator, Field, StringConstraints, model_validator

from backoffice.ibkr import paths
from backoffice.ibkr.parsing import Amount, Flag, Id, Instant, Number, OptionalId, Text
from backoffice.ibkr.types.base import Answer, Request
from backoffice.ibkr.types.people import AccountId

Positive = Annotated[Decimal, Field(gt=0, max_digits=18, decimal_places=8, allow_inf_nan=False)]
OrderPrice = Annotated[Decimal, Field(max_digits=18, decimal_places=8, allow_inf_nan=False)]
Conid = Annotated[str, BeforeValidator(lambda value: str(value)), StringConstraints(pattern=r"^[1-9][0-9]{0,11}$")]
FINAL_STATUSES = frozenset({"filled", "cancelled", "inactive"})


class Share(Request):
    """One account's part of an inline allocation: shares, or an amount of cash when the ticket says so."""

    account: AccountId
    amount: Positive


class OrderTicket(Request):
    """One order, to exactly one target: a client's `account`, an allocation `group`, or inline `allocations` of a `master`.

    `client_order_id` (IBKR's cOID) is our key. `price` is the limit, and for STP and TRAIL the stop; `aux_price`
    is the stop of STOP_LIMIT and TRAILLMT. Inline amounts must add up to `quantity`: IBKR takes them as
    ratios, so a wrong sum would be traded without a word.
    """

    client_order_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
    conid: Conid
    side: Literal["BUY", "SELL"]
    order_type: Literal["LMT", "MKT", "STP", "STOP_LIMIT", "MIDPRICE", "TRAIL", "TRAILLMT", "MOC", "LOC"]
    tif: Literal["DAY", "GTC", "IOC", "OPG", "OVT", "OND"] = "DAY"
    account: AccountId | None = None
    group: str | None = None
    master: AccountId | None = None
    allocations: tuple[Share, ...] = ()
    allocation_type: Literal["SHARE", "CASH"] = "SHARE"
    quantity: Positive | None = None
    cash_quantity: Positive | None = None
    price: OrderPrice | None = None
    aux_price: OrderPrice | None = None
    trailing_amount: Positive | None = None
    trailing_type: Literal["amt", "%"] | None = None
    outside_rth: bool | None = None
    all_or_none: bool | None = None
    ticker: str | None = None
    listing_exchange: str | None = None
    manual_indicator: bool | None = None
    ext_operator: str | None = None

    @property
    def path_account(self) -> str:
        """The account, group or master the order is addressed to."""
        return self.account or self.group or self.master or ""

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if sum(target is not None for target in (self.account, self.group, self.master)) != 1:
            raise ValueError("an order goes to one account, or to one group, or to a master with allocations")
        if (self.master is not None) != bool(self.allocations):
            raise ValueError("inline allocations go with the master account, and only with it")
        if self.group is not None:
            paths.group_name(self.group)
        return self

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if (self.quantity is None) == (self.cash_quantity is None):
            raise ValueError("give a quantity or a cash amount, not both")
        if not self.allocations:
            return self
        if len({share.account for share in self.allocations}) != len(self.allocations):
            raise ValueError("an account appears twice in the allocation")
        whole = self.quantity if self.allocation_type == "SHARE" else self.cash_quantity
        if whole is None:
            raise ValueError("shares are allocated of a quantity, cash of a cash amount")
        if sum((share.amount for share in self.allocations), Decimal(0)) != whole:
            raise ValueError("the allocated amounts must add up to the order")
        return self

    @model_validator(mode="after")
    def _prices_fit_the_type(self) -> Self:
        needs_price = self.order_type in ("LMT", "STP", "STOP_LIMIT", "TRAILLMT", "LOC")
        if needs_price and self.price is None:
            raise ValueError(f"an order of type {self.order_type} needs a price")
        if self.order_type in ("MKT", "MOC") and self.price is not None:
            raise ValueError(f"an order of type {self.order_type} has no price")
        if (self.order_type in ("STOP_LIMIT", "TRAILLMT")) != (self.aux_price is not None):
            raise ValueError("a stop price (aux_price) goes with STOP_LIMIT and TRAILLMT, and only with them")
        trailing = (self.trailing_amount is not None, self.trailing_type is not None)
        if trailing != ((self.order_type in ("TRAIL", "TRAILLMT")),) * 2:
            raise ValueError("a trailing amount and its type go with TRAIL and TRAILLMT, and only with them")
        return self

    def wire_members(self) -> dict[str, Any]:
        """Return the ticket as IBKR spells it: acctId always given and equal to the path's."""
        members: dict[str, Any] = {
            "acctId": self.path_account,
            "conid": int(self.conid),
            "cOID": self.client_order_id,
            "orderType": self.order_type,
            "side": self.side,
            "tif": self.tif,
            "quantity": self.quantity,
            "cashQty": self.cash_quantity,
            "price": self.price,
            "auxPrice": self.aux_price,
            "trailingAmt": self.trailing_amount,
            "trailingType": self.trailing_type,
            "outsideRTH": self.outside_rth,
            "allOrNone": self.all_or_none,
            "ticker": self.ticker,
            "listingExchange": self.listing_exchange,
            "manualIndicator": self.manual_indicator,
            "extOperator": self.ext_operator,
        }
        if self.allocations:
            members["jsonPayload"] = {
                "allocation_profile": {
                    "alloc_type": self.allocation_type,
                    "allocations": [{"account": share.account, "amount": share.amount} for share in self.allocations],
                }
            }
        return {name: value for name, value in members.items() if value is not None}


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """One ticket IBKR accepted (not necessarily an exchange)."""

    order_id: str
    status: str
    client_order_id: str = ""
    parent_order_id: str = ""
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Placed:
    """IBKR has the order and will work it. An acknowledgement is not a fill."""

    orders: tuple[PlacedOrder, ...]
    raw: object = field(default=None, repr=False)

    @property
    def order_id(self) -> str:
        """The id of the order (of the first, for a bracket)."""
        return self.orders[0].order_id


@dataclass(frozen=True, slots=True)
class Question:
    """IBKR asks before it takes the order; nothing is working yet. `messages` are IBKR's words, with their HTML.

    The `reply_id` is short-lived: any other order on this session invalidates it. `prompt_order_id` is set for
    the rarer prompt that is answered with one of `options` through `orders.answer_prompt`.
    """

    reply_id: str
    messages: tuple[str, ...]
    message_ids: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    prompt_order_id: str = ""
    raw: object = field(default=None, repr=False)

    @property
    def is_prompt(self) -> bool:
        """Whether it is answered by choosing an option rather than by yes or no."""
        return bool(self.prompt_order_id)


@dataclass(frozen=True, slots=True)
class Refused:
    """IBKR did not take the order, or the person declined its question (`is_declined`): nothing is working."""

    reason: str
    is_declined: bool = False
    raw: object = field(default=None, repr=False)


PlaceOutcome = Placed | Question | Refused


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """IBKR took note; the order may still fill until its status says Cancelled."""

    order_id: str
    message: str
    raw: object = field(default=None, repr=False)


_SIDES = {"B": "BUY", "BOT": "BUY", "BUY": "BUY", "S": "SELL", "SLD": "SELL", "SELL": "SELL"}


def _side(value: object) -> object:
    text = str(value or "").strip().upper()
    return _SIDES.get(text, text)


Side = Annotated[str, BeforeValidator(_side)]


class LiveOrder(Answer):
    """One order of the brokerage session. `account` may be a group's or the master's for a block order."""

    order_id: Id = Field(validation_alias=AliasChoices("orderId", "order_id"))
    account: Text = Field(default="", validation_alias=AliasChoices("account", "acct"))
    client_order_id: Text = Field(default="", validation_alias=AliasChoices("order_ref", "cOID"))
    conid: OptionalId = None
    symbol: Text = Field(default="", alias="ticker")
    side: Side = ""
    status: Text = ""
    order_type: Text = Field(default="", validation_alias=AliasChoices("origOrderType", "orderType"))
    time_in_force: Text = Field(default="", alias="timeInForce")
    quantity: Number = Field(default=None, alias="totalSize")
    filled: Number = Field(default=None, alias="filledQuantity")
    remaining: Number = Field(default=None, alias="remainingQuantity")
    price: Number = None
    average_price: Number = Field(default=None, alias="avgPrice")
    currency: Text = Field(default="", alias="cashCcy")
    description: Text = Field(default="", alias="orderDesc")
    last_execution_at: Instant = Field(
        default=None, validation_alias=AliasChoices("lastExecutionTime_r", "lastExecutionTime")
    )
    cancelled_by_system_because: Text = Field(default="", alias="order_cancellation_by_system_reason")

    @property
    def is_final(self) -> bool:
        """Whether the status is an end; Inactive may revive, and Cancelled may have fills."""
        return self.status.lower() in FINAL_STATUSES


class LiveOrders(Answer):
    """The session's orders. While `is_loaded` is False the list says nothing, least of all that an order is absent."""

    orders: tuple[LiveOrder, ...] = ()
    is_loaded: bool = False


class OrderStatus(Answer):
    """One order in detail. IBKR answers only in the session that placed it, with its account selected."""

    order_id: Id
    account: Text = ""
    conid: OptionalId = None
    symbol: Text = ""
    side: Side = ""
    status: Text = Field(default="", alias="order_status")
    status_description: Text = Field(default="", alias="order_status_description")
    order_type: Text = ""
    time_in_force: Text = Field(default="", alias="tif")
    quantity: Number = Field(default=None, alias="total_size")
    filled: Number = Field(default=None, validation_alias=AliasChoices("cum_fill", "filled_quantity"))
    average_price: Number = None
    limit_price: Number = None
    stop_price: Number = None
    currency: Text = ""
    placed_at: Instant = Field(default=None, alias="order_time")
    client_order_id: Text = Field(default="", alias="order_ref")
    cannot_cancel: Flag = Field(default=None, alias="cannot_cancel_order")

    @property
    def is_final(self) -> bool:
        """Whether the status is an end; Inactive may revive, and Cancelled may have fills."""
        return self.status.lower() in FINAL_STATUSES


class Execution(Answer):
    """One fill. Corrections repeat `key` with a higher `revision`; the commission may come later.

    `allocated_account` is the client that got the units; a block's own row carries the master there.
    """

    execution_id: Id
    order_id: OptionalId = None
    client_order_id: Text = Field(default="", alias="order_ref")
    account: Text = Field(default="", validation_alias=AliasChoices("account", "accountCode"))
    allocated_account: Text = Field(default="", alias="account_allocation_name")
    conid: OptionalId = None
    symbol: Text = ""
    side: Side = ""
    quantity: Number = Field(default=None, alias="size")
    price: Number = None
    commission: Number = None
    net_amount: Number = None
    exchange: Text = ""
    executed_at: Instant = Field(default=None, validation_alias=AliasChoices("trade_time_r", "trade_time"))
    description: Text = Field(default="", alias="order_description")

    @property
    def key(self) -> str:
        """What a correction shares with the execution it corrects."""
        stem, dot, revision = self.execution_id.rpartition(".")
        return stem if dot and revision.isdigit() else self.execution_id

    @property
    def revision(self) -> int:
        """1 for the first report, higher for corrections."""
        tail = self.execution_id.rpartition(".")[2]
        return int(tail) if "." in self.execution_id and tail.isascii() and tail.isdigit() else 1


class PreviewAmounts(Answer):
    """What an order would cost, in IBKR's words and in figures where those can be read."""

    amount_text: Text = Field(default="", alias="amount")
    commission_text: Text = Field(default="", alias="commission")
    total_text: Text = Field(default="", alias="total")
    amount: Amount = Field(default=None, alias="amount")
    commission: Amount = Field(default=None, alias="commission")
    total: Amount = Field(default=None, alias="total")


class PreviewChange(Answer):
    """A figure before, its change and after."""

    current: Number = None
    change: Number = None
    after: Number = None


class Preview(Answer):
    """What IBKR thinks an order would do. `error` at HTTP 200 means it would be refused."""

    amounts: PreviewAmounts | None = Field(default=None, alias="amount")
    equity: PreviewChange | None = None
    initial_margin: PreviewChange | None = Field(default=None, alias="initial")
    maintenance_margin: PreviewChange | None = Field(default=None, alias="maintenance")
    position: PreviewChange | None = None
    warning: Text = Field(default="", alias="warn")
    error: Text = ""
