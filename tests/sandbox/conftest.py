"""One sandbox in this process; every test starts from the first day of its world."""

from collections.abc import Iterator

import pytest

from tests.sandbox.support import Caller, Server, make_key


def start_afresh(caller: Caller) -> None:
    """The first day of the world, at any hour of the week and at any speed.

    On new connections: a fault of the test before may cut its own a moment after the answer.
    """
    caller.http.close()
    caller.control("POST", "reset", {})
    caller.config(enforce_pacing=False, enforce_maintenance=False)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("sandbox"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def registered(server: Server) -> Caller:
    caller = Caller(server.url, make_key())
    caller.register()
    return caller


@pytest.fixture
def caller(registered: Caller) -> Caller:
    """A registered client application of F1000001, in front of a fresh world."""
    start_afresh(registered)
    registered.is_fresh = False
    return registered


@pytest.fixture
def steady(registered: Caller) -> Caller:
    """The same, for tests that leave the world as it is; they share one."""
    if not registered.is_fresh:
        start_afresh(registered)
        registered.is_fresh = True
    return registered
