"""The brokerage session: one per username, in the state that its bearer last left it in.

    none    never initialised with this bearer
    held    ours; established a moment after it began
    taken   another session of the same username took it over
    lost    ended by idleness, by IBKR's nightly reset, or with its sign-on at midnight

Everything a session has primed is forgotten when it ends.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from backoffice.sandbox import sso, windows
from backoffice.sandbox.clock import moment, stamp
from backoffice.sandbox.kernel import Sandbox

KEPT_EVERY = timedelta(seconds=30)
_PRIMED = ("has_accounts", "has_orders", "has_trades")


@dataclass(frozen=True, slots=True)
class Session:
    token: str
    username: str
    master: str
    session_id: str
    state: str
    selected: str
    is_established: bool
    has_accounts: bool
    has_orders: bool
    has_trades: bool
    has_portfolio: bool


def of(sandbox: Sandbox, token: str, username: str, master: str) -> Session:
    """Return the session of this bearer as it stands now; asking counts as activity."""
    expire_idle(sandbox, username)
    now = sandbox.clock.now()
    kept = sandbox.store.value("SELECT last_seen FROM trading_sessions WHERE token = ?", token)
    if kept is None:
        sandbox.store.execute(
            "INSERT INTO trading_sessions (token, username, master, session_id, state, ready_at, last_seen, selected)"
            " VALUES (?, ?, ?, '', 'none', '', ?, '')",
            token,
            username,
            master,
            stamp(now),
        )
    elif now - moment(kept) > KEPT_EVERY:
        sandbox.store.execute("UPDATE trading_sessions SET last_seen = ? WHERE token = ?", stamp(now), token)
    sandbox.last_seen[token] = now  # in memory, so that a read that changes nothing writes nothing
    return _read(sandbox, token)


def peek(sandbox: Sandbox, token: str) -> Session | None:
    """Return the session of this bearer as it stands now, without counting as activity; None when there is none."""
    known = sandbox.store.row("SELECT username FROM trading_sessions WHERE token = ?", token)
    if known is None:
        return None
    expire_idle(sandbox, known["username"])
    return _read(sandbox, token)


def _read(sandbox: Sandbox, token: str) -> Session:
    row = sandbox.store.row("SELECT * FROM trading_sessions WHERE token = ?", token)
    if row is None:
        raise LookupError(token)
    is_held = row["state"] == "held"
    return Session(
        token=row["token"],
        username=row["username"],
        master=row["master"],
        session_id=row["session_id"],
        state=row["state"],
        selected=row["selected"],
        is_established=is_held and moment(row["ready_at"]) <= sandbox.clock.now(),
        has_accounts=bool(row["has_accounts"]),
        has_orders=bool(row["has_orders"]),
        has_trades=bool(row["has_trades"]),
        has_portfolio=bool(row["has_portfolio"]),
    )


def expire_idle(sandbox: Sandbox, username: str) -> None:
    idle = timedelta(seconds=int(sandbox.config.get("session_idle_seconds", 360)))
    rows = sandbox.store.rows(
        "SELECT token, last_seen FROM trading_sessions WHERE username = ? AND state = 'held'", username
    )
    reset = (
        windows.last_reset(sandbox, sandbox.clock.now()) if sandbox.config.get("enforce_maintenance", True) else None
    )
    for row in rows:
        seen = max(moment(row["last_seen"]), sandbox.last_seen.get(row["token"], moment(row["last_seen"])))
        if sandbox.clock.now() - seen > idle or (reset is not None and seen < reset):
            _end(sandbox, row["token"], "lost")


def end_at_midnight(sandbox: Sandbox) -> None:
    """End yesterday's sign-ons, and the brokerage sessions that they held."""
    for token in sso.before_midnight(sandbox):
        _end(sandbox, token, "lost")
        sso.revoke(sandbox, token)


def begin(sandbox: Sandbox, session: Session, *, compete: bool) -> tuple[Session, bool]:
    """Begin the brokerage session, or keep the one held; (session, False) when another has it and we do not compete.

    Whoever merely asks for a session that we hold goes on asking until somebody competes.
    """
    if session.state == "held":
        if compete:
            sandbox.store.execute("DELETE FROM trading_elsewhere WHERE username = ?", session.username)
        return session, True
    others = sandbox.store.rows(
        "SELECT token FROM trading_sessions WHERE username = ? AND state = 'held' AND token <> ?",
        session.username,
        session.token,
    )
    elsewhere = sandbox.store.row("SELECT 1 FROM trading_elsewhere WHERE username = ?", session.username)
    if (others or elsewhere) and not compete:
        return session, False
    for row in others:
        _end(sandbox, row["token"], "taken")
    sandbox.store.execute("DELETE FROM trading_elsewhere WHERE username = ?", session.username)
    cold = timedelta(milliseconds=int(sandbox.config.get("session_cold_milliseconds", 1000)))
    opened = [account.account for account in sandbox.accounts.of_master(session.master) if account.is_open]
    sandbox.store.execute(
        "UPDATE trading_sessions SET state = 'held', session_id = ?, ready_at = ?, selected = ? WHERE token = ?",
        secrets.token_hex(16),
        stamp(sandbox.clock.now() + cold),
        opened[0] if opened else session.master,
        session.token,
    )
    return _read(sandbox, session.token), True


