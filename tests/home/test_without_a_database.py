"""Pages while the database is away: each attempt to connect is a wait of seconds, so a page makes one."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Take the database away; holds one item for each attempt to connect to it."""
    made: list[str] = []
    connect = connection.connect

    def counted() -> None:
        made.append("attempt")
        connect()

    working = connection.settings_dict["PORT"]
    connection.close()
    connection.settings_dict["PORT"] = "1"
    monkeypatch.setattr(connection, "connect", counted)
    yield made
    monkeypatch.undo()
    connection.close()
    connection.settings_dict["PORT"] = working


@pytest.mark.parametrize("address", ["/account/login/", "/account/password/reset/", "/"])
@pytest.mark.parametrize("session", ["", "abcdefghijabcdefghijabcdefghijab"], ids=["a stranger", "somebody signed in"])
def test_a_page_waits_once_for_a_database_that_is_away(
    client: Client, attempts: list[str], address: str, session: str
) -> None:
    client.raise_request_exception = False
    client.cookies["session"] = session

    answer = client.get(address, follow=True)

    assert answer.status_code == 503
    assert "The database does not answer" in answer.content.decode()
    assert attempts == ["attempt"]
