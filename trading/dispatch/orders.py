"""Sending: an order, the answer to IBKR's question about it, a cancel. Each leaves once.

Paths: POST /iserver/account/{account, group or master}/orders, POST /iserver/reply/{id},
DELETE /iserver/account/{id}/order/{orderId}, POST /iserver/account/allocation/group/single.
"""

import json
from datetime import timedelta
from typing import Any

from django.db import transaction

from backoffice.broker import client as broker
from backoffice.broker.models import BrokerageSession
from backoffice.core import clock
from backoffice.core.fields import DecimalEncoder
from backoffice.ibkr import IbkrClient
from backoffice.ibkr.errors import HeldBack, IbkrError, NotSent, OutcomeUnknown
from backoffice.ibkr.limits import Priority
from backoffice.ibkr.types.orders import OrderTicket, Placed, PlaceOutcome, Question
from backoffice.ibkr.types.orders import Refused as OrderRefused
from backoffice.journal import attempts, sending
from backoffice.journal import services as journal
from backoffice.journal.models import Phase, Submission
from backoffice.journal.outcomes import Accepted, Asked, Outcome, Refused
from trading import translate
from trading.dispatch import looks, sync
from trading.models import Order, OrderQuestion
from trading.services import orders, progress

YES_IS_GOOD_FOR = 2  # times the patience of a question; after that it is not confirmed any more


def send_order(submission_pk: str) -> None:
    """Tell IBKR about one order. Safe to call any number of times.

    Inside the lease the group is read at IBKR once more: if it is not the one that was frozen, nothing is sent and the
    order is void (S16), because IBKR would share it out by the group it has now.
    """
    if (submission := sending.claim(submission_pk)) is None:
        return
    changed: list[str] = []

    def place() -> Accepted | Refused | Asked:
        client = broker.client_for(submission.master, lane="trading")
        if why := _difference_of_group(client, submission.payload):
            changed.append(why)
            raise NotSent(why)
        ticket = OrderTicket.model_validate(submission.payload["ticket"])
        return _meaning(client.orders.place(ticket))

    _settle(submission, sending.attempt(submission, place))
    if changed:
        progress.void_unsent(submission, reason=changed[0])


def _difference_of_group(client: IbkrClient, payload: dict[str, Any]) -> str:
    """Return in words how the group at IBKR differs from the frozen one, or nothing. Raises NotSent if it cannot be read."""
    frozen = payload.get("group")
    if not frozen:
        return ""
    name = payload["ticket"]["group"]
    try:
        group = client.allocation.group(name)
    except IbkrError as error:
        raise NotSent(f"The group {name} could not be read again before sending: {error.reason}") from error
    now = translate.definition_of(group.method, [(member.account_id, member.amount) for member in group.members])
    if now == frozen:
        return ""
    was, found = {row[0] for row in frozen["members"]}, {row[0] for row in now["members"]}
    parts = []
    if now["method"] != frozen["method"]:
        parts.append(f"its method is {now['method']}, not {frozen['method']}")
    if added := sorted(found - was):
        parts.append(f"{', '.join(added)} joined")
    if left := sorted(was - found):
        parts.append(f"{', '.join(left)} left")
    return f"The group {name} changed at IBKR after the preview: {'; '.join(parts) or 'its amounts are others'}. Nothing was sent."


def _meaning(outcome: PlaceOutcome) -> Accepted | Refused | Asked:
    match outcome:
        case Placed(orders=placed):
            first = placed[0]
            kept = {"status": first.status, "warning": first.warning, "said": _kept(outcome.raw)}
            return Accepted(reference=first.order_id, answer=kept)
        case Question():
            return Asked(question=outcome, answer=_kept(outcome.raw))
        case OrderRefused(reason=reason, is_declined=is_declined):
            return Refused(reason, answer={"is_declined": is_declined, "said": _kept(outcome.raw)})


def _kept(raw: object) -> Any:
    """Return IBKR's answer, already redacted, in the form the journal stores: Decimals as text."""
    return json.loads(json.dumps(raw, cls=DecimalEncoder))


@transaction.atomic
def _settle(submission: Submission, outcome: Outcome) -> None:
    if not sending.settle(submission, outcome):
        return
    order: Order = submission.subject
    match outcome:
        case Accepted(reference=reference, answer=answer):
            said = answer if isinstance(answer, dict) else {}
            progress.mark_working(
                order, ibkr_order_id=reference, word=said.get("status", ""), words=said.get("warning", "")
            )
        case Refused(reason=reason, answer=answer):
            declined = isinstance(answer, dict) and bool(answer.get("is_declined"))
            progress.mark_rejected(order, reason=reason.strip(), is_declined=declined)
        case Asked(question=question):
            asked = progress.record_question(
                order,
                reply_id=question.reply_id,
                messages=question.messages,
                message_ids=question.message_ids,
                options=question.options,
                prompt_order_id=question.prompt_order_id,
                session_serial=attempts.session_serial(submission),
            )
            orders.policy_rule(asked)


