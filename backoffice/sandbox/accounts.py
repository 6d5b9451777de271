"""Master accounts, sub-accounts, the persons behind them and the usernames that may log in."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .clock import moment, stamp
from .jsonio import dumps, loads
from .store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS masters (account TEXT PRIMARY KEY, kind TEXT NOT NULL, base_currency TEXT NOT NULL, title
TEXT NOT NULL,
    username TEXT NOT NULL, client_id TEXT NOT NULL, email TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS accounts (
    account TEXT PRIMARY KEY, master TEXT NOT NULL, title TEXT NOT NULL, alias TEXT NOT NULL DEFAULT '', base_currency
    TEXT NOT NULL,
    status TEXT NOT NULL, state TEXT NOT NULL, date_started TEXT NOT NULL, date_opened TEXT, date_closed TEXT,
    external_id TEXT NOT NULL,
    country TEXT NOT NULL, email TEXT NOT NULL, username TEXT NOT NULL, margin TEXT NOT NULL DEFAULT 'Cash',
    permissions TEXT NOT NULL DEFAULT '[]', objectives TEXT NOT NULL DEFAULT '[]', fees TEXT NOT NULL DEFAULT '{}', due_at TEXT
);
CREATE INDEX IF NOT EXISTS accounts_master ON accounts (master, date_started);
CREATE TABLE IF NOT EXISTS persons (
    entity_id INTEGER PRIMARY KEY, account TEXT NOT NULL, external_id TEXT NOT NULL, name TEXT NOT NULL, email TEXT
    NOT NULL,
    date_of_birth TEXT, phones TEXT NOT NULL DEFAULT '[]', residence TEXT NOT NULL DEFAULT '{}', mailing TEXT NOT NULL DEFAULT '{}',
    citizenship TEXT, employment TEXT, marital_status TEXT
);
CREATE TABLE IF NOT EXISTS external_ids (master TEXT NOT NULL, kind TEXT NOT NULL, external_id TEXT NOT NULL, account
TEXT NOT NULL,
    PRIMARY KEY (master, kind, external_id));
CREATE TABLE IF NOT EXISTS traits (account TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY
(account, name));
CREATE TABLE IF NOT EXISTS users (username TEXT PRIMARY KEY, account TEXT NOT NULL, external_id TEXT NOT NULL,
    is_trader INTEGER NOT NULL)
"""

DESCRIPTIONS = {
    "N": "New", "P": "Pending", "O": "Open", "C": "Closed", "A": "Abandoned", "R": "PreClose", "E": "Reopen requested",
    "Q": "Migrated",
}  # fmt: skip


@dataclass(frozen=True)
class Master:
    account: str
    kind: str
    base_currency: str
    title: str
    username: str
    client_id: str
    email: str


@dataclass(frozen=True)
class AccountRow:
    account: str
    master: str
    title: str
    alias: str
    base_currency: str
    status: str  # N P O C A R E Q
    state: str
    date_started: datetime
    date_opened: datetime | None
    date_closed: datetime | None
    external_id: str
    country: str
    email: str
    username: str
    margin: str
    permissions: list[str]
    objectives: list[str]
    fees: dict[str, Any]
    due_at: datetime | None  # when the review moves the account on by itself

    @property
    def description(self) -> str:
        return DESCRIPTIONS.get(self.status, self.status)

    @property
    def is_open(self) -> bool:
        return self.status == "O"


@dataclass(frozen=True)
class Person:
    entity_id: int
    account: str
    external_id: str
    name: dict[str, str]  # first, middle, last, suffix
    email: str
    date_of_birth: str | None
    phones: list[dict[str, Any]]
    residence: dict[str, str]
    mailing: dict[str, str]
    citizenship: str | None
    employment: str | None
    marital_status: str | None

    @property
    def full_name(self) -> str:
        return " ".join(self.name[part] for part in ("first", "middle", "last", "suffix") if self.name.get(part))


def _when(text: str | None) -> datetime | None:
    return None if text is None else moment(text)


def _account(row: sqlite3.Row) -> AccountRow:
    fields: dict[str, Any] = dict(row)
    fields.update({name: loads(fields[name]) for name in ("permissions", "objectives", "fees")})
    fields.update({name: _when(fields[name]) for name in ("date_started", "date_opened", "date_closed", "due_at")})
    return AccountRow(**fields)


def _person(row: sqlite3.Row) -> Person:
    fields: dict[str, Any] = dict(row)
    fields.update({name: loads(fields[name]) for name in ("name", "phones", "residence", "mailing")})
    return Person(**fields)


def _stored(value: Any) -> Any:
    if isinstance(value, datetime):
        return stamp(value)
    return dumps(value) if isinstance(value, dict | list) else value


