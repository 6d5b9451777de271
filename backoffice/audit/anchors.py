"""The head of the chain, signed and kept outside the database: a cut-off end is found by it alone.

One line of JSON every five minutes, appended to `audit-anchors.jsonl` in AUDIT_ANCHORS (a folder; best on another
machine or write-once storage). Each line names the digest of the line before it, so a line cannot be dropped from the
middle. The same line is shown on the audit page and printed by `manage.py verify_audit`; a copy kept anywhere at all
serves as well as the file (`verify_audit --anchors FILE`).
"""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings

from backoffice.audit import keys, sealing
from backoffice.core import clock

FILE = "audit-anchors.jsonl"


@dataclass(frozen=True, slots=True)
class Anchor:
    """One signed head. `problem` says what is wrong with its line, "" when nothing is."""

    count: int
    head: str
    at: datetime
    line: str
    problem: str = ""


def path() -> Path:
    """Return the file the anchors are appended to."""
    return Path(settings.AUDIT_ANCHORS) / FILE


def drop() -> Anchor:
    """Sign the present head, append it to the file, and return it once it is on the disk."""
    end, at, target = sealing.head(), clock.now(), path()
    target.parent.mkdir(parents=True, exist_ok=True)
    before = _last_line(target)
    facts = {"at": at.isoformat(), "count": end.count, "head": end.seal, "key": keys.current(),
             "previous": hashlib.sha256(before.encode()).hexdigest() if before else ""}  # fmt: skip
    line = json.dumps({**facts, "signature": _signature(facts)}, sort_keys=True)
    with target.open("ab") as file:
        file.write(f"{line}\n".encode())
        file.flush()
        os.fsync(file.fileno())
    return Anchor(end.count, end.seal, at, line)


def read(source: Path) -> Iterator[Anchor]:
    """Read a file of anchors, oldest first; each says for itself whether it can be trusted. A missing file has none."""
    if not source.exists():
        return
    before = ""
    with source.open(encoding="utf-8") as file:
        for line in (text.rstrip("\n") for text in file):
            yield _parsed(line, before)
            before = line


def latest() -> Anchor | None:
    """Return the newest anchor, None when there is none yet."""
    line = _last_line(path())
    return _parsed(line, None) if line else None


def _parsed(line: str, before: str | None) -> Anchor:
    try:
        facts = json.loads(line)
        signature = facts.pop("signature")
        anchor = Anchor(int(facts["count"]), str(facts["head"]), datetime.fromisoformat(facts["at"]), line)
        if _signature(facts) != signature:
            return Anchor(anchor.count, anchor.head, anchor.at, line, "its signature is not ours")
        previous = facts["previous"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return Anchor(0, "", datetime.fromisoformat("1970-01-01T00:00:00+00:00"), line, "it cannot be read")
    except keys.UnknownKey as error:
        return Anchor(anchor.count, anchor.head, anchor.at, line, f"the key {error} is not configured")
    if before and hashlib.sha256(before.encode()).hexdigest() != previous:
        return Anchor(anchor.count, anchor.head, anchor.at, line, "the line before it is not the one it followed")
    return anchor


def _signature(facts: dict[str, object]) -> str:
    return keys.sign("anchor", json.dumps(facts, sort_keys=True).encode(), str(facts["key"]))


def _last_line(source: Path) -> str:
    if not source.exists():
        return ""
    with source.open("rb") as file:
        file.seek(max(source.stat().st_size - 4096, 0))
        lines = file.read().decode().splitlines()
    return lines[-1] if lines else ""
