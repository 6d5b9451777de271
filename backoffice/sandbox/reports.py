"""`GET /statements/available` and `POST /statements`: activity statements as PDF, from the sandbox's own books.

The granularity of startDate and endDate selects the kind: YYYY annual, YYYYMM monthly, YYYYMMDD a range of at most
365 days. Statements exist from the day the account opened to yesterday (New York); annual and monthly ones once their
period is over. Several accounts are put one after the other, whatever `multiAccountFormat` says.

Knobs play what IBKR leaves open: the form of the file (`statement_form`), whether `accountId` is needed beside
`accountIds` (`statement_needs_account`), and the status where there is nothing to report yet (`no_data_status`).
"""

import base64
import gzip
import re
from calendar import monthrange
from datetime import date, datetime, timedelta
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from . import statement_figures, statement_pdf
from .accounts import AccountRow
from .clock import NEW_YORK
from .gateway import Call, Refusal, invalid_arguments, problem, resource
from .jsonio import answer
from .kernel import Sandbox

SCHEMA = ""
LONGEST = 365
MEMBERS = frozenset(
    {
        "accountId", "accountIds", "startDate", "endDate", "multiAccountFormat", "cryptoConsolIfAvailable", "mimeType",
        "language", "gzip",
    }
)  # fmt: skip
LANGUAGES = frozenset({"en", "tw", "cn", "fr", "de", "es", "it", "ru", "ja", "pt"})
FORMATS = frozenset({"consolidate", "concatenate", "customConsolidate"})
INVALID = "Invalid or Missing required parameter"
NOT_FOR_THE_ACCOUNT = "The request cannot be fulfilled for the account"


def routes(sandbox: Sandbox) -> list[Route]:
    return [
        resource(sandbox, "GET", "/statements/available", _available, "statements.read", "reports.read"),
        resource(
            sandbox,
            "POST",
            "/statements",
            _statement,
            "statements.read",
            "statements.write",
            "reports.write",
            signed=True,
        ),
    ]


def _reportable(call: Call, number: Any) -> tuple[AccountRow, date, date]:
    """The account with its first and last reportable day; refuses one that is not the caller's or has never been open."""
    account, opened = reportable(call, number)
    today = call.sandbox.clock.now().astimezone(NEW_YORK).date()
    return account, opened.astimezone(NEW_YORK).date(), today - timedelta(days=1)


def reportable(call: Call, number: Any) -> tuple[AccountRow, datetime]:
    """The caller's account and when it opened. 402 for another's; one that never opened has no data yet."""
    account = call.sandbox.accounts.get(number) if isinstance(number, str) else None
    if account is None or account.master != call.master:
        raise Refusal(problem(402, NOT_FOR_THE_ACCOUNT))
    if account.date_opened is None:
        raise no_data(call, "accountId", "No data is available for the account", otherwise=402)
    return account, account.date_opened


def no_data(call: Call, field: str, text: str, *, otherwise: int = 400) -> Refusal:
    """Nothing to report yet: 400 naming the field, or the 402 of an account that is not the caller's."""
    status = call.sandbox.config.get("no_data_status", None) or otherwise
    return Refusal(problem(402, NOT_FOR_THE_ACCOUNT) if status == 402 else invalid_arguments((field, text)))


def _available(call: Call) -> Response:
    number = call.query("accountId")
    if number is None:
        raise Refusal(invalid_arguments(("accountId", "Missing required parameter")))
    account, first, last = _reportable(call, number)
    call.about(account.account)
    earliest = max(first, date(last.year - 2, 1, 1))
    months = [
        f"{year}{month:02d}"
        for year in range(earliest.year, last.year + 1)
        for month in range(1, 13)
        if _month(year, month, earliest, last)
    ]
    years = [str(year) for year in range(earliest.year, last.year) if date(year, 12, 31) <= last]
    daily = {"startDate": f"{earliest:%Y%m%d}", "endDate": f"{last:%Y%m%d}"} if earliest <= last else {}
    return answer({"data": {"dataType": "String", "value": {"daily": daily, "monthly": months, "annual": years}}})


def _month(year: int, month: int, earliest: date, last: date) -> bool:
    """Whether the month is over and the account was open in it."""
    end = date(year, month, monthrange(year, month)[1])
    return earliest <= end <= last


