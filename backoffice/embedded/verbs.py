"""The verbs of `make` that look at the code: check, test (and its parts), bench, lock."""

import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backoffice.embedded import environment, setup
from backoffice.embedded.console import StepFailed, Steps, say, took
from backoffice.embedded.postgres import Postgres
from backoffice.embedded.processes import Program, Undertaker, launched
from backoffice.embedded.state import ROOT, Lock, Locked, State
from backoffice.embedded.supervisor import interrupt
from backoffice.embedded.valkey import Valkey

BIN = Path(sys.executable).parent
DEPENDENCIES = "Known weaknesses of what we depend on (pip-audit, npm audit)"
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUMS_OF_MACOS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)


@contextmanager
def servers_for_tests(state: State) -> Iterator[tuple[dict[str, str], Undertaker]]:
    """Run a PostgreSQL and a Valkey of the tests' own; yields the environment that points at them and the undertaker."""
    lock = Lock(state.run / "supervisor.lock")
    try:
        lock.take()
    except Locked as other:
        raise StepFailed(f"process {other.holder.get('pid', '?')} is testing here already", "the two would share servers",
                         "wait for it, or stop it") from None  # fmt: skip
    undertaker = Undertaker(state)
    kept = state.secrets()
    postgres = Postgres(state, kept["database_password"], undertaker, durable=False)
    valkey = Valkey(state, kept["broker_password"], undertaker, durable=False)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        undertaker.begin()
        postgres.start()
        valkey.start()
        settings = os.environ | {
            "DATABASE_URL": postgres.url,
            "CELERY_BROKER_URL": valkey.url,
            "BACKOFFICE_STATE": str(state.folder),
            "PYTHONPATH": str(ROOT),
        }
        yield settings, undertaker
    finally:
        valkey.stop()
        postgres.stop()
        undertaker.end()
        lock.release()


def run_tests(state: State, steps: Steps, selection: tuple[str, ...] = ()) -> int:
    """`make test`: every test on servers of its own, in two processes. Prints nothing after pytest's last line."""
    state = State(state.folder / "test").make()
    with steps.step("A browser for the browser tests"):
        chromium = find_chromium(state.log / "chromium.log")
    steps.done += 1  # PostgreSQL and Valkey: the context prints when it is entered
    started = time.monotonic()
    with servers_for_tests(state) as (settings, undertaker):
        say(
            f"{steps.done}/{steps.total} PostgreSQL and Valkey of the tests' own … {took(round(time.monotonic() - started))}"
        )
        settings["CHROMIUM_PATH"] = str(chromium)
        with steps.step("Files of the pages, as tests serve them"):
            collect_static(state, settings)
        arguments = [*selection, "-n", "2", *shlex.split(os.environ.get("PYTEST_ARGS", ""))]
        say(f"\npytest {shlex.join(arguments)}")
        return in_foreground([str(BIN / "pytest"), *arguments], settings, undertaker)


def collect_static(state: State, settings: dict[str, str]) -> None:
    """Collect the static files for tests that serve them as production does."""
    now = environment.static_digest()
    if not state.stamped("static", now):
        command = [sys.executable, "-m", "django", "collectstatic", "--no-input", "--clear"]
        setup.run_logged(command, state.log / "collectstatic.log", "the pages have no style sheets", "look at the log",
                         settings | deployment_settings())  # fmt: skip
        state.stamp("static", now)


def in_foreground(command: list[str], settings: dict[str, str], undertaker: Undertaker) -> int:
    """Run a command on our own terminal, in a group of its own: all of it, its own children too, dies with us."""
    process = subprocess.Popen(
        launched(command), cwd=ROOT, env=settings, stdin=subprocess.DEVNULL, start_new_session=True
    )
    undertaker.watch(process.pid, Program(Path(command[0]).name, command, settings, ROOT))
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGINT)  # it prints what it has so far
        with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            process.wait(timeout=20)
        return 130
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        undertaker.forget(process.pid)


