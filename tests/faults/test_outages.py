"""IBKR away, the broker away, and addresses that must not be spoken to: pages open, and work resumes by itself."""

import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from celery import current_app
from django.conf import settings
from django.db import transaction
from django.test import Client as Browser
from django.urls import reverse

from backoffice.broker import client as broker_client
from backoffice.broker import services as broker
from backoffice.broker.models import MasterAccount
from backoffice.core import clock, doorbell
from backoffice.core.errors import InvalidInput
from backoffice.ibkr import Credentials, IbkrClient
from backoffice.journal import services as journal
from backoffice.journal.models import State, Submission
from clients.models import Account
from funding import services as funding
from funding.models import BankInstruction, CashTransfer
from reporting import services as reports
from reporting import translate
from tests.faults.conftest import Effect
from tests.sandbox_process import SandboxProcess, free_port
from tests.worker_processes import Processes, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]
MONEY_OUT = "/gw/api/v1/external-cash-transfers"


class InterruptibleSandbox(SandboxProcess):
    """A sandbox that may be killed, and started again at its address on its own books."""

    def kill(self) -> None:
        self.say_last_words()
        self._process.kill()
        self._process.wait(10)

    def start_again(self) -> None:
        self._process = subprocess.Popen(self._process.args, stdout=self._log, stderr=subprocess.STDOUT)
        wait_until(self._answers, 30, "the sandbox answers again")

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/_sandbox/health", timeout=1).ok
        except requests.RequestException:
            return False


@pytest.fixture
def _sandbox_process(tmp_path: Path) -> Iterator[InterruptibleSandbox]:
    """In place of the sandbox that all tests share."""
    process = InterruptibleSandbox(tmp_path)
    yield process
    process.stop()


def browser_of(user: Any) -> Browser:
    browser = Browser()
    browser.force_login(user, backend="backoffice.people.backends.EmailBackend")
    return browser


def posts(sandbox: Any) -> int:
    return len([call for call in sandbox.requests() if call["method"] == "POST" and call["path"] == MONEY_OUT])


# ---- IBKR does not answer


@pytest.fixture
def known(account: Account) -> Account:
    """What was learned of U1000011 while IBKR answered: figures, banks, and the statements on offer."""
    from trading.dispatch import sync

    Account.objects.update(status_as_of=clock.now())
    sync.sync_portfolios()
    funding.record_banks(account, [], methods=["WIRE", "ACH"])
    reports.record_offer(account, monthly=translate.months_back(clock.today(clock.NEW_YORK), 3), annual=())
    return account


@pytest.mark.row(id="S01")
def test_with_ibkr_away_pages_open_with_their_age_and_a_withdrawal_goes_out_once_it_is_back(
    processes: Processes, known: Account, withdrawal: Effect, sandbox: Any, principal: Any
) -> None:
    browser = browser_of(principal)
    stamped = [
        reverse("trading:portfolio"), reverse("trading:account", args=[known.number]), reverse("reporting:list"),
        reverse("clients:client_detail", args=[known.client_id]),
    ]  # fmt: skip
    plain = ["home:today", "clients:client_list", "clients:application_board", "funding:list", "funding:withdraw"]
    addresses = [*map(reverse, [*plain, "funding:banks", "trading:blotter", "broker:connection_list"]), *stamped]
    for url in addresses:  # once while it answers, so that templates are read
        assert browser.get(url).status_code == 200
    processes.worker()
    processes.beat()
    sandbox.kill()

    transfer = withdrawal.begin()
    wait_until(lambda: withdrawal.submission(transfer).unsent_tries, 30, "tried in vain", processes.logs)

    assert withdrawal.submission(transfer).state == State.READY
    for url in [*addresses, transfer.get_absolute_url()]:
        began = time.monotonic()
        response = browser.get(url)
        assert (url, response.status_code) == (url, 200)
        assert time.monotonic() - began < 1, url
        assert url not in stamped or "data-bo-stale-at" in response.content.decode(), (
            f"{url} does not say how old it is"
        )
    assert "Waiting to be sent" in browser.get(transfer.get_absolute_url()).content.decode()

    sandbox.start_again()
    wait_until(lambda: withdrawal.submission(transfer).state == State.ACKED, 60, "sent by itself", processes.logs)

    assert [len(sandbox.ledger("withdrawal")), posts(sandbox)] == [1, 1]
    outcomes = list(withdrawal.submission(transfer).attempts.values_list("outcome", flat=True))
    assert outcomes[-1] == "ack"
    assert set(outcomes[:-1]) == {"not_sent"}


# ---- the broker does not answer


@pytest.fixture
def dead_broker() -> Iterator[None]:
    """The web side's broker is away; workers that a test starts have theirs."""
    _point_celery_at(f"redis://127.0.0.1:{free_port()}/0")
    yield
    _point_celery_at(settings.CELERY_BROKER_URL)


