"""What the reading operations share: whose account it is, the period and page of a listing, and the error wrapper."""

from datetime import datetime
from typing import Any

from starlette.responses import Response

from . import rules
from .accounts import DESCRIPTIONS, AccountRow
from .gateway import Call, Refusal, invalid_arguments, problem
from .jsonio import answer
from .kernel import Sandbox

INVALID_OR_MISSING = "Invalid or Missing required parameter"
MISSING = (
    "Request path does not contain all expected fields, please consult provided documentation,"
    " escalate to IB contact if issue persists"
)
ACCOUNT_STATUSES = frozenset("NOPCAEFIJLMRWQ")


def own_account(call: Call, number: str) -> AccountRow:
    """The account if it belongs to the caller's master; 403 otherwise, known or not."""
    account = call.sandbox.accounts.get(number)
    if account is None or account.master != call.master:
        raise Refusal(problem(403, f"Permission denied for account {number}"))
    return account


def bad_query(*names: str) -> Refusal:
    """400 about parameters of the address."""
    return Refusal(invalid_arguments(*((name, INVALID_OR_MISSING) for name in names), detail=MISSING))


def wrapped_error(text: str, **members: Any) -> Response:
    """The 200 in which a reading operation says that it failed."""
    error = {"hasError": True, "errorDescription": text}
    return answer({**members, **error, "error": error})


def page(call: Call) -> tuple[int, int]:
    """(offset, limit) of a listing; limit is 1 to 1000 and 100 when not given."""
    found = []
    for name, default, lowest, highest in (("offset", "0", 0, 10**9), ("limit", "100", 1, 1000)):
        text = call.query(name) or default
        if not text.isdecimal() or not lowest <= int(text) <= highest:
            raise bad_query(name)
        found.append(int(text))
    return found[0], found[1]


def days(call: Call) -> tuple[str, str]:
    """startDate and endDate as `YYYY-MM-DD`, both required, in this order in time."""
    found = [rules.day(call.query(name) or "") for name in ("startDate", "endDate")]
    wrong = [name for name, day in zip(("startDate", "endDate"), found, strict=True) if day is None]
    if wrong:
        raise bad_query(*wrong)
    start, end = (day.isoformat() if day else "" for day in found)
    if end < start:
        raise bad_query("endDate")
    return start, end


def shown_status(sandbox: Sandbox, account: AccountRow) -> tuple[str, str]:
    """(letter, description) of an account; the knob `status_letters` shows letters that nobody has described."""
    letter = str(sandbox.config.get("status_letters", {}).get(account.status, account.status))
    return letter, DESCRIPTIONS.get(letter, letter)


def status_filter(call: Call) -> str | None:
    """The account status to list, one letter, or None for all."""
    wanted = call.query("status")
    if wanted is not None and wanted not in ACCOUNT_STATUSES:
        raise bad_query("status")
    return wanted


def instant(when: datetime | None) -> str | None:
    """`2026-01-31T15:04:05Z`."""
    return None if when is None else when.strftime("%Y-%m-%dT%H:%M:%SZ")
