"""Order tickets: what is sent to IBKR, checked before it leaves. IBKR ignores what it does not know, without a word."""

from calendar import timegm
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BeforeValidator, Field, StringConstraints, model_validator

from backoffice.ibkr import paths
from backoffice.ibkr.combos import CONIDEX
from backoffice.ibkr.types.base import Request
from backoffice.ibkr.types.people import AccountId

Positive = Annotated[Decimal, Field(gt=0, max_digits=18, decimal_places=8, allow_inf_nan=False)]
OrderPrice = Annotated[Decimal, Field(max_digits=18, decimal_places=8, allow_inf_nan=False)]
Conid = Annotated[str, BeforeValidator(lambda value: str(value)), StringConstraints(pattern=r"^[1-9][0-9]{0,11}$")]
ConidEx = Annotated[str, StringConstraints(pattern=f"^{CONIDEX.pattern}$")]
Key = Annotated[str, StringConstraints(pattern=r"^(?:[A-Za-z0-9][A-Za-z0-9_-]{0,63})?$")]
Operator = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._@-]{0,31}$")]
OrderType = Literal[
    "LMT", "MKT", "STP", "STOP_LIMIT", "MIDPRICE", "TRAIL", "TRAILLMT", "MOC", "LOC", "MIT", "LIT", "REL"
]

# What `price` and `auxPrice` mean to each type: required (True), impossible (False) or optional (None).
PRICES: dict[str, tuple[bool | None, bool | None]] = {
    "LMT": (True, False),  # the limit
    "MKT": (False, False),
    "STP": (True, False),  # `price` is the stop; some clients send it as auxPrice (verify by the echoed stop)
    "STOP_LIMIT": (True, True),  # limit; stop. Swapped they would trade at once
    "MIDPRICE": (None, False),  # a cap
    "TRAIL": (None, False),  # the first stop
    "TRAILLMT": (True, True),  # limit; stop
    "MOC": (False, False),
    "LOC": (True, False),  # the limit
    "MIT": (True, False),  # the trigger, like a stop's (verify)
    "LIT": (True, True),  # limit; trigger, like a stop limit's (verify)
    "REL": (None, None),  # a cap; the offset (verify)
}
TRAILING = frozenset({"TRAIL", "TRAILLMT"})
NEVER_FRACTIONAL = frozenset({"MIDPRICE", "MOC", "LOC", "REL"})  # in none of IBKR's lists of fraction-capable types


class Share(Request):
    """One account's part of an inline allocation: shares, or an amount of cash when the ticket says so."""

    account: AccountId
    amount: Positive


