"""The demonstration firm's instruments, groups and the orders of its last days, as the sandbox's world has them. Harmless
when run again."""

import uuid
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from backoffice.broker.models import MasterAccount
from backoffice.people.models import User
from clients.models import Account
from trading import allocation, translate
from trading.models import (
    AllocationGroup,
    Execution,
    Instrument,
    Order,
    OrderAllocation,
    OrderType,
    Status,
    Target,
)
from trading.services import groups, portfolio, tickets
from trading.services.portfolio import Listing

_NAMESPACE = uuid.UUID("7c1a5b5e-2f0e-4c3b-9d0b-6a0d5a9c4e31")
_REASONS = {
    "BUY": "Invest contributions towards the target weight",
    "SELL": "Trim towards the target weight",
}


def load(world: dict[str, Any], people: dict[str, User], master: MasterAccount) -> None:
    """Make what is missing."""
    for fact in world["instruments"]:
        _instrument(fact)
    for fact in world["groups"]:
        if fact["master"] == master.account:
            members = [(member["account"], _decimal(member["amount"])) for member in fact["members"]]
            groups.record_group(master, fact["name"], fact["method"], members)
    mine = [fact for fact in world["orders"] if fact["master"] == master.account]
    for fact in sorted(mine, key=lambda fact: str(fact["placed_at"])):
        if not Order.objects.filter(client_order_id=fact["order_ref"]).exists():
            _order(fact, people, master)


def _instrument(fact: dict[str, Any]) -> None:
    portfolio.remember_instrument(
        Listing(
            conid=str(fact["conid"]),
            symbol=fact["symbol"],
            currency=fact.get("currency") or "USD",
            name=fact.get("name") or "",
            exchange=fact.get("exchange") or "",
            asset_class=fact.get("asset_class") or fact.get("assetClass") or "STK",
            sector=fact.get("sector") or "",
            tick=_decimal(fact.get("min_tick") or fact.get("minTick")),
            multiplier=_decimal(fact.get("multiplier")),
            price_magnifier=_decimal(fact.get("price_magnifier") or fact.get("priceMagnifier")),
        )
    )


def _decimal(value: Any) -> Decimal | None:
    return None if value in (None, "") else Decimal(str(value))


def _order(fact: dict[str, Any], people: dict[str, User], master: MasterAccount) -> None:
    """Write one order that was filled long since; its frozen allocation is what it was promised."""
    shares = {account: Decimal(str(units)) for account, units in fact["promised"].items()}
    accounts = {row.number: row for row in Account.objects.filter(number__in=shares).select_related("client__book")}
    instrument = Instrument.objects.filter(conid=str(fact["conid"])).first()
    if instrument is None or len(accounts) < len(shares):
        return
    placed = datetime.fromisoformat(fact["placed_at"])
    executed = max(datetime.fromisoformat(each["at"]) for each in fact["executions"])
    group = (
        AllocationGroup.objects.filter(master=master, name=fact["target"]).first() if fact["kind"] == "group" else None
    )
    order = Order(
        number=tickets.next_number(),
        intent=uuid.uuid5(_NAMESPACE, fact["order_ref"]),
        client_order_id=fact["order_ref"],
        master=master,
        instrument=instrument,
        side=fact["side"],
        quantity=Decimal(str(fact["quantity"])),
        order_type=fact["order_type"],
        limit_price=_decimal(fact["price"]) if fact["order_type"] == OrderType.LIMIT else None,
        tif=fact["tif"],
        target=Target.GROUP if group else Target.ACCOUNT,
        target_name=fact["target"],
        group=group,
        reason=_REASONS[fact["side"]],
        maker=_maker(people, accounts),
        created_at=placed - timedelta(minutes=2),
        previewed_at=placed - timedelta(seconds=40),
        status=Status.FILLED,
        sent_at=placed,
        ibkr_order_id=str(fact["order_id"]),
        ibkr_status=fact["status"],
        filled=Decimal(str(fact["filled"])),
        average_price=_decimal(fact["average_price"]),
        changed_at=executed,
        settled_at=executed,
        seen_at=executed,
    )
    if group is not None:
        members = [(row.account.number, row.amount) for row in group.members.select_related("account")]
        order.definition = translate.definition_of(group.method, members)
    rows = [
        OrderAllocation(
            order=order,
            account=accounts[number],
            place=place,
            quantity=units,
            has_odd_unit=group is not None and group.method == "E" and units != min(shares.values()),
            basis=allocation_basis(group, accounts[number]),
        )
        for place, (number, units) in enumerate(shares.items())
    ]
    order.allocation_sha256 = translate.allocation_digest(order, rows)
    order.save(force_insert=True)
    OrderAllocation.objects.bulk_create(rows)
    _executions(order, fact["executions"], accounts)


def allocation_basis(group: AllocationGroup | None, account: Account) -> Decimal | None:
    """Return what the share was computed from, where that is known of the past."""
    if group is None or group.method != "E":
        return None
    return allocation.weights_of("E", {account.number: None}, {})[account.number]


def _maker(people: dict[str, User], accounts: dict[str, Account]) -> User:
    """The advisor whose book all of its accounts are in, else a principal."""
    books = {account.client.book_id for account in accounts.values()}
    for key in ("advisor", "advisor2"):
        person = people.get(key)
        if person is not None and len(books) == 1 and person.books.filter(pk__in=books).exists():
            return person
    return people["principal"]


def _executions(order: Order, facts: list[dict[str, Any]], accounts: dict[str, Account]) -> None:
    for fact in facts:
        key, _, revision = str(fact["execution_id"]).rpartition(".")
        is_plain = not key or not revision.isdecimal()
        Execution.objects.create(
            key=str(fact["execution_id"]) if is_plain else key,
            revision=1 if is_plain else int(revision),
            order=order,
            account=accounts[fact["account"]],
            quantity=Decimal(str(fact["quantity"])),
            price=Decimal(str(fact["price"])),
            commission=_decimal(fact["commission"]),
            at=datetime.fromisoformat(fact["at"]),
        )
