"""Files that people hand in: looked into before anything keeps them (reliability.md Z08)."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from backoffice.core.errors import InvalidInput

LARGEST = 10 * 1024 * 1024  # bytes; IBKR takes no larger document (account-management.md section 8.1)
SECONDS = 20  # of the processor, for one look
_ROOT = Path(__file__).parents[2]
_COMMAND = [sys.executable, "-m", "backoffice.core.inspection"]
_CANNOT_READ = "The file cannot be read within bounds: it unfolds to something far larger than it is, or never ends."


@dataclass(frozen=True)
class SafeFile:
    """What may be kept: the bytes, what they are, and the extension that says so (".pdf")."""

    content: bytes
    content_type: str
    extension: str


def check(content: bytes, *, field: str = "file", largest: int = LARGEST) -> SafeFile:
    """Return what may be kept of an uploaded file.

    The bytes may differ from what came: pictures are drawn anew. Raises InvalidInput on `field` for what is too large,
    of another kind, damaged, locked, active or a bomb.
    """
    if len(content) > largest:
        raise InvalidInput(
            field, f"The file has {_megabytes(content)} MB.", f"Scan it smaller: {largest // 1048576} MB at most."
        )
    try:
        looked = subprocess.run(  # noqa: S603 (a constant command; the file is its input)
            _COMMAND, input=content, capture_output=True, timeout=SECONDS * 2, env={}, cwd=_ROOT
        )
    except subprocess.TimeoutExpired:
        raise InvalidInput(field, _CANNOT_READ, "Print or scan it anew and choose that.") from None
    head, _, kept = looked.stdout.partition(b"\n")
    if looked.returncode != 0 or not head:
        raise InvalidInput(field, _CANNOT_READ, "Print or scan it anew and choose that.")
    found = json.loads(head)
    if "reason" in found:
        raise InvalidInput(field, found["reason"], found["fix"])
    return SafeFile(kept, found["content_type"], found["extension"])


def short_name(original: str, extension: str, *, longest: int) -> str:
    """Return a name of plain characters, at most `longest`, with the extension of what the file really is."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", PurePosixPath(original.replace("\\", "/")).stem).strip("-") or "document"
    return stem[: longest - len(extension)].rstrip("-_") + extension


def _megabytes(content: bytes) -> str:
    tenths = -(-len(content) * 10 // (1024 * 1024))
    return f"{tenths // 10}.{tenths % 10}"
