"""An accepted application becomes an account: its persons, users, tasks and the answer that names them.

Electronic verification (Trulioo) runs for residents of 27 countries. The knob `trulioo` decides: "match", "nomatch",
"draw" (one in five finds no match, drawn from the seed and the name), or "auto" (the default: a match, unless the last
name holds "nomatch"). Without a match, and in every other country, papers 8001 and 8002 are asked for, or with the knob
`identity_check` = "au10tix" the check 8137. An ISA brings its satellite GIA.

What the answer calls a username and a person's id is not told: `value`, or `user` (with a password) and `id` when the
knob `answer_members` is "documented"; an account then comes without its external id.
"""

import random
import secrets
from typing import Any

from . import customers, documents, review, rules
from .accounts import AccountRow, Master, Person
from .am_requests import close_request, new_request, report
from .clock import stamp
from .customers import Applicant
from .kernel import Sandbox


def as_person(holder: dict[str, Any]) -> Person:
    residence = holder.get("residenceAddress", {})
    return Person(
        0, "", str(holder.get("externalId", "")), holder.get("name", {}), str(holder.get("email", "")),
        holder.get("dateOfBirth"),
        holder.get("phones", []), residence,
        residence if holder.get("sameMailAddress", True) else holder.get("mailingAddress", {}),
        holder.get("identification", {}).get("citizenship"), holder.get("employmentType"), holder.get("maritalStatus"),
    )  # fmt: skip


def is_complete(applying: Applicant, attached: list[dict[str, Any]]) -> bool:
    """Whether the firm hosted everything, so that nothing is left for the client to do in the portal."""
    forms = {document["formNumber"] for document in attached}
    needs = ("dateOfBirth", "identification", "employmentType", "phones", "taxResidencies")
    return (
        applying.is_natural
        and bool(forms & documents.TAX_FORMS)
        and bool(applying.node.get("financialInformation"))
        and all(
            (person.get("w8Ben") or person.get("w9")) and all(person.get(member) for member in needs)
            for person in applying.persons
        )
    )


def accept(
    sandbox: Sandbox, master: Master, application: dict[str, Any], applying: Applicant, request_id: int
) -> dict[str, Any]:
    """Open the account and return the `application` node of the answer."""
    customer, account, users = application["customer"], application["accounts"][0], application["users"]
    number, attached = sandbox.accounts.next_number(), application.get("documents", [])
    username = customer.get("userName") or sandbox.accounts.next_username(customer["prefix"]) or ""
    _add_account(sandbox, number, master, customer, account, applying, username)
    entities = [_add_person(sandbox, number, holder) for holder in applying.persons]
    _claim(sandbox, number, master.account, application, applying)
    sandbox.store.execute("UPDATE am_requests SET account = ? WHERE id = ?", number, request_id)
    names = [username]
    as_documented = sandbox.config.get("answer_members", "value") == "documented"
    for user in users[1:]:
        names.append(sandbox.accounts.next_username(customer["prefix"]) or "")
        sandbox.accounts.add_user(names[-1], number, user["externalIndividualId"], is_trader=True)
    complete = is_complete(applying, attached)
    sandbox.accounts.set_trait(number, "route", "full" if complete else "hybrid")
    _assign_tasks(sandbox, number, applying, account, entities, is_complete=complete)
    sandbox.ledger.record(
        "application", customer["externalId"], number, {"requestId": request_id, "username": username}
    )
    for document in attached:
        documents.take(sandbox, number, document, request_id, stamp(sandbox.clock.now()))
    review.begin(sandbox, number, is_complete=complete, is_funded=bool(account.get("depositNotification")))
    logins = [
        {"user": name, "password": secrets.token_urlsafe(9), "externalId": user["externalUserId"]}
        if as_documented
        else {"value": name, "externalId": user["externalUserId"]}
        for name, user in zip(names, users, strict=True)
    ]
    outcome = success(sandbox, number, customer["externalId"], account["externalId"], logins, attached)
    if as_documented:
        outcome["accounts"] = [{"value": number}]
        outcome["entities"] = [{"id": each["value"], "externalId": each["externalId"]} for each in outcome["entities"]]
    if account.get("iraType") == "ISA":
        satellite = _satellite(sandbox, number)
        outcome["ISASatelliteAccount"] = {"satelliteAccountId": satellite}
    return outcome


def _add_account(
    sandbox: Sandbox,
    number: str,
    master: Master,
    customer: dict[str, Any],
    account: dict[str, Any],
    applying: Applicant,
    username: str,
) -> None:
    sandbox.accounts.add(
        account=number, master=master.account, title=applying.title, alias=account.get("alias", ""),
        base_currency=account["baseCurrency"],
        status="N", state=review.INCOMPLETE, date_started=sandbox.clock.now(), external_id=customer["externalId"],
        country=applying.country,
        email=applying.persons[0].get("email") or customer["email"], username=username,
        margin=account.get("margin", "Cash"),
        objectives=account.get("investmentObjectives", []),
        permissions=[p.get("exchangeGroup") or f"{p['country']} {p['product']}" for p in account["tradingPermissions"]],
        fees=account.get("advisorWrapFees") or {"template": account.get("feesTemplateName", "Standard")},
    )  # fmt: skip
    traits = {
        "customer type": applying.kind, "financial": next(iter(applying.node.get("financialInformation", [])), None),
        "sub type": account.get("iraType") or applying.node.get("type"), "beneficiaries": account.get("iraBeneficiaries"),
        "capabilities": account.get("capabilities"), "option level": account.get("optionLevel"),
        "representatives": account.get("accountRep"), "property profile": account.get("propertyProfile"),
        "drip": {"enrolled": True, "left": None} if account.get("drip") else None,
        "syep": {"enrolled": True, "left": None} if account.get("stockYieldProgram") else None,
    }  # fmt: skip
    for name, value in traits.items():
        if value is not None:
            sandbox.accounts.set_trait(number, name, value)


