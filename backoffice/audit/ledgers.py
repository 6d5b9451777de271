"""Append-only tables beside the chain, bound into it run by run: one entry holds the digest of the rows since the last.

So a move of a lifecycle, or what was said to IBKR, costs no entry of its own, and still cannot be changed, removed or
slipped in later unseen. A row is bound once whatever might still commit before it has; `settled` says how long that is.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection, transaction

from backoffice.audit import services
from backoffice.audit.models import Entry
from backoffice.core import clock


@dataclass(frozen=True, slots=True)
class Ledger:
    """One such table. `table` and `columns` are our own SQL; `noun` is how its rows are called in a sentence."""

    action: str
    noun: str
    table: str
    columns: str
    settled: timedelta
    condition: str = "TRUE"

    @transaction.atomic
    def seal(self) -> int:
        """Bind the rows since the last time into the chain by one entry; return how many."""
        last = Entry.objects.filter(action=self.action).order_by("-at", "-id").first()
        first = int(last.data["last"]) if last else 0
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT max(id) FROM {self.table} WHERE {self.condition} AND id > %s AND at < %s",  # noqa: S608
                [first, clock.now() - self.settled],
            )
            upper = cursor.fetchone()[0]
        if upper is None:
            return 0
        count, digest = self.digest_of(first, upper)
        services.record(
            self.action, by=None, summary=f"Digests of {count} {self.noun} bound into the chain",
            after=first, last=upper, count=count, sha256=digest,
        )  # fmt: skip
        return count

    def digest_of(self, after: int, last: int) -> tuple[int, str]:
        """Return how many rows have an id in (after, last], and the SHA-256 over all their columns."""
        total, count = hashlib.sha256(), 0
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT (extract(epoch FROM at) * 1000000)::bigint, {self.columns} FROM {self.table}"  # noqa: S608
                f" WHERE {self.condition} AND id > %s AND id <= %s ORDER BY id",
                [after, last],
            )
            while rows := cursor.fetchmany(5000):
                for row in rows:
                    total.update("\x1f".join(map(str, row)).encode() + b"\x1e")
                count += len(rows)
        return count, total.hexdigest()

    def broken(self) -> tuple[Entry, str] | None:
        """Return the first entry whose rows are not those that were bound, and a sentence about them."""
        before = 0
        for entry in Entry.objects.filter(action=self.action).select_related("seal").order_by("id").iterator():
            after, last = int(entry.data["after"]), int(entry.data["last"])
            if after > before or self.digest_of(after, last) != (entry.data["count"], entry.data["sha256"]):
                return entry, f"the {self.noun} from {after + 1} to {last} are not those that were bound here"
            before = last
        return None


EXCHANGES = Ledger(
    action="audit.seal_exchanges",
    noun="exchanges with IBKR",
    table="audit_exchange",
    columns="id, connection, lane, method, path, status, outcome, milliseconds, request_id, request_sha256, answer_sha256,"
    " subject_model, subject_id, correlation",
    # Late commits are over by then; a call's own row is written right after its answer.
    settled=timedelta(minutes=2),
    condition="is_kept",
)
MOVES = Ledger(
    action="audit.seal_moves",
    noun="changes of state",
    table="core_statusevent",
    columns="id, subject_model, subject_id, old, new, because, actor_id, (extract(epoch FROM as_of) * 1000000)::bigint",
    settled=timedelta(
        minutes=10
    ),  # a transaction of ours ends within seconds: see the database's time-outs in settings
)
ALL = (EXCHANGES, MOVES)


def seal() -> int:
    """Bind what is due of every ledger; return how many rows."""
    return sum(ledger.seal() for ledger in ALL)
