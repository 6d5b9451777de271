"""Encryption of single values, and blind indexes for exact look-up.

A sealed value is `v1.<key id>.<nonce>.<ciphertext>`, AES-256-GCM, bound to where it stands (table, column, row): copied
to another row it does not open. Keys come from FIELD_KEYS; the first encrypts, all decrypt, so a key rotates by putting
a new one in front and running `manage.py reseal`. The blind index has its own key, so neither key opens the other's secrets.
"""

import base64
import hashlib
import hmac
import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings


class Undecipherable(ValueError):
    """The value was sealed for another place, by an unknown key, or was altered."""


@lru_cache(maxsize=4)
def _keys(configured: str) -> dict[str, AESGCM]:
    pairs = (pair.partition(":") for pair in configured.split(","))
    return {key_id: AESGCM(base64.urlsafe_b64decode(secret)) for key_id, _, secret in pairs}


def seal(plain: bytes, place: str) -> str:
    """Encrypt `plain` for one place, e.g. "clients_client|tax_id|<row id>"."""
    key_id, key = next(iter(_keys(settings.FIELD_KEYS).items()))
    nonce = os.urandom(12)
    body = key.encrypt(nonce, plain, place.encode())
    return f"v1.{key_id}.{_text(nonce)}.{_text(body)}"


def unseal(sealed: str, place: str) -> bytes:
    """Decrypt what `seal` made for the same place. Raises Undecipherable."""
    try:
        version, key_id, nonce, body = sealed.split(".")
        if version != "v1":
            raise Undecipherable(f"unknown version {version}")
        return _keys(settings.FIELD_KEYS)[key_id].decrypt(_bytes(nonce), _bytes(body), place.encode())
    except KeyError as error:
        raise Undecipherable(f"key {error} is not among FIELD_KEYS") from error
    except InvalidTag as error:
        raise Undecipherable(f"the value at {place} was altered or belongs elsewhere") from error


def is_current(sealed: str) -> bool:
    """Tell whether a value is sealed with the key that encrypts now."""
    return sealed.startswith(f"v1.{next(iter(_keys(settings.FIELD_KEYS)))}.")


def reseal(sealed: str, place: str) -> str:
    """Return a value sealed anew with the key that encrypts now. Raises Undecipherable."""
    return seal(unseal(sealed, place), place)


def blind_index(value: str) -> str:
    """Return the keyed digest that lets an encrypted value be found by exact match; spacing and case do not count."""
    normal = "".join(value.split()).upper().encode()
    return hmac.new(base64.urlsafe_b64decode(settings.BLIND_INDEX_KEY), normal, hashlib.sha256).hexdigest()


def blind_identifier(value: str) -> str:
    """Return the blind index of an identifier, which people write with its punctuation and without: only letters and digits
    count. "" when it has none.
    """
    plain = "".join(filter(str.isalnum, value))
    return blind_index(plain) if plain else ""


def blind_tail(value: str, length: int = 4) -> str:
    """Return the keyed digest of a value's last letters and digits, by which people find an identifier they may not see.

    So short a text could be guessed by whoever holds the key; without the key it says nothing. "" when it is shorter.
    """
    plain = "".join(filter(str.isalnum, value))
    return blind_index(f"last {length}: {plain[-length:]}") if len(plain) >= length else ""


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
