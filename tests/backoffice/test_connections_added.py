"""Adding a connection: where its key may come from, and what is settled about it besides its address."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from backoffice.broker import services
from backoffice.broker.models import MasterAccount
from backoffice.core.errors import InvalidInput
from backoffice.ibkr import keys
from tests.backoffice.test_connection_trials import command

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def add(connected_master: Any, key_pair: tuple[Path, str]) -> Callable[..., str]:
    """Run `add_connection` for the connected master; return its closing error, if any."""

    def run(*options: str, account: str = "F1000001", environment: str = "sandbox", key: str = "") -> str:
        address = ("--base-url", connected_master.base_url) if environment == "sandbox" else ()
        return command(
            "add_connection", account, "--environment", environment, "--kind", "FA", "--client-id", "ALDER-ROW-FA",
            "--key-id", "tests-1", "--private-key", key or str(key_pair[0]), "--username", "alder01", *address, *options,
        )[1]  # fmt: skip

    return run


def test_the_audience_is_a_setting_and_its_refusal_says_which(add: Callable[..., str], sandbox: Any) -> None:
    whole = f"{sandbox.url}/oauth2/api/v1/token"
    sandbox.config(token_audiences=[whole])

    printed, error = command("test_connection", "F1000001")
    assert error == "F1000001 does not work as configured."
    assert "IBKR does not accept the audience of the client assertion." in printed
    assert "manage.py add_connection with --audience path or address." in printed

    assert add("--audience", "address") == ""
    assert MasterAccount.objects.get().audience == whole
    assert command("test_connection", "F1000001")[1] == ""

    assert add() == ""  # what is not named stays
    assert MasterAccount.objects.get().audience == whole
    assert add("--audience", "path", "--region", "EU") == ""
    assert (MasterAccount.objects.get().audience, MasterAccount.objects.get().region) == ("/token", "EU")


def test_an_audience_that_is_somebody_elses_is_refused(connected_master: Any, key_pair: tuple[Path, str]) -> None:
    with pytest.raises(InvalidInput, match="not the token endpoint") as refused:
        services.add_connection(
            account="F1000001", environment="sandbox", kind="FA", base_url=connected_master.base_url, client_id="X",
            key_id="x-1", private_key_path=str(key_pair[0]), audience="https://evil.example/token",
        )  # fmt: skip

    assert refused.value.field == "audience"
    assert MasterAccount.objects.get().audience == ""


def test_a_changed_key_leaves_the_trading_user_and_the_currency(
    connected_master: Any, key_pair: tuple[Path, str]
) -> None:
    before = MasterAccount.objects.get()

    printed, error = command(
        "add_connection", before.account, "--environment", "sandbox", "--kind", "FA", "--client-id", before.client_id,
        "--key-id", "tests-2", "--private-key", str(key_pair[0]), "--base-url", before.base_url,
    )  # fmt: skip

    assert (printed != "", error) == (True, "")
    after = MasterAccount.objects.get()
    assert (after.key_id, after.username, after.base_currency) == ("tests-2", before.username, before.base_currency)
    assert after.username


def test_a_key_file_is_found_from_wherever_a_worker_is_started(
    add: Callable[..., str], key_pair: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = key_pair[0].resolve()
    monkeypatch.chdir(path.parent)

    assert add(key=path.name) == ""
    assert MasterAccount.objects.get().private_key_path == str(path)

    following = tmp_path / "next.pem"
    following.touch(mode=0o600)
    following.write_bytes(keys.make_key_pair().private_pem)
    monkeypatch.chdir(tmp_path)
    services.name_next_key(MasterAccount.objects.get(), key_id="tests-2", source=following.name)
    assert MasterAccount.objects.get().next_private_key_path == str(following)


def test_a_key_from_a_command_works_like_one_from_a_file(add: Callable[..., str], key_pair: tuple[Path, str]) -> None:
    assert add(key=f"command:/bin/cat {key_pair[0]}") == ""

    assert command("test_connection", "F1000001")[1] == ""


def test_no_key_among_the_products_own_files_is_made_or_used(
    add: Callable[..., str], key_pair: tuple[Path, str]
) -> None:
    inside = settings.BASE_DIR / "static" / "key.pem"

    assert "from where a key gets into a repository" in command("make_key", str(inside))[1]
    assert not inside.exists()

    inside.touch(mode=0o600)
    try:
        inside.write_bytes(key_pair[0].read_bytes())
        assert "from where a key gets into a repository" in add(key=str(inside))
    finally:
        inside.unlink()
    with pytest.raises(CommandError, match="There is no folder"):
        call_command("make_key", str(settings.STATE_DIR / "absent" / "key.pem"))


def test_no_key_serves_two_environments(add: Callable[..., str], key_pair: tuple[Path, str], tmp_path: Path) -> None:
    copy = tmp_path / "copy.pem"
    copy.touch(mode=0o600)
    copy.write_bytes(key_pair[0].read_bytes())

    refused = add(environment="qa", key=str(copy))

    assert refused.startswith("This is the key of F1000001 in Sandbox. Make another pair with manage.py make_key")
    assert MasterAccount.objects.count() == 1

    copy.write_bytes(keys.make_key_pair().private_pem)
    assert add(environment="qa", key=str(copy)) == ""


@pytest.mark.parametrize("field", ["private_key_path", "next_private_key_path"])
def test_no_key_serves_two_client_ids_be_it_only_named_as_the_next(
    add: Callable[..., str], tmp_path: Path, field: str
) -> None:
    taken = tmp_path / "taken.pem"
    taken.touch(mode=0o600)
    taken.write_bytes(keys.make_key_pair().private_pem)
    MasterAccount.objects.create(
        account="F7654321", kind="FD", environment="sandbox", base_url="http://127.0.0.1:9", client_id="ANOTHER",
        **{"private_key_path": "/nonexistent", field: str(taken)},
    )  # fmt: skip

    refused = add(key=str(taken))

    word = "the" if field == "private_key_path" else "the next"
    assert refused.startswith(f"This is {word} key of F7654321 in Sandbox.")
