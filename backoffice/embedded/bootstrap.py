"""The first step behind every `make` target: find a Python that is new enough and hand over to `setup.py` beside it.

Runs on whatever `python3` is; only the standard library, and only syntax that an old Python can read far enough to say
that it is too old.
"""

import os
import shutil
import sys

OLDEST = (3, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def newer_python():  # type: ignore[no-untyped-def]  # an annotation would be evaluated
    """Return the path of an installed Python that is new enough, or None."""
    for minor in (13, 12, 11, 14):
        found = shutil.which("python3.%d" % minor)  # noqa: UP031
        if found:
            return found
    return None


def main():  # type: ignore[no-untyped-def]
    if sys.version_info < OLDEST:
        other = newer_python()  # type: ignore[no-untyped-call]
        if other is None or os.environ.get("BACKOFFICE_PYTHON") == other:
            sys.stderr.write(
                "Python 3.11 or newer is needed; %s is Python %d.%d.\n"  # noqa: UP031
                "  What to do: install one (Debian, Ubuntu: sudo apt-get install -y python3.11 python3.11-venv;\n"
                "  macOS: brew install python@3.13) and run the same command again.\n"
                % (sys.executable, sys.version_info[0], sys.version_info[1])
            )
            sys.exit(1)
        os.environ["BACKOFFICE_PYTHON"] = other
        os.execv(other, [other] + sys.argv)  # noqa: S606
    sys.path[0] = ROOT
    from backoffice.embedded import setup

    sys.exit(setup.main(sys.argv[1:]))


if __name__ == "__main__":
    main()  # type: ignore[no-untyped-call]