class OrderTicket(Request):
    """One order, to exactly one target: a client's `account`, an allocation `group`, or inline `allocations` of a `master`.

    `client_order_id` (IBKR's cOID) is our key; only the child of a bracket (`parent_id`) goes without, as IBKR wants
    it. `conid` is routed by SMART; `conidex` names an exchange or a combination. `price` is the limit, and for STP, TRAIL and
    MIT the stop or trigger; `aux_price` is the stop of STOP_LIMIT and TRAILLMT and the trigger of LIT. Inline amounts must add
    up to `quantity`: IBKR takes them as ratios, so a wrong sum would be traded without a word. `security_type` is
    not sent; it is what makes `manual_indicator` and `ext_operator` required for futures and options on them.
    """

    client_order_id: Key = ""
    conid: Conid | None = None
    conidex: ConidEx | None = None
    side: Literal["BUY", "SELL"]
    order_type: OrderType
    tif: Literal["DAY", "GTC", "IOC", "OPG", "OVT", "OND", "PAX"] = "DAY"
    account: AccountId | None = None
    group: str | None = None
    master: AccountId | None = None
    allocations: tuple[Share, ...] = ()
    allocation_type: Literal["SHARE", "CASH"] = "SHARE"
    quantity: Positive | None = None
    cash_quantity: Positive | None = None
    conversion_quantity: Positive | None = None  # fxQty: converts currency, without a position of its own
    price: OrderPrice | None = None
    aux_price: OrderPrice | None = None
    trailing_amount: Positive | None = None
    trailing_type: Literal["amt", "%"] | None = None
    outside_rth: bool | None = None
    all_or_none: bool | None = None
    parent_id: Key | None = None
    use_price_management: bool | None = None
    strategy: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,32}$")] | None = None
    strategy_parameters: dict[str, bool | Decimal | str] = Field(default_factory=dict)
    tax_optimizer_id: str | None = None
    received_at: AwareDatetime | None = None  # when the client gave the order (manualOrderTime)
    ticker: str | None = None
    listing_exchange: str | None = None
    security_type: Literal["STK", "OPT", "FUT", "FOP", "WAR", "BOND", "FUND", "CASH", "CFD", "CRYPTO", "BAG"] | None = (
        None
    )
    manual_indicator: bool | None = None
    ext_operator: Operator | None = None

    @property
    def path_account(self) -> str:
        """The account, group or master the order is addressed to."""
        return self.account or self.group or self.master or ""

    @property
    def has_fraction(self) -> bool:
        """Whether the quantity is not whole."""
        return self.quantity is not None and self.quantity != self.quantity.to_integral_value()

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
    def _one_instrument_one_key(self) -> Self:
        if (self.conid is None) == (self.conidex is None):
            raise ValueError("give a conid or a conidex, not both: IBKR would route by the conid without a word")
        if not self.client_order_id and not self.parent_id:
            raise ValueError("an order has a client order id; only the child of a bracket goes without")
        return self

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if sum(size is not None for size in (self.quantity, self.cash_quantity, self.conversion_quantity)) != 1:
            raise ValueError("give a quantity, or a cash amount, or an amount to convert, and only one of them")
        if self.has_fraction and self.outside_rth:
            raise ValueError("fractions are not traded outside regular hours")
        if self.has_fraction and self.order_type in NEVER_FRACTIONAL:
            raise ValueError(f"an order of type {self.order_type} is of whole units")
        if not self.allocations:
            return self
        if len({share.account for share in self.allocations}) != len(self.allocations):
            raise ValueError("an account appears twice in the allocation")
        whole = self.quantity if self.allocation_type == "SHARE" else self.cash_quantity
        if whole is None:
            raise ValueError("shares are allocated of a quantity, cash of a cash amount")
        if sum((share.amount for share in self.allocations), Decimal(0)) != whole:
            raise ValueError("the allocated amounts must add up to the order")
        if self.allocation_type == "SHARE" and any(each.amount % 1 for each in self.allocations):
            raise ValueError("shares are allocated in whole units")
        return self

    @model_validator(mode="after")
    def _prices_fit_the_type(self) -> Self:
        needs_price, needs_aux = PRICES[self.order_type]
        if needs_price is True and self.price is None:
            raise ValueError(f"an order of type {self.order_type} needs a price")
        if needs_price is False and self.price is not None:
            raise ValueError(f"an order of type {self.order_type} has no price")
        if needs_aux is not None and needs_aux != (self.aux_price is not None):
            raise ValueError("a second price (aux_price) goes with STOP_LIMIT, TRAILLMT and LIT, and only with them")
        trailing = (self.trailing_amount is not None, self.trailing_type is not None)
        if trailing != (self.order_type in TRAILING,) * 2:
            raise ValueError("a trailing amount and its type go with TRAIL and TRAILLMT, and only with them")
        if self.strategy_parameters and self.strategy is None:
            raise ValueError("parameters go with the algorithm they are for")
        return self

    @model_validator(mode="after")
    def _futures_say_who(self) -> Self:
        if (self.manual_indicator is None) != (self.ext_operator is None):
            raise ValueError("manual_indicator and ext_operator go together")
        if self.security_type in ("FUT", "FOP") and self.manual_indicator is None:
            raise ValueError("an order for futures says whether a person gave it, and who (CME rule 536-B)")
        return self

    def wire_members(self) -> dict[str, Any]:
        """Return the ticket as IBKR spells it: acctId always given and equal to the path's."""
        members: dict[str, Any] = {
            "acctId": self.path_account,
            "conid": None if self.conid is None else int(self.conid),
            "conidex": self.conidex,
            "cOID": self.client_order_id or None,
            "parentId": self.parent_id,
            "orderType": self.order_type,
            "side": self.side,
            "tif": self.tif,
            "quantity": self.quantity,
            "cashQty": self.cash_quantity,
            "fxQty": self.conversion_quantity,
            "isCcyConv": True if self.conversion_quantity is not None else None,
            "price": self.price,
            "auxPrice": self.aux_price,
            "trailingAmt": self.trailing_amount,
            "trailingType": self.trailing_type,
            "outsideRTH": self.outside_rth,
            "allOrNone": self.all_or_none,
            "useAdaptive": self.use_price_management,
            "strategy": self.strategy,
            "strategyParameters": self.strategy_parameters or None,
            "taxOptimizerId": self.tax_optimizer_id,
            "manualOrderTime": None if self.received_at is None else epoch_seconds(self.received_at),
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
class WhatIf:
    """A ticket to ask about, and nothing else: `orders.place` does not take it, `orders.whatif` takes nothing else.

    It leaves without our key. Whether IBKR notes the key of a what-if is not documented; if it did, the order itself would
    be refused as a duplicate of a thing that never was.
    """

    ticket: OrderTicket

    def question_members(self) -> dict[str, Any]:
        """Return the body IBKR takes."""
        members = self.ticket.wire_members()
        members.pop("cOID", None)
        return {"orders": [members]}


class OrderGroup(Request):
    """Tickets that belong together: a bracket (a parent and its children), or one-cancels-all (`is_one_cancels_all`).

    In a bracket the parent comes first with its key, and each child names it as `parent_id`, has no key of its own
    and goes the other way. IBKR takes nothing else as a basket: unrelated orders are sent one by one.
    """

    tickets: Annotated[tuple[OrderTicket, ...], Field(min_length=2, max_length=10)]
    is_one_cancels_all: bool = False

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        first, *others = self.tickets
        if len({ticket.path_account for ticket in self.tickets}) != 1:
            raise ValueError("the tickets of a group go to the same account")
        keys = [ticket.client_order_id for ticket in self.tickets if ticket.client_order_id]
        if len(set(keys)) != len(keys):
            raise ValueError("a client order id appears twice in the group")
        if self.is_one_cancels_all:
            if any(ticket.parent_id for ticket in self.tickets):
                raise ValueError("in one-cancels-all no ticket has a parent")
            return self
        if first.parent_id or any(ticket.parent_id != first.client_order_id for ticket in others):
            raise ValueError("a bracket is a parent followed by its children, who name its client order id")
        if any(ticket.client_order_id for ticket in others):
            raise ValueError("the children of a bracket have no client order id of their own")
        if any((ticket.conid, ticket.conidex) != (first.conid, first.conidex) for ticket in others):
            raise ValueError("a bracket is of one instrument")
        if any(ticket.side == first.side for ticket in others):
            raise ValueError("the children of a bracket go the other way than their parent")
        return self

    @property
    def path_account(self) -> str:
        """The account, group or master all tickets are addressed to."""
        return self.tickets[0].path_account

    def wire_members(self) -> dict[str, Any]:
        """Return the body IBKR takes, tickets in order."""
        mark = {"isSingleGroup": True} if self.is_one_cancels_all else {}
        return {"orders": [ticket.wire_members() | mark for ticket in self.tickets]}


def epoch_seconds(moment: datetime) -> int:
    """Return an aware instant in whole seconds since 1970, which is how IBKR takes times of orders. Raises ValueError."""
    if moment.tzinfo is None:
        raise ValueError("A time without a zone cannot be sent to IBKR.")
    return timegm(moment.utctimetuple())
