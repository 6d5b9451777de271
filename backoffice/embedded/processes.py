"""Servers as children that cannot outlive us: started through `launch.py`, known to the undertaker, stopped in order."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backoffice.embedded.state import Lock, Locked, State, write_privately
from backoffice.embedded.undertaker import PATIENCE_SECONDS

HERE = Path(__file__).parent
LOG_LIMIT = 20 * 1024 * 1024  # bytes; the log before this one is kept as NAME.log.1


@dataclass(frozen=True)
class Program:
    """How to start and stop one server."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    folder: Path  # where it runs
    user: str | None = None  # the account it drops to; None keeps ours
    stop_signal: int = signal.SIGTERM
    death_signal: int = signal.SIGKILL  # what it gets when the supervisor is killed
    patience_seconds: int = 10  # between the stop signal and SIGKILL


class Undertaker:
    """Our handle on the process that ends the servers when we no longer can, and the list a later run can prove them by."""

    def __init__(self, state: State) -> None:
        self._list = state.run / "servers.json"
        self._lock = state.run / "undertaker.lock"
        self._known: dict[int, dict[str, Any]] = {}
        self._process: subprocess.Popen[str] | None = None

    def begin(self) -> None:
        """Wait until nothing of an earlier, killed run is left, then start watching. Raises `Locked` if it will not end."""
        earlier = Lock(self._lock)
        earlier.take(patience_seconds=PATIENCE_SECONDS + 12)
        end_leftovers(self._list)
        earlier.release()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(HERE / "undertaker.py"), str(self._lock)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        if self._process.stdout is None or self._process.stdout.readline() != "ready\n":
            raise Locked({})

    def watch(self, pid: int, program: Program) -> None:
        """Answer for one more server."""
        self._known[pid] = {"pid": pid, "born": born(pid), "name": program.name}
        self._tell(f"+{pid} {program.death_signal}")

    def forget(self, pid: int) -> None:
        """A server is gone and collected; its number may soon belong to somebody else."""
        self._known.pop(pid, None)
        self._tell(f"-{pid}")

    def end(self) -> None:
        """Dismiss the undertaker, which first ends whatever it still knows of."""
        if self._process is not None and self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.wait()
            self._list.unlink(missing_ok=True)

    def _tell(self, line: str) -> None:
        if self._process is not None and self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.write(line + "\n")
                self._process.stdin.flush()
        write_privately(self._list, json.dumps(list(self._known.values())))


def launched(command: list[str], death_signal: int = signal.SIGKILL, user: str | None = None) -> list[str]:
    """Return a command that runs this one so that it dies with us. Needs no more than the standard library."""
    launcher = [sys.executable, "-I", "-S", str(HERE / "launch.py"), str(os.getpid()), str(int(death_signal))]
    return [*launcher, user or "-", "--", *command]


def born(pid: int) -> str:
    """Return the moment a process began, in the system's own words; empty when there is no such process."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            return stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
        except (OSError, IndexError):
            return ""
    listed = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True)
    return listed.stdout.strip()


def end_leftovers(listed: Path) -> None:
    """End servers of a run whose undertaker was killed too, and only those: same number and same moment of birth."""
    for entry in json.loads(listed.read_text(encoding="utf-8")) if listed.exists() else []:
        if entry["born"] and born(entry["pid"]) == entry["born"]:
            with suppress(ProcessLookupError):
                os.killpg(entry["pid"], signal.SIGKILL)
            for _ in ticks(5):
                if born(entry["pid"]) != entry["born"]:
                    break
    listed.unlink(missing_ok=True)


@dataclass
class Child:
    """One server: running, stopped, or waiting to be started again after a crash."""

    program: Program
    undertaker: Undertaker
    logs: Path
    process: subprocess.Popen[bytes] | None = None
    started_at: Any = 0  # time.monotonic()
    restart_at: Any = None
    failures: int = field(default=0)

    @property
    def log(self) -> Path:
        """Where everything it prints goes."""
        return self.logs / f"{self.program.name.replace(' ', '-')}.log"

    def start(self) -> None:
        """Start it as the leader of a session of its own, so that a Ctrl-C in the terminal reaches us alone."""
        program = self.program
        self.restart_at = None
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                launched(program.command, program.death_signal, program.user), cwd=program.folder, env=dict(program.environment),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, umask=0o077,
            )  # fmt: skip
        self.started_at = time.monotonic()
        self.undertaker.watch(self.process.pid, program)

    def ended(self) -> int | None:
        """Return its exit code if it has ended and is now collected, None while it runs or when it was not running."""
        if self.process is None or (code := self.process.poll()) is None:
            return None
        with suppress(ProcessLookupError, PermissionError):  # what a crashed server may have left of its own children
            os.killpg(self.process.pid, signal.SIGKILL)
        self.undertaker.forget(self.process.pid)
        self.process = None
        return code

    def ask_to_stop(self) -> None:
        """Send the stop signal."""
        self.restart_at = None
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.send_signal(self.program.stop_signal)

    def wait_until_stopped(self) -> None:
        """Wait for it to end, SIGKILL its group when its patience is used up."""
        if self.process is not None:
            try:
                self.process.wait(timeout=self.program.patience_seconds)
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
            self.ended()


def stop(*children: Child) -> None:
    """Stop these together: ask all, then wait for each."""
    for child in children:
        child.ask_to_stop()
    for child in children:
        child.wait_until_stopped()


def ticks(seconds: int, pause_milliseconds: int = 50) -> Iterator[None]:
    """Yield until the time is up, with a pause between."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        time.sleep(pause_milliseconds / 1000)
