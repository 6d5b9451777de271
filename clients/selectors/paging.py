"""Pages by key: the neighbour's key is in the address, nothing is counted, and a new row moves nobody."""

from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from backoffice.home.parts import Page

Row = TypeVar("Row", bound=models.Model)


def page_of(
    rows: "models.QuerySet[Row]", *, keys: Sequence[str], asked: dict[str, str], size: int
) -> tuple[list[Row], Page]:
    """Return one page of `rows` ordered by `keys` (a leading minus is descending; the last must be unique), and its neighbours.

    `asked` is the query of the address: `after` or `before` hold the primary key at the edge; the rest is kept in the links.
    """
    kept = {name: value for name, value in asked.items() if name not in {"after", "before"} and value}
    edge_pk, backwards = asked.get("before") or asked.get("after"), bool(asked.get("before"))
    edge = _edge(rows, edge_pk)
    ordered = rows.order_by(*(_flip(key) if backwards else key for key in keys))
    if edge is not None:
        ordered = ordered.filter(_beyond(edge, [_flip(key) if backwards else key for key in keys]))
    found = list(ordered[: size + 1])
    more, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
    older = found and (more or backwards and edge is not None)
    newer = found and (edge is not None and not backwards or backwards and more)
    return found, Page(
        rows=list(found),
        older_url="?" + urlencode({**kept, "after": str(found[-1].pk)}) if older else None,
        newer_url="?" + urlencode({**kept, "before": str(found[0].pk)}) if newer else None,
    )


def _edge(rows: "models.QuerySet[Row]", pk: str | None) -> Row | None:
    if not pk:
        return None
    try:
        return rows.filter(pk=rows.model._meta.pk.to_python(pk)).first()
    except (ValueError, TypeError, ValidationError):
        return None  # an address somebody wrote by hand: the first page


def _flip(key: str) -> str:
    return key[1:] if key.startswith("-") else f"-{key}"


def _beyond(edge: models.Model, keys: Sequence[str]) -> Q:
    """Everything after the edge row in this order: (a > x) or (a = x and b > y) or ..."""
    total, equal = Q(), Q()
    for key in keys:
        name, sign = key.lstrip("-"), "lt" if key.startswith("-") else "gt"
        value: Any = getattr(edge, name)
        total |= equal & Q(**{f"{name}__{sign}": value})
        equal &= Q(**{name: value})
    return total
