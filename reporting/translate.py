"""Periods in words, and what IBKR's refusals of a statement mean. No writes."""

import re
from calendar import month_abbr, month_name
from datetime import date

from reporting.models import Granularity

_MONTHS = {name.lower(): str(number) for names in (month_name, month_abbr) for number, name in enumerate(names) if name}
_PERIOD_FORMS = (
    re.compile(r"(?<!\S)(?:(?P<day>\d{1,2})\.? +)?(?P<month>[^\W\d]{3,9})\.? +(?P<year>20\d\d)(?!\S)"),
    re.compile(r"(?<!\S)(?P<year>20\d\d)(?:-?(?P<month>\d\d)(?:-?(?P<day>\d\d))?)?(?!\S)"),
)


def period_words(period: str) -> str:
    """Return "2025", "October 2026" or "19 October 2026"."""
    if len(period) == 4:
        return period
    month = month_name[int(period[4:6])]
    return f"{month} {period[:4]}" if len(period) == 6 else f"{int(period[6:8])} {month} {period[:4]}"


def period_typed(text: str) -> tuple[str, str]:
    """Return the period a text names, as IBKR writes it, and the text without it; "" when it names none.

    "202608", "2026-08-31", "August 2026" and "31 Aug 2026" are understood, alone or beside an account or a name.
    """
    for form in _PERIOD_FORMS:
        found = form.search(text)
        if found is None:
            continue
        year, month, day = found["year"], found["month"], found["day"]
        number = _MONTHS.get(month.lower(), month) if month else None
        try:
            date(int(year), int(number or 1), int(day or 1))
        except ValueError:  # "Holloway 2026", "202613"
            continue
        period = f"{year}{int(number):02d}" if number else year
        return f"{period}{int(day):02d}" if day else period, f"{text[: found.start()]} {text[found.end() :]}".strip()
    return "", text


def granularity_of(period: str) -> str:
    return {4: Granularity.ANNUAL, 6: Granularity.MONTHLY, 8: Granularity.DAILY}[len(period)]


def months_back(today: date, count: int) -> list[str]:
    """Return the last `count` whole months before the month of `today`, oldest first, as "YYYYMM"."""
    year, month = today.year, today.month
    found = []
    for _ in range(count):
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
        found.append(f"{year}{month:02d}")
    return found[::-1]


def meaning(words: str) -> str:
    """Say what IBKR's refusal of a statement means and what to do."""
    lower = words.lower()
    if "cannot be fulfilled for the account" in lower:
        return (
            "IBKR says this of an account that is not under our master, and may say it of a report that is not ready."
            " Ask again tomorrow; if it stays, operations checks the account's master."
        )
    if "invalid" in lower or "date" in lower:
        return "IBKR has no statement for this period yet. Ask again tomorrow."
    return "IBKR did not give the file, however often it was asked. Nothing is lost: you may ask again at any time."
