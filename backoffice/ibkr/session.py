"""The trading session: `/sso/validate`, `/iserver/auth/*`, `/iserver/accounts`, dynamic accounts, `/tickle`, `/logout`.

There is one brokerage session per username across all of IBKR's platforms. Opening it with `compete` ends
another's; whether to do that is the session keeper's decision, never this client's.
"""

import re
from typing import NoReturn

from backoffice.ibkr import paths
from backoffice.ibkr.answers import object_read, problem_in, readable_or_none, refused_access, rejected
from backoffice.ibkr.errors import Rejected, SessionNotReady, Unavailable, Unsendable
from backoffice.ibkr.reading import read_answer
from backoffice.ibkr.requestor import Requestor
from backoffice.ibkr.transport import Effect, Reply
from backoffice.ibkr.types.session import AccountSearch, AuthStatus, BrokerageAccounts, SsoValidation, Tickle

_PATTERN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 _-]{0,38}[A-Za-z0-9])?")
_WRONG_ACCOUNT = re.compile(r"invalid account|not valid", re.IGNORECASE)
_EXPIRED = re.compile(r"expired|access token", re.IGNORECASE)
NO_DYNAMIC_ACCOUNTS = "DYNACCT"  # the code of the Rejected for a username that has none


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
        return _status_of(reply)

    def status(self) -> AuthStatus:
        """POST /iserver/auth/status: whether the brokerage session can be traded with.

        A signed-out session answers 200 with everything false. Trap: around the nightly reset the answer may be "no
        bridge" or "not authenticated" under any HTTP status; those are a signed-out status too (`message` says which),
        while AuthFailed means that the bearer itself is dead, and Unavailable that IBKR did not answer.
        """
        reply = self._requestor.trading("POST", "iserver", "auth", "status", effect=Effect.READ)
        try:
            return _status_of(reply)
        except SessionNotReady as signed_out:
            return read_answer(AuthStatus, {"message": signed_out.reason}, reply)

    def accounts(self) -> BrokerageAccounts:
        """GET /iserver/accounts: what can be traded. Required once per brokerage session before orders and market data."""
        reply = self._requestor.trading("GET", "iserver", "accounts", effect=Effect.READ)
        return read_answer(BrokerageAccounts, object_read(reply), reply)

    def select_account(self, account_id: str) -> None:
        """POST /iserver/account: choose the account `orders.status` answers for. Trap: it is global to the session.

        Choosing the chosen one again is no error. Raises Rejected for an account that is not this session's.
        """
        account = paths.account_id(account_id)
        reply = self._requestor.trading("POST", "iserver", "account", effect=Effect.READ, body={"acctId": account})
        self._require_set(account, reply)

    def search_accounts(self, pattern: str) -> AccountSearch:
        """GET /iserver/account/search/{pattern}: accounts of a broker with dynamic accounts, by part of id or alias.

        Trap: other usernames get 503 or 401 for ever; that is a Rejected with code `NO_DYNAMIC_ACCOUNTS`, not asked again.
        """
        if not _PATTERN.fullmatch(pattern):
            raise Unsendable(
                f"{pattern!r} is not something to search accounts by: letters, digits, spaces and hyphens."
            )
        reply = self._requestor.trading("GET", "iserver", "account", "search", pattern, effect=Effect.READ_ONCE)
        _refuse_without_dynamic_accounts(reply)
        return read_answer(AccountSearch, object_read(reply), reply)

    def select_dynamic_account(self, account_id: str) -> None:
        """POST /iserver/dynaccount: choose a dynamic account for the session. Traps: those of the two calls above."""
        account = paths.account_id(account_id)
        reply = self._requestor.trading(
            "POST", "iserver", "dynaccount", effect=Effect.READ_ONCE, body={"acctId": account}
        )
        _refuse_without_dynamic_accounts(reply)
        self._require_set(account, reply)

    def tickle(self) -> Tickle:
        """POST /tickle: keep the session alive, about once a minute.

        Traps: it answers 200 for a lost session too (see `auth`), and may say "failed to process request" at 200 (`error`).
        """
        reply = self._requestor.trading("POST", "tickle", effect=Effect.READ)
        body = readable_or_none(reply)
        if reply.status == 200 and isinstance(body, dict) and isinstance(body.get("error"), str):
            return read_answer(Tickle, body, reply)
        return read_answer(Tickle, object_read(reply), reply)

    def logout(self) -> bool:
        """POST /logout: end the whole session. True when IBKR confirms it."""
        reply = self._requestor.trading("POST", "logout", effect=Effect.READ)
        body = object_read(reply)
        return body.get("status") is True or body.get("confirmed") is True

    def _require_set(self, account: str, reply: Reply) -> None:
        body = readable_or_none(reply)
        problem = problem_in(body)
        if reply.status == 500 and problem is not None and _WRONG_ACCOUNT.search(problem.text):
            raise rejected(problem, reply)
        chosen = object_read(reply)
        if chosen.get("acctId", account) != account or chosen.get("set") is False:
            raise Unavailable("IBKR did not select the account.", status=reply.status, exchange=reply.exchange)


def _status_of(reply: Reply) -> AuthStatus:
    body = readable_or_none(reply)
    if reply.status == 200 and isinstance(body, dict) and "authenticated" in body:
        return read_answer(AuthStatus, body, reply)  # whatever `fail` says, the truth values are the answer
    return read_answer(AuthStatus, object_read(reply), reply)


def _refuse_without_dynamic_accounts(reply: Reply) -> None:
    problem = problem_in(readable_or_none(reply))
    said = problem.text if problem else ""
    if reply.status == 503 and "details currently unavailable" in said.lower():
        _no_dynamic_accounts(reply)
    if reply.status == 401:
        if problem is not None and (problem.means_session_not_ready or _EXPIRED.search(said)):
            error = refused_access(reply, readable_or_none(reply))
            if error is not None:
                raise error
        _no_dynamic_accounts(reply)


def _no_dynamic_accounts(reply: Reply) -> NoReturn:
    raise Rejected(
        "This username has no dynamic accounts (IBKR's DYNACCT property); asking again changes nothing.",
        status=reply.status,
        code=NO_DYNAMIC_ACCOUNTS,
        exchange=reply.exchange,
    )
