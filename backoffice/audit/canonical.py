"""The one text of an entry that its mac is made over, and what a seal and an anchor are made over.

An entry's canonical form is JSON in ASCII without spaces, keys sorted: the list [version, id, at, actor, action,
subject model, subject id, summary, address, correlation, before, after, data], where `at` is microseconds since 1970
(UTC), `actor` the person's id or null, `address` the packed IP address in hex or null. `data` holds text, whole numbers,
booleans, null, lists and objects with text keys, so that the database gives back exactly what it was given.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from backoffice.audit import keys

VERSION = 1
GENESIS = "0" * 64
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_encode = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode


@dataclass(slots=True)
class Content:
    """What an entry says, in the order of its canonical form; `data` is its JSON text as the database or we wrote it."""

    id: int
    at: int
    actor: str | None
    action: str
    subject_model: str
    subject_id: str
    summary: str
    address: str | None
    correlation: str
    before: str
    after: str
    data: str


def microseconds(at: datetime) -> int:
    """Return an aware instant as whole microseconds since 1970."""
    return (at - EPOCH) // _MICROSECOND


@lru_cache(maxsize=10_000)
def _packed(address: str) -> str:
    return ip_address(address).packed.hex()


def require_plain(value: Any) -> None:
    """Raise TypeError for what JSON in a database may give back in another form: binary fractions, dates, sets."""
    if isinstance(value, dict):
        for name, item in value.items():
            if not isinstance(name, str):
                raise TypeError(f"an audit entry's data has a key that is not text: {name!r}")
            require_plain(item)
    elif isinstance(value, list):
        for item in value:
            require_plain(item)
    elif value is not None and not isinstance(value, str | int):
        raise TypeError(
            f"an audit entry's data holds {type(value).__name__}; give text, whole numbers, lists or objects"
        )


def mac(content: Content, key_id: str) -> str:
    """Return the mac of an entry in hex. Raises UnknownKey."""
    text = _encode(
        [
            VERSION, content.id, content.at, content.actor, content.action, content.subject_model, content.subject_id,
            content.summary, None if content.address is None else _packed(content.address), content.correlation,
            content.before, content.after, {} if content.data == "{}" else json.loads(content.data),
        ]
    )  # fmt: skip
    return keys.sign("entry", text.encode(), key_id)


def seal(position: int, previous: str, entry_id: int, entry_mac: str, key_id: str) -> str:
    """Return the seal of the entry at one position of the chain, given the seal before it. Raises UnknownKey."""
    return keys.sign("seal", f"{position}|{previous}|{entry_id}|{entry_mac}".encode(), key_id)
