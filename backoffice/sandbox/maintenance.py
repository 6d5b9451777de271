"""`PATCH /gw/api/v1/accounts`: one operation per request, in the object form of the schema or the array form of the
documentation.

updateAccountAlias and documentSubmission are settled at once (200). changeAccountHolderDetail is reviewed for
`maintenance_seconds` (45) and answers 202; a newer one removes a pending one; a street that holds "reject" is
rejected.
"""

from datetime import timedelta
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from . import documents, login_messages, payloads, review, rules
from .accounts import AccountRow, Person
from .am_requests import close_request, failure, ibkr_time, new_request, report
from .clock import stamp
from .gateway import Call, Refusal, invalid_arguments, resource
from .jsonio import answer, dumps, loads
from .kernel import Sandbox
from .queries import own_account

SCHEMA = ""
OPERATIONS = ("updateAccountAlias", "changeAccountHolderDetail", "documentSubmission")


def register(sandbox: Sandbox) -> None:
    sandbox.on_tick.append(lambda: _settle_due(sandbox))


def routes(sandbox: Sandbox) -> list[Route]:
    return [resource(sandbox, "PATCH", "/accounts", _patch, "accounts.write", signed=True)]


def _patch(call: Call) -> Response:
    wrapper = call.body.get("accountManagementRequests")
    if set(call.body) != {"accountManagementRequests"} or not isinstance(wrapper, dict) or len(wrapper) != 1:
        raise Refusal(
            invalid_arguments(
                ("accountManagementRequests", "Missing required parameter"), detail="Input validation failed"
            )
        )
    wrapper = payloads.without_nulls({name: _single(value) for name, value in wrapper.items()})
    (name, operation), *_ = wrapper.items()
    account = own_account(call, str(operation.get("accountId", ""))) if isinstance(operation, dict) else None
    number = account.account if account else ""
    call.about(f"{name}:{number}")
    mistakes = payloads.mistakes("AccountManagementRequests", wrapper)
    if not mistakes and name not in OPERATIONS:
        mistakes = [f"The sandbox does not simulate {name}"]
    request_id = new_request(call.sandbox, call.master, number, name)
    if not mistakes and account is not None:
        mistakes = _OPERATIONS[name](call.sandbox, account, operation, request_id)
    if mistakes:
        outcome = failure(account.title if account else "", account.external_id if account else "", mistakes)
        response = report(call.sandbox, request_id, call.client.client_id, call.master, outcome)
        close_request(call.sandbox, request_id, "REJECTED", mistakes[0], response)
        return answer(response)
    call.sandbox.ledger.record("patch", number, str(request_id), {"operation": name})
    if name == "changeAccountHolderDetail":
        return answer({"requestId": request_id, "executedAt": ibkr_time(call.sandbox.clock.now())}, 202)
    outcome = {
        "customer": account.title if account else "",
        "externalId": account.external_id if account else "",
        "status": "Success",
    }
    response = report(call.sandbox, request_id, call.client.client_id, call.master, outcome)
    close_request(call.sandbox, request_id, "ACCEPTED", "", response)
    return answer(response)


