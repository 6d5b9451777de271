"""The sandbox as its own process, for tests: started once per test process on a free port, wiped before each test.

It is the real one, with IBKR's OpenAPI file looking over its shoulder (tests/checked_sandbox.py).
"""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.specification_inspector import REPORT, Findings, inspector

ROOT = Path(__file__).resolve().parent.parent
SCOPES = (
    "accounts.read accounts.write bank-instructions.read bank-instructions.write instructions.read transfers.read "
    "transfers.write statements.read statements.write reports.read sso-sessions.write sso-browser-sessions.write "
    "echo.read echo.write enumerations.read validations.read forms.read balances.read instructions.write"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class SandboxProcess:
    """The running sandbox and its control address."""

    running: ClassVar[list["SandboxProcess"]] = []
    last_words: ClassVar[Findings] = Findings()  # what the check found in those that have ended, until somebody asks

    def __init__(self, state: Path) -> None:
        self._is_unheard = False
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = (state / "sandbox.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.checked_sandbox", "--port", str(self.port), "--state", str(state / "sandbox")],
            cwd=ROOT, stdout=self._log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        deadline = time.monotonic() + 30
        while True:
            try:
                requests.get(f"{self.url}/_sandbox/health", timeout=1).raise_for_status()
                self.running.append(self)
                return
            except requests.RequestException:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.05)

    def stop(self) -> None:
        self.say_last_words()
        self.running.remove(self)
        self._process.terminate()
        self._process.wait(10)
        self._log.close()

    def findings(self) -> Findings:
        """What the check against IBKR's file found since the last call; nothing where no test has touched the sandbox."""
        if not self._is_unheard:
            return Findings()
        self._is_unheard = False
        return Findings.from_data(requests.get(f"{self.url}{REPORT}", timeout=60).json())

    def say_last_words(self) -> None:
        """Keep what the check has found, for the process is about to end. One that a test killed has none any more."""
        self._is_unheard = True  # whoever spoke to it last, e.g. a worker that outlived its test
        if inspector() is not None:
            with suppress(requests.ConnectionError):
                self.last_words.add(self.findings())

    def control(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        self._is_unheard = True
        answer = requests.request(method, f"{self.url}/_sandbox/{path}", json=body, params=params, timeout=30)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def reset(self) -> None:
        self.control("POST", "reset", {})

    def advance(self, seconds: int) -> None:
        self.control("POST", "advance", {"seconds": seconds})

    def config(self, **knobs: Any) -> None:
        self.control("POST", "config", knobs)

    def fault(self, fault: dict[str, Any]) -> None:
        self.control("POST", "faults", fault)

    def clear_faults(self) -> None:
        self.control("DELETE", "faults")

    def ledger(self, kind: str, key: str = "") -> list[dict[str, Any]]:
        found = self.control("GET", "ledger", kind=kind, **({"key": key} if key else {}))
        return found["effects"] if isinstance(found, dict) else found

    def requests(self) -> list[dict[str, Any]]:
        found = self.control("GET", "requests")
        return found["requests"] if isinstance(found, dict) else found

    def world(self) -> dict[str, Any]:
        return dict(self.control("GET", "world"))


@pytest.fixture(scope="session")
def _sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    process = SandboxProcess(tmp_path_factory.mktemp("sandbox"))
    yield process
    process.stop()


@pytest.fixture
def sandbox(_sandbox_process: SandboxProcess) -> SandboxProcess:
    """The sandbox with its demonstration world as on the first day, no faults, no pacing limits, no maintenance windows."""
    _sandbox_process.reset()
    _sandbox_process.config(enforce_pacing=False, enforce_maintenance=False)
    return _sandbox_process


@pytest.fixture(scope="session")
def key_pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A private key file and the public key's PEM. 3072 bits, as IBKR asks."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    path = tmp_path_factory.mktemp("keys") / "private.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    path.chmod(0o600)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return path, public.decode()


@pytest.fixture
def connected_master(db: None, sandbox: SandboxProcess, key_pair: tuple[Path, str]) -> Any:
    """The demonstration master F1000001, registered at the sandbox with our key."""
    from backoffice.broker.models import BrokerageSession, MasterAccount

    path, public = key_pair
    sandbox.control(
        "POST",
        "clients",
        {
            "client_id": "ALDER-ROW-FA",
            "kid": "tests-1",
            "public_key_pem": public,
            "master_account": "F1000001",
            "username": "alder01",
            "scopes": SCOPES.split(),
        },
    )
    master = MasterAccount.objects.create(
        account="F1000001", kind="FA", environment="sandbox", base_url=sandbox.url, client_id="ALDER-ROW-FA",
        key_id="tests-1", private_key_path=str(path), username="alder01",
    )  # fmt: skip
    BrokerageSession.objects.create(master=master)
    return master


@pytest.fixture
def live_session(connected_master: Any, sandbox: SandboxProcess) -> Any:
    """The brokerage session of `connected_master`, established and primed as the keeper does it."""
    from backoffice.broker.models import BrokerageSession
    from backoffice.broker.session import Keeper

    keeper = Keeper(connected_master, sleep=sandbox.advance)  # IBKR's time passes instead of ours
    assert keeper.acquire()
    assert keeper.open()
    return BrokerageSession.objects.get(master=connected_master)
