"""Set-up: steps a person can follow, failures that say what to do, secrets only their owner reads, files of the pages."""

import base64
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from backoffice.embedded import assets, environment, setup
from backoffice.embedded.console import StepFailed, Steps, took
from backoffice.embedded.state import State, digest, free_port, is_free, read_dotenv
from tests.embedded.conftest import ROOT


def test_steps_are_numbered_and_timed(capsys: pytest.CaptureFixture[str]) -> None:
    steps = Steps(3, done=1)

    with steps.step("Installing Python packages"):
        pass

    assert capsys.readouterr().out == "2/3 Installing Python packages … 0 s\n"
    assert [took(41), took(125)] == ["41 s", "2 min 5 s"]


def test_a_failing_command_says_what_happened_what_it_means_what_to_do_and_where_the_log_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "setup.log"

    with pytest.raises(StepFailed), Steps(1).step("Python packages"):
        setup.run_logged(
            ["sh", "-c", "echo no route to host >&2; exit 3"], log, "nothing is installed", "connect first"
        )

    told = capsys.readouterr()
    assert told.out.startswith("1/1 Python packages … failed after ")
    for part in ("code 3", "no route to host", "nothing is installed", "connect first", str(log)):
        assert part in told.err


def test_a_command_that_is_not_there_is_a_failing_step_too(tmp_path: Path) -> None:
    with pytest.raises(StepFailed):
        setup.run_logged(["/no/such/program"], tmp_path / "log", "means", "mend")


def test_an_unknown_verb_lists_the_verbs_and_installs_nothing() -> None:
    told = subprocess.run(
        [sys.executable, "backoffice/embedded/bootstrap.py", "help"], cwd=ROOT, capture_output=True, text=True
    )

    assert told.returncode == 0
    for verb in setup.VERBS:
        assert f"\n  {verb} " in told.stdout


def test_installing_alone_starts_nothing_and_makes_no_secrets(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "backoffice/embedded/bootstrap.py", "install"],
        cwd=ROOT, env=os.environ | {"BACKOFFICE_STATE": str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip

    assert told.returncode == 0
    assert told.stdout.splitlines()[0].startswith("1/3 Python environment … ")
    assert told.stdout.splitlines()[-1].startswith("Installed. The programs are in ")
    assert not (tmp_path / "secrets.json").exists()


def test_secrets_are_made_once_and_only_their_owner_reads_them(state: State) -> None:
    made = state.secrets()

    assert state.secrets() == made
    assert stat.S_IMODE((state.folder / "secrets.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(state.folder.stat().st_mode) == 0o700
    assert len(made["SECRET_KEY"]) >= 40
    assert len(base64.urlsafe_b64decode(made["FIELD_KEYS"].partition(":")[2])) == 32
    assert len(base64.urlsafe_b64decode(made["BLIND_INDEX_KEY"])) == 32
    assert len(set(made.values())) == len(made)


def test_the_callers_settings_win_over_what_was_made_here(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "mine" * 20)
    monkeypatch.setenv("DEMONSTRATION", "false")

    settings = environment.for_product(state, database_url="postgresql://x/y", broker_url="redis://z")

    assert settings["SECRET_KEY"] == "mine" * 20
    assert not environment.is_demonstration(settings)
    assert settings["BACKOFFICE_STATE"] == str(state.folder)
    assert settings["BLIND_INDEX_KEY"] == os.environ.get("BLIND_INDEX_KEY", state.secrets()["BLIND_INDEX_KEY"])


def test_a_dotenv_file_is_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("# remark\n\nFIRM_NAME='Alder Row'\nPORT=8123\n#DEBUG=true\nURL=redis://h/0?a=b\n")

    assert read_dotenv(path) == {"FIRM_NAME": "Alder Row", "PORT": "8123", "URL": "redis://h/0?a=b"}
    assert read_dotenv(tmp_path / "none") == {}


def test_every_setting_of_the_product_is_documented() -> None:
    documented = {line.lstrip("#").partition("=")[0] for line in (ROOT / ".env.example").read_text().splitlines()}
    from backoffice.environment import Environment

    assert set(Environment.model_fields) - documented == set()


def test_a_busy_port_is_exchanged_for_a_free_one() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = taken.getsockname()[1]

        assert not is_free(busy)
        assert free_port(busy) != busy


def test_work_is_done_again_only_when_what_it_depends_on_changes(state: State, tmp_path: Path) -> None:
    lock = tmp_path / "run.txt"
    lock.write_text("django==5.2")
    state.stamp("packages", digest(lock))

    assert state.stamped("packages", digest(lock))
    lock.write_text("django==5.3")
    assert not state.stamped("packages", digest(lock))


def test_the_copied_files_are_the_ones_the_pages_ask_for() -> None:
    vendor = ROOT / "static" / "vendor"

    missing = [str(target) for target in assets.plan(ROOT).values() if not target.exists()]

    assert missing == []
    assert len(list((vendor / "icons").glob("*.svg"))) == len(set(assets.wanted_icons(ROOT)))


def test_an_icon_that_does_not_exist_is_named(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "icons.txt").write_text("home  # the start page\nno-such-icon\n")
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")

    with pytest.raises(assets.MissingFile, match=r"no-such-icon\.svg$"):
        assets.plan(tmp_path)


def test_no_lock_holds_an_address() -> None:
    locks = [ROOT / "requirements" / "run.txt", ROOT / "requirements" / "test.txt", ROOT / "package-lock.json"]

    for lock in locks:
        text = lock.read_text()
        assert '"resolved"' not in text
        assert "index-url http" not in text
