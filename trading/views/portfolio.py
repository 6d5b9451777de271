"""The firm's portfolio, one account's, and who holds an instrument. Figures are rows with their age; nothing waits for IBKR."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from backoffice.audit import disclosures
from backoffice.core import clock, exports
from backoffice.journal import inquiries
from backoffice.journal.models import InquiryState
from backoffice.people.policy import may, requires
from clients.models import Account, Client
from trading.dispatch_names import PORTFOLIO_REFRESH
from trading.models import Instrument, OrderAllocation
from trading.selectors import orders as order_selectors
from trading.selectors import portfolio as selectors
from trading.services import portfolio as watching
from trading.views.common import is_fragment, mark, own_inquiry, reader

MOST_REFRESHED = 25


@require_safe
@vary_on_headers("HX-Request")
@requires("trading.view")
def firm(request: HttpRequest) -> HttpResponse:
    """Everything the person may see: totals with their coverage, holdings across accounts, the accounts."""
    user = reader(request)
    found = selectors.firm(user)
    context: dict[str, Any] = {
        "portfolio": found,
        "mark": mark(
            found.coverage.as_of,
            found.coverage.words,
            found.totals.net_liquidation,
            *((line.price, line.value) for line in found.lines),
        ),
        "may_trade": may(user, "trading.trade"),
    }
    return render(request, "trading/_firm.html" if is_fragment(request) else "trading/portfolio.html", context)


@require_safe
@requires("trading.export")
def export(request: HttpRequest) -> HttpResponse:
    """Holdings across accounts as CSV; cells never start a formula."""
    user = reader(request)
    found = selectors.firm(user)
    currency = found.totals.currency
    head = ["Symbol", "Name", "Conid", "Class", "Currency", "Quantity", "Price", f"Value {currency}", "Weight %",
            f"Unrealised {currency}", "Held by", "As of (UTC)"]  # fmt: skip
    cells = (
        (
            line.instrument.symbol, line.instrument.name, line.instrument.conid, line.asset_class,
            line.instrument.currency, line.quantity, line.price, _rounded(line.value), _rounded(line.weight),
            _rounded(line.unrealised), line.held_by, f"{line.as_of:%Y-%m-%d %H:%M:%S}" if line.as_of else "",
        )
        for line in found.lines
    )  # fmt: skip
    disclosures.let_out("trading.export", by=user, summary=f"Exported {len(found.lines)} holdings as CSV")
    return csv_response("portfolio", head, cells)


def _rounded(value: Any) -> Any:
    return None if value is None else round(value, 2)


def csv_response(name: str, head: list[str], cells: Any) -> HttpResponse:
    response = HttpResponse(exports.csv_bytes(head, cells), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}-{clock.now():%Y-%m-%d}.csv"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


@require_safe
@vary_on_headers("HX-Request")
@requires("trading.view")
def account(request: HttpRequest, number: str) -> HttpResponse:
    """One account in its base currency: figures, positions, cash by currency, its last orders."""
    user = reader(request)
    row = get_object_or_404(
        Account.objects.visible_to(user).select_related("client", "master", "snapshot"), number=number
    )
    watching.watch_account(row)
    found = selectors.of_account(row)
    context: dict[str, Any] = {
        "portfolio": found,
        "account": row,
        "shares_of_orders": _last_orders(row),
        "mark": mark(
            found.coverage.as_of, found.totals.net_liquidation, *((line.price, line.value) for line in found.lines)
        ),
        "may_trade": may(user, "trading.trade"),
    }
    return render(request, "trading/_account.html" if is_fragment(request) else "trading/account.html", context)


def _last_orders(row: Account) -> list[tuple[OrderAllocation, order_selectors.StateWords]]:
    found = (
        OrderAllocation.objects.filter(account=row)
        .exclude(order__status="draft")
        .select_related("order__instrument", "order__submission", "order__cancel")
        .order_by("-order__number")[:6]
    )
    return [(share, order_selectors.state_of(share.order)) for share in found]


@require_safe
@requires("trading.view")
def instrument(request: HttpRequest, conid: str) -> HttpResponse:
    """One instrument: its quote with its age, and who holds it."""
    user = reader(request)
    row = get_object_or_404(Instrument, conid=conid)
    held = selectors.holders(user, row)
    context = {
        "instrument": row,
        "holders": held,
        "quantity": sum((each.position.quantity for each in held), start=selectors.ZERO),
        "value": sum((each.value or selectors.ZERO for each in held), start=selectors.ZERO),
        "as_of": max((each.as_of for each in held), default=None),
        "may_trade": may(user, "trading.trade"),
    }
    return render(request, "trading/instrument.html", context)


@require_POST
@requires("trading.view")
def refresh(request: HttpRequest) -> HttpResponse:
    """Ask a worker to read accounts now: one by its number, or those whose figures are oldest."""
    user = reader(request)
    accounts = Account.objects.visible_to(user).open()
    if number := request.POST.get("account", ""):
        numbers = [get_object_or_404(accounts, number=number).number]
    else:
        oldest = accounts.order_by("snapshot__as_of", "number")
        numbers = list(oldest.values_list("number", flat=True)[:MOST_REFRESHED])
    inquiry = inquiries.ask(PORTFOLIO_REFRESH, {"accounts": numbers}, by=user)
    return render(request, "trading/_refresh.html", {"inquiry": inquiry})


@require_safe
@requires("trading.view")
def refreshed(request: HttpRequest, pk: str) -> HttpResponse:
    """Say how the refresh goes; once every account was asked the page loads again."""
    inquiry = own_inquiry(request, pk, PORTFOLIO_REFRESH)
    response = render(request, "trading/_refresh.html", {"inquiry": inquiry})
    if inquiry.state == InquiryState.ANSWERED and inquiry.answer["answered"] and not inquiry.answer["reasons"]:
        response["HX-Refresh"] = "true"
    return response


@require_safe
@requires("trading.view")
def client_panel(request: HttpRequest, pk: str) -> HttpResponse:
    """The panels of the client page: what the client's accounts hold, and their last orders."""
    user = reader(request)
    client = get_object_or_404(Client.objects.visible_to(user), pk=pk)
    portfolios = selectors.of_client(client)
    context = {
        "client": client,
        "portfolios": [(each, _last_orders(each.account)) for each in portfolios],
        "may_trade": may(user, "trading.trade"),
    }
    return render(request, "trading/_client_panel.html", context)
