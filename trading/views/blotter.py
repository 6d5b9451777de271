"""The blotter: orders in tabs, live, each row opening in place; and the same list as CSV."""

from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from backoffice.audit import disclosures
from backoffice.audit import services as audit
from backoffice.core import exports
from backoffice.home.parts import Filter
from backoffice.people.models import User
from backoffice.people.policy import may, requires
from trading import paging
from trading.models import DeskSync, Side
from trading.models.orders import OrderQuerySet
from trading.selectors import orders as selectors
from trading.views.common import is_fragment, mark, reader
from trading.views.portfolio import csv_response


def _filtered(user: User, parameters: QueryDict) -> OrderQuerySet:
    found = selectors.in_tab(user, parameters.get("tab", "today"))
    if symbol := parameters.get("symbol", ""):
        found = found.filter(instrument__symbol__iexact=symbol[:40])
    if parameters.get("side") in Side.values:
        found = found.filter(side=parameters["side"])
    if parameters.get("maker") == "me":
        found = found.filter(maker=user)
    return found


@require_safe
@vary_on_headers("HX-Request")
@requires("trading.view")
def blotter(request: HttpRequest) -> HttpResponse:
    """Orders of one tab, newest first; `?open=T-20418` opens a row."""
    user, parameters = reader(request), request.GET
    tab = parameters.get("tab", "today")
    tab = tab if tab in selectors.TABS else "today"
    page = paging.cut(selectors.with_parts(_filtered(user, parameters)), parameters)
    orders: list[Any] = page.rows
    rows = selectors.rows(orders)
    opened = parameters.get("open", "")
    counts = selectors.tab_counts(user)
    context: dict[str, Any] = {
        "tab": tab,
        "tabs": [
            (key, word, paging.address(parameters, tab=key), counts.get(key, 0)) for key, word in selectors.TABS.items()
        ],
        "counts": counts,
        "page": page,
        "rows": [_opened(row, parameters, opened) for row in rows],
        "filters": _filters(parameters),
        "is_narrowed": any(parameters.get(name) for name in ("symbol", "side", "maker")),
        "sync": DeskSync.objects.filter(kind="orders").order_by("-read_at").first(),
        "live": f"{reverse('trading:blotter')}?{parameters.urlencode()}",
        "export": f"{reverse('trading:blotter_export')}{paging.address(parameters)}",
        "may_trade": may(user, "trading.trade"),
        "mark": mark(
            *(
                (
                    row.order.pk,
                    row.order.changed_at,
                    row.state.word,
                    row.order.submission and row.order.submission.looks,
                )
                for row in rows
            ),
            *counts.values(),
        ),
    }
    return render(request, "trading/_blotter.html" if is_fragment(request) else "trading/blotter.html", context)


def _opened(row: selectors.Row, parameters: QueryDict, opened: str) -> dict[str, Any]:
    is_open = opened == row.order.reference
    return {
        "row": row,
        "is_open": is_open,
        "toggle": paging.opened(parameters, None if is_open else row.order.reference),
        "events": selectors.timeline(row.order) if is_open else [],
    }


def _filters(parameters: QueryDict) -> list[Filter]:
    def chip(name: str, label: str, words: dict[str, str]) -> Filter:
        value = parameters.get(name, "")
        if value in words:
            return Filter(label, words[value], paging.address(parameters, **{name: None}))
        choices = tuple((paging.address(parameters, **{name: key}), word) for key, word in words.items())
        return Filter(label, choices=choices)

    chips = [chip("side", "Side", dict(Side.choices)), chip("maker", "Made by", {"me": "You"})]
    if symbol := parameters.get("symbol", "")[:40]:
        chips.append(Filter("Symbol", symbol, paging.address(parameters, symbol=None)))
    return chips


@require_safe
@requires("trading.export")
def export(request: HttpRequest) -> HttpResponse:
    """The tab as CSV, with the filters of the address; cells never start a formula."""
    user = reader(request)
    asked_for = selectors.with_parts(_filtered(user, request.GET)).order_by("-number")
    found, last = exports.cut(list(asked_for[: exports.ROWS_AT_MOST + 1]))
    rows = selectors.rows(found)
    head = ["Order", "IBKR id", "Sent at (UTC)", "For", "Side", "Symbol", "Exchange", "Currency", "Quantity", "Filled",
            "Limit", "Average price", "Time in force", "State", "IBKR status", "Allocation", "Made by", "Reason"]  # fmt: skip
    cells = (
        (
            row.order.reference, row.order.ibkr_order_id,
            f"{row.order.sent_at:%Y-%m-%d %H:%M:%S}" if row.order.sent_at else "", row.target,
            row.order.get_side_display(), row.order.instrument.symbol, row.order.instrument.exchange,
            row.order.instrument.currency, row.order.quantity, row.order.filled, row.order.limit_price,
            row.order.average_price, row.order.get_tif_display(), row.state.word, row.order.ibkr_status,
            row.allocation[1], row.order.maker.name if row.order.maker else "", row.order.reason,
        )
        for row in rows
    )  # fmt: skip
    disclosures.let_out(
        "trading.export",
        by=user,
        summary=f"Exported {len(rows)} orders as CSV",
        filters=audit.asked(request.GET),
        disclosed={each.allocation.account.client for row in rows for each in row.comparison.rows},
    )
    return csv_response("orders", head, [*cells, *last])
