"""`GET /accounts/{id}/kyc`: the Au10tix link of an account whose identity is checked that way (tasks 8137, 8437).

A link is valid for 24 hours of the virtual clock; asking later makes a new one. The page behind it is the sandbox's;
its button passes the check, which approves at once. Words of `state` are invented: IBKR prints none.
"""

import secrets
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from . import pages, review
from .clock import moment, stamp
from .gateway import Call, resource
from .jsonio import answer
from .kernel import Sandbox
from .queries import instant, own_account, wrapped_error

SCHEMA = """
CREATE TABLE IF NOT EXISTS kyc_links (task INTEGER PRIMARY KEY, account TEXT NOT NULL, token TEXT NOT NULL,
    base TEXT NOT NULL, created_at TEXT NOT NULL, expires_at TEXT NOT NULL)
"""

FORMS = frozenset({8137, 8437})
LIFETIME = timedelta(hours=24)


def routes(sandbox: Sandbox) -> list[Route]:
    async def page(request: Request) -> Response:
        return _page(sandbox, request)

    async def passed(request: Request) -> Response:
        return _pass(sandbox, request)

    return [
        resource(sandbox, "GET", "/accounts/{account}/kyc", _kyc, "accounts.read"),
        Route("/au10tix/{token}", page, methods=["GET"]),
        Route("/au10tix/{token}", passed, methods=["POST"]),
    ]


def link_members(sandbox: Sandbox, task: review.Task) -> dict[str, Any]:
    """url, au10tixCreatedDate and au10tixExpiryDate of a pending task that has a link."""
    row = sandbox.store.row("SELECT * FROM kyc_links WHERE task = ?", task.id)
    if row is None:
        return {}
    return {
        "url": f"{row['base']}/au10tix/{row['token']}", "au10tixCreatedDate": instant(moment(row["created_at"])),
        "au10tixExpiryDate": instant(moment(row["expires_at"])),
    }  # fmt: skip


def _kyc(call: Call) -> Response:
    account, sandbox = own_account(call, call.request.path_params["account"]), call.sandbox
    waiting = [t for t in review.tasks(sandbox, account.account) if t.form_number in FORMS and t.completed_at is None]
    if not waiting:
        return wrapped_error(f"No Au10tix task is assigned to account {account.account}")
    task, now = waiting[0], sandbox.clock.now()
    row = sandbox.store.row("SELECT expires_at FROM kyc_links WHERE task = ?", task.id)
    if row is None or moment(row["expires_at"]) <= now:
        sandbox.store.execute(
            "INSERT INTO kyc_links VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (task) DO UPDATE SET token = excluded.token,"
            " base = excluded.base, created_at = excluded.created_at, expires_at = excluded.expires_at",
            task.id, account.account, secrets.token_urlsafe(24),
            str(call.request.url.replace(path="", query="")).rstrip("/"), stamp(now), stamp(now + LIFETIME),
        )  # fmt: skip
    link = link_members(sandbox, task)
    return answer(
        {
            "startDate": link["au10tixCreatedDate"], "expiryDate": link["au10tixExpiryDate"], "url": link["url"],
            "externalId": task.external_id, "entityId": task.entity_id, "state": task.state, "hasError": False,
        }
    )  # fmt: skip


def _found(sandbox: Sandbox, request: Request) -> tuple[review.Task | None, str]:
    row = sandbox.store.row("SELECT * FROM kyc_links WHERE token = ?", request.path_params["token"])
    if row is None:
        return None, "This link was replaced by a newer one or was never issued."
    if moment(row["expires_at"]) <= sandbox.clock.now():
        return None, "This link has expired. Links are valid for 24 hours."
    return next((task for task in review.tasks(sandbox, row["account"]) if task.id == row["task"]), None), ""


def _page(sandbox: Sandbox, request: Request) -> Response:
    task, reason = _found(sandbox, request)
    if task is None:
        return HTMLResponse(pages.refused(reason), 403)
    return HTMLResponse(pages.identity_check(task.form_name, is_done=task.completed_at is not None))


def _pass(sandbox: Sandbox, request: Request) -> Response:
    task, reason = _found(sandbox, request)
    if task is None:
        return HTMLResponse(pages.refused(reason), 403)
    if task.completed_at is None:
        review.judge_task(sandbox, task)
    return HTMLResponse(pages.identity_check(task.form_name, is_done=True))
