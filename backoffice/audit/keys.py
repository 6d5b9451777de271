"""The keys of the chain: AUDIT_KEYS, `id:key` pairs like FIELD_KEYS. The first seals, all verify.

Left out, one key is derived from BLIND_INDEX_KEY, so that no installation runs with a chain anybody can recompute. The
derived key (id "own") goes on verifying what it sealed after a key of its own was configured. Before BLIND_INDEX_KEY is
changed, `manage.py verify_audit --derived-key` prints it, to be put into AUDIT_KEYS.
"""

import base64
import hmac
from functools import lru_cache

from django.conf import settings

DERIVED = "own"


class UnknownKey(LookupError):
    """A row names a key that is not configured, so nothing can be said about it."""


@lru_cache(maxsize=4)
def _keys(configured: str, blind_index_key: str) -> dict[str, bytes]:
    pairs = (pair.partition(":") for pair in configured.split(",") if pair)
    found = {key_id: base64.urlsafe_b64decode(secret) for key_id, _, secret in pairs}
    found.setdefault(DERIVED, _made_of(blind_index_key))
    return found


def _made_of(blind_index_key: str) -> bytes:
    return hmac.digest(base64.urlsafe_b64decode(blind_index_key), b"audit chain", "sha256")


def derived_pair() -> str:
    """Return the key derived from the present BLIND_INDEX_KEY as AUDIT_KEYS takes it, to be kept before that is changed."""
    return f"{DERIVED}:{base64.urlsafe_b64encode(_made_of(settings.BLIND_INDEX_KEY)).decode()}"


def is_derived() -> bool:
    """Return whether the key "own" is made of BLIND_INDEX_KEY now, and named in AUDIT_KEYS by nobody."""
    return DERIVED not in (pair.partition(":")[0] for pair in settings.AUDIT_KEYS.split(","))


def _all() -> dict[str, bytes]:
    return _keys(settings.AUDIT_KEYS, settings.BLIND_INDEX_KEY)


def current() -> str:
    """Return the id of the key that seals now."""
    return next(iter(_all()))


def sign(purpose: str, message: bytes, key_id: str) -> str:
    """Return the HMAC-SHA-256 of a message in hex; `purpose` keeps an entry's from passing for a seal's. Raises UnknownKey."""
    try:
        key = _all()[key_id]
    except KeyError as error:
        raise UnknownKey(key_id) from error
    return hmac.digest(key, purpose.encode() + b"\0" + message, "sha256").hex()
