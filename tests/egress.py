"""No test reaches beyond this machine: a connection to anywhere else fails, in every process with the tests' settings.

`tests/settings.py` installs it, so workers and keepers that tests start are held too.
"""

import ipaddress
import socket
from typing import Any

_connect, _connect_ex = socket.socket.connect, socket.socket.connect_ex


class ReachedOut(AssertionError):
    """Something tried to leave the machine."""


def require_here(address: Any) -> None:
    """Raise ReachedOut unless an address of `connect` is a socket file or a loopback address."""
    if not isinstance(address, tuple):
        return
    host = str(address[0])
    try:
        is_here = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_here = False
    if not is_here:
        raise ReachedOut(f"a test reached out to {host}")


def install() -> None:
    """Stand before every connection of this process that Python makes."""

    def connect(self: socket.socket, address: Any) -> None:
        require_here(address)
        _connect(self, address)

    def connect_ex(self: socket.socket, address: Any) -> int:
        require_here(address)
        return _connect_ex(self, address)

    socket.socket.connect = connect  # type: ignore[method-assign]
    socket.socket.connect_ex = connect_ex  # type: ignore[method-assign]
