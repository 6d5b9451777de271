"""Real Valkey out of a wheel as the broker: append-only, nothing evicted, a password, loopback only."""

import os
import pwd
import signal
import socket

from backoffice.embedded import programs
from backoffice.embedded.console import StepFailed, last_lines
from backoffice.embedded.postgres import plain_environment
from backoffice.embedded.processes import Child, Program, Undertaker, stop, ticks
from backoffice.embedded.state import State, free_port, write_privately

START_SECONDS = 30


class Valkey:
    """One broker with its files in the state directory. The port may differ from start to start."""

    def __init__(self, state: State, password: str, undertaker: Undertaker, *, durable: bool = True) -> None:
        self._state = state
        self._password = password
        self._undertaker = undertaker
        self._durable = durable
        self.port = 0
        self.child: Child | None = None

    @property
    def url(self) -> str:
        """Return the address for CELERY_BROKER_URL. Known once started."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    def start(self) -> Child:
        """Start it and wait until it answers; a port taken at the last moment is answered with another."""
        server = programs.valkey_server()
        user = programs.service_user()
        folder = self._state.valkey
        folder.mkdir(exist_ok=True, mode=0o700)
        command = [str(server), f"{programs.name_of_own_folder(folder)}/valkey.conf"]
        program = Program("valkey", command, plain_environment(), folder, user=user, death_signal=signal.SIGTERM)
        child = self.child = Child(program, self._undertaker, self._state.log)
        for _attempt in range(3):
            self.port = free_port()
            self._configure(user)
            child.start()
            for _ in ticks(START_SECONDS):
                if self._answers():
                    return child
                if child.ended() is not None:
                    break
            stop(child)
        raise StepFailed(f"Valkey does not start\n{last_lines(child.log)}", "there is no broker for the workers",
                         "look at the log, or set CELERY_BROKER_URL to a broker of your own", child.log)  # fmt: skip

    def stop(self) -> None:
        """Stop it; what it holds is on disk."""
        if self.child is not None:
            stop(self.child)

    def _configure(self, user: str | None) -> None:
        """Write the settings, the password among them, where only the server's account reads them."""
        lines = [
            "bind 127.0.0.1", f"port {self.port}", f"requirepass {self._password}", "protected-mode yes", "daemonize no",
            "databases 16", "maxmemory-policy noeviction", "loglevel warning", 'save ""', "dir ./",
            "appendonly yes" if self._durable else "appendonly no", "appendfsync everysec", "aof-load-truncated yes",
        ]  # fmt: skip
        path = self._state.valkey / "valkey.conf"
        write_privately(path, "\n".join(lines) + "\n")
        if user is not None:
            entry = pwd.getpwnam(user)
            for owned in (self._state.valkey, *self._state.valkey.rglob("*")):
                os.chown(owned, entry.pw_uid, entry.pw_gid)

    def _answers(self) -> bool:
        """Ask for the role of the server: a loading one answers the ping with an error."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as line:
                line.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2 and (more := line.recv(256)):
                    answer += more
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"
