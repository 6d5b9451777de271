"""What every family is handed: one object with the store, the clock, the books and the market."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .accounts import Accounts
from .books import Books
from .clock import Clock
from .jsonio import dumps, loads
from .ledger import Ledger
from .limits import Limits
from .market import Market
from .requestlog import RequestLog
from .store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS config (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)
"""
KEPT_BY_A_RESET = frozenset({"oauth_clients", "meta"})


class Config:
    """Knobs set by `POST /_sandbox/config`; they survive a restart and are cleared by a reset. `knobs.py` lists them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, Any] | None = None

    def get(self, key: str, default: Any) -> Any:
        return self.all().get(key, default)

    def set(self, key: str, value: Any) -> None:
        self._store.execute(
            "INSERT INTO config VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, dumps(value)
        )
        self.forget()

    def unset(self, key: str) -> None:
        self._store.execute("DELETE FROM config WHERE key = ?", key)
        self.forget()

    def all(self) -> dict[str, Any]:
        """What has been set, by name."""
        if self._known is None:
            rows = self._store.rows("SELECT * FROM config ORDER BY key")
            self._known = {row["key"]: loads(row["value"]) for row in rows}
        return self._known

    def forget(self) -> None:
        """Read the store again before the next answer: it was wiped or rolled back."""
        self._known = None


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
    requests: RequestLog
    limits: Limits
    on_tick: list[Callable[[], None]] = field(default_factory=list)
    last_seen: dict[str, datetime] = field(default_factory=dict)  # when a trading session last asked, by its token

    def reset(self, seed: int, at: datetime | None = None) -> None:
        """Wipe everything but the registered clients and the signing key, and build the demonstration world anew.

        With `at` the clock stands still at that instant, so that the same seed gives the same world to the cent.
        """
        self.store.wipe(KEPT_BY_A_RESET)
        self.forget()
        self.requests.clear()
        self.limits.clear()
        self.last_seen.clear()
        if at is not None:
            self.clock.stop(at)
        self.seed = seed
        self.market = Market(seed, self.clock)
        self.store.execute(
            "INSERT INTO meta VALUES ('seed', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", str(seed)
        )
        self.build_world(self)

    def is_magic(self, text: str, word: str) -> bool:
        """Whether a text holds a word that steers the sandbox, such as "reject"; no text does with `magic_values` false."""
        return word in text.lower() and self.config.get("magic_values", True) is True

    def forget(self) -> None:
        """Believe nothing that was read before: the store was wiped, or a transaction rolled back."""
        self.config.forget()
        self.clock.forget()

    def tick(self) -> None:
        """Let every family bring the world up to `clock.now()`. Called before each request and after each move of the clock."""
        for bring_up_to_date in self.on_tick:
            bring_up_to_date()
