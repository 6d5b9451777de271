"""What every family is handed: one object with the store, the clock, the books and the market."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .accounts import Accounts
from .books import Books
from .clock import Clock
from .jsonio import dumps, loads
from .ledger import Ledger
from .market import Market
from .store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS config (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)
"""
KEPT_BY_A_RESET = frozenset({"oauth_clients", "meta"})


class Config:
    """Knobs set by `POST /_sandbox/config`; they survive a restart and are cleared by a reset."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, key: str, default: Any) -> Any:
        found = self._store.value("SELECT value FROM config WHERE key = ?", key)
        return default if found is None else loads(found)

    def set(self, key: str, value: Any) -> None:
        self._store.execute(
            "INSERT INTO config VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, dumps(value)
        )

    def all(self) -> dict[str, Any]:
        return {row["key"]: loads(row["value"]) for row in self._store.rows("SELECT * FROM config ORDER BY key")}


@dataclass
class Sandbox:
    store: Store
    clock: Clock
    seed: int
    config: Config
    books: Books
    ledger: Ledger
    accounts: Accounts
    market: Market
    build_world: Callable[["Sandbox"], None]
    on_tick: list[Callable[[], None]] = field(default_factory=list)

    def reset(self, seed: int) -> None:
        """Wipe everything but the registered clients and the signing key, and build the demonstration world anew."""
        self.store.wipe(KEPT_BY_A_RESET)
        self.seed = seed
        self.market = Market(seed, self.clock)
        self.store.execute(
            "INSERT INTO meta VALUES ('seed', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", str(seed)
        )
        self.build_world(self)

    def tick(self) -> None:
        """Let every family bring the world up to `clock.now()`. Called before each request and after each move of the clock."""
        for bring_up_to_date in self.on_tick:
            bring_up_to_date()
