"""`/gw/api/v1/accounts`: applications, status, tasks, details; and `/gw/api/v1/requests`."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

from backoffice.ibkr import paths
from backoffice.ibkr.account_management.changes import send_change
from backoffice.ibkr.account_management.documents import send_documents
from backoffice.ibkr.account_management.verdicts import Verdict, error_sentences, verdict_of
from backoffice.ibkr.answers import gateway_write, object_read, problem_in, readable_or_none, rejected
from backoffice.ibkr.errors import OutcomeUnknown, Unavailable
from backoffice.ibkr.reading import read_answer
from backoffice.ibkr.requestor import Requestor
from backoffice.ibkr.transport import Effect, Reply
from backoffice.ibkr.types.accounts import (
    AccountDetails,
    AccountStatus,
    AccountStatusPage,
    ApplicationAccepted,
    ApplicationRecord,
    AssignedAccount,
    HybridIndividualApplication,
    RequestStatus,
    Tasks,
)
from backoffice.ibkr.types.changes import Change
from backoffice.ibkr.types.documents import ChangeAccepted, DocumentSubmission

LARGEST_PAGE = 1000
_MOST_PAGES = 50
_UNKNOWN_KEY = re.compile(
    r"not (?:been )?found|no (?:such|record|application|data|processed)|does not exist|unknown", re.IGNORECASE
)


class Accounts:
    """Applications and what IBKR says about accounts."""

    def __init__(self, requestor: Requestor) -> None:
        self._requestor = requestor

    def create(self, application: HybridIndividualApplication) -> ApplicationAccepted:
        """POST /accounts: ask IBKR to open the account. A write, sent once.

        Trap: HTTP 200 is not success; `application.status` is. "Error" raises Rejected with all of IBKR's sentences
        (nothing was created); "Already Processed" raises OutcomeUnknown, because then the application is there.
        HTTP 202 returns with `is_processed` False: look again by external id.
        """
        reply = self._requestor.gateway_signed(
            "accounts",
            claims=application.wire_members(),
            effect=Effect.WRITE,
            read_timeout=self._requestor.timeouts.registration,
        )
        body = gateway_write(reply)
        verdict = verdict_of(body)
        if verdict is None:
            return _queued_application(body, reply)
        if not verdict.is_success:
            if verdict.problem.shows_presence:
                raise OutcomeUnknown(
                    f"IBKR already knows this application: {verdict.problem.text}", exchange=reply.exchange
                )
            raise rejected(verdict.problem, reply)
        return _accepted_application(body, verdict, reply)

    def by_external_id(self, external_id: str) -> ApplicationRecord | None:
        """GET /accounts?externalId=: what IBKR holds under our key; the look after a lost answer.

        None means not known, or not yet known. Silence is not absence: the journal decides what it proves.
        """
        reply = self._requestor.gateway_get("accounts", query={"externalId": paths.external_id(external_id)})
        body = readable_or_none(reply)
        problem = problem_in(body)
        if reply.status == 404 or (
            problem is not None and reply.status in (200, 400) and _UNKNOWN_KEY.search(problem.text)
        ):
            return None
        if reply.status == 200 and isinstance(body, dict) and not body:
            return None
        if reply.status == 200 and isinstance(body, dict) and verdict_of({"fileData": body.get("data")}) is not None:
            return _record(body, reply)  # a processed application that failed is an answer, not an error of the call
        return _record(object_read(reply), reply)

    def status(self, account_id: str) -> AccountStatus:
        """GET /accounts/{id}/status: letter, words and dates of one account."""
        reply = self._requestor.gateway_get("accounts", paths.account_id(account_id), "status")
        return read_answer(AccountStatus, object_read(reply), reply)

    def statuses(self, start: date, end: date, *, status: str | None = None) -> tuple[AccountStatus, ...]:
        """GET /accounts/status: every account created from `start` to `end`, all pages.

        Trap: the dates are those of creation, and more than 10,000 rows time out at IBKR.
        """
        found: list[AccountStatus] = []
        for _ in range(_MOST_PAGES):
            query = {
                "startDate": start.isoformat(),
                "endDate": end.isoformat(),
                "limit": str(LARGEST_PAGE),
                "offset": str(len(found)),
            }
            if status is not None:
                query["status"] = status
            reply = self._requestor.gateway_get("accounts", "status", query=query)
            body = object_read(reply)
            page = read_answer(AccountStatusPage, {**body, "accounts": body.get("accounts") or []}, reply)
            found.extend(page.accounts)
            if not page.accounts or len(found) >= page.total:
                return tuple(found)
        raise Unavailable("IBKR's list of accounts does not end.")

    def first_status(self, start: date, end: date) -> AccountStatus | None:
        """GET /accounts/status: the first account of the period, or None; enough to see whose master the token is."""
        query = {"startDate": start.isoformat(), "endDate": end.isoformat(), "limit": "1", "offset": "0"}
        reply = self._requestor.gateway_get("accounts", "status", query=query)
        body = object_read(reply)
        page = read_answer(AccountStatusPage, {**body, "accounts": body.get("accounts") or []}, reply)
        return page.accounts[0] if page.accounts else None

    def tasks(self, account_id: str, kind: Literal["registration", "pending"] = "registration") -> Tasks:
        """GET /accounts/{id}/tasks: what IBKR wants. "pending" shows only what blocks approval, and nothing once open."""
        reply = self._requestor.gateway_get("accounts", paths.account_id(account_id), "tasks", query={"type": kind})
        body = object_read(reply)
        listed = body.get("registrationTasks" if kind == "registration" else "pendingTasks") or []
        return read_answer(Tasks, {**body, "kind": kind, "tasks": listed}, reply)

    def details(self, account_id: str) -> AccountDetails:
        """GET /accounts/{id}/details: title, alias, persons and addresses, before and after a change."""
        reply = self._requestor.gateway_get("accounts", paths.account_id(account_id), "details")
        body = object_read(reply)
        account = body.get("account")
        if not isinstance(account, dict):
            raise Unavailable("IBKR's answer has no account in it.", status=reply.status, exchange=reply.exchange)
        return read_answer(AccountDetails, {**account, "persons": body.get("associatedPersons") or []}, reply)

    def change(self, change: Change) -> ChangeAccepted:
        """PATCH /accounts with one operation. A write, sent once; see `changes.send_change`."""
        return send_change(self._requestor, change)

    def submit_documents(self, submission: DocumentSubmission) -> ChangeAccepted:
        """PATCH /accounts with documentSubmission. A write, sent once; see `documents.send_documents`."""
        return send_documents(self._requestor, submission)

    def request_status(self, request_id: str, kind: Literal["update", "response"] = "update") -> RequestStatus | None:
        """GET /requests/{id}/status: what became of a request answered with 202. None while IBKR does not know it."""
        reply = self._requestor.gateway_get("requests", paths.request_id(request_id), "status", query={"type": kind})
        if reply.status == 404:
            return None
        body = object_read(reply)
        verdict = verdict_of(body) if "fileData" in body else None
        if verdict is None:
            return read_answer(RequestStatus, body, reply)
        word = "Success" if verdict.is_success else "Error"
        return read_answer(RequestStatus, {**body, "status": word, "errors": verdict.errors}, reply)


def _queued_application(body: Mapping[str, Any], reply: Reply) -> ApplicationAccepted:
    if body.get("requestId") is None or "fileData" in body:
        raise OutcomeUnknown(
            "IBKR's answer says neither Success nor Error.", status=reply.status, exchange=reply.exchange
        )
    return _or_unknown(ApplicationAccepted, {**body, "is_processed": False}, reply)


def _accepted_application(body: Mapping[str, Any], verdict: Verdict, reply: Reply) -> ApplicationAccepted:
    node = {name: value for name, value in verdict.node.items() if value is not None}
    accepted = _or_unknown(ApplicationAccepted, {**body, **node, "is_processed": True}, reply)
    if accepted.account_id is None:
        raise OutcomeUnknown("IBKR accepted the application but gave no account number.", exchange=reply.exchange)
    return accepted


def _or_unknown(model: type[ApplicationAccepted], data: Mapping[str, Any], reply: Reply) -> ApplicationAccepted:
    try:
        return model.read(data)
    except ValueError as problem:
        raise OutcomeUnknown(str(problem), status=reply.status, exchange=reply.exchange) from problem


def _record(body: Mapping[str, Any], reply: Reply) -> ApplicationRecord:
    verdict = verdict_of({"fileData": body.get("data", body)})
    node = {} if verdict is None else {name: value for name, value in verdict.node.items() if value is not None}
    accounts = node.get("accounts")
    first = accounts[0] if isinstance(accounts, list) and accounts else None
    account_id = AssignedAccount.read(first).account_id if isinstance(first, dict) else body.get("accountId")
    return read_answer(
        ApplicationRecord,
        {
            **body,
            "is_success": None if verdict is None else verdict.is_success,
            "errors": () if verdict is None else verdict.errors or error_sentences(body),
            "account_id": account_id,
            "external_id": node.get("externalId"),
            "users": node.get("users") or [],
            "entities": node.get("entities") or [],
            "pending_tasks": node.get("pendingTasks") or [],
            "request_file": body.get("requestFileName") or body.get("name"),
        },
        reply,
    )
