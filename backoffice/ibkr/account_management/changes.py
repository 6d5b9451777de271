"""PATCH `/gw/api/v1/accounts`: one operation per request."""

from collections.abc import Mapping
from typing import Any

from backoffice.ibkr.account_management.verdicts import verdict_of
from backoffice.ibkr.answers import gateway_write, rejected
from backoffice.ibkr.errors import OutcomeUnknown
from backoffice.ibkr.requestor import Requestor
from backoffice.ibkr.transport import Effect
from backoffice.ibkr.types.changes import Change
from backoffice.ibkr.types.documents import ChangeAccepted


def send_change(requestor: Requestor, change: Change) -> ChangeAccepted:
    """Send one change. Returns when IBKR took it; HTTP 202 means it is only queued.

    Trap: HTTP 200 may carry `status` "Error": that raises Rejected with IBKR's sentences. There is no key, so after
    OutcomeUnknown the witness is the account's details before and after.
    """
    return send_operation(requestor, change.operation, change.wire_members())


def send_operation(requestor: Requestor, operation: str, members: Mapping[str, Any]) -> ChangeAccepted:
    """Send `members` as IBKR's `operation` and read the verdict in the answer."""
    reply = requestor.gateway_signed(
        "accounts",
        claims={"accountManagementRequests": {operation: members}},
        effect=Effect.WRITE,
        method="PATCH",
        read_timeout=requestor.timeouts.registration,
    )
    body = gateway_write(reply)
    verdict = verdict_of(body)
    if verdict is not None and not verdict.is_success:
        raise rejected(verdict.problem, reply)
    if verdict is None and ("fileData" in body or body.get("requestId") is None):
        raise OutcomeUnknown(
            "IBKR's answer says neither Success nor Error.", status=reply.status, exchange=reply.exchange
        )
    node = {} if verdict is None else verdict.node
    try:
        return ChangeAccepted.read(
            {
                **body,
                "is_processed": verdict is not None,
                "status": node.get("status"),
                "message": node.get("message"),
                "pending_tasks": node.get("pendingTasks") or [],
            }
        )
    except ValueError as problem:
        raise OutcomeUnknown(str(problem), status=reply.status, exchange=reply.exchange) from problem
