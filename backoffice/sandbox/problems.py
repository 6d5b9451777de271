"""Refusals as IBKR words them: `application/problem+json`, and the exception that carries one up from anywhere below a handler."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from .jsonio import answer

TITLES = {
    400: "Bad Request", 401: "Unauthorized", 402: "Unauthorized", 403: "Forbidden", 404: "Not found",
    410: "Gone", 413: "Payload Too Large",
    415: "Unsupported Media Type", 422: "Business Error", 429: "Too Many Requests", 500: "Internal Server Error",
    503: "Service Unavailable",
}  # fmt: skip
INCOMPLETE = "Input is not a JSON Object or doesn't contain all expected fields"


class Refusal(Exception):
    """Raised anywhere below a handler to answer at once; `note` goes to the request log only."""

    def __init__(self, response: Response, note: str = "") -> None:
        super().__init__(note)
        self.response = response
        self.note = note


def problem(status: int, detail: str | None = None, *, kind: str = "/simple", **members: Any) -> Response:
    """An `application/problem+json` answer: type, title, status, then `detail` and any further members that are not None."""
    content: dict[str, Any] = {"type": kind, "title": TITLES.get(status, "Error"), "status": status}
    content.update({name: value for name, value in {"detail": detail, **members}.items() if value is not None})
    return answer(content, status, "application/problem+json")


def invalid_arguments(*fields: tuple[str, str], detail: str | None = INCOMPLETE) -> Response:
    """400 with one (field, description) pair per mistake."""
    mistakes = [{"field": name, "description": text} for name, text in fields]
    return problem(400, detail, kind="/invalid-argument", invalidArguments=mistakes)


def require_user_agent(request: Request) -> None:
    """403 as the network edge in front of IBKR answers a request without User-Agent. It is not counted against a limit."""
    if not request.headers.get("user-agent"):
        raise Refusal(
            Response("<html><body><h1>Access Denied</h1></body></html>", 403, media_type="text/html"), "no User-Agent"
        )
