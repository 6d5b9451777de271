"""Where things written at run time live (`var/`), the secrets made once, ports, locks and stamps. Standard library only."""

import base64
import fcntl
import hashlib
import json
import os
import secrets
import socket
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent


class State:
    """One state directory and the names in it. `BACKOFFICE_STATE` moves it; `make test` has its own under `test/`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run = folder / "run"
        self.log = folder / "log"
        self.stamps = folder / "stamps"
        self.postgres = folder / "postgres"
        self.valkey = folder / "valkey"
        self.sandbox = folder / "sandbox"

    @classmethod
    def chosen(cls) -> "State":
        """Return the directory the environment asks for, `var/` by default."""
        return cls(Path(os.environ.get("BACKOFFICE_STATE") or ROOT / "var").absolute())

    def make(self) -> "State":
        """Create the folders. Nobody else on the machine may look inside."""
        for folder in (self.folder, self.run, self.log, self.stamps):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self

    def secrets(self) -> dict[str, str]:
        """Return the secrets of this installation, made on first use and kept readable by their owner alone."""
        path = self.folder / "secrets.json"
        if path.exists():
            kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
            return kept
        made = {
            "SECRET_KEY": secrets.token_urlsafe(64),
            "FIELD_KEYS": "k1:" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "BLIND_INDEX_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "database_password": secrets.token_hex(24),
            "broker_password": secrets.token_hex(24),
        }
        write_privately(path, json.dumps(made, indent=1))
        return made

    def stamped(self, name: str, value: str) -> bool:
        """Say whether the work called `name` was last done for exactly this value."""
        path = self.stamps / name
        return path.exists() and path.read_text(encoding="utf-8") == value

    def stamp(self, name: str, value: str) -> None:
        """Remember that the work called `name` is done for this value."""
        self.stamps.mkdir(parents=True, exist_ok=True)
        (self.stamps / name).write_text(value, encoding="utf-8")


def write_privately(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


class Locked(Exception):
    """Another process holds the lock. `holder` is what it wrote into it, empty when it has not said anything yet."""

    def __init__(self, holder: dict[str, Any]) -> None:
        super().__init__("locked")
        self.holder = holder


class Lock:
    """A file lock that the kernel drops when its holder dies, whatever way it dies; the file says who holds it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8")

    def take(self, patience_seconds: int = 0) -> "Lock":
        """Take the lock or raise `Locked` after the patience is used up."""
        deadline = time.monotonic() + patience_seconds
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < deadline:
                    time.sleep(0.1)
                    continue
                raise Locked(self._holder()) from None
            self.tell(pid=os.getpid())
            return self

    def tell(self, **facts: object) -> None:
        """Write down who holds the lock, for whoever comes second."""
        self._file.seek(0)
        self._file.truncate()
        json.dump(facts, self._file)
        self._file.flush()

    def release(self) -> None:
        """Give the lock back."""
        self._file.close()

    def _holder(self) -> dict[str, Any]:
        try:
            told: dict[str, Any] = json.loads(self._path.read_text(encoding="utf-8"))
        except ValueError:
            return {}
        return told


def is_free(port: int) -> bool:
    """Say whether a loopback port can be bound right now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port(wanted: int = 0) -> int:
    """Return the wanted loopback port when it is free, otherwise any that is."""
    if wanted and is_free(wanted):
        return wanted
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def digest(*paths: Path) -> str:
    """Return one digest over the content of files, a missing one included."""
    total = hashlib.sha256()
    for path in paths:
        total.update(str(path.name).encode() + b"\0" + (path.read_bytes() if path.is_file() else b"-"))
    return total.hexdigest()


def read_dotenv(path: Path) -> dict[str, str]:
    """Return the NAME=value lines of a `.env` file; remarks and empty lines are passed over, quotes around a value go away."""
    if not path.exists():
        return {}
    values = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, separator, value = line.strip().partition("=")
        if separator and not name.startswith("#"):
            values[name.strip()] = value.strip().strip("'\"")
    return values
