"""The control interface, the books, and what survives a kill."""

import os
import signal
import socket
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest
import requests

from tests.sandbox.support import Caller, Server, application, make_key, outcome, public_pem

ROOT = Path(__file__).resolve().parents[2]


def test_the_world_is_the_demonstration_firm(steady: Caller) -> None:
    world = steady.control("GET", "world")

    master = world["masters"][0]
    assert (master["account"], master["kind"], master["username"], master["client_id"]) == (
        "F1000001",
        "FA",
        "alder01",
        "ALDER-ROW-FA",
    )
    assert len(master["subaccounts"]) == 12
    people = [account["person"] for account in world["accounts"]]
    assert all(person["email"].endswith(("@example.com", "@example.org")) for person in people)
    opened = [account for account in world["accounts"] if account["status"] == "O"]
    assert len(opened) == 11
    assert all(account["bank_instructions"] for account in opened)
    assert {group["name"]: len(group["accounts"]) for group in world["groups"]} == {"Balanced": 5, "Income": 4}
    assert len(world["orders"]) >= 6
    assert all(order["executions"] for order in world["orders"])
    assert len(world["instruments"]) > 60


def test_open_accounts_hold_several_instruments_and_currencies(server: Server, steady: Caller) -> None:
    books = server.app.state.sandbox.books

    for number in range(1000011, 1000020):
        assert 4 <= len(books.holdings(f"U{number}")) <= 10
        assert len(books.cash(f"U{number}")) >= 2
        assert all(amount > 0 for amount in books.cash(f"U{number}").values())


def test_the_books_sum_to_zero(server: Server, caller: Caller) -> None:
    caller.withdraw()
    caller.advance(3600)

    cash, units = server.app.state.sandbox.books.totals()

    assert set(cash.values()) == {Decimal(0)}
    assert set(units.values()) == {Decimal(0)}


def test_an_execution_is_booked_once(server: Server, caller: Caller) -> None:
    books = server.app.state.sandbox.books
    trade = ("U1000011", 265598, "USD", Decimal(10), Decimal("250"), Decimal("1"), "e-1", "o-1")
    before = books.cash("U1000011")["USD"]

    books.post_trade(*trade)
    with pytest.raises(ValueError, match="already booked"):
        books.post_trade(*trade)

    assert books.cash("U1000011")["USD"] == before - Decimal("2501")


def test_selling_realizes_profit_at_average_cost(server: Server, caller: Caller) -> None:
    books = server.app.state.sandbox.books
    for number, (quantity, price) in enumerate(((10, 100), (10, 120), (-15, 130))):
        books.post_trade("U1000011", 8314, "USD", Decimal(quantity), Decimal(price), Decimal(0), f"x-{number}", "")

    held = next(holding for holding in books.holdings("U1000011") if holding.conid == 8314)

    assert (held.quantity, held.cost_basis) == (Decimal(5), Decimal("550.00"))
    rows = server.app.state.sandbox.store.rows(
        "SELECT realized FROM entries WHERE account = 'U1000011' AND reference = 'x-2'"
    )
    assert Decimal(rows[0]["realized"]) == Decimal("300.00")


def test_reset_restores_the_first_day_and_keeps_the_clients(caller: Caller) -> None:
    outcome(caller.post("/accounts", application("c-1")))
    caller.advance(1000)

    caller.control("POST", "reset", {"seed": 7})
    caller.config(enforce_maintenance=False)  # a first day again, so the windows are closed at their times again

    assert caller.control("GET", "health")["seed"] == 7
    assert caller.control("GET", "health")["offset_seconds"] == 0
    assert caller.control("GET", "ledger")["effects"] == []
    assert caller.get("/accounts/U1000011/status").status_code == 200
    caller.control("POST", "reset", {"seed": 1})


