"""Access tokens, kept encrypted in the database and shared by all processes of the installation."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import connection

from backoffice.broker.models import AccessToken, MasterAccount
from backoffice.core import clock
from backoffice.ibkr.types.oauth import AccessToken as FreshToken

FRESH_SHARE = 80  # per cent of a token's life after which the next caller refreshes it


class StoredTokens:
    """The TokenSource of one connection and scope set: one process at a time asks IBKR, the others read the row."""

    def __init__(self, master: MasterAccount, scopes: tuple[str, ...], fetch: Callable[[], FreshToken]) -> None:
        self._master = master
        self._scopes = " ".join(sorted(scopes))
        self._fetch = fetch

    def bearer(self) -> str:
        """Return a token that should still be accepted. Raises IbkrError when none can be had."""
        if token := self._stored():
            return token
        with _one_at_a_time(f"token|{self._master.pk}|{self._scopes}"):
            if token := self._stored():
                return token  # the process before us has fetched it
            fresh = self._fetch()
            row = self._row()
            row.token = fresh.value
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
        row = AccessToken.objects.filter(master=self._master, scopes=self._scopes).first()
        if row is None or not row.token or row.expires_at is None or row.expires_at <= clock.now():
            return ""
        return str(row.token)


@contextmanager
def _one_at_a_time(name: str) -> Iterator[None]:
    # An advisory lock, not a row lock: no transaction may span the call to IBKR.
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [number])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [number])
