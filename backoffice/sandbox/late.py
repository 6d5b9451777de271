"""Requests that are applied long after their caller was cut off: kept durably, done when the virtual clock gets there."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from starlette.types import Scope

from .clock import moment, stamp
from .jsonio import dumps, loads
from .kernel import Sandbox

SCHEMA = """
CREATE TABLE IF NOT EXISTS late_requests (
    id INTEGER PRIMARY KEY, due_at TEXT NOT NULL, came_at TEXT NOT NULL, scope TEXT NOT NULL, body BLOB NOT NULL
)
"""
_KEPT = ("http_version", "method", "scheme", "path", "root_path")


@dataclass(frozen=True)
class LateRequest:
    id: int
    due_at: datetime
    came_at: datetime  # of the wall: tokens and signatures are judged as they were then
    scope: Scope
    body: bytes


def put_off(sandbox: Sandbox, scope: Scope, body: bytes, seconds: int) -> None:
    """Remember a request; its effect comes `seconds` of virtual time from now."""
    due = sandbox.clock.now() + timedelta(seconds=seconds)
    kept: dict[str, Any] = {name: scope[name] for name in _KEPT}
    kept["query_string"] = scope["query_string"].decode("latin-1")
    kept["raw_path"] = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
    kept["headers"] = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]]
    kept["client"], kept["server"] = list(scope.get("client") or []), list(scope.get("server") or [])
    sandbox.store.execute(
        "INSERT INTO late_requests (due_at, came_at, scope, body) VALUES (?, ?, ?, ?)",
        stamp(due), stamp(sandbox.clock.wall()), dumps(kept), body,
    )  # fmt: skip


def next_due(sandbox: Sandbox) -> LateRequest | None:
    """The earliest request whose time has come, or None."""
    row = sandbox.store.row(
        "SELECT * FROM late_requests WHERE due_at <= ? ORDER BY due_at, id LIMIT 1", stamp(sandbox.clock.now())
    )
    if row is None:
        return None
    kept = loads(row["scope"])
    scope: dict[str, Any] = {name: kept[name] for name in _KEPT}
    scope |= {
        "type": "http", "asgi": {"version": "3.0"}, "state": {"is_late": True},
        "query_string": kept["query_string"].encode("latin-1"), "raw_path": kept["raw_path"].encode("latin-1"),
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in kept["headers"]],
        "client": tuple(kept["client"]) or None, "server": tuple(kept["server"]) or None,
    }  # fmt: skip
    return LateRequest(row["id"], moment(row["due_at"]), moment(row["came_at"]), scope, bytes(row["body"]))


def forget(sandbox: Sandbox, request: LateRequest) -> None:
    sandbox.store.execute("DELETE FROM late_requests WHERE id = ?", request.id)
