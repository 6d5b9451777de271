"""The ASGI application: families, the transaction around each request, the request log, and the faults."""

import asyncio
import hashlib
import logging
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import (
    accounts,
    am_requests,
    applications,
    banking,
    books,
    clock,
    control,
    documents,
    enumerations,
    faults,
    forms,
    kernel,
    kyc,
    ledger,
    login_messages,
    maintenance,
    oauth,
    reads,
    reports,
    review,
    sso,
    trading,
    utilities,
    world,
)
from .clock import stamp
from .kernel import Sandbox
from .market import Market
from .store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS request_log (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL, query TEXT NOT NULL, status
    INTEGER,
    client_id TEXT, digest TEXT NOT NULL, bytes INTEGER NOT NULL, key TEXT, fault TEXT, note TEXT
)
"""

KERNEL = (clock, kernel, ledger, books, accounts, faults)
FAMILIES = (
    oauth,
    sso,
    am_requests,
    applications,
    review,
    reads,
    maintenance,
    documents,
    forms,
    enumerations,
    login_messages,
    kyc,
    banking,
    reports,
    utilities,
    trading,
    control,
)
LOG_LENGTH = 20_000
CONTROL = "/_sandbox/"
log = logging.getLogger(__name__)


def open_sandbox(state_dir: Path, seed: int) -> Sandbox:
    """Open the state directory, made if missing. Without a world one is built; a world in it keeps its own seed."""
    state_dir.mkdir(parents=True, exist_ok=True)
    store = Store(state_dir / "sandbox.sqlite3")
    store.add_schema(SCHEMA)
    for module in (*KERNEL, *FAMILIES):
        store.add_schema(module.SCHEMA)
    virtual = clock.Clock(store)
    stored = store.value("SELECT value FROM meta WHERE key = 'seed'")
    seed = seed if stored is None else int(stored)
    sandbox = Sandbox(
        store, virtual, seed, kernel.Config(store), books.Books(store, virtual), ledger.Ledger(store, virtual),
        accounts.Accounts(store), Market(seed, virtual), world.build,
    )  # fmt: skip
    for family in FAMILIES:
        if hasattr(family, "register"):
            family.register(sandbox)
    with store.transaction():
        oauth.signing_key(store)
        if not sandbox.accounts.masters():
            sandbox.reset(seed)
    return sandbox


class Application(Starlette):
    """Starlette with the exchange around everything, so that a fault sees the connection itself behind `send`."""

    def __init__(self, sandbox: Sandbox, routes: list[BaseRoute]) -> None:
        super().__init__(routes=routes)
        self.state.sandbox = sandbox

    def build_middleware_stack(self) -> ASGIApp:
        return Exchange(super().build_middleware_stack(), self.state.sandbox)


def build(state_dir: Path, seed: int = 1) -> Starlette:
    sandbox = open_sandbox(state_dir, seed)
    return Application(sandbox, [route for family in FAMILIES for route in family.routes(sandbox)])


class Exchange:
    """One request: read whole, applied in one transaction together with its log row, then answered, with the faults in between."""

    def __init__(self, app: ASGIApp, sandbox: Sandbox) -> None:
        self._app = app
        self._sandbox = sandbox
        self._one_at_a_time = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_control = scope["path"].startswith(CONTROL)
        fault = None if is_control else self._strike(scope)
        if fault and fault.phase == "pre_read" and not await self._befall(fault, scope, b"", send):
            return
        body = await _whole_body(receive)
        if body is None:
            return
        if fault and fault.phase == "read_not_applied" and not await self._befall(fault, scope, body, send):
            return
        async with self._one_at_a_time:
            messages = await self._apply(scope, body, fault, is_logged=not is_control)
        await self._reply(fault, messages, send)

    def _strike(self, scope: Scope) -> faults.Fault | None:
        store = self._sandbox.store
        if store.row("SELECT 1 FROM faults LIMIT 1") is None:
            return None
        with store.transaction():
            return faults.strike(store, scope["method"], scope["path"])

    async def _befall(self, fault: faults.Fault, scope: Scope, body: bytes, send: Send) -> bool:
        if fault.action != "latency":
            with self._sandbox.store.transaction():
                self._log(scope, body, fault.status if fault.action == "status" else None, fault)
        return await faults.act(fault, send)

    async def _apply(self, scope: Scope, body: bytes, fault: faults.Fault | None, *, is_logged: bool) -> list[Message]:
        messages: list[Message] = []
        scope["state"] = {}

        async def replay() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def collect(message: Message) -> None:
            messages.append(message)

        try:
            with self._sandbox.store.transaction():
                self._sandbox.tick()
                await self._app(scope, replay, collect)
                if is_logged:
                    self._log(scope, body, messages[0]["status"], fault)
        except Exception as error:  # noqa: BLE001 - the edge: whatever went wrong inside is a 500 with nothing applied
            log.exception("%s %s", scope["method"], scope["path"])
            scope["state"]["note"] = repr(error)
            if is_logged:
                with self._sandbox.store.transaction():
                    self._log(scope, body, 500, fault)
            text = b'{"type":"/simple","title":"Internal Server Error","status":500}'
            return faults.answer_messages(500, text, b"application/problem+json")
        return messages

    async def _reply(self, fault: faults.Fault | None, messages: list[Message], send: Send) -> None:
        if fault and fault.phase == "applied_not_answered" and not await faults.act(fault, send):
            return
        if fault and fault.phase == "mid_body":
            await faults.half_an_answer(fault, messages, send)
            return
        if fault and fault.phase == "answered":
            if fault.action in ("latency", "hang"):
                await asyncio.sleep((fault.milliseconds or 0) / 1000)
            messages = faults.altered(fault, messages)
        for message in messages:
            await send(message)
        if fault and fault.phase == "answered" and fault.action == "reset":
            await asyncio.sleep(0.2)  # a reset throws away what the caller has not yet read
            await faults.cut(send)

    def _log(self, scope: Scope, body: bytes, status: int | None, fault: faults.Fault | None) -> None:
        state: dict[str, Any] = scope.get("state", {})
        row = self._sandbox.store.insert(
            "INSERT INTO request_log (at, method, path, query, status, client_id, digest, bytes, key, fault, note)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            stamp(self._sandbox.clock.now()), scope["method"], scope["path"], scope["query_string"].decode("latin-1"),
            status,
            state.get("client_id"), hashlib.sha256(body).hexdigest()[:16] if body else "", len(body), state.get("key"),
            f"{fault.phase}:{fault.action}" if fault else None, state.get("note"),
        )  # fmt: skip
        self._sandbox.store.execute("DELETE FROM request_log WHERE id <= ?", row - LOG_LENGTH)


async def _whole_body(receive: Receive) -> bytes | None:
    """The request body, or None when the caller went away. Reading stops early past any size a resource takes."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += bytes(message.get("body", b""))
        if not message.get("more_body", False) or len(body) > 64 * 1024 * 1024:
            return body
