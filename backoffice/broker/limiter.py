"""IBKR's limits, kept by all processes together: each allowed call is a row, and a call takes one row of every limit.

A row is free again one window after its call was *answered*. The call arrived at IBKR before that, so IBKR can never
count more arrivals in a window than there are rows, whatever the network or the scheduler does to the timing.
A breach shuts out the whole address for 10 to 15 minutes (trading.md section 3), so the rule is kept before the call.
"""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import uuid4

from django.db import connection
from django.db.models import F, Value
from django.db.models.functions import Greatest

from backoffice.broker import calendar
from backoffice.broker.models import LimitSlot, MasterAccount, Penalty
from backoffice.core import clock
from backoffice.ibkr.errors import HeldBack
from backoffice.ibkr.limits import PENALTY_SECONDS, Limit, Priority, limits_of
from backoffice.ibkr.transport import Call, Effect

# Polling and bulk work leave room that only people and orders may use; a limit of a few calls is shared by rank alone.
USABLE_PER_CENT = {Priority.POLLING: 80, Priority.BULK: 60}
SMALLEST_SHARED = 5
# How long a caller of this rank may wait for its turn before it is told to come back. Whoever polls comes back anyway,
# and must not hold up its lane; bulk work has nothing better to do.
PATIENCE_SECONDS = {Priority.PERSON: 20, Priority.POLLING: 1, Priority.BULK: 90}
PATIENCE_OF_OTHERS = 12
LONGEST_NAP_MS = 1000
JITTER_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Slot:
    """A row taken, and for how many seconds after the answer it stays taken."""

    pk: int
    seconds: int


class SharedLimiter:
    """The Limiter of one connection. Cheap to make; all state is in the database."""

    def __init__(self, master: MasterAccount, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._master = master
        self._address = address_of(master.base_url)
        self._sleep = sleep

    @contextmanager
    def turn(self, call: Call, priority: Priority) -> Iterator[None]:
        """Wait for a slot of every limit this call falls under, and give them back when it has been answered.

        Raises HeldBack, before anything leaves: in a maintenance window, in a penalty, or when the turn is too far off.
        """
        path = urlsplit(call.url).path
        if (closed := calendar.closed_for_path(self._master, path)) is not None:
            raise HeldBack(calendar.sentence(closed), until=closed.ends)
        slots = self._wait(call, path, min(priority, Priority.ORDER) if call.effect is Effect.WRITE else priority)
        try:
            yield
        finally:
            _give_back(slots)

    def penalise(self, call: Call, retry_after: int | None) -> None:
        """IBKR answered 429: nothing leaves for this address for as long as it says, else a quarter of an hour.

        A few seconds more, drawn by lot, keep several installations behind one address from coming back in one moment.

        Account Management's 429 stops trading too, a person's cancel included, though it may not lead into the box (a
        doubt of IBKR's documents: account-management.md section 1). A cancel is not let through to try it, because:
        - trading.md section 3 says that the box holds for every endpoint, that a call from it may begin the time anew and
          that repeated calls shut an address out for good. The price of a wrong guess is the whole firm's.
        - one call would not do: the session's tickle stands still too, so after a minute a cancel would first have to
          look at the session and perhaps open it, and afterwards to read what became of the order.
        Whoever must cancel meanwhile can call IBKR or use TWS under another username; neither is this address's
        Web API. Once IBKR has said that the box is trading's alone, the place to tell the two apart is this row's `path`.
        """
        now = clock.now()
        wait = (retry_after or PENALTY_SECONDS) + secrets.randbelow(JITTER_SECONDS + 1)
        path = urlsplit(call.url).path[:200]
        row, created = Penalty.objects.get_or_create(
            address=self._address, defaults={"until": now + timedelta(seconds=wait), "noted_at": now, "path": path}
        )
        if not created:  # two processes may be told at once: the later end and both hits count
            Penalty.objects.filter(pk=row.pk).update(
                until=Greatest(F("until"), Value(now + timedelta(seconds=wait))),
                noted_at=now,
                path=path,
                hits=F("hits") + 1,
            )

    def _wait(self, call: Call, path: str, priority: Priority) -> list[Slot]:
        limits = limits_of(call.method, path)
        buckets = [self._bucket(limit) for limit in limits]
        usable = [_usable(limit, priority) for limit in limits]
        lease = call.read_timeout + 10 + max((limit.seconds for limit in limits), default=0)
        deadline = time.monotonic() + PATIENCE_SECONDS.get(priority, PATIENCE_OF_OTHERS)
        waiter = uuid4()
        while True:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT broker_take_slots(%s, %s, %s, %s::text[], %s::int[], %s::int[], %s::int[], %s)",
                    [
                        self._address,
                        waiter,
                        int(priority),
                        buckets,
                        [limit.calls for limit in limits],
                        usable,
                        [limit.seconds for limit in limits],
                        lease,
                    ],
                )
                found = json.loads(cursor.fetchone()[0])
            if "slots" in found:
                return [
                    Slot(pk, 0 if limit.is_concurrent else limit.seconds)
                    for pk, limit in zip(found["slots"], limits, strict=True)
                ]
            if "penalty" in found:
                until = datetime.fromisoformat(found["penalty"])
                raise HeldBack(
                    f"IBKR limits the number of requests; nothing is sent until {until:%H:%M:%S} UTC.", until=until
                )
            wait = int(found["wait_ms"])
            if time.monotonic() + wait / 1000 > deadline:
                until = clock.now() + timedelta(milliseconds=wait)
                raise HeldBack(
                    f"IBKR's limit on {limit_name(found['bucket'])} is used up; the next call may leave at {until:%H:%M:%S} UTC.",
                    until=until,
                )
            self._sleep(min(wait, LONGEST_NAP_MS) / 1000)

    def _bucket(self, limit: Limit) -> str:
        owner = {"master": f"{self._master.pk}", "username": self._master.username or f"{self._master.pk}"}
        return f"{self._address}|{owner.get(str(limit.scope), '')}|{limit.name}"[:160]


