"""Real workers, beat and session keeper as processes on the test's own database, for tests that kill them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.conf import settings
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent
LANES = "trading,accounts,funding,reports,interactive"


class Processes:
    """What this test has started; everything is killed at its end."""

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir
        self._running: list[subprocess.Popen[bytes]] = []

    def worker(self, queues: str = LANES, concurrency: int = 2) -> subprocess.Popen[bytes]:
        return self._start(
            "worker",
            ["celery", "-A", "backoffice.celery", "worker", "-Q", queues, "-c", str(concurrency), "--loglevel", "INFO",
             "--without-gossip", "--without-mingle", "-n", f"w{len(self._running)}-{os.getpid()}@test"],
        )  # fmt: skip

    def beat(self) -> subprocess.Popen[bytes]:
        schedule = self._log_dir / "beat-schedule"
        return self._start("beat", ["celery", "-A", "backoffice.celery", "beat", "-s", str(schedule), "--pidfile="])

    def keeper(self) -> subprocess.Popen[bytes]:
        return self._start("keeper", ["manage", "keep_session"])

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """kill -9 the process and its children."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)

    def stop_all(self) -> None:
        for process in self._running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)

    def logs(self) -> str:
        return "\n".join(path.read_text(errors="replace")[-6000:] for path in sorted(self._log_dir.glob("*.log")))

    def _start(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        log = (self._log_dir / f"{len(self._running)}-{name}.log").open("wb")
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=ROOT, env=_environment(), stdout=log, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        self._running.append(process)
        return process


def _environment() -> dict[str, str]:
    database = connection.settings_dict
    host, port = database["HOST"], database["PORT"]
    where = f"@/{database['NAME']}?host={host}" if str(host).startswith("/") else f"@{host}:{port}/{database['NAME']}"
    if str(host).startswith("/") and port:
        where += f"&port={port}"
    secret = f":{database['PASSWORD']}" if database["PASSWORD"] else ""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": f"postgresql://{database['USER']}{secret}{where}",
        "CELERY_BROKER_URL": settings.CELERY_BROKER_URL,
        "DATABASE_POOL_SIZE": "2",
    }


@pytest.fixture
def processes(transactional_db: None, tmp_path: Path) -> Iterator[Processes]:
    forget_doorbells()
    started = Processes(tmp_path)
    yield started
    started.stop_all()


def forget_doorbells() -> None:
    """Empty the lanes of what earlier tests rang for and no worker took: a worker would go through it all first."""
    with current_app.connection_for_write() as connected:
        for lane in LANES.split(","):
            connected.default_channel.queue_purge(lane)


def wait_until(happened: Callable[[], Any], seconds: int, what: str, logs: Callable[[], str] = str) -> Any:
    """Poll until `happened()` is true and return its value; fail with `what` and the `logs` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = happened()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}\n{logs()}"
        time.sleep(0.1)
