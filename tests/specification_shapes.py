"""What a schema can see of a request or an answer: names, types, enumerated values, lengths. One verdict for each shape."""

import json
import re
from bisect import bisect
from datetime import date
from functools import lru_cache
from typing import Any

import jwt

from tests.specification_patches import Document, schemas

ENVELOPE = ("iss", "iat", "exp")  # of the signature, not of the request


def claims_of(body: bytes) -> Any:
    """The claims of a signed body without its envelope; the signature has been verified before."""
    claims = jwt.decode(body.decode("ascii"), options={"verify_signature": False})
    return {name: value for name, value in claims.items() if name not in ENVELOPE}


class Shapes:
    """What a schema can see of a value: two bodies of one shape get one verdict."""

    def __init__(self, document: Document) -> None:
        everything = list(schemas(document))
        self._enumerated = {
            value
            for each in everything
            if isinstance(each.get("enum"), list)
            for value in each["enum"]
            if isinstance(value, str)
        }
        self._lengths = self._thresholds(everything, ("minLength", "maxLength"))
        self._counts = self._thresholds(everything, ("minItems", "maxItems"))
        self._sizes = self._thresholds(everything, ("minimum", "maximum"))

    @staticmethod
    def _thresholds(everything: list[dict[str, Any]], names: tuple[str, str]) -> list[float]:
        low = {each[names[0]] for each in everything if isinstance(each.get(names[0]), int | float)}
        high = {each[names[1]] for each in everything if isinstance(each.get(names[1]), int | float)}
        return sorted({value - 0.5 for value in low} | {value + 0.5 for value in high})

    def of_bytes(self, body: bytes, content_type: str) -> Any:
        try:
            if content_type.startswith("application/jwt"):
                return self.of(claims_of(body))
            if "json" in content_type:
                return self.of(json.loads(body))
        except (ValueError, jwt.InvalidTokenError):
            return body
        return body if len(body) < 5000 else len(body)

    def of(self, value: Any) -> Any:
        match value:
            case dict():
                return frozenset((name, self.of(below)) for name, below in value.items())
            case list():
                is_unique = all(isinstance(each, str) for each in value) and len(set(value)) == len(value)
                return "[", bisect(self._counts, len(value)), is_unique, frozenset(map(self.of, value))
            case str():
                if value in self._enumerated:
                    return value
                return "s", bisect(self._lengths, len(value)), _looks_like(value)
            case bool() | None:
                return value
            case _:
                is_whole = isinstance(value, int) or float(value).is_integer()
                return (
                    "i" if is_whole else "n",
                    bisect(self._sizes, value),
                    abs(value) < 2**63,
                    value in (-1, 0, 1) and value,
                )


@lru_cache(maxsize=4096)
def _looks_like(text: str) -> str:
    """The format a text has, as far as a schema asks for one."""
    if not text[:4].isdigit():
        return "uri" if "://" in text else ""
    try:
        date.fromisoformat(text[:10])
    except ValueError:
        return "digits"
    return "date" if len(text) == 10 else re.sub(r"\d", "0", text)
