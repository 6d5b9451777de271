"""I02: the database is killed in the middle of a hundred approvals. What was said yes to stands; nothing stands half.

A few rounds run with every test, at points that differ from run to run; `make faults` runs fifty. KILL_SEED repeats a run.
"""

import json
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from backoffice.embedded.postgres import Postgres
from backoffice.embedded.processes import Child, Undertaker
from backoffice.embedded.state import State
from tests.embedded.conftest import ROOT, until

SECRET = "5" * 48
AT_ONCE = 100
ALL, QUICK = 50, 4
# Each line it reads is a round: a hundred new submissions, and as many people's threads that approve one each, all let go at
# once. It prints `yes` once an approval was committed, `no` when the line broke before a commit was asked for, and `?` when
# it broke while one was. `again` tries those that are still waiting, as a person does who sees that nothing happened.
DESK = """
import json, sys, threading
import django
django.setup()
import backoffice.celery
from django.db import Error, connection, transaction
from backoffice.broker.models import MasterAccount
from backoffice.core.errors import Conflict
from backoffice.journal import services as journal
from backoffice.journal.models import Submission
from backoffice.people.models import User
from tests.journal_rows import make_submission

maker = User.objects.create_user(email="maker@example.com", name="Maker", role="operations")
principal = User.objects.create_user(email="principal@example.com", name="Principal", role="principal")
master = MasterAccount.objects.create(account="F1", kind="FA", environment="sandbox", base_url="http://127.0.0.1:9",
                                      client_id="X", key_id="x", private_key_path="/nonexistent", username="u")
lock = threading.Lock()

def say(*words):
    with lock:
        print(json.dumps(words), flush=True)

def approve(row, start):
    reached = False
    start.wait()
    try:
        with transaction.atomic():
            journal.approve(row, by=principal, payload_sha256=row.payload_sha256)
            reached = True
        say("yes", str(row.pk))
    except Conflict as refusal:
        say("conflict", str(row.pk), str(refusal))
    except Error:
        say("?" if reached else "no", str(row.pk))
    except Exception as error:
        say("broke", str(row.pk), repr(error))
    finally:
        connection.close()

def at_once(rows):
    start = threading.Barrier(len(rows) + 1)
    threads = [threading.Thread(target=approve, args=(row, start)) for row in rows]
    [each.start() for each in threads]
    say("ready", [str(row.pk) for row in rows])
    start.wait()
    [each.join() for each in threads]
    say("through")

for line in sys.stdin:
    connection.close()  # the one it had may be dead
    if line.strip() == "new":
        with transaction.atomic():
            rows = [make_submission(master, maker, approvals_needed=1) for _ in range(AT_ONCE)]
        at_once(rows)
    else:
        at_once(list(Submission.objects.filter(pk__in=json.loads(line))))
connection.close()
from django.core.management import call_command
call_command("verify_audit")
""".replace("AT_ONCE", str(AT_ONCE))
WHOLE, NOTHING = ("ready", 1, 1, 1), ("proposed", 0, 0, 0)
WHAT_STANDS = """
SELECT s.id::text, s.state, (SELECT count(*) FROM journal_approval a WHERE a.submission_id = s.id),
       (SELECT count(*) FROM audit_entry e WHERE e.action = 'journal.approve' AND e.subject_id = s.id::text),
       (SELECT count(*) FROM core_statusevent v WHERE v.subject_id = s.id::text AND v.new = 'ready')
FROM journal_submission s
"""


