"""The head of the chain, signed and kept outside the database: a cut-off end is found by it alone.

One line of JSON every five minutes, appended to `audit-anchors.jsonl` in AUDIT_ANCHORS (a folder; best on another
machine or write-once storage). Each line names the digest of the line before it, so a line cannot be dropped from the
middle. The same line is shown on the audit page and printed by `manage.py verify_audit`; a copy kept anywhere at all
serves as well as the file (`verify_audit --anchors FILE`).
"""

import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings

from backoffice.audit import keys, sealing
from backoffice.core import clock

log = logging.getLogger(__name__)

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
    target = path()
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # two at once would both name the same line before
        before = _last_line(target)
        # A line that a crash cut short has no end; the next one takes its place.
        file.truncate(_whole(target))
        end, at = sealing.head(), clock.now()
        facts = {"at": at.isoformat(), "count": end.count, "head": end.seal, "key": keys.current(),
                 "previous": hashlib.sha256(before.encode()).hexdigest() if before else ""}  # fmt: skip
        line = json.dumps({**facts, "signature": _signature(facts)}, sort_keys=True)
        file.write(f"{line}\n".encode())
        file.flush()
        os.fsync(file.fileno())
    log.info("audit anchor %s", line)  # where logs are collected, one more copy outside
    return Anchor(end.count, end.seal, at, line)


def read(source: Path) -> Iterator[Anchor]:
    """Read a file of anchors, oldest first; each says for itself whether it can be trusted. A missing file has none."""
    if not source.exists():
        return
    before = ""
    with source.open(encoding="utf-8") as file:
        for line in (
            text[:-1] for text in file if text.endswith("\n")
        ):  # the last may be in the middle of being written
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
        file.seek(max(_whole(source) - 4096, 0))
        lines = file.read(_whole(source) - file.tell()).decode().splitlines()
    return lines[-1] if lines else ""


def _whole(source: Path) -> int:
    """How many bytes of a file are whole lines."""
    size = source.stat().st_size
    with source.open("rb") as file:
        file.seek(max(size - 4096, 0))
        start, tail = file.tell(), file.read()
    return start + tail.rfind(b"\n") + 1 if b"\n" in tail else 0
