"""What an account shows: status, tasks and details."""

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from . import enumerations, kyc, review
from .accounts import AccountRow, Person
from .clock import NEW_YORK
from .gateway import Call, resource
from .jsonio import answer, loads
from .kernel import Sandbox
from .queries import bad_query, days, instant, own_account, page, shown_status, status_filter, wrapped_error

SCHEMA = """
CREATE TABLE IF NOT EXISTS evening_details (account TEXT PRIMARY KEY, day TEXT NOT NULL, body TEXT NOT NULL)
"""
AMOUNTS = ("netWorth", "liquidNetWorth", "annualNetIncome", "totalAssets")


def routes(sandbox: Sandbox) -> list[Route]:
    return [
        resource(sandbox, "GET", "/accounts/status", _statuses, "accounts.read"),
        resource(sandbox, "GET", "/accounts/{account}/status", _status, "accounts.read"),
        resource(sandbox, "GET", "/accounts/{account}/tasks", _tasks, "accounts.read"),
        resource(sandbox, "GET", "/accounts/{account}/details", _details, "accounts.read"),
    ]


def _status_of(sandbox: Sandbox, account: AccountRow) -> dict[str, Any]:
    letter, description = shown_status(sandbox, account)
    members = {
        "accountId": account.account, "status": letter, "description": description,
        "state": review.shown_state(sandbox, account),
        "dateStarted": instant(account.date_started), "dateOpened": instant(account.date_opened),
        "dateClosed": instant(account.date_closed),
        "masterAccountId": account.master, "adminAccountId": account.master,
    }  # fmt: skip
    return {name: value for name, value in members.items() if value is not None}


def _status(call: Call) -> Response:
    return answer(_status_of(call.sandbox, own_account(call, call.request.path_params["account"])))


def _statuses(call: Call) -> Response:
    """`GET /accounts/status?startDate&endDate[&status][&offset][&limit]`: by day of creation (New York), a flat query."""
    start, end = days(call)
    offset, limit = page(call)
    wanted = status_filter(call)
    found = [
        account
        for account in call.sandbox.accounts.of_master(call.master)
        if start <= account.date_started.astimezone(NEW_YORK).date().isoformat() <= end
        and wanted in (None, shown_status(call.sandbox, account)[0])
    ]
    shown = [_status_of(call.sandbox, account) for account in found[offset : offset + limit]]
    return answer({"accounts": shown, "offset": offset, "limit": limit, "total": len(found)})


