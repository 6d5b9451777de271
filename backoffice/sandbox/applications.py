"""`POST /gw/api/v1/accounts` and its look-up: one application makes one account, or an answer with `status` "Error"
and nothing else.

HTTP 200 says nothing about success; `fileData.data.application.status` does. Hybrid individuals are simulated, full
ones are taken too. With the knob `create_answer` set to "async" the answer is 202 and the outcome waits at
`/requests/{id}/status?type=response`.
"""

from datetime import date
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from . import documents, finances, payloads, review, rules
from .accounts import AccountRow, Master, Person
from .am_requests import close_request, failure, new_request, report
from .clock import NEW_YORK, stamp
from .gateway import Call, Refusal, invalid_arguments, problem, resource
from .jsonio import answer, loads
from .kernel import Sandbox

SCHEMA = ""
NOT_INDIVIDUAL = "The sandbox registers customers of type INDIVIDUAL only"
BAD_TYPE = "Customer Type null or invalid (not INDIVIDUAL, UGMA, UTMA, JOINT, TRUST or ORG)"


def routes(sandbox: Sandbox) -> list[Route]:
    return [
        resource(sandbox, "POST", "/accounts", _create, "accounts.write", signed=True),
        resource(sandbox, "GET", "/accounts", _find, "accounts.read"),
    ]


def _create(call: Call) -> Response:
    sandbox = call.sandbox
    application = call.body.get("application")
    if set(call.body) != {"application"} or not isinstance(application, dict):
        raise Refusal(
            invalid_arguments(("application", "Missing required parameter"), detail="Input validation failed")
        )
    application = payloads.without_nulls(application)
    customer = application.get("customer")
    external_id = str(customer.get("externalId", "")) if isinstance(customer, dict) else ""
    call.about(external_id)
    master = sandbox.accounts.master(call.master)
    if master is None:
        raise Refusal(problem(403, f"Permission denied for account {call.master}"))
    request_id = new_request(sandbox, call.master, "", "CREATE_ACCOUNT", external_id)
    mistakes = payloads.mistakes("Application", application) or check(sandbox, master, application)
    if mistakes:
        outcome = failure(_display_name(application), external_id, mistakes)
    else:
        outcome = _accept(sandbox, master, application, request_id)
    response = report(sandbox, request_id, call.client.client_id, call.master, outcome)
    close_request(
        sandbox, request_id, "ACCEPTED" if not mistakes else "REJECTED", mistakes[0] if mistakes else "", response
    )
    if sandbox.config.get("create_answer", "sync") == "async":
        return answer({"requestId": request_id, "executedAt": response["dateSubmitted"]}, 202)
    return answer(response)


def _display_name(application: dict[str, Any]) -> str:
    try:
        name = application["customer"]["accountHolder"]["accountHolderDetails"][0]["name"]
        return " ".join(name[part] for part in ("first", "middle", "last") if name.get(part))
    except (KeyError, IndexError, TypeError):
        return ""


def check(sandbox: Sandbox, master: Master, application: dict[str, Any]) -> list[str]:
    """Every business rule the application breaks; its members are known to be of the right kind."""
    today = sandbox.clock.now().astimezone(NEW_YORK).date()
    customer, accounts, users = (
        application.get("customer", {}),
        application.get("accounts", []),
        application.get("users", []),
    )
    if not customer.get("type"):
        return [BAD_TYPE]
    if customer["type"] != "INDIVIDUAL":
        return [NOT_INDIVIDUAL]
    holders = customer.get("accountHolder", {}).get("accountHolderDetails", [])
    if len(holders) != 1 or len(accounts) != 1 or len(users) != 1:
        return ["An INDIVIDUAL application holds exactly one accountHolderDetails, one account and one user"]
    holder, account, user = holders[0], accounts[0], users[0]
    found = _customer(customer, user, holder, master)
    found += rules.holder(holder, master_email=master.email, today=today)
    born = rules.day(holder.get("dateOfBirth", ""))
    found += rules.account(
        account,
        master=master.account,
        is_advisor=master.kind == "FA",
        holder_age=None if born is None else rules.age(born, today),
    )
    found += finances.whole(
        customer["accountHolder"].get("financialInformation", []),
        holder.get("employmentType"),
        age=None if born is None else rules.age(born, today),
    )
    for document in application.get("documents", []):
        found += documents.mistakes(sandbox, master.account, document, [_as_person(holder)])
    if not found:
        found = _already_used(sandbox, master.account, customer, holder, account, user)
    if not found and sandbox.accounts.next_username(customer["prefix"]) is None:
        found.append(rules.prefix_is_used_up(customer["prefix"]))
    return found


