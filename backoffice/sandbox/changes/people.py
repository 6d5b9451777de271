"""Users, representatives, entities, and further accounts of a customer."""

from typing import Any

from backoffice.sandbox import review, rules, utilities
from backoffice.sandbox.accounts import Master, Person
from backoffice.sandbox.kernel import Sandbox

from .base import DONE, Accepted, Operation, Outcome, Subject, at_once, youngest
from .permissions import bundle
from .profile import never

MOST_DUPLICATES = 10


def _login_mistakes(subject: Subject) -> list[str]:
    prefix, username = subject.operation.get("prefix"), subject.operation.get("userName")
    accounts = subject.sandbox.accounts
    if username is not None:
        if not utilities.USERNAME.match(username) or accounts.is_username_taken(username):
            return [f"User name {username} is invalid or taken"]
        return []
    if not prefix:
        return ["Attribute prefix at the User level is missing."]
    if not rules.PREFIX.match(prefix):
        return ["Attribute prefix must consist of 3 to 6 lower case letters."]
    if accounts.next_username(prefix) is None:
        return [rules.prefix_is_used_up(prefix)]
    return []


def _username(subject: Subject) -> str:
    operation = subject.operation
    return operation.get("userName") or subject.sandbox.accounts.next_username(operation["prefix"]) or ""


def _new_user(subject: Subject) -> list[str] | Accepted:
    details = subject.operation.get("userDetails")
    found = _login_mistakes(subject)
    if not details:
        return [*found, "userDetails is missing"]
    found += rules.name(details.get("name", {})) + rules.email(details.get("email"), subject.master.email)
    if not details.get("externalId"):
        found.append("Attribute externalId at the Individual level is missing.")
    elif subject.sandbox.accounts.is_external_id_used(subject.master.account, "individual", details["externalId"]):
        found.append("Already Processed")
    return found or at_once(subject)


def _user_added(subject: Subject, _note: dict[str, Any]) -> Outcome:
    details, username = subject.operation["userDetails"], _username(subject)
    entity = _add_person(subject, details)
    subject.sandbox.accounts.add_user(
        username, subject.number, details["externalId"], is_trader=bool(details.get("authorizedTrader"))
    )
    return Outcome(
        members={
            "users": [{"value": username, "externalId": details["externalId"]}],
            "entities": [{"value": str(entity), "externalId": details["externalId"]}],
        }
    )


def _add_person(subject: Subject, details: dict[str, Any]) -> int:
    residence = details.get("residenceAddress", {})
    accounts = subject.sandbox.accounts
    external_id = details.get("externalId", "")
    if external_id:
        accounts.claim_external_id(subject.master.account, "individual", external_id, subject.number)
    return accounts.add_person(
        account=subject.number, external_id=external_id, name=details.get("name", {}), email=details.get("email", ""),
        date_of_birth=details.get("dateOfBirth"), phones=details.get("phones", []), residence=residence,
        mailing=residence if details.get("sameMailAddress", True) else details.get("mailingAddress", {}),
        citizenship=details.get("identification", {}).get("citizenship"), employment=details.get("employmentType"),
        marital_status=details.get("maritalStatus"),
    )  # fmt: skip


def _create_user(subject: Subject) -> list[str] | Accepted:
    found = _login_mistakes(subject)
    if subject.person(subject.operation.get("id"), subject.operation.get("externalId")) is None:
        found.append("The individual is not known: provide id or externalId")
    return found or at_once(subject)


def _user_created(subject: Subject, _note: dict[str, Any]) -> Outcome:
    username, person = (
        _username(subject),
        subject.person(subject.operation.get("id"), subject.operation.get("externalId")),
    )
    external_id = person.external_id if person else ""
    subject.sandbox.accounts.add_user(
        username, subject.number, external_id, is_trader=bool(subject.operation.get("authorizedTrader"))
    )
    return Outcome(members={"users": [{"value": username, "externalId": external_id}]})


