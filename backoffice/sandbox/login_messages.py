"""Messages that wait for a client at login: one account's, and all of a master's.

`GET /accounts/login-messages` answers one object, as the specification says: the master's, with the messages of all
accounts, told apart by `username`. ACK_AGREEMENT_UPDATE and LLC_AGREEMENT_UPDATE end with the document they name,
W8INFO with updateTaxForm, any of the three with completeLoginMessage; the others only in the portal
(`POST /_sandbox/login-messages {"id", "complete": true}`). `POST /_sandbox/login-messages {"account", "type", "tasks"?}`
makes one. Content ids, texts and the two words of `state` are invented.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .accounts import AccountRow
from .backstage import Mistake, backstage
from .clock import NEW_YORK, moment, stamp
from .gateway import Call, resource
from .jsonio import answer, dumps, loads
from .kernel import Sandbox
from .queries import days, instant, own_account, page, shown_status, status_filter

SCHEMA = """
CREATE TABLE IF NOT EXISTS login_messages (id INTEGER PRIMARY KEY, account TEXT NOT NULL, type TEXT NOT NULL,
    tasks TEXT NOT NULL, recorded_at TEXT NOT NULL, completed_at TEXT)
"""

TEXTS = {
    "W8INFO": (101, "Your Form W-8BEN expires soon. Please confirm your tax information."),
    "ACK_AGREEMENT_UPDATE": (102, "An agreement has been updated. Please acknowledge it."),
    "LLC_AGREEMENT_UPDATE": (103, "The customer agreement has been updated. Please sign it."),
    "MIFIR_INFO": (104, "Please complete your MiFIR information."),
    "EMAIL_BOUNCED": (105, "Mail to your address came back. Please confirm your email address."),
    "CRS_INFO": (106, "Please confirm your tax residencies."),
    "VERIFY_INFO": (107, "Please verify your personal information."),
}
BY_API = frozenset({"W8INFO", "ACK_AGREEMENT_UPDATE", "LLC_AGREEMENT_UPDATE"})
AGREEMENTS = BY_API - {"W8INFO"}


def routes(sandbox: Sandbox) -> list[Route]:
    return [
        resource(sandbox, "GET", "/accounts/login-messages", _of_master, "accounts.read"),
        resource(sandbox, "GET", "/accounts/{account}/login-messages", _of_account, "accounts.read"),
        backstage(sandbox, "POST", "/login-messages", _drive),
    ]


def add(sandbox: Sandbox, account: str, kind: str, tasks: list[int], at: datetime | None = None) -> int:
    return sandbox.store.insert(
        "INSERT INTO login_messages (account, type, tasks, recorded_at) VALUES (?, ?, ?, ?)",
        account, kind, dumps(tasks), stamp(at or sandbox.clock.now()),
    )  # fmt: skip


def waiting(sandbox: Sandbox, account: str, kinds: Iterable[str] = BY_API) -> list[tuple[int, str, list[int]]]:
    """(id, type, form numbers) of the account's open messages of these types."""
    rows = sandbox.store.rows(
        "SELECT * FROM login_messages WHERE account = ? AND completed_at IS NULL ORDER BY id", account
    )
    return [(row["id"], row["type"], loads(row["tasks"])) for row in rows if row["type"] in kinds]


def complete(sandbox: Sandbox, message: int) -> None:
    sandbox.store.execute(
        "UPDATE login_messages SET completed_at = ? WHERE id = ? AND completed_at IS NULL",
        stamp(sandbox.clock.now()), message,
    )  # fmt: skip


def agreement_for(sandbox: Sandbox, account: str, form: int) -> int | None:
    """The open agreement message that this form answers."""
    return next((number for number, _, forms in waiting(sandbox, account, AGREEMENTS) if form in forms), None)


def _message(row: Any, username: str) -> dict[str, Any]:
    content, text = TEXTS.get(row["type"], (199, row["type"]))
    return {
        "id": row["id"], "username": username, "messageType": row["type"], "contentId": content,
        "state": "COMPLETED" if row["completed_at"] else "PENDING", "description": text,
        "recordDate": instant(moment(row["recorded_at"])), "tasks": loads(row["tasks"]),
    }  # fmt: skip


def _rows(sandbox: Sandbox, account: AccountRow) -> list[Any]:
    return sandbox.store.rows(
        "SELECT * FROM login_messages WHERE account = ? AND completed_at IS NULL ORDER BY id", account.account
    )


def _of_account(call: Call) -> Response:
    """`GET /accounts/{id}/login-messages[?type]`: what still waits."""
    account = own_account(call, call.request.path_params["account"])
    wanted = call.query("type")
    found = [_message(row, account.username) for row in _rows(call.sandbox, account) if wanted in (None, row["type"])]
    letter, description = shown_status(call.sandbox, account)
    return answer(
        {
            "accountId": account.account, "clearingStatus": letter,
            "clearingStatusDescription": description, "loginMessages": found, "loginMessagePresent": bool(found),
        }
    )  # fmt: skip


def _of_master(call: Call) -> Response:
    """`GET /accounts/login-messages?startDate&endDate[&offset][&limit][&status][&type]`, by New York day; a flat query."""
    start, end = days(call)
    offset, limit = page(call)
    status, kind = status_filter(call), call.query("type") or call.query("messageType")
    found = []
    for account in call.sandbox.accounts.of_master(call.master):
        if status not in (None, shown_status(call.sandbox, account)[0]):
            continue
        for row in _rows(call.sandbox, account):
            day = moment(row["recorded_at"]).astimezone(NEW_YORK).date().isoformat()
            if kind in (None, row["type"]) and start <= day <= end:
                found.append(_message(row, account.username))
    shown = found[offset : offset + limit]
    return answer(
        {
            "accountId": call.master, "clearingStatus": "O", "clearingStatusDescription": "Open",
            "loginMessages": shown, "loginMessagePresent": bool(shown),
        }
    )  # fmt: skip


def _drive(sandbox: Sandbox, _request: Request, body: dict[str, Any]) -> dict[str, Any]:
    if body.get("complete") and isinstance(body.get("id"), int):
        complete(sandbox, body["id"])
        return {"id": body["id"]}
    if sandbox.accounts.get(str(body.get("account", ""))) is None or body.get("type") not in TEXTS:
        raise Mistake(f"account must be known, and type one of {', '.join(TEXTS)}")
    return {"id": add(sandbox, body["account"], body["type"], list(body.get("tasks", [])))}
