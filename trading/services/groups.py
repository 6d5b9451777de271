"""Allocation groups: changes we want at IBKR, and what IBKR shows."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from backoffice.audit import services as audit
from backoffice.broker.models import MasterAccount
from backoffice.core import clock
from backoffice.core.errors import Conflict, InvalidInput, NotPermitted
from backoffice.journal import services as journal
from backoffice.people.models import User
from backoffice.people.policies.document import Facts
from backoffice.people.policy import may
from clients.models import Account
from trading import translate
from trading.models import (
    GROUP_CHANGES,
    AllocationGroup,
    ChangeKind,
    ChangeStatus,
    GroupChange,
    GroupMember,
    Method,
)
from trading.models.groups import COMPUTED

ALL = "All"  # IBKR's built-in group of every account: not ours to change


@transaction.atomic
def define_group(
    *,
    master: MasterAccount,
    name: str,
    method: str,
    members: Mapping[Account, Decimal | None],
    by: User,
    intent: UUID,
    replaces: AllocationGroup | None = None,
) -> GroupChange:
    """Record a new group, or a change of one, and promise to tell IBKR. The same `intent` yields the row it made before.

    Raises InvalidInput naming the form's field, NotPermitted, Conflict.
    """
    _must_be_allowed(by)
    kind = ChangeKind.REPLACE if replaces else ChangeKind.CREATE
    if (made := _made_before(intent, kind, name, by)) is not None:
        return made
    _check_definition(master, name, method, members, by)
    _must_be_free(master, name, replaces)
    change = GroupChange(
        intent=intent,
        master=master,
        kind=kind,
        name=name,
        previous_name=replaces.name if replaces else "",
        method=method,
        members=[
            {"account": account.number, "amount": None if method in COMPUTED else translate.exact(amount)}
            for account, amount in members.items()
        ],
    )
    return _promise(change, by)


@transaction.atomic
def remove_group(group: AllocationGroup, *, by: User, intent: UUID) -> GroupChange:
    """Record that a group shall go, and promise to tell IBKR. Raises NotPermitted, Conflict."""
    _must_be_allowed(by)
    if (made := _made_before(intent, ChangeKind.DELETE, group.name, by)) is not None:
        return made
    _must_be_free(group.master, group.name, group)
    if group.orders.working().exists():
        raise Conflict(f"An order to {group.name} is still open. Wait for its end, or cancel it first.")
    return _promise(GroupChange(intent=intent, master=group.master, kind=ChangeKind.DELETE, name=group.name), by)


def _made_before(intent: UUID, kind: ChangeKind, name: str, by: User) -> GroupChange | None:
    made = GroupChange.objects.filter(intent=intent).first()
    if made is not None and (made.requested_by_id, made.kind, made.name) != (by.pk, kind, name):
        raise Conflict("This form was sent before, for something else. Open it again.")
    return made


def _must_be_allowed(by: User) -> None:
    if not may(by, "trading.manage_groups"):
        raise NotPermitted("Your role may look at groups, not change them.")


def _check_definition(
    master: MasterAccount, name: str, method: str, members: Mapping[Account, Decimal | None], by: User
) -> None:
    if name == ALL:
        raise InvalidInput("name", "IBKR keeps a group All of its own.", "Choose another name.")
    if method not in Method.values:
        raise InvalidInput("method", "That is not a method IBKR knows.", "Choose one of the list.")
    if not members:
        raise InvalidInput("members", "A group needs at least one account.", "Tick the accounts that belong to it.")
    visible = set(Account.objects.visible_to(by).open().filter(master=master).values_list("pk", flat=True))
    if foreign := [account for account in members if account.pk not in visible]:
        raise InvalidInput("members", f"{foreign[0].number} is not open or not in your books.", "Take it out.")
    if method not in COMPUTED:
        _check_amounts(method, members)
    change = GroupChange(name=name, method=method)
    change.members = [
        {"account": account.number, "amount": None if method in COMPUTED else translate.exact(amount)}
        for account, amount in members.items()
    ]
    try:
        translate.group_definition(change)
    except ValueError as error:
        raise InvalidInput(
            "name", "IBKR would not take this name.", "Use letters, digits, spaces and hyphens, at most 64."
        ) from error


def _check_amounts(method: str, members: Mapping[Account, Decimal | None]) -> None:
    missing = [account for account, amount in members.items() if amount is None or amount <= 0]
    if missing:
        raise InvalidInput(
            "members", f"{missing[0].number} has no amount.", "Give every ticked account one above zero."
        )
    total = sum((amount or Decimal(0) for amount in members.values()), Decimal(0))
    if method == Method.PERCENT and total != 100:
        raise InvalidInput("members", f"The percentages add up to {total:f}.", "They must add up to 100.")


def _must_be_free(master: MasterAccount, name: str, group: AllocationGroup | None) -> None:
    # The lock makes two people who change the same group take turns.
    MasterAccount.objects.select_for_update().get(pk=master.pk)
    taken = AllocationGroup.objects.listed().filter(master=master, name=name)
    if (group is None or group.name != name) and taken.exists():
        raise InvalidInput("name", f"There is a group {name} already.", "Choose another name.")
    names = {name, group.name if group else name}
    if GroupChange.objects.filter(master=master, name__in=names, status=ChangeStatus.REQUESTED).exists():
        raise Conflict(f"A change of {name} is on its way to IBKR. Wait until IBKR shows it.")


def _promise(change: GroupChange, by: User) -> GroupChange:
    change.requested_by = by
    change.requested_at = clock.now()
    change.save(force_insert=True)
    payload = {
        "kind": change.kind,
        "name": change.name,
        "previous_name": change.previous_name,
        "method": change.method,
        "members": change.members,
    }
    change.submission = journal.submit(
        operation="trading.send_group",
        look="trading.look_for_group",
        subject=change,
        payload=payload,
        key_space="group",
        key=f"{change.name[:27]}.{change.pk}",
        lane="trading",
        master=change.master,
        maker=by,
        facts=Facts("group"),
        summary=f"{change.get_kind_display()} {change.name}",
    )
    before = audit.digest_now(change)
    change.save(update_fields=["submission"])
    summary = f"{change.get_kind_display()} {change.name}"
    audit.record("trading.ask_group", by=by, on=change, summary=f"{summary} asked for", before=before)
    return change


@transaction.atomic
def mark_done(change: GroupChange) -> None:
    """IBKR took the change, and a look at the group shows it."""
    now = clock.now()
    moved = GROUP_CHANGES.move(change, to=ChangeStatus.DONE, because="IBKR shows it", as_of=now, settled_at=now)
    if not moved:
        return
    gone = change.name if change.kind == ChangeKind.DELETE else change.previous_name
    if gone and (change.kind == ChangeKind.DELETE or gone != change.name):
        _rename_or_drop(change, gone)
    if change.kind != ChangeKind.DELETE:
        members = [
            (member["account"], None if member.get("amount") is None else Decimal(member["amount"]))
            for member in change.members
        ]
        record_group(change.master, change.name, change.method, members)


def _rename_or_drop(change: GroupChange, old: str) -> None:
    row = AllocationGroup.objects.filter(master=change.master, name=old).first()
    if row is None:
        return
    if change.kind == ChangeKind.DELETE:
        AllocationGroup.objects.filter(pk=row.pk).update(is_listed=False, seen_at=clock.now())
    elif not AllocationGroup.objects.filter(master=change.master, name=change.name).exists():
        AllocationGroup.objects.filter(pk=row.pk).update(name=change.name)


def mark_rejected(change: GroupChange, *, reason: str) -> None:
    """IBKR refused the change; `reason` is IBKR's sentence."""
    GROUP_CHANGES.move(
        change, to=ChangeStatus.REJECTED, because=reason, ibkr_words=reason, settled_at=clock.now(), as_of=clock.now()
    )