class Accounts:
    def __init__(self, store: Store) -> None:
        self._store = store

    def masters(self) -> list[Master]:
        return [Master(**dict(row)) for row in self._store.rows("SELECT * FROM masters ORDER BY account")]

    def master(self, account: str) -> Master | None:
        return next((master for master in self.masters() if master.account == account), None)

    def of_master(self, master: str) -> list[AccountRow]:
        return [
            _account(row)
            for row in self._store.rows("SELECT * FROM accounts WHERE master = ? ORDER BY account", master)
        ]

    def get(self, account: str) -> AccountRow | None:
        row = self._store.row("SELECT * FROM accounts WHERE account = ?", account)
        return None if row is None else _account(row)

    def by_username(self, username: str) -> AccountRow | None:
        """The account whose first or further user this is; of several the oldest."""
        row = self._store.row("SELECT * FROM accounts WHERE username = ? ORDER BY date_started LIMIT 1", username)
        if row is not None:
            return _account(row)
        number = self._store.value("SELECT account FROM users WHERE username = ?", username)
        return None if number is None else self.get(str(number))

    def by_external_id(self, master: str, external_id: str) -> AccountRow | None:
        """The account whose application used this external id for its customer, account or holder."""
        account = self._store.value(
            "SELECT account FROM external_ids WHERE master = ? AND external_id = ? ORDER BY kind", master, external_id
        )
        return None if account is None else self.get(account)

    def is_external_id_used(self, master: str, kind: str, external_id: str) -> bool:
        """`kind`: customer, individual, account, user. Ids may repeat across kinds of one application, not across applications."""
        return (
            self._store.row(
                "SELECT 1 FROM external_ids WHERE master = ? AND kind = ? AND external_id = ?",
                master,
                kind,
                external_id,
            )
            is not None
        )

    def claim_external_id(self, master: str, kind: str, external_id: str, account: str) -> None:
        self._store.execute("INSERT INTO external_ids VALUES (?, ?, ?, ?)", master, kind, external_id, account)

    def next_number(self) -> str:
        """The next free account number, `U` and seven digits."""
        highest = self._store.value("SELECT MAX(CAST(SUBSTR(account, 2) AS INTEGER)) FROM accounts") or 1000000
        return f"U{int(highest) + 7:07d}"

    def next_username(self, prefix: str) -> str | None:
        """`prefix` and three digits, or None when all thousand are taken."""
        taken = {
            row["username"]
            for table in ("accounts", "users")
            for row in self._store.rows(f"SELECT username FROM {table} WHERE username LIKE ?", f"{prefix}%")
        }
        return next(
            (name for name in (f"{prefix}{number % 1000:03d}" for number in range(1, 1001)) if name not in taken), None
        )

    def is_username_taken(self, username: str) -> bool:
        return any(
            self._store.row(f"SELECT 1 FROM {table} WHERE username = ?", username) is not None
            for table in ("accounts", "masters", "users")
        )

    def add_user(self, username: str, account: str, external_id: str, *, is_trader: bool) -> None:
        """A further person who may log in to an account."""
        self._store.execute("INSERT INTO users VALUES (?, ?, ?, ?)", username, account, external_id, int(is_trader))

    def person_of(self, username: str, account: str) -> Person | None:
        """Who logs in with this username: a further user's own person, else the first of the account."""
        wanted = self._store.value("SELECT external_id FROM users WHERE username = ?", username)
        everyone = self.persons(account)
        return next((each for each in everyone if each.external_id == wanted), next(iter(everyone), None))

    def username_of(self, person: Person) -> str | None:
        """The login that was made for this further person."""
        found = self._store.value(
            "SELECT username FROM users WHERE account = ? AND external_id = ?", person.account, person.external_id
        )
        return None if found is None else str(found)

    def further_users(self, account: str) -> list[str]:
        rows = self._store.rows("SELECT username FROM users WHERE account = ? ORDER BY username", account)
        return [row["username"] for row in rows]

    def trait(self, account: str, name: str, default: Any = None) -> Any:
        """Something few accounts have: programs, ratings, what an application said. Any JSON value."""
        found = self._store.value("SELECT value FROM traits WHERE account = ? AND name = ?", account, name)
        return default if found is None else loads(found)

    def set_trait(self, account: str, name: str, value: Any) -> None:
        self._store.execute(
            "INSERT INTO traits VALUES (?, ?, ?) ON CONFLICT (account, name) DO UPDATE SET value = excluded.value",
            account, name, dumps(value),
        )  # fmt: skip

    def add_master(self, master: Master) -> None:
        self._store.execute(
            "INSERT INTO masters VALUES (?, ?, ?, ?, ?, ?, ?)",
            master.account, master.kind, master.base_currency, master.title, master.username, master.client_id,
            master.email,
        )  # fmt: skip

    def add(self, **fields: Any) -> None:
        self._insert("accounts", fields)

    def add_person(self, **fields: Any) -> int:
        return self._insert("persons", fields)

    def update(self, account: str, **fields: Any) -> None:
        columns = ", ".join(f"{name} = ?" for name in fields)
        self._store.execute(f"UPDATE accounts SET {columns} WHERE account = ?", *map(_stored, fields.values()), account)

    def update_person(self, entity_id: int, **fields: Any) -> None:
        columns = ", ".join(f"{name} = ?" for name in fields)
        self._store.execute(
            f"UPDATE persons SET {columns} WHERE entity_id = ?", *map(_stored, fields.values()), entity_id
        )

    def persons(self, account: str) -> list[Person]:
        return [
            _person(row)
            for row in self._store.rows("SELECT * FROM persons WHERE account = ? ORDER BY entity_id", account)
        ]

    def due(self, now: datetime) -> list[AccountRow]:
        rows = self._store.rows(
            "SELECT * FROM accounts WHERE due_at IS NOT NULL AND due_at <= ? ORDER BY due_at", stamp(now)
        )
        return [_account(row) for row in rows]

    def _insert(self, table: str, fields: dict[str, Any]) -> int:
        names, marks = ", ".join(fields), ", ".join("?" for _ in fields)
        return self._store.insert(f"INSERT INTO {table} ({names}) VALUES ({marks})", *map(_stored, fields.values()))