def _add_person(sandbox: Sandbox, number: str, holder: dict[str, Any]) -> int:
    person = as_person(holder)
    return sandbox.accounts.add_person(
        account=number, external_id=person.external_id, name=person.name, email=person.email,
        date_of_birth=person.date_of_birth,
        phones=person.phones, residence=person.residence, mailing=person.mailing, citizenship=person.citizenship,
        employment=person.employment,
        marital_status=person.marital_status,
    )  # fmt: skip


def _claim(sandbox: Sandbox, number: str, master: str, application: dict[str, Any], applying: Applicant) -> None:
    ids = {("customer", application["customer"]["externalId"]), ("account", application["accounts"][0]["externalId"])}
    ids |= {("individual", str(person["externalId"])) for person in applying.persons}
    ids |= {("user", user["externalUserId"]) for user in application["users"]}
    for kind, value in sorted(ids):
        sandbox.accounts.claim_external_id(master, kind, value, number)


def has_no_match(sandbox: Sandbox, holder: dict[str, Any]) -> bool:
    """Whether electronic verification fails, so that identity and address must be proven another way."""
    country, last = holder.get("residenceAddress", {}).get("country"), holder.get("name", {}).get("last", "")
    if country not in rules.TRULIOO:
        return True
    match sandbox.config.get("trulioo", "auto"):
        case "match":
            return False
        case "nomatch":
            return True
        case "draw":
            return random.Random(f"{sandbox.seed}:{last}:{holder.get('externalId')}").random() < 0.2
    return sandbox.is_magic(last, "nomatch")


def _assign_tasks(
    sandbox: Sandbox,
    number: str,
    applying: Applicant,
    account: dict[str, Any],
    entities: list[int],
    *,
    is_complete: bool,
) -> None:
    proofs = (8137,) if sandbox.config.get("identity_check", "traditional") == "au10tix" else (8001, 8002)
    for place, (holder, entity) in enumerate(zip(applying.persons, entities, strict=True)):
        home = holder.get("residenceAddress", {}).get("country")
        owner: dict[str, Any] = {"external_id": str(holder.get("externalId", "")), "entity_id": entity}
        if not is_complete:
            for form in (9130, 5002 if home == "USA" else 5001) if place == 0 else (5002 if home == "USA" else 5001,):
                review.add_task(sandbox, number, form, is_online=True, **owner)
        if has_no_match(sandbox, holder):
            for form in proofs:
                review.add_task(sandbox, number, form, is_online=False, **owner)
    first: dict[str, Any] = {"external_id": str(applying.persons[0].get("externalId", "")), "entity_id": entities[0]}
    if applying.kind == "ORG":
        for form in (8003, 8004):
            review.add_task(sandbox, number, form, is_online=False, **first)
    if customers.needs_spousal_consent(applying, account):
        review.add_task(sandbox, number, 4091, is_online=False, **first)


def _satellite(sandbox: Sandbox, number: str) -> str:
    """The GIA beside an ISA: a second account of the same persons under way with it."""
    isa = sandbox.accounts.get(number)
    if isa is None:
        raise LookupError(number)
    satellite = sandbox.accounts.next_number()
    sandbox.accounts.add(
        account=satellite, master=isa.master, title=isa.title, alias="", base_currency=isa.base_currency, status=isa.status,
        state=isa.state, date_started=isa.date_started, external_id="", country=isa.country, email=isa.email,
        username=isa.username, margin="Cash", permissions=isa.permissions, objectives=isa.objectives, fees=isa.fees,
        due_at=isa.due_at,
    )  # fmt: skip
    for person in sandbox.accounts.persons(number):
        sandbox.accounts.add_person(
            account=satellite, external_id=person.external_id, name=person.name, email=person.email,
            date_of_birth=person.date_of_birth, phones=person.phones, residence=person.residence, mailing=person.mailing,
            citizenship=person.citizenship, employment=person.employment, marital_status=person.marital_status,
        )  # fmt: skip
    sandbox.accounts.set_trait(satellite, "main account", number)
    sandbox.accounts.set_trait(number, "satellite", satellite)
    return satellite


def success(
    sandbox: Sandbox,
    number: str,
    external_id: str,
    external_account_id: str,
    users: list[dict[str, str]],
    attached: list[dict[str, Any]],
) -> dict[str, Any]:
    """The `application` node of an accepted application."""
    account = sandbox.accounts.get(number)
    persons = sandbox.accounts.persons(number)
    outcome: dict[str, Any] = {
        "customer": account.title if account else "",
        "externalId": external_id,
        "status": "Success",
        "accounts": [{"value": number, "externalId": external_account_id}],
        "users": users,
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
    users = [{"value": account.username, "externalId": f"{account.external_id}-USR"}]
    outcome = success(sandbox, account.account, account.external_id, account.external_id, users, [])
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
