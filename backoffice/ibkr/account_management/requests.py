"""`/gw/api/v1/requests`: what became of applications and changes."""

from collections.abc import Iterator
from datetime import date
from typing import Literal

from backoffice.ibkr import paths
from backoffice.ibkr.account_management.applications import assigned_account, given
from backoffice.ibkr.account_management.pages import LARGEST_PAGE, all_rows, period, whole
from backoffice.ibkr.account_management.verdicts import verdict_of
from backoffice.ibkr.answers import list_of, object_read, problem_in, readable_or_none
from backoffice.ibkr.reading import read_answer
from backoffice.ibkr.requestor import Requestor
from backoffice.ibkr.transport import Reply
from backoffice.ibkr.types.accounts import RequestDetail, RequestPage, RequestStatus


class Requests:
    """Requests that IBKR has taken, by their number and by their day."""

    def __init__(self, requestor: Requestor) -> None:
        self._requestor = requestor

    def status(self, request_id: str, kind: Literal["update", "response"] = "update") -> RequestStatus | None:
        """GET /requests/{requestId}/status: what became of a request. None while IBKR does not know it.

        "response" is for applications and gives their whole result; "update" is for changes and gives a word.
        Traps: an unknown number may be answered with 404 or as an invalid argument; either kind may be answered in either
        form; an application that failed is an answer whose `status` is Error, with its sentences in `errors`; the number
        needs 64 bits whatever IBKR's specification says.
        """
        reply = self._requestor.gateway_get("requests", paths.request_id(request_id), "status", query={"type": kind})
        if reply.status == 404 or _does_not_know(reply):
            return None
        body = object_read(reply)
        verdict = verdict_of(body) if "fileData" in body else None
        if verdict is None:
            return read_answer(RequestStatus, body, reply)
        found = given(verdict)
        told = {
            "acctId": assigned_account(body),
            **body,
            "status": "Success" if verdict.is_success else "Error",
            "message": found.get("message"),
            "errors": verdict.errors,
            "accounts": found.get("accounts") or [],
            "users": found.get("users") or [],
            "entities": found.get("entities") or [],
            "pending_tasks": found.get("pendingTasks") or [],
        }
        return read_answer(RequestStatus, told, reply, raw=body)

    def page(
        self, start: date, end: date, *, status: str | None = None, offset: int = 0, limit: int = LARGEST_PAGE
    ) -> RequestPage:
        """GET /requests: one page of the requests submitted from `start` to `end`; `limit` is 1 to 1000.

        Trap: the specification lends `status` the letters of accounts; what they select among requests is not told.
        """
        query = period(start, end, offset=offset, limit=limit, status=status)
        reply = self._requestor.gateway_get("requests", query=query)
        body = object_read(reply)
        return read_answer(RequestPage, {**body, "requestDetails": list_of(body.get("requestDetails"))}, reply)

    def all(self, start: date, end: date, *, status: str | None = None) -> Iterator[RequestDetail]:
        """GET /requests, page after page: every request submitted from `start` to `end`, each once.

        Pages are fetched as they are needed. Trap: as with accounts, more than 10,000 rows may time out at IBKR.
        """

        def fetch(offset: int) -> tuple[tuple[RequestDetail, ...], int | None]:
            found = self.page(start, end, status=status, offset=offset)
            return found.requests, whole(found.total)

        return all_rows(fetch, key=lambda row: row.request_id)


def _does_not_know(reply: Reply) -> bool:
    """Whether the number itself, which is well formed, is what IBKR objects to."""
    problem = problem_in(readable_or_none(reply))
    return reply.status == 400 and problem is not None and {each.field for each in problem.fields} == {"requestId"}
