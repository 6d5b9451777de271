"""Bad luck as data: a plan of faults, each hitting the nth matching request at one phase of its life.

A fault is `{"method", "path" (regex searched in the full path), "nth": 1 (counted from when it was planted), "times": 1,
"phase": "pre_read|read_not_applied|applied_not_answered|mid_body|answered", "action":
"latency|hang|reset|status|garbage|empty", "seconds", "status", "body"}`. `applied_not_answered`: the effect is
committed, then the action happens instead of the answer. `answered`: the answer goes out, late (latency), cut off
afterwards (reset) or in another form (status, garbage, empty). Latency in the other phases delays and then lets the
request go on.
"""

import asyncio
import re
import socket
import struct
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.types import Message, Send

from .jsonio import dumps, loads
from .store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS faults (
    id INTEGER PRIMARY KEY, plan TEXT NOT NULL, seen INTEGER NOT NULL DEFAULT 0, hits INTEGER NOT NULL DEFAULT 0
)
"""

PHASES = ("pre_read", "read_not_applied", "applied_not_answered", "mid_body", "answered")
ACTIONS = ("latency", "hang", "reset", "status", "garbage", "empty")
GARBAGE = b'<html><head><title>Error</title></head><body>\x00\xff{"status": tru'
DEFAULTS: dict[str, Any] = {
    "method": None,
    "path": ".*",
    "nth": 1,
    "times": 1,
    "seconds": None,
    "status": 503,
    "body": None,
}


class BadPlan(ValueError):
    """The fault is not well formed; the text says why."""


class Cut(ConnectionResetError):
    """The connection is reset where there is no socket to reset (the application called in-process)."""


@dataclass(frozen=True)
class Fault:
    id: int
    method: str | None
    path: str
    nth: int
    times: int
    phase: str
    action: str
    milliseconds: int | None
    status: int
    body: str | None


def plant(store: Store, plan: dict[str, Any]) -> int:
    """Add a fault to the plan and return its id. Raises `BadPlan`."""
    unknown = plan.keys() - DEFAULTS.keys() - {"phase", "action"}
    if unknown:
        raise BadPlan(f"unknown members: {', '.join(sorted(unknown))}")
    whole = {**DEFAULTS, **plan}
    if whole.get("phase") not in PHASES or whole.get("action") not in ACTIONS:
        raise BadPlan(f"phase is one of {', '.join(PHASES)}; action is one of {', '.join(ACTIONS)}")
    if any(
        isinstance(whole[name], bool) or not isinstance(whole[name], int) or whole[name] < 1
        for name in ("nth", "times")
    ):
        raise BadPlan("nth and times are whole numbers from 1")
    if whole["status"] not in {status.value for status in HTTPStatus}:
        raise BadPlan("status is not an HTTP status")
    try:
        re.compile(whole["path"])
    except (re.error, TypeError) as error:
        raise BadPlan(f"path is not a regular expression: {error}") from error
    return store.insert("INSERT INTO faults (plan) VALUES (?)", dumps(whole))


def listed(store: Store) -> list[dict[str, Any]]:
    return [
        {"id": row["id"], **loads(row["plan"]), "seen": row["seen"], "hits": row["hits"]}
        for row in store.rows("SELECT * FROM faults ORDER BY id")
    ]


def strike(store: Store, method: str, path: str) -> Fault | None:
    """Count this request against every matching fault and return the one that hits it, if any."""
    struck: Fault | None = None
    for row in store.rows("SELECT * FROM faults ORDER BY id"):
        plan = loads(row["plan"])
        if (plan["method"] and plan["method"].upper() != method) or not re.search(plan["path"], path):
            continue
        seen = row["seen"] + 1
        is_hit = struck is None and plan["nth"] <= seen < plan["nth"] + plan["times"]
        store.execute("UPDATE faults SET seen = ?, hits = hits + ? WHERE id = ?", seen, int(is_hit), row["id"])
        if is_hit:
            seconds = plan.pop("seconds")
            struck = Fault(row["id"], milliseconds=None if seconds is None else int(seconds * 1000), **plan)
    return struck


async def act(fault: Fault, send: Send) -> bool:
    """Do what the fault says instead of answering. True: the request may go on (latency only)."""
    match fault.action:
        case "latency":
            await asyncio.sleep((fault.milliseconds or 0) / 1000)
            return True
        case "hang":
            await _hang(send, fault.milliseconds or 600_000)
            await cut(send)
        case "reset":
            await cut(send)
        case _:
            for message in altered(fault, []):
                await send(message)
    return False


def altered(fault: Fault, messages: list[Message]) -> list[Message]:
    """The answer in the form the fault gives it."""
    match fault.action:
        case "status":
            body = (fault.body or "").encode()
            content_type = b"application/json" if body.startswith(b"{") else b"text/html"
            return answer_messages(fault.status, body, content_type)
        case "garbage":
            return answer_messages(200, fault.body.encode() if fault.body is not None else GARBAGE, b"application/json")
        case "empty":
            return answer_messages(200, b"", b"application/json")
        case _:
            return messages


def answer_messages(status: int, body: bytes, content_type: bytes) -> list[Message]:
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    return [
        {"type": "http.response.start", "status": status, "headers": headers},
        {"type": "http.response.body", "body": body},
    ]


async def half_an_answer(fault: Fault, messages: list[Message], send: Send) -> None:
    """Send the head with its full length and half of the body, then break off."""
    body = b"".join(message.get("body", b"") for message in messages if message["type"] == "http.response.body")
    await send(messages[0])
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
    if fault.action in ("hang", "latency"):
        await _hang(send, fault.milliseconds or 600_000)
    await asyncio.sleep(0.05)  # let the first half leave before the line is torn
    await cut(send)


def _transport(send: Send) -> tuple[Any, Any] | None:
    """uvicorn's own cycle and transport behind `send`: ASGI has no word for tearing a connection down."""
    cycle = getattr(send, "__self__", None)
    transport = getattr(cycle, "transport", None)
    return None if transport is None else (cycle, transport)


async def _hang(send: Send, milliseconds: int) -> None:
    for _ in range(milliseconds // 100):
        await asyncio.sleep(1 / 10)
        behind = _transport(send)
        if behind is not None and behind[0].disconnected:
            return


async def cut(send: Send) -> None:
    """Reset the connection (RST, no FIN)."""
    behind = _transport(send)
    if behind is None:
        raise Cut("the sandbox reset the connection")
    cycle, transport = behind
    line = transport.get_extra_info("socket")
    if line is not None and not transport.is_closing():
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    while not cycle.disconnected and not cycle.response_complete:
        await asyncio.sleep(0.01)
