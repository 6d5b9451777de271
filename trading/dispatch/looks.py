"""Looking for an order, a cancel or a question that was sent and not answered. Reads only.

An order is recognised by `order_ref` == our cOID alone; one that merely looks alike proves nothing. A look counts as
clean only when the lists were loaded, the session is sound, and the same look shows something else that is known to
exist (reliability.md C.5, C.6).
"""

from django.db import transaction

from backoffice.broker import client as broker
from backoffice.broker.models import BrokerageSession
from backoffice.core import clock
from backoffice.core.errors import Conflict
from backoffice.ibkr import IbkrClient
from backoffice.ibkr.errors import IbkrError
from backoffice.ibkr.types.orders import Execution, LiveOrder
from backoffice.journal import conclusions, looking
from backoffice.journal.models import State, Submission
from backoffice.journal.outcomes import Absent, Found, Inconclusive, Look
from trading.dispatch import sync
from trading.models import Order, OrderQuestion, Target
from trading.services import orders, progress

SOURCE = "GET orders and trades"
ALL = "All"  # IBKR's built-in group of every account
DAYS = 7  # as far back as IBKR keeps executions


def look_for_order(submission_pk: str) -> None:
    """Look at IBKR for an order whose sending, or whose reply, came to nothing we could read."""
    if (submission := looking.due_for_look(submission_pk)) is None:
        return
    order: Order = submission.subject
    live: LiveOrder | None = None
    trades: list[Execution] = []
    try:
        look, live, trades = _look(broker.client_for(submission.master, lane="trading"), order)
    except IbkrError as error:
        look = Inconclusive(SOURCE, error.reason)
    with transaction.atomic():
        if not looking.observe(submission, look) or not isinstance(look, Found):
            return
        progress.mark_working(order, ibkr_order_id=look.reference)
        if live is not None:
            progress.record_live(order, sync.live_word(live))
        progress.record_fills(order, sync.fills(trades))


def _look(client: IbkrClient, order: Order) -> tuple[Look, LiveOrder | None, list[Execution]]:
    client.session.accounts()  # without this every list below may be empty
    listed: list[LiveOrder] = []
    is_loaded = True
    for scope in (order.target_name, ALL):
        answer = sync.live_orders(client, scope)
        is_loaded = is_loaded and answer.is_loaded
        listed += answer.orders
        if (mine := _of(order, listed)) is not None:
            return _judge(order, mine), mine, []
    trades = list(sync.trades(client, days=DAYS))
    if done := [row for row in trades if row.client_order_id == order.client_order_id]:
        return _judge_trades(order, done), None, done
    status = client.session.status()
    if not status.is_ready:
        return Inconclusive(SOURCE, "The session is not sound, so an empty list says nothing."), None, []
    if not is_loaded:
        return Inconclusive(SOURCE, "IBKR has not loaded its list of orders."), None, []
    control = _control(order, listed, trades)
    if not control:
        return (
            Inconclusive(SOURCE, "Not there; but nothing else of ours is in the lists either, so this proves nothing."),
            None,
            [],
        )
    return Absent(SOURCE, f"Not among orders and trades; the same look shows {control}."), None, []


def _of(order: Order, listed: list[LiveOrder]) -> LiveOrder | None:
    return next((row for row in listed if row.client_order_id == order.client_order_id), None)


def is_like(order: Order, row: LiveOrder) -> bool:
    """Whether a row of IBKR's list is of the same instrument, side, quantity and account; what it does not say is no."""
    is_placed_there = bool(row.account) and row.account in (order.target_name, order.master.account)
    same = (order.instrument.conid, order.side, order.quantity)
    return is_placed_there and (row.conid, row.side, row.quantity) == same


