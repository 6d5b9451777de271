"""Who is behind an account, and accounts found by pattern, which only structures with the DYNACCT property may.

GET  /iserver/account/search/{pattern}, POST /iserver/dynaccount
     503 for good without the property, however often one asks (knob `dynaccount_refusal_status`: 503 or 401); the knob
     `dynaccount` gives it
GET  /acesws/{id}/signatures-and-owners     names of persons: never to be logged
"""

from typing import Any

from starlette.routing import BaseRoute

from . import sessions
from .desk import Call, Desk, Needs, Refusal, bad_request, route


def routes(desk: Desk) -> list[BaseRoute]:
    return [
        route(desk, "GET", "/iserver/account/search/{pattern}", _search, Needs.ACCOUNTS),
        route(desk, "POST", "/iserver/dynaccount", _select, Needs.ACCOUNTS),
        route(desk, "GET", "/acesws/{account}/signatures-and-owners", _owners),
    ]


def _require_property(call: Call) -> None:
    if call.desk.knob("dynaccount", False):
        return
    status = int(call.desk.knob("dynaccount_refusal_status", 503))
    text = "Details currently unavailable. Please try again later and contact client services if the issue persists."
    raise Refusal(status, {"error": text, "statusCode": status})


def _search(call: Call) -> dict[str, Any]:
    _require_property(call)
    pattern = call.path("pattern")
    found = [
        {"accountId": row.account, "alias": row.alias or row.account, "allocationId": row.account}
        for row in call.desk.open_accounts(call.master)
        if pattern.lower() in row.account.lower() or pattern.lower() in row.alias.lower()
    ]
    return {"matchedAccounts": found, "pattern": pattern}


def _select(call: Call) -> dict[str, Any]:
    _require_property(call)
    wanted = call.json().get("acctId")
    if wanted not in {row.account for row in call.desk.open_accounts(call.master)}:
        raise bad_request(f"accountId is not valid: {wanted}")
    sessions.remember(call.desk.sandbox, call.session, "selected", str(wanted))
    return {"set": True, "acctId": wanted}


def _owners(call: Call) -> dict[str, Any]:
    account = call.account(call.path("account"))
    users = []
    for person in call.desk.sandbox.accounts.persons(account.account):
        first, last = str(person.name.get("first", "")), str(person.name.get("last", ""))
        users.append(
            {
                "roleId": "OWNER",
                "hasRightCodeInd": True,
                "userName": account.username,
                "entity": {
                    "entityName": f"{first} {last}".strip(),
                    "entityType": "INDIVIDUAL",
                    "firstName": first,
                    "lastName": last,
                },
            }
        )
    names = [user["entity"]["entityName"] for user in users if isinstance(user["entity"], dict)]
    return {"accountId": account.account, "users": users, "applicant": {"signatures": names}}
