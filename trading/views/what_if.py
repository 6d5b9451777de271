"""What IBKR says a draft would do. Asked by an inquiry, so the page never waits; nothing is ordered by it."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_POST, require_safe

from backoffice.journal import inquiries
from backoffice.journal.models import Inquiry
from backoffice.people.policy import requires
from trading.dispatch_names import WHAT_IF
from trading.models import Order, Status
from trading.selectors import what_if as selectors
from trading.views.common import own_inquiry, reader


def ask_about(request: HttpRequest, order: Order) -> Inquiry:
    """Have a worker ask IBKR about a draft as it is now."""
    params = {"order": str(order.pk), "allocation": order.allocation_sha256}
    return inquiries.ask(WHAT_IF, params, by=reader(request))


@require_POST
@requires("trading.trade")
def ask(request: HttpRequest, pk: str) -> HttpResponse:
    """Ask IBKR once more what an own draft would do."""
    user = reader(request)
    order = get_object_or_404(Order.objects.visible_to(user), pk=pk, status=Status.DRAFT)
    if order.maker_id != user.pk:
        raise PermissionDenied("Only the person who made this ticket may ask about it.")
    return _panel(request, order, ask_about(request, order))


@require_safe
@requires("trading.trade")
def shown(request: HttpRequest, pk: str) -> HttpResponse:
    """Show IBKR's answer, or ask again in a moment."""
    inquiry = own_inquiry(request, pk, WHAT_IF)
    order = get_object_or_404(Order.objects.visible_to(reader(request)), pk=inquiry.params["order"])
    return _panel(request, order, inquiry)


def _panel(request: HttpRequest, order: Order, inquiry: Inquiry) -> HttpResponse:
    return render(request, "trading/_what_if.html", {"order": order, **context_of(order, inquiry)})


def context_of(order: Order, inquiry: Inquiry | None) -> dict[str, object]:
    """Return what the panel shows: the inquiry under way or over, its answer, and the currency of the figures if it is one."""
    currencies = set(order.allocations.values_list("account__base_currency", flat=True))
    return {
        "inquiry": inquiry,
        "what_if": selectors.of_inquiry(inquiry),
        "base_currency": currencies.pop() if len(currencies) == 1 else "",
    }
