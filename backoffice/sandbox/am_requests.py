"""Account management requests: each POST and PATCH of `/accounts` opens one, and its outcome stays there.

Ids lie past int32: they are int64. The words of `status` are those of the callbacks (ACCEPTED, REJECTED, REMOVED),
and PENDING while one is under way; as the specification lists none, the knob `request_words` says others in their
place. With `request_status_types` "by_kind" an application is asked about with type=response and a change with
type=update alone.
"""

from datetime import datetime
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from .clock import NEW_YORK, moment, stamp
from .gateway import Call, Refusal, invalid_arguments, resource
from .jsonio import answer, dumps, loads
from .kernel import Sandbox
from .queries import ACCOUNT_STATUSES, bad_query, days, page, shown_status

SCHEMA = """
CREATE TABLE IF NOT EXISTS am_requests (
    id INTEGER PRIMARY KEY, master TEXT NOT NULL, account TEXT NOT NULL, kind TEXT NOT NULL, external_id TEXT NOT
    NULL, status TEXT NOT NULL,
    message TEXT NOT NULL, submitted_at TEXT NOT NULL, due_at TEXT, payload TEXT NOT NULL DEFAULT '{}', response TEXT
);
CREATE INDEX IF NOT EXISTS am_requests_account ON am_requests (account)
"""
FIRST_REQUEST = 3_000_000_000
STATUSES = frozenset({"PENDING", "ACCEPTED", "REJECTED", "REMOVED"})


def routes(sandbox: Sandbox) -> list[Route]:
    return [
        resource(sandbox, "GET", "/requests", _requests, "accounts.read"),
        resource(sandbox, "GET", "/requests/{request}/status", _request_status, "accounts.read"),
    ]


def ibkr_time(moment: datetime) -> str:
    """`YYYYMMDDHHMMSS UTC`."""
    return f"{moment:%Y%m%d%H%M%S} UTC"


def new_request(sandbox: Sandbox, master: str, account: str, kind: str, external_id: str = "") -> int:
    """Open an account management request and return its id."""
    highest = sandbox.store.value("SELECT MAX(id) FROM am_requests") or FIRST_REQUEST
    return sandbox.store.insert(
        "INSERT INTO am_requests (id, master, account, kind, external_id, status, message, submitted_at)"
        " VALUES (?, ?, ?, ?, ?, 'PENDING', '', ?)",
        int(highest) + 7, master, account, kind, external_id, stamp(sandbox.clock.now()),
    )  # fmt: skip


def close_request(
    sandbox: Sandbox, request_id: int, status: str, message: str = "", response: dict[str, Any] | None = None
) -> None:
    sandbox.store.execute(
        "UPDATE am_requests SET status = ?, message = ?, due_at = NULL, response = coalesce(?, response) WHERE id = ?",
        status, message, None if response is None else dumps(response), request_id,
    )  # fmt: skip


def report(
    sandbox: Sandbox, request_id: int, client_id: str, master: str, application: dict[str, Any]
) -> dict[str, Any]:
    """A `StatusResponse` around the outcome of a create or an update."""
    at = ibkr_time(sandbox.clock.now())
    execution = {
        "executedAt": at,
        "client": client_id,
        "clientMasterAccount": master,
        "processFile": f"{request_id}.json",
    }
    data = {"execution": execution, "application": application}
    return {
        "requestId": request_id,
        "dateSubmitted": at,
        "fileData": {"data": data, "name": f"{request_id}.json.report"},
    }


def failure(customer: str, external_id: str, texts: list[str]) -> dict[str, Any]:
    return {
        "customer": customer,
        "externalId": external_id,
        "status": "Error",
        "error": [{"value": text} for text in dict.fromkeys(texts)],
    }


def _word(sandbox: Sandbox, status: str) -> str:
    return str(sandbox.config.get("request_words", {}).get(status, status))


def _requests(call: Call) -> Response:
    """`GET /requests?startDate&endDate[&offset][&limit][&status]`, newest first, by New York day; a flat query.

    The specification lists account statuses as values of `status` and does not say what they mean here: a letter
    lists the requests of accounts in that status, a word those requests that have it.
    """
    start, end = days(call)
    offset, limit = page(call)
    rows = call.sandbox.store.rows("SELECT * FROM am_requests WHERE master = ? ORDER BY id DESC", call.master)
    wanted = call.query("status")
    words = {status: _word(call.sandbox, status) for status in STATUSES}
    if wanted is not None and wanted not in ACCOUNT_STATUSES | set(words.values()):
        raise bad_query("status")
    found = [
        {
            "requestId": row["id"], "dateSubmitted": ibkr_time(moment(row["submitted_at"])), "status": words[row["status"]],
            "accountID": row["account"], "requestType": row["kind"],
        }
        for row in rows
        if start <= moment(row["submitted_at"]).astimezone(NEW_YORK).date().isoformat() <= end
        and (wanted in (None, words[row["status"]]) or (account := call.sandbox.accounts.get(row["account"]))
             and wanted == shown_status(call.sandbox, account)[0])
    ]  # fmt: skip
    return answer(
        {"requestDetails": found[offset : offset + limit], "offset": offset, "limit": limit, "total": len(found)}
    )


def _request_status(call: Call) -> Response:
    """`GET /requests/{id}/status?type=response|update`: the stored answer if there is one, else and for `update` a line."""
    kind, text = call.query("type"), call.request.path_params["request"]
    if kind not in ("response", "update"):
        raise bad_query("type")
    row = None
    if text.isdecimal() and int(text) > FIRST_REQUEST:
        row = call.sandbox.store.row("SELECT * FROM am_requests WHERE id = ? AND master = ?", int(text), call.master)
    if row is None:
        raise Refusal(
            invalid_arguments(("requestId", "Invalid or Missing required parameter"), detail="Input validation failed")
        )
    call.about(text)
    own_type = "response" if row["kind"] == "CREATE_ACCOUNT" else "update"
    if kind != own_type and call.sandbox.config.get("request_status_types", "any") == "by_kind":
        raise bad_query("type")
    if kind == "response" and row["response"] is not None:
        return answer(loads(row["response"]))
    status = {
        "requestId": str(row["id"]), "requestType": row["kind"], "status": _word(call.sandbox, row["status"]),
        "message": row["message"],
        "acctId": row["account"],
    }  # fmt: skip
    return answer(status)
