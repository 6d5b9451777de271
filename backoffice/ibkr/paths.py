"""Identifiers that go into addresses, checked before a path is built from them.

One wrong id is enough: `DELETE .../order/-1` cancels every open order, and a slash or dots would address
another resource. So each kind of id has its own shape, and the finished path is checked once more before it leaves.
"""

import re
from urllib.parse import quote

from backoffice.ibkr.errors import BadIdentifier

_SHAPES = {
    "account": re.compile(r"[A-Z]{1,4}[0-9]{1,12}[A-Z]?"),
    "allocation group": re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_ .&+-]{0,62}[A-Za-z0-9_)])?"),
    "order": re.compile(r"[1-9][0-9]{0,18}"),
    "reply": re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{7,63}"),
    "instrument": re.compile(r"[1-9][0-9]{0,11}"),
    "request": re.compile(r"[1-9][0-9]{0,18}"),
    "external": re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}"),
}
HIGHEST_INSTRUCTION_ID = 9_007_199_254_740_991  # the largest whole number every JSON reader keeps exactly
_SAFE_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))(?!-[0-9]+(?:/|\Z))[A-Za-z0-9._~%-]+)+")
_ESCAPED_STRUCTURE = re.compile(r"%(?:2f|5c|2e|25|00|0a|0d)", re.IGNORECASE)


def account_id(value: str) -> str:
    """Return an account id such as U1234567 unchanged. Raises BadIdentifier (a ValueError) for anything else."""
    return _checked("account", value)


def group_name(value: str) -> str:
    """Return an allocation group's name unchanged; it appears in order paths, so it may hold no slash or dots only."""
    checked = _checked("allocation group", value)
    if ".." in checked:
        raise BadIdentifier(f"{value!r} is not the name of an allocation group.")
    return checked


def order_id(value: str) -> str:
    """Return an IBKR order id. Only positive whole numbers pass: -1 would mean every open order."""
    return _checked("order", value)


def reply_id(value: str) -> str:
    """Return the id of an order question."""
    return _checked("reply", value)


def instrument_id(value: str) -> str:
    """Return a conid."""
    return _checked("instrument", value)


def request_id(value: str) -> str:
    """Return the id of an account management request."""
    return _checked("request", value)


def external_id(value: str) -> str:
    """Return one of our own external ids."""
    return _checked("external", value)


def instruction_id(value: int | str) -> int:
    """Return a clientInstructionId as the whole number IBKR wants, 1 to 2^53 - 1."""
    text = str(value)
    if not re.fullmatch(r"[1-9][0-9]{0,15}", text) or isinstance(value, bool) or int(text) > HIGHEST_INSTRUCTION_ID:
        raise BadIdentifier(f"{value!r} is not an instruction id (a whole number from 1 to {HIGHEST_INSTRUCTION_ID}).")
    return int(text)


def join(*segments: str) -> str:
    """Return the path made of the given segments, each quoted, refusing anything that could change its structure."""
    path = "".join(f"/{quote(segment, safe='')}" for segment in segments)
    require_safe_path(path)
    return path


def require_safe_path(path: str) -> None:
    """Refuse a path with an empty, relative or negative segment, or with an escaped separator. Raises BadIdentifier."""
    if not _SAFE_PATH.fullmatch(path) or _ESCAPED_STRUCTURE.search(path) or ".." in path:
        raise BadIdentifier(f"{path!r} is not an address this client will call.")


def _checked(kind: str, value: object) -> str:
    if not isinstance(value, str) or not _SHAPES[kind].fullmatch(value):
        raise BadIdentifier(
            f"{value!r} is not an {kind} id." if kind[0] in "aeio" else f"{value!r} is not a {kind} id."
        )
    return value
