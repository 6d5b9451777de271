"""What belongs to a client or an order in an evidence pack."""

from collections.abc import Iterator
from typing import Any

from backoffice.home.registry import Evidence, EvidenceDocument
from clients.models import Client
from trading.models import Order


def of(root: Any) -> Iterator[Evidence]:
    """Return a client's orders, and the frozen allocation of each order by its hash."""
    if isinstance(root, Client):
        orders = list(Order.objects.filter(allocations__account__client=root).distinct())
        yield Evidence(rows=tuple(orders), documents=_allocations(orders))
    elif isinstance(root, Order):
        yield Evidence(documents=_allocations([root]))


def _allocations(orders: list[Order]) -> tuple[EvidenceDocument, ...]:
    return tuple(
        EvidenceDocument(
            f"Allocation of {order.reference}", "frozen before sending", order.allocation_sha256, 0, order.sent_at
        )
        for order in orders
        if order.allocation_sha256
    )