def test_the_clock_is_virtual(caller: Caller) -> None:
    before = caller.control("GET", "health")["now"]

    caller.control("POST", "clock", {"offset_seconds": 86400 * 40})

    assert caller.control("GET", "health")["now"][:7] > before[:7]
    assert caller.get("/echo/https").status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("clients", {"client_id": "X", "kid": "1", "public_key_pem": "no key", "master_account": "F1000001"}),
        ("clients", {"client_id": "X", "kid": "1", "public_key_pem": "-", "master_account": "F9"}),
        ("clients", {"client_id": "X"}),
        ("advance", {"seconds": "ten"}),
        ("accounts/U1", {"state": "Open"}),
        ("accounts/U1000011", {"state": "Happy"}),
    ],
)
def test_a_control_mistake_is_answered_with_a_sentence(steady: Caller, path: str, body: dict[str, object]) -> None:
    answer = requests.post(f"{steady.url}/_sandbox/{path}", json=body, timeout=10)

    assert answer.status_code == 400
    assert answer.json()["error"]


def test_a_client_with_fewer_scopes_gets_fewer(caller: Caller) -> None:
    key = make_key()
    caller.register(client_id="SMALL", kid="s-1", public_key_pem=public_pem(key), scopes=["echo.read"])

    assertion = caller.assertion(key=key, headers={"kid": "s-1"}, iss="SMALL", sub="SMALL")

    assert caller.ask_token(assertion, scope="accounts.read").status_code == 400
    assert caller.ask_token(assertion, scope="echo.read").status_code == 200


class Process:
    """The sandbox as the operator starts it."""

    def __init__(self, state: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        command = [
            sys.executable,
            "-m",
            "tests.checked_sandbox",
            "--port",
            str(self.port),
            "--state",
            str(state),
            "--seed",
            "3",
        ]
        self._process = subprocess.Popen(command, cwd=ROOT)
        deadline = time.monotonic() + 30
        while True:
            try:
                assert requests.get(f"{self.url}/_sandbox/health", timeout=1).ok
                return
            except requests.RequestException:
                assert self._process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def kill(self) -> None:
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait(10)


def test_what_was_applied_survives_kill_9_and_what_was_not_does_not_exist(tmp_path: Path) -> None:
    first = Process(tmp_path)
    caller = Caller(first.url, make_key())
    caller.register()
    caller.config(enforce_maintenance=False)  # at any hour of the week
    caller.advance(500)
    caller.fault(path="/external-cash-transfers$", phase="applied_not_answered", action="hang", seconds=60)
    with pytest.raises(requests.RequestException):
        caller.http.post(
            f"{first.url}/gw/api/v1/external-cash-transfers",
            data=caller.sign(
                {
                    "instructionType": "WITHDRAWAL",
                    "instruction": {
                        "clientInstructionId": 9001, "accountId": "U1000011", "currency": "USD", "amount": 10,
                        "bankInstructionName": "Main bank", "bankInstructionMethod": "WIRE",
                    },
                }
            ),
            headers=caller.headers(**{"Content-Type": "application/jwt"}),
            timeout=0.7,
        )  # fmt: skip
    first.kill()

    second = Process(tmp_path)
    try:
        caller.url = second.url
        assert caller.control("GET", "health")["offset_seconds"] == 500
        assert caller.control("GET", "health")["seed"] == 3
        assert len(caller.ledger("withdrawal", "9001")) == 1
        assert caller.get("/client-instructions/9001").status_code == 200
        assert caller.requests_seen("external-cash-transfers$")[0]["fault"] == "applied_not_answered:hang"
        assert subprocess.run(
            [sys.executable, "-m", "backoffice.sandbox", "--port", "1", "--state", str(tmp_path)], cwd=ROOT,
            capture_output=True, check=False
        ).returncode == 3  # fmt: skip
    finally:
        second.kill()


def test_any_address_but_loopback_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "backoffice.sandbox", "--host", "0.0.0.0", "--port", "0", "--state", str(tmp_path)]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 2
    assert "loopback only" in done.stderr
