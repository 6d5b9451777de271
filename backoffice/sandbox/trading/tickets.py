"""Reading an order ticket as IBKR does: unknown keys pass in silence, wrong types and missing essentials do not."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from backoffice.sandbox import instruments
from backoffice.sandbox.jsonio import dumps, loads

from . import groups
from .desk import Call, Refusal, bad_request
from .split import NothingToSplitBy, split

ORDER_TYPES = ("LMT", "MKT", "STP", "STOP_LIMIT")
TIFS = ("DAY", "GTC", "IOC")
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

    def to_json(self) -> str:
        return dumps(
            [
                self.kind,
                self.target,
                self.conid,
                self.side,
                self.order_type,
                self.tif,
                self.quantity,
                None if self.price is None else str(self.price),
                None if self.aux_price is None else str(self.aux_price),
                self.outside_rth,
                self.coid,
                {account: str(amount) for account, amount in self.amounts.items()},
            ]
        )

    @classmethod
    def from_json(cls, text: str) -> "Ticket":
        kind, target, conid, side, order_type, tif, quantity, price, aux_price, outside_rth, coid, amounts = loads(text)
        return cls(
            kind,
            target,
            conid,
            side,
            order_type,
            tif,
            quantity,
            None if price is None else Decimal(price),
            None if aux_price is None else Decimal(aux_price),
            outside_rth,
            coid,
            {account: Decimal(amount) for account, amount in amounts.items()},
        )


def refused(call: Call, why: str) -> Refusal:
    """A refusal of the order itself. IBKR sends these with 200, 400 or 500; the knob `refusal_status` says which."""
    return Refusal(int(call.desk.knob("refusal_status", 200)), {"error": why})


def read(call: Call, path_account: str) -> Ticket:
    """Read the one ticket of the body, `{"orders": [ticket]}` or a bare array, and check it. Raises Refusal."""
    body = call.any_json()
    tickets = body.get("orders") if isinstance(body, dict) else body
    if not isinstance(tickets, list) or not tickets or not all(isinstance(ticket, dict) for ticket in tickets):
        raise bad_request("orders must be an array of order tickets")
    if len(tickets) > 1:
        raise bad_request("the sandbox takes one order ticket at a time")
    return _read(call, tickets[0], path_account)


def _read(call: Call, raw: dict[str, Any], path_account: str) -> Ticket:
    kind, target = _target(call, raw, path_account)
    side, order_type, tif = _word(raw, "side"), _word(raw, "orderType"), _word(raw, "tif")
    if side not in ("BUY", "SELL"):
        raise bad_request(f"side is not valid: {side}")
    if order_type not in ORDER_TYPES:
        raise refused(call, f"Order type {order_type} is not supported for this contract")
    if tif not in TIFS:
        raise refused(call, f"invalid time in force: {tif}")
    if any(key in raw for key in ("cashQty", "fxQty", "isCcyConv")):
        raise refused(call, "Cash quantity orders are not supported for this account")
    price, aux_price = _number(raw, "price"), _number(raw, "auxPrice")
    _check_prices(call, order_type, price, aux_price)
    coid, outside = raw.get("cOID", ""), raw.get("outsideRTH", False)
    if not isinstance(coid, str) or len(coid) > LONGEST_COID:
        raise bad_request("cOID must be text of at most 64 characters")
    if not isinstance(outside, bool):
        raise bad_request("outsideRTH must be true or false")
    if outside and order_type in ("MKT", "STP"):
        raise refused(call, "invalid order attribute : Outside Regular Trading Hours")
    amounts = _amounts(call, raw) if kind == "inline" else {}
    return Ticket(
        kind,
        target,
        _conid(call, raw),
        side,
        order_type,
        tif,
        _quantity(call, raw),
        price,
        aux_price,
        outside,
        coid,
        amounts,
    )


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
    is_missing = {
        "LMT": price is None,
        "STP": price is None and aux_price is None,
        "STOP_LIMIT": price is None or aux_price is None,
        "MKT": False,
    }[order_type]
    if is_missing or (order_type == "MKT" and price is not None):
        raise refused(call, "invalid order price fields")


def _conid(call: Call, raw: dict[str, Any]) -> int:
    found = raw.get("conid")
    if found is None and isinstance(raw.get("conidex"), str):
        text = raw["conidex"].partition("@")[0]
        found = int(text) if text.isdecimal() and len(text) < 12 else None
    if isinstance(found, bool) or not isinstance(found, int):
        raise bad_request("conid is required and must be an integer")
    instrument = instruments.get(found)
    if instrument is None:
        raise bad_request(f"no contract found for conid {found}")
    if not instrument.is_tradable:
        raise refused(call, "No trading permissions.")
    return instrument.conid


def _quantity(call: Call, raw: dict[str, Any]) -> int:
    found = _number(raw, "quantity")
    if found is None:
        raise bad_request("quantity is required")
    if found != found.to_integral_value():
        raise refused(call, "The account does not have permission to trade fractional shares")
    return int(found)


def _amounts(call: Call, raw: dict[str, Any]) -> dict[str, Decimal]:
    profile = raw["jsonPayload"]["allocation_profile"]
    listed = profile.get("allocations") if isinstance(profile, dict) else None
    if not isinstance(listed, list) or not listed:
        raise bad_request("allocation_profile.allocations is required")
    if profile.get("alloc_type") != "SHARE":
        raise refused(call, f"allocation type {profile.get('alloc_type')} is not supported for this order")
    opened = {account.account for account in call.desk.open_accounts(call.master)}
    amounts: dict[str, Decimal] = {}
    for item in listed:
        account = item.get("account") if isinstance(item, dict) else None
        if account not in opened or account in amounts:
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
            return split(ticket.quantity, ticket.amounts)
        group = groups.get(call.desk, call.master, ticket.target)
        if group is None:
            raise refused(call, "Invalid account ID")  # deleted while a question was open
        return split(ticket.quantity, groups.weights(call.desk, group))
    except NothingToSplitBy as nothing:
        raise refused(call, "Your order is not accepted. Reason: no account can receive a share of it.") from nothing
