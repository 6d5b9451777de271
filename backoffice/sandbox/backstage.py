"""Routes under `/_sandbox/` that belong to one family: never logged, never struck by faults. A mistake is 400 {"error": text}."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .jsonio import answer, loads
from .kernel import Sandbox


class Mistake(ValueError):
    """What the caller got wrong, in a sentence."""


def backstage(
    sandbox: Sandbox, method: str, path: str, handler: Callable[[Sandbox, Request, dict[str, Any]], Any]
) -> Route:
    """A control route; `handler` gets the JSON object of the body ({} without one) and returns what is answered."""

    async def endpoint(request: Request) -> Response:
        raw = await request.body()
        try:
            body = loads(raw) if raw else {}
        except ValueError:
            return answer({"error": "the body is not JSON"}, 400)
        if not isinstance(body, dict):
            return answer({"error": "the body must be a JSON object"}, 400)
        try:
            return answer(handler(sandbox, request, body))
        except Mistake as mistake:
            return answer({"error": str(mistake)}, 400)

    return Route(f"/_sandbox{path}", endpoint, methods=[method])
