"""Access tokens, kept encrypted in the database and shared by all processes of the installation."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import connection

from backoffice.broker.models import AccessToken, MasterAccount
from backoffice.core import clock
from backoffice.ibkr.types.oauth import AccessToken as FreshToken

FRESH_SHARE = 80  # per cent of a token's life after which the next caller refreshes it

# One thread of a process asks the database for a token; the others wait here instead of each holding a connection.
_locks: dict[str, threading.Lock] = {}
_making_locks = threading.Lock()


class StoredTokens:
    """The TokenSource of one connection and scope set: one process at a time asks IBKR, the others read the row.

    A token belongs to an environment, a client id and its scopes: a changed client id finds no old token.
    """

    def __init__(self, master: MasterAccount, scopes: tuple[str, ...], fetch: Callable[[], FreshToken]) -> None:
        self._master = master
        self._scopes = " ".join(sorted(scopes))
        self._fetch = fetch

    def bearer(self) -> str:
        """Return a token that should still be accepted. Raises IbkrError when none can be had."""
        name = f"token|{self._master.pk}|{self._master.client_id}|{self._scopes}"
        with _one_thread(name):
            if token := self._stored():
                return token
            with _one_process(name):
                if token := self._stored():
                    return token  # the process before us has fetched it
                fresh = self._fetch()
                row = self._row()
                row.token = fresh.value
                row.client_id = self._master.client_id
                row.expires_at = clock.now() + timedelta(seconds=fresh.expires_in * FRESH_SHARE // 100)
                row.save()
                return fresh.value

    def refuse(self, bearer: str) -> None:
        """Forget `bearer`, if it is still the stored one: IBKR answered 401 to it."""
        row = self._row()
        if row.token == bearer:
            AccessToken.objects.filter(pk=row.pk).update(expires_at=clock.now())

    def _row(self) -> AccessToken:
        return AccessToken.objects.get_or_create(master=self._master, scopes=self._scopes)[0]

    def _stored(self) -> str:
        row = AccessToken.objects.filter(
            master=self._master, client_id=self._master.client_id, scopes=self._scopes, expires_at__gt=clock.now()
        ).first()
        return str(row.token) if row is not None and row.token else ""


@contextmanager
def _one_thread(name: str) -> Iterator[None]:
    with _making_locks:
        lock = _locks.setdefault(name, threading.Lock())
    with lock:
        yield


@contextmanager
def _one_process(name: str) -> Iterator[None]:
    # An advisory lock, not a row lock: no transaction may span the call to IBKR.
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [number])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [number])
