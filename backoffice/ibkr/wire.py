"""JSON as IBKR must get it and as we let ourselves believe it.

Out: ASCII only, Decimals as plain numbers without exponent, no nulls (IBKR refuses them).
In: numbers as Decimal, no duplicate keys, no NaN; anything else is unreadable.
"""

import json
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NoReturn, TypeAlias

from backoffice.ibkr.errors import Unsendable

Json: TypeAlias = "None | bool | int | Decimal | str | list[Json] | dict[str, Json]"


class Unreadable(ValueError):
    """The bytes are not the JSON we can trust."""


def encode(value: object) -> str:
    """Return `value` as compact ASCII JSON.

    Mappings drop their null members. Raises Unsendable for a null anywhere else, a binary floating point
    number, a NaN or infinite Decimal, and any type IBKR has no form for.
    """
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case Decimal():
            if not value.is_finite():
                raise Unsendable("A number to be sent is not finite.")
            return format(value, "f")
        case str():
            return json.dumps(str(value), ensure_ascii=True)
        case datetime():
            raise Unsendable("A point in time must be written in the form its field asks for before it is sent.")
        case date():
            return f'"{value.isoformat()}"'
        case Mapping():
            members = (f"{encode(str(key))}:{encode(member)}" for key, member in value.items() if member is not None)
            return "{" + ",".join(members) + "}"
        case list() | tuple():
            return "[" + ",".join(encode(item) for item in value) + "]"
    raise Unsendable(f"A value of type {type(value).__name__} cannot be sent to IBKR.")


_BLANKS_BEFORE_A_COLON = (b" :", b"\t:", b"\n:", b"\r:")


def decode(body: bytes) -> Json:
    """Return the JSON value in `body`. Raises Unreadable for anything that is not exactly one such value.

    A long answer has thousands of members, and looking at each name in Python costs more than reading them. So they are
    counted: as many members kept as names written means that none was dropped. Each name has a colon, so as many members
    as colons will do. Where texts have colons too, a quote and a colon stand together after a name only, as long as
    nothing is escaped and no blank comes between. Wherever the numbers differ, every name is compared.
    """
    try:
        text = body.decode("utf-8")
        if b"\\" not in body:
            counted = _Counted()
            value: Json = _loads(text, object_hook=counted.object_hook)
            if counted.members == body.count(b":"):  # three times as quick as counting two characters
                return value
            if counted.members == body.count(b'":') and not any(blank in body for blank in _BLANKS_BEFORE_A_COLON):
                return value
        return _loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError, ArithmeticError) as problem:  # the last for an exponent beyond Decimal's own
        raise Unreadable(str(problem)) from problem


def _loads(text: str, **hooks: Any) -> Json:
    value: Json = json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant, **hooks)
    return value


class _Counted:
    """How many members the objects of one text have together."""

    __slots__ = ("members",)

    def __init__(self) -> None:
        self.members = 0

    def object_hook(self, found: dict[str, Json]) -> dict[str, Json]:
        self.members += len(found)
        return found


def _refuse_constant(name: str) -> NoReturn:
    raise Unreadable(f"{name} is not a number")


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Unreadable(f"the member {twice!r} appears twice")
    return members