@pytest.fixture
def silent_broker() -> Iterator[None]:
    """The web side's broker takes the call and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as deaf:
        _point_celery_at(f"redis://127.0.0.1:{deaf.getsockname()[1]}/0")
        yield
    _point_celery_at(settings.CELERY_BROKER_URL)


def _point_celery_at(url: str) -> None:
    current_app.conf.update(broker_url=url, broker_read_url=url, broker_write_url=url)
    current_app.amqp._producer_pool = current_app._pool = None  # connections to the former one
    doorbell.broker.forget()


def test_a_silent_broker_is_waited_for_once_not_once_a_ring(silent_broker: None) -> None:
    started = time.monotonic()

    rung = [doorbell.ring("journal.sweep_submissions") for _ in range(20)]

    assert rung == [False] * 20
    assert time.monotonic() - started < 8  # one time-out of 5 s, not twenty
    doorbell.broker.forget()


def test_with_the_broker_away_a_withdrawal_is_taken_at_once_and_sent_exactly_once_by_the_sweep(
    processes: Processes, account: Account, sandbox: Any, advisor: Any, principal: Any, dead_broker: None
) -> None:
    listed = next(each for each in sandbox.world()["accounts"] if each["account"] == account.number)
    bank = listed["bank_instructions"][0]
    now = clock.now()
    saved = BankInstruction.objects.create(
        account=account, name=bank["name"], method=bank["method"], currency=bank["currency"], last4=bank["last4"],
        ibkr_status="PROCESSED", first_seen_at=now, seen_at=now,
    )  # fmt: skip
    typed = {
        "account": account.pk, "bank": saved.pk, "amount": "1250.00", "currency": bank["currency"],
        "note": "Asked for by phone", "intent": uuid.uuid4(),
    }  # fmt: skip

    seconds = [_post(browser_of(advisor), reverse("funding:withdraw"), typed)]
    transfer = CashTransfer.objects.get()
    seal = {"typed": "1250.00", "payload_sha256": _submission(transfer).payload_sha256}
    seconds.append(_post(browser_of(principal), reverse("funding:approve", args=[transfer.pk]), seal))

    assert max(seconds) < 3
    assert _submission(transfer).state == State.READY
    assert sandbox.ledger("withdrawal") == []

    processes.worker()
    processes.beat()
    wait_until(lambda: _submission(transfer).state == State.ACKED, 40, "found by the sweep", processes.logs)

    assert [len(sandbox.ledger("withdrawal")), posts(sandbox)] == [1, 1]
    assert _submission(transfer).attempts.count() == 1


def _post(browser: Browser, url: str, typed: dict[str, Any]) -> float:
    """Return how many seconds the answer took; a form that is taken sends the browser on."""
    began = time.monotonic()
    response = browser.post(url, typed)
    taken = time.monotonic() - began
    assert response.status_code == 302, response.content.decode()[-4000:]
    return taken


def _submission(transfer: CashTransfer) -> Submission:
    found = journal.current_for(transfer)
    assert found is not None
    return found


# ---- IBKR in the clear


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every address this process tries to look up or connect to from here on; none succeeds."""
    tried: list[Any] = []

    def refuse(*arguments: Any, **_: Any) -> Any:
        tried.append(arguments)
        raise OSError("no connection was to be made")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return tried


CLEAR = (
    "http://203.0.113.7",  # RFC 5737: the address of no machine
    "http://api.ibkr.com",
    "http://127.0.0.1.example.org",
    "http://127.0.0.1@203.0.113.7",
    "http://127.0.0.1:80@api.ibkr.com",
)


@pytest.mark.parametrize("address", CLEAR)
@pytest.mark.parametrize("environment", ["sandbox", "production"])
def test_a_connection_in_the_clear_is_not_taken(
    address: str, environment: str, principal: Any, key_pair: tuple[Path, str], connections: list[Any]
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        broker.add_connection(
            by=principal, account="F7654321", kind="FA", environment=environment, base_url=address, client_id="X",
            key_id="x-1", private_key_path=str(key_pair[0]), username="",
        )  # fmt: skip

    assert refusal.value.field == "base_url"
    assert "https" in f"{refusal.value.message} {refusal.value.fix}"
    assert not MasterAccount.objects.exists()
    assert connections == []


@pytest.mark.parametrize("address", CLEAR)
def test_the_client_speaks_to_nobody_in_the_clear(
    address: str, key_pair: tuple[Path, str], connections: list[Any]
) -> None:
    secret = Credentials(client_id="X", key_id="x-1", private_key=key_pair[0].read_bytes())

    with pytest.raises(ValueError, match="plain http"):
        IbkrClient(base_url=address, credentials=secret)

    assert connections == []


def test_a_row_changed_behind_our_back_is_not_spoken_to_either(
    key_pair: tuple[Path, str], master: MasterAccount, connections: list[Any]
) -> None:
    with transaction.atomic():
        MasterAccount.objects.update(base_url=CLEAR[0], private_key_path=str(key_pair[0]))
    master.refresh_from_db()

    with pytest.raises(ValueError, match="plain http"):
        broker_client.client_for(master, lane="funding")

    assert connections == []