def remember(sandbox: Sandbox, session: Session, what: str, value: bool | str = True) -> None:
    """Note what the session has primed (has_accounts, ...) or selected."""
    if what not in (*_PRIMED, "has_portfolio", "selected"):
        raise ValueError(what)
    stored = value if isinstance(value, str) else int(value)
    sandbox.store.execute(f"UPDATE trading_sessions SET {what} = ? WHERE token = ?", stored, session.token)


def steal(sandbox: Sandbox, username: str) -> None:
    """Let the same username log in elsewhere, as a person opening Trader Workstation would."""
    _end_all(sandbox, username, "taken")
    sandbox.store.execute("INSERT OR IGNORE INTO trading_elsewhere VALUES (?)", username)


def compete(sandbox: Sandbox, username: str) -> None:
    """Let the same username ask for the session elsewhere without taking it: the status says so."""
    sandbox.store.execute("INSERT OR IGNORE INTO trading_elsewhere VALUES (?)", username)


def is_wanted_elsewhere(sandbox: Sandbox, username: str) -> bool:
    return sandbox.store.row("SELECT 1 FROM trading_elsewhere WHERE username = ?", username) is not None


def reset(sandbox: Sandbox, username: str) -> None:
    """End the brokerage session as IBKR's nightly reset does; the bearer stays good."""
    _end_all(sandbox, username, "lost")
    sandbox.store.execute("DELETE FROM trading_elsewhere WHERE username = ?", username)


def logout(sandbox: Sandbox, username: str, token: str | None = None) -> None:
    """End sign-on and brokerage session of one bearer, or of all of the username."""
    which, value = ("username", username) if token is None else ("token", token)
    sandbox.store.execute(f"INSERT OR IGNORE INTO sso_ended SELECT token FROM sso_bearers WHERE {which} = ?", value)
    for table in ("trading_sessions", "sso_bearers"):
        if token is None:
            sandbox.store.execute(f"DELETE FROM {table} WHERE username = ?", username)
        else:
            sandbox.store.execute(f"DELETE FROM {table} WHERE token = ?", token)
    if token is None:
        sandbox.store.execute("DELETE FROM trading_elsewhere WHERE username = ?", username)


def _end_all(sandbox: Sandbox, username: str, state: str) -> None:
    for row in sandbox.store.rows("SELECT token FROM trading_sessions WHERE username = ? AND state = 'held'", username):
        _end(sandbox, row["token"], state)


def _end(sandbox: Sandbox, token: str, state: str) -> None:
    forgotten = ", ".join(f"{what} = 0" for what in _PRIMED)
    sandbox.store.execute(
        f"UPDATE trading_sessions SET state = ?, selected = '', {forgotten} WHERE token = ?", state, token
    )
    sandbox.store.execute("DELETE FROM trading_streams WHERE token = ?", token)


def status(session: Session, *, is_competing: bool = False) -> dict[str, Any]:
    """The body of auth status; a session that is out shows the short form."""
    mac = ":".join(f"{byte:02X}" for byte in hashlib.blake2b(session.username.encode(), digest_size=6).digest())
    if session.state != "held":
        is_competing = is_competing or session.state == "taken"
        return {"authenticated": False, "competing": is_competing, "connected": is_competing, "MAC": mac}
    return {
        "authenticated": True,
        "established": session.is_established,
        "competing": is_competing,
        "connected": True,
        "message": "",
        "MAC": mac,
        "serverInfo": {"serverName": "SandboxServer", "serverVersion": "Build 10.42.0c, Sep 14, 2026 11:02:17 AM"},
        "hardware_info": f"{mac.replace(':', '').lower()[:8]}|{mac}",
        "fail": "",
    }


def websocket_cookie(token: str) -> str:
    """The session that /tickle shows for a bearer: the value of the websocket's cookie `api`."""
    return hashlib.blake2b(token.encode(), digest_size=16).hexdigest()


def user_id(username: str) -> int:
    return int.from_bytes(hashlib.blake2b(username.encode(), digest_size=4).digest(), "big") % 90_000_000 + 10_000_000


def milliseconds(when: datetime) -> int:
    return int(when.timestamp() * 1000)
