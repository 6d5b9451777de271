"""What an account shows: status, tasks, details, and the requests made about it."""

from datetime import datetime
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from . import review, rules
from .accounts import AccountRow, Person
from .applications import FIRST_REQUEST, ibkr_time
from .clock import NEW_YORK, moment
from .gateway import Call, Refusal, invalid_arguments, problem, resource
from .jsonio import answer, loads
from .kernel import Sandbox

SCHEMA = ""
MISSING = (
    "Request path does not contain all expected fields, please consult provided documentation,"
    " escalate to IB contact if issue persists"
)


def routes(sandbox: Sandbox) -> list[Route]:
    return [
        resource(sandbox, "GET", "/accounts/status", _statuses, "accounts.read"),
        resource(sandbox, "GET", "/accounts/{account}/status", _status, "accounts.read"),
        resource(sandbox, "GET", "/accounts/{account}/tasks", _tasks, "accounts.read"),
        resource(sandbox, "GET", "/accounts/{account}/details", _details, "accounts.read"),
        resource(sandbox, "GET", "/requests", _requests, "accounts.read"),
        resource(sandbox, "GET", "/requests/{request}/status", _request_status, "accounts.read"),
    ]


def own_account(call: Call, number: str) -> AccountRow:
    """The account if it belongs to the caller's master; 403 otherwise, known or not."""
    account = call.sandbox.accounts.get(number)
    if account is None or account.master != call.master:
        raise Refusal(problem(403, f"Permission denied for account {number}"))
    return account


def _time(when: datetime | None) -> str | None:
    return None if when is None else when.strftime("%Y-%m-%dT%H:%M:%SZ")


def _status_of(account: AccountRow) -> dict[str, Any]:
    members = {
        "accountId": account.account, "status": account.status, "description": account.description,
        "state": account.state,
        "dateStarted": _time(account.date_started), "dateOpened": _time(account.date_opened),
        "dateClosed": _time(account.date_closed),
        "masterAccountId": account.master, "adminAccountId": account.master,
    }  # fmt: skip
    return {name: value for name, value in members.items() if value is not None}


def _status(call: Call) -> Response:
    return answer(_status_of(own_account(call, call.request.path_params["account"])))


def _page(call: Call) -> tuple[int, int]:
    """(offset, limit) of a listing; limit is 1 to 1000 and 100 when not given."""
    found = []
    for name, default, lowest, highest in (("offset", "0", 0, 10**9), ("limit", "100", 1, 1000)):
        text = call.query(name) or default
        if not text.isdecimal() or not lowest <= int(text) <= highest:
            raise Refusal(invalid_arguments((name, "Invalid or Missing required parameter"), detail=MISSING))
        found.append(int(text))
    return found[0], found[1]


def _days(call: Call) -> tuple[str, str]:
    """startDate and endDate as `YYYY-MM-DD`, both required."""
    days = [rules.day(call.query(name) or "") for name in ("startDate", "endDate")]
    wrong = [name for name, found in zip(("startDate", "endDate"), days, strict=True) if found is None]
    if wrong:
        raise Refusal(
            invalid_arguments(*((name, "Invalid or Missing required parameter") for name in wrong), detail=MISSING)
        )
    return days[0].isoformat() if days[0] else "", days[1].isoformat() if days[1] else ""


def _statuses(call: Call) -> Response:
    """`GET /accounts/status?startDate&endDate[&status][&offset][&limit]`: by day of creation (New York), a flat query."""
    start, end = _days(call)
    offset, limit = _page(call)
    wanted = call.query("status")
    found = [
        account
        for account in call.sandbox.accounts.of_master(call.master)
        if start <= account.date_started.astimezone(NEW_YORK).date().isoformat() <= end
        and wanted in (None, account.status)
    ]
    page = [_status_of(account) for account in found[offset : offset + limit]]
    return answer({"accounts": page, "offset": offset, "limit": limit, "total": len(found)})


def _tasks(call: Call) -> Response:
    account = own_account(call, call.request.path_params["account"])
    kind = call.query("type") or "registration"
    head = {
        "accountId": account.account,
        "status": account.status,
        "description": account.description,
        "state": account.state,
    }
    found = review.tasks(call.sandbox, account.account)
    if kind == "pending":
        pending = [
            _pending(task) for task in found if task.completed_at is None and task.is_required and not account.is_open
        ]
        return answer({**head, "pendingTasks": pending, "pendingTaskPresent": bool(pending), "hasError": False})
    if kind == "registration":
        return answer(
            {
                **head,
                "registrationTasks": [_registration(t) for t in found],
                "registrationTaskPresent": bool(found),
                "hasError": False,
            }
        )
    raise Refusal(invalid_arguments(("type", "Invalid or Missing required parameter"), detail=MISSING))


