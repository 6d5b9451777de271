"""What people do with an order once it is sent: answer IBKR's question, cancel it, take it back before a byte has left."""

from django.db import transaction

from backoffice.audit import services as audit
from backoffice.core import clock
from backoffice.core.errors import Conflict, InvalidInput, NotPermitted
from backoffice.journal import services as journal
from backoffice.journal.models import Submission
from backoffice.people.models import User
from backoffice.people.policies import services as policies
from backoffice.people.policies.document import Facts
from backoffice.people.policy import may
from trading import policy
from trading.models import LIFECYCLE, Order, OrderQuestion, Status

YES, NO = "yes", "no"


@transaction.atomic
def answer(question: OrderQuestion, *, by: User | None, answer: str, rule: str = "") -> OrderQuestion:
    """Record the one answer to IBKR's question and have it sent. `by` is None when the named `rule` answers.

    Raises NotPermitted, and Conflict when it was answered already or its time is over.
    """
    if by is not None and not may(by, "trading.trade"):
        raise NotPermitted("Your role may read IBKR's question, not answer it.")
    question = (
        OrderQuestion.objects.select_for_update(of=("self",)).select_related("order__submission").get(pk=question.pk)
    )
    if not question.is_open:
        who = question.answered_by.name if question.answered_by else f"the rule {question.rule}"
        raise Conflict(f"This question was answered already: {question.answer}, by {who}.")
    allowed = set(question.options) | {NO} if question.prompt_order_id else {YES, NO}
    if answer not in allowed:
        raise InvalidInput("answer", "That is not one of the answers IBKR takes.", "Confirm or decline.")
    now = clock.now()
    if by is not None and now >= question.deadline:
        raise Conflict("The time for an answer is over; the answer is no.")
    order = question.order
    if order.submission is None:
        raise Conflict(f"{order.reference} was never sent.")
    because = f"{by.name}: {answer}" if by else f"rule {rule}: {answer}"
    journal.answer(order.submission, by=by, because=f"question {question.number} answered, {because}")
    before, was = audit.digest_now(order), audit.standing(question)
    OrderQuestion.objects.filter(pk=question.pk).update(answer=answer, answered_by=by, rule=rule, answered_at=now)
    Order.objects.filter(pk=order.pk).update(changed_at=now)
    audit.record(
        "trading.answer", by=by, on=order, summary=f"Question {question.number} of {order.reference} answered: {answer}",
        before=before, changed=was,
    )  # fmt: skip
    question.answer, question.answered_by, question.rule, question.answered_at = answer, by, rule, now
    return question


@transaction.atomic
def request_cancel(order: Order, *, by: User) -> Submission:
    """Promise to ask IBKR to cancel. It may still fill until IBKR shows it cancelled. A second press finds the first.

    Raises NotPermitted, Conflict.
    """
    if not may(by, "trading.trade"):
        raise NotPermitted("Your role may look at orders, not cancel them.")
    order = (
        Order.objects.select_for_update(of=("self",)).select_related("cancel", "master", "instrument").get(pk=order.pk)
    )
    if order.status != Status.WORKING or not order.ibkr_order_id:
        raise Conflict(f"{order.reference} is not working at IBKR; there is nothing to cancel.")
    if order.cancel is not None and not order.cancel.is_final:
        return order.cancel
    number = Submission.objects.for_subject(order).filter(key_space="cancel").count() + 1
    submission = journal.submit(
        operation="trading.send_cancel",
        look="trading.look_for_cancel",
        subject=order,
        payload={"account": order.target_name, "orderId": order.ibkr_order_id},
        key_space="cancel",
        key=f"{order.client_order_id}-C{number}",
        lane="trading",
        master=order.master,
        maker=by,
        facts=Facts("cancel"),
        summary=f"Cancel {order.reference} {order.instrument.symbol}",
    )
    before = audit.digest_now(order)
    Order.objects.filter(pk=order.pk).update(cancel=submission, changed_at=clock.now())
    audit.record("trading.ask_cancel", by=by, on=order, summary=f"Cancel of {order.reference} asked for", before=before)
    return submission


@transaction.atomic
def take_back(order: Order, *, by: User, reason: str) -> None:
    """Give up an order that was not sent, or that is proven absent at IBKR.

    Raises InvalidInput, NotPermitted, and Conflict once a byte may have left.
    """
    if not (may(by, "journal.release") or (may(by, "trading.trade") and order.maker_id == by.pk)):
        raise NotPermitted("Only the person who made it, operations or a principal may take this back.")
    if not reason.strip():
        raise InvalidInput("reason", "A reason is needed.", "It stays beside the order.")
    if order.submission is None or order.status != Status.REQUESTED:
        raise Conflict(f"{order.reference} cannot be taken back now.")
    journal.withdraw(order.submission, by=by, reason=reason.strip())
    before, now = audit.digest_now(order), clock.now()
    LIFECYCLE.move(
        order, to=Status.VOID, because=f"taken back: {reason.strip()}", by=by,
        ibkr_words=reason.strip(), changed_at=now, settled_at=now,
    )  # fmt: skip
    audit.record("trading.take_back", by=by, on=order, summary=f"{order.reference} is not sent", before=before)


def deadline_rule(question: OrderQuestion) -> OrderQuestion:
    """Answer no, because nobody chose in time: an order nobody wanted enough to confirm is not made."""
    return answer(question, by=None, answer=NO, rule=policy.DEADLINE_RULE)


def policy_rule(question: OrderQuestion) -> OrderQuestion:
    """Answer as the policy in force says for IBKR's message ids; a question no rule names stays open for a person.

    What offers its own options instead of yes and no is never confirmed by a rule.
    """
    policy_now = policies.in_force()
    said = policy_now.document.answer_to([str(each) for each in question.message_ids])
    if said == "ask" or (said == "auto" and question.prompt_order_id):
        return question
    return answer(question, by=None, answer=YES if said == "auto" else NO, rule=f"policy {policy_now.number}")
