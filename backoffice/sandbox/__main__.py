"""`python -m backoffice.sandbox --port P --state DIR [--seed N]`."""

import argparse
import fcntl
import ipaddress
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp

from .app import build


def main(around: Callable[[Starlette], ASGIApp] = lambda app: app) -> int:
    """Serve until stopped. `around` wraps the application for whoever watches the sandbox from outside."""
    parser = argparse.ArgumentParser(
        prog="backoffice.sandbox", description="A stand-in for Interactive Brokers' Web API, on loopback only."
    )
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address; anything else is refused")
    parser.add_argument("--port", type=int, default=9100)
    parser.add_argument("--state", type=Path, required=True, help="directory of the sandbox's own SQLite file")
    parser.add_argument("--seed", type=int, default=1, help="seed of a new world; an existing one keeps its own")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="sandbox: %(levelname)s %(message)s")
    if not _is_loopback(arguments.host):
        sys.stderr.write(f"The sandbox listens on loopback only; {arguments.host} is refused.\n")
        return 2
    arguments.state.mkdir(parents=True, exist_ok=True)
    with (arguments.state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write(f"Another sandbox is using {arguments.state}; stop it or name another --state.\n")
            return 3
        app = around(build(arguments.state, arguments.seed))
        # h11, so that a fault can find the connection behind an answer and tear it down
        uvicorn.run(
            app, host=arguments.host, port=arguments.port, http="h11", lifespan="off", log_level="warning",
            server_header=False, proxy_headers=False,
            timeout_graceful_shutdown=1, timeout_keep_alive=75,
        )  # fmt: skip
    return 0


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    sys.exit(main())
