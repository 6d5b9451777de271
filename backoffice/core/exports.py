"""CSV files that a spreadsheet reads as text and numbers, never as formulas (reliability.md Z07)."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

RowT = TypeVar("RowT")

ROWS_AT_MOST = 5000
MARK = "\ufeff"  # begins a file as UTF-8, so that names keep their accents in Excel
CUT = f"Cut here: a file holds {ROWS_AT_MOST:,} rows, and there are more. Narrow the list and export it again."
# What starts a formula, in any width, and the white space and control characters some programs skip before it.
_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# Where a comma is the decimal sign, spreadsheets part cells at semicolons, and then quotes inside a line hold nothing
# together: what follows a semicolon, a tab or a line's end may start a cell of its own.
_INNER_START = re.compile(r"([;\t\r\n]\s*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")


def safe(value: Any) -> str:
    """Return a cell's text. Figures stay figures, also negative ones; text that could be a formula gets a quote before it."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, int):
        return str(value)
    text = _INNER_START.sub(r"\1'", str(value).replace("\0", ""))
    return f"'{text}" if text.lstrip().startswith(_STARTS) or text.startswith(_STARTS) else text


def cut(found: Sequence[RowT]) -> tuple[Sequence[RowT], list[list[str]]]:
    """Part what was looked up, one row more than a file holds, into the file's rows and the line that says there are more."""
    return found[:ROWS_AT_MOST], [[CUT]] if len(found) > ROWS_AT_MOST else []


def csv_bytes(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """Return a CSV file (RFC 4180, UTF-8 with its mark)."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_MINIMAL, lineterminator="\r\n")
    writer.writerow(head)
    for row in rows:
        writer.writerow([safe(value) for value in row])
    return (MARK + text.getvalue()).encode()
