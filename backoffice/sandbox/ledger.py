"""The oracle: one row for every effect the sandbox has had, with the key the client gave it. Tests count these rows."""

from dataclasses import dataclass
from typing import Any

from .clock import Clock, stamp
from .jsonio import dumps, loads
from .store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS ledger (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, broker_id TEXT NOT NULL, data
    TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS ledger_kind_key ON ledger (kind, key)
"""


@dataclass(frozen=True)
class Effect:
    id: int
    at: str
    kind: str
    key: str
    broker_id: str
    data: dict[str, Any]


class Ledger:
    """Kinds in use: application, patch, document, deposit, withdrawal, bank-query, order, cancel, group, market-data-fee."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def record(self, kind: str, key: str, broker_id: str, data: dict[str, Any]) -> None:
        self._store.execute(
            "INSERT INTO ledger (at, kind, key, broker_id, data) VALUES (?, ?, ?, ?, ?)",
            stamp(self._clock.now()), kind, key, broker_id, dumps(data),
        )  # fmt: skip

    def effects(self, kind: str | None = None, key: str | None = None) -> list[Effect]:
        rows = self._store.rows(
            "SELECT * FROM ledger WHERE (? IS NULL OR kind = ?) AND (? IS NULL OR key = ?) ORDER BY id",
            kind,
            kind,
            key,
            key,
        )
        return [Effect(r["id"], r["at"], r["kind"], r["key"], r["broker_id"], loads(r["data"])) for r in rows]
