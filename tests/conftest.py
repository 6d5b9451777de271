"""The standing cast, one person per role, and a database whose rules hold."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import TransactionTestCase

import backoffice.celery  # noqa: F401  (as wsgi.py does: doorbells ring our broker)
from tests import emptying

pytest_plugins = [
    "tests.alone",
    "tests.sandbox_process",
    "tests.specification_report",
    "tests.worker_processes",
    "tests.fault_figures",
]
PASSWORD = "correct horse battery"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The browser's tests come last: their event loop stays in the process, and no other may run beside it."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Tests that need real commits are cleaned up after. Where a table has grown large that is by TRUNCATE, so its refusal
    alone is lifted; the other triggers stay.
    """
    TransactionTestCase._fixture_teardown = lambda _case: emptying.empty()
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgname LIKE '%\\_no\\_truncate'")
        for table, trigger in cursor.fetchall():
            cursor.execute(f'ALTER TABLE {table} DISABLE TRIGGER "{trigger}"')


@pytest.fixture
def person(db: None) -> Callable[..., Any]:
    """Make a user: `person("advisor", "Ada Advisor")`."""
    from backoffice.people.models import User

    def make(role: str, name: str) -> User:
        return User.objects.create_user(
            email=f"{name.split()[0].lower()}.{role}@example.com", name=name, role=role, password=PASSWORD
        )

    return make


@pytest.fixture
def advisor(person: Callable[..., Any]) -> Any:
    return person("advisor", "Ada Alder")


@pytest.fixture
def other_advisor(person: Callable[..., Any]) -> Any:
    return person("advisor", "Oscar Other")


@pytest.fixture
def operations(person: Callable[..., Any]) -> Any:
    return person("operations", "Mara Lind")


@pytest.fixture
def principal(person: Callable[..., Any]) -> Any:
    return person("principal", "Tomas Oak")


@pytest.fixture
def second_principal(person: Callable[..., Any]) -> Any:
    return person("principal", "Ines Elm")


@pytest.fixture
def viewer(person: Callable[..., Any]) -> Any:
    return person("viewer", "Vera View")


@pytest.fixture
def administrator(person: Callable[..., Any]) -> Any:
    return person("administrator", "Adam Admin")


@pytest.fixture
def master(db: None) -> Any:
    from backoffice.broker.models import MasterAccount

    return MasterAccount.objects.create(
        account="F1000001",
        kind="FA",
        environment="sandbox",
        base_url="http://127.0.0.1:9",
        client_id="ALDER-ROW-FA",
        key_id="alder-1",
        private_key_path="/nonexistent",
        username="alder01",
    )
