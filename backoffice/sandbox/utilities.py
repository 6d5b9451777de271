"""Echo, and whether a username may be taken."""

import re

from starlette.responses import Response
from starlette.routing import Route

from .gateway import Call, resource
from .jsonio import answer
from .kernel import Sandbox

SCHEMA = ""
USERNAME = re.compile(r"^(?=(?:.*[a-z]){3})[a-z0-9]{9,63}$")


def routes(sandbox: Sandbox) -> list[Route]:
    return [
        resource(sandbox, "GET", "/echo/https", _echo, "echo.read"),
        resource(sandbox, "POST", "/echo/signed-jwt", _echo_signed, "echo.write", signed=True),
        resource(sandbox, "GET", "/validations/usernames/{username}", _username, "accounts.read", "validations.read"),
    ]


def _echo(call: Call) -> Response:
    return answer(
        {"requestMethod": "GET", "securityPolicy": "HTTPS", "queryParameters": dict(call.request.query_params)}
    )


def _echo_signed(call: Call) -> Response:
    return answer(
        {"requestMethod": "POST", "securityPolicy": "SIGNED_JWT", "queryParameters": dict(call.request.query_params)}
    )


def _username(call: Call) -> Response:
    """`GET /validations/usernames/{username}`: 9 to 63 lower-case letters and digits, three letters at least, not taken."""
    wanted = call.request.path_params["username"]
    is_valid = USERNAME.match(wanted) is not None
    is_available = is_valid and not call.sandbox.accounts.is_username_taken(wanted)
    stem = re.sub(r"[^a-z0-9]", "", wanted.lower())[:50] or "user"
    stem = stem if len(re.findall("[a-z]", stem)) >= 3 else f"user{stem}"
    candidates = (f"{stem}{number:05d}"[-63:] for number in range(1, 100))
    free = [name for name in candidates if USERNAME.match(name) and not call.sandbox.accounts.is_username_taken(name)]
    return answer(
        {
            "isValid": is_valid,
            "isAvailable": is_available,
            "suggestedUserName": [] if is_available else free[:3],
            "hasError": False,
        }
    )
