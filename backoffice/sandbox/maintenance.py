"""`PATCH /gw/api/v1/accounts`: one operation per request, in the object form of the schema or the array form of the
documentation (with the knob `patch_forms` in one of them alone); `changes` holds the operations.

What takes effect at once answers 200. What is processed later answers 202 and is followed at
`/requests/{id}/status?type=update` (PENDING, then ACCEPTED, REJECTED or REMOVED); the knob `asynchronous_changes`
makes every answer 202 (true) or 200 (false), null leaves it so. Times are those of the documentation, in business days
and hours of New York on the virtual clock; with the knob `change_times` set to "fast" whatever takes time takes
`maintenance_seconds` (45), as holder details always do: no time is printed for them.

A fee template that waits for the client is acknowledged in the portal, or by
`POST /_sandbox/acknowledgements {"account", "accept"}`.
"""

import sqlite3
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from . import callbacks, changes, documents, payloads
from .accounts import AccountRow
from .am_requests import close_request, failure, ibkr_time, new_request, report
from .backstage import Mistake, backstage
from .changes import permissions
from .clock import moment, stamp
from .gateway import Call, Refusal, invalid_arguments, resource
from .jsonio import answer, dumps, loads
from .kernel import Sandbox
from .queries import own_account

SCHEMA = ""


def register(sandbox: Sandbox) -> None:
    sandbox.on_tick.append(lambda: _settle_due(sandbox))


def routes(sandbox: Sandbox) -> list[Route]:
    return [
        resource(sandbox, "PATCH", "/accounts", _patch, "accounts.write", signed=True),
        backstage(sandbox, "POST", "/acknowledgements", _acknowledge_backstage),
    ]


def _patch(call: Call) -> Response:
    wrapper = call.body.get("accountManagementRequests")
    form = call.sandbox.config.get("patch_forms", "both")
    bare = isinstance(wrapper, dict) and {name for name, value in wrapper.items() if not isinstance(value, list)}
    if isinstance(wrapper, dict):
        taken = {name: value if form == "object" else _single(value) for name, value in wrapper.items()}
        wrapper = payloads.without_nulls(taken)
    if set(call.body) != {"accountManagementRequests"} or not isinstance(wrapper, dict) or len(wrapper) != 1:
        raise Refusal(
            invalid_arguments(
                ("accountManagementRequests", "Missing required parameter"), detail="Input validation failed"
            )
        )
    (name, operation), *_ = wrapper.items()
    if name == "processDocuments" and isinstance(operation, dict):
        return documents.answer_process_documents(call, operation)
    mistakes = payloads.mistakes("AccountManagementRequests", wrapper)
    if form == "array" and bare:
        mistakes = [payloads.unsupported(name, operation)]
    account = _account(call, operation) if isinstance(operation, dict) else None
    number = account.account if account else ""
    call.about(f"{name}:{number}")
    if not mistakes and account is None:
        mistakes = ["accountId is missing"]
    request_id = new_request(call.sandbox, call.master, number, name)
    accepted = None
    if not mistakes and account is not None:
        found = _check(call.sandbox, account, name, operation, request_id)
        mistakes, accepted = (found, None) if isinstance(found, list) else ([], found)
    if accepted is None or account is None:
        return _refused(call, account, request_id, mistakes)
    call.sandbox.ledger.record("patch", number, str(request_id), {"operation": name})
    return _taken(call, account, name, operation, request_id, accepted)


