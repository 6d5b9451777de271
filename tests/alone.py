"""Tests that measure how long something takes run alone: marker `alone`.

Two processes share the tests. While one measures, the other waits between two tests, so that a figure says something about the
product and not about what happened to run beside it. A turnstile keeps the stream of ordinary tests from passing by whoever
wants to be alone.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest


@contextmanager
def _locked(path: Path, how: int) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, how)
        yield


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[Any]:
    if not hasattr(item.config, "workerinput"):  # nobody beside us
        return (yield)
    folder = Path(os.environ["BACKOFFICE_STATE"])
    is_alone = item.get_closest_marker("alone") is not None
    with ExitStack() as room:
        with _locked(folder / "turnstile.lock", fcntl.LOCK_EX):
            room.enter_context(_locked(folder / "room.lock", fcntl.LOCK_EX if is_alone else fcntl.LOCK_SH))
        return (yield)
