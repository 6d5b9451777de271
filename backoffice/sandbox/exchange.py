"""One request: limits, windows and faults around it, one transaction inside it, one row in the request log after it."""

import asyncio
import hashlib
import logging
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import faults, late, limits, misfortune, oauth, sso, windows
from .clock import stamp
from .faults import Fault
from .jsonio import answer
from .kernel import Sandbox
from .limits import Visitor
from .problems import problem
from .trading import sessions

CONTROL = "/_sandbox/"
API = (limits.TRADING, limits.ACCOUNT_MANAGEMENT, "/oauth2/")
LARGEST_READ = 64 * 1024 * 1024
STALE_ANSWERS, STALE_BYTES = 50, 1024 * 1024
BROKEN = b'{"type":"/simple","title":"Internal Server Error","status":500}'
log = logging.getLogger(__name__)


@dataclass
class Visit:
    """One request on its way through."""

    scope: Scope
    visitor: Visitor
    client_id: str = ""
    fault: Fault | None = None
    is_remembered: bool = False
    seen: str = ""  # what befell it, for the log
    body: bytes = field(default=b"", repr=False)


class Endpoints:
    """Which path template serves a request; answers are kept, for there are few templates and many requests."""

    def __init__(self, routes: list[BaseRoute]) -> None:
        self._routes = [route for route in routes if isinstance(route, Route)]
        self._known: dict[tuple[str, str], str] = {}

    def template(self, method: str, path: str) -> str:
        """The template of this path; a path that nothing serves is "?" below its root."""
        key = (method, path)
        found = self._known.get(key)
        if found is None:
            if len(self._known) > 10_000:
                self._known.clear()
            found = self._known[key] = self._match(method, path)
        return found

    def _match(self, method: str, path: str) -> str:
        scope = {"type": "http", "method": method, "path": path, "root_path": ""}
        partial = ""
        for route in self._routes:
            match, _ = route.matches(scope)
            if match is Match.FULL:
                return route.path
            if match is Match.PARTIAL:
                partial = partial or route.path
        root = next((root for root in (limits.ACCOUNT_MANAGEMENT, limits.TRADING) if path.startswith(root)), "/")
        return partial or root + "?"


