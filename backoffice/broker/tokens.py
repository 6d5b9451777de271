"""Access tokens, kept encrypted in the database and shared by all processes of the installation."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import OperationalError, connection
from psycopg.errors import LockNotAvailable, QueryCanceled

from backoffice.broker.models import AccessToken, MasterAccount
from backoffice.core import clock
from backoffice.ibkr.errors import IbkrError, Unavailable
from backoffice.ibkr.types.oauth import AccessToken as FreshToken

FRESH_SHARE = 80  # per cent of a token's life after which the next caller refreshes it


@dataclass(slots=True)
class _Queue:
    """The threads of this process that want the same token. `failure` is how the newest asking ended, at `failed_at`.

    One of them asks the database; the others wait here instead of each holding a connection.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    failure: IbkrError | None = None
    failed_at: int = 0


_queues: dict[str, _Queue] = {}
_making_queues = threading.Lock()


class StoredTokens:
    """The TokenSource of one connection and scope set: one process at a time asks IBKR, the others read the row.

    A token belongs to an environment, a client id and its scopes: a changed client id finds no old token.
    """

    def __init__(self, master: MasterAccount, scopes: tuple[str, ...], fetch: Callable[[], FreshToken]) -> None:
        self._master = master
        self._scopes = " ".join(sorted(scopes))
        self._fetch = fetch
        self.name = f"token|{master.pk}|{master.client_id}|{self._scopes}"  # of the lock that all processes know

    def bearer(self) -> str:
        """Return a token that should still be accepted. Raises IbkrError when none can be had.

        Whoever waits while another thread asks shares its failure too: fifty threads must not ask a hanging IBKR one
        after the other, nor show it a wrong key fifty times.
        """
        came = time.monotonic_ns()
        with _making_queues:
            queue = _queues.setdefault(self.name, _Queue())
        with queue.lock:
            if queue.failure is not None and queue.failed_at > came:
                raise queue.failure.with_traceback(None)
            try:
                token = self._stored() or self._fetched()
            except IbkrError as problem:
                queue.failure, queue.failed_at = problem, time.monotonic_ns()
                raise
            queue.failure = None
            return token

    def refuse(self, bearer: str) -> None:
        """Forget `bearer`, if it is still the stored one: IBKR answered 401 to it."""
        row = self._row()
        if row.token == bearer:
            # By its end as well: a newer token may have come since the row was read, and a 401 to the old one is no news.
            AccessToken.objects.filter(pk=row.pk, expires_at=row.expires_at).update(expires_at=clock.now())

    def _fetched(self) -> str:
        with _one_process(self.name):
            if token := self._stored():
                return token  # the process before us has fetched it
            fresh = self._fetch()
            row = self._row()
            row.token = fresh.value
            row.client_id = self._master.client_id
            row.expires_at = clock.now() + timedelta(seconds=fresh.expires_in * FRESH_SHARE // 100)
            row.save()
            return fresh.value

    def _row(self) -> AccessToken:
        return AccessToken.objects.get_or_create(master=self._master, scopes=self._scopes)[0]

    def _stored(self) -> str:
        row = AccessToken.objects.filter(
            master=self._master, client_id=self._master.client_id, scopes=self._scopes, expires_at__gt=clock.now()
        ).first()
        return str(row.token) if row is not None and row.token else ""


def lock_number(name: str) -> int:
    """Return the number of the database's advisory lock that goes by a name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


@contextmanager
def _one_process(name: str) -> Iterator[None]:
    # An advisory lock, not a row lock: no transaction may span the call to IBKR.
    number = lock_number(name)
    with connection.cursor() as cursor:
        try:
            cursor.execute("SELECT pg_advisory_lock(%s)", [number])
        except OperationalError as problem:
            if isinstance(problem.__cause__, LockNotAvailable | QueryCanceled):
                # IBKR hangs, and the database lets nobody wait as long: nothing was sent, so it is an error like IBKR's own.
                raise Unavailable("Another process is still waiting for IBKR's access token.") from problem
            raise
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [number])
