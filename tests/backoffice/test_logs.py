"""What the log says of a trouble that comes again and again: one line, no traceback."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test import Client

from backoffice.audit.tasks import sweep_exchanges
from backoffice.broker.management.commands import keep_session
from backoffice.broker.models import MasterAccount
from backoffice.people.tasks import sweep_sessions

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def outage() -> Iterator[None]:
    working = connection.settings_dict["PORT"]
    connection.close()
    connection.settings_dict["PORT"] = "1"
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["PORT"] = working
        connection.ensure_connection()


def lines(caplog: pytest.LogCaptureFixture, *names: str) -> list[str]:
    """Return the troubles written under these names, each as the log file has it, traceback and all."""
    troubles = [each for each in caplog.records if each.name in names and each.levelno >= logging.WARNING]
    return [logging.Formatter("%(message)s").format(each) for each in troubles]


def test_a_foreign_host_costs_one_line(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    answer = client.get("/", headers={"host": "stranger.example"})

    assert answer.status_code == 400
    assert lines(caplog, "django.security.DisallowedHost") == [
        "Invalid HTTP_HOST header: 'stranger.example'. You may need to add 'stranger.example' to ALLOWED_HOSTS."
    ]


def test_tasks_say_once_that_the_database_is_away_and_once_that_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    with outage():
        for task in (sweep_exchanges, sweep_sessions, sweep_exchanges):
            task.apply()
    sweep_exchanges.apply()

    first, last = lines(caplog, "celery.app.trace", "backoffice.core.logs")
    assert first.startswith("the database does not answer, so tasks fail and are rung again until it does: ")
    assert "\n" not in first
    assert last.startswith("the database answers again, after ")


def test_a_page_without_a_database_costs_one_line(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    client.raise_request_exception = False

    with outage():
        client.get("/account/login/")

    assert lines(caplog, "django.request") == ["Service Unavailable: /account/login/: the database does not answer"]


def test_a_task_that_fails_for_another_reason_keeps_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_exchange RENAME TO audit_exchange_elsewhere")
    try:
        sweep_exchanges.apply()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE audit_exchange_elsewhere RENAME TO audit_exchange")

    (line,) = lines(caplog, "celery.app.trace")
    assert "Traceback" in line
    assert "audit_exchange" in line


def test_a_keeper_whose_database_goes_says_so_in_one_line(
    master: MasterAccount, caplog: pytest.LogCaptureFixture
) -> None:
    with outage():
        keep_session._own(master, threading.Event())

    assert lines(caplog, "backoffice.broker.management.commands.keep_session") == [
        "F1000001: the database does not answer; its session is taken up again when it does"
    ]
