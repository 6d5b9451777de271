"""What stands on the approval page of an order."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.urls import reverse

from backoffice.core.money import Money
from backoffice.journal.decisions import Headline, Review
from backoffice.journal.dry_run import Question
from backoffice.journal.models import Submission
from backoffice.people.models import User
from backoffice.people.policies.comparing import Difference
from trading import translate
from trading.models import Order, OrderQuestion

QUESTIONS = 500  # the newest that are looked at


def headline(submission: Submission, subject: Any) -> Headline:
    """Say the order in a line and what it is about worth, for Today."""
    order: Order = subject
    price = f"at {translate.exact(order.limit_price)} or better" if order.limit_price is not None else "at the market"
    title = f"{order.get_side_display()} {translate.exact(order.quantity)} {order.instrument.symbol} {price}"
    worth = submission.amount_usd
    return Headline(title, f"{order.reference} for {order.target_name}.", "" if worth is None else Money(worth, "USD"))


def review(submission: Submission, subject: Any) -> Review:
    """Say in words what would be ordered for whom, and how the group stands against what was frozen."""
    order: Order = subject
    price = f"at {translate.exact(order.limit_price)} or better" if order.limit_price is not None else "at the market"
    facts: list[tuple[str, Any]] = [
        ("Order", f"{order.get_side_display()} {translate.exact(order.quantity)} {order.instrument.symbol} {price}"),
        ("For", order.target_name),
        ("Why", order.reason),
    ]
    if order.twin_reason:
        facts.append(("Why a second one", order.twin_reason))
    rows = order.allocations.select_related("account__client")
    preview = [
        (
            f"{row.account.client.name}, {row.account.number}",
            f"{translate.exact(row.quantity)} {order.instrument.symbol}",
        )
        for row in rows
    ]
    now = []
    if order.definition:
        listed = order.group is not None and order.group.is_listed
        now.append(Difference("Group at IBKR", "listed", "listed" if listed else "no longer listed"))
    return Review(facts, now, preview, order.previewed_at, f"{reverse('trading:order_new')}?again={order.pk}")


def questions(user: User, since: datetime) -> Iterator[Question]:
    """What IBKR asked about the orders this person may see, newest first, for the trial of a policy."""
    rows = OrderQuestion.objects.filter(order__in=Order.objects.visible_to(user), asked_at__gte=since)
    for row in rows.select_related("order__instrument", "answered_by").order_by("-asked_at", "-pk")[:QUESTIONS]:
        who = row.answered_by.name if row.answered_by else f"the rule {row.rule}" if row.rule else "nobody"
        yield Question(
            about=f"{row.order.reference} {row.order.get_side_display()} {row.order.instrument.symbol}",
            url=row.order.get_absolute_url(),
            message_ids=tuple(str(each) for each in row.message_ids),
            answered=f"{row.answer}, {who}" if row.answer else "not yet",
            at=row.asked_at,
            takes_yes=not row.prompt_order_id,
        )
