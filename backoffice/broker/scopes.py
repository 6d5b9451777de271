"""Which scopes each lane's token has: the least that its calls need (reliability.md D.3).

The lane that reads statements cannot move money, and neither can a page that a person waits for. Trading calls take the
bearer of the brokerage session, which the session lane signs on for.
"""

from backoffice.broker.models import MasterAccount

SCOPES_OF_LANE: dict[str, tuple[str, ...]] = {
    "accounts": ("accounts.read", "accounts.write"),
    "funding": ("bank-instructions.read", "instructions.read", "transfers.write"),
    "reports": ("statements.read",),
    "trading": ("sso-sessions.write",),
    "interactive": ("sso-browser-sessions.write",),
    "session": ("sso-sessions.write",),
}
SCOPES_OF_TEST = ("accounts.read", "echo.read", "echo.write")
LANES_OF_TRADING = ("session", "trading")


def scopes_of_work(master: MasterAccount) -> tuple[str, ...]:
    """Return the scopes of everything that this connection may be asked to do; without a username nobody trades."""
    lanes = [lane for lane in SCOPES_OF_LANE if master.username or lane not in LANES_OF_TRADING]
    return tuple(sorted({scope for lane in lanes for scope in SCOPES_OF_LANE[lane]}))