class Exchange:
    """Around the whole application: read whole, applied in one transaction, then answered, with bad luck in between."""

    def __init__(self, app: ASGIApp, sandbox: Sandbox, routes: list[BaseRoute]) -> None:
        self._app = app
        self._sandbox = sandbox
        self._endpoints = Endpoints(routes)
        self._one_at_a_time = asyncio.Lock()
        self._older: dict[str, deque[tuple[int, bytes, bytes]]] = defaultdict(lambda: deque(maxlen=STALE_ANSWERS))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            scope["line"] = send  # of a websocket, so that a fault can tear it down
            await self._app(scope, receive, send)
            return
        arrived_at = microseconds()
        if scope["path"].startswith(CONTROL):
            body = await _whole_body(receive)
            if body is not None:
                async with self._one_at_a_time:
                    messages = await self._apply(scope, body)
                    await self._catch_up()  # the clock may have been moved
                await _send(messages, send)
            return
        visit = self._meet(scope)
        if _is_stopped_at_the_edge(scope):  # IBKR never sees it, and counts nothing
            await self._receive(visit, None, receive, send)
            return
        breach = self._sandbox.limits.arrive(visit.visitor, arrived_at)
        try:
            if breach is None or self._sandbox.config.get("throttle_after_effect", False):
                await self._receive(visit, breach, receive, send)
            else:
                visit.seen = f"limit: {breach.reason}"
                await self._turn_away(visit, self._too_many(visit, breach), send)
        finally:
            if breach is None:
                self._sandbox.limits.leave(visit.visitor)

    def _meet(self, scope: Scope) -> Visit:
        """Find out who is asking for what; the knob `egress_address` moves the caller to another address."""
        egress = self._sandbox.config.get("egress_address", None)
        if egress:
            scope["client"] = (str(egress), 0)
        method, path = scope["method"], scope["path"]
        address = scope["client"][0] if scope.get("client") else ""
        endpoint = self._endpoints.template(method, path)
        bearer = _bearer(scope)
        client_id = master = username = ""
        if bearer and path.startswith(limits.TRADING):
            username = self._sandbox.store.value("SELECT username FROM sso_bearers WHERE token = ?", bearer) or ""
        elif bearer and (access := oauth.read_access_token(self._sandbox, bearer)) is not None:
            client_id, master, username = access[0].client_id, access[0].master, access[0].username
        return Visit(scope, Visitor(method, path, endpoint, address, master, username), client_id)

    async def _receive(self, visit: Visit, breach: limits.Breach | None, receive: Receive, send: Send) -> None:
        closed = self._closed(visit)
        if closed is not None:
            await self._turn_away(visit, closed, send)
            return
        self._strike(visit)
        fault = visit.fault
        if fault and fault.phase == "pre_read" and not await self._befall(visit, fault, send):
            return
        body = await _whole_body(receive)
        if body is None:
            return
        visit.body = body
        if fault and fault.phase == "read_not_applied" and not await self._befall(visit, fault, send):
            return
        async with self._one_at_a_time:
            messages = await self._apply(visit.scope, body, visit)
            if fault and fault.action == "duplicate":
                await self._apply(visit.scope, body, visit)
            if fault and fault.action in faults.DISTURBANCES and not fault.is_before_effect:
                self._disturb(visit, fault)
        if breach is not None:
            messages = await _messages_of(self._too_many(visit, breach))
        await self._reply(visit, messages, send)

    def _closed(self, visit: Visit) -> Response | None:
        """The answer of a closed window, or of a server that wants a length; None when the request may go on."""
        sandbox, path = self._sandbox, visit.scope["path"]
        if sandbox.config.get("enforce_maintenance", True):
            window = windows.closed(sandbox, path, sandbox.clock.now())
            if window is not None:
                visit.seen = f"maintenance: {window.name}"
                return windows.turned_away(sandbox, path)
        if sandbox.config.get("require_content_length", False) and visit.scope["method"] in ("POST", "PUT", "PATCH"):
            names = {name for name, _ in visit.scope["headers"]}
            if not names & {b"content-length", b"transfer-encoding"}:
                visit.seen = "no Content-Length"
                return Response("<html><body><h1>Length Required</h1></body></html>", 411, media_type="text/html")
        return None

    def _too_many(self, visit: Visit, breach: limits.Breach) -> Response:
        if visit.scope["path"].startswith(limits.TRADING):
            refused = answer({"error": "Too Many Requests", "statusCode": 429}, 429)
        else:
            refused = problem(429)
        if self._sandbox.config.get("retry_after", False):
            refused.headers["Retry-After"] = str(max(1, breach.seconds_left))
        return refused

    async def _turn_away(self, visit: Visit, refused: Response, send: Send) -> None:
        self._log(visit, refused.status_code)
        await _send(await _messages_of(refused), send)

    def _strike(self, visit: Visit) -> None:
        store = self._sandbox.store
        if store.row("SELECT 1 FROM faults UNION ALL SELECT 1 FROM random_faults LIMIT 1") is None:
            self._older.clear()
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in visit.scope["headers"]}
        visitor = visit.visitor
        request = faults.Request(
            visitor.method, visitor.path, visitor.endpoint, headers, visitor.username, visit.client_id
        )
        with store.transaction():
            visit.fault, visit.is_remembered = faults.strike(store, request)
        if visit.fault is not None:
            visit.seen = f"{visit.fault.phase}:{visit.fault.action}"

    async def _befall(self, visit: Visit, fault: Fault, send: Send) -> bool:
        """What happens before the effect; True when the request goes on all the same."""
        match fault.action:
            case "latency":
                return await misfortune.act(fault, send)
            case "expired_token" | "steal" | "compete":
                self._disturb(visit, fault)
                return True
            case "penalty" | "maintenance":
                self._disturb(visit, fault)
                await self._turn_away(visit, self._refusal(visit, fault), send)
                return False
            case "late":
                with self._sandbox.store.transaction():
                    late.put_off(self._sandbox, visit.scope, visit.body, (fault.milliseconds or 0) // 1000)
                fault = Fault(fault.id, fault.phase, fault.then, 600_000, fault.status, fault.body)
        self._log(visit, fault.status if fault.action == "status" else None)
        return await misfortune.act(fault, send)

    def _disturb(self, visit: Visit, fault: Fault) -> None:
        """Change the world around the caller: his token, his session, his address."""
        sandbox, username = self._sandbox, visit.visitor.username
        with sandbox.store.transaction():
            match fault.action:
                case "expired_token" if visit.scope["path"].startswith(limits.TRADING):
                    sso.revoke(sandbox, _bearer(visit.scope))
                case "expired_token":
                    oauth.expire(sandbox, _bearer(visit.scope))
                case "steal":
                    sessions.steal(sandbox, username)
                case "compete":
                    sessions.compete(sandbox, username)
                case "penalty":
                    seconds = (fault.milliseconds or 0) // 1000 or int(sandbox.config.get("penalty_seconds", 600))
                    sandbox.limits.penalise(visit.visitor.address, seconds, microseconds())

    def _refusal(self, visit: Visit, fault: Fault) -> Response:
        """What a disturbed caller is told when his request is not allowed to tell him."""
        if fault.action == "penalty":
            return self._too_many(visit, limits.Breach("penalty", (fault.milliseconds or 600_000) // 1000))
        if fault.action == "maintenance":
            return windows.turned_away(self._sandbox, visit.scope["path"])
        if fault.action == "expired_token":
            return problem(401, "The access token request is invalid")
        return answer({"error": "not authenticated", "statusCode": 401}, 401)

    async def _apply(self, scope: Scope, body: bytes, visit: Visit | None = None) -> list[Message]:
        messages: list[Message] = []
        scope["state"] = {}
        await self._catch_up()
        try:
            with self._sandbox.store.transaction():
                messages = await self._call(scope, body)
        except Exception as error:  # noqa: BLE001 - the edge: whatever went wrong inside is a 500 with nothing applied
            log.exception("%s %s", scope["method"], scope["path"])
            self._sandbox.forget()
            scope["state"]["note"] = repr(error)
            messages = misfortune.answer_messages(500, BROKEN, b"application/problem+json")
        if visit is not None:
            self._log(visit, messages[0]["status"])
        return messages

    async def _call(self, scope: Scope, body: bytes) -> list[Message]:
        messages: list[Message] = []

        async def replay() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def collect(message: Message) -> None:
            messages.append(message)

        await self._app(scope, replay, collect)
        return messages

    async def _catch_up(self) -> None:
        """Bring the world up to the virtual now, with the requests that are applied late at their own instants."""
        sandbox = self._sandbox
        while (request := late.next_due(sandbox)) is not None:
            scope = request.scope
            visit = Visit(
                scope, Visitor(scope["method"], scope["path"], "", ""), seen="applied late", body=request.body
            )
            try:
                with sandbox.store.transaction(), sandbox.clock.as_of(request.due_at, request.came_at):
                    late.forget(sandbox, request)
                    sandbox.tick()
                    self._log(visit, (await self._call(scope, request.body))[0]["status"])
            except Exception:
                log.exception("late %s %s", scope["method"], scope["path"])
                sandbox.forget()
                with sandbox.store.transaction():
                    late.forget(sandbox, request)
        with sandbox.store.transaction():
            sandbox.tick()

    async def _reply(self, visit: Visit, messages: list[Message], send: Send) -> None:
        fault = visit.fault
        messages = self._older_answer(visit, messages)
        if fault is None or fault.is_before_effect or fault.action == "duplicate":
            await _send(messages, send)
            return
        if fault.phase == "applied_not_answered":
            if fault.action in faults.DISTURBANCES:
                messages = await _messages_of(self._refusal(visit, fault))
            elif fault.action in faults.FORMS:
                messages = misfortune.altered(fault, messages)
            elif not await misfortune.act(fault, send):
                return
        elif fault.phase == "mid_body":
            await misfortune.half_an_answer(fault, messages, send)
            return
        elif fault.action == "latency":
            await asyncio.sleep((fault.milliseconds or 0) / 1000)
        elif fault.action == "hang":
            await misfortune.hang(send, fault.milliseconds or 600_000)
        else:
            messages = misfortune.altered(fault, messages)
        await _send(messages, send)
        if fault.phase == "answered" and fault.action == "reset":
            await asyncio.sleep(0.2)  # a reset throws away what the caller has not yet read
            await misfortune.cut(send)

    def _older_answer(self, visit: Visit, messages: list[Message]) -> list[Message]:
        """Remember the answer while a stale fault waits for it; give an older one when it has struck."""
        scope = visit.scope
        if not visit.is_remembered or scope["method"] != "GET":
            return messages
        older = self._older[f"{_bearer(scope)} {scope['path']}?{scope['query_string'].decode('latin-1')}"]
        fault = visit.fault
        if fault and fault.action == "stale":
            if not older:
                return messages
            return misfortune.answer_messages(*older[-min(fault.back, len(older))])
        body, head = misfortune.body_of(messages), messages[0]
        if len(body) <= STALE_BYTES:
            older.append((head["status"], body, dict(head["headers"]).get(b"content-type", b"application/json")))
        return messages

    def _log(self, visit: Visit, status: int | None) -> None:
        scope, body = visit.scope, visit.body
        state: dict[str, Any] = scope.get("state", {})
        is_fault = visit.fault is not None
        self._sandbox.requests.add(
            {
                "at": stamp(self._sandbox.clock.now()), "method": scope["method"], "path": scope["path"],
                "query": scope["query_string"].decode("latin-1"), "status": status,
                "client_id": state.get("client_id") or visit.client_id or None,
                "username": visit.visitor.username or None,
                "digest": hashlib.sha256(body).hexdigest()[:16] if body else "", "bytes": len(body),
                "key": state.get("key"), "fault": visit.seen if is_fault else None,
                "note": state.get("note") or (None if is_fault else visit.seen or None),
            }
        )  # fmt: skip


def microseconds() -> int:
    """A clock that only goes forward, for windows."""
    return time.monotonic_ns() // 1000


def _is_stopped_at_the_edge(scope: Scope) -> bool:
    return scope["path"].startswith(API) and not any(
        name == b"user-agent" and value for name, value in scope["headers"]
    )


def _bearer(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            return token.strip() if scheme.lower() == "bearer" else ""
    return ""


async def _messages_of(response: Response) -> list[Message]:
    content_type = response.headers.get("content-type", "").encode("latin-1")
    more = [(name, value) for name, value in response.raw_headers if name == b"retry-after"]
    return misfortune.answer_messages(response.status_code, bytes(response.body), content_type, *more)


async def _send(messages: list[Message], send: Send) -> None:
    for message in messages:
        await send(message)


async def _whole_body(receive: Receive) -> bytes | None:
    """The request body, or None when the caller went away. Reading stops early past any size a resource takes."""
    chunks, length = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(bytes(message.get("body", b"")))
        length += len(chunks[-1])
        if not message.get("more_body", False) or length > LARGEST_READ:
            return b"".join(chunks)
