"""What goes of orders when two people destroy a client's personal data."""

from backoffice.audit import services as audit
from backoffice.core.sql import DESTROYED
from backoffice.journal import decisions
from clients.models import Client
from trading.models import Order, OrderAllocation


def forget(client: Client) -> list[audit.Standing]:
    """Empty why a client's orders were placed, and the papers beside them; the orders and what was sent stay.

    An order that is also for somebody whose data is kept stays whole: it is their record too.
    """
    was = []
    others = OrderAllocation.objects.filter(account__client__erased_at=None).values("order")
    for order in Order.objects.filter(allocations__account__client=client).exclude(pk__in=others).distinct():
        was += audit.standing(order)
        order.reason, order.twin_reason = order.reason and DESTROYED, order.twin_reason and DESTROYED
        order.save(update_fields=["reason", "twin_reason"])
        was += decisions.forget("trading.order", str(order.pk), and_payload=False)
    return was
