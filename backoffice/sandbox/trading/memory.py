"""What a session has asked before: IBKR answers some questions in full only the second time.

Whatever belongs to the brokerage session is kept under its id and so forgotten with it; the rest is kept under the bearer.
"""

from .desk import Call

SCHEMA = """
CREATE TABLE IF NOT EXISTS trading_asked (owner TEXT NOT NULL, what TEXT NOT NULL, PRIMARY KEY (owner, what))
"""


def note(call: Call, what: str, *, in_session: bool = True) -> bool:
    """Remember the question; True when it had been asked before."""
    known = has(call, what, in_session=in_session)
    if not known:
        call.desk.sandbox.store.execute(
            "INSERT INTO trading_asked VALUES (?, ?)", _owner(call, in_session=in_session), what
        )
    return known


def has(call: Call, what: str, *, in_session: bool = True) -> bool:
    found = call.desk.sandbox.store.row(
        "SELECT 1 FROM trading_asked WHERE owner = ? AND what = ?", _owner(call, in_session=in_session), what
    )
    return found is not None


def _owner(call: Call, *, in_session: bool) -> str:
    return f"session {call.session.session_id}" if in_session else f"bearer {call.session.token}"
