"""The session chain: validate, init, status, tickle, logout, accounts, and the knob that breaks it."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from backoffice.sandbox.clock import moment
from backoffice.sandbox.jsonio import answer, loads

from . import groups, hmds, sessions
from .desk import Call, Desk, Needs, Refusal, bad_request, route

_ASSET_TYPES = "STK,CFD,OPT,FOP,WAR,FUT,BAG,PDC,CASH,IND,BOND,BILL,FUND,SLB,News,CMDTY,IOPT,ICU,ICS,PHYSS,CRYPTO"


def routes(desk: Desk) -> list[BaseRoute]:
    return [
        route(desk, "GET", "/sso/validate", _validate),
        route(desk, "POST", "/iserver/auth/ssodh/init", _init),
        route(desk, "GET|POST", "/iserver/auth/status", _status),
        route(desk, "GET|POST", "/tickle", _tickle),
        route(desk, "POST", "/logout", _logout),
        route(desk, "GET", "/iserver/accounts", _accounts, Needs.SESSION),
        route(desk, "POST", "/iserver/account", _select, Needs.ACCOUNTS),
        _control(desk),
    ]


def _validate(call: Call) -> dict[str, Any]:
    session, sandbox = call.session, call.desk.sandbox
    return {
        "USER_ID": sessions.user_id(session.username),
        "USER_NAME": session.username,
        "RESULT": True,
        "AUTH_TIME": _bearer_times(call)[0],
        "SF_ENABLED": False,
        "IS_FREE_TRIAL": False,
        "CREDENTIAL": session.username,
        "IP": call.request.client.host if call.request.client else "127.0.0.1",
        "EXPIRES": _bearer_times(call)[1],
        "QUALIFIED_FOR_MOBILE_AUTH": None,
        "LANDING_APP": "PORTAL",
        "IS_MASTER": True,
        "lastAccessed": sessions.milliseconds(sandbox.clock.wall()),
        "LOGIN_TYPE": 2 if call.desk.knob("paper_login", False) else 1,
        "features": {
            "env": "PROD",
            "wlms": True,
            "realtime": True,
            "bond": True,
            "optionChains": True,
            "calendar": True,
            "newMf": True,
        },
        "region": "NJ",
    }


def _bearer_times(call: Call) -> tuple[int, int]:
    """(issued in epoch ms, ms left) of the bearer, by the wall clock."""
    row = call.desk.sandbox.store.row(
        "SELECT created_at, expires_at FROM sso_bearers WHERE token = ?", call.session.token
    )
    if row is None:
        return 0, 0
    left = moment(row["expires_at"]) - call.desk.sandbox.clock.wall()
    return sessions.milliseconds(moment(row["created_at"])), int(left.total_seconds() * 1000)


def _init(call: Call) -> dict[str, Any]:
    wanted = call.json()
    if wanted.get("publish") is not True:
        raise Refusal(500, {"error": "failed to generate sso dh token"})
    session, is_ours = sessions.begin(call.desk.sandbox, call.session, compete=wanted.get("compete") is True)
    is_competing = not is_ours or sessions.is_wanted_elsewhere(call.desk.sandbox, session.username)
    return sessions.status(session, is_competing=is_competing)


def _status(call: Call) -> dict[str, Any]:
    wanted = sessions.is_wanted_elsewhere(call.desk.sandbox, call.session.username)
    return sessions.status(call.session, is_competing=wanted)


def _tickle(call: Call) -> dict[str, Any]:
    return {
        "session": sessions.websocket_cookie(call.session.token),
        "ssoExpires": _bearer_times(call)[1],
        "collission": False,
        "userId": sessions.user_id(call.session.username),
        "hmds": hmds.describe(call),
        "iserver": {"authStatus": _status(call)},
    }


def _logout(call: Call) -> dict[str, Any]:
    sessions.logout(call.desk.sandbox, call.session.username, call.session.token)
    return {"status": True}


def _accounts(call: Call) -> dict[str, Any]:
    sessions.remember(call.desk.sandbox, call.session, "has_accounts")
    return describe_accounts(call.desk, call.session)


def describe_accounts(desk: Desk, session: sessions.Session) -> dict[str, Any]:
    """Return what a session trades for, as /iserver/accounts and the first message of a stream show it."""
    opened = desk.open_accounts(session.master)
    properties = {
        "hasChildAccounts": False,
        "supportsCashQty": bool(desk.knob("supports_cash_quantity", False)),
        "liteUnderPro": False,
        "noFXConv": False,
        "isProp": False,
        "supportsFractions": bool(desk.knob("supports_fractions", False)),
        "allowCustomerTime": False,
        "autoFx": False,
    }
    return {
        "accounts": [account.account for account in opened],
        "acctProps": dict.fromkeys(("All", *(account.account for account in opened)), properties),
        "aliases": {"All": "All", **{account.account: account.alias or account.account for account in opened}},
        "allowFeatures": {
            "showGFIS": True,
            "showEUCostReport": False,
            "allowEventContract": True,
            "allowFXConv": True,
            "allowFinancialLens": True,
            "allowMTA": False,
            "allowTypeAhead": True,
            "allowEventTrading": True,
            "snapshotRefreshTimeout": 30,
            "liteUser": False,
            "showWebNews": True,
            "research": True,
            "debugPnl": True,
            "showTaxOpt": True,
            "showImpactDashboard": True,
            "allowDynAccount": bool(desk.knob("dynaccount", False)),
            "allowCrypto": False,
            "allowFA": True,
            "allowLiteUnderPro": False,
            "allowedAssetTypes": _ASSET_TYPES,
            "restrictTradeSubscription": False,
            "showUkUserLabels": False,
            "sideBySide": True,
        },
        "chartPeriods": {
            "STK": ["*"],
            "OPT": ["2h", "1d", "2d", "1w", "1m"],
            "CASH": ["*"],
            "IND": ["*"],
            "BOND": ["*"],
        },
        "groups": ["All", *groups.names(desk, session.master)],
        "profiles": [],
        "selectedAccount": session.selected,
        "serverInfo": {"serverName": "SandboxServer", "serverVersion": "Build 10.42.0c, Sep 14, 2026 11:02:17 AM"},
        "sessionId": f"{session.session_id[:8]}.{session.session_id[8:16]}",
        "isFT": False,
        "isPaper": bool(desk.knob("paper_login", False)),
    }


def _select(call: Call) -> dict[str, Any]:
    wanted = call.json().get("acctId")
    if not isinstance(wanted, str) or not wanted:
        raise bad_request("acctId is required")
    selectable = {call.master, "All", *(account.account for account in call.desk.open_accounts(call.master))}
    if wanted not in selectable | set(groups.names(call.desk, call.master)):
        raise Refusal(500, {"error": "Invalid account ID"})
    if wanted == call.session.selected:
        return {"success": "Account already set"}
    sessions.remember(call.desk.sandbox, call.session, "selected", wanted)
    return {"set": True, "acctId": wanted}


def _control(desk: Desk) -> Route:
    """POST /_sandbox/session {"username", "action": "steal" | "reset" | "logout"}: what happens to a session from outside."""
    actions = {"steal": sessions.steal, "reset": sessions.reset, "logout": sessions.logout}

    async def serve(request: Request) -> Response:
        try:
            wanted = loads(await request.body())
            username, action = str(wanted["username"]), actions[str(wanted["action"])]
        except (ValueError, KeyError, TypeError):
            return answer({"error": 'want {"username": ..., "action": "steal" | "reset" | "logout"}'}, 400)
        action(desk.sandbox, username)
        return answer({"done": True})

    return Route("/_sandbox/session", serve, methods=["POST"])