def _single(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _account(call: Call, operation: dict[str, Any]) -> AccountRow | None:
    """The account an operation names: by number, by its user, or as the first of several. 403 when it is another's."""
    subs = operation.get("subAccounts")
    named = (
        operation.get("accountId")
        or operation.get("ibAccountId")
        or (subs[0] if isinstance(subs, list) and subs else None)
    )
    if named is not None:
        return own_account(call, str(named))
    if isinstance(username := operation.get("referenceUserName"), str):
        account = call.sandbox.accounts.by_username(username)
        return own_account(call, account.account if account else username)
    return None


def _subject(sandbox: Sandbox, account: AccountRow, operation: dict[str, Any], request_id: int) -> changes.Subject:
    master = sandbox.accounts.master(account.master)
    if master is None:
        raise LookupError(account.master)
    return changes.Subject(sandbox, account, master, operation, request_id, sandbox.clock.now())


def _check(
    sandbox: Sandbox, account: AccountRow, name: str, operation: dict[str, Any], request_id: int
) -> list[str] | changes.Accepted:
    known = changes.ALL[name]
    if known.statuses and account.status not in known.statuses:
        return [f"Account {account.account} is not open"]
    return known.check(_subject(sandbox, account, operation, request_id))


def _refused(call: Call, account: AccountRow | None, request_id: int, mistakes: list[str]) -> Response:
    outcome = failure(account.title if account else "", account.external_id if account else "", mistakes)
    response = report(call.sandbox, request_id, call.client.client_id, call.master, outcome)
    close_request(call.sandbox, request_id, "REJECTED", mistakes[0], response)
    return answer(response)


def _taken(
    call: Call,
    account: AccountRow,
    name: str,
    operation: dict[str, Any],
    request_id: int,
    accepted: changes.Accepted,
) -> Response:
    sandbox, now = call.sandbox, call.sandbox.clock.now()
    due = accepted.due
    if due is not None and due > now and sandbox.config.get("change_times", "documented") == "fast":
        due = now + timedelta(seconds=int(sandbox.config.get("maintenance_seconds", 45)))
    is_immediate = due is not None and due <= now
    kept = dumps({"operation": operation, "note": accepted.note})
    sandbox.store.execute(
        "UPDATE am_requests SET payload = ?, message = ?, due_at = ? WHERE id = ?",
        kept, accepted.message, None if due is None else stamp(due), request_id,
    )  # fmt: skip
    members: dict[str, Any] = {}
    if is_immediate:
        outcome = _carry_out(sandbox, request_id, account, name, operation, accepted.note)
        if outcome.rejection:
            return _refused(call, account, request_id, [outcome.rejection])
        members = outcome.members
    found = {"customer": account.title, "externalId": account.external_id, "status": "Success", **members}
    response = report(sandbox, request_id, call.client.client_id, call.master, found)
    if is_immediate:
        close_request(sandbox, request_id, "ACCEPTED", "", response)
    mode = sandbox.config.get("asynchronous_changes", None)
    if mode is True or (mode is None and not is_immediate):
        return answer({"requestId": request_id, "executedAt": ibkr_time(now)}, 202)
    return answer(response)


def _carry_out(
    sandbox: Sandbox, request_id: int, account: AccountRow, name: str, operation: dict[str, Any], note: dict[str, Any]
) -> changes.Outcome:
    known = changes.ALL[name]
    outcome = known.apply(_subject(sandbox, account, operation, request_id), note)
    if known.callback:
        _tell(sandbox, account, known.callback, "REJECTED" if outcome.rejection else "ACCEPTED", note)
    return outcome


def _tell(sandbox: Sandbox, account: AccountRow, kind: str, status: str, note: dict[str, Any]) -> None:
    if kind in ("ADD_TRADING", "REMOVE_TRADING"):
        word = "REMOVED" if kind == "REMOVE_TRADING" and status == "ACCEPTED" else status
        for bundle in note["bundles"]:
            details = {"bundle": bundle, "status": word}
            callbacks.emit_request(sandbox, account.master, kind, account.account, details=details)
    else:
        callbacks.emit_request(sandbox, account.master, kind, account.account, status=status)


def _settle_due(sandbox: Sandbox) -> None:
    now = stamp(sandbox.clock.now())
    for row in sandbox.store.rows(
        "SELECT * FROM am_requests WHERE due_at IS NOT NULL AND due_at <= ? ORDER BY due_at, id", now
    ):
        _settle(sandbox, row)


def _settle(sandbox: Sandbox, row: sqlite3.Row) -> None:
    """What fell due happens as of the instant it was due."""
    stored, account = loads(row["payload"]), sandbox.accounts.get(row["account"])
    if account is None:
        close_request(sandbox, row["id"], "REJECTED", "The account no longer exists")
        return
    with sandbox.clock.as_of(moment(row["due_at"]), sandbox.clock.wall()):
        outcome = _carry_out(sandbox, row["id"], account, row["kind"], stored["operation"], stored["note"])
    close_request(sandbox, row["id"], "REJECTED" if outcome.rejection else "ACCEPTED", outcome.rejection)


def waiting_for_client(sandbox: Sandbox, account: str) -> sqlite3.Row | None:
    """The change of this account that the client must acknowledge, or None."""
    return sandbox.store.row(
        "SELECT * FROM am_requests WHERE account = ? AND status = 'PENDING' AND message = ? AND due_at IS NULL"
        " ORDER BY id DESC LIMIT 1",
        account, permissions.WAITS_FOR_CLIENT,
    )  # fmt: skip


def acknowledge(sandbox: Sandbox, account: str, *, accept: bool) -> bool:
    """The client says yes or no to a change that waits for it; False when none does."""
    row = waiting_for_client(sandbox, account)
    if row is None:
        return False
    if not accept:
        close_request(sandbox, row["id"], "REJECTED", "The client did not acknowledge the change")
        return True
    due = permissions.acknowledged(sandbox.clock.now())
    sandbox.store.execute("UPDATE am_requests SET message = '', due_at = ? WHERE id = ?", stamp(due), row["id"])
    _settle_due(sandbox)
    return True


def _acknowledge_backstage(sandbox: Sandbox, _request: Request, body: dict[str, Any]) -> dict[str, Any]:
    account = str(body.get("account", ""))
    if not acknowledge(sandbox, account, accept=bool(body.get("accept", True))):
        raise Mistake(f"no change of account {account} waits for its client")
    return {"account": account}
