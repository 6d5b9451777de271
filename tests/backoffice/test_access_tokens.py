"""IBKR's access tokens as all processes share them: asked for once, whether that succeeds or fails."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, connections

from backoffice.broker import client, tokens
from backoffice.broker.models import AccessToken
from backoffice.broker.scopes import SCOPES_OF_LANE
from backoffice.ibkr.errors import NotSent, Unavailable
from backoffice.ibkr.types.oauth import AccessToken as FreshToken
from tests.ibkr.test_transport import withdraw

pytestmark = pytest.mark.django_db(transaction=True)
SCOPES = ("accounts.read",)


def fresh(value: str) -> FreshToken:
    return FreshToken(value, 600, frozenset(SCOPES))


def in_threads(many: int, work: Any) -> None:
    def run() -> None:
        work()
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(many)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextmanager
def held_by_another_process(name: str) -> Iterator[None]:
    """Another process is asking IBKR for this token, and the database lets us wait for 100 ms only."""
    other = connections.create_connection("default")
    with other.cursor() as theirs, connection.cursor() as cursor:
        theirs.execute("SELECT pg_advisory_lock(%s)", [tokens.lock_number(name)])
        cursor.execute("SET lock_timeout = 100")
        yield
        cursor.execute("RESET lock_timeout")
    other.close()


def test_fifty_threads_share_one_failure_and_the_next_caller_tries_again(master: Any) -> None:
    asked: list[int] = []
    heard: list[str] = []

    def fetch() -> FreshToken:
        asked.append(1)
        time.sleep(0.5)
        raise Unavailable("IBKR did not answer.")

    def ask() -> None:
        with pytest.raises(Unavailable) as caught:
            source.bearer()
        heard.append(caught.value.reason)

    source = tokens.StoredTokens(master, SCOPES, fetch)
    in_threads(50, ask)

    assert heard == ["IBKR did not answer."] * 50
    assert len(asked) == 1

    assert tokens.StoredTokens(master, SCOPES, lambda: fresh("late")).bearer() == "late"


def test_only_the_token_in_use_can_be_refused(master: Any) -> None:
    source = tokens.StoredTokens(master, SCOPES, lambda: fresh("new"))
    AccessToken.objects.create(master=master, client_id=master.client_id, scopes="accounts.read", token="old")

    assert source.bearer() == "new"
    source.refuse("old")
    assert source.bearer() == "new"
    source.refuse("new")

    assert tokens.StoredTokens(master, SCOPES, lambda: fresh("newer")).bearer() == "newer"


def test_a_write_that_cannot_wait_for_another_processes_token_has_not_been_sent(
    connected_master: Any, sandbox: Any
) -> None:
    name = tokens.StoredTokens(connected_master, SCOPES_OF_LANE["funding"], lambda: fresh("never")).name

    with (
        held_by_another_process(name),
        pytest.raises(NotSent, match="Another process is still waiting for IBKR's access token"),
    ):
        withdraw(client.client_for(connected_master, lane="funding"))

    assert sandbox.requests() == []
    assert client.client_for(connected_master, lane="accounts").accounts.status("U1000011").account_id == "U1000011"
