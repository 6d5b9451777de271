"""Faults that strike the handshake of the websocket: planned like any other, aimed at the path /v1/api/ws.

Before it is read a handshake is held up, cut or answered in any form a fault has; a changed world lets it fail by itself.
After its effect the socket is open on this side, and the former one of the session has made way: the caller is then told
nothing (`applied_not_answered`, `mid_body`), or hears that it is in and loses the line at once (`answered`).

Each handshake is a line of the request log: 101 when it is let in, the status of its refusal, none when the line was cut.
"""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from backoffice.sandbox import faults, misfortune, sso, windows
from backoffice.sandbox.clock import stamp
from backoffice.sandbox.faults import Fault
from backoffice.sandbox.kernel import Sandbox

from . import sessions


def strike(sandbox: Sandbox, request: Request, username: str) -> Fault | None:
    """The fault that hits this handshake."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    path = request.url.path
    with sandbox.store.transaction():
        return faults.strike(sandbox.store, faults.Request("GET", path, path, headers, username))[0]


async def befall(sandbox: Sandbox, fault: Fault, request: Request, token: str, username: str) -> Response | None:
    """What happens before a handshake is judged: the answer it gets instead; None when it goes on, or the line is cut."""
    match fault.action:
        case "latency":
            await asyncio.sleep((fault.milliseconds or 0) / 1000)
        case "hang":
            await asyncio.sleep((fault.milliseconds or 600_000) / 1000)
            cut(request.scope)
        case "reset" | "late":
            cut(request.scope)
        case "expired_token":
            sso.revoke(sandbox, token)
        case "steal":
            sessions.steal(sandbox, username)
        case "compete":
            sessions.compete(sandbox, username)
        case "penalty":
            seconds = (fault.milliseconds or 0) // 1000 or int(sandbox.config.get("penalty_seconds", 600))
            now = int(asyncio.get_running_loop().time() * 1_000_000)
            sandbox.limits.penalise(request.client.host if request.client else "", seconds, now)
        case "maintenance":
            return windows.turned_away(sandbox, request.url.path)
        case _:
            head, *chunks = misfortune.altered(fault, [])
            content_type = dict(head["headers"])[b"content-type"].decode()
            return Response(b"".join(chunk["body"] for chunk in chunks), head["status"], media_type=content_type)
    return None


def note(sandbox: Sandbox, request: Request, username: str, status: int | None, fault: Fault | None) -> None:
    """Write the handshake into the request log. Its query is the bearer, and so stays out."""
    sandbox.requests.add(
        {
            "at": stamp(sandbox.clock.now()), "method": "GET", "path": request.url.path, "query": "", "status": status,
            "client_id": None, "username": username or None, "digest": "", "bytes": 0, "key": None,
            "fault": None if fault is None else f"{fault.phase}:{fault.action}", "note": "websocket",
        }
    )  # fmt: skip


def cut(scope: Any) -> bool:
    """Tear the line as a failing network does; False where there is none (the application called in-process)."""
    transport = getattr(getattr(scope.get("line"), "__self__", None), "transport", None)
    if transport is None:
        return False
    transport.abort()
    return True