def _judge(order: Order, row: LiveOrder) -> Found:
    """Found by its key. Whether it is what was sent is a second question."""
    wrong = []
    if row.conid and row.conid != order.instrument.conid:
        wrong.append(f"instrument {row.conid}")
    if row.side and row.side != order.side:
        wrong.append(f"side {row.side}")
    if row.quantity is not None and row.quantity != order.quantity:
        wrong.append(f"quantity {row.quantity:f}")
    if row.account and order.target == Target.ACCOUNT and row.account != order.target_name:
        wrong.append(f"account {row.account}")
    return Found(
        row.order_id,
        "GET /iserver/account/orders",
        detail="; ".join(wrong),
        matches=not wrong,
        data={"status": row.status, "order_ref": row.client_order_id},
    )


def _judge_trades(order: Order, done: list[Execution]) -> Found:
    wrong = []
    if any(row.conid and row.conid != order.instrument.conid for row in done):
        wrong.append("another instrument")
    if any(row.side and row.side != order.side for row in done):
        wrong.append("the other side")
    return Found(
        next((row.order_id for row in done if row.order_id), ""),
        "GET /iserver/account/trades",
        detail="; ".join(wrong),
        matches=not wrong,
        data={"order_ref": order.client_order_id, "executions": len(done)},
    )


def _control(order: Order, listed: list[LiveOrder], trades: list[Execution]) -> str:
    """Return the reference of another order of ours that this very look shows, or nothing."""
    shown = {row.client_order_id for row in listed} | {row.client_order_id for row in trades}
    known = Order.objects.filter(master=order.master, client_order_id__in=shown - {""}).exclude(pk=order.pk).first()
    return known.reference if known else ""


def look_for_cancel(submission_pk: str) -> None:
    """Look whether a cancel that got no readable answer was heard. The order's own row says what became of it."""
    if (submission := looking.due_for_look(submission_pk)) is None:
        return
    order: Order = submission.subject
    try:
        client = broker.client_for(submission.master, lane="trading")
        client.session.accounts()
        answer = sync.live_orders(client, ALL)
        look = _judge_cancel(order, answer.orders, answer.is_loaded)
        mine = _of(order, list(answer.orders))
    except IbkrError as error:
        look, mine = Inconclusive(SOURCE, error.reason), None
    with transaction.atomic():
        looking.observe(submission, look)
        if mine is not None:
            progress.record_live(order, sync.live_word(mine))


def _judge_cancel(order: Order, listed: tuple[LiveOrder, ...], is_loaded: bool) -> Look:
    mine = _of(order, list(listed))
    if order.is_final:
        return Found(order.ibkr_order_id, SOURCE, detail=f"The order is {order.get_status_display().lower()}.")
    if mine is None or not is_loaded:
        return Inconclusive(SOURCE, "IBKR does not show the order now.")
    if mine.is_final or mine.status in ("PendingCancel", "PreCancelled"):
        return Found(mine.order_id, SOURCE, detail=f"IBKR: {mine.status}")
    return Absent(SOURCE, f"The order is there and still works: {mine.status}.")


def sweep_questions() -> None:
    """Answer no where nobody chose in time, and look where a question was lost with its session."""
    waiting = OrderQuestion.objects.filter(answered_at__isnull=True).select_related(
        "order__submission", "order__master"
    )
    for question in waiting:
        submission = question.order.submission
        if submission is None or submission.state != State.QUESTION:
            continue
        if _is_lost(question, submission):
            _lose(question, submission)
        elif clock.now() >= question.deadline:
            try:
                orders.deadline_rule(question)
            except Conflict:
                continue  # a person answered in the last moment


def _is_lost(question: OrderQuestion, submission: Submission) -> bool:
    serial = BrokerageSession.objects.filter(master=submission.master).values_list("serial", flat=True).first()
    return serial != question.session_serial


@transaction.atomic
def _lose(question: OrderQuestion, submission: Submission) -> None:
    """IBKR's session ended while it asked: its question is void, and only a look can say whether an order exists."""
    current = Submission.objects.select_for_update().get(pk=submission.pk)
    if current.state != State.QUESTION:
        return
    conclusions.mark_unknown(current, "IBKR's session ended while it waited for an answer; the question is void.")
    OrderQuestion.objects.filter(pk=question.pk, answered_at__isnull=True).update(
        answer="none", rule="session lost", answered_at=clock.now()
    )