def _pending(task: review.Task) -> dict[str, Any]:
    return {
        "taskNumber": task.id, "formNumber": task.form_number, "formName": task.form_name, "action": task.action,
        "externalId": task.external_id,
        "state": task.state, "documentRejectReason": task.reject_reasons, "startDate": _time(task.started_at),
        "entityId": task.entity_id,
        "requiredForApproval": task.is_required, "onlineTask": task.is_online, "requiredForTrading": task.is_required,
        "questionIds": [],
    }  # fmt: skip


def _registration(task: review.Task) -> dict[str, Any]:
    members = {
        "externalId": task.external_id, "formNumber": task.form_number, "formName": task.form_name,
        "action": task.action,
        "dateCompleted": _time(task.completed_at), "state": task.state, "questionIds": [],
        "isRequiredForApproval": task.is_required,
        "isCompleted": task.completed_at is not None, "isDeclined": False,
    }  # fmt: skip
    return {name: value for name, value in members.items() if value is not None}


def _details(call: Call) -> Response:
    account = own_account(call, call.request.path_params["account"])
    sandbox = call.sandbox
    members = {
        "accountId": account.account, "masterAccountId": account.master, "mainAccount": account.account,
        "primaryUser": account.username,
        "clearingStatus": account.status, "clearingStatusDescription": account.description, "stateCode": account.state,
        "baseCurrency": account.base_currency, "dateBegun": _time(account.date_started),
        "dateApproved": _time(account.date_opened),
        "dateOpened": _time(account.date_opened), "dateClosed": _time(account.date_closed),
        "accountTitle": account.title,
        "officialTitle": account.title, "accountAlias": account.alias, "emailAddress": account.email,
        "margin": account.margin,
        "applicantType": "INDIVIDUAL", "investmentObjectives": account.objectives, "externalId": account.external_id,
        "feeTemplate": {name: str(value) for name, value in account.fees.items() if isinstance(value, str)},
        "processType": "API",
        "capabilities": {"approved": account.permissions if account.is_open else [], "requested": account.permissions},
    }  # fmt: skip
    return answer(
        {
            "account": {name: value for name, value in members.items() if value is not None},
            "associatedPersons": [_associated(person, account) for person in sandbox.accounts.persons(account.account)],
            "associatedEntities": [],
            "tradeBundles": account.permissions,
            "restrictions": [],
            "hasError": False,
        }
    )


def _associated(person: Person, account: AccountRow) -> dict[str, Any]:
    members = {
        "entityId": person.entity_id, "externalCode": person.external_id, "firstName": person.name.get("first"),
        "middleName": person.name.get("middle"), "lastName": person.name.get("last"),
        "suffix": person.name.get("suffix"),
        "username": account.username, "userStatus": "O" if account.is_open else "N", "email": person.email,
        "dateOfBirth": person.date_of_birth,
        "countryOfCitizenship": person.citizenship, "countryOfLegalResidence": person.residence.get("country"),
        "stateOfLegalResidence": person.residence.get("state"), "maritalStatus": person.marital_status,
        "employmentType": person.employment,
        "phones": {str(phone.get("type", "Mobile")).lower(): str(phone.get("number", "")) for phone in person.phones},
        "residence": person.residence, "mailing": person.mailing, "associations": ["Account Holder"],
        "identityDocuments": [],
    }  # fmt: skip
    return {name: value for name, value in members.items() if value is not None}


def _requests(call: Call) -> Response:
    start, end = _days(call)
    offset, limit = _page(call)
    rows = call.sandbox.store.rows("SELECT * FROM am_requests WHERE master = ? ORDER BY id DESC", call.master)
    wanted = call.query("status")
    found = [
        {
            "requestId": row["id"], "dateSubmitted": ibkr_time(moment(row["submitted_at"])), "status": row["status"],
            "accountID": row["account"], "requestType": row["kind"],
        }
        for row in rows
        if start <= moment(row["submitted_at"]).astimezone(NEW_YORK).date().isoformat() <= end and wanted in (None, row["status"])
    ]  # fmt: skip
    return answer(
        {"requestDetails": found[offset : offset + limit], "offset": offset, "limit": limit, "total": len(found)}
    )


def _request_status(call: Call) -> Response:
    kind, text = call.query("type"), call.request.path_params["request"]
    if kind not in ("response", "update"):
        raise Refusal(invalid_arguments(("type", "Invalid or Missing required parameter"), detail=MISSING))
    row = None
    if text.isdecimal() and int(text) > FIRST_REQUEST:
        row = call.sandbox.store.row("SELECT * FROM am_requests WHERE id = ? AND master = ?", int(text), call.master)
    if row is None:
        raise Refusal(
            invalid_arguments(("requestId", "Invalid or Missing required parameter"), detail="Input validation failed")
        )
    call.about(text)
    if kind == "response" and row["response"] is not None:
        return answer(loads(row["response"]))
    status = {
        "requestId": str(row["id"]), "requestType": row["kind"], "status": row["status"], "message": row["message"],
        "acctId": row["account"],
    }  # fmt: skip
    return answer(status)
