"""`POST /gw/api/v1/accounts` and its look-up: one application makes one account, or an answer with `status` "Error"
and nothing else.

HTTP 200 says nothing about success; `fileData.data.application.status` does. Individuals, joint holders, organizations,
trusts and retirement accounts are taken; with the knob `registration_route` set to "full" ("hybrid") everything that full
integration needs must be there. With the knob `create_answer` set to "async" the answer is 202 and the outcome waits at
`/requests/{id}/status?type=response`.

An application that failed leaves nothing, so that its external id is free and a look-up finds nothing. IBKR does not
say so: with `failed_application_burns_id` the id is "Already Processed" from then on, and with `failed_application_found`
a look-up shows the failed outcome.
"""

from datetime import date
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from . import (
    customers,
    documents,
    enumerations,
    finances,
    forms,
    full_route,
    opening,
    payloads,
    persons,
    rules,
    tax,
    utilities,
)
from .accounts import Master
from .am_requests import close_request, failure, new_request, report
from .changes import people, permissions
from .clock import NEW_YORK
from .customers import Applicant
from .gateway import Call, Refusal, invalid_arguments, problem, resource
from .jsonio import answer, loads
from .kernel import Sandbox

SCHEMA = ""
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
        _remember_failure(sandbox, call.master, external_id)
    else:
        applying = customers.applicant(application["customer"])
        if isinstance(applying, str):
            raise TypeError(applying)
        outcome = opening.accept(sandbox, master, application, applying, request_id)
    response = report(sandbox, request_id, call.client.client_id, call.master, outcome)
    close_request(
        sandbox, request_id, "ACCEPTED" if not mistakes else "REJECTED", mistakes[0] if mistakes else "", response
    )
    if sandbox.config.get("create_answer", "sync") == "async":
        return answer({"requestId": request_id, "executedAt": response["dateSubmitted"]}, 202)
    return answer(response)


def _remember_failure(sandbox: Sandbox, master: str, external_id: str) -> None:
    burns = sandbox.config.get("failed_application_burns_id", False)
    if burns and external_id and not sandbox.accounts.is_external_id_used(master, "customer", external_id):
        sandbox.accounts.claim_external_id(master, "customer", external_id, "")


def _display_name(application: dict[str, Any]) -> str:
    customer = application.get("customer", {})
    try:
        found = customers.applicant(customer) if isinstance(customer, dict) and customer.get("type") else ""
    except (AttributeError, LookupError, TypeError, ValueError):
        return ""  # with members of the wrong kind there may be no name to show
    return "" if isinstance(found, str) else found.title


def check(sandbox: Sandbox, master: Master, application: dict[str, Any]) -> list[str]:
    """Every business rule the application breaks; its members are known to be of the right kind."""
    customer, accounts, users = (
        application.get("customer", {}), application.get("accounts", []), application.get("users", []),
    )  # fmt: skip
    ira_types = sandbox.config.get("ira_customer_type", "both")
    if not customer.get("type") or (customer["type"] == "IRA" and ira_types == "individual"):
        return [BAD_TYPE]
    if customer["type"] == "INDIVIDUAL" and ira_types == "ira" and any(each.get("ira") for each in accounts):
        return ["Accounts with ira need a customer of type IRA"]
    applying = customers.applicant(customer)
    if isinstance(applying, str):
        return [applying]
    if len(accounts) != 1 or not users:
        return ["An application holds exactly one account and at least one user"]
    account = accounts[0]
    found = _customer(sandbox, customer, users, applying, master)
    found += _persons(sandbox, master, applying, account)
    found += customers.mistakes(applying, account)
    if applying.is_natural and sandbox.config.get("hybrid_minimum", "sample") == "table":
        found += full_route.least(applying, account)
    found += _account(sandbox, master, applying, account)
    found += _documents(sandbox, master, applying, application.get("documents", []))
    if sandbox.config.get("registration_route", "hybrid") == "full":
        found += full_route.mistakes(applying, account)
    else:
        found += full_route.regulatory(applying.node.get("regulatoryInformation", []), is_required=False)
    if not found:
        found = _already_used(sandbox, master.account, application, applying)
    if not found and "userName" not in customer and sandbox.accounts.next_username(customer["prefix"]) is None:
        found.append(rules.prefix_is_used_up(customer["prefix"]))
    return list(dict.fromkeys(found))


