"""What a session has asked before: IBKR answers some questions in full only the second time.

Whatever belongs to the brokerage session is kept under its id and so forgotten with it; the rest is kept under the bearer.
"""

from typing import Protocol

from .desk import Desk
from .sessions import Session

SCHEMA = """
CREATE TABLE IF NOT EXISTS trading_asked (owner TEXT NOT NULL, what TEXT NOT NULL, PRIMARY KEY (owner, what))
"""
FILTERED_ORDERS = "filtered orders"  # silences the stream's orders


class Asker(Protocol):
    """Whoever asks in a session: a request or a stream."""

    @property
    def desk(self) -> Desk: ...

    @property
    def session(self) -> Session: ...


def note(call: Asker, what: str, *, in_session: bool = True) -> bool:
    """Remember the question; True when it had been asked before."""
    known = has(call, what, in_session=in_session)
    if not known:
        call.desk.sandbox.store.execute(
            "INSERT INTO trading_asked VALUES (?, ?)", _owner(call, in_session=in_session), what
        )
    return known


def has(call: Asker, what: str, *, in_session: bool = True) -> bool:
    found = call.desk.sandbox.store.row(
        "SELECT 1 FROM trading_asked WHERE owner = ? AND what = ?", _owner(call, in_session=in_session), what
    )
    return found is not None


def forget(call: Asker, what: str) -> None:
    """Take back what was noted in this session."""
    call.desk.sandbox.store.execute(
        "DELETE FROM trading_asked WHERE owner = ? AND what = ?", _owner(call, in_session=True), what
    )


def _owner(call: Asker, *, in_session: bool) -> str:
    return f"session {call.session.session_id}" if in_session else f"bearer {call.session.token}"
