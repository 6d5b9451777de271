"""`/gw/api/v1/echo`: is the line open, the token good, the signature accepted? Nothing is changed by asking."""

from collections.abc import Mapping

from backoffice.ibkr.answers import object_read
from backoffice.ibkr.reading import read_answer
from backoffice.ibkr.requestor import Requestor
from backoffice.ibkr.transport import Effect, Reply
from backoffice.ibkr.types.echo import EchoAnswer


class Echo:
    """IBKR's connectivity self-test, one call for each security policy."""

    def __init__(self, requestor: Requestor) -> None:
        self._requestor = requestor

    def https(self, **query: str) -> EchoAnswer:
        """GET /echo/https: whether the line, the allow-listed address, the token and its scope are accepted.

        `query` comes back in `query_parameters`. Trap: it needs the scope `echo.read`, so 403 may only mean that
        the token was asked for without it.
        """
        return _echo(self._requestor.gateway_get("echo", "https", query=query))

    def signed(self, **claims: object) -> EchoAnswer:
        """POST /echo/signed-jwt: whether a body signed with our key is accepted too.

        `claims` travel beside `iss`, `iat` and `exp`. It changes nothing and is sent again like a read. Traps: it needs
        the scope `echo.write`; a wrong key, a wrong `kid` or a clock that is off shows here and not in `https`.
        """
        body: Mapping[str, object] = claims
        return _echo(self._requestor.gateway_signed("echo", "signed-jwt", claims=body, effect=Effect.READ))


def _echo(reply: Reply) -> EchoAnswer:
    body = object_read(reply)
    stated = body.get("queryParameters")
    return read_answer(EchoAnswer, {**body, "queryParameters": stated if isinstance(stated, dict) else {}}, reply)
