"""`make run`: start everything in order, serve the first page early, keep it all alive, stop it all in order.

The rows in PostgreSQL are the truth, so a kill -9 of any process here, this one included, loses nothing: the servers die
with us (`launch.py`, `undertaker.py`) and the next start goes on from the rows.
"""

import http.client
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from backoffice.embedded import environment
from backoffice.embedded.console import StepFailed, Steps, last_lines, say
from backoffice.embedded.postgres import Postgres
from backoffice.embedded.processes import Child, Program, Undertaker, stop, ticks
from backoffice.embedded.state import ROOT, Lock, Locked, State, free_port
from backoffice.embedded.valkey import Valkey

WEB_PORT, SANDBOX_PORT = 8000, 9100
STEADY_SECONDS = 60  # a server that lived this long starts again at once when it ends
LONGEST_PAUSE_SECONDS = 30
WORKERS = {"trading": ("trading", 1), "interactive": ("interactive", 2), "back-office": ("accounts,funding,reports", 2)}


class Supervisor:
    """Everything of one `make run`."""

    def __init__(self, state: State, steps: Steps) -> None:
        self._state = state
        self._steps = steps
        self._undertaker = Undertaker(state)
        self._lock = Lock(state.run / "supervisor.lock")
        self._children: list[Child] = []  # in the order of their start
        self._environment: dict[str, str] = {}
        self._postgres: Postgres | None = None
        self._parent = os.getppid()

    def run(self) -> int:
        """Start, stay, stop. Returns the exit code."""
        try:
            self._lock.take()
        except Locked as other:
            say(already_running(other))
            return 1
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, interrupt)
        try:
            self._start()
            self._stay()
        except KeyboardInterrupt:
            return 0
        except StepFailed:
            return 1
        finally:
            self._stop()
        return 0

    def _start(self) -> None:
        try:
            self._undertaker.begin()
        except Locked:
            raise StepFailed(
                "servers of an earlier run do not end", "they hold the data", "restart the machine"
            ) from None
        wanted = environment.chosen()
        demonstration = environment.is_demonstration(wanted)
        sandbox = self._start_sandbox(wanted) if demonstration else None
        with self._steps.step("PostgreSQL"):
            database_url = wanted.get("DATABASE_URL") or self._start_postgres()
        with self._steps.step("Valkey, the message broker"):
            broker_url = wanted.get("CELERY_BROKER_URL") or self._start_valkey()
        self._environment = environment.for_product(self._state, database_url=database_url, broker_url=broker_url)
        with self._steps.step("Tables"):
            self._migrate()
        with self._steps.step(
            "Sandbox and demonstration firm" if demonstration else "No demonstration, as the settings say"
        ):
            if sandbox:
                self._load_demonstration(sandbox)
        with self._steps.step("Files of the pages, compressed"):
            self._collect_static()
        with self._steps.step("Web"):
            address = self._start_web(wanted)
        self._lock.tell(pid=os.getpid(), address=address)
        with self._steps.step("Workers, their clock and the session keeper"):
            self._start_workers()
        say(f"\n  The back office is open at {address}")
        if sandbox:
            say(f"  IBKR's stand-in, the sandbox, is at {sandbox}\n")
            say(indented(self._command_output("demonstration_logins")))
        say(f"\n  Ctrl-C stops everything and keeps the data, which lies in {self._state.folder} (logs in log/).\n")

    def _add(
        self, name: str, *command: str, settings: dict[str, str] | None = None, patience_seconds: int = 10
    ) -> Child:
        program = Program(
            name,
            [sys.executable, "-m", *command],
            settings or self._environment,
            ROOT,
            patience_seconds=patience_seconds,
        )
        child = Child(program, self._undertaker, self._state.log)
        child.start()
        self._children.append(child)
        return child

    def _start_postgres(self) -> str:
        self._postgres = Postgres(self._state, self._state.secrets()["database_password"], self._undertaker)
        self._children.append(self._postgres.start())
        return self._postgres.url

    def _start_valkey(self) -> str:
        valkey = Valkey(self._state, self._state.secrets()["broker_password"], self._undertaker)
        self._children.append(valkey.start())
        return valkey.url

    def _start_sandbox(self, wanted: dict[str, str]) -> str:
        """Start the sandbox and return its address without waiting: others have work to do meanwhile."""
        port = choose_port("the sandbox", int(wanted.get("SANDBOX_PORT") or SANDBOX_PORT))
        self._add("sandbox", "backoffice.sandbox", "--port", str(port), "--state", str(self._state.sandbox),
                  settings={"PATH": wanted.get("PATH", ""), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"})  # fmt: skip
        return f"http://127.0.0.1:{port}"

    def _migrate(self) -> None:
        now = f"{self._environment['DATABASE_URL'].partition('?')[0]} {environment.migrations_digest()}"
        if not self._state.stamped("tables", now):
            self._manage(
                "migrate",
                "--no-input",
                means="the tables are not as this version needs them",
            )
            self._state.stamp("tables", now)

    def _load_demonstration(self, sandbox: str) -> None:
        child = next(child for child in self._children if child.program.name == "sandbox")
        wait_for_page(child, f"{sandbox}/_sandbox/health", "the sandbox does not answer")
        now = f"{sandbox} {self._environment['DATABASE_URL'].partition('?')[0]}"
        if not self._state.stamped("demonstration", now):
            self._manage("load_demonstration", "--sandbox-url", sandbox, means="the demonstration firm is not complete")
            self._state.stamp("demonstration", now)

    def _collect_static(self) -> None:
        now = environment.static_digest()
        collected = self._state.folder / "static" / "staticfiles.json"
        if not (collected.exists() and self._state.stamped("static", now)):
            self._manage(
                "collectstatic",
                "--no-input",
                "--clear",
                means="the style sheets and scripts are not ready to be served",
            )
            self._state.stamp("static", now)

    def _start_web(self, wanted: dict[str, str]) -> str:
        port = choose_port("the web", int(wanted.get("PORT") or WEB_PORT))
        web = self._add("web", *web_command(port)[2:])
        address = f"http://127.0.0.1:{port}"
        wait_for_page(web, f"{address}/healthz", "the web server does not answer")
        return address

    def _start_workers(self) -> None:
        settings = self._environment | {"DATABASE_POOL_SIZE": self._environment.get("DATABASE_POOL_SIZE", "3")}
        for name, (queues, processes) in WORKERS.items():
            self._add(
                f"{name} worker", "celery", "-A", "backoffice.celery", "worker", "-Q", queues, "-c", str(processes),
                "-n", f"{name}@%h", "--without-gossip", "--without-mingle", "--loglevel", "INFO",
                settings=settings, patience_seconds=15,
            )  # fmt: skip
        schedule = self._state.folder / "beat-schedule"
        self._add(
            "clock", "celery", "-A", "backoffice.celery", "beat", "-s", str(schedule), "--pidfile=", settings=settings
        )
        self._add("session keeper", "manage", "keep_session", settings=settings)

    def _manage(self, *command: str, means: str) -> None:
        """Run one management command to its end, as a child that dies with us."""
        program = Program(command[0], [sys.executable, "-m", "manage", *command], self._environment, ROOT)
        child = Child(program, self._undertaker, self._state.log)
        child.log.unlink(missing_ok=True)
        child.start()
        try:
            while (code := child.ended()) is None:
                time.sleep(0.02)
        except KeyboardInterrupt:
            stop(child)
            raise
        if code != 0:
            raise StepFailed(f"{command[0]} ended with code {code}\n{last_lines(child.log)}", means,
                             "look at the log; `make reset` starts from an empty firm",
                             child.log)  # fmt: skip

    def _command_output(self, command: str) -> str:
        log = self._state.log / f"{command}.log"
        self._manage(command, means="the logins cannot be shown")
        return log.read_text(encoding="utf-8")

    def _stay(self) -> None:
        """Look after the children until a signal comes, or until the `make` that started us is gone."""
        under_make = "MAKELEVEL" in os.environ
        while not (under_make and os.getppid() != self._parent):
            for child in self._children:
                tend(child)
            time.sleep(0.1)
        raise KeyboardInterrupt

    def _stop(self) -> None:
        """Stop in the reverse order of need: who uses a server goes before it. A second Ctrl-C kills what is left."""
        if self._children:
            say("\nStopping …")
        servers = [child for child in self._children if child.program.name in {"postgres", "valkey", "sandbox"}]
        users = [child for child in self._children if child not in servers]
        try:
            stop(*reversed(users))
            stop(*reversed(servers))
            if self._children:
                say("Stopped; the data is kept.")
        except KeyboardInterrupt:
            say("Killing what is left; the data is kept all the same.")
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            self._undertaker.end()
            if self._postgres is not None:
                self._postgres.remove_sockets()


def web_command(port: int) -> list[str]:
    """Return gunicorn's command: two processes of eight threads, loopback only."""
    return [
        sys.executable, "-m", "gunicorn", "backoffice.wsgi:application", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread",
        "--workers", "2", "--threads", "8", "--timeout", "60", "--graceful-timeout", "5", "--no-control-socket",
    ]  # fmt: skip


def interrupt(_signal: int, _frame: FrameType | None) -> None:
    """End the wait for a signal, whichever of the three it was."""
    raise KeyboardInterrupt


def already_running(other: Locked) -> str:
    """Return what a second `make run` says."""
    address = other.holder.get("address")
    where = f"at {address}" if address else "and still starting"
    return (
        f"\nIt is already running here, {where} (process {other.holder.get('pid', 'unknown')}).\n"
        "  What to do: use that one, or stop it with Ctrl-C in its terminal and run this again."
    )


def choose_port(what: str, wanted: int) -> int:
    """Return the wanted port, or a free one and say so."""
    port = free_port(wanted)
    if port != wanted:
        say(f"Port {wanted} is in use by another program; {what} takes {port}.")
    return port


def tend(child: Child) -> None:
    """Start a child again that has ended: soon when it lived a while, later and later when it keeps ending."""
    moment = time.monotonic()
    if (code := child.ended()) is not None:
        lived = moment - child.started_at
        child.failures = 1 if lived > STEADY_SECONDS else child.failures + 1
        pause = min(LONGEST_PAUSE_SECONDS, 2 ** (child.failures - 1))
        child.restart_at = moment + pause
        how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        say(
            f"{time.strftime('%H:%M:%S')}  The {child.program.name} {how}; it starts again in {pause} s (log: {child.log})."
        )
    elif child.restart_at is not None and moment >= child.restart_at:
        child.start()


def wait_for_page(child: Child, url: str, failure: str, seconds: int = 60) -> None:
    """Wait until a child answers on its address; its own end, or the end of our patience, is a `StepFailed`."""
    host, _, path = url.removeprefix("http://").partition("/")
    for _ in ticks(seconds):
        if answers(host, f"/{path}"):
            return
        if (code := child.ended()) is not None:
            failure = f"{failure}: it ended with code {code}"
            break
    raise StepFailed(f"{failure}\n{last_lines(child.log)}", "nobody can use it", "look at the log", child.log)


def answers(host: str, path: str) -> bool:
    """Say whether a page is there."""
    connection = http.client.HTTPConnection(host, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def indented(text: str) -> str:
    """Return text moved in by two."""
    return "\n".join(f"  {line}" for line in text.strip().splitlines())


def reset(state: State, steps: Steps) -> int:
    """`make reset`: remove everything the demonstration wrote. Refused while it runs or when the data is not ours."""
    lock = Lock(state.run / "supervisor.lock")
    try:
        lock.take()
    except Locked as other:
        say(already_running(other) + "\n  Nothing was removed.")
        return 1
    if environment.chosen().get("DATABASE_URL"):
        say(
            "\nDATABASE_URL names a database server of your own; reset wipes the embedded one alone. Nothing was removed."
        )
        return 1
    if sys.stdin.isatty() and os.environ.get("FORCE") != "1":
        answer = input(f"\nRemove every client, order, file and key in {state.folder}? Type yes: ")
        if answer.strip().lower() != "yes":
            say("Nothing was removed.")
            return 1
    with steps.step("Removing the demonstration's data"):
        undertaker = Undertaker(state)
        undertaker.begin()  # waits for, or ends, what a killed run has left
        undertaker.end()
        for name in (
            "postgres",
            "valkey",
            "sandbox",
            "files",
            "keys",
            "static",
            "stamps",
            "secrets.json",
            "beat-schedule",
        ):
            remove(state.folder / name)
    say("The next `make run` makes the firm anew.")
    return 0


def remove(path: Path) -> None:
    """Remove a file or a folder with everything in it; one that is not there is fine."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
