"""Planned faults strike the websocket's handshake as they strike every other request."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

from tests.sandbox.support import Caller, Server, make_key
from tests.sandbox.trading.listener import User, handshake

WS = "^/v1/api/ws$"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    running = Server(tmp_path_factory.mktemp("handshake"))
    caller = Caller(running.url, make_key())
    caller.register()
    yield caller
    running.stop()


@pytest.fixture
def user(client: Caller) -> User:
    client.control("POST", "reset", {"at": "2026-11-24T16:00:00Z"})
    client.config(enforce_pacing=False, enforce_maintenance=False, stream_poll_milliseconds=5)
    found = User(client)
    found.begin()
    return found


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"action": "status", "status": 502}, 502),
        ({"action": "garbage"}, 200),
        ({"action": "html"}, 200),
        ({"action": "maintenance"}, 503),
        ({"action": "expired_token"}, 401),
    ],
)
def test_a_handshake_is_refused_as_the_fault_says_once(user: User, fault: dict[str, Any], status: int) -> None:
    cookie = user.cookie
    user.caller.fault(path=WS, phase="pre_read", **fault)

    assert handshake(user, cookie=cookie) == status
    assert handshake(user, cookie=cookie) == (401 if fault["action"] == "expired_token" else 101)


def test_a_late_handshake_is_let_in(user: User) -> None:
    cookie = user.cookie
    user.caller.fault(path=WS, phase="read_not_applied", action="latency", seconds=0.4)

    begun = time.monotonic()

    assert handshake(user, cookie=cookie) == 101
    assert time.monotonic() - begun >= 0.4


@pytest.mark.parametrize("phase", ["pre_read", "applied_not_answered", "mid_body"])
def test_a_line_is_cut_before_the_answer(user: User, phase: str) -> None:
    cookie = user.cookie
    user.caller.fault(path=WS, phase=phase, action="reset")

    with pytest.raises((InvalidHandshake, InvalidMessage, OSError, EOFError)):
        user.connect(cookie=cookie)
    assert handshake(user, cookie=cookie) == 101


def test_a_connection_that_was_answered_breaks_at_once(user: User) -> None:
    user.caller.fault(path=WS, phase="answered", action="reset")

    with user.connect() as socket, pytest.raises(ConnectionClosed):
        socket.recv(timeout=10)


def test_a_connection_that_got_no_answer_has_taken_the_place_of_the_former(user: User) -> None:
    with user.listen() as listener:
        cookie = user.cookie
        user.caller.fault(path=WS, phase="applied_not_answered", action="reset")
        with pytest.raises((InvalidHandshake, InvalidMessage, OSError, EOFError)):
            user.connect(cookie=cookie)

        code, _ = listener.end()

    assert code == 1000


def test_a_session_that_is_stolen_as_it_connects_is_told_so(user: User) -> None:
    cookie = user.cookie
    user.caller.fault(path=WS, phase="pre_read", action="steal")

    with user.connect(cookie=cookie) as socket:
        heard = [socket.recv(timeout=10) for _ in range(2)]  # no accounts without a session

    assert '"authenticated":false' in str(heard[-1]).replace(" ", "")


def test_each_handshake_is_in_the_log_with_what_became_of_it_and_without_its_bearer(user: User) -> None:
    cookie = user.cookie
    user.caller.fault(path=WS, phase="pre_read", action="status", status=502)
    assert [handshake(user, cookie=cookie), handshake(user, cookie="api=0"), handshake(user, cookie=cookie)] == [
        502,
        401,
        101,
    ]
    user.caller.fault(path=WS, phase="mid_body", action="reset")
    with pytest.raises((InvalidHandshake, InvalidMessage, OSError, EOFError)):
        user.connect(cookie=cookie)

    noted = user.caller.requests_seen(WS)

    assert [(row["status"], row["fault"]) for row in noted] == [
        (502, "pre_read:status"), (401, None), (101, None), (None, "mid_body:reset"),
    ]  # fmt: skip
    assert {(row["method"], row["username"], row["query"]) for row in noted} == {("GET", "alder01", "")}
