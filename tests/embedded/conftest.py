"""A state directory of each test's own, and a stand-in for the supervisor that a test may kill."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backoffice.embedded.processes import Undertaker
from backoffice.embedded.state import State

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / "var").make()


@pytest.fixture
def undertaker(state: State) -> Iterator[Undertaker]:
    """Answers for the servers of one test; whatever the test leaves running ends with it."""
    begun = Undertaker(state)
    begun.begin()
    yield begun
    begun.end()


def run_python(code: str, state: State, **settings: str) -> subprocess.Popen[str]:
    """Start a supervisor of a few lines as its own process; it speaks through its standard output."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "STATE": str(state.folder), **settings}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    if process.stdout is not None:
        process.stdout.close()


def until(happened: Callable[[], bool], seconds: int = 15) -> bool:
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def is_alive(pid: int) -> bool:
    """A dead process that nobody has collected is dead all the same."""
    listed = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(listed) and not listed.startswith("Z")