def _persons(sandbox: Sandbox, master: Master, applying: Applicant, account: dict[str, Any]) -> list[str]:
    """A minor may hold a JISA only."""
    least = 0 if account.get("iraType") == "JISA" else 18
    found = []
    for person in applying.persons:
        found += persons.holder(person, master_email=master.email, today=today(sandbox), least_age=least)
    return found + rules.entity(applying.country, master.kind)


def _ages(sandbox: Sandbox, applying: Applicant) -> list[int]:
    born = [rules.day(person.get("dateOfBirth", "")) for person in applying.persons]
    return [rules.age(day, today(sandbox)) for day in born if day is not None]


def _account(sandbox: Sandbox, master: Master, applying: Applicant, account: dict[str, Any]) -> list[str]:
    ages = _ages(sandbox, applying) if applying.is_natural else []
    found = rules.account(
        account, master=master.account, is_advisor=master.kind == "FA", holder_age=min(ages, default=None)
    )
    values = applying.node.get("financialInformation", [])
    employment = applying.persons[0].get("employmentType") if applying.is_natural else None
    currency = account.get("baseCurrency", "USD")
    found += finances.whole(values, employment, currency, age=ages[0] if ages else None)
    if values and (values[0].get("liquidNetWorth") or 0) > (largest := _largest_liquid(sandbox)):
        found.append(f"liquidNetWorth must be between 101 and {largest}")
    products = {permissions.product_of(permissions.bundle(p)) for p in account.get("tradingPermissions", [])}
    if values and not found:
        found += finances.criteria(values[0], products, account)
        if master.kind == "FD":
            is_on_margin = account.get("margin") not in (None, "Cash")
            found += finances.gates(products, values[0].get("investmentExperience", []), is_on_margin=is_on_margin)
    return found + _local_tax_forms(applying, account) + _named(sandbox, master, account)


def _named(sandbox: Sandbox, master: Master, account: dict[str, Any]) -> list[str]:
    """Representatives are users of the master, an employee plan is one of the master's."""
    known = people.master_users(sandbox, master)
    found = [
        f"Account representative {row.get('repId')} is not a user of the master"
        for row in account.get("accountRep", {}).get("repDetails", [])
        if row.get("repId") not in known
    ]
    plan, plans = account.get("employeePlan"), enumerations.facts()["employee-plans"]
    if plan and not any((row["accountId"], row["masterAccountId"]) == (plan, master.account) for row in plans):
        found.append(f"Employee plan {plan} is not linked to master {master.account}")
    return found


def _largest_liquid(sandbox: Sandbox) -> int:
    return int(sandbox.config.get("largest_liquid_net_worth", 50_000_001))


def _local_tax_forms(applying: Applicant, account: dict[str, Any]) -> list[str]:
    """Foreigners who ask for Canadian or Australian products say so in their W-8BEN."""
    found = []
    wanted = {permission.get("country") for permission in account.get("tradingPermissions", [])}
    for country, code, authority in (("CANADA", "CAN", "CANADA_TA"), ("AUSTRALIA", "AUS", "AUSTRALIA_TA")):
        for person in applying.persons:
            form = person.get("w8Ben")
            given = {row.get("taxAuthority") for row in (form or {}).get("localTaxForms", [])}
            if form and country in wanted and applying.country not in (code, "USA") and authority not in given:
                found.append(f"Local Tax Form is missing for TaxAuthority {authority}")
    return found


def _documents(sandbox: Sandbox, master: Master, applying: Applicant, handed_in: list[dict[str, Any]]) -> list[str]:
    """Signatures of the persons; for joint holders the paper says whose it is. Tax forms must be what the data say."""
    is_joint, signers = applying.kind == "JOINT", [opening.as_person(person) for person in applying.persons]
    by_id = {person.external_id: person for person in signers}
    found = documents.repeated(handed_in, is_joint=is_joint)
    for document in handed_in:
        if is_joint:
            found += documents.joint_mistakes(sandbox, master.account, document, by_id)
        else:
            found += documents.mistakes(sandbox, master.account, document, signers)
    for person in applying.persons:
        for member, form in (("w8Ben", 5001), ("w9", 5002)):
            if person.get(member):
                found += tax.form_file(person[member], form, handed_in, forms.accepted_sha1s(sandbox, form))
    return found


