"""The embedded PostgreSQL and Valkey keep their data through an orderly stop and through kill -9."""

import signal
import stat
import time

import psycopg
import pytest
import redis

from backoffice.embedded import programs
from backoffice.embedded.postgres import LONGEST_SOCKET_FOLDER, Postgres
from backoffice.embedded.processes import Child, Undertaker
from backoffice.embedded.state import State
from backoffice.embedded.supervisor import tend
from backoffice.embedded.valkey import Valkey

SECRET = "5" * 48


def ask(postgres: Postgres, question: str) -> object:
    with psycopg.connect(postgres.url) as connection:
        row = connection.execute(question).fetchone()
    return row[0] if row else None


def crash(child: Child) -> None:
    """kill -9 and wait until it is collected."""
    assert child.process is not None
    child.process.send_signal(signal.SIGKILL)
    child.process.wait(10)


def test_postgres_keeps_what_was_committed_through_stop_and_kill(state: State, undertaker: Undertaker) -> None:
    first = Postgres(state, SECRET, undertaker)
    child = first.start()
    with psycopg.connect(first.url) as connection:
        connection.execute("CREATE TABLE kept (word text)")
        connection.execute("INSERT INTO kept VALUES ('committed before the kill')")
    crash(child)
    child.ended()

    second = Postgres(state, SECRET, undertaker)
    second.start()
    assert ask(second, "SELECT word FROM kept") == "committed before the kill"
    second.stop()

    third = Postgres(state, SECRET, undertaker)
    third.start()
    assert ask(third, "SELECT count(*) FROM kept") == 1
    assert [ask(third, f"SHOW {name}") for name in ("fsync", "synchronous_commit", "data_checksums")] == [
        "on",
        "on",
        "on",
    ]
    assert ask(third, "SHOW listen_addresses") == ""
    third.stop()


def test_postgres_wants_the_password_and_nobody_else_reads_its_files(state: State, undertaker: Undertaker) -> None:
    postgres = Postgres(state, SECRET, undertaker, durable=False)
    postgres.start()

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.url.replace(SECRET, "wrong"))

    assert stat.S_IMODE(state.postgres.stat().st_mode) == 0o700
    assert not list(postgres._sockets.glob("initdb*"))
    postgres.stop()


def test_a_crashed_postgres_is_started_again_and_answers(
    state: State, undertaker: Undertaker, capsys: pytest.CaptureFixture[str]
) -> None:
    postgres = Postgres(state, SECRET, undertaker, durable=False)
    child = postgres.start()

    crash(child)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not postgres._answers():
        tend(child)
        time.sleep(0.05)

    assert ask(postgres, "SELECT 1") == 1
    assert "The postgres was ended by signal 9; it starts again in 1 s" in capsys.readouterr().out
    postgres.stop()


def test_valkey_keeps_its_messages_through_stop_and_kill(state: State, undertaker: Undertaker) -> None:
    first = Valkey(state, SECRET, undertaker)
    child = first.start()
    with redis.Redis.from_url(first.url) as broker:
        broker.rpush("trading", "ring")
        assert broker.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    time.sleep(1.5)  # appendfsync everysec
    crash(child)
    child.ended()

    second = Valkey(state, SECRET, undertaker)
    second.start()
    with redis.Redis.from_url(second.url) as broker:
        assert broker.lrange("trading", 0, -1) == [b"ring"]
        broker.rpush("trading", "again")
    second.stop()

    third = Valkey(state, SECRET, undertaker)
    third.start()
    with redis.Redis.from_url(third.url) as broker:
        assert broker.llen("trading") == 2
    third.stop()


def test_valkey_wants_the_password(state: State, undertaker: Undertaker) -> None:
    valkey = Valkey(state, SECRET, undertaker, durable=False)
    valkey.start()

    with redis.Redis(port=valkey.port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()

    valkey.stop()


def test_a_long_checkout_path_still_gets_a_socket(state: State, undertaker: Undertaker) -> None:
    deep = State(state.folder / ("a-folder-with-a-long-name-" * 4)).make()
    postgres = Postgres(deep, SECRET, undertaker, durable=False)
    postgres.start()

    assert len(str(postgres._sockets)) <= LONGEST_SOCKET_FOLDER
    assert ask(postgres, "SELECT 1") == 1
    postgres.stop()


def test_servers_as_root_run_under_another_account_in_a_closed_folder(state: State, undertaker: Undertaker) -> None:
    """As an ordinary user the server is ours; as root it is `nobody`'s, though `nobody` may not enter the checkout."""
    state.folder.parent.chmod(0o700)
    postgres = Postgres(state, SECRET, undertaker, durable=False)
    child = postgres.start()
    assert child.process is not None

    owner = state.postgres.owner()

    assert owner == (programs.service_user() or state.folder.owner())
    assert stat.S_IMODE(state.folder.parent.stat().st_mode) == 0o700
    postgres.stop()