class Desk:
    """The process in which people approve. It outlives the database, as a web process does."""

    def __init__(self, state: State, url: str) -> None:
        self.log = state.log / "approvals.log"
        self._process = run(state, url, "-c", DESK)

    def ask(self, order: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(order + "\n")
        self._process.stdin.flush()

    def hear(self) -> list[Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self.log.read_text()[-3000:]
        words: list[Any] = json.loads(line)
        return words

    def hear_all(self) -> Iterator[list[Any]]:
        while (words := self.hear()) != ["through"]:
            yield words

    def close(self) -> str:
        """Let it check the audit's chain and end; return what it had to say."""
        said, _ = self._process.communicate(timeout=120)
        assert self._process.returncode == 0, self.log.read_text()[-3000:]
        return said

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)


def run(state: State, url: str, *command: str) -> subprocess.Popen[str]:
    nobody = "redis://127.0.0.1:9/0"  # a doorbell that nobody hears costs seconds, never an approval
    settings = {
        "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT), "DATABASE_URL": url,
        "CELERY_BROKER_URL": nobody, "BACKOFFICE_STATE": str(state.folder),
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env={**os.environ, **settings}, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=(state.log / "approvals.log").open("ab"), text=True,
    )  # fmt: skip


@dataclass
class Database:
    """The server, killed and started again at the same address, as the supervisor does it."""

    url: str
    child: Child

    def restart(self) -> None:
        assert until(self._is_up, 60), self.child.log.read_text()[-3000:]

    def stands(self) -> dict[str, tuple[str, int, int, int]]:
        """What there is of each submission: its state, and how many approvals, audit entries and moves."""
        with psycopg.connect(self.url) as connection:
            return {key: tuple(found) for key, *found in connection.execute(WHAT_STANDS)}  # type: ignore[misc]

    def server(self) -> int:
        assert self.child.process is not None
        return self.child.process.pid

    def _is_up(self) -> bool:
        if self.child.process is None or self.child.ended() is not None:
            self.child.start()  # in vain while the former one's last process lets go of the folder
        with suppress(psycopg.OperationalError), psycopg.connect(self.url, connect_timeout=3):
            return True
        return False


def children_of(server: int) -> dict[int, str]:
    """What each of the server's own processes calls itself."""
    listed = subprocess.run(["ps", "-axo", "pid=,ppid=,command="], capture_output=True, text=True, check=True)
    rows = [line.split(maxsplit=2) for line in listed.stdout.splitlines()]
    return {int(pid): what for pid, parent, what in rows if int(parent) == server}


def kill_the_server(server: int, luck: random.Random) -> None:
    """Its children notice, each at its next wait, and go."""
    os.kill(server, signal.SIGKILL)


def kill_everything(server: int, luck: random.Random) -> None:
    """In the middle of whatever each was at; one left alive could wait for ever for what a dead one holds."""
    os.kill(server, signal.SIGSTOP)  # so that it has no further child
    for pid in (*children_of(server), server):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill_one_connection(server: int, luck: random.Random) -> None:
    """The server then throws out all others and recovers by itself."""
    serving = sorted(pid for pid, what in children_of(server).items() if "[local]" in what)
    with suppress(ProcessLookupError):
        os.kill(luck.choice(serving or [server]), signal.SIGKILL)


def stop_at_once(server: int, luck: random.Random) -> None:
    """`pg_ctl stop -m immediate`."""
    os.kill(server, signal.SIGQUIT)


KILLS: list[Callable[[int, random.Random], None]] = [
    kill_the_server,
    kill_everything,
    kill_one_connection,
    stop_at_once,
]


@pytest.fixture
def database(state: State, undertaker: Undertaker) -> Iterator[Database]:
    postgres = Postgres(state, SECRET, undertaker)
    started = Database(postgres.url, postgres.start())
    started.url = postgres.url  # known once it has started
    assert run(state, started.url, "-m", "django", "migrate", "-v0").wait(180) == 0
    yield started
    postgres.stop()


@pytest.fixture
def desk(state: State, database: Database) -> Iterator[Desk]:
    opened = Desk(state, database.url)
    yield opened
    opened.kill()


@pytest.mark.faults
@pytest.mark.timeout(1800)
@pytest.mark.row(id="I02")
def test_approvals_stand_whole_or_not_at_all_however_often_the_database_is_killed(
    database: Database, desk: Desk, request: pytest.FixtureRequest
) -> None:
    rounds = ALL if request.config.option.markexpr == "faults" else QUICK
    seed = int(os.environ.get("KILL_SEED") or secrets.randbelow(10**6))
    print(f"KILL_SEED={seed}")  # shown with a failure
    luck = random.Random(seed)
    said_yes: set[str] = set()
    cut_short = 0

    for number in range(rounds):
        desk.ask("new")
        _, asked = desk.hear()
        answers = [desk.hear() for _ in range(luck.choice([0, 0, luck.randrange(1, 40)]))]
        time.sleep(luck.randrange(30) / 1000)
        kill = KILLS[number % len(KILLS)]
        print(f"round {number}: {kill.__name__} after {len(answers)} answers")
        kill(database.server(), luck)
        answers += desk.hear_all()
        database.restart()

        told = {word: {key for said, key, *_ in answers if said == word} for word in ("yes", "no", "?")}
        assert sum(map(len, told.values())) == len(asked) == AT_ONCE, answers
        said_yes |= told["yes"]
        stands = database.stands()
        assert len(stands) == AT_ONCE * (number + 1), "a submission that was made is lost"
        assert set(stands.values()) <= {WHOLE, NOTHING}
        whole = {key for key, what in stands.items() if what == WHOLE}
        assert said_yes <= whole, "a yes that was answered is lost"
        assert not told["no"] & whole, "what was never committed is there"
        cut_short += bool(told["no"] or told["?"])

        # Whoever got no answer asks again: what stands already is not approved twice, everything else is approved now.
        unanswered = sorted(told["no"] | told["?"])
        desk.ask(json.dumps(unanswered))
        desk.hear()
        again = {key: said for said, key, *_ in desk.hear_all()}
        assert again == {key: "conflict" if key in whole else "yes" for key in unanswered}
        said_yes |= {key for key in again if again[key] == "yes"}

    assert set(database.stands().values()) == {WHOLE}
    assert cut_short * 4 >= rounds, f"only {cut_short} of {rounds} kills were in anybody's way"
    assert "Whole. 0 wait for their place." in desk.close()
