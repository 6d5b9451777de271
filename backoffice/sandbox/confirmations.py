"""`GET /trade-confirmations/available` and `POST /trade-confirmations`: the trades of days, as PDF, from the books.

The specification knows accountId, startDate, endDate and mimeType; the documentation adds accountIds,
multiAccountFormat, language and gzip: all are taken. Dates are YYYYMMDD, a range of at most 365 days of the last two
years; several accounts are put one after the other. A range without a trade is 400.
"""

import base64
import gzip
from datetime import date, timedelta
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from . import statement_figures, statement_pdf
from .accounts import AccountRow
from .clock import NEW_YORK
from .gateway import Call, Refusal, invalid_arguments, problem, resource
from .jsonio import answer
from .kernel import Sandbox
from .reports import check_members, period
from .statement_figures import Figures

SCHEMA = ""
LONGEST = 365
YEARS = 2


def routes(sandbox: Sandbox) -> list[Route]:
    scopes = ("statements.write", "reports.write")
    return [
        resource(sandbox, "GET", "/trade-confirmations/available", _available, "statements.read", "reports.read"),
        resource(sandbox, "POST", "/trade-confirmations", _confirmation, *scopes, signed=True),
    ]


def _own(call: Call, number: Any) -> AccountRow:
    account = call.sandbox.accounts.get(number) if isinstance(number, str) else None
    if account is None or account.master != call.master or account.date_opened is None:
        raise Refusal(problem(402, "The request cannot be fulfilled for the account"))
    return account


def _days(call: Call) -> tuple[date, date]:
    today = call.sandbox.clock.now().astimezone(NEW_YORK).date()
    return today - timedelta(days=YEARS * 365), today


def trade_days(sandbox: Sandbox, account: str, start: date, end: date) -> list[date]:
    entries = sandbox.books.entries(account, start, end)
    return sorted({entry.day for entry in entries if entry.kind == "trade"})


def _available(call: Call) -> Response:
    number = call.query("accountId")
    if number is None:
        raise Refusal(invalid_arguments(("accountId", "Missing required parameter")))
    account = _own(call, number)
    call.about(account.account)
    found = trade_days(call.sandbox, account.account, *_days(call))
    return answer({"data": {"value": [f"{day:%Y%m%d}" for day in found]}})


def _confirmation(call: Call) -> Response:
    body = call.body
    check_members(body)
    call.about(f"{body['accountId']}:{body.get('startDate')}-{body.get('endDate')}")
    start, end = period(body.get("startDate"), is_end=False), period(body.get("endDate"), is_end=True)
    bad = [name for name, found in (("startDate", start), ("endDate", end)) if found is None or found[0] != 8]
    if start is None or end is None or bad:
        raise Refusal(invalid_arguments(*((name, "Invalid or Missing required parameter") for name in bad)))
    first, last = _days(call)
    if end[1] < start[1] or start[1] < first or end[1] > last:
        raise Refusal(invalid_arguments(("endDate", "Invalid or Missing required parameter")))
    if (end[1] - start[1]).days + 1 > LONGEST:
        raise Refusal(invalid_arguments(("endDate", f"The range exceeds {LONGEST} days")))
    found: list[Figures] = []
    for number in dict.fromkeys([body["accountId"], *body.get("accountIds", [])]):
        figures = statement_figures.draw(call.sandbox, _own(call, number), start[1], end[1])
        found += [figures] if figures.trades else []
    if not found:
        raise Refusal(invalid_arguments(("startDate", "No trade confirmation is available for the period")))
    return packed(call, statement_pdf.confirm(found))


def packed(call: Call, pdf: bytes) -> Response:
    """The PDF itself for `Accept: application/pdf`, else wrapped in JSON, compressed when `gzip` says so."""
    if call.request.headers.get("accept", "").strip().lower() == "application/pdf":
        return Response(pdf, media_type="application/pdf")
    is_zipped = bool(call.body.get("gzip", False))
    value = base64.b64encode(gzip.compress(pdf, mtime=0) if is_zipped else pdf).decode()
    data = {
        "dataType": "byte[]", "encoding": "base64", "mimeType": "application/pdf", "value": value, "gzip": is_zipped,
    }  # fmt: skip
    return answer({"data": data, "accept": "*/*"})
