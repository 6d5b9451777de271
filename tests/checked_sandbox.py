"""The real sandbox with IBKR's OpenAPI file looking over its shoulder: `python -m tests.checked_sandbox --port P --state DIR`.

`checked(app)` wraps the application as it is; nothing in it changes. Each exchange is noted as it went over the wire and
judged in a thread of the same process, so a test waits for no verdict. `GET /_sandbox/specification` answers what has been
found since it was last asked: tests/specification_report.py asks after each test and fails the one that caused it.
"""

import asyncio
import json
import sys
from typing import Any

from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.specification import Exchange
from tests.specification_inspector import REPORT, Findings, Inspector, inspector

CLIENTS = "/_sandbox/clients"


class Checked:
    """An ASGI application around the sandbox's that hears both sides of every exchange."""

    def __init__(self, app: Starlette) -> None:
        self._app = app
        self.state = app.state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        watcher = inspector()
        if scope["type"] != "http" or watcher is None:
            await self._app(scope, receive, send)
        elif scope["path"] == REPORT:
            await _answer(send, await asyncio.to_thread(watcher.findings))
        else:
            await self._listen(watcher, scope, receive, send)

    async def _listen(self, watcher: Inspector, scope: Scope, receive: Receive, send: Send) -> None:
        heard = _Heard(receive, send)
        log = self.state.sandbox.requests
        before = log.last_id()
        headers = dict(_text(scope["headers"]))
        try:
            await self._app(scope, heard.listen, heard.speak)
        finally:
            path = scope["path"]
            fault = log.fault_since(before, scope["method"], path)
            if path == CLIENTS and scope["method"] == "POST" and heard.status == 200:
                registered = json.loads(heard.body)
                watcher.rules.keys.setdefault(registered["client_id"], []).append(registered["public_key_pem"])
            # A line that broke before the request was read leaves nothing to judge.
            if heard.has_request or heard.status is not None:
                watcher.note(
                    Exchange(
                        scope["method"], (scope.get("raw_path") or path.encode()).decode("latin-1"),
                        scope["query_string"].decode("latin-1"), headers, bytes(heard.body),
                        heard.status if heard.is_whole else None, heard.headers, bytes(heard.answer), fault,
                    )
                )  # fmt: skip


class _Heard:
    """Both sides of one exchange, passed on as they come."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self.body = bytearray()
        self.has_request = False
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.answer = bytearray()
        self.is_whole = False

    async def listen(self) -> Message:
        message = await self._receive()
        self.body += bytes(message.get("body", b""))
        self.has_request |= message["type"] == "http.request" and not message.get("more_body", False)
        return message

    async def speak(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = dict(_text(message.get("headers", ())))
        elif message["type"] == "http.response.body":
            self.answer += bytes(message.get("body", b""))
            self.is_whole = not message.get("more_body", False)
        await self._send(message)

    def __getattr__(self, name: str) -> Any:
        """A fault tears down the connection behind `send`: it finds uvicorn's own here too."""
        return getattr(getattr(self._send, "__self__", None), name)


def _text(headers: Any) -> list[tuple[str, str]]:
    return [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers]


async def _answer(send: Send, findings: Findings) -> None:
    body = json.dumps(findings.as_data()).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def checked(app: Starlette) -> ASGIApp:
    """The application, with every exchange held against the file. `.state` is the application's own."""
    return Checked(app)


if __name__ == "__main__":
    from backoffice.sandbox.__main__ import main

    sys.exit(main(around=checked))
