"""A backup is worth what comes out of it: pg_dump, pg_restore into an empty database, and everything is there."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from backoffice.embedded.programs import postgres_bin
from backoffice.people.models import Book
from clients.models import Client

RESTORED = "restored_by_a_test"


@pytest.fixture
def program() -> Iterator[Callable[..., str]]:
    """Run one of PostgreSQL's programs against the server of the tests; return what it had to say."""
    settings = connection.settings_dict
    told = {
        "PGHOST": settings["HOST"],
        "PGPORT": settings["PORT"],
        "PGUSER": settings["USER"],
        "PGPASSWORD": settings["PASSWORD"],
    }

    def run(name: str, *arguments: str) -> str:
        return subprocess.run(
            [postgres_bin() / name, *arguments], env=os.environ | told, capture_output=True, text=True, check=False
        ).stderr

    yield run
    run("dropdb", "--if-exists", RESTORED)


@pytest.mark.django_db(transaction=True)
def test_a_backup_can_be_restored_whole(program: Callable[..., str], book: Book, tmp_path: Path) -> None:
    Client.objects.create(first_name="Ada", last_name="Ångström", book=book, country="SWE")
    dump = str(tmp_path / "backup")

    assert program("pg_dump", "-Fc", "-f", dump, str(connection.settings_dict["NAME"])) == ""
    assert program("createdb", RESTORED) == ""
    assert program("pg_restore", "-d", RESTORED, dump) == ""

    parameters = connection.get_connection_params() | {"dbname": RESTORED}
    parameters.pop("cursor_factory", None)
    parameters.pop("context", None)
    with psycopg.connect(**parameters) as restored, connection.cursor() as ours:
        for table in connection.introspection.table_names():
            count = f'SELECT count(*) FROM "{table}"'
            ours.execute(count)
            assert restored.execute(count).fetchone() == ours.fetchone(), table
        found = restored.execute("SELECT last_name FROM clients_client WHERE name_words @@ folded_beginnings('angst')")
        assert found.fetchall() == [("Ångström",)]
