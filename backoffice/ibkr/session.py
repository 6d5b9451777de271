"""The trading session: `/sso/validate`, `/iserver/auth/*`, `/iserver/accounts`, `/tickle`, `/logout`.

There is one brokerage session per username across all of IBKR's platforms. Opening it with `compete` ends
another's; whether to do that is the session keeper's decision, never this client's.
"""

from backoffice.ibkr import paths
from backoffice.ibkr.answers import object_read
from backoffice.ibkr.reading import read_answer
from backoffice.ibkr.requestor import Requestor
from backoffice.ibkr.transport import Effect
from backoffice.ibkr.types.session import AuthStatus, BrokerageAccounts, SsoValidation, Tickle


class Session:
    """Opens, watches and closes the brokerage session. Every call here may be repeated without harm."""

    def __init__(self, requestor: Requestor) -> None:
        self._requestor = requestor

    def validate(self) -> SsoValidation:
        """GET /sso/validate: whether the bearer's session is alive. At most once a minute."""
        reply = self._requestor.trading("GET", "sso", "validate", effect=Effect.READ)
        return read_answer(SsoValidation, object_read(reply), reply)

    def init(self, *, compete: bool) -> AuthStatus:
        """POST /iserver/auth/ssodh/init: open the brokerage session.

        Traps: `compete=True` throws out whoever else uses this username; and the answer may come before the session
        is established, so wait for `is_ready`. Raises Unavailable for IBKR's 500 "failed to generate sso dh token".
        """
        reply = self._requestor.trading(
            "POST", "iserver", "auth", "ssodh", "init", effect=Effect.READ, body={"publish": True, "compete": compete}
        )
        return read_answer(AuthStatus, object_read(reply), reply)

    def status(self) -> AuthStatus:
        """POST /iserver/auth/status. A signed-out session answers 200 with everything false."""
        reply = self._requestor.trading("POST", "iserver", "auth", "status", effect=Effect.READ)
        return read_answer(AuthStatus, object_read(reply), reply)

    def accounts(self) -> BrokerageAccounts:
        """GET /iserver/accounts: what can be traded. Required once per brokerage session before orders and market data."""
        reply = self._requestor.trading("GET", "iserver", "accounts", effect=Effect.READ)
        return read_answer(BrokerageAccounts, object_read(reply), reply)

    def select_account(self, account_id: str) -> None:
        """POST /iserver/account: choose the account `orders.status` answers for. Trap: it is global to the session."""
        body = {"acctId": paths.account_id(account_id)}
        object_read(self._requestor.trading("POST", "iserver", "account", effect=Effect.READ, body=body))

    def tickle(self) -> Tickle:
        """POST /tickle: keep the session alive, about once a minute. Trap: it answers 200 for a lost session too; see `auth`."""
        reply = self._requestor.trading("POST", "tickle", effect=Effect.READ)
        return read_answer(Tickle, object_read(reply), reply)

    def logout(self) -> bool:
        """POST /logout: end the whole session. True when IBKR confirms it."""
        reply = self._requestor.trading("POST", "logout", effect=Effect.READ)
        body = object_read(reply)
        return body.get("status") is True or body.get("confirmed") is True
