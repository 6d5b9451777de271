"""Which process this is, whether another still lives, and how long one slept.

A pid alone may have been given to another since, and means nothing outside its host or its container.
"""

import os
import socket
import time
from pathlib import Path

# Runs on while the machine is suspended, where the system has such a clock; no adjustment of the time of day moves it.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def nanoseconds() -> int:
    """Return this machine's time since some start, for measuring leases; only differences mean anything."""
    return time.clock_gettime_ns(_CLOCK)


def place() -> str:
    """Return where the pids of this process mean something: its host, and its container where it has one of its own.

    Containers may share a host's name and not its processes; one must not take the other's worker for dead.
    """
    try:
        space = os.readlink("/proc/self/ns/pid").strip("pid:[]")
    except OSError:
        return socket.gethostname()
    return f"{socket.gethostname()}/{space}"


def name() -> str:
    """Return what no other process has: place, pid, and when it started."""
    return f"{place()}:{os.getpid()}:{started(os.getpid())}"


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
