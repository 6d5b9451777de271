"""Allocation groups and presets of a master account, and the weights by which a block is shared."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from starlette.routing import BaseRoute

from backoffice.sandbox.jsonio import dumps, loads

from .desk import Call, Desk, Needs, Refusal, route
from .split import NothingToSplitBy, split
from .valuation import Valuation, cents, value

COMPUTED = ("A", "E", "N")  # available equity, equal quantity, net liquidation value: IBKR computes the ratio
GIVEN = ("C", "P", "R", "S")  # cash, percentages, ratios, shares: the group carries an amount for each account
ALL = "All"  # the built-in group of every open account
DEFAULT_PRESETS: dict[str, Any] = {
    "default_method_for_all": "N",
    "group_auto_close_positions": False,
    "profiles_auto_close_positions": False,
    "strict_credit_check": False,
    "group_proportional_allocation": False,
}


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    method: str
    members: dict[str, Decimal | None]  # account: amount, None for the methods IBKR computes


def routes(desk: Desk) -> list[BaseRoute]:
    base, need = "/iserver/account/allocation", Needs.SESSION
    return [
        route(desk, "GET", f"{base}/accounts", _equities, need),
        route(desk, "GET", f"{base}/group", _listed, need),
        route(desk, "POST", f"{base}/group", _create, need),
        route(desk, "PUT", f"{base}/group", _replace, need),
        route(desk, "POST", f"{base}/group/single", _single, need),
        route(desk, "POST", f"{base}/group/delete", _delete, need),
        route(desk, "GET", f"{base}/presets", _shown_presets, need),
        route(desk, "POST", f"{base}/presets", _set_presets, need),
    ]


def names(desk: Desk, master: str) -> list[str]:
    rows = desk.sandbox.store.rows("SELECT name FROM trading_groups WHERE master = ? ORDER BY name", master)
    return [row["name"] for row in rows]


def get(desk: Desk, master: str, name: str) -> Group | None:
    """Return a group by its exact name, the built-in one included."""
    if name == ALL:
        method = str(presets(desk, master)["default_method_for_all"])
        return Group(ALL, method, {account.account: None for account in desk.open_accounts(master)})
    row = desk.sandbox.store.row("SELECT * FROM trading_groups WHERE master = ? AND name = ?", master, name)
    if row is None:
        return None
    members = {account: None if amount is None else Decimal(amount) for account, amount in loads(row["members"])}
    return Group(row["name"], row["method"], members)


def keep(desk: Desk, master: str, group: Group) -> None:
    members = [(account, None if amount is None else str(amount)) for account, amount in group.members.items()]
    desk.sandbox.store.execute(
        "INSERT OR REPLACE INTO trading_groups VALUES (?, ?, ?, ?)", master, group.name, group.method, dumps(members)
    )


def presets(desk: Desk, master: str) -> dict[str, Any]:
    kept = desk.sandbox.store.value("SELECT presets FROM trading_presets WHERE master = ?", master)
    return {**DEFAULT_PRESETS, **(loads(kept) if kept else {})}


def weights(desk: Desk, group: Group) -> dict[str, Decimal]:
    """Return each member's weight at this moment; IBKR computes A, E and N when the order comes, from live values."""
    if group.method == "E":
        return dict.fromkeys(group.members, Decimal(1))
    if group.method in COMPUTED:
        worth = {account: _worth(desk, account) for account in group.members}
        return {
            account: max(_figure(found, group.method) * _rate(desk, found), Decimal(0))
            for account, found in worth.items()
        }
    return {account: amount or Decimal(0) for account, amount in group.members.items()}


