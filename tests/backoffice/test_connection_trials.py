"""Trying a connection: each thing that can be wrong is said in one sentence of cause and one of cure."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.urls import reverse

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


@dataclass(frozen=True)
class Trial:
    """One wrong setting, made on a sound connection; and what people must be told, at which step."""

    step: str
    cause: str
    cure: str
    make: Callable[["Bench"], None]
    minutes: int = 0  # our clock is ahead by


@dataclass(frozen=True)
class Bench:
    """What a trial may spoil."""

    sandbox: Any
    folder: Path
    public_key: str
    other_key: keys.KeyPair

    def change(self, **columns: str) -> None:
        MasterAccount.objects.update(**columns)

    def register(self, client_id: str, scopes: str) -> None:
        self.sandbox.control(
            "POST", "clients",
            {"client_id": client_id, "kid": "tests-1", "public_key_pem": self.public_key, "master_account": "F1000001",
             "username": "alder01", "scopes": scopes.split()},
        )  # fmt: skip
        self.change(client_id=client_id)


@pytest.fixture
def bench(
    connected_master: Any, sandbox: Any, key_pair: tuple[Path, str], another_key: keys.KeyPair, tmp_path: Path
) -> Bench:
    return Bench(sandbox, tmp_path, key_pair[1], another_key)


NTP = "Set this machine's clock by NTP and keep it so."
TRIALS = {
    "wrong key": Trial(
        "Access token",
        "The private key is not the one whose public half IBKR holds as tests-1.",
        "Use the private key of that pair, or send IBKR the public half of this one (thumbprint ",
        lambda bench: bench.change(private_key_path=stored(bench.other_key, bench.folder)),
    ),
    "wrong kid": Trial(
        "Access token",
        "IBKR holds no key with the id nobodys-1 for ALDER-ROW-FA.",
        "Set the key id that was agreed with IBKR, or send IBKR the public key (thumbprint ",
        lambda bench: bench.change(key_id="nobodys-1"),
    ),
    "unknown client": Trial(
        "Access token",
        "IBKR does not know the client id NOBODY in sandbox.",
        "Use the client id that IBKR gave for this environment; production and test have different ones.",
        lambda bench: bench.change(client_id="NOBODY"),
    ),
    "clock ten minutes ahead": Trial(
        "Access token", "This machine's clock is 10 minutes", NTP, lambda _: None, minutes=10
    ),
    "clock ten minutes behind": Trial(
        "Access token", "This machine's clock is 10 minutes", NTP, lambda _: None, minutes=-10
    ),
    "missing scope, refused": Trial(
        "Access token",
        "IBKR did not grant the scope echo.write to NARROW.",
        "Ask IBKR to add it to the client, or take the work that needs it off this connection.",
        lambda bench: bench.register("NARROW", "accounts.read echo.read sso-sessions.write"),
    ),
    "missing scope, left out": Trial(
        "Signed echo",
        "IBKR did not grant the scope echo.write to NARROW.",
        "Ask IBKR to add it to the client, or take the work that needs it off this connection.",
        lambda bench: (
            bench.register("NARROW", "accounts.read echo.read sso-sessions.write"),
            bench.sandbox.config(scope_policy="narrow"),
        )[0],
    ),
    "wrong username": Trial(
        "Trading sign-on",
        "IBKR does not accept the username stranger1 for master account F1000001.",
        "Name a username of this master in the same environment, whose first password has been replaced once.",
        lambda bench: bench.change(username="stranger1"),
    ),
    "paper username": Trial(
        "Sign-on check",
        "IBKR signed alder01 in for paper trading, and F1000001 is no paper account.",
        "Name a live username of this master; a paper username goes with the paper master, whose number begins with D.",
        lambda bench: bench.sandbox.config(paper_login=True),
    ),
    "key file readable by others": Trial(
        "Private key",
        "The key file {folder}/other.pem is readable by others (mode 0644).",
        "Run: chmod 600 {folder}/other.pem",
        lambda bench: bench.change(private_key_path=stored(bench.other_key, bench.folder, mode=0o644)),
    ),
    "no key file": Trial(
        "Private key",
        "There is no key file at /nowhere/key.pem.",
        "Put the private key there, or name the file that holds it.",
        lambda bench: bench.change(private_key_path="/nowhere/key.pem"),
    ),
    "http address": Trial(
        "Address",
        "http://api.ibkr.com is plain http; IBKR is reached over https only (http is for the sandbox on loopback).",
        "Set the address to that of the sandbox on this machine, such as http://127.0.0.1:9100.",
        lambda bench: bench.change(base_url="http://api.ibkr.com"),
    ),
    "address of another environment": Trial(
        "Address",
        "https://api.ibkr.com belongs to production, but the connection is meant for sandbox.",
        "Set the address to that of the sandbox on this machine, such as http://127.0.0.1:9100, or the environment to",
        lambda bench: bench.change(base_url="https://api.ibkr.com"),
    ),
    "account of another master": Trial(
        "Access token",
        "The credentials belong to master account F1000001, not to F7777777.",
        "Use the client id and the key that IBKR gave for F7777777, or correct the connection's account.",
        lambda bench: bench.change(account="F7777777"),
    ),
}


def shown_in_the_page(client: Client, administrator: Any) -> str:
    """Ask for a test as a person does, have a worker answer it, and return the page's words."""
    master = MasterAccount.objects.get()
    client.force_login(administrator)
    client.post(reverse("broker:test_ask", args=[master.pk]))
    dispatch.answer_test(str(ConnectionTest.objects.get().pk))
    return " ".join(unescape(client.get(reverse("broker:connection_list")).content.decode()).split())


