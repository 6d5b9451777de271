"""Drawing up an order: the ticket, its allocation, its preview, and the promise to send exactly that."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from backoffice.audit import services as audit
from backoffice.broker.models import MasterAccount
from backoffice.core import clock
from backoffice.core.errors import Conflict, InvalidInput, NotPermitted
from backoffice.home.parts import Check
from backoffice.journal import services as journal
from backoffice.people.models import User
from backoffice.people.policies.document import Facts
from backoffice.people.policy import may
from clients.models import Account
from trading import allocation, policy, preview, translate
from trading.models import (
    LIFECYCLE,
    AllocationGroup,
    Instrument,
    Order,
    OrderAllocation,
    OrderType,
    Side,
    Status,
    Target,
    TimeInForce,
)
from trading.selectors import standing


def next_number() -> int:
    """Return a fresh order number."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('trading_order_number')")
        return int(cursor.fetchone()[0])


def client_order_id(number: int, intent: UUID) -> str:
    """Return the key an order has at IBKR for life (cOID). The tail keeps it unique even after a restored backup."""
    return f"T-{number}-{intent.hex[-12:]}"


@transaction.atomic
def draw_up(
    *,
    intent: UUID,
    by: User,
    instrument: Instrument,
    side: str,
    quantity: Decimal,
    order_type: str,
    limit_price: Decimal | None,
    tif: str,
    reason: str,
    account: Account | None = None,
    group: AllocationGroup | None = None,
    chosen: Mapping[Account, Decimal] | None = None,
    twin_reason: str = "",
) -> Order:
    """Write or change a draft, compute what each account would get, and freeze it under a hash. Nothing is sent.

    Exactly one of `account`, `group`, `chosen` is the target. Raises InvalidInput naming the form's field, NotPermitted,
    and Conflict when this ticket was sent already.
    """
    if not may(by, "trading.trade"):
        raise NotPermitted("Your role may look at orders, not make them.")
    _check_ticket(instrument, side, quantity, order_type, limit_price, tif, reason)
    order = Order.objects.select_for_update(of=("self",)).filter(intent=intent).first()
    before = "" if order is None else audit.digest(order)
    if order is None:
        number = next_number()
        order = Order(
            intent=intent, number=number, client_order_id=client_order_id(number, intent), created_at=clock.now()
        )
        order.maker = by
    elif order.maker_id != by.pk or order.status != Status.DRAFT:
        raise Conflict(f"{order.reference} was sent already. Open a new ticket for a further order.")
    order.instrument, order.side, order.quantity, order.order_type = instrument, side, quantity, order_type
    order.limit_price = limit_price if order_type == OrderType.LIMIT else None
    order.tif, order.reason, order.twin_reason = tif, reason.strip(), twin_reason.strip()
    members = _aim(order, by, account, group, chosen)
    _freeze(order, members)
    audit.record(
        "trading.draw_up",
        by=by,
        on=order,
        summary=f"Draft of {order.reference} previewed",
        before=before,
        allocation=order.allocation_sha256,
    )
    return order


def _check_ticket(
    instrument: Instrument,
    side: str,
    quantity: Decimal,
    order_type: str,
    limit_price: Decimal | None,
    tif: str,
    reason: str,
) -> None:
    if side not in Side.values or order_type not in OrderType.values or tif not in TimeInForce.values:
        raise InvalidInput("side", "The ticket is not one IBKR takes.", "Choose from the lists.")
    if quantity <= 0 or quantity != quantity.to_integral_value():
        raise InvalidInput("quantity", "The quantity must be whole units, at least 1.", "Enter a whole number.")
    if order_type == OrderType.LIMIT:
        if limit_price is None or limit_price <= 0:
            raise InvalidInput("limit_price", "A limit order needs a price above zero.", "Enter it, or choose Market.")
        if limit_price % instrument.tick:
            nearest = (limit_price / instrument.tick).to_integral_value() * instrument.tick
            raise InvalidInput(
                "limit_price",
                f"{instrument.symbol} moves in steps of {translate.exact(instrument.tick)}.",
                f"The nearest price is {translate.exact(nearest)}.",
            )
    if not reason.strip():
        raise InvalidInput("reason", "The reason is kept on the record.", "Say in a few words why this order is made.")


