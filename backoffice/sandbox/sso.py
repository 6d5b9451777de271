"""Single sign-on: a browser link into the simulated portal, and the bearer of a trading session.

A link holds 60 seconds of the virtual clock, opens once, and only from the address it was made for. A trading bearer
is judged by the wall clock, ends at the midnight of its region by the virtual one (while windows are enforced), and is only
honoured from the addresses it was declared with; all loopback addresses count as
one. Which of several addresses that is, IBKR does not say: all of them, `ip` alone, or the first that calls
(`session_bound_to`). With the knob `ipv6_taken` false an IPv6 address is refused as no address at all.
"""

import ipaddress
import secrets
import sqlite3
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from . import maintenance, pages, windows
from .accounts import AccountRow
from .clock import moment, stamp
from .gateway import Call, Refusal, invalid_arguments, problem, require_user_agent, resource
from .jsonio import answer, dumps, loads
from .kernel import Sandbox
from .review import finish_application, outstanding

SCHEMA = """
CREATE TABLE IF NOT EXISTS sso_bearers (token TEXT PRIMARY KEY, username TEXT NOT NULL, master TEXT NOT NULL, ip TEXT
NOT NULL,
    created_at TEXT NOT NULL, expires_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sso_links (sid TEXT PRIMARY KEY, username TEXT NOT NULL, master TEXT NOT NULL, ip TEXT NOT
NULL,
    expires_at TEXT NOT NULL, used_at TEXT, portal TEXT);
CREATE TABLE IF NOT EXISTS sso_ended (token TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS sso_begun (token TEXT PRIMARY KEY, at TEXT NOT NULL)
"""


@dataclass(frozen=True)
class Bearer:
    """Who is behind a trading session's token."""

    username: str
    master: str
    ip: str
    token: str


def before_midnight(sandbox: Sandbox) -> list[str]:
    """The bearers whose day is over: they began, by the virtual clock, before the latest midnight of their region."""
    if not sandbox.config.get("enforce_maintenance", True):
        return []
    midnight = stamp(windows.last_midnight(sandbox, sandbox.clock.now()))
    return [row["token"] for row in sandbox.store.rows("SELECT token FROM sso_begun WHERE at < ?", midnight)]


def routes(sandbox: Sandbox) -> list[Route]:
    async def resolver(request: Request) -> Response:
        return _open_portal(sandbox, request)

    async def finish(request: Request) -> Response:
        return _finish(sandbox, request)

    async def acknowledge(request: Request) -> Response:
        return _finish(sandbox, request, is_acknowledgement=True)

    return [
        resource(sandbox, "POST", "/sso-browser-sessions", _browser_session, "sso-browser-sessions.write", signed=True),
        resource(sandbox, "POST", "/sso-sessions", _trading_session, "sso-sessions.write", signed=True),
        Route("/sso/resolver", resolver, methods=["GET"]),
        Route("/sso/portal/{portal}/finish", finish, methods=["POST"]),
        Route("/sso/portal/{portal}/acknowledge", acknowledge, methods=["POST"]),
    ]


def trading_bearer(sandbox: Sandbox, request: Request) -> Bearer | Response:
    """Who calls a `/v1/api` resource: 403 without User-Agent, 401 when the bearer is unknown, expired or from elsewhere."""
    try:
        require_user_agent(request)
    except Refusal as refusal:
        return refusal.response
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    row = sandbox.store.row("SELECT * FROM sso_bearers WHERE token = ?", token) if scheme.lower() == "bearer" else None
    if row is None or moment(row["expires_at"]) <= sandbox.clock.wall() or not _is_bound_to(sandbox, row, request):
        request.state.note = "no valid SSO bearer"
        if sandbox.store.row("SELECT 1 FROM sso_ended WHERE token = ?", token) is not None:
            return problem(int(sandbox.config.get("logged_out_status", 401)), "The access token request is invalid")
        return problem(401, "The access token request is invalid")
    return Bearer(row["username"], row["master"], loads(row["ip"])[0], token)


def _is_bound_to(sandbox: Sandbox, row: sqlite3.Row, request: Request) -> bool:
    """Whether the bearer of this row is honoured for the caller's address; the first caller may take it for itself."""
    declared, rule = loads(row["ip"]), sandbox.config.get("session_bound_to", "declared")
    if not _is_from(declared[:1] if rule == "ip" else declared, request):
        return False
    if rule == "first" and request.client:
        only = dumps([request.client.host])
        sandbox.store.execute("UPDATE sso_bearers SET ip = ? WHERE token = ?", only, row["token"])
    return True


def revoke(sandbox: Sandbox, token: str) -> None:
    """End an SSO session from outside."""
    for table in ("sso_bearers", "sso_begun"):
        sandbox.store.execute(f"DELETE FROM {table} WHERE token = ?", token)