def send_reply(submission_pk: str) -> None:
    """Send the answer to IBKR's question. Safe to call any number of times; the answer may be the next question."""
    if (submission := sending.claim(submission_pk, phase=Phase.REPLY)) is None:
        return
    question = OrderQuestion.objects.filter(order=submission.subject, answered_at__isnull=False).last()
    if question is None:
        raise LookupError(f"submission {submission.pk} replies to no question")
    asked: OrderQuestion = question
    patience = timedelta(seconds=journal.question_seconds())

    def reply() -> Accepted | Refused | Asked:
        if asked.session_serial != attempts.session_serial(submission):
            # The question died with its session: sending the answer now could not reach it.
            raise OutcomeUnknown("IBKR's session changed before the answer was sent; the question went with it.")
        if asked.answer != orders.NO and clock.now() > asked.asked_at + YES_IS_GOOD_FOR * patience:
            # Held up by a closed gate or a dead line: the market has moved, and nobody said yes to that.
            raise OutcomeUnknown("The yes could not leave while it was good, so it was not sent.")
        client = broker.client_for(submission.master, lane="trading")
        if asked.prompt_order_id:
            return _answer_prompt(client, asked)
        return _meaning(client.orders.reply(asked.reply_id, confirmed=asked.answer == orders.YES))

    _settle(submission, sending.attempt(submission, reply))


def _answer_prompt(client: IbkrClient, asked: OrderQuestion) -> Accepted | Refused | Asked:
    """Answer a prompt by its option. IBKR says only that it heard, so what became of the order is for a look to say."""
    if asked.answer == orders.NO:
        raise OutcomeUnknown("The prompt was left unanswered, as was chosen. A look shows what became of the order.")
    question = Question(
        reply_id=asked.reply_id,
        messages=tuple(asked.messages),
        options=tuple(asked.options),
        prompt_order_id=asked.prompt_order_id,
    )
    client.orders.answer_prompt(question, asked.answer)
    raise OutcomeUnknown("IBKR heard the answer to its prompt. A look shows what became of the order.")


def send_cancel(submission_pk: str) -> None:
    """Ask IBKR to cancel one order. Safe to call any number of times. The order itself moves when IBKR shows it.

    Trap: an order may have another id in another session, where the old one is somebody else's (trading.md 13). So only an
    id of the present session is sent; any other is looked up first, by our own key.
    """
    if (submission := sending.claim(submission_pk)) is None:
        return
    payload = submission.payload
    order: Order = submission.subject

    def cancel() -> Accepted | Refused:
        client = broker.client_for(submission.master, lane="trading", priority=Priority.CANCEL)
        number = payload["orderId"] if _is_of_this_session(order) else _number_now(client, order, payload["orderId"])
        answer = client.orders.cancel(payload["account"], number)
        if isinstance(answer, OrderRefused):
            return Refused(answer.reason, answer=_kept(answer.raw))
        return Accepted(reference=answer.order_id, answer=_kept(answer.raw))

    sending.settle(submission, sending.attempt(submission, cancel))


def _is_of_this_session(order: Order) -> bool:
    """Whether the order was sent in the brokerage session of now, so that whatever id it was given is still its own."""
    sent = order.submission.attempts.last() if order.submission else None
    session = BrokerageSession.objects.filter(master=order.master).first()
    return sent is not None and session is not None and session.is_live and sent.session_serial == session.serial


def _number_now(client: IbkrClient, order: Order, before: str) -> str:
    """Return the id that IBKR's list has for the order in this session. Raises NotSent when it shows the order nowhere,
    or cannot be read: no cancel has left then, and it goes again by itself.

    Where the list carries no references, the id of before counts if what it names is the very order.
    """
    try:
        client.session.accounts()
        for scope in (order.target_name, sync.ALL):
            listed = sync.live_orders(client, scope).orders
            for row in listed:
                if row.client_order_id == order.client_order_id:
                    return row.order_id
            for row in listed:
                if row.order_id == before and not row.client_order_id and looks.is_like(order, row):
                    return row.order_id
    except HeldBack as error:
        raise NotSent(f"IBKR's list of orders could not be read: {error.reason}", not_before=error.until) from error
    except IbkrError as error:
        raise NotSent(f"IBKR's list of orders could not be read: {error.reason}") from error
    raise NotSent(f"IBKR's list does not show {order.reference} in this session, so there is no id to cancel it by.")