def _aim(
    order: Order,
    by: User,
    account: Account | None,
    group: AllocationGroup | None,
    chosen: Mapping[Account, Decimal] | None,
) -> dict[Account, Decimal | None]:
    """Set the order's target and return its accounts with the amounts that share it out."""
    order.group, order.definition = None, {}
    if group is not None:
        order.target, order.target_name, order.group, order.master = Target.GROUP, group.name, group, group.master
        rows = list(group.members.select_related("account__client"))
        members = {row.account: row.amount for row in rows}
        if group.has_unknown_members or not members:
            raise InvalidInput(
                "allocate_to",
                f"{group.name} has members that are not in our books.",
                "Choose another group, or accounts.",
            )
        order.definition = translate.definition_of(group.method, [(row.account.number, row.amount) for row in rows])
    elif chosen is not None:
        members = dict(chosen)
        if not members:
            raise InvalidInput("allocate_to", "No account has an amount.", "Give at least one account whole units.")
        order.master = next(iter(members)).master
        order.target, order.target_name = Target.CHOSEN, order.master.account
        if any(each.master_id != order.master.pk for each in members):
            raise InvalidInput("allocate_to", "These accounts belong to different masters.", "Make one order for each.")
        if sum(chosen.values(), Decimal(0)) != order.quantity:
            total = sum(chosen.values(), Decimal(0))
            raise InvalidInput(
                "quantity",
                f"The accounts' amounts add up to {translate.exact(total)}, not {translate.exact(order.quantity)}.",
                "IBKR would take them as ratios, so they must add up to the order.",
            )
    elif account is not None:
        order.target, order.target_name, order.master = Target.ACCOUNT, account.number, account.master
        members = {account: None}
    else:
        raise InvalidInput("allocate_to", "The order goes nowhere.", "Choose an account, a group, or several accounts.")
    visible = set(Account.objects.visible_to(by).values_list("pk", flat=True))
    if any(each.pk not in visible for each in members):
        raise InvalidInput("allocate_to", "Not all of its accounts are in your books.", "Choose others.")
    return members


def _shares(order: Order, members: Mapping[Account, Decimal | None]) -> tuple[allocation.Share, ...]:
    quantity = int(order.quantity)
    amounts = {account.number: amount for account, amount in members.items()}
    if order.target == Target.ACCOUNT:
        return tuple(allocation.Share(number, quantity, Decimal(1), False) for number in amounts)
    if order.target == Target.CHOSEN:
        return tuple(
            allocation.Share(number, int(amount or 0), amount or Decimal(0), False)
            for number, amount in amounts.items()
        )
    method = str(order.definition["method"])
    figures = standing.allocation_figures(list(members))
    try:
        return allocation.share_out(quantity, allocation.weights_of(method, amounts, figures))
    except LookupError as error:
        raise InvalidInput(
            "allocate_to",
            f"What IBKR shares by is not known for {error}.",
            "Wait for the next reading, or choose accounts.",
        ) from error
    except ValueError as error:
        raise InvalidInput("allocate_to", str(error), "Choose another group, or accounts.") from error


def _freeze(order: Order, members: Mapping[Account, Decimal | None]) -> None:
    now = clock.now()
    price = standing.reference_price(order.instrument, list(members))
    order.reference_price, order.reference_note, order.reference_as_of = price.price, price.note, price.as_of
    shares = _shares(order, members)
    unit = None if order.price_now is None else order.price_now * order.instrument.unit_value
    sign = 1 if order.side == Side.BUY else -1
    standings = standing.of_accounts(list(members), order.instrument)
    accounts = {account.number: account for account in members}
    rows = [preview.row(standings[share.account], share, sign=sign, unit_price=unit, now=now) for share in shares]
    order.changed_at = order.previewed_at = now
    order.status = Status.DRAFT
    allocations = [
        OrderAllocation(
            order=order,
            account=accounts[row.number],
            place=place,
            quantity=row.quantity,
            has_odd_unit=row.has_odd_unit,
            basis=row.basis,
            held=row.held,
            weight_before=row.weight_before,
            weight_after=row.weight_after,
            cash_after=row.cash_after,
            flags=list(row.flags),
            as_of=row.as_of,
        )
        for place, row in enumerate(rows)
    ]
    order.allocation_sha256 = translate.allocation_digest(order, allocations)
    try:
        with transaction.atomic():
            order.save()
    except IntegrityError as error:
        # Two presses of the same button at once: the other one is making this very draft.
        raise Conflict("This ticket is being previewed already. Wait a moment.") from error
    order.allocations.all().delete()
    OrderAllocation.objects.bulk_create(allocations)


def redo(order: Order, *, by: User) -> Order:
    """Preview a draft again with what is known now. Raises as `draw_up` does."""
    rows = list(order.allocations.select_related("account__client", "account__master"))
    targets: dict[str, Any] = {}
    match order.target:
        case Target.GROUP:
            if order.group is None or not order.group.is_listed:
                raise InvalidInput(
                    "allocate_to", f"IBKR no longer lists {order.target_name}.", "Choose another target."
                )
            targets["group"] = order.group
        case Target.CHOSEN:
            targets["chosen"] = {row.account: row.quantity for row in rows}
        case _:
            targets["account"] = rows[0].account
    return draw_up(
        intent=order.intent,
        by=by,
        instrument=order.instrument,
        side=order.side,
        quantity=order.quantity,
        order_type=order.order_type,
        limit_price=order.limit_price,
        tif=order.tif,
        reason=order.reason,
        twin_reason=order.twin_reason,
        **targets,
    )


