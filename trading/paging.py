"""Pages of orders by key: the address carries the last number seen, so nothing is counted and a new row moves nothing."""

from collections.abc import Sequence
from typing import Any

from django.http import QueryDict

from backoffice.home.parts import Page
from trading.models.orders import OrderQuerySet

PAGE = 25
_PLACES = ("before", "after", "open")


def cut(orders: OrderQuerySet, parameters: QueryDict, *, size: int = PAGE) -> Page:
    """Return one page, newest first. `?before=` and `?after=` hold an order's number; an unreadable one is the first page."""
    before, after = _number(parameters.get("before", "")), _number(parameters.get("after", ""))
    if after is not None:
        found: list[Any] = list(orders.filter(number__gt=after).order_by("number")[: size + 1])
        has_newer, has_older = len(found) > size, True
        found = found[:size][::-1]
    else:
        older = orders if before is None else orders.filter(number__lt=before)
        found = list(older.order_by("-number")[: size + 1])
        has_newer, has_older = before is not None, len(found) > size
        found = found[:size]
    rows: Sequence[Any] = found
    return Page(
        list(rows),
        address(parameters, after=str(rows[0].number)) if rows and has_newer else None,
        address(parameters, before=str(rows[-1].number)) if rows and has_older else None,
    )


def address(parameters: QueryDict, **changes: str | None) -> str:
    """Return this page's address with some parameters set, or taken off (None); it starts again at the newest row."""
    kept = parameters.copy()
    for name in _PLACES:
        kept.pop(name, None)
    for name, value in changes.items():
        kept.pop(name, None)
        if value is not None:
            kept[name] = value
    return f"?{kept.urlencode()}"


def opened(parameters: QueryDict, reference: str | None) -> str:
    """Return the address of this very page with one row opened, or none."""
    kept = parameters.copy()
    kept.pop("open", None)
    if reference is not None:
        kept["open"] = reference
    return f"?{kept.urlencode()}"


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None