def _tasks(call: Call) -> Response:
    account = own_account(call, call.request.path_params["account"])
    kind = call.query("type") or "registration"
    letter, description = shown_status(call.sandbox, account)
    head = {
        "accountId": account.account,
        "status": letter,
        "description": description,
        "state": review.shown_state(call.sandbox, account),
    }
    found = review.tasks(call.sandbox, account.account)
    if kind == "pending":
        pending = [
            _pending(call.sandbox, task)
            for task in found
            if task.completed_at is None and task.is_required and not account.is_open
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
    raise bad_query("type")


def _pending(sandbox: Sandbox, task: review.Task) -> dict[str, Any]:
    return {
        "taskNumber": task.id, "formNumber": task.form_number, "formName": task.form_name, "action": task.action,
        "externalId": task.external_id,
        "state": task.state, "documentRejectReason": task.reject_reasons, "startDate": instant(task.started_at),
        "entityId": task.entity_id,
        "requiredForApproval": task.is_required, "onlineTask": task.is_online, "requiredForTrading": task.is_required,
        "questionIds": question_ids(task.form_number), **kyc.link_members(sandbox, task),
    }  # fmt: skip


def question_ids(form: int) -> list[int]:
    return [question["questionId"] for question in enumerations.questions(form)]


def _registration(task: review.Task) -> dict[str, Any]:
    members = {
        "externalId": task.external_id, "formNumber": task.form_number, "formName": task.form_name,
        "action": task.action,
        "dateCompleted": instant(task.completed_at), "state": task.state, "questionIds": question_ids(task.form_number),
        "isRequiredForApproval": task.is_required,
        "isCompleted": task.completed_at is not None, "isDeclined": False,
    }  # fmt: skip
    return {name: value for name, value in members.items() if value is not None}


def _details(call: Call) -> Response:
    """`GET /accounts/{id}/details`: as of now, or of last evening (`evening`)."""
    account = own_account(call, call.request.path_params["account"])
    if call.sandbox.config.get("details_as_of", "now") == "now":
        return answer(details(call.sandbox, account))
    kept = call.sandbox.store.value("SELECT body FROM evening_details WHERE account = ?", account.account)
    if kept is None:
        return wrapped_error(f"Details of account {account.account} are not available yet")
    return answer(loads(kept))


def details(sandbox: Sandbox, account: AccountRow) -> dict[str, Any]:
    """All that is told of one account and its persons."""

    def trait(name: str, default: Any = None) -> Any:
        return sandbox.accounts.trait(account.account, name, default)

    financial = trait("financial", {})
    persons = sandbox.accounts.persons(account.account)
    approved = [*account.permissions, *trait("capabilities", [])] if account.is_open else []
    letter, description = shown_status(sandbox, account)
    members = {
        "accountId": account.account, "masterAccountId": account.master,
        "mainAccount": trait("main account", account.account), "primaryUser": account.username,
        "clearingStatus": letter, "clearingStatusDescription": description,
        "stateCode": review.shown_state(sandbox, account),
        "baseCurrency": account.base_currency, "dateBegun": instant(account.date_started),
        "dateApproved": instant(account.date_opened),
        "dateOpened": instant(account.date_opened), "dateClosed": instant(account.date_closed),
        "accountTitle": account.title,
        "officialTitle": account.title, "accountAlias": account.alias, "emailAddress": account.email,
        "margin": account.margin, "optionLevel": trait("option level"),
        "applicantType": trait("customer type", "INDIVIDUAL"), "subType": trait("sub type"),
        "investmentObjectives": account.objectives, "externalId": account.external_id,
        "feeTemplate": {name: str(value) for name, value in account.fees.items() if isinstance(value, str)},
        "stockYieldProgram": {"status": "ENROLLED" if trait("syep", {}).get("enrolled") else "NOT_ENROLLED"},
        "dividendReinvestment": {"enrolled": bool(trait("drip", {}).get("enrolled"))},
        "propertyProfile": trait("property profile"), "mifirStatus": trait("mifir"), "processType": "API",
        "capabilities": {"approved": approved, "requested": account.permissions},
        "signatures": [person.full_name for person in persons],
    }  # fmt: skip
    amounts = {name: financial[name] for name in AMOUNTS if name in financial}
    return {
        "account": {name: value for name, value in members.items() if value is not None},
        "associatedPersons": [
            _associated(person, account, sandbox.accounts.username_of(person) or account.username) for person in persons
        ],
        "associatedEntities": [],
        "withHoldingStatement": trait("withholding", {}),
        "marketData": [{"value": str(value)} for value in trait("market data", [])],
        "financialInformation": amounts,
        "sourcesOfWealth": financial.get("sourcesOfWealth", []),
        "tradeBundles": account.permissions,
        "restrictions": [],
        "hasError": False,
    }


def _associated(person: Person, account: AccountRow, username: str) -> dict[str, Any]:
    members = {
        "entityId": person.entity_id, "externalCode": person.external_id, "firstName": person.name.get("first"),
        "middleName": person.name.get("middle"), "lastName": person.name.get("last"),
        "suffix": person.name.get("suffix"),
        "username": username, "userStatus": "O" if account.is_open else "N", "email": person.email,
        "dateOfBirth": person.date_of_birth,
        "countryOfCitizenship": person.citizenship, "countryOfLegalResidence": person.residence.get("country"),
        "stateOfLegalResidence": person.residence.get("state"), "maritalStatus": person.marital_status,
        "employmentType": person.employment,
        "phones": {str(phone.get("type", "Mobile")).lower(): str(phone.get("number", "")) for phone in person.phones},
        "residence": person.residence, "mailing": person.mailing, "associations": ["Account Holder"],
        "identityDocuments": [],
    }  # fmt: skip
    return {name: value for name, value in members.items() if value is not None}
