"""How a fault is carried out on the connection: waiting, tearing it down, and answers in forms nobody wants."""

import asyncio
import json
import socket
import struct
from typing import Any

from starlette.types import Message, Send

from .faults import FORMS, Fault

GARBAGE = b'<html><head><title>Error</title></head><body>\x00\xff{"status": tru'
HTML = b"<html><head><title>Error</title></head><body><h1>An error occurred while processing your request.</h1></body></html>"
JSON = b"application/json"
CHUNK = 64 * 1024


class Cut(ConnectionResetError):
    """The connection is reset where there is no socket to reset (the application called in-process)."""


async def act(fault: Fault, send: Send) -> bool:
    """Do what the fault says instead of answering. True: the request may go on (latency only)."""
    match fault.action:
        case "latency":
            await asyncio.sleep((fault.milliseconds or 0) / 1000)
            return True
        case "hang":
            await hang(send, fault.milliseconds or 600_000)
            await cut(send)
        case "reset":
            await cut(send)
        case _:
            for message in altered(fault, []):
                await send(message)
    return False


def altered(fault: Fault, messages: list[Message]) -> list[Message]:
    """The answer in the form the fault gives it."""
    if fault.action == "status":
        body = (fault.body or "").encode()
        return answer_messages(fault.status, body, JSON if body.startswith(b"{") else b"text/html")
    if fault.action not in FORMS:
        return messages
    status = (
        messages[0]["status"] if messages and fault.action in ("truncated", "wrong_schema", "duplicate_key") else 200
    )
    return answer_messages(status, *_deformed(fault, body_of(messages)))


def _deformed(fault: Fault, body: bytes) -> tuple[bytes, bytes]:
    """The body and its content type."""
    whole = body or b'{"status":"ok","data":[1,2,3]}'
    match fault.action:
        case "garbage":
            return (GARBAGE if fault.body is None else fault.body.encode()), JSON
        case "html":
            return HTML, b"text/html"
        case "truncated":
            return whole[: len(whole) // 2], JSON
        case "wrong_schema":
            return (b'[{"unexpected":true}]' if whole.lstrip().startswith(b"{") else b'{"unexpected":[true]}'), JSON
        case "duplicate_key":
            return _with_a_member_twice(whole), JSON
        case "huge":
            return b'{"padding":"' + b"x" * fault.size + b'"}', JSON
        case _:
            return b"", JSON


def _with_a_member_twice(body: bytes) -> bytes:
    try:
        members = json.loads(body)
    except ValueError:
        members = None
    if not isinstance(members, dict) or not members:
        return b'{"status":"PENDING","status":"PROCESSED"}'
    return b"{" + json.dumps(next(iter(members))).encode() + b":null," + body.lstrip()[1:]


def answer_messages(status: int, body: bytes, content_type: bytes, *more: tuple[bytes, bytes]) -> list[Message]:
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode()), *more]
    chunks = [body[at : at + CHUNK] for at in range(0, len(body), CHUNK)] or [b""]
    return [
        {"type": "http.response.start", "status": status, "headers": headers},
        *(
            {"type": "http.response.body", "body": chunk, "more_body": place < len(chunks) - 1}
            for place, chunk in enumerate(chunks)
        ),
    ]


def body_of(messages: list[Message]) -> bytes:
    return b"".join(message.get("body", b"") for message in messages if message["type"] == "http.response.body")


async def half_an_answer(fault: Fault, messages: list[Message], send: Send) -> None:
    """Send the head with its full length and half of the body, then break off; after a latency the rest follows."""
    body = body_of(messages)
    await send(messages[0])
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
    if fault.action == "latency":
        await asyncio.sleep((fault.milliseconds or 0) / 1000)
        await send({"type": "http.response.body", "body": body[len(body) // 2 :]})
        return
    if fault.action == "hang":
        await hang(send, fault.milliseconds or 600_000)
    await asyncio.sleep(0.05)  # let the first half leave before the line is torn
    await cut(send)


def _transport(send: Send) -> tuple[Any, Any] | None:
    """uvicorn's own cycle and transport behind `send`: ASGI has no word for tearing a connection down."""
    cycle = getattr(send, "__self__", None)
    transport = getattr(cycle, "transport", None)
    return None if transport is None else (cycle, transport)


async def hang(send: Send, milliseconds: int) -> None:
    """Wait, but no longer than the caller does."""
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