def test_a_sound_connection_passes_every_step_and_throws_nobody_out(connected_master: Any, sandbox: Any) -> None:
    printed, error = command("test_connection", "F1000001")

    assert error == ""
    assert [line[:4] for line in printed.splitlines()] == ["ok  "] * 9 + ["F100"]
    paths = [row["path"] for row in sandbox.requests()]
    assert "/gw/api/v1/echo/https" in paths
    assert "/gw/api/v1/echo/signed-jwt" in paths
    assert not [path for path in paths if "ssodh" in path]


@pytest.mark.row(id="S08")
@pytest.mark.parametrize("name", TRIALS)
def test_what_is_wrong_is_one_sentence_of_cause_and_one_of_cure_in_the_page_and_in_the_command(
    bench: Bench, client: Client, administrator: Any, name: str
) -> None:
    trial = TRIALS[name]
    trial.make(bench)
    cause, cure = (text.format(folder=bench.folder) for text in (trial.cause, trial.cure))
    account = MasterAccount.objects.get().account

    with time_machine.travel(clock.now() + timedelta(minutes=trial.minutes), tick=True):
        printed, error = command("test_connection", account)
        text = shown_in_the_page(client, administrator)

    step = next(each for each in ConnectionTest.objects.get().steps if not each["ok"])
    told = step["explanation"]
    assert step["name"] == trial.step
    assert told["cause"].startswith(cause)
    assert told["fix"].startswith(cure)
    assert [". " in each for each in (told["cause"], told["fix"])] == [False, False]
    assert f"FAIL  {trial.step} " in printed
    assert f"      {told['cause']}\n      {told['fix']}\n" in printed
    assert error == f"{account} does not work as configured."
    assert "Does not work" in text
    assert f"{told['cause']} {told['fix']}" in text


@pytest.mark.parametrize(("minutes", "side"), [(10, "ahead of"), (-10, "behind")])
def test_a_clock_that_is_off_is_said_with_its_side(connected_master: Any, minutes: int, side: str) -> None:
    with time_machine.travel(clock.now() + timedelta(minutes=minutes), tick=True):
        printed, _ = command("test_connection", "F1000001")

    assert f"This machine's clock is 10 minutes {side} IBKR's." in printed


def test_a_refusal_without_a_word_names_everything_to_be_compared(bench: Bench) -> None:
    mute = {"type": "/simple", "title": "Bad Request", "status": 400}
    bench.sandbox.fault(
        {"method": "POST", "path": "/oauth2/api/v1/token", "phase": "read_not_applied", "action": "status", "status": 400,
         "times": 99, "body": json.dumps(mute)}
    )  # fmt: skip

    printed, _ = command("test_connection", "F1000001")

    assert "IBKR refused the client assertion without saying why." in printed
    assert "Compare with IBKR the client id ALDER-ROW-FA, the key id tests-1 and the public key (thumbprint " in printed


def test_a_look_that_ibkrs_limits_hold_back_is_no_fault_of_the_connection(connected_master: Any, settings: Any) -> None:
    settings.SANDBOX_LIMITS = True

    assert command("test_connection", "F1000001")[1] == ""
    printed, error = command("test_connection", "F1000001")  # within the minute of its one look at a sign-on

    assert error == ""
    assert "note  Sign-on check " in printed
    assert "Nothing was sent; wait until " in printed


@pytest.mark.parametrize("policy", ["refuse", "narrow"])
def test_work_whose_scopes_are_not_granted_is_named_though_the_rest_works(
    bench: Bench, client: Client, administrator: Any, policy: str
) -> None:
    bench.register("ECHOES", "accounts.read accounts.write echo.read echo.write sso-sessions.write statements.read")
    bench.sandbox.config(scope_policy=policy)

    printed, error = command("test_connection", "F1000001")

    wanted = "bank-instructions.read, instructions.read, sso-browser-sessions.write, transfers.write"
    cause = f"IBKR did not grant the scopes {wanted} to ECHOES."
    assert error == ""
    assert "note  Scopes of the work " in printed
    assert cause in printed
    assert cause in shown_in_the_page(client, administrator)


def test_a_person_asks_and_a_worker_answers_once(connected_master: Any, administrator: Any, operations: Any) -> None:
    with pytest.raises(NotPermitted):
        services.ask_for_test(connected_master, by=operations)
    test = services.ask_for_test(connected_master, by=administrator)

    dispatch.answer_test(str(test.pk))
    dispatch.answer_test(str(test.pk))

    row = ConnectionTest.objects.get()
    assert (row.state, row.has_passed) == ("done", True)
    assert [step["name"] for step in row.steps][:4] == ["Address", "Private key", "Access token", "Scopes of the work"]
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
    too_early = command("rotate_key", "F1000001", "--use")[1]
    assert too_early.startswith(
        "The next key did not pass its test, so F1000001 goes on signing with tests-1. Access token: "
    )
    assert MasterAccount.objects.get().key_id == "tests-1"

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


def test_the_key_in_use_is_no_next_key_under_whatever_id(connected_master: Any, tmp_path: Path) -> None:
    copy = tmp_path / "copy.pem"
    copy.write_bytes(Path(connected_master.private_key_path).read_bytes())
    copy.chmod(0o600)

    for source in (connected_master.private_key_path, str(copy)):
        with pytest.raises(InvalidInput, match="the key in use"):
            services.name_next_key(connected_master, key_id="tests-2", source=source)

    assert MasterAccount.objects.get().next_key_id == ""


def test_a_next_key_is_put_into_use_untested_only_when_asked(
    connected_master: Any, another_key: keys.KeyPair, tmp_path: Path
) -> None:
    services.name_next_key(connected_master, key_id="tests-2", source=stored(another_key, tmp_path))

    assert "signs with tests-2 now" in command("rotate_key", "F1000001", "--use", "--untested")[0]