def _single(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _update_alias(sandbox: Sandbox, account: AccountRow, operation: dict[str, Any], request_id: int) -> list[str]:
    alias = operation.get("accountAlias")
    if alias is None:
        return ["Account alias is missing."]
    if len(alias) > 80:
        return ["Account alias exceeds 80 characters"]
    if not account.is_open:
        return [f"Account {account.account} is not open"]
    sandbox.accounts.update(account.account, alias=alias)
    return []


def _change_holder(sandbox: Sandbox, account: AccountRow, operation: dict[str, Any], request_id: int) -> list[str]:
    has_verification_task = any(
        t.form_number == 9974 and t.completed_at is None for t in review.tasks(sandbox, account.account)
    )
    if not account.is_open and not (account.status in ("N", "P") and has_verification_task):
        return [f"Account {account.account} is not open"]
    details = operation.get("newAccountHolderDetails", [])
    if len(details) != 1:
        return ["newAccountHolderDetails is missing"]
    change = details[0]
    person = _named_person(sandbox.accounts.persons(account.account), change)
    if person is None:
        return ["Account holder is not known: provide id or externalId of the individual"]
    found: list[str] = []
    if "residenceAddress" in change:
        found += rules.address(change["residenceAddress"], "Residence", person.external_id)
    if "mailingAddress" in change:
        found += rules.address(change["mailingAddress"], "Mailing", person.external_id)
    if "name" in change:
        found += rules.name(change["name"])
    if "phones" in change:
        found += rules.phones(change["phones"])
    if "email" in change:
        found += rules.email(change["email"], "")
    if found:
        return found
    sandbox.store.execute(
        "UPDATE am_requests SET status = 'REMOVED', message = 'Replaced by a newer request', due_at = NULL"
        " WHERE account = ? AND kind = 'changeAccountHolderDetail' AND status = 'PENDING' AND id <> ?",
        account.account, request_id,
    )  # fmt: skip
    due = sandbox.clock.now() + timedelta(seconds=int(sandbox.config.get("maintenance_seconds", 45)))
    payload = dumps({"entity_id": person.entity_id, "change": change})
    sandbox.store.execute(
        "UPDATE am_requests SET due_at = ?, payload = ? WHERE id = ?", stamp(due), payload, request_id
    )
    return []


def _named_person(persons: list[Person], change: dict[str, Any]) -> Person | None:
    wanted = (change.get("id"), change.get("externalId"))
    return next(
        (person for person in persons if str(person.entity_id) == wanted[0] or person.external_id == wanted[1]), None
    )


def _submit_documents(sandbox: Sandbox, account: AccountRow, operation: dict[str, Any], request_id: int) -> list[str]:
    handed_in = operation.get("documents", [])
    if not handed_in:
        return ["documents is missing"]
    forms = [document.get("formNumber") for document in handed_in]
    if len(set(forms)) != len(forms):
        return ["Only one document per form number is accepted"]
    signers = sandbox.accounts.persons(account.account)
    found: list[str] = []
    for document in handed_in:
        found += documents.mistakes(sandbox, account.master, document, signers)
        form = document.get("formNumber")
        is_wanted = form is not None and (
            documents.waiting_task(sandbox, account.account, form) is not None
            or login_messages.agreement_for(sandbox, account.account, form) is not None
        )
        if form is not None and not is_wanted:
            found.append(f"Form {form} is not an outstanding task of account {account.account}")
    if not found:
        for document in handed_in:
            documents.take(sandbox, account.account, document, request_id, stamp(sandbox.clock.now()))
    return found


_OPERATIONS = {
    "updateAccountAlias": _update_alias, "changeAccountHolderDetail": _change_holder,
    "documentSubmission": _submit_documents,
}  # fmt: skip


def _settle_due(sandbox: Sandbox) -> None:
    now = stamp(sandbox.clock.now())
    for row in sandbox.store.rows(
        "SELECT * FROM am_requests WHERE due_at IS NOT NULL AND due_at <= ? ORDER BY due_at", now
    ):
        stored = loads(row["payload"])
        change = stored["change"]
        if "reject" in change.get("residenceAddress", {}).get("street1", "").lower():
            close_request(sandbox, row["id"], "REJECTED", "The new address could not be verified")
            continue
        _apply(sandbox, row["account"], stored["entity_id"], change)
        close_request(sandbox, row["id"], "ACCEPTED")


def _apply(sandbox: Sandbox, account: str, entity_id: int, change: dict[str, Any]) -> None:
    fields: dict[str, Any] = {}
    if "residenceAddress" in change:
        fields["residence"] = change["residenceAddress"]
        if change.get("sameMailAddress"):
            fields["mailing"] = change["residenceAddress"]
    names = {
        "mailingAddress": "mailing", "name": "name", "phones": "phones", "email": "email",
        "employmentType": "employment",
        "maritalStatus": "marital_status",
    }  # fmt: skip
    fields.update({column: change[member] for member, column in names.items() if member in change})
    if fields:
        sandbox.accounts.update_person(entity_id, **fields)
    if "residence" in fields:
        sandbox.accounts.update(account, country=fields["residence"]["country"])