def period(text: Any, *, is_end: bool) -> tuple[int, date] | None:
    """Granularity (4, 6 or 8 digits) and the first or last day the text stands for."""
    if not isinstance(text, str) or not re.fullmatch(r"\d{4}(\d{2}(\d{2})?)?", text):
        return None
    year, month, day = int(text[:4]), int(text[4:6] or (12 if is_end else 1)), int(text[6:8] or 0)
    try:
        return len(text), date(year, month, day or (monthrange(year, month)[1] if is_end else 1))
    except (ValueError, IndexError):  # calendar raises an IllegalMonthError, which is both kinds over the versions
        return None


def _read_period(call: Call, first: date, last: date) -> tuple[date, date]:
    start, end = period(call.body.get("startDate"), is_end=False), period(call.body.get("endDate"), is_end=True)
    wrong = [(name, INVALID) for name, found in (("startDate", start), ("endDate", end)) if found is None]
    if start is None or end is None:
        raise Refusal(invalid_arguments(*wrong))
    if start[0] != end[0] or end[1] < start[1]:
        raise Refusal(invalid_arguments(("endDate", INVALID)))
    if (end[1] - start[1]).days + 1 > LONGEST + (1 if start[0] == 4 else 0):  # a leap year is one annual statement
        raise Refusal(invalid_arguments(("endDate", f"The range exceeds {LONGEST} days")))
    if end[1] > last or end[1] < first:
        raise no_data(call, "startDate" if end[1] < first else "endDate", "No statement is available for the period")
    return max(start[1], first), end[1]


def _statement(call: Call) -> Response:
    body = call.body
    check_members(body, needs_account=call.sandbox.config.get("statement_needs_account", True))
    wanted = asked_for(body)
    call.about(f"{wanted[0]}:{body.get('startDate')}-{body.get('endDate')}")
    statements = []
    for number in wanted:
        account, first, last = _reportable(call, number)
        start, end = _read_period(call, first, last)
        statements.append(statement_figures.draw(call.sandbox, account, start, end))
    return packed(call, statement_pdf.write(statements))


def asked_for(body: dict[str, Any]) -> list[str]:
    """The accounts a checked request names, each once, `accountId` first."""
    return list(dict.fromkeys([each for each in (body.get("accountId"), *body.get("accountIds", [])) if each]))


def packed(call: Call, pdf: bytes) -> Response:
    """The PDF itself or base64 in JSON: as Accept asks, or always one of them with the knob. `gzip` compresses the latter."""
    form = call.sandbox.config.get("statement_form", "accept")
    asks_for_pdf = call.request.headers.get("accept", "").strip().lower() == "application/pdf"
    if form == "pdf" or (form == "accept" and asks_for_pdf):
        return Response(pdf, media_type="application/pdf")
    is_zipped = bool(call.body.get("gzip", False))
    value = base64.b64encode(gzip.compress(pdf, mtime=0) if is_zipped else pdf).decode()
    data = {
        "dataType": "byte[]",
        "encoding": "base64",
        "mimeType": "application/pdf",
        "value": value,
        "gzip": is_zipped,
    }
    return answer({"data": data, "accept": "*/*"})


def check_members(body: dict[str, Any], *, needs_account: bool = True) -> None:
    wrong = [(name, INVALID) for name in sorted(body.keys() - MEMBERS)]
    others = body.get("accountIds", [])
    is_there = "accountId" in body or needs_account or not others
    if is_there and (not isinstance(body.get("accountId"), str) or not body["accountId"]):
        wrong.append(("accountId", "Missing required parameter"))
    if not isinstance(others, list) or not all(isinstance(item, str) for item in others):
        wrong.append(("accountIds", INVALID))
    choices: list[tuple[str, frozenset[str]]] = [
        ("mimeType", frozenset({"application/pdf"})), ("language", LANGUAGES), ("multiAccountFormat", FORMATS),
    ]  # fmt: skip
    wrong += [(name, INVALID) for name, accepted in choices if name in body and str(body[name]) not in accepted]
    wrong += [
        (name, INVALID)
        for name in ("gzip", "cryptoConsolIfAvailable")
        if name in body and not isinstance(body[name], bool)
    ]
    if wrong:
        raise Refusal(invalid_arguments(*wrong))
