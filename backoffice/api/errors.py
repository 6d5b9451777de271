"""One shape for every refusal.

{"error": {"code": "invalid", "message": "...", "fields": [{"field": "status", "rule": "...", "fix": "..."}]}}
"""

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from backoffice.core.errors import Conflict, InvalidInput, NotPermitted, Refusal

_NO_REFUSAL = "Something in what was sent is not acceptable; `fields` says what."


class Unprocessable(exceptions.APIException):
    """Understood and not acceptable: 422. `fields` is a list of {"field", "rule", "fix"}."""

    status_code = 422
    default_code = "invalid"
    default_detail = _NO_REFUSAL

    def __init__(self, fields: list[dict[str, str]], detail: str | None = None) -> None:
        super().__init__(detail)
        self.fields = fields


class Moved(exceptions.APIException):
    """It is no longer, or was never, what the caller took it for: 409."""

    status_code = 409
    default_code = "conflict"


class NoDatabase(exceptions.APIException):
    """The database is away, or kept us waiting for too long: 503. Even a commit that broke is whole or not there."""

    status_code = 503
    default_code = "unavailable"
    default_detail = (
        "The database does not answer just now. What this was to write is there whole or not at all; read it before you "
        "repeat it."
    )


def answer(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn what a view raised into the shape above. What is not a refusal is left to Django: 500."""
    error = _as_refusal(error)
    response = exception_handler(error, context)
    if response is None or not isinstance(error, exceptions.APIException):
        return None
    code = error.get_codes()
    response.data = {
        "error": {
            "code": code if isinstance(code, str) else "invalid",
            "message": str(error.detail) if isinstance(code, str) else _NO_REFUSAL,
            "fields": getattr(error, "fields", []),
        }
    }
    return response


def _as_refusal(error: Exception) -> Exception:
    match error:
        case Http404():
            return exceptions.NotFound()
        case PermissionDenied():
            return exceptions.PermissionDenied()
        case InvalidInput():
            return Unprocessable([problem(error.field, error.message, error.fix)], str(error))
        case NotPermitted():
            return exceptions.PermissionDenied(str(error))
        case Conflict():
            return Moved(str(error))
        case Refusal():
            return Unprocessable([], str(error))
        case OperationalError() | InterfaceError():
            return NoDatabase()
        case exceptions.ValidationError():
            return Unprocessable(list(_problems("", error.detail)))
    return error


def problem(field: str, rule: str, fix: str = "") -> dict[str, str]:
    """Describe one field's defect. What the caller typed as a name is cut, for it comes back in the answer."""
    return {"field": field[:100], "rule": rule, "fix": fix}


def _problems(place: str, found: Any) -> Iterator[dict[str, str]]:
    if isinstance(found, dict):
        for name, each in found.items():
            yield from _problems(f"{place}.{name}" if place else str(name), each)
    elif isinstance(found, list):
        for each in found:
            yield from _problems(place, each)
    else:
        yield problem(place, str(found))
