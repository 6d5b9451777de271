"""The websocket /v1/api/ws: one connection for a session, `topic+target+{json}` in, JSON frames out.

The handshake wants a User-Agent, the bearer as the query parameter `bearer_token`, and the cookie `api` with the session that
/tickle shows: bare, or with the knob `stream_cookie` as `{"session": ...}` ("json") or either way ("any"). A second connection
takes the place of the first. `system`, `act` and `sts` come first; then a heartbeat every 10 seconds of virtual time, `sts`
whenever the session changes, prompts (`ntf`), bulletins (`blt`), and whatever is subscribed to (topics.py).

Nothing is numbered, nothing repeated: what happens while nobody is connected is not told. `tic` counts as activity of the
brokerage session; what only comes out does not.

    GET  /_sandbox/stream           the connections open, with their subscriptions
    POST /_sandbox/stream           {"action", "username"?}, for all connections or one username's:
         drop                       tear the connection, without a closing frame
         close {"code"?}            close it properly (1001)
         silence, resume            send nothing at all while the socket stays open, and go on
         stall {"topics": ["smd"]}  send nothing of these topics (stall_quotes: smd); resume ends that too
         send {"frame": text}       send this text as it is
         bulletin {"text"}          send a bulletin
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from backoffice.sandbox import sso, windows
from backoffice.sandbox.jsonio import answer, loads
from backoffice.sandbox.limits import Visitor

from . import handshake, sessions
from .connection import PATH, Connection, is_closed
from .desk import Desk


def routes(desk: Desk) -> list[BaseRoute]:
    open_: dict[str, Connection] = {}

    async def serve(socket: WebSocket) -> None:
        request = _as_request(socket)
        username = _username(desk, request)
        fault = struck = handshake.strike(desk.sandbox, request, username)

        def note(status: int | None) -> None:
            handshake.note(desk.sandbox, request, username, status, struck)

        async def deny(refusal: Response) -> None:
            note(refusal.status_code)
            await socket.send_denial_response(refusal)

        if fault is not None and (fault.is_before_effect or fault.action == "latency"):
            token = request.query_params.get("bearer_token", "")
            altered = await handshake.befall(desk.sandbox, fault, request, token, username)
            if altered is not None:
                await deny(altered)
                return
            if fault.action in ("hang", "reset", "late"):
                note(None)
                return
            fault = None
        refused = _refusal(desk, request)
        if refused is not None:
            await deny(refused)
            return
        bearer = sso.trading_bearer(desk.sandbox, request)
        if isinstance(bearer, Response):
            await deny(bearer)
            return
        if not _has_cookie(desk, socket.cookies.get("api", ""), bearer.token):
            await deny(answer({"error": "not authenticated", "statusCode": 401}, 401))
            return
        if bearer.token in open_:
            open_[bearer.token].ending = (1000, "another connection")
        if fault is not None and fault.phase != "answered":
            note(None)
            handshake.cut(socket.scope)
            return
        note(101)
        await socket.accept()
        if fault is not None:
            await asyncio.sleep(0.05)  # let the answer leave before the line is torn
            handshake.cut(socket.scope)
            return
        connection = Connection(desk, socket, bearer.token, bearer.username, bearer.master)
        open_[bearer.token] = connection
        try:
            await connection.run()
        finally:
            if open_.get(bearer.token) is connection:
                del open_[bearer.token]

    return [WebSocketRoute(PATH, serve), *_controls(open_)]


def _as_request(socket: WebSocket) -> Request:
    """The handshake as a request with its bearer where other requests have theirs."""
    bearer = socket.query_params.get("bearer_token", "")
    headers = [pair for pair in socket.scope["headers"] if pair[0] != b"authorization"]
    return Request(
        {
            **socket.scope,
            "type": "http",
            "method": "GET",
            "state": {},
            "headers": [*headers, (b"authorization", f"Bearer {bearer}".encode("latin-1", "replace"))],
        }
    )


def _refusal(desk: Desk, request: Request) -> Response | None:
    """Closed windows and the penalty box stand before the stream as before everything else."""
    sandbox = desk.sandbox
    if is_closed(desk):
        return windows.turned_away(sandbox, PATH)
    address = str(sandbox.config.get("egress_address", None) or (request.client.host if request.client else ""))
    username = _username(desk, request)
    now = int(asyncio.get_running_loop().time() * 1_000_000)
    breach = sandbox.limits.arrive(Visitor("GET", PATH, PATH, address, username=username), now)
    return None if breach is None else answer({"error": "Too Many Requests", "statusCode": 429}, 429)


def _username(desk: Desk, request: Request) -> str:
    token = request.query_params.get("bearer_token", "")
    return desk.sandbox.store.value("SELECT username FROM sso_bearers WHERE token = ?", token) or ""


def _has_cookie(desk: Desk, cookie: str, token: str) -> bool:
    session, form = sessions.websocket_cookie(token), desk.knob("stream_cookie", "raw")
    if form in ("raw", "any") and cookie == session:
        return True
    if form not in ("json", "any"):
        return False
    try:
        found = loads(cookie)
    except ValueError:
        return False
    return isinstance(found, dict) and found.get("session") == session


# -- the control interface ------------------------------------------------------------------------------------------


def _controls(open_: dict[str, Connection]) -> list[Route]:
    async def show(_request: Request) -> Response:
        return answer({"connections": [_described(connection) for connection in open_.values()]})

    async def act(request: Request) -> Response:
        try:
            wanted = loads(await request.body())
            act_on = _ACTIONS[str(wanted["action"])]
        except (ValueError, KeyError, TypeError):
            return answer({"error": f'want {{"action": one of {", ".join(_ACTIONS)}, "username"?: ...}}'}, 400)
        chosen = [each for each in open_.values() if wanted.get("username") in (None, each.username)]
        for connection in chosen:
            act_on(connection, wanted)
        return answer({"connections": len(chosen)})

    return [
        Route("/_sandbox/stream", show, methods=["GET"]),
        Route("/_sandbox/stream", act, methods=["POST"]),
    ]


def _described(connection: Connection) -> dict[str, Any]:
    single = {"sor": connection.orders, "str": connection.trades, "spl": connection.profit}
    return {
        "username": connection.username,
        "subscriptions": [
            *(f"smd+{target}" for target in connection.quotes),
            *(f"smh+{target}" for target in connection.charts.values()),
            *(name for name, topic in single.items() if topic is not None),
            *(f"ssd+{account}" for account in connection.summaries),
            *(f"sld+{account}" for account in connection.ledgers),
        ],
        "is_silent": connection.is_silent,
        "stalled": sorted(connection.stalled),
    }


def _drop(connection: Connection, _wanted: dict[str, Any]) -> None:
    """Tear the line as a failing network does. Without a socket (called in-process) it is merely closed."""
    if not handshake.cut(connection.socket.scope):
        connection.ending = (1006, "dropped")


def _close(connection: Connection, wanted: dict[str, Any]) -> None:
    connection.ending = (int(wanted.get("code", 1001)), "")


def _silence(connection: Connection, _wanted: dict[str, Any]) -> None:
    connection.is_silent = True


def _resume(connection: Connection, _wanted: dict[str, Any]) -> None:
    connection.is_silent = False
    connection.stalled.clear()


def _stall(connection: Connection, wanted: dict[str, Any]) -> None:
    connection.stalled |= {str(topic) for topic in wanted.get("topics", ["smd"])}


def _put(connection: Connection, wanted: dict[str, Any]) -> None:
    connection.outbox.append(str(wanted.get("frame", "")))


def _bulletin(connection: Connection, wanted: dict[str, Any]) -> None:
    connection.bulletins += 1
    args = {"id": str(connection.bulletins), "message": str(wanted.get("text", ""))}
    connection.outbox.append(json.dumps({"topic": "blt", "args": args}))


_ACTIONS: dict[str, Callable[[Connection, dict[str, Any]], None]] = {
    "drop": _drop,
    "close": _close,
    "silence": _silence,
    "resume": _resume,
    "stall": _stall,
    "stall_quotes": _stall,
    "send": _put,
    "bulletin": _bulletin,
}
