"""IBKR's words and ours: order states, questions, and the ticket as it goes out."""

import hashlib
import html
import json
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.utils.html import strip_tags

from backoffice.core.fields import DecimalEncoder
from backoffice.ibkr.types.allocation import GroupDefinition, GroupShare
from backoffice.ibkr.types.orders import OrderTicket, WhatIf
from trading.models import GroupChange, Order, OrderAllocation, Status, Target

# trading.md 8.9. Inactive may come alive again, and PendingCancel may still fill, so neither is an end.
STATUSES: dict[str, Status] = {
    "PendingSubmit": Status.WORKING,
    "PreSubmitted": Status.WORKING,
    "Submitted": Status.WORKING,
    "Inactive": Status.WORKING,
    "WarnState": Status.WORKING,
    "PreCancelled": Status.WORKING,
    "PendingCancel": Status.WORKING,
    "Cancelled": Status.CANCELLED,
    "Filled": Status.FILLED,
}
ASSET_CLASSES = {
    "STK": "Equity",
    "BOND": "Bond",
    "OPT": "Option",
    "FUT": "Future",
    "FUND": "Fund",
    "CASH": "Currency",
    "IND": "Index",
    "CRYPTO": "Crypto",
}
AVAILABILITY = {
    "R": "live",
    "D": "delayed 15 to 20 min",
    "Z": "frozen",
    "Y": "frozen, delayed",
    "N": "not subscribed",
    "O": "market data agreement not signed",
}
_BREAKS = re.compile(r"</(?:h[1-6]|p|div|li)>|<br\s*/?>", re.IGNORECASE)
_SPACES = re.compile(r"[ \t]+")


def asset_class(code: str) -> str:
    """Return our word for IBKR's asset class, or IBKR's code as it came."""
    return ASSET_CLASSES.get(code, code)


def availability(code: str) -> str:
    """Say how live a quote is, from IBKR's field 6509; an unknown code is shown as it came."""
    return AVAILABILITY.get(code[:1], f"IBKR: {code}") if code else "not known"


def plain_words(messages: Sequence[str]) -> str:
    """Return IBKR's sentences with the markup taken off and nothing else changed; it is text, never HTML, from here on.

    Taking tags off is not what keeps the page safe: the page escapes this text as it escapes everything.
    """
    parts = []
    for message in messages:
        text = html.unescape(strip_tags(_BREAKS.sub("\n", message)))
        lines = (_SPACES.sub(" ", line).strip() for line in text.splitlines())
        parts.append("\n".join(line for line in lines if line))
    return "\n\n".join(part for part in parts if part)


def sentences(words: str) -> str:
    """Join the lines IBKR breaks inside a sentence, for a place where the text runs on."""
    return " ".join(words.split())


def digest(content: Any) -> str:
    """Return the SHA-256 of a value's one canonical text."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), cls=DecimalEncoder)
    return hashlib.sha256(text.encode()).hexdigest()


def exact(value: Decimal | None) -> str | None:
    """Write a number in the one form that is hashed: no exponent, no trailing zeros."""
    if value is None:
        return None
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def allocation_digest(order: Order, allocations: Sequence[OrderAllocation]) -> str:
    """Return the hash that freezes an order: what, how much, at what price, by which group, and each account's units."""
    return digest(
        {
            "conid": order.instrument.conid,
            "side": order.side,
            "quantity": exact(order.quantity),
            "type": order.order_type,
            "limit": exact(order.limit_price),
            "tif": order.tif,
            "target": [order.target, order.target_name],
            "group": order.definition,
            "allocations": [[row.account.number, exact(row.quantity)] for row in allocations],
        }
    )


def ticket(order: Order, allocations: Sequence[OrderAllocation]) -> OrderTicket:
    """Return the order as it goes to IBKR. Raises ValueError when it cannot be one."""
    target: dict[str, Any]
    match order.target:
        case Target.GROUP:
            target = {"group": order.target_name}
        case Target.CHOSEN:
            # IBKR takes inline amounts as ratios; they are whole units that add up to the order (trading.md 9.4).
            shares = [
                {"account": row.account.number, "amount": exact(row.quantity)} for row in allocations if row.quantity
            ]
            target = {"master": order.target_name, "allocations": shares}
        case _:
            target = {"account": order.target_name}
    return _ticket(order, order.quantity, target)


def _ticket(order: Order, quantity: Decimal, target: dict[str, Any]) -> OrderTicket:
    return OrderTicket.model_validate(
        {
            "client_order_id": order.client_order_id,
            "conid": order.instrument.conid,
            "side": order.side,
            "order_type": order.order_type,
            "tif": order.tif,
            "quantity": exact(quantity),
            "price": exact(order.limit_price),
            **target,
        }
    )


def what_if(order: Order, allocations: Sequence[OrderAllocation]) -> WhatIf:
    """Return the question what an order would do as a whole. Raises ValueError when it cannot be an order."""
    return WhatIf(ticket(order, allocations))


def what_if_for(order: Order, share: OrderAllocation) -> WhatIf:
    """Return the question what one account's share would do if it were an order of its own."""
    return WhatIf(_ticket(order, share.quantity, {"account": share.account.number}))


def group_definition(change: GroupChange) -> GroupDefinition:
    """Return a group as it goes to IBKR. Raises ValueError when it cannot be one."""
    members = tuple(
        GroupShare(
            account=member["account"], amount=None if member.get("amount") is None else Decimal(member["amount"])
        )
        for member in change.members
    )
    return GroupDefinition.model_validate({"name": change.name, "method": change.method, "members": members})


def definition_of(method: str, members: Sequence[tuple[str, Decimal | None]]) -> dict[str, Any]:
    """Return a group's method and members in the one form that is frozen and compared, whatever order IBKR lists them in."""
    return {"method": method, "members": [[account, exact(amount)] for account, amount in sorted(members)]}