def _credentials(call: Call, *optional: str) -> tuple[str, list[str]]:
    """The known username and the declared addresses of an SSO request; raises `Refusal` naming the field."""
    body = call.body
    for name in body.keys() - {"credential", "ip", *optional}:
        raise Refusal(invalid_arguments((name, "Invalid or Missing required parameter")))
    missing = [
        (name, "Missing required parameter")
        for name in ("credential", "ip")
        if not isinstance(body.get(name), str) or not body[name]
    ]
    if missing:
        raise Refusal(invalid_arguments(*missing))
    others = body.get("alternativeIps", [])
    if not isinstance(others, list):
        raise Refusal(invalid_arguments(("alternativeIps", "Invalid or Missing required parameter")))
    addresses = [body["ip"], *others]
    read = [_address(address) for address in addresses if isinstance(address, str)]
    is_too_new = not call.sandbox.config.get("ipv6_taken", True) and any(each and each.version == 6 for each in read)
    if len(read) < len(addresses) or not all(read) or is_too_new:
        raise Refusal(invalid_arguments(("ip", "Invalid or Missing required parameter")))
    username = body["credential"]
    owner = next((m.account for m in call.sandbox.accounts.masters() if m.username == username), None)
    if owner is None and (account := call.sandbox.accounts.by_username(username)) is not None:
        owner = account.master
    if owner != call.master:
        raise Refusal(invalid_arguments(("credential", "Invalid or Missing required parameter")), "unknown username")
    return username, addresses


def _browser_session(call: Call) -> Response:
    """`POST /sso-browser-sessions`: a link that opens once, within 60 seconds, from the declared address."""
    username, addresses = _credentials(call)
    sid = secrets.token_hex(24)
    lifetime = timedelta(seconds=int(call.sandbox.config.get("sso_link_lifetime_seconds", 60)))
    call.sandbox.store.execute(
        "INSERT INTO sso_links VALUES (?, ?, ?, ?, ?, NULL, NULL)",
        sid, username, call.master, dumps(addresses), stamp(call.sandbox.clock.now() + lifetime),
    )  # fmt: skip
    base = str(call.request.url.replace(path="", query=""))
    return answer({"active": True, "url": f"{base}/sso/resolver?{urlencode({'SID': sid})}"})


def _trading_session(call: Call) -> Response:
    """`POST /sso-sessions`: the second bearer, the one `/v1/api` takes."""
    username, addresses = _credentials(call, "service", "alternativeIps")
    token, now = secrets.token_urlsafe(48), call.sandbox.clock.wall()
    lifetime = timedelta(seconds=int(call.sandbox.config.get("sso_lifetime_seconds", 86400)))
    call.sandbox.store.execute("DELETE FROM sso_bearers WHERE expires_at < ?", stamp(now))
    call.sandbox.store.execute(
        "INSERT INTO sso_bearers VALUES (?, ?, ?, ?, ?, ?)",
        token,
        username,
        call.master,
        dumps(addresses),
        stamp(now),
        stamp(now + lifetime),
    )
    call.sandbox.store.execute("INSERT INTO sso_begun VALUES (?, ?)", token, stamp(call.sandbox.clock.now()))
    return answer({"active": True, "access_token": token, "token_type": "Bearer"})


def _open_portal(sandbox: Sandbox, request: Request) -> Response:
    sid, now = request.query_params.get("SID", ""), sandbox.clock.now()
    link = sandbox.store.row("SELECT * FROM sso_links WHERE sid = ?", sid)
    if link is None or link["used_at"] is not None:
        return HTMLResponse(pages.refused("This link has already been used or was never issued."), 403)
    if moment(link["expires_at"]) <= now:
        return HTMLResponse(pages.refused("This link has expired. Links are valid for 60 seconds."), 403)
    if not _is_from(loads(link["ip"]), request):
        return HTMLResponse(pages.refused("This link was made for another network address."), 403)
    portal = secrets.token_urlsafe(24)
    sandbox.store.execute("UPDATE sso_links SET used_at = ?, portal = ? WHERE sid = ?", stamp(now), portal, sid)
    request.state.key = link["username"]
    return _portal_page(sandbox, link["username"], pages.asked_for(request.query_params), portal)


def _finish(sandbox: Sandbox, request: Request, *, is_acknowledgement: bool = False) -> Response:
    portal = request.path_params["portal"]
    link = sandbox.store.row("SELECT * FROM sso_links WHERE portal = ?", portal)
    account = None if link is None else sandbox.accounts.by_username(link["username"])
    if link is None or account is None or not _is_from(loads(link["ip"]), request):
        return HTMLResponse(
            pages.refused("Your session has ended. Please open the portal again from your advisor's link."), 403
        )
    if is_acknowledgement:
        maintenance.acknowledge(sandbox, account.account, accept=True)
    else:
        finish_application(sandbox, account)
    return _portal_page(sandbox, link["username"], "", portal)


def _portal_page(sandbox: Sandbox, username: str, action: str, portal: str) -> Response:
    account: AccountRow | None = sandbox.accounts.by_username(username)
    person = sandbox.accounts.person_of(username, account.account) if account else None
    steps = [task.form_name for task in outstanding(sandbox, account.account)] if account else []
    name = person.full_name if person else username
    has_change = account is not None and maintenance.waiting_for_client(sandbox, account.account) is not None
    return HTMLResponse(
        pages.portal(name, username, action, account, steps, portal, has_change=has_change),
        headers={"cache-control": "no-store"},
    )


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _is_from(declared: list[str], request: Request) -> bool:
    visitor = _address(request.client.host) if request.client else None
    known = [_address(text) for text in declared]
    if visitor is None:
        return False
    return visitor in known or (visitor.is_loopback and any(address.is_loopback for address in known if address))
