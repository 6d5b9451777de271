"""I02: the database is killed in the middle of many approvals. What was said yes to stands; nothing stands half."""

import os
import signal
import subprocess
import sys
from typing import Any

import psycopg
import pytest

from backoffice.embedded.postgres import Postgres
from backoffice.embedded.processes import Undertaker
from backoffice.embedded.state import State
from tests.embedded.conftest import ROOT

SECRET = "5" * 48
ALL, BEFORE_THE_KILL = 120, 20
# Eight people's threads approve; an id is printed once its approval was committed, never before.
APPROVERS = f"""
import sys, threading, uuid
import django
django.setup()
from django.db import Error, connection
from backoffice.broker.models import MasterAccount
from backoffice.journal import services as journal
from backoffice.people.models import User
from tests.journal_rows import make_submission

maker = User.objects.create_user(email="maker@example.com", name="Maker", role="operations")
principal = User.objects.create_user(email="principal@example.com", name="Principal", role="principal")
master = MasterAccount.objects.create(account="F1", kind="FA", environment="sandbox", base_url="http://127.0.0.1:9",
                                      client_id="X", key_id="x", private_key_path="/nonexistent", username="u")
waiting = [make_submission(master, maker, approvals_needed=1) for _ in range({ALL})]
lock = threading.Lock()
def work():
    try:
        while True:
            with lock:
                if not waiting:
                    return
                row = waiting.pop()
            journal.approve(row, by=principal, payload_sha256=row.payload_sha256)
            with lock:
                print(row.pk, flush=True)
    except Error:
        pass
threads = [threading.Thread(target=work) for _ in range(8)]
[each.start() for each in threads]
[each.join() for each in threads]
"""


def run(state: State, postgres: Postgres, *command: str) -> subprocess.Popen[str]:
    settings = {"DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT), "DATABASE_URL": postgres.url}
    return subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env={**os.environ, **settings}, stdout=subprocess.PIPE,
        stderr=(state.log / "approvals.log").open("ab"), text=True,
    )  # fmt: skip


@pytest.mark.row(id="I02")
def test_approvals_stand_whole_or_not_at_all_when_the_database_is_killed(state: State, undertaker: Undertaker) -> None:
    first = Postgres(state, SECRET, undertaker)
    child: Any = first.start()
    assert run(state, first, "-m", "django", "migrate", "-v0").wait(120) == 0
    approvers = run(state, first, "-c", APPROVERS)
    assert approvers.stdout is not None
    said = [approvers.stdout.readline().strip() for _ in range(BEFORE_THE_KILL)]
    assert all(said), (state.log / "approvals.log").read_text()[-2000:]

    os.kill(child.process.pid, signal.SIGKILL)
    child.process.wait(10)
    said += [line.strip() for line in approvers.stdout]
    approvers.wait(30)
    child.ended()
    second = Postgres(state, SECRET, undertaker)
    second.start()

    with psycopg.connect(second.url) as connection:
        found = connection.execute(
            "SELECT s.id::text, s.state, count(a.id), (SELECT count(*) FROM audit_entry e WHERE e.action = 'journal.approve'"
            " AND e.subject_id = s.id::text) FROM journal_submission s LEFT JOIN journal_approval a ON a.submission_id = s.id"
            " GROUP BY s.id, s.state"
        ).fetchall()
    second.stop()
    assert len(found) == ALL
    assert {(state_, approvals, entries) for _, state_, approvals, entries in found} <= {
        ("ready", 1, 1), ("proposed", 0, 0),
    }  # fmt: skip
    stands = {key for key, state_, _, _ in found if state_ == "ready"}
    assert set(said) <= stands, "a yes that was answered is lost"
    assert BEFORE_THE_KILL <= len(stands) < ALL
