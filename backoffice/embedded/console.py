"""What a person sees: numbered steps with their seconds, and a failure that says what to do. Standard library only."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class StepFailed(Exception):
    """A step could not be done. Carries what a person needs to mend it."""

    def __init__(self, happened: str, means: str, mend: str, log: Path | None = None) -> None:
        super().__init__(happened)
        self.happened = happened
        self.means = means
        self.mend = mend
        self.log = log
        self.told = False  # printed already, where it happened

    def __str__(self) -> str:
        rows = [("What happened", self.happened), ("What it means", self.means), ("What to do", self.mend)]
        if self.log is not None:
            rows.append(("The log", shown(self.log)))
        return "\n".join(f"  {label + ':':<15}" + text.replace("\n", "\n" + " " * 17) for label, text in rows)


def say(text: str = "") -> None:
    """Print one line at once. A reader that has gone away is not a reason to stop."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def shown(path: Path) -> str:
    """Return a path as short as it can be said from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def took(seconds: int) -> str:
    """Return a duration in words: `41 s`, `2 min 5 s`."""
    return f"{seconds} s" if seconds < 60 else f"{seconds // 60} min {seconds % 60} s"


def last_lines(log: Path, count: int = 6) -> str:
    """Return the last lines that say something of a log, for a failing step."""
    if not log.exists():
        return ""
    lines = [line.rstrip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return "\n".join(line[:200] for line in lines[-count:])


class Steps:
    """Counts the steps of one command across the two processes that do them (`BACKOFFICE_STEP` carries the number over)."""

    def __init__(self, total: int, done: int = 0) -> None:
        self.total = total
        self.done = done
        self.began = time.monotonic()

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Print the step, do it, print its seconds. A `StepFailed` is printed where it happened and raised on."""
        self.done += 1
        started = time.monotonic()
        try:
            print(f"{self.done}/{self.total} {title} … ", end="", flush=True)
            yield
        except StepFailed as failure:
            say(f"failed after {took(int(time.monotonic() - started))}")
            print(failure, file=sys.stderr, flush=True)
            failure.told = True
            raise
        except KeyboardInterrupt:
            say("stopped")
            raise
        say(took(round(time.monotonic() - started)))
