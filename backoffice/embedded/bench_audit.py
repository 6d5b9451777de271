"""The audit's part of `make bench`: how long a million rows take to check.

Runs as `python -m backoffice.embedded.bench_audit` with the settings of the bench's own servers, and prints one JSON
object. The rows are real ones, with macs and seals, written by COPY; the check is the product's own.
"""

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from pathlib import Path

import django
from django.conf import settings
from django.db import connection

ROWS = 1_000_000


def main() -> int:
    django.setup()
    from backoffice.audit import verifying

    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    settings.AUDIT_ANCHORS = Path("/nonexistent")
    fill(rows)
    began = time.monotonic_ns()
    report = verifying.verify()
    took = (time.monotonic_ns() - began) // 1_000_000
    found = {"audit_rows": report.checked, "audit_ms": took, "audit_broken": int(not report.is_whole)}
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


def fill(rows: int) -> None:
    """Write a chain of that many ordinary entries, in place of the few that the migrations and the other figures left."""
    from backoffice.audit import canonical, keys

    key_id, previous = keys.current(), canonical.GENESIS
    began = datetime(2026, 1, 1, tzinfo=UTC)
    data = json.dumps({"submission": "4f0f6c2f-1f10-4b0e-a3ce-0f4f6c2f1f10", "sha256": "a" * 64})
    numbers = count(1)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        tables = ("audit_disclosure", "audit_seal", "audit_entry")
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(f"TRUNCATE {', '.join(tables)}")
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        while batch := list(islice(numbers, min(50_000, rows))):
            rows -= len(batch)
            entries, seals = [], []
            for number in batch:
                at = began + timedelta(seconds=number)
                content = canonical.Content(
                    number, canonical.microseconds(at), None, "funding.request_withdrawal", "funding.cashtransfer",
                    "4f0f6c2f-1f10-4b0e-a3ce-0f4f6c2f1f10", "Withdrawal asked for", "203.0.113.9", "abcdef123456", "", "",
                    data,
                )  # fmt: skip
                mac = canonical.mac(content, key_id)
                previous = canonical.seal(number, previous, number, mac, key_id)
                entries.append(
                    (number, at, content.action, content.subject_model, content.subject_id, content.summary,
                     content.address, content.correlation, "", "", data, key_id, mac)
                )  # fmt: skip
                seals.append((number, number, key_id, previous))
            with cursor.copy(
                "COPY audit_entry (id, at, action, subject_model, subject_id, summary, address, correlation, before, after,"
                " data, key_id, mac) FROM STDIN"
            ) as target:
                for row in entries:
                    target.write_row(row)
            with cursor.copy("COPY audit_seal (position, entry_id, key_id, seal) FROM STDIN") as target:
                for seal in seals:
                    target.write_row(seal)
            if not rows:
                break
        cursor.execute("ANALYZE audit_entry, audit_seal")
        cursor.execute("RESET statement_timeout")


if __name__ == "__main__":
    sys.exit(main())
