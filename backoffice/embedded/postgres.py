"""Real PostgreSQL out of a wheel, under our own supervision, on a Unix socket only.

The wheel's own helper is not used: run as root it makes an account and opens every parent folder to all.
- A Unix socket path must stay under 104 bytes (macOS; 107 on Linux), and the account must reach it: its folder is short.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psycopg

from backoffice.embedded import programs
from backoffice.embedded.console import StepFailed, last_lines
from backoffice.embedded.processes import Child, Program, Undertaker, stop, ticks
from backoffice.embedded.state import State

OWNER = "backoffice"  # role and database
LONGEST_SOCKET_FOLDER = 104 - len("/.s.PGSQL.5432.lock") - 1
DURABLE = ("fsync=on", "synchronous_commit=on", "full_page_writes=on")
THROWN_AWAY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
START_SECONDS = 60  # recovery after a kill may take a while
STALE_PID_SECONDS = 10


class Postgres:
    """One cluster with one role and one database. `durable=False` is for tests: a crash of the machine may lose it."""

    def __init__(self, state: State, password: str, undertaker: Undertaker, *, durable: bool = True) -> None:
        self._state = state
        self._password = password
        self._durable = durable
        self._undertaker = undertaker
        self._user = programs.service_user()
        self._data = state.postgres
        self.child: Child | None = None
        self._sockets = Path()

    @property
    def url(self) -> str:
        """Return the address for DATABASE_URL. Known once started."""
        return f"postgresql://{OWNER}:{self._password}@/{OWNER}?host={quote(str(self._sockets), safe='')}"

    def start(self) -> Child:
        """Make the cluster on first use, start it, wait until it answers and has our database."""
        binaries = programs.postgres_bin()
        self._sockets = self._socket_folder()
        if not (self._data / "PG_VERSION").exists():
            self._initialise(binaries)
        settings = (
            *(DURABLE if self._durable else THROWN_AWAY), "listen_addresses=", f"unix_socket_directories={self._sockets}",
            "max_connections=200", "jit=off", "logging_collector=off", "log_min_messages=warning", "timezone=UTC",
        )  # fmt: skip
        options = [part for setting in settings for part in ("-c", setting)]
        command = [str(binaries / "postgres"), "-D", programs.name_of_own_folder(self._data), *options]
        program = Program("postgres", command, plain_environment(), self._data, user=self._user,
                          stop_signal=signal.SIGINT, death_signal=signal.SIGINT, patience_seconds=30)  # fmt: skip
        self.child = Child(program, self._undertaker, self._state.log)
        self._start_and_wait(self.child)
        self._make_database()
        return self.child

    def stop(self) -> None:
        """Stop it cleanly: sessions are ended, a checkpoint is written."""
        if self.child is not None:
            stop(self.child)
        self.remove_sockets()

    def remove_sockets(self) -> None:
        """Remove the socket folder if it lies outside the state directory."""
        if self._sockets != self._state.run and self._sockets.name.startswith("backoffice-"):
            shutil.rmtree(self._sockets, ignore_errors=True)

    def _socket_folder(self) -> Path:
        """Return a folder for the socket that is short enough and that the account can enter and write."""
        if self._user is None and len(str(self._state.run)) <= LONGEST_SOCKET_FOLDER:
            return self._state.run
        note = self._state.run / "sockets"  # the last run's, when it was killed
        if note.exists():
            earlier = Path(note.read_text(encoding="utf-8"))
            if earlier.name.startswith("backoffice-"):
                shutil.rmtree(earlier, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix="backoffice-", dir="/tmp"))  # noqa: S108  (mkdtemp: ours alone, 0700)
        note.write_text(str(folder), encoding="utf-8")
        self._give(folder)
        return folder

    def _give(self, path: Path) -> None:
        if self._user is not None:
            entry = pwd.getpwnam(self._user)
            os.chown(path, entry.pw_uid, entry.pw_gid)

    def _initialise(self, binaries: Path) -> None:
        """Make the cluster in a folder that counts only when initdb is through."""
        require_passwd_entry()
        shutil.rmtree(
            self._state.stamps, ignore_errors=True
        )  # what was done to an earlier database is not done to this one
        if self._data.exists():
            shutil.rmtree(self._data)  # an initdb that was cut off: PG_VERSION is the last thing it needs
        self._data.mkdir(mode=0o700)
        self._give(self._data)
        secret = self._sockets / "initdb-password"
        secret.touch(mode=0o600)
        secret.write_text(self._password, encoding="utf-8")
        self._give(secret)
        command = [
            str(binaries / "initdb"), "-D", programs.name_of_own_folder(self._data), "-U", OWNER, "--pwfile", str(secret),
            "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
            "--data-checksums",
            *([] if self._durable else ["--no-sync"]),
        ]  # fmt: skip
        log = self._state.log / "initdb.log"
        become = {} if self._user is None else account_arguments(self._user)
        try:
            with log.open("wb") as output:
                done = subprocess.run(command, cwd=self._data, env=plain_environment(), stdin=subprocess.DEVNULL,
                                      stdout=output, stderr=output, timeout=180, **become)  # type: ignore[call-overload]  # fmt: skip
        finally:
            secret.unlink()
        if done.returncode != 0:
            shutil.rmtree(self._data, ignore_errors=True)
            raise StepFailed(f"initdb ended with code {done.returncode}\n{last_lines(log)}", "the database could not be made",
                             "look at the log; a full disk is the usual cause", log)  # fmt: skip

    def _start_and_wait(self, child: Child) -> None:
        """Start and wait for the first answer. After a kill -9 the old server may take a moment to let go of its folder."""
        for _ in ticks(STALE_PID_SECONDS, 500):
            child.start()
            for _ in ticks(START_SECONDS):
                if self._answers():
                    return
                if child.ended() is not None:
                    break
        stop(child)
        raise StepFailed(f"PostgreSQL does not start\n{last_lines(child.log)}", "there is no database",
                         "look at the log; if another server holds the data folder, stop that one", child.log)  # fmt: skip

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.url.replace(f"/{OWNER}?", "/postgres?"), connect_timeout=3):
                return True
        except psycopg.OperationalError:
            return False

    def _make_database(self) -> None:
        with psycopg.connect(self.url.replace(f"/{OWNER}?", "/postgres?"), autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [OWNER]).fetchone() is None:
                with suppress(psycopg.errors.DuplicateDatabase):
                    connection.execute(f"CREATE DATABASE {OWNER}")


def require_passwd_entry() -> None:
    """See that our user id has a name: initdb refuses to work for a number alone (a container started with `--user 1234`)."""
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        raise StepFailed(f"user id {os.geteuid()} has no entry in /etc/passwd", "initdb refuses to work without a user name",
                         "start as a user with a name, or set DATABASE_URL to a server of your own") from None  # fmt: skip


def account_arguments(user: str) -> dict[str, object]:
    """Return the arguments that make `subprocess` drop to an account for good."""
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def plain_environment() -> dict[str, str]:
    """Return an environment for the C servers: no secret of ours, no locale of the machine."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
