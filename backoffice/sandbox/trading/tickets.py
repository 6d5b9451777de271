"""Reading an order ticket as IBKR does: unknown keys pass in silence, wrong types and missing essentials do not."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from backoffice.sandbox import instruments
from backoffice.sandbox.instruments import Instrument
from backoffice.sandbox.jsonio import dumps, loads

from . import groups, rules
from .desk import Call, Refusal, bad_request
from .kinds import KINDS, MERELY_SEEN, STOP_LIMIT, TIFS
from .split import NothingToSplitBy, split

LARGEST = 1_000_000_000
LONGEST_COID = 64


@dataclass(frozen=True, slots=True)
class Ticket:
    kind: str  # account, group, inline
    target: str
    conid: int
    side: str
    order_type: str
    tif: str
    quantity: int
    price: Decimal | None
    aux_price: Decimal | None
    outside_rth: bool
    coid: str
    amounts: dict[str, Decimal]  # of an inline allocation: ratios of the quantity, whatever they add up to
    parent: str = ""  # the parent's cOID or order id
    is_single_group: bool = False
    trailing_amount: Decimal | None = None
    trailing_type: str = ""
    all_or_none: bool = False
    cash_quantity: Decimal | None = None
    uses_adaptive: bool = False
    is_deactivated: bool = False
    method: str = ""  # of a group order, instead of the group's own

    def to_json(self) -> str:
        def text(value: Any) -> Any:
            return str(value) if isinstance(value, Decimal) else value

        amounts = {account: str(amount) for account, amount in self.amounts.items()}
        return dumps({name: text(getattr(self, name)) for name in self.__slots__} | {"amounts": amounts})

    @classmethod
    def from_json(cls, kept: str) -> "Ticket":
        found = loads(kept)
        for name in ("price", "aux_price", "trailing_amount", "cash_quantity"):
            found[name] = None if found[name] is None else Decimal(found[name])
        found["amounts"] = {account: Decimal(amount) for account, amount in found["amounts"].items()}
        return cls(**found)


def refused(call: Call, why: str) -> Refusal:
    """A refusal of the order itself. IBKR sends these with 200, 400 or 500; the knob `refusal_status` says which."""
    return Refusal(int(call.desk.knob("refusal_status", 200)), {"error": why})


@dataclass(frozen=True, slots=True)
class Refused:
    """A ticket of a bracket or OCA group that IBKR does not take, beside others that it does."""

    why: str


def read(call: Call, path_account: str) -> list[Ticket | Refused]:
    """Read the body, `{"orders": [ticket, ...]}` or a bare array, and check it. Raises Refusal.

    One ticket, or the tickets of one bracket or OCA group; anything else is a basket and refused whole. The first ticket is
    always a Ticket: without it there is nothing to place.
    """
    body = call.any_json()
    listed = body.get("orders") if isinstance(body, dict) else body
    if not isinstance(listed, list) or not listed or not all(isinstance(ticket, dict) for ticket in listed):
        raise bad_request("orders must be an array of order tickets")
    if len(listed) > 1 and not _is_one_set(listed):
        raise bad_request("orders must be the tickets of one bracket or one OCA group")
    found: list[Ticket | Refused] = [read_one(call, listed[0], path_account)]
    for raw in listed[1:]:
        try:
            found.append(read_one(call, raw, path_account))
        except Refusal as refusal:
            if "statusCode" in refusal.body:
                raise
            found.append(Refused(str(refusal.body["error"])))
    return found


def _is_one_set(listed: list[dict[str, Any]]) -> bool:
    """Children name the client order id of a ticket before them; or every ticket says that it is of a single group."""
    if all(raw.get("isSingleGroup") is True for raw in listed):
        return True
    parents: set[str] = set()
    for place, raw in enumerate(listed):
        if place and str(raw.get("parentId")) not in parents:
            return False
        if isinstance(raw.get("cOID"), str) and raw["cOID"]:
            parents.add(raw["cOID"])
    return True


def read_one(call: Call, raw: dict[str, Any], path_account: str) -> Ticket:
    kind, target = _target(call, raw, path_account)
    side, order_type, tif = _word(raw, "side"), _order_type(call, raw), _word(raw, "tif")
    if call.desk.knob("side_in_any_case", False):
        side = side.upper()
    if side not in ("BUY", "SELL"):
        raise bad_request(f"side is not valid: {side}")
    instrument = _instrument(call, raw)
    is_american = instrument.currency == "USD"
    if order_type not in KINDS or not (is_american or KINDS[order_type].abroad):
        raise refused(call, f"Order type {order_type} is not supported for this contract")
    _check_tif(call, order_type, tif, is_american=is_american)
    price, aux_price = _prices(call, raw, order_type)
    _check_prices(call, order_type, price, aux_price)
    coid, outside, parent = raw.get("cOID", ""), _flag(raw, "outsideRTH"), raw.get("parentId", "")
    if not isinstance(coid, str) or len(coid) > LONGEST_COID:
        raise bad_request("cOID must be text of at most 64 characters")
    if not isinstance(parent, str):
        raise bad_request("parentId must be text")
    if outside and not KINDS[order_type].outside:
        raise refused(call, "invalid order attribute : Outside Regular Trading Hours")
    if _flag(raw, "allOrNone") and not rules.takes_all_or_none(call.desk, instrument):
        raise refused(call, "invalid order attribute : All or None")
    if "fxQty" in raw or "isCcyConv" in raw:
        raise refused(call, "Currency conversion orders are not supported for this contract")
    cash, trailing = _number(raw, "cashQty"), _trailing(call, raw, order_type)
    needs_cash = kind == "group" and _needs_cash(call, target)
    if needs_cash and cash is None:
        raise refused(call, "Your order is not accepted. Reason: a group by cash quantity needs a cash quantity.")
    amounts = _amounts(call, raw, is_cash=cash is not None) if kind == "inline" else {}
    return Ticket(
        kind, target, instrument.conid, side, order_type, tif,
        _quantity(call, raw) if cash is None else _bought_for(call, raw, instrument, price, cash, may=needs_cash),
        price, aux_price, outside, coid, amounts,
        parent=parent,
        is_single_group=_flag(raw, "isSingleGroup"),
        trailing_amount=trailing[0],
        trailing_type=trailing[1],
        all_or_none=_flag(raw, "allOrNone"),
        cash_quantity=cash,
        uses_adaptive=_flag(raw, "useAdaptive"),
        is_deactivated=_flag(raw, "deactivated"),
        method=_method(call, raw, kind),
    )  # fmt: skip


def _order_type(call: Call, raw: dict[str, Any]) -> str:
    """The type as the table of kinds has it; the knobs say which of the doubtful names are taken."""
    named = _word(raw, "orderType")
    is_unknown = named in MERELY_SEEN and call.desk.knob("order_types", "all") == "documented"
    if named in STOP_LIMIT:
        is_unknown = call.desk.knob("stop_limit_name", "both") not in ("both", STOP_LIMIT[named])
        named = "STOP_LIMIT"
    if is_unknown:
        raise refused(call, f"Order type {raw['orderType']} is not supported for this contract")
    return named


def _prices(call: Call, raw: dict[str, Any], order_type: str) -> tuple[Decimal | None, Decimal | None]:
    """Both prices; of an order with one trigger the field that does not hold it is a key nobody knows."""
    price, aux_price = _number(raw, "price"), _number(raw, "auxPrice")
    if order_type in ("STP", "MIT"):
        where = call.desk.knob("stop_of_stp", "either")
        price, aux_price = (price if where != "aux" else None), (aux_price if where != "price" else None)
    return price, aux_price


def _flag(raw: dict[str, Any], key: str) -> bool:
    found = raw.get(key, False)
    if not isinstance(found, bool):
        raise bad_request(f"{key} must be true or false")
    return found


def _check_tif(call: Call, order_type: str, tif: str, *, is_american: bool) -> None:
    is_taken = tif in TIFS
    if tif == "OPG":  # the opening auction
        is_taken = is_american and order_type in ("MKT", "LMT")
    elif tif in ("OVT", "OND"):  # overnight
        is_taken = is_american and order_type == "LMT"
    elif order_type in ("MOC", "LOC"):
        is_taken = tif == "DAY"
    elif tif == "IOC":
        is_taken = KINDS[order_type].trigger == ""
    if not is_taken:
        raise refused(call, f"invalid time in force: {tif}")


def _trailing(call: Call, raw: dict[str, Any], order_type: str) -> tuple[Decimal | None, str]:
    """A trailing order needs both fields; on any other type they are unknown keys."""
    if KINDS[order_type].trigger != "trail":
        return None, ""
    amount, unit = _number(raw, "trailingAmt"), raw.get("trailingType")
    if amount is None or unit not in ("amt", "%"):
        raise refused(call, "invalid order price fields")
    return amount, unit


_METHODS = {"NetLiquidity": "N", "AvailableEquity": "A", "EqualQuantity": "E"}


def _method(call: Call, raw: dict[str, Any], kind: str) -> str:
    """The legacy override of a group's method; `PctChange` needs a set-up in Trader Workstation that nobody has here.

    With the knob `allocation_method` it is a key nobody knows any more, or refused.
    """
    named, how = raw.get("allocationMethod"), call.desk.knob("allocation_method", "taken")
    if named is None or kind != "group" or how == "ignored":
        return ""
    if named not in _METHODS or how == "refused":
        raise refused(call, f"Invalid allocation method: {named}")
    return _METHODS[named]


def _target(call: Call, raw: dict[str, Any], path_account: str) -> tuple[str, str]:
    """Who the order is for. An absent acctId means the first account of /iserver/accounts, as at IBKR: never leave it out."""
    opened = [account.account for account in call.desk.open_accounts(call.master)]
    named = {groups.ALL, *groups.names(call.desk, call.master)}
    if path_account not in {call.master, *opened, *named}:
        raise bad_request(f"accountId is not valid: {path_account}")
    wanted = raw.get("acctId")
    if wanted is None:
        wanted = opened[0] if path_account in opened else path_account
    if not isinstance(wanted, str) or (
        raw.get("acctId") is not None and wanted != path_account and wanted not in named
    ):
        raise refused(call, "Invalid account ID")
    has_profile = isinstance(raw.get("jsonPayload"), dict) and "allocation_profile" in raw["jsonPayload"]
    if wanted == call.master and has_profile:
        return "inline", call.master
    if has_profile:
        raise refused(call, "Invalid account number")  # an account or a group and an allocation exclude each other
    if wanted == call.master:
        raise refused(call, "Your order is not accepted. Reason: an order of an advisor account needs an allocation.")
    return ("group" if wanted in named else "account"), wanted


def _word(raw: dict[str, Any], key: str) -> str:
    found = raw.get(key)
    if not isinstance(found, str) or not found:
        raise bad_request(f"{key} is required")
    return found


def _number(raw: dict[str, Any], key: str) -> Decimal | None:
    found = raw.get(key)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | Decimal):
        raise bad_request(f"{key} must be a number")
    number = Decimal(found)
    if not 0 < number <= LARGEST:
        raise bad_request(f"{key} must be greater than zero")
    return number


def _check_prices(call: Call, order_type: str, price: Decimal | None, aux_price: Decimal | None) -> None:
    kind = KINDS[order_type]
    is_missing = (kind.needs_price and price is None) or (kind.needs_aux and aux_price is None)
    if order_type in ("STP", "MIT"):
        is_missing = price is None and aux_price is None
    if is_missing or (price is not None and not kind.takes_price):
        raise refused(call, "invalid order price fields")


def _instrument(call: Call, raw: dict[str, Any]) -> Instrument:
    found = raw.get("conid")
    if found is None and isinstance(raw.get("conidex"), str):
        text = raw["conidex"].partition("@")[0]
        found = int(text) if text.isdecimal() and len(text) < 12 else None
    if isinstance(found, bool) or not isinstance(found, int):
        raise bad_request("conid is required and must be an integer")
    instrument = instruments.get(found)
    if instrument is None:
        raise bad_request(f"no contract found for conid {found}")
    if instrument.asset_class == "FUT" and ("manualIndicator" not in raw or "extOperator" not in raw):
        raise refused(call, "manualIndicator and extOperator are required for US futures (CME Rule 536-B)")
    if not instrument.is_tradable:
        raise refused(call, "No trading permissions.")
    return instrument


def _quantity(call: Call, raw: dict[str, Any]) -> int:
    found = _number(raw, "quantity")
    if found is None:
        raise bad_request("quantity is required")
    if found != found.to_integral_value():
        raise refused(call, "The account does not have permission to trade fractional shares")
    return int(found)


def _needs_cash(call: Call, name: str) -> bool:
    """Whether orders for this group carry an amount of cash: those for a C group, with the knob `cash_groups`."""
    group = groups.get(call.desk, call.master, name)
    return group is not None and group.method == "C" and call.desk.knob("cash_groups", "quantity") == "cash"


def _bought_for(
    call: Call, raw: dict[str, Any], instrument: Instrument, price: Decimal | None, cash: Decimal, *, may: bool = False
) -> int:
    """The whole shares an amount of cash buys at the limit, else at the market: rounded down, at least one."""
    if not may and not call.desk.knob("supports_cash_quantity", False):
        raise refused(call, "Cash quantity orders are not supported for this account")
    if "quantity" in raw:
        raise refused(call, "invalid order attribute : quantity and cashQty exclude each other")
    bid, ask = call.desk.sandbox.market.spread(instrument.conid)
    units = int(cash / instrument.value(Decimal(1), price or (ask if raw["side"] == "BUY" else bid)))
    if units < 1:
        raise refused(call, "Your order is not accepted. Reason: the cash quantity buys less than one share.")
    return units


def _amounts(call: Call, raw: dict[str, Any], *, is_cash: bool) -> dict[str, Decimal]:
    profile = raw["jsonPayload"]["allocation_profile"]
    listed = profile.get("allocations") if isinstance(profile, dict) else None
    if not isinstance(listed, list) or not listed:
        raise bad_request("allocation_profile.allocations is required")
    if profile.get("alloc_type") != ("CASH" if is_cash else "SHARE"):
        raise refused(call, f"allocation type {profile.get('alloc_type')} is not supported for this order")
    opened = {account.account for account in call.desk.open_accounts(call.master)}
    amounts: dict[str, Decimal] = {}
    for item in listed:
        account = item.get("account") if isinstance(item, dict) else None
        if not isinstance(account, str) or account not in opened or account in amounts:
            raise refused(call, "Invalid account number")
        amount = _number(item, "amount")
        if amount is None:
            raise bad_request("amount is required for every allocation")
        amounts[account] = amount
    return amounts


def promise(call: Call, ticket: Ticket) -> dict[str, int]:
    """Share the ticket's quantity among its accounts, by live values where IBKR computes the ratio. Raises Refusal."""
    if ticket.kind == "account":
        return {ticket.target: ticket.quantity}
    try:
        if ticket.kind == "inline":
            return split(ticket.quantity, groups.in_turn(call.desk, ticket.conid, ticket.amounts))
        group = groups.get(call.desk, call.master, ticket.target)
        if group is None:
            raise refused(call, "Invalid account ID")  # deleted while a question was open
        if ticket.method:
            group = replace(group, method=ticket.method)
        is_scaled = group.method == "S" and sum(groups.weights(call.desk, group).values()) != ticket.quantity
        if is_scaled and not call.desk.knob("shares_scaled", True):
            raise refused(
                call, "Your order is not accepted. Reason: the quantity is not the sum of the group's shares."
            )
        return groups.promise(call.desk, call.master, group, ticket.conid, ticket.side, ticket.quantity)
    except NothingToSplitBy as nothing:
        raise refused(call, "Your order is not accepted. Reason: no account can receive a share of it.") from nothing