def _representatives(subject: Subject) -> list[str] | Accepted:
    details = subject.operation.get("representativeDetails", [])
    if not details:
        return ["representativeDetails is missing"]
    found = [
        f"Account representative {row.get('representativeId')} is not a user of the master"
        for row in details
        if row.get("representativeId") not in master_users(subject.sandbox, subject.master)
    ]
    total = sum(row.get("percentage", 0) for row in details)
    if total != 100:
        found.append(f"Percentages of the account representatives total {total}. They must add to 100")
    return found or at_once(subject)


def master_users(sandbox: Sandbox, master: Master) -> set[str]:
    """Who may represent clients: the master's own user and those of the knob `master_users`."""
    return {master.username, *sandbox.config.get("master_users", [])}


def _represented(subject: Subject, _note: dict[str, Any]) -> Outcome:
    subject.set_trait("representatives", subject.operation["representativeDetails"])
    return DONE


def _access(subject: Subject) -> list[str] | Accepted:
    operation = subject.operation
    found = []
    if operation.get("action") not in ("ADD", "REMOVE"):
        found.append(f"Unsupported value. Property:'action', value:'{operation.get('action')}'")
    if operation.get("repId") not in master_users(subject.sandbox, subject.master):
        found.append(f"{operation.get('repId')} is not a user of the master")
    for number in operation.get("subAccounts", []):
        account = subject.sandbox.accounts.get(number)
        if account is None or account.master != subject.master.account or not account.is_open:
            found.append(f"Account {number} is not open")
    return found or at_once(subject)


def _access_changed(subject: Subject, _note: dict[str, Any]) -> Outcome:
    operation = subject.operation
    for number in operation["subAccounts"]:
        held = set(subject.sandbox.accounts.trait(number, "access", []))
        changed = held | {operation["repId"]} if operation["action"] == "ADD" else held - {operation["repId"]}
        subject.sandbox.accounts.set_trait(number, "access", sorted(changed))
    return DONE


def _entities(subject: Subject) -> list[str] | Accepted:
    if subject.trait("customer type", "INDIVIDUAL") not in ("ORG", "TRUST"):
        return ["informationChange is for accounts of organizations and trusts only"]
    operation = subject.operation
    if not any(operation.get(name) for name in ("addEntities", "updateEntities", "deleteEntities")):
        return ["Provide one of addEntities, updateEntities and deleteEntities"]
    known = {person.entity_id for person in subject.persons()}
    found = [
        f"Entity {row.get('ibEntityId')} is not known"
        for row in operation.get("deleteEntities", [])
        if row.get("ibEntityId") not in known
    ]
    for row in operation.get("addEntities", []):
        if "individual" in row:
            found += rules.name(row["individual"].get("name", {}))
    return found or at_once(subject)


def _entities_changed(subject: Subject, _note: dict[str, Any]) -> Outcome:
    operation, added = subject.operation, []
    for row in operation.get("addEntities", []):
        if "individual" in row:
            entity = _add_person(subject, row["individual"])
            added.append({"value": str(entity), "externalId": row["individual"].get("externalId", "")})
    for row in operation.get("deleteEntities", []):
        subject.sandbox.store.execute(
            "DELETE FROM persons WHERE entity_id = ? AND account = ?", row["ibEntityId"], subject.number
        )
    return Outcome(members={"entities": added} if added else {})


def _additional(subject: Subject) -> list[str] | Accepted:
    account = subject.operation.get("account")
    if not account:
        return ["account is missing"]
    found = rules.account(
        account, master=subject.master.account, is_advisor=subject.master.kind == "FA", holder_age=youngest(subject)
    )
    external_id = account.get("externalId", "")
    if external_id and subject.sandbox.accounts.is_external_id_used(subject.master.account, "account", external_id):
        found.append("Already Processed")
    return found or at_once(subject)


