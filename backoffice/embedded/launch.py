"""Start one server so that it cannot outlive the supervisor: `launch.py SUPERVISOR_PID SIGNAL USER -- COMMAND...`.

Runs in place of the server for a few milliseconds. On Linux it asks the kernel to signal the server when the supervisor
dies; elsewhere the undertaker alone sees to that. USER is `-` or an account to become first (PostgreSQL refuses root).
Standard library only; this file is run by path, not imported.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1


def become(user: str) -> None:
    """Drop to an account for good."""
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def die_with(supervisor: int, signal_number: int) -> None:
    """Have the kernel send the signal when the supervisor is gone. After `become`: a change of user clears the wish."""
    if not sys.platform.startswith("linux"):
        return
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0) != 0:
        sys.exit(f"prctl failed: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != supervisor:  # it died before we asked
        sys.exit(1)


def main() -> None:
    supervisor, signal_number, user, _, *command = sys.argv[1:]
    if user != "-":
        become(user)
    die_with(int(supervisor), int(signal_number))
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