def in_turn(desk: Desk, conid: int, weighed: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """The same weights in the order in which equal remainders are served: as listed, or drawn by lot (knob `remainders`).

    The lot follows from the seed, the contract and the accounts, so that a preview, a question and the order agree.
    """
    accounts = list(weighed)
    if desk.knob("remainders", "listed") == "drawn":
        random.Random(f"{desk.sandbox.seed}:{conid}:{','.join(sorted(accounts))}").shuffle(accounts)
    return {account: weighed[account] for account in accounts}


def promise(desk: Desk, master: str, group: Group, conid: int, side: str, quantity: int) -> dict[str, int]:
    """Share a block by the group's method as the presets say. Raises NothingToSplitBy.

    With closing priority, accounts with an opposite position get as much as closes it before the rest is shared by method.
    Closing priority without proportional allocation, for the methods IBKR computes, instead brings every position as near as
    one order can to its share of what the group will hold: accounts that have enough already get nothing.
    """
    chosen, weighed = presets(desk, master), in_turn(desk, conid, weights(desk, group))
    is_computed = group.method in COMPUTED
    if not chosen["group_auto_close_positions" if is_computed else "profiles_auto_close_positions"]:
        return split(quantity, weighed)
    held = {account: _held(desk, account, conid) for account in weighed}
    sign = 1 if side == "BUY" else -1
    if is_computed and not chosen["group_proportional_allocation"]:
        total, weight = sum(held.values()) + sign * quantity, sum(weighed.values())
        if not weight:
            raise NothingToSplitBy
        return split(quantity, {name: sign * (total * weighed[name] / weight - held[name]) for name in weighed})
    closing = {account: Decimal(max(int(-sign * units), 0)) for account, units in held.items()}
    first = min(quantity, int(sum(closing.values())))
    shares = split(first, closing) if first else dict.fromkeys(weighed, 0)
    rest = split(quantity - first, weighed)
    return {account: shares[account] + rest[account] for account in weighed}


def _held(desk: Desk, account: str, conid: int) -> Decimal:
    found = desk.sandbox.books.holdings(account)
    return sum((holding.quantity for holding in found if holding.conid == conid), Decimal(0))


def tws_login(desk: Desk, master: str, presets_there: dict[str, Any]) -> None:
    """What a login to Trader Workstation does: the presets kept there replace those set through the API."""
    kept = {**DEFAULT_PRESETS, **presets_there}
    desk.sandbox.store.execute("INSERT OR REPLACE INTO trading_presets VALUES (?, ?)", master, dumps(kept))


def _worth(desk: Desk, account: str) -> Valuation:
    row = desk.sandbox.accounts.get(account)
    if row is None:
        raise LookupError(account)
    return value(desk.sandbox, row)


def _figure(found: Valuation, method: str) -> Decimal:
    return found.net_liquidation if method == "N" else found.available


def _rate(desk: Desk, found: Valuation) -> Decimal:
    """What one unit of the account's base currency is worth in that of its master account."""
    master = desk.sandbox.accounts.master(found.account.master)
    if master is None:
        raise LookupError(found.account.master)
    return desk.sandbox.market.fx(found.account.base_currency, master.base_currency, found.at)


def _equities(call: Call) -> dict[str, Any]:
    """The figures the methods A and N are computed from, each in its account's base currency or in the master's."""
    found = [value(call.desk.sandbox, account) for account in call.desk.open_accounts(call.master)]
    is_master_s = call.desk.knob("equities_currency", "account") == "master"

    def text(amount: Decimal, worth: Valuation) -> str:
        return f"{cents(amount * _rate(call.desk, worth)) if is_master_s else amount:f}"

    return {
        "accounts": [
            {
                "name": worth.account.account,
                "data": [
                    {"key": "NetLiquidation", "value": text(worth.net_liquidation, worth)},
                    {"key": "AvailableEquity", "value": text(worth.available, worth)},
                ],
            }
            for worth in found
        ]
    }


def _listed(call: Call) -> dict[str, Any]:
    found = [group for name in names(call.desk, call.master) if (group := get(call.desk, call.master, name))]
    return {
        "data": [{"name": group.name, "allocation_method": group.method, "size": len(group.members)} for group in found]
    }


def _create(call: Call) -> dict[str, bool]:
    group = _read(call)
    if group.name == ALL or get(call.desk, call.master, group.name) is not None:
        raise _refused(call, f"Group {group.name} already exists")
    keep(call.desk, call.master, group)
    _record(call, group.name, "create", group)
    return {"success": True}


def _replace(call: Call) -> dict[str, bool]:
    group = _read(call)
    previous = call.json().get("prev_name", group.name)
    if previous == ALL or get(call.desk, call.master, str(previous)) is None:
        raise _refused(call, f"Group {previous} doesn't exist")
    if group.name != previous and (group.name == ALL or get(call.desk, call.master, group.name) is not None):
        raise _refused(call, f"Group {group.name} already exists")
    call.desk.sandbox.store.execute("DELETE FROM trading_groups WHERE master = ? AND name = ?", call.master, previous)
    keep(call.desk, call.master, group)
    _record(call, group.name, "replace", group)
    return {"success": True}


def _single(call: Call) -> dict[str, Any]:
    name = call.json().get("name")
    group = get(call.desk, call.master, name) if isinstance(name, str) else None
    if group is None:
        raise _refused(call, f"Group {name} doesn't exist")
    return {"name": group.name, "default_method": group.method, "accounts": _members(group)}


def _members(group: Group) -> list[dict[str, Any]]:
    return [
        {"name": account} if amount is None else {"name": account, "amount": amount}
        for account, amount in group.members.items()
    ]


def _delete(call: Call) -> dict[str, bool]:
    name = call.json().get("name")
    if not call.desk.sandbox.store.execute(
        "DELETE FROM trading_groups WHERE master = ? AND name = ?", call.master, str(name)
    ):
        raise _refused(call, f"Group {name} doesn't exist")
    _record(call, str(name), "delete", None)
    return {"success": True}


def _shown_presets(call: Call) -> dict[str, Any]:
    """Presets spell out the method that groups call A."""
    chosen = presets(call.desk, call.master)
    method = chosen["default_method_for_all"]
    return {**chosen, "default_method_for_all": "AvailableEquity" if method == "A" else method}


def _set_presets(call: Call) -> dict[str, bool]:
    wanted = call.json()
    missing = [key for key in DEFAULT_PRESETS if key not in wanted]
    method = wanted.get("default_method_for_all")
    if missing or method not in ("AvailableEquity", "E", "N", *GIVEN):
        raise _refused(call, f"Invalid presets: {', '.join(missing) or 'default_method_for_all'}")
    if any(not isinstance(wanted[key], bool) for key in DEFAULT_PRESETS if key != "default_method_for_all"):
        raise _refused(call, "Invalid presets: the switches must be true or false")
    chosen = {key: wanted[key] for key in DEFAULT_PRESETS}
    chosen["default_method_for_all"] = "A" if method == "AvailableEquity" else method
    call.desk.sandbox.store.execute("INSERT OR REPLACE INTO trading_presets VALUES (?, ?)", call.master, dumps(chosen))
    return {"success": True}


def _read(call: Call) -> Group:
    """Read and check the group in a create or replace body."""
    body = call.json()
    name, method, listed = body.get("name"), body.get("default_method"), body.get("accounts")
    if not isinstance(name, str) or not name.strip() or "/" in name:
        raise _refused(call, "Invalid group name")
    if method not in (*COMPUTED, *GIVEN):
        raise _refused(call, f"Invalid allocation method: {method}")
    if not isinstance(listed, list) or not listed:
        raise _refused(call, "Group must contain at least one account")
    opened = {account.account for account in call.desk.open_accounts(call.master)}
    members: dict[str, Decimal | None] = {}
    for item in listed:
        account = item.get("name") if isinstance(item, dict) else None
        if not isinstance(account, str) or account not in opened:
            raise _refused(call, f"Invalid account: {account}")
        if account in members:
            raise _refused(call, f"Duplicate account: {account}")
        members[account] = _amount(call, item, account) if method in GIVEN else None
        if call.desk.knob("whole_amounts", False) and (members[account] or Decimal(0)) % 1:
            raise _refused(call, f"Invalid amount for account {account}")
    is_whole = sum((amount or Decimal(0) for amount in members.values()), Decimal(0)) == 100
    if method == "P" and not is_whole and call.desk.knob("percentages_add_up", True):
        raise _refused(call, "Percentages must add up to 100")
    if method in GIVEN and not any(members.values()):
        raise _refused(call, "Amounts must not all be zero")
    return Group(name, method, members)


def _amount(call: Call, item: dict[str, Any], account: str) -> Decimal:
    amount = item.get("amount")
    if isinstance(amount, bool) or not isinstance(amount, int | Decimal) or amount < 0:
        raise _refused(call, f"Invalid amount for account {account}")
    return Decimal(amount)


def _refused(call: Call, why: str) -> Refusal:
    """A refusal of the allocation endpoints: 500 with words, as the documents have it. The words are not known, so they are
    the sandbox's own; the knobs play another status, words that say nothing, and `success` false without any."""
    words = call.desk.knob("allocation_refusal_words", "own")
    body = {"success": False} if words == "none" else {"error": why if words == "own" else "Operation failed"}
    return Refusal(int(call.desk.knob("allocation_refusal_status", 500)), body)


def _record(call: Call, name: str, action: str, group: Group | None) -> None:
    data: dict[str, Any] = {"master": call.master, "action": action}
    if group is not None:
        data |= {"default_method": group.method, "accounts": _members(group)}
    call.request.state.key = name
    call.desk.sandbox.ledger.record("group", name, name, data)