def mark_withdrawn(change: GroupChange, *, reason: str) -> None:
    GROUP_CHANGES.move(change, to=ChangeStatus.CANCELLED, because=reason, settled_at=clock.now())


@transaction.atomic
def record_group(
    master: MasterAccount, name: str, method: str, members: Sequence[tuple[str, Decimal | None]]
) -> AllocationGroup:
    """Write a group as IBKR shows it."""
    numbers = [number for number, _ in members]
    known = {account.number: account for account in Account.objects.filter(master=master, number__in=numbers)}
    group, _ = AllocationGroup.objects.update_or_create(
        master=master,
        name=name,
        defaults={
            "method": method,
            "is_listed": True,
            "has_unknown_members": len(known) < len(members),
            "seen_at": clock.now(),
        },
    )
    for place, (number, amount) in enumerate(members):
        if number in known:
            GroupMember.objects.update_or_create(
                group=group, account=known[number], defaults={"amount": amount, "place": place}
            )
    group.members.exclude(account__number__in=numbers).delete()
    return group


def record_listing(master: MasterAccount, names: Sequence[str]) -> None:
    """Mark the groups IBKR no longer lists. They stay: orders refer to them."""
    AllocationGroup.objects.filter(master=master, is_listed=True).exclude(name__in=names).update(is_listed=False)
