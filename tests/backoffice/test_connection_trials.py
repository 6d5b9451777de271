"""Trying a connection: each thing that can be wrong is said in one sentence of cause and one of cure."""

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.core.management.base import CommandError

from backoffice.audit.models import Entry
from backoffice.broker import dispatch, services
from backoffice.broker.models import BrokerageSession, ConnectionTest, MasterAccount
from backoffice.core import clock
from backoffice.core.errors import InvalidInput, NotPermitted
from backoffice.ibkr import keys

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def another_key(tmp_path_factory: pytest.TempPathFactory) -> keys.KeyPair:
    return keys.make_key_pair()


def stored(pair: keys.KeyPair, folder: Path, name: str = "other.pem", mode: int = 0o600) -> str:
    path = folder / name
    path.write_bytes(pair.private_pem)
    path.chmod(mode)
    return str(path)


def command(name: str, *arguments: str) -> tuple[str, str]:
    """Run a management command; return what it printed and its closing error, if any."""
    out = io.StringIO()
    try:
        call_command(name, *arguments, stdout=out)
    except CommandError as error:
        return out.getvalue(), str(error)
    return out.getvalue(), ""


def failed(master: MasterAccount) -> tuple[str, str, str]:
    """Try it; return the first step that failed with its cause and cure, which the command must print too."""
    steps = dispatch.run(MasterAccount.objects.get(pk=master.pk))
    step = next(step for step in steps if not step.ok)
    assert step.explanation is not None
    printed, error = command("test_connection", master.account)
    assert step.explanation.cause in printed
    assert step.explanation.fix in printed
    assert error == "F1000001 does not work as configured."
    return step.name, step.explanation.cause, step.explanation.fix


def test_a_sound_connection_passes_every_step_and_throws_nobody_out(connected_master: Any, sandbox: Any) -> None:
    printed, error = command("test_connection", "F1000001")

    assert error == ""
    assert [line[:4] for line in printed.splitlines()] == ["ok  "] * 8 + ["F100"]
    paths = [row["path"] for row in sandbox.requests()]
    assert "/gw/api/v1/echo/https" in paths
    assert "/gw/api/v1/echo/signed-jwt" in paths
    assert not [path for path in paths if "ssodh" in path]


def test_a_key_that_ibkr_does_not_hold(connected_master: Any, another_key: keys.KeyPair, tmp_path: Path) -> None:
    MasterAccount.objects.update(private_key_path=stored(another_key, tmp_path))

    step, cause, cure = failed(connected_master)

    assert (step, cause) == ("Access token", "The private key is not the one whose public half IBKR holds as tests-1.")
    assert another_key.key_id in cure


