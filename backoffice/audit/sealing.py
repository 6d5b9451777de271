"""Chaining what is committed: one worker at a time gives each entry its position and its seal."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction

from backoffice.audit import canonical, keys, reading

# Entries are looked for this far back from the last one sealed: no transaction lives as long, so a late commit is found
# too. What is older and has no seal lost it, or was never recorded by the product; `verifying` names it.
LOOK_BACK = timedelta(hours=1)
BATCH = 5000
_LOCK = 7_205_759_403
_HEAD = "SELECT position, seal FROM audit_seal ORDER BY position DESC LIMIT 1"
_SINCE = "SELECT e.at FROM audit_seal s JOIN audit_entry e ON e.id = s.entry_id ORDER BY s.position DESC LIMIT 1"


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain: how many entries are in it, and the last one's seal."""

    count: int
    seal: str


def head() -> Head:
    """Return the end of the chain as it stands."""
    with connection.cursor() as cursor:
        cursor.execute(_HEAD)
        row = cursor.fetchone()
    return Head(row[0], row[1]) if row else Head(0, canonical.GENESIS)


def looked_at_since() -> datetime:
    """Return the instant from which on entries may still be waiting for their seal."""
    with connection.cursor() as cursor:
        cursor.execute(_SINCE)
        row = cursor.fetchone()
    return row[0] - LOOK_BACK if row else canonical.EPOCH


def seal_committed() -> int:
    """Seal what was recorded since, oldest first, and return how many; 0 when another worker is at it.

    An entry whose mac is not right gets no seal: the product did not write it.
    """
    total = 0
    while (sealed := _seal_batch()) > 0:
        total += sealed
    return total


def unsealed() -> int:
    """Return how many entries wait for their seal."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM audit_entry e WHERE e.at > %s"
            " AND NOT EXISTS (SELECT 1 FROM audit_seal s WHERE s.entry_id = e.id)",
            [looked_at_since()],
        )
        return int(cursor.fetchone()[0])


@transaction.atomic
def _seal_batch() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute(
            f"SELECT {reading.COLUMNS} FROM audit_entry e WHERE e.at > %s"  # noqa: S608 - our own columns
            " AND NOT EXISTS (SELECT 1 FROM audit_seal s WHERE s.entry_id = e.id) ORDER BY e.id LIMIT %s",
            [looked_at_since(), BATCH],
        )
        found = [reading.row(values) for values in cursor.fetchall()]
        last, key_id = head(), keys.current()
        position, previous = last.count, last.seal
        sealed: list[tuple[int, int, str]] = []
        for row in found:
            if not row.is_genuine:
                continue
            position += 1
            previous = canonical.seal(position, previous, row.content.id, row.mac, key_id)
            sealed.append((position, row.content.id, previous))
        if sealed:
            cursor.execute(
                "INSERT INTO audit_seal (position, entry_id, key_id, seal)"
                " SELECT p, e, %s, s FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS given(p, e, s)",
                [key_id, *(list(column) for column in zip(*sealed, strict=True))],
            )
    return len(sealed)
