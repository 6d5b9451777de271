"""Digests of what is said to and by IBKR: no body, no number, beside the object, and bound into the chain."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.db import connection

from backoffice.audit import exchanges, ledgers, sealing, services, verifying
from backoffice.audit.models import Entry, Exchange
from backoffice.broker.client import client_for
from backoffice.broker.health import record_exchange
from backoffice.core import clock
from backoffice.ibkr.transport import Call, Effect, Transport

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _alone(settings: Any, tmp_path: Path) -> Iterator[None]:
    settings.AUDIT_ANCHORS = tmp_path
    yield
    exchanges.about(None)
    services.origin.set(None)


def test_an_exchange_about_an_account_is_kept_beside_it_without_its_number(
    connected_master: Any, principal: Any
) -> None:
    services.origin.set(services.Origin(correlation="abc123def456"))
    exchanges.about(principal)

    client_for(connected_master, lane="accounts").accounts.status("U1000011")

    row = exchanges.of(principal).get(method="GET")
    assert (row.path, row.status, row.outcome) == ("/gw/api/v1/accounts/{accountId}/status", 200, "answered")
    assert (row.connection, row.lane, row.correlation, row.is_kept) == (
        connected_master.pk, "accounts", "abc123def456", True
    )  # fmt: skip
    assert "U1000011" not in str(list(Exchange.objects.values()))


def test_the_digests_are_those_of_the_bytes_that_went_and_came(sandbox: Any, master: Any) -> None:
    transport = Transport(recorder=lambda sent: record_exchange(master, sent, "accounts"))

    reply = transport.send(Call(method="GET", url=f"{sandbox.url}/_sandbox/health", effect=Effect.READ))

    row = Exchange.objects.get()
    assert row.answer_sha256 == hashlib.sha256(reply.body).hexdigest()
    assert row.request_sha256 == hashlib.sha256(b"").hexdigest()
    assert row.request_id == reply.exchange.request_id


def test_a_read_for_nobody_in_particular_is_swept_after_days(sandbox: Any, master: Any, principal: Any) -> None:
    transport = Transport(recorder=lambda sent: record_exchange(master, sent, "accounts"))
    with time_machine.travel(clock.now() - timedelta(days=4)):
        transport.send(Call(method="GET", url=f"{sandbox.url}/_sandbox/health", effect=Effect.READ))
        _note(master, principal, 1)

    assert exchanges.sweep() == 1
    assert list(Exchange.objects.values_list("method", "is_kept")) == [("POST", True)]


def test_an_answer_that_never_came_has_no_digest(master: Any) -> None:
    transport = Transport(recorder=lambda sent: record_exchange(master, sent, "accounts"), attempts=1)

    with pytest.raises(Exception, match="did not answer"):
        transport.send(Call(method="GET", url="http://127.0.0.1:9/gw/api/v1/accounts", effect=Effect.READ))

    row = Exchange.objects.get()
    assert (row.status, row.answer_sha256) == (None, "")
    assert row.outcome != "answered"


def _note(master: Any, subject: Any, number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {exchanges.NOTE}",
            [clock.now(), master.pk, "funding", "POST", "/gw/api/v1/external-cash-transfers", 200, "answered", number, "r",
             "a" * 64, "b" * 64, subject._meta.label_lower, str(subject.pk), "", True],
        )  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_exchange SET answer_sha256 = repeat('c', 64) WHERE milliseconds = 3",
        "DELETE FROM audit_exchange WHERE milliseconds = 0",
        "UPDATE audit_exchange SET is_kept = FALSE WHERE milliseconds = 3",
        "INSERT INTO audit_exchange SELECT id + 1, at, connection, lane, method, path, status, outcome, 99, request_id,"
        " request_sha256, answer_sha256, subject_model, subject_id, correlation, is_kept FROM audit_exchange"
        " WHERE milliseconds = 2",
    ],
)
def test_a_changed_exchange_is_found_by_the_entry_that_binds_it(change: str, master: Any, principal: Any) -> None:
    with time_machine.travel(clock.now() - timedelta(minutes=5)):
        for number in range(5):
            _note(master, principal, number)
            with connection.cursor() as cursor:
                cursor.execute("SELECT nextval(pg_get_serial_sequence('audit_exchange', 'id'))")
    assert ledgers.EXCHANGES.seal() == 5
    assert ledgers.EXCHANGES.seal() == 0
    bound = Entry.objects.get(action="audit.seal_exchanges")
    sealing.seal_committed()
    assert verifying.verify().is_whole

    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE audit_exchange DISABLE TRIGGER USER")
        cursor.execute(change)
    problem = verifying.verify().problem

    assert problem is not None
    assert (problem.entry, problem.position) == (bound.pk, 1)
    assert "the exchanges with IBKR" in problem.what