def _customer(customer: dict[str, Any], user: dict[str, Any], holder: dict[str, Any], master: Master) -> list[str]:
    found = []
    ids = {
        "Customer": customer.get("externalId"), "User": user.get("externalUserId"),
        "Individual": user.get("externalIndividualId"),
    }  # fmt: skip
    found += [f"Attribute external id at the {level} level is missing." for level, value in ids.items() if not value]
    found += [
        f"External id at the {level} level exceeds 64 characters"
        for level, value in ids.items()
        if value and len(value) > 64
    ]
    if not customer.get("prefix"):
        found.append("Attribute prefix at the Customer level is missing.")
    elif not rules.PREFIX.match(customer["prefix"]):
        found.append("Attribute prefix must consist of 3 to 6 lower case letters.")
    elif user.get("prefix") != customer["prefix"]:
        found.append("Attribute prefix must be the same at the Customer and User level.")
    if user.get("externalIndividualId") and user["externalIndividualId"] != holder.get("externalId"):
        found.append(
            f"External Individual Id {user['externalIndividualId']} in User node does not match any individual of the application."
        )
    return found + rules.email(customer.get("email"), master.email)


def _already_used(
    sandbox: Sandbox,
    master: str,
    customer: dict[str, Any],
    holder: dict[str, Any],
    account: dict[str, Any],
    user: dict[str, Any],
) -> list[str]:
    keys = (
        ("customer", customer["externalId"]),
        ("individual", holder["externalId"]),
        ("account", account["externalId"]),
    )
    if any(sandbox.accounts.is_external_id_used(master, kind, value) for kind, value in keys):
        return ["Already Processed"]
    used = user["externalUserId"]
    if sandbox.accounts.is_external_id_used(master, "user", used):
        return [f"External User Id {used} in User node is already in use. Please provide a different id."]
    return []


def _as_person(holder: dict[str, Any]) -> Person:
    residence = holder.get("residenceAddress", {})
    return Person(
        0, "", str(holder.get("externalId", "")), holder.get("name", {}), str(holder.get("email", "")),
        holder.get("dateOfBirth"),
        holder.get("phones", []), residence,
        residence if holder.get("sameMailAddress", True) else holder.get("mailingAddress", {}),
        holder.get("identification", {}).get("citizenship"), holder.get("employmentType"), holder.get("maritalStatus"),
    )  # fmt: skip


def _accept(sandbox: Sandbox, master: Master, application: dict[str, Any], request_id: int) -> dict[str, Any]:
    """Open the account and return the `application` node of the answer."""
    customer, account, user = application["customer"], application["accounts"][0], application["users"][0]
    holder = customer["accountHolder"]["accountHolderDetails"][0]
    person = _as_person(holder)
    number = sandbox.accounts.next_number()
    username = sandbox.accounts.next_username(customer["prefix"]) or ""
    now = sandbox.clock.now()
    sandbox.accounts.add(
        account=number, master=master.account, title=person.full_name, alias=account.get("alias", ""),
        base_currency=account["baseCurrency"],
        status="N", state=review.INCOMPLETE, date_started=now, external_id=customer["externalId"],
        country=person.residence["country"],
        email=person.email, username=username, margin=account.get("margin", "Cash"),
        objectives=account.get("investmentObjectives", []),
        permissions=[p.get("exchangeGroup") or f"{p['country']} {p['product']}" for p in account["tradingPermissions"]],
        fees=account.get("advisorWrapFees") or {"template": account["feesTemplateName"]},
    )  # fmt: skip
    entity = sandbox.accounts.add_person(
        account=number, external_id=person.external_id, name=person.name, email=person.email,
        date_of_birth=person.date_of_birth,
        phones=person.phones, residence=person.residence, mailing=person.mailing, citizenship=person.citizenship,
        employment=person.employment,
        marital_status=person.marital_status,
    )  # fmt: skip
    ids = (
        ("customer", customer["externalId"]), ("individual", person.external_id), ("account", account["externalId"]),
        ("user", user["externalUserId"]),
    )  # fmt: skip
    for kind, value in ids:
        sandbox.accounts.claim_external_id(master.account, kind, value, number)
    sandbox.store.execute("UPDATE am_requests SET account = ? WHERE id = ?", number, request_id)
    attached = application.get("documents", [])
    _assign_tasks(sandbox, number, application, person, entity)
    sandbox.ledger.record(
        "application", customer["externalId"], number, {"requestId": request_id, "username": username}
    )
    for document in attached:
        documents.take(sandbox, number, document, request_id, stamp(now))
    review.begin(sandbox, number, is_complete=_is_complete(customer, attached))
    return _success(sandbox, number, customer["externalId"], account["externalId"], user["externalUserId"], attached)


