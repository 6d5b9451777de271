"""Lists that IBKR gives page by page: their query, and all their rows."""

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import TypeVar

from backoffice.ibkr.errors import Unavailable, Unsendable

LARGEST_PAGE = 1000
MOST_PAGES = 100

Row = TypeVar("Row")


def period(start: date, end: date, *, offset: int, limit: int, status: str | None = None) -> dict[str, str]:
    """Return the query of one page, flat. Raises Unsendable for a page or period that IBKR refuses."""
    if not 1 <= limit <= LARGEST_PAGE or offset < 0:
        raise Unsendable(f"A page has 1 to {LARGEST_PAGE} rows and begins at 0 or later.")
    if end < start:
        raise Unsendable("The period ends before it begins.")
    query = {
        "startDate": start.isoformat(),
        "endDate": end.isoformat(),
        "limit": str(limit),
        "offset": str(offset),
    }
    return query if status is None else {**query, "status": status}


def all_rows(page: Callable[[int], tuple[tuple[Row, ...], int | None]], *, key: Callable[[Row], str]) -> Iterator[Row]:
    """Yield each row once; `page` takes an offset and returns its rows and the total, if IBKR told one.

    Without a total, a page that is not full is the last. Raises Unavailable for a list that does not end.
    """
    offset, seen = 0, set[str]()
    for _ in range(MOST_PAGES):
        rows, total = page(offset)
        for row in rows:
            if key(row) not in seen:
                seen.add(key(row))
                yield row
        offset += len(rows)
        if not rows or (offset >= total if total is not None else len(rows) < LARGEST_PAGE):
            return
    raise Unavailable("IBKR's list does not end.")


def whole(number: Decimal | None) -> int | None:
    """Return a count as a whole number."""
    return None if number is None else int(number)
