"""JSON in and out without floats: numbers are read as `int` or `Decimal` and written without an exponent."""

import json
from decimal import Decimal
from typing import Any

from starlette.responses import Response


class DuplicateMember(ValueError):
    """An object names the same member twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise DuplicateMember("an object names the same member twice")
    return members


def loads(text: str | bytes) -> Any:
    """Parse JSON; raises `ValueError` on anything that is not JSON, and on a member named twice."""
    return json.loads(text, parse_float=Decimal, object_pairs_hook=_object)


def dumps(value: Any) -> str:
    """Write JSON in ASCII; a `Decimal` becomes a plain number."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(str(key))}:{dumps(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(dumps(item) for item in value) + "]"
    if isinstance(value, Decimal):
        return format(value, "f")
    return json.dumps(value)


def answer(content: Any, status: int = 200, media_type: str = "application/json") -> Response:
    return Response(dumps(content), status_code=status, media_type=media_type)
