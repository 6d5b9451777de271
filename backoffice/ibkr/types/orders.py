"""The conversation that placing an order is, and what is known of orders afterwards. Tickets are in `types.tickets`."""

import re
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import AliasChoices, BeforeValidator, Field

from backoffice.ibkr.parsing import Amount, Flag, Id, Instant, Number, OptionalId, Text
from backoffice.ibkr.types.base import Answer
from backoffice.ibkr.types.tickets import OrderGroup as OrderGroup
from backoffice.ibkr.types.tickets import OrderTicket as OrderTicket
from backoffice.ibkr.types.tickets import Share as Share
from backoffice.ibkr.types.tickets import WhatIf as WhatIf

FINAL_STATUSES = frozenset({"filled", "cancelled", "inactive"})


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

    One question may carry several messages, each with an id of its own: one reply answers all. The `reply_id` is
    short-lived: any other order on this session invalidates it. `prompt_order_id` is set for the rarer prompt that is
    answered with one of `options` through `orders.answer_prompt`.
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

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """Each message with its id; the id is empty where IBKR gave fewer ids than messages."""
        ids = (*self.message_ids, *("" for _ in self.messages))
        return tuple(zip(ids, self.messages, strict=False))


@dataclass(frozen=True, slots=True)
class Refused:
    """IBKR did not take the order, or the person declined its question (`is_declined`): nothing is working."""

    reason: str
    is_declined: bool = False
    raw: object = field(default=None, repr=False)


PlaceOutcome = Placed | Question | Refused


@dataclass(frozen=True, slots=True)
class Doubtful:
    """What became of one ticket of a group cannot be told from the answer: look, never send it again."""

    reason: str
    raw: object = field(default=None, repr=False)


TicketOutcome = PlacedOrder | Question | Refused | Doubtful


@dataclass(frozen=True, slots=True)
class Mixed:
    """The tickets of a group fared differently: `outcomes` are in the order of the tickets, one each.

    Some may be working at the market while others wait for an answer or were refused: record each by itself, then
    either complete the group or cancel what is working.
    """

    outcomes: tuple[TicketOutcome, ...]
    raw: object = field(default=None, repr=False)

    @property
    def placed(self) -> dict[int, PlacedOrder]:
        """The tickets IBKR took, by their place in the group."""
        return {at: each for at, each in enumerate(self.outcomes) if isinstance(each, PlacedOrder)}

    @property
    def questions(self) -> dict[int, Question]:
        """The tickets IBKR asks about, by their place in the group."""
        return {at: each for at, each in enumerate(self.outcomes) if isinstance(each, Question)}

    @property
    def refusals(self) -> dict[int, Refused]:
        """The tickets IBKR did not take, by their place in the group."""
        return {at: each for at, each in enumerate(self.outcomes) if isinstance(each, Refused)}

    @property
    def doubts(self) -> dict[int, Doubtful]:
        """The tickets whose fate a look must tell, by their place in the group."""
        return {at: each for at, each in enumerate(self.outcomes) if isinstance(each, Doubtful)}


GroupOutcome = Placed | Question | Refused | Mixed


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


def _by_control_characters(value: object) -> object:
    """Split the list of editable fields, which IBKR separates by control characters."""
    if isinstance(value, str):
        return tuple(part.strip() for part in re.split(r"[\x00-\x1f]+", value) if part.strip())
    return ()


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
    stop_price: Number = Field(default=None, validation_alias=AliasChoices("auxPrice", "stop_price"))
    parent_id: OptionalId = Field(default=None, alias="parentId")
    exchange: Text = ""
    listing_exchange: Text = Field(default="", alias="listingExchange")
    security_type: Text = Field(default="", alias="secType")
    cash_quantity: Number = Field(default=None, alias="totalCashSize")

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
    cannot_edit: Flag = Field(default=None, alias="order_not_editable")
    editable_fields: Annotated[tuple[str, ...], BeforeValidator(_by_control_characters)] = ()
    outside_rth: Flag = None
    all_or_none: Flag = None
    exchange: Text = Field(default="", alias="listing_exchange")
    security_type: Text = Field(default="", alias="sec_type")

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
