"""Is the process that was sending still alive, and how long did it sleep? A pid alone may have been given to another since."""

import os
import time
from pathlib import Path

# Runs on while the machine is suspended, where the system has such a clock; no adjustment of the time of day moves it.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def nanoseconds() -> int:
    """Return this machine's time since some start, for measuring leases; only differences mean anything."""
    return time.clock_gettime_ns(_CLOCK)


def started(pid: int) -> str:
    """Return what tells this process from a later one with the same pid; empty where the system does not say."""
    try:
        # Field 22 of /proc/<pid>/stat, after the name in parentheses, which may itself hold blanks.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def is_alive(pid: int, process_started: str) -> bool:
    """Tell whether that very process runs on this host. In doubt, yes: a living sender may still send."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    now = started(pid)
    return not process_started or not now or now == process_started