def checks_of(order: Order, *, by: User) -> list[Check]:
    """Return the checks of a draft as things stand now."""
    return preview.checks(standing.facts(order, by=by))


@transaction.atomic
def send(order: Order, *, by: User, allocation_sha256: str) -> Order:
    """Promise to send exactly the allocation that was shown. A second press returns the order as it is.

    Raises NotPermitted, and Conflict when something else was shown, the preview is old, or a check stops it; then nothing
    is sent.
    """
    if not may(by, "trading.trade"):
        raise NotPermitted("Your role may look at orders, not send them.")
    # One lock per connection and instrument: two people with the same idea cannot both pass the check for twins.
    MasterAccount.objects.select_for_update().get(pk=order.master_id)
    order = Order.objects.select_for_update(of=("self",)).select_related("instrument", "master").get(pk=order.pk)
    if order.status != Status.DRAFT:
        return order
    if order.maker_id != by.pk:
        raise NotPermitted("Only the person who made this ticket may send it.")
    if order.allocation_sha256 != allocation_sha256:
        raise Conflict("What you were shown is not what would be sent. Look at the allocation again.")
    if order.previewed_at is None or clock.now() - order.previewed_at > policy.PREVIEW_FRESH:
        raise Conflict("The preview is over 2 min old. Here is a fresh one; nothing was sent.")
    allocations = list(order.allocations.select_related("account"))
    if translate.allocation_digest(order, allocations) != order.allocation_sha256:
        raise Conflict("The allocation does not match its seal. Preview it again.")
    facts = standing.facts(order, by=by)
    if stopped := preview.stops(preview.checks(facts)):
        raise Conflict(f"{stopped[0].title} {stopped[0].detail} Nothing was sent.".replace("  ", " "))
    _promise(order, allocations, by, facts)
    return order


def _promise(order: Order, allocations: list[OrderAllocation], by: User, facts: preview.Facts) -> None:
    payload = {
        "ticket": translate.ticket(order, allocations).model_dump(mode="json", by_alias=True, exclude_none=True),
        "group": order.definition or None,
        "allocation": [[row.account.number, translate.exact(row.quantity)] for row in allocations],
        "allocationSha256": order.allocation_sha256,
    }
    submission = journal.submit(
        operation="trading.send_order",
        look="trading.look_for_order",
        reply="trading.send_reply",
        subject=order,
        payload=payload,
        key_space="cOID",
        key=order.client_order_id,
        lane="trading",
        master=order.master,
        maker=by,
        facts=Facts(
            kind="order",
            amount_usd=facts.value_usd,
            has_amount=True,
            accounts=tuple(row.account.number for row in allocations),
            flags=tuple(_flags(facts)),
        ),
        summary=f"{order.reference} {order.get_side_display()} {translate.exact(order.quantity)} {order.instrument.symbol}",
    )
    before, now = audit.digest_now(order), clock.now()
    LIFECYCLE.move(
        order, to=Status.REQUESTED, because="sent by its maker", by=by,
        submission=submission, sent_at=now, changed_at=now,
    )  # fmt: skip
    audit.record("trading.send", by=by, on=order, summary=f"{order.reference} sent by its maker", before=before)


def _flags(facts: preview.Facts) -> list[str]:
    """What a second person should look at twice."""
    found = []
    if facts.limit is not None and facts.last and abs(facts.limit - facts.last) * 100 / facts.last > policy.COLLAR_WARN:
        found.append("far_from_market")
    if facts.value_usd is not None and facts.value_usd * 2 > facts.limit_usd:
        found.append("above_usual")
    if facts.twin:
        found.append("twin")
    return found


@transaction.atomic
def discard(order: Order, *, by: User) -> None:
    """Throw a draft away. Raises NotPermitted, Conflict."""
    if order.maker_id != by.pk:
        raise NotPermitted("Only the person who made this ticket may discard it.")
    if order.status != Status.DRAFT:
        raise Conflict(f"{order.reference} is no longer a draft.")
    before = audit.digest_now(order)
    LIFECYCLE.move(order, to=Status.VOID, because="discarded", by=by, changed_at=clock.now(), settled_at=clock.now())
    audit.record("trading.discard", by=by, on=order, summary=f"Draft of {order.reference} thrown away", before=before)