def _customer(
    sandbox: Sandbox, customer: dict[str, Any], users: list[dict[str, Any]], applying: Applicant, master: Master
) -> list[str]:
    found = []
    ids = [("Customer", customer.get("externalId"))]
    for user in users:
        ids += [("User", user.get("externalUserId")), ("Individual", user.get("externalIndividualId"))]
    for level, value in ids:
        if not value:
            found.append(f"Attribute external id at the {level} level is missing.")
        elif len(value) > 64:
            found.append(f"External id at the {level} level exceeds 64 characters")
    found += _login(sandbox, customer, users)
    known = {person.get("externalId") for person in applying.persons}
    for user in users:
        wanted = user.get("externalIndividualId")
        if wanted and wanted not in known:
            found.append(
                f"External Individual Id {wanted} in User node does not match any individual of the application."
            )
    if customer.get("meetAmlStandard") not in (None, "true"):
        found.append("Customers must meet the anti-money-laundering standard")
    if customer.get("legalResidenceCountry") in rules.PROHIBITED:
        found.append(f"Country of legal residence {customer['legalResidenceCountry']} is prohibited.")
    return found + rules.email(customer.get("email"), master.email)


def _login(sandbox: Sandbox, customer: dict[str, Any], users: list[dict[str, Any]]) -> list[str]:
    username = customer.get("userName")
    if username is not None and (
        not utilities.USERNAME.match(username) or sandbox.accounts.is_username_taken(username)
    ):
        return [f"User name {username} is invalid or taken"]
    if not customer.get("prefix"):
        return ["Attribute prefix at the Customer level is missing."]
    if not rules.PREFIX.match(customer["prefix"]):
        return ["Attribute prefix must consist of 3 to 6 lower case letters."]
    if any(user.get("prefix") != customer["prefix"] for user in users):
        return ["Attribute prefix must be the same at the Customer and User level."]
    return []


def _already_used(sandbox: Sandbox, master: str, application: dict[str, Any], applying: Applicant) -> list[str]:
    keys = [("customer", application["customer"]["externalId"]), ("account", application["accounts"][0]["externalId"])]
    keys += [("individual", str(person["externalId"])) for person in applying.persons]
    if any(sandbox.accounts.is_external_id_used(master, kind, value) for kind, value in keys):
        return ["Already Processed"]
    return [
        f"External User Id {user['externalUserId']} in User node is already in use. Please provide a different id."
        for user in application["users"]
        if sandbox.accounts.is_external_id_used(master, "user", user["externalUserId"])
    ]


def _find(call: Call) -> Response:
    """`GET /accounts?externalId=|accountId=`: the stored outcome of an application; the way back after a lost answer."""
    external_id, number = call.query("externalId"), call.query("accountId")
    if bool(external_id) == bool(number):
        raise Refusal(invalid_arguments(("externalId", "Invalid or Missing required parameter")))
    call.about(external_id or number or "")
    accounts = call.sandbox.accounts
    account = accounts.by_external_id(call.master, external_id) if external_id else accounts.get(number or "")
    failed = _failed(call, external_id) if external_id and account is None else None
    if failed is not None:
        reason = failed["fileData"]["data"]["application"]["error"][0]["value"]
        error = {"hasError": True, "errorDescription": reason}
        return answer({"isProcessed": True, **failed["fileData"], **error, "error": error})
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


def _failed(call: Call, external_id: str) -> dict[str, Any] | None:
    """The newest failed outcome under this id, where such ones are shown."""
    if not call.sandbox.config.get("failed_application_found", False):
        return None
    stored = call.sandbox.store.value(
        "SELECT response FROM am_requests WHERE master = ? AND external_id = ? AND kind = 'CREATE_ACCOUNT'"
        " AND status = 'REJECTED' ORDER BY id DESC LIMIT 1",
        call.master, external_id,
    )  # fmt: skip
    return loads(stored) if stored else None


def today(sandbox: Sandbox) -> date:
    return sandbox.clock.now().astimezone(NEW_YORK).date()
