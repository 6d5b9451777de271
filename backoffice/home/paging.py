"""Pages by key: the address carries the last row seen, so nothing is counted and a new row moves nothing."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import QueryDict

PAGE = 25


@dataclass(frozen=True)
class Slice:
    """Rows of one page, newest first, and the addresses of its neighbours; None where there is none."""

    rows: Sequence[Any]
    newer_url: str | None
    older_url: str | None


def cut(
    rows: "QuerySet[Any, Any]",
    parameters: QueryDict,
    *,
    at: str,
    size: int = PAGE,
    read: Callable[[str], Any] = datetime.fromisoformat,
    key: Callable[[str], Any] = UUID,
) -> Slice:
    """Return one page of `rows`, ordered by the column `at` and the key, both falling.

    `?before=` and `?after=` hold a row's key; an unreadable one is the first page. `read` and `key` make the column's value and
    the key from their texts.
    """
    before, after = _key(parameters.get("before", ""), read, key), _key(parameters.get("after", ""), read, key)
    if after is not None:
        ahead = rows.filter(Q(**{f"{at}__gt": after[0]}) | Q(**{at: after[0], "pk__gt": after[1]})).order_by(at, "pk")
        found = list(ahead[: size + 1])
        has_newer, has_older = len(found) > size, True
        found = found[:size][::-1]
    else:
        older = rows
        if before is not None:
            older = rows.filter(Q(**{f"{at}__lt": before[0]}) | Q(**{at: before[0], "pk__lt": before[1]}))
        found = list(older.order_by(f"-{at}", "-pk")[: size + 1])
        has_newer, has_older = before is not None, len(found) > size
        found = found[:size]
    if not found:
        return Slice([], _address(parameters) if before or after else None, None)
    return Slice(
        found,
        _address(parameters, after=_text(found[0], at)) if has_newer else None,
        _address(parameters, before=_text(found[-1], at)) if has_older else None,
    )


def address(parameters: QueryDict, **changes: str | None) -> str:
    """Return this page's address with some parameters set, or taken off (None); it starts again at the newest row."""
    return _address(parameters, **changes)


def _address(parameters: QueryDict, **changes: str | None) -> str:
    kept = parameters.copy()
    for name in ("before", "after"):
        kept.pop(name, None)
    for name, value in changes.items():
        kept.pop(name, None)
        if value is not None:
            kept[name] = value
    return f"?{kept.urlencode()}"


def _text(row: Any, at: str) -> str:
    value = getattr(row, at)
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return base64.urlsafe_b64encode(f"{text}|{row.pk}".encode()).decode().rstrip("=")


def _key(text: str, read: Callable[[str], Any], key: Callable[[str], Any]) -> tuple[Any, Any] | None:
    try:
        at, _, pk = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition("|")
        return (read(at), key(pk)) if text else None
    except (ValueError, binascii.Error):
        return None
