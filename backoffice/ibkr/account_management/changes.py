"""PATCH `/gw/api/v1/accounts`, one operation per request; and POST `/accounts/documents`, answered in the same form."""

from typing import Any

from backoffice.core import clock
from backoffice.ibkr.account_management.verdicts import verdict_of
from backoffice.ibkr.answers import gateway_write, rejected
from backoffice.ibkr.errors import OutcomeUnknown, Unsendable
from backoffice.ibkr.requestor import Requestor
from backoffice.ibkr.transport import Effect, Reply
from backoffice.ibkr.types.accounts import Application
from backoffice.ibkr.types.documents import ChangeAccepted, ProcessDocuments
from backoffice.ibkr.types.operation import Operation


def send_change(requestor: Requestor, operation: Operation, *, listed: bool | None = None) -> ChangeAccepted:
    """Send one operation. Returns when IBKR took it; HTTP 202 means it is only queued.

    Raises Unsendable, before anything is sent, for what IBKR would refuse today.
    """
    refuse_locally(operation)
    claims = {"accountManagementRequests": {operation.operation: operation.wire_value(listed=listed)}}
    return _accepted(_write(requestor, "PATCH", ("accounts",), claims))


def send_agreements(requestor: Requestor, documents: ProcessDocuments) -> ChangeAccepted:
    """Send the day's agreements to POST /accounts/documents."""
    refuse_locally(documents)
    claims = {documents.operation: documents.wire_members()}
    return _accepted(_write(requestor, "POST", ("accounts", "documents"), claims))


def refuse_locally(asked: Application | Operation) -> None:
    """Raise Unsendable for what IBKR would refuse today in New York."""
    if objections := tuple(asked.objections(clock.today(clock.NEW_YORK))):
        raise Unsendable(" ".join(objections), reasons=objections)


def _write(requestor: Requestor, method: str, path: tuple[str, ...], claims: dict[str, Any]) -> Reply:
    return requestor.gateway_signed(
        *path, claims=claims, effect=Effect.WRITE, method=method, read_timeout=requestor.timeouts.registration
    )


def _accepted(reply: Reply) -> ChangeAccepted:
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
                "documents": node.get("documents") or [],
                "pending_tasks": node.get("pendingTasks") or [],
            },
            raw=body,
        )
    except ValueError as problem:
        raise OutcomeUnknown(str(problem), status=reply.status, exchange=reply.exchange) from problem
