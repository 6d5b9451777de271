"""The strictness of the account management payloads: unknown members, wrong kinds and unlisted values are refused.

`data/payloads.json` lists every member, kind and accepted value. A `null` counts as an absent member here.
"""

from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from .jsonio import loads

NATIVE = "nativeName"
# Members whose bad values have their own text in the business rules.
JUDGED_BY_RULES = frozenset({"baseCurrency", "proofOfIdentityType", "proofOfAddressType"})
KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,), "boolean": (bool,), "integer": (int,), "number": (int, Decimal), "object": (dict,),
}  # fmt: skip


@cache
def _types() -> dict[str, dict[str, Any]]:
    facts: dict[str, Any] = loads((Path(__file__).parent / "data" / "payloads.json").read_text(encoding="utf-8"))
    types: dict[str, dict[str, Any]] = facts["types"]
    return types


def unrecognized(name: str) -> str:
    return f"Unrecognized property:'{name}'"


def unsupported(name: str, value: Any) -> str:
    return f"Unsupported value. Property:'{name}', value:'{value}'"


def mistakes(type_name: str, value: dict[str, Any]) -> list[str]:
    """Every violation in an object of the named type, in IBKR's words, outermost first."""
    found: list[str] = []
    _check_object(type_name, value, found)
    return found


def without_nulls(value: Any) -> Any:
    """The same document with every null member dropped."""
    if isinstance(value, dict):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def is_ascii(value: Any) -> bool:
    """Whether every text in the document is ASCII; `nativeName` may be in its own script, for some must give it so."""
    if isinstance(value, dict):
        return all(name.isascii() and (name == NATIVE or is_ascii(item)) for name, item in value.items())
    if isinstance(value, list):
        return all(is_ascii(item) for item in value)
    return not isinstance(value, str) or value.isascii()


def nulls(value: Any, path: str = "") -> list[str]:
    """The path of every null member, such as `instruction.amount`."""
    if value is None:
        return [path]
    if isinstance(value, dict):
        return [found for name, item in value.items() for found in nulls(item, f"{path}.{name}" if path else name)]
    return [found for item in value for found in nulls(item, path)] if isinstance(value, list) else []


def _check_object(type_name: str, value: dict[str, Any], found: list[str]) -> None:
    members = _types()[type_name]
    for name, item in value.items():
        if name not in members:
            found.append(unrecognized(name))
        elif item is not None:
            _check(name, members[name], item, found)


def _check(name: str, spec: Any, value: Any, found: list[str]) -> None:
    if isinstance(spec, str):
        kinds = KINDS.get(spec)
        if kinds and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
            found.append(unsupported(name, value))
        elif value == "":
            found.append("String index out of range: 0")
    elif "enum" in spec:
        if isinstance(value, list | dict) or (value not in spec["enum"] and name not in JUDGED_BY_RULES):
            found.append(unsupported(name, value))
    elif "list" in spec:
        if not isinstance(value, list):
            found.append(unsupported(name, value))
        else:
            for item in value:
                _check(name, spec["list"], item, found)
    elif not isinstance(value, dict):
        found.append(unsupported(name, value))
    else:
        _check_object(spec["ref"], value, found)
