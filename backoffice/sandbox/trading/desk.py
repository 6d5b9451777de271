"""What every trading route shares: who calls, what must have been done before, and how a refusal looks."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from backoffice.sandbox import limits, sso
from backoffice.sandbox.accounts import AccountRow
from backoffice.sandbox.jsonio import answer, loads
from backoffice.sandbox.kernel import Sandbox

from . import sessions
from .sessions import Session

ROOT = "/v1/api"


class Refusal(Exception):
    """An answer that ends the request early; nothing has been changed when it is raised."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(str(body))
        self.status = status
        self.body = body


def bad_request(what: str) -> Refusal:
    return Refusal(400, {"error": f"Bad Request: {what}", "statusCode": 400})


class Needs(IntEnum):
    """How far the session chain must have come before a route answers."""

    BEARER = 0  # the single sign-on bearer alone
    PORTFOLIO = 1  # and GET /portfolio/accounts or /portfolio/subaccounts once
    SESSION = 2  # the brokerage session, established
    ACCOUNTS = 3  # and GET /iserver/accounts once in it


@dataclass
class Desk:
    """The sandbox as the trading side sees it."""

    sandbox: Sandbox

    def knob(self, key: str, default: Any) -> Any:
        return self.sandbox.config.get(key, default)

    def open_accounts(self, master: str) -> list[AccountRow]:
        return [account for account in self.sandbox.accounts.of_master(master) if account.is_open]


@dataclass
class Call:
    """One request of a trading session's user, with its body read."""

    desk: Desk
    request: Request
    session: Session
    body: bytes

    @property
    def master(self) -> str:
        return self.session.master

    def path(self, name: str) -> str:
        return str(self.request.path_params[name])

    def query(self, name: str, default: str = "") -> str:
        return self.request.query_params.get(name, default)

    def json(self) -> dict[str, Any]:
        """Return the body as an object; `{}` when there is none. Refuses what is not JSON or no object."""
        found = self.any_json()
        if not isinstance(found, dict):
            raise bad_request("request body must be a JSON object")
        return found

    def any_json(self) -> Any:
        if not self.body.strip():
            return {}
        try:
            return loads(self.body)
        except ValueError as problem:
            raise bad_request("request body is not valid JSON") from problem

    def account(self, account: str) -> AccountRow:
        """Return an account of this user's master that has been opened, or refuse."""
        found = self.desk.sandbox.accounts.get(account)
        if found is None or found.master != self.master or found.status not in ("O", "C"):
            raise bad_request(f"accountId is not valid: {account}")
        return found


Handle = Callable[[Call], Any]


def route(desk: Desk, methods: str, path: str, handle: Handle, needs: Needs = Needs.BEARER) -> Route:
    """Serve `path` below /v1/api. `handle` returns a JSON value or a Response and may raise Refusal."""

    async def serve(request: Request) -> Response:
        body = await request.body()
        bearer = sso.trading_bearer(desk.sandbox, request)
        if isinstance(bearer, Response):
            return bearer
        try:
            if (sentence := limits.too_large(path, dict(request.query_params))) is not None:
                raise bad_request(sentence)
            token = request.headers["authorization"].split(None, 1)[1]
            session = sessions.of(desk.sandbox, token, bearer.username, bearer.master)
            require(session, needs)
            result = handle(Call(desk, request, session, body))
        except Refusal as refusal:
            return answer(refusal.body, refusal.status)
        return result if isinstance(result, Response) else answer(result)

    return Route(ROOT + path, serve, methods=methods.split("|"))


def require(session: Session, needs: Needs) -> None:
    if needs is Needs.PORTFOLIO and not session.has_portfolio:
        raise bad_request("Please query /portfolio/subaccounts first")
    if needs < Needs.SESSION:
        return
    if session.state in ("lost", "taken"):
        raise Refusal(401, {"error": "not authenticated", "statusCode": 401})
    if session.state == "none":
        raise Refusal(400, {"error": "Init session first", "statusCode": 400})
    if not session.is_established:
        raise bad_request("no bridge")
    if needs is Needs.ACCOUNTS and not session.has_accounts:
        raise bad_request("Please query /accounts first")
