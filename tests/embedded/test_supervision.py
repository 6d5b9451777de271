"""Servers cannot outlive the supervisor, whatever ends it; a second run is told about the first."""

import os
import signal
import subprocess
import sys

import pytest

from backoffice.embedded.console import StepFailed
from backoffice.embedded.processes import Child, Program, Undertaker, born, end_leftovers, stop
from backoffice.embedded.state import Lock, Locked, State
from backoffice.embedded.supervisor import already_running, tend, wait_for_page
from tests.embedded.conftest import ROOT, is_alive, kill, run_python, until

# A server that starts a process of its own, as gunicorn and Celery do, and will not hear of SIGTERM.
STUBBORN = "trap '' TERM; sleep 300 & echo $! > {note}; wait"

TINY_SUPERVISOR = """
import os, sys, time
from pathlib import Path
from backoffice.embedded.processes import Child, Program, Undertaker
from backoffice.embedded.state import State
state = State(Path(os.environ["STATE"]))
undertaker = Undertaker(state)
undertaker.begin()
for command in (["sleep", "300"], ["sh", "-c", os.environ["STUBBORN"]]):
    child = Child(Program(command[0], command, {"PATH": os.environ["PATH"]}, state.folder), undertaker, state.log)
    child.start()
    print(child.process.pid, flush=True)
print(undertaker._process.pid, flush=True)
time.sleep(300)
"""


@pytest.fixture
def tiny(state: State) -> tuple[subprocess.Popen[str], list[int], int]:
    """A supervisor with two servers, one of them with a child of its own: it, all their ids, the undertaker's id."""
    note = state.folder / "grandchild"
    process = run_python(TINY_SUPERVISOR, state, STUBBORN=STUBBORN.format(note=note))
    assert process.stdout is not None
    servers = [int(process.stdout.readline()) for _ in range(2)]
    undertaker = int(process.stdout.readline())
    assert until(lambda: note.exists() and note.read_text().strip() != "")
    return process, [*servers, int(note.read_text())], undertaker


def test_nothing_outlives_a_killed_supervisor(tiny: tuple[subprocess.Popen[str], list[int], int]) -> None:
    process, pids, undertaker = tiny
    assert all(is_alive(pid) for pid in pids)

    kill(process)

    assert until(lambda: not any(is_alive(pid) for pid in [*pids, undertaker]))


def test_what_outlives_supervisor_and_undertaker_is_ended_by_the_next_run(
    state: State, tiny: tuple[subprocess.Popen[str], list[int], int]
) -> None:
    process, pids, undertaker = tiny

    os.kill(undertaker, signal.SIGKILL)
    kill(process)
    following = Undertaker(state)
    following.begin()
    following.end()

    assert until(lambda: not any(is_alive(pid) for pid in pids[:2]))
    assert not (state.run / "servers.json").exists()


def test_a_number_that_belongs_to_somebody_else_by_now_is_left_alone(state: State) -> None:
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
    listed = state.run / "servers.json"
    listed.write_text(f'[{{"pid": {stranger.pid}, "born": "{born(stranger.pid)}0", "name": "web"}}]')

    end_leftovers(listed)

    assert is_alive(stranger.pid)
    stranger.kill()
    stranger.wait(10)


def test_stopping_asks_first_and_kills_the_whole_group_when_patience_ends(state: State, undertaker: Undertaker) -> None:
    note = state.folder / "grandchild"
    command = ["sh", "-c", STUBBORN.format(note=note)]
    child = Child(
        Program("stubborn", command, dict(os.environ), state.folder, patience_seconds=1), undertaker, state.log
    )
    child.start()
    assert until(lambda: note.exists() and note.read_text().strip() != "")

    stop(child)

    assert until(lambda: not is_alive(int(note.read_text())))
    assert child.process is None


def test_a_server_that_keeps_ending_is_started_later_and_later(
    state: State, undertaker: Undertaker, capsys: pytest.CaptureFixture[str]
) -> None:
    child = Child(Program("web", ["false"], dict(os.environ), state.folder), undertaker, state.log)
    child.start()

    pauses = []
    for _ in range(3):
        assert until(lambda: tend(child) or child.restart_at is not None)
        said = capsys.readouterr().out
        pauses.append(said.partition("starts again in ")[2].partition(" s")[0])
        child.start()
    stop(child)

    assert pauses == ["1", "2", "4"]


def test_a_second_run_beside_a_running_one_says_where_the_first_is(state: State) -> None:
    first = Lock(state.run / "supervisor.lock").take()
    first.tell(pid=4321, address="http://127.0.0.1:8000")

    second = subprocess.run(
        [sys.executable, "-m", "backoffice.embedded", "run"], cwd=ROOT, capture_output=True, text=True, timeout=30,
        env={**os.environ, "BACKOFFICE_STATE": str(state.folder), "BACKOFFICE_STEP": "3/10"},
    )  # fmt: skip

    assert second.returncode == 1
    assert "already running here, at http://127.0.0.1:8000 (process 4321)" in second.stdout
    assert not state.postgres.exists()
    first.release()


def test_reset_touches_nothing_while_it_runs_and_everything_afterwards(state: State) -> None:
    settings = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    settings |= {"BACKOFFICE_STATE": str(state.folder), "BACKOFFICE_STEP": "3/4"}
    command = [sys.executable, "-m", "backoffice.embedded", "reset"]
    kept = state.postgres / "PG_VERSION"
    kept.parent.mkdir()
    kept.write_text("18")
    running = Lock(state.run / "supervisor.lock").take()

    refused = subprocess.run(command, cwd=ROOT, env=settings, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "Nothing was removed" in refused.stdout
    assert kept.exists()

    running.release()
    done = subprocess.run(command, cwd=ROOT, env=settings, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not kept.exists()


def test_the_lock_is_free_the_moment_its_holder_is_killed(state: State) -> None:
    holder = run_python(
        "import os, time; from pathlib import Path; from backoffice.embedded.state import Lock;"
        "lock = Lock(Path(os.environ['STATE']) / 'run/a.lock').take(); print('held', flush=True); time.sleep(300)", state,
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(Locked) as refused:
        Lock(state.run / "a.lock").take()
    assert refused.value.holder["pid"] == holder.pid

    kill(holder)

    Lock(state.run / "a.lock").take(patience_seconds=5).release()


def test_a_server_that_does_not_come_up_fails_its_step_with_its_own_last_words(
    state: State, undertaker: Undertaker
) -> None:
    command = ["sh", "-c", "echo port is taken by the printer; exit 7"]
    child = Child(Program("web", command, dict(os.environ), state.folder), undertaker, state.log)
    child.start()

    with pytest.raises(StepFailed, match="ended with code 7") as failure:
        wait_for_page(child, "http://127.0.0.1:9/", "the web server does not answer")

    assert "port is taken by the printer" in str(failure.value)
    assert failure.value.log == state.log / "web.log"


def test_a_second_run_while_the_first_is_starting_is_told_so() -> None:
    assert "already running here, and still starting (process 1)" in already_running(Locked({"pid": 1}))
