"""What stands on the approval page of an order."""

from typing import Any

from django.urls import reverse

from backoffice.core.money import Money
from backoffice.journal.decisions import Headline, Review
from backoffice.journal.models import Submission
from backoffice.people.policies.comparing import Difference
from trading import translate
from trading.models import Order


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
        ("Made by", order.maker.name if order.maker else "not ours"),
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
