"""What POST and GET `/accounts` say about an application: pure functions from their many shapes to two answers."""

import re
from collections.abc import Mapping
from typing import Any

from backoffice.ibkr.account_management.verdicts import Verdict, error_sentences, verdict_of
from backoffice.ibkr.answers import gateway_write, object_read, problem_in, readable_or_none, rejected
from backoffice.ibkr.errors import OutcomeUnknown
from backoffice.ibkr.reading import read_answer
from backoffice.ibkr.transport import Reply
from backoffice.ibkr.types.accounts import ApplicationAccepted, ApplicationRecord, AssignedAccount

_UNKNOWN_KEY = re.compile(
    r"not (?:been )?found|no (?:such|record|application|data|processed)|does not exist|unknown", re.IGNORECASE
)
_LISTS = ("accounts", "users", "entities", "documents", "pendingTasks")


def accepted_application(reply: Reply) -> ApplicationAccepted:
    """Return what POST /accounts was answered with. Raises as a write does; see `Accounts.create`."""
    body = gateway_write(reply)
    verdict = verdict_of(body)
    if verdict is None:
        if body.get("requestId") is None or "fileData" in body:
            raise OutcomeUnknown(
                "IBKR's answer says neither Success nor Error.", status=reply.status, exchange=reply.exchange
            )
        return _or_unknown({**body, "is_processed": False}, body, reply)
    if not verdict.is_success:
        if verdict.problem.shows_presence:
            raise OutcomeUnknown(
                f"IBKR already knows this application: {verdict.problem.text}",
                is_known_there=True,
                exchange=reply.exchange,
            )
        if (made := assigned_account(body)) is not None:
            raise OutcomeUnknown(
                f"IBKR says Error of a part and names the account {made}: {verdict.problem.text}",
                is_known_there=True,
                exchange=reply.exchange,
            )
        raise rejected(verdict.problem, reply)
    accepted = _or_unknown({**body, **given(verdict), "is_processed": True}, body, reply)
    if accepted.account_id is None:
        raise OutcomeUnknown("IBKR accepted the application but gave no account number.", exchange=reply.exchange)
    return accepted


def application_record(reply: Reply) -> ApplicationRecord | None:
    """Return what GET /accounts holds, in either of its shapes; None when IBKR says that it knows nothing."""
    body = readable_or_none(reply)
    if reply.status == 200 and isinstance(body, dict) and verdict_of({"fileData": body.get("data")}) is not None:
        # A processed application that failed is an answer, whatever its reasons say is not there.
        return _record(body, reply)
    problem = problem_in(body)
    if reply.status == 404 or (
        problem is not None and reply.status in (200, 400) and _UNKNOWN_KEY.search(problem.text)
    ):
        return None
    if reply.status == 200 and isinstance(body, dict) and not body:
        return None
    return _record(object_read(reply), reply)


def given(verdict: Verdict) -> dict[str, Any]:
    """Return what IBKR made of an application, with absent lists left out, and a British ISA's second account."""
    found = {name: value for name, value in verdict.node.items() if value is not None}
    for name in _LISTS:
        if not isinstance(found.get(name, []), list):
            found[name] = [found[name]]
    satellite = found.get("ISASatelliteAccount")
    if isinstance(satellite, list):
        satellite = satellite[0] if satellite else None
    if isinstance(satellite, dict):
        satellite = satellite.get("satelliteAccountId") or satellite.get("value")
    return {**found, "satellite_account_id": satellite}


def assigned_account(value: object) -> str | None:
    """Return the account number an answer names, wherever it does: an Error of some part does not unmake it."""
    node = _node_of_account(value)
    return None if node is None else _number_in(node)


def _node_of_account(value: object) -> dict[str, Any] | None:
    if isinstance(value, list):
        return next((found for each in value if (found := _node_of_account(each)) is not None), None)
    if not isinstance(value, dict):
        return None
    return value if _number_in(value) is not None else _node_of_account(list(value.values()))


def _number_in(node: Mapping[str, Any]) -> str | None:
    listed = node.get("accounts")
    rows = [row for row in (listed if isinstance(listed, list) else [listed]) if isinstance(row, dict)]
    return next((number for row in rows if (number := AssignedAccount.read(row).account_id)), None)


def _or_unknown(data: Mapping[str, Any], body: Mapping[str, Any], reply: Reply) -> ApplicationAccepted:
    try:
        return ApplicationAccepted.read(data, raw=body)
    except ValueError as problem:
        raise OutcomeUnknown(str(problem), status=reply.status, exchange=reply.exchange) from problem


def _record(body: Mapping[str, Any], reply: Reply) -> ApplicationRecord:
    verdict = verdict_of({"fileData": body.get("data", body)})
    making = _node_of_account(body)
    if verdict is not None and making is not None:
        verdict = Verdict(verdict.is_success, making, verdict.errors)
    node = {} if verdict is None else given(verdict)
    account_id = assigned_account(body) or body.get("accountId")
    return read_answer(
        ApplicationRecord,
        {
            "is_success": None if verdict is None else verdict.is_success,
            "is_processed": body.get("isProcessed"),
            "errors": () if verdict is None else verdict.errors or error_sentences(body),
            "account_id": account_id,
            "external_id": node.get("externalId"),
            "users": node.get("users") or [],
            "entities": node.get("entities") or [],
            "documents": node.get("documents") or [],
            "pending_tasks": node.get("pendingTasks") or [],
            "satellite_account_id": node.get("satellite_account_id"),
            "request_file": body.get("requestFileName") or body.get("name"),
            "response_file": body.get("responseFileName"),
        },
        reply,
        raw=body,
    )
