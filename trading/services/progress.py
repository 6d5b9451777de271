"""Writing what IBKR says about orders. Late and repeated words change nothing; a word we do not know moves nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import F, Max, Sum

from backoffice.audit import services as audit
from backoffice.core import clock
from backoffice.core.errors import Conflict
from backoffice.journal import services as journal
from backoffice.journal.models import LIFECYCLE as JOURNAL
from backoffice.journal.models import State, Submission
from clients.models import Account
from trading import policy, translate
from trading.models import (
    LIFECYCLE,
    ChangeStatus,
    Execution,
    GroupChange,
    Order,
    OrderQuestion,
    Status,
)
from trading.services import groups

FINAL = frozenset({Status.FILLED, Status.CANCELLED})


@transaction.atomic
def mark_working(order: Order, *, ibkr_order_id: str, word: str = "", words: str = "") -> None:
    """IBKR has the order. An acknowledgement is not a fill."""
    now = clock.now()
    order = _locked(order)
    if order.status == Status.REQUESTED:
        LIFECYCLE.move(
            order, to=Status.WORKING, because="IBKR took it", as_of=now,
            ibkr_order_id=ibkr_order_id, ibkr_words=words, changed_at=now, seen_at=now,
        )  # fmt: skip
    if word:
        record_live(order, LiveWord(ibkr_order_id, word, None, None, words=words))


@transaction.atomic
def mark_rejected(order: Order, *, reason: str, is_declined: bool = False) -> None:
    """IBKR refused it, or discarded it because its question was declined; `reason` is IBKR's sentence."""
    now = clock.now()
    to = Status.DECLINED if is_declined else Status.REJECTED
    LIFECYCLE.move(_locked(order), to=to, because=reason, as_of=now, ibkr_words=reason, changed_at=now, settled_at=now)


@transaction.atomic
def record_question(
    order: Order,
    *,
    reply_id: str,
    messages: Iterable[str],
    message_ids: Iterable[str],
    options: Iterable[str] = (),
    prompt_order_id: str = "",
    session_serial: int | None,
) -> OrderQuestion:
    """Keep what IBKR asks, word for word, with the time left to answer."""
    now = clock.now()
    told = list(messages)
    last = order.questions.aggregate(last=Max("number"))["last"] or 0
    patience = timedelta(seconds=journal.question_seconds())
    question = OrderQuestion.objects.create(
        order=order,
        number=last + 1,
        reply_id=reply_id,
        message_ids=list(message_ids),
        messages=told,
        words=translate.plain_words(told),
        options=list(options),
        prompt_order_id=prompt_order_id,
        session_serial=session_serial,
        asked_at=now,
        deadline=now + max(patience - policy.QUESTION_MARGIN, patience / 2),
    )
    Order.objects.filter(pk=order.pk).update(changed_at=now)
    return question


@dataclass(frozen=True)
class LiveWord:
    """What IBKR's list of orders says about one of ours."""

    ibkr_order_id: str
    word: str
    filled: Decimal | None
    average_price: Decimal | None
    words: str = ""


@transaction.atomic
def record_live(order: Order, said: LiveWord) -> bool:
    """Write what IBKR's list shows. True when it changed anything but the time of the look."""
    now = clock.now()
    order = _locked(order)
    to = translate.STATUSES.get(said.word)
    filled = max(order.filled, said.filled or Decimal(0))
    is_older = said.filled is not None and said.filled < order.filled
    if to == Status.FILLED and order.status in (Status.REQUESTED, Status.WORKING):
        filled = max(filled, order.quantity)
    changes: dict[str, Any] = {
        "ibkr_order_id": said.ibkr_order_id or order.ibkr_order_id,
        "ibkr_status": said.word or order.ibkr_status,
        "ibkr_words": said.words or order.ibkr_words,
        "is_unfamiliar": bool(said.word) and to is None,
        "filled": filled,
        "average_price": (None if is_older else said.average_price) or order.average_price,
    }
    if order.is_final:
        # The end stands; only the average may still be told more exactly.
        changes = {"average_price": changes["average_price"]}
    changed = {column for column, value in changes.items() if getattr(order, column) != value}
    Order.objects.filter(pk=order.pk).update(seen_at=now, **changes, **({"changed_at": now} if changed else {}))
    for column, value in changes.items():
        setattr(order, column, value)
    if to is None or not LIFECYCLE.allows(order.status, to):
        return bool(changed)
    settled = {"settled_at": now} if to in FINAL else {}
    LIFECYCLE.move(order, to=to, because=said.words or f"IBKR: {said.word}", as_of=now, changed_at=now, **settled)
    return True


@dataclass(frozen=True)
class Fill:
    """One execution as IBKR lists it, already known to be one client's."""

    key: str
    revision: int
    account: str
    quantity: Decimal
    price: Decimal
    commission: Decimal | None
    at: datetime