def find_chromium(log: Path) -> Path:
    """Return a Chromium, installing Debian's when that is ours to do. Without one the browser tests would prove nothing."""
    named = os.environ.get("CHROMIUM_PATH")
    candidates = [named] if named else [*map(shutil.which, CHROMIUMS), *CHROMIUMS_OF_MACOS]
    for candidate in candidates:
        if candidate and Path(candidate).exists():
            return Path(candidate)
    if named:
        raise StepFailed(
            f"CHROMIUM_PATH names {named}, which is not there", "the browser tests cannot run", "correct CHROMIUM_PATH"
        )
    if shutil.which("apt-get") and os.geteuid() == 0:
        command = "apt-get install -y --no-install-recommends chromium"
        setup.run_logged(["sh", "-c", f"{command} || {{ apt-get update && {command}; }}"], log,
                         "Chromium is not installed, so the browser tests cannot run", f"run: apt-get update && {command}",
                         os.environ | {"DEBIAN_FRONTEND": "noninteractive"})  # fmt: skip
        return find_chromium(log)
    mend = "install Chromium or Chrome and set CHROMIUM_PATH to it"
    if shutil.which("apt-get"):
        mend = "run: sudo apt-get update && sudo apt-get install -y chromium"
    elif sys.platform == "darwin":
        mend = "run: brew install --cask chromium"
    raise StepFailed(
        "no Chromium or Chrome is installed", "the browser tests cannot run, and they are never skipped", mend
    )


def deployment_settings() -> dict[str, str]:
    """Return settings as a careful production has them, with secrets nobody keeps."""
    return {
        "DJANGO_SETTINGS_MODULE": "backoffice.settings",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "FIELD_KEYS": "c1:" + "QUJD" * 10 + "QUI=",
        "BLIND_INDEX_KEY": "QUJD" * 10 + "QUI=",
        "ALLOWED_HOSTS": "backoffice.example.com",
        "PUBLIC_URL": "https://backoffice.example.com",
        "HTTPS": "true",
        "DEBUG": "false",
        "DEMONSTRATION": "false",
    }


def check(state: State, steps: Steps) -> int:
    """`make check`: everything a tool can judge. Every step runs, whatever the one before said; the summary names the failed."""
    state = State(state.folder / "check").make()
    manage = [sys.executable, "-m", "django"]
    failed: list[str] = []
    with servers_for_tests(state) as (settings, _):
        settings |= deployment_settings()
        for title, command in {
            "Lint (ruff)": [str(BIN / "ruff"), "check", "--output-format", "concise", "."],
            "Format (ruff)": [str(BIN / "ruff"), "format", "--check", "."],
            "Types (mypy)": [str(BIN / "mypy"), "backoffice", "clients", "funding", "trading", "reporting"],
            "Templates (djlint)": [str(BIN / "djlint"), "templates", "--lint", "--quiet"],
            "Migrations are complete": [*manage, "makemigrations", "--check", "--dry-run"],
            "Deployment settings": [*manage, "check", "--deploy", "--fail-level", "WARNING"],
            "Import contracts (import-linter)": [str(BIN / "lint-imports")],
            DEPENDENCIES: [sys.executable, "-m", "backoffice.embedded.dependencies"],
        }.items():
            steps.done += 1
            print(f"{steps.done}/{steps.total} {title} … ", end="", flush=True)
            started = time.monotonic()
            done = subprocess.run(launched(command), cwd=ROOT, env=settings, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # fmt: skip
            seconds = took(round(time.monotonic() - started))
            said = f" ({done.stdout.strip()})" if title == DEPENDENCIES else ""  # what it could not ask is said too
            say(f"{seconds}{said}" if done.returncode == 0 else f"failed after {seconds}\n\n{done.stdout.rstrip()}\n")
            if done.returncode != 0:
                failed.append(title)
    say(f"\ncheck: {len(failed)} failed: {', '.join(failed)}" if failed else "\ncheck: everything holds")
    return 1 if failed else 0


def lock(state: State, steps: Steps) -> int:
    """`make lock`: resolve the requirements and the npm packages again. The test lock keeps to what the run lock chose."""
    tool = state.folder / "lock"
    log = state.log / "lock.log"
    compile_ = [str(tool / "bin" / "uv"), "pip", "compile", "--universal", "--python-version", "3.11", "--generate-hashes",
                "--no-emit-index-url", "--upgrade"]  # fmt: skip
    with steps.step("Resolving the Python and npm packages"):
        for command in (
            [sys.executable, "-m", "venv", str(tool)],
            [str(tool / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", "uv"],
            [*compile_, "requirements/run.in", "-o", "requirements/run.txt"],
            [*compile_, "-c", "requirements/run.txt", "requirements/test.in", "-o", "requirements/test.txt"],
            [*setup.npm_command(), "update", "--package-lock-only", "--no-audit", "--no-fund"],
        ):
            setup.run_logged(command, log, "the locks are not renewed", "look at the log", dict(os.environ))
    say("Look at the difference, run `make check` and `make test`, then commit it.")
    return 0