def _is_complete(customer: dict[str, Any], attached: list[dict[str, Any]]) -> bool:
    """Whether the firm hosted everything, so that nothing is left for the client to do in the portal."""
    holder = customer["accountHolder"]["accountHolderDetails"][0]
    has_tax_form = bool(holder.get("w8Ben") or holder.get("w9")) and any(
        d["formNumber"] in documents.TAX_FORMS for d in attached
    )
    needs = ("dateOfBirth", "identification", "employmentType", "phones", "taxResidencies")
    return (
        has_tax_form
        and all(holder.get(member) for member in needs)
        and bool(customer["accountHolder"].get("financialInformation"))
    )


def needs_papers(country: str, last_name: str) -> bool:
    """Whether electronic verification finds no match, so that identity and address must be proven on paper."""
    return country not in rules.TRULIOO or "nomatch" in last_name.lower()


def _assign_tasks(sandbox: Sandbox, number: str, application: dict[str, Any], person: Person, entity: int) -> None:
    country = person.residence["country"]
    if not _is_complete(application["customer"], application.get("documents", [])):
        for form in (9130, 5002 if country == "USA" else 5001):
            review.add_task(sandbox, number, form, is_online=True, external_id=person.external_id, entity_id=entity)
    if needs_papers(country, person.name["last"]):
        for form in (8001, 8002):
            review.add_task(sandbox, number, form, is_online=False, external_id=person.external_id, entity_id=entity)


def _success(
    sandbox: Sandbox,
    number: str,
    external_id: str,
    external_account_id: str,
    external_user_id: str,
    attached: list[dict[str, Any]],
) -> dict[str, Any]:
    account = sandbox.accounts.get(number)
    persons = sandbox.accounts.persons(number)
    outcome: dict[str, Any] = {
        "customer": account.title if account else "",
        "externalId": external_id,
        "status": "Success",
        "accounts": [{"value": number, "externalId": external_account_id}],
        "users": [{"value": account.username if account else "", "externalId": external_user_id}],
        "entities": [{"value": str(person.entity_id), "externalId": person.external_id} for person in persons],
        "documents": [{"formNumber": document["formNumber"], "externalId": external_id} for document in attached],
    }
    pending = [
        {
            "formNumber": task.form_number, "formName": task.form_name, "action": task.action,
            "isOnlineTask": task.is_online,
            "isRequiredForApproval": task.is_required, "state": task.state, "externalId": task.external_id,
        }
        for task in review.tasks(sandbox, number)
        if task.completed_at is None
    ]  # fmt: skip
    return {**outcome, "pendingTasks": pending} if pending else outcome


def remember(sandbox: Sandbox, account: AccountRow) -> None:
    """Give an account of the demonstration world the request it would have come from, so that look-ups find it."""
    master = sandbox.accounts.master(account.master)
    request_id = new_request(sandbox, account.master, account.account, "CREATE_ACCOUNT", account.external_id)
    outcome = _success(
        sandbox, account.account, account.external_id, account.external_id, f"{account.external_id}-USR", []
    )
    close_request(
        sandbox,
        request_id,
        "ACCEPTED",
        "",
        report(sandbox, request_id, master.client_id if master else "", account.master, outcome),
    )
    sandbox.store.execute(
        "UPDATE am_requests SET submitted_at = ? WHERE id = ?", stamp(account.date_started), request_id
    )


def _find(call: Call) -> Response:
    """`GET /accounts?externalId=|accountId=`: the stored outcome of an application; the way back after a lost answer."""
    external_id, number = call.query("externalId"), call.query("accountId")
    if bool(external_id) == bool(number):
        raise Refusal(invalid_arguments(("externalId", "Invalid or Missing required parameter")))
    call.about(external_id or number or "")
    accounts = call.sandbox.accounts
    account = accounts.by_external_id(call.master, external_id) if external_id else accounts.get(number or "")
    if account is None or account.master != call.master:
        text = f"No application found for {'externalId' if external_id else 'accountId'} {external_id or number}"
        return answer(
            {
                "isProcessed": False,
                "hasError": True,
                "errorDescription": text,
                "error": {"hasError": True, "errorDescription": text},
            }
        )
    stored = call.sandbox.store.value(
        "SELECT response FROM am_requests WHERE account = ? AND kind = 'CREATE_ACCOUNT' AND response IS NOT NULL"
        " ORDER BY id LIMIT 1",
        account.account,
    )
    response = loads(stored)
    return answer(
        {
            "isProcessed": True,
            "name": response["fileData"]["name"],
            "data": response["fileData"]["data"],
            "hasError": False,
        }
    )


def today(sandbox: Sandbox) -> date:
    return sandbox.clock.now().astimezone(NEW_YORK).date()