@pytest.mark.parametrize(
    ("column", "value", "step", "cause"),
    [
        ("key_id", "nobodys-1", "Access token", "IBKR holds no key with the id nobodys-1 for ALDER-ROW-FA."),
        ("client_id", "NOBODY", "Access token", "IBKR does not know the client id NOBODY in sandbox."),
        ("username", "stranger1", "Trading sign-on", "IBKR does not accept the username stranger1 for master account F1000001."),
        ("private_key_path", "/nowhere/key.pem", "Private key", "There is no key file at /nowhere/key.pem."),
        (
            "base_url",
            "https://api.ibkr.com",
            "Address",
            "https://api.ibkr.com belongs to production, but the connection is meant for sandbox.",
        ),
        (
            "base_url",
            "http://api.ibkr.com",
            "Address",
            "http://api.ibkr.com is plain http; IBKR is reached over https only (http is for the sandbox on loopback).",
        ),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named(connected_master: Any, column: str, value: str, step: str, cause: str) -> None:
    MasterAccount.objects.update(**{column: value})

    assert failed(connected_master)[:2] == (step, cause)


def test_a_key_file_that_others_can_read(connected_master: Any, another_key: keys.KeyPair, tmp_path: Path) -> None:
    path = stored(another_key, tmp_path, mode=0o644)
    MasterAccount.objects.update(private_key_path=path)

    assert failed(connected_master) == (
        "Private key", f"The key file {path} is readable by others (mode 0644).", f"Run: chmod 600 {path}",
    )  # fmt: skip


@pytest.mark.row(id="S08")
@pytest.mark.parametrize(("minutes", "word"), [(10, "ahead"), (-10, "behind")])
def test_a_clock_that_is_ten_minutes_off(connected_master: Any, minutes: int, word: str) -> None:
    with time_machine.travel(clock.now() + timedelta(seconds=62 * minutes), tick=True):
        step, cause, cure = failed(connected_master)

    assert step == "Access token"
    assert "10 minutes" in cause
    assert word in cause
    assert "NTP" in cure


def test_a_scope_that_is_missing(connected_master: Any, sandbox: Any, key_pair: tuple[Path, str]) -> None:
    sandbox.control(
        "POST", "clients",
        {"client_id": "NARROW", "kid": "tests-1", "public_key_pem": key_pair[1], "master_account": "F1000001",
         "username": "alder01", "scopes": ["accounts.read", "echo.read", "sso-sessions.write"]},
    )  # fmt: skip
    MasterAccount.objects.update(client_id="NARROW")

    step, cause, _ = failed(connected_master)

    assert "echo.write" in cause
    assert step in {"Access token", "Signed echo"}


def test_credentials_of_another_master(connected_master: Any) -> None:
    MasterAccount.objects.update(account="F7777777")
    steps = dispatch.run(MasterAccount.objects.get())

    wrong = next(step for step in steps if not step.ok)
    assert wrong.explanation is not None
    assert wrong.explanation.cause == "The credentials belong to master account F1000001, not to F7777777."


def test_a_person_asks_and_a_worker_answers_once(connected_master: Any, administrator: Any, operations: Any) -> None:
    with pytest.raises(NotPermitted):
        services.ask_for_test(connected_master, by=operations)
    test = services.ask_for_test(connected_master, by=administrator)

    dispatch.answer_test(str(test.pk))
    dispatch.answer_test(str(test.pk))

    row = ConnectionTest.objects.get()
    assert (row.state, row.has_passed) == ("done", True)
    assert [step["name"] for step in row.steps][:4] == ["Address", "Private key", "Access token", "Plain echo"]
    assert Entry.objects.filter(action="broker.test_connection").count() == 1
    assert BrokerageSession.objects.get().state == "down"


def test_make_key_writes_a_private_file_once_and_prints_what_to_send(tmp_path: Path) -> None:
    path = tmp_path / "new.pem"

    printed, error = command("make_key", str(path))

    assert error == ""
    assert path.stat().st_mode & 0o777 == 0o600
    assert "-----BEGIN PUBLIC KEY-----" in printed
    assert "PRIVATE KEY" not in printed
    assert keys.thumbprint(keys.parsed(path.read_bytes()).public_key()) in printed
    assert command("make_key", str(path))[1] == f"{path} exists. A key is never overwritten; name another file."


def test_a_key_is_rotated_while_both_are_live(
    connected_master: Any, sandbox: Any, another_key: keys.KeyPair, tmp_path: Path
) -> None:
    path = stored(another_key, tmp_path)
    assert "named yet" not in command("rotate_key", "F1000001", "--key-id", "tests-2", "--private-key", path)[0]
    assert command("test_connection", "F1000001", "--next-key")[1] == "F1000001 does not work as configured."

    sandbox.control(
        "POST", "clients",
        {"client_id": "ALDER-ROW-FA", "kid": "tests-2", "public_key_pem": another_key.public_pem.decode(),
         "master_account": "F1000001", "username": "alder01",
         "scopes": ["accounts.read", "echo.read", "echo.write", "sso-sessions.write"]},
    )  # fmt: skip
    assert command("test_connection", "F1000001")[1] == ""
    assert command("test_connection", "F1000001", "--next-key")[1] == ""
    assert "signs with tests-2 now" in command("rotate_key", "F1000001", "--use")[0]

    master = MasterAccount.objects.get()
    assert (master.key_id, master.private_key_path, master.next_key_id) == ("tests-2", path, "")
    assert command("test_connection", "F1000001")[1] == ""


def test_a_next_key_that_ibkr_would_not_take_is_refused_at_once(connected_master: Any, tmp_path: Path) -> None:
    path = tmp_path / "nonsense.pem"
    path.write_text("not a key")
    path.chmod(0o600)

    with pytest.raises(InvalidInput) as refused:
        services.name_next_key(connected_master, key_id="tests-2", source=str(path))

    assert refused.value.field == "next_private_key_path"
    assert MasterAccount.objects.get().next_key_id == ""
