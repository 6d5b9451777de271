"""`GET /trade-confirmations/available` and `POST /trade-confirmations`: the trades of days, as PDF, from the books.

The specification knows accountId, startDate, endDate and mimeType; the documentation adds accountIds,
multiAccountFormat, language and gzip: all are taken. Dates are YYYYMMDD, a range of at most 365 days of the last two
years; several accounts are put one after the other. A range without a trade is 400 (`no_data_status`).
"""

from datetime import date, timedelta

from starlette.responses import Response
from starlette.routing import Route

from . import statement_figures, statement_pdf
from .clock import NEW_YORK
from .gateway import Call, Refusal, invalid_arguments, resource
from .jsonio import answer
from .kernel import Sandbox
from .reports import asked_for, check_members, no_data, packed, period, reportable
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
    account, _ = reportable(call, number)
    call.about(account.account)
    found = trade_days(call.sandbox, account.account, *_days(call))
    return answer({"data": {"value": [f"{day:%Y%m%d}" for day in found]}})


def _confirmation(call: Call) -> Response:
    body = call.body
    check_members(body, needs_account=call.sandbox.config.get("statement_needs_account", True))
    call.about(f"{asked_for(body)[0]}:{body.get('startDate')}-{body.get('endDate')}")
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
    for number in asked_for(body):
        figures = statement_figures.draw(call.sandbox, reportable(call, number)[0], start[1], end[1])
        found += [figures] if figures.trades else []
    if not found:
        raise no_data(call, "startDate", "No trade confirmation is available for the period")
    return packed(call, statement_pdf.confirm(found))