def address_of(base_url: str) -> str:
    """Return scheme, host and port: what shares one penalty, because it shares our egress address."""
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def limit_name(bucket: str) -> str:
    """Return the limit's own name from a bucket's."""
    return bucket.rsplit("|", 1)[-1]


def penalty_of(master: MasterAccount) -> Penalty | None:
    """Return the penalty this connection's address is serving, if any."""
    return Penalty.objects.filter(address=address_of(master.base_url), until__gt=clock.now()).first()


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of one limit is in use now."""

    name: str
    used: int
    allowed: int


def usage_of(master: MasterAccount, *names: str) -> list[Usage]:
    """Return the use of this connection's own limits, by name, or of all that were ever used."""
    start = f"{address_of(master.base_url)}|"
    now = clock.now()
    owners = {f"{start}{master.pk}|", f"{start}{master.username}|" if master.username else ""} - {""}
    counted: dict[str, list[int]] = {}
    for owner in owners:
        for bucket, free_at in LimitSlot.objects.filter(bucket__startswith=owner).values_list("bucket", "free_at"):
            line = counted.setdefault(limit_name(bucket), [0, 0])
            line[1] += 1
            line[0] += free_at is not None and free_at > now
    return [Usage(name, *line) for name, line in sorted(counted.items()) if not names or name in names]


def _usable(limit: Limit, priority: Priority) -> int:
    if limit.calls < SMALLEST_SHARED:
        return limit.calls
    return limit.calls * USABLE_PER_CENT.get(priority, 100) // 100


def _give_back(slots: list[Slot]) -> None:
    if not slots:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT broker_give_back(%s::bigint[], %s::int[])",
            [[slot.pk for slot in slots], [slot.seconds for slot in slots]],
        )
