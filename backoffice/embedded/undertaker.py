"""Ends what a killed supervisor leaves behind: `undertaker.py LOCK_FILE`, told about servers on standard input.

A line `+PID SIGNAL` says that a server leads the process group PID and is stopped by SIGNAL, `-PID` that it is gone. The
end of the input means that the supervisor is dead or done: every server still known gets its signal, and its whole group
SIGKILL if that is not enough. The lock is held until nothing is left, so the next supervisor can wait for it.
Works the same on every Unix. Standard library only; this file is run by path, not imported.
"""

import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress

PATIENCE_SECONDS = 8


def living_groups() -> set[int] | None:
    """Return the process groups that hold a living process, or None where the system does not list them.

    A dead process that nobody has collected (a container without a proper first process) still answers to signal 0, so
    asking with a signal is the second choice.
    """
    if not sys.platform.startswith("linux"):
        return None
    groups = set()
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with suppress(OSError), open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
                state, _parent, group = stat.read().rpartition(")")[2].split()[:3]
                if state not in "ZX":
                    groups.add(int(group))
    return groups


def any_lives(groups: Iterable[int]) -> bool:
    """Say whether anything of these process groups is left."""
    if (living := living_groups()) is not None:
        return not living.isdisjoint(groups)
    for group in groups:
        with suppress(ProcessLookupError):
            with suppress(PermissionError):  # it changed its user: it is there
                os.killpg(group, 0)
            return True
    return False


def bury(servers: dict[int, int]) -> None:
    """End every server and whatever it started. Databases first: theirs is the signal that takes a moment to obey."""
    for pid, number in servers.items():
        with suppress(ProcessLookupError, PermissionError):
            (os.killpg if number == signal.SIGKILL else os.kill)(pid, number)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and any_lives(servers):
        time.sleep(0.05)
    for pid in servers:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def main() -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(ignored, signal.SIG_IGN)
    lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    servers: dict[int, int] = {}
    for line in sys.stdin:
        pid, _, number = line[1:].strip().partition(" ")
        if line.startswith("+"):
            servers[int(pid)] = int(number)
        else:
            servers.pop(int(pid), None)
    bury(servers)


if __name__ == "__main__":
    main()