@transaction.atomic
def record_fills(order: Order, fills: Iterable[Fill], *, is_whole: bool = False) -> bool:
    """Write executions of one order; a correction replaces, a repetition changes nothing. True when anything was new.

    A row IBKR books on the master account is the block itself, not a client's share, and is left out here. With `is_whole`
    the fills are all there are at IBKR: what it once showed and shows no more was given to other accounts (trading.md 9.5).
    It goes when the others account for everything filled; until then nothing is concluded from a sum of both.
    """
    order = _locked(order)
    accounts = {account.number: account for account in Account.objects.filter(master=order.master)}
    accounts.pop(order.master.account, None)
    shares = [(accounts[fill.account], fill) for fill in fills if fill.account in accounts]
    is_new = False
    for account, fill in shares:
        is_new |= _record_fill(order, account, fill)
    gone = _gone(order, shares) if is_whole else []
    if gone and sum(fill.quantity for _, fill in shares) >= order.filled:
        _take_back(order, gone)
        gone, is_new = [], True
    if is_new:
        _retotal(order, is_sure=not gone)
    return is_new


def _gone(order: Order, shares: Iterable[tuple[Account, Fill]]) -> list[Execution]:
    shown = {(fill.key, account.pk) for account, fill in shares}
    kept = order.executions.select_related("account")
    return [row for row in kept if (row.key, row.account_id) not in shown]


def _take_back(order: Order, gone: Iterable[Execution]) -> None:
    """Delete what IBKR has given to other accounts; what it was stays in the audit trail."""
    was = [
        f"{row.key}.{row.revision:02d} {row.account.number} {translate.exact(row.quantity)} at {translate.exact(row.price)}"
        for row in gone
    ]
    Execution.objects.filter(pk__in=[row.pk for row in gone]).delete()
    noun = "execution" if len(was) == 1 else "executions"
    audit.record(
        "trading.move_shares", by=None, on=order, executions=was,
        summary=f"IBKR gave {len(was)} {noun} of {order.reference} to other accounts",
    )  # fmt: skip


def _record_fill(order: Order, account: Account, fill: Fill) -> bool:
    columns = {
        "revision": fill.revision,
        "order": order,
        "quantity": fill.quantity,
        "price": fill.price,
        "commission": fill.commission,
        "at": fill.at,
    }
    row, created = Execution.objects.get_or_create(key=fill.key, account=account, defaults=columns)
    if created:
        return True
    is_correction = fill.revision > row.revision
    has_commission_now = row.commission is None and fill.commission is not None
    if is_correction or has_commission_now:
        Execution.objects.filter(pk=row.pk).update(**columns)
    return is_correction or has_commission_now


def _retotal(order: Order, *, is_sure: bool) -> None:
    total = order.executions.aggregate(units=Sum("quantity"), paid=Sum(F("quantity") * F("price")))
    units, paid = total["units"] or Decimal(0), total["paid"] or Decimal(0)
    filled = max(order.filled, units) if is_sure else order.filled
    average = (paid / units).quantize(Decimal("0.0000000001")) if units else order.average_price
    now = clock.now()
    Order.objects.filter(pk=order.pk).update(filled=filled, average_price=average, changed_at=now)
    order.filled, order.average_price = filled, average
    if is_sure and units >= order.quantity and LIFECYCLE.allows(order.status, Status.FILLED):
        LIFECYCLE.move(order, to=Status.FILLED, because="its executions add up to the order", as_of=now, settled_at=now)


def _locked(order: Order) -> Order:
    # Refreshes the caller's row too: it goes on with what is true now.
    current: Order = (
        Order.objects.select_for_update(of=("self",)).select_related("instrument", "master").get(pk=order.pk)
    )
    for field in Order._meta.concrete_fields:
        setattr(order, field.attname, getattr(current, field.attname))
    return current


@transaction.atomic
def void_unsent(submission: Submission, *, reason: str) -> bool:
    """Withdraw an order that must not be sent any more: the group at IBKR is not the one that was frozen (S16)."""
    current = Submission.objects.select_for_update().get(pk=submission.pk)
    if current.state != State.READY:
        return False
    JOURNAL.move(current, to=State.VOID, because=reason, reason=reason)
    order: Order = current.subject
    now = clock.now()
    return LIFECYCLE.move(order, to=Status.VOID, because=reason, ibkr_words=reason, changed_at=now, settled_at=now)


def close_void() -> None:
    """Close the orders and group changes whose submission was withdrawn on the journal's own pages."""
    waiting = Order.objects.filter(status=Status.REQUESTED, submission__state=State.VOID).select_related("submission")
    for order in waiting:
        now = clock.now()
        reason = order.submission.reason if order.submission else ""
        try:
            LIFECYCLE.move(
                order, to=Status.VOID, because=reason, ibkr_words=reason,
                changed_at=now, settled_at=now,
            )  # fmt: skip
        except Conflict:
            continue  # moved meanwhile: nothing left to close
    changes = GroupChange.objects.filter(status=ChangeStatus.REQUESTED, submission__state=State.VOID)
    for change in changes.select_related("submission"):
        groups.mark_withdrawn(change, reason=change.submission.reason if change.submission else "")