def _additional_opened(subject: Subject, _note: dict[str, Any]) -> Outcome:
    account = subject.operation["account"]
    number = _copy(
        subject, base_currency=account["baseCurrency"], margin=account.get("margin", "Cash"), alias=account.get("alias", ""),
        external_id=account["externalId"], objectives=account.get("investmentObjectives", []),
        permissions=[bundle(permission) for permission in account["tradingPermissions"]],
        fees=account.get("advisorWrapFees") or {"template": account.get("feesTemplateName", "")},
    )  # fmt: skip
    subject.sandbox.accounts.claim_external_id(subject.master.account, "account", account["externalId"], number)
    return Outcome(members={"accounts": [{"value": number, "externalId": account["externalId"]}]})


def _copy(subject: Subject, **changes: Any) -> str:
    """A further account of the same persons and user; it goes straight to the approval queue."""
    accounts, origin = subject.sandbox.accounts, subject.account
    number = accounts.next_number()
    fields = {
        "master": origin.master, "title": origin.title, "alias": "", "base_currency": origin.base_currency,
        "external_id": "", "country": origin.country, "email": origin.email, "username": origin.username,
        "margin": origin.margin, "permissions": origin.permissions, "objectives": origin.objectives, "fees": origin.fees,
        "date_started": subject.now, **changes,
    }  # fmt: skip
    accounts.add(account=number, status="P", state=review.REVIEW, **fields)
    for person in subject.persons():
        accounts.add_person(account=number, **_fields(person))
    for name in ("financial", "customer type", "route"):
        if (value := subject.trait(name)) is not None:
            accounts.set_trait(number, name, value)
    accounts.set_trait(number, "main account", subject.trait("main account", subject.number))
    review.set_state(subject.sandbox, number, review.REVIEW, subject.now)
    return number


def _fields(person: Person) -> dict[str, Any]:
    return {
        "external_id": person.external_id, "name": person.name, "email": person.email, "date_of_birth": person.date_of_birth,
        "phones": person.phones, "residence": person.residence, "mailing": person.mailing,
        "citizenship": person.citizenship, "employment": person.employment, "marital_status": person.marital_status,
    }  # fmt: skip


def _duplicates(subject: Subject) -> list[str] | Accepted:
    wanted = subject.operation.get("numberOfDuplicates", 0)
    return (
        at_once(subject) if 1 <= wanted <= MOST_DUPLICATES else [f"numberOfDuplicates must be 1 to {MOST_DUPLICATES}"]
    )


def _duplicated(subject: Subject, _note: dict[str, Any]) -> Outcome:
    numbers = [_copy(subject) for _ in range(subject.operation["numberOfDuplicates"])]
    return Outcome(members={"accounts": [{"value": number, "externalId": ""} for number in numbers]})


def _van(subject: Subject) -> list[str] | Accepted:
    currency, country = subject.operation.get("currency"), subject.operation.get("countryCode", "")
    found = [] if currency in rules.CURRENCIES else ["currency is missing"]
    found += [] if rules.is_country(country) else [f"Country non-existent [name = {country}]"]
    return found or at_once(subject)


def _van_allocated(subject: Subject, _note: dict[str, Any]) -> Outcome:
    """The same number again for the same currency and country."""
    held = dict(subject.trait("virtual accounts", {}))
    key = f"{subject.operation['currency']} {subject.operation['countryCode']}"
    held.setdefault(key, f"VAN{subject.number[1:]}{len(held) + 1:03d}")
    subject.set_trait("virtual accounts", held)
    return Outcome(members={"virtualAccountNumber": held[key]})


def _deprecated(subject: Subject) -> list[str] | Accepted:
    return ["This operation is deprecated"]


OPERATIONS = {
    "addNewUser": Operation(_new_user, _user_added),
    "createUser": Operation(_create_user, _user_created),
    "updateAccountRepresentatives": Operation(_representatives, _represented),
    "updateUserAccessRights": Operation(_access, _access_changed),
    "informationChange": Operation(_entities, _entities_changed),
    "addAdditionalAccount": Operation(_additional, _additional_opened),
    "duplicateAccount": Operation(_duplicates, _duplicated),
    "allocateVan": Operation(_van, _van_allocated),
    **{
        name: Operation(_deprecated, never)
        for name in ("updateW8Ben", "enableAccountInBrokerage", "disableAccountInBrokerage", "linkDuplicateAccount")
    },
}
