"""One SQLite file behind one connection; a request is one transaction.

A transaction that changes nothing writes nothing, so a read never waits for the disk.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Store:
    """Open (or create) the file. `synchronous=FULL`: what was answered survives a kill and a power cut."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._depth = 0

    def execute(self, sql: str, *params: Any) -> int:
        """Run one statement and return how many rows it touched."""
        return self._connection.execute(sql, params).rowcount

    def insert(self, sql: str, *params: Any) -> int:
        """Run one INSERT and return the row id."""
        return self._connection.execute(sql, params).lastrowid or 0

    def rows(self, sql: str, *params: Any) -> list[sqlite3.Row]:
        return self._connection.execute(sql, params).fetchall()

    def row(self, sql: str, *params: Any) -> sqlite3.Row | None:
        found: sqlite3.Row | None = self._connection.execute(sql, params).fetchone()
        return found

    def value(self, sql: str, *params: Any) -> Any:
        """First column of the first row, or None."""
        found = self.row(sql, *params)
        return None if found is None else found[0]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit on leaving, roll back on an exception. Nested uses join the outer one."""
        if self._depth == 0:
            self._connection.execute("BEGIN IMMEDIATE")
        self._depth += 1
        try:
            yield
        except BaseException:
            self._depth -= 1
            if self._depth == 0:
                self._connection.execute("ROLLBACK")
            raise
        self._depth -= 1
        if self._depth == 0:
            self._connection.execute("COMMIT")

    def add_schema(self, ddl: str) -> None:
        """Create what is missing; `ddl` holds `CREATE ... IF NOT EXISTS` statements separated by semicolons."""
        for statement in ddl.split(";"):
            if statement.strip():
                self._connection.execute(statement)

    def wipe(self, keep: frozenset[str]) -> None:
        """Empty every table but those in `keep`."""
        for (name,) in self.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"):
            if name not in keep:
                self._connection.execute(f'DELETE FROM "{name}"')

    def close(self) -> None:
        self._connection.close()
