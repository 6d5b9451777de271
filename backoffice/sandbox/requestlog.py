"""Who asked what and how it was answered, for tests and for people.

It lives in a file of its own that is not synced to the disk: it survives a kill of the process, not a power cut, and so
a request that changes nothing costs no wait for the disk. Bodies are never kept, only their digest and length.
"""

import re
import sqlite3
from pathlib import Path
from typing import Any

LENGTH = 20_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS request_log (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL, query TEXT NOT NULL,
    status INTEGER, client_id TEXT, username TEXT, digest TEXT NOT NULL, bytes INTEGER NOT NULL, key TEXT, fault TEXT,
    note TEXT
)
"""
_COLUMNS = (
    "at",
    "method",
    "path",
    "query",
    "status",
    "client_id",
    "username",
    "digest",
    "bytes",
    "key",
    "fault",
    "note",
)
_INSERT = f"INSERT INTO request_log ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"


class RequestLog:
    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=OFF")
        self._connection.execute(_SCHEMA)

    def add(self, row: dict[str, Any]) -> None:
        """Keep one request; `row` names every column but the id. The oldest beyond `LENGTH` go, a hundred at a time."""
        number = self._connection.execute(_INSERT, [row[name] for name in _COLUMNS]).lastrowid or 0
        if number % 100 == 0:
            self._connection.execute("DELETE FROM request_log WHERE id <= ?", (number - LENGTH,))

    def found(self, path: str = "", method: str = "") -> list[dict[str, Any]]:
        """The requests whose path holds a match of the regular expression, oldest first."""
        rows = self._connection.execute("SELECT * FROM request_log ORDER BY id").fetchall()
        return [dict(row) for row in rows if re.search(path, row["path"]) and method in ("", row["method"])]

    def last_id(self) -> int:
        """The number of the newest request; 0 when there is none."""
        return int(self._connection.execute("SELECT max(id) FROM request_log").fetchone()[0] or 0)

    def fault_since(self, number: int, method: str, path: str) -> str | None:
        """The fault that befell a request after number `number`, if any did."""
        row = self._connection.execute(
            "SELECT max(fault) FROM request_log WHERE id > ? AND method = ? AND path = ?", (number, method, path)
        ).fetchone()
        return None if row[0] is None else str(row[0])

    def clear(self) -> int:
        """Forget everything; how many requests that was."""
        return self._connection.execute("DELETE FROM request_log").rowcount
