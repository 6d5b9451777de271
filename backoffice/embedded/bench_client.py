"""The client's part of `make bench`, in one run beside bare `requests`: overhead, pace and the sweep of statuses.

Runs as `python -m backoffice.embedded.bench_client DIR` with the settings of the bench's own servers, and prints one JSON
object. A sandbox is started in DIR; it counts arrivals itself (`GET /_sandbox/limits`), so a breach cannot be overlooked.
"""

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import Any

import django
import requests

from backoffice.embedded.state import ROOT, free_port
from backoffice.ibkr import Credentials, IbkrClient, keys

POSITIONS, CALLS = 100, 200
READS, PROCESSES, THREADS = 3000, 4, 5
ALLOWED_PER_MINUTE = 600
ACCOUNTS = 10_000
MASTER, CLIENT_ID, KEY_ID = "F1000001", "BENCH", "bench-1"
PATIENCE_SECONDS = 600

READER = """
import sys, threading, time, django
django.setup()
from datetime import date
from django.db import connection
from backoffice.broker import client
from backoffice.broker.models import MasterAccount
from backoffice.ibkr.errors import HeldBack
from backoffice.ibkr.limits import Priority
master = MasterAccount.objects.get()
connection.close()
reads, threads = int(sys.argv[1]), int(sys.argv[2])
left, held, lock = [reads], [0], threading.Lock()
def work():
    accounts = client.client_for(master, lane="accounts", priority=Priority.RECONCILE).accounts
    while True:
        with lock:
            if not left[0]:
                break
            left[0] -= 1
        try:
            accounts.status("U1000011")
        except HeldBack:  # told to come back, before anything left: it comes back
            with lock:
                left[0] += 1
                held[0] += 1
    connection.close()
running = [threading.Thread(target=work) for _ in range(threads)]
began = time.monotonic_ns()
[each.start() for each in running]
[each.join() for each in running]
print(began, time.monotonic_ns(), held[0], left[0])
"""


def main() -> int:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    django.setup()
    found: dict[str, int] = {}
    found |= overhead()
    with sandbox(folder) as address:
        connect(folder, address)
        found |= pace(address)
    crowd(folder)
    with sandbox(folder) as address:
        found |= sweep(folder, address)
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


def overhead() -> dict[str, int]:
    """Nanoseconds of one typed page of 100 positions, and of the same two requests and their JSON without the client.

    Medians, because a pause of the machine in one call says nothing about either.
    """
    page = json.dumps([_position(number) for number in range(POSITIONS)]).encode()

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body leave together: else the kernel waits 40 ms between them
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            body = page if self.path.endswith("/0") else b"[]"
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing: a line a request would be measured too."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    pair = keys.make_key_pair()
    client = IbkrClient(
        base_url=address,
        credentials=Credentials(CLIENT_ID, KEY_ID, pair.private_pem),
        session_bearer=lambda: "bench",
    )
    session = requests.Session()

    def bare() -> None:
        for number in range(2):
            session.get(f"{address}/v1/api/portfolio/U1000011/positions/{number}", timeout=10).json()

    def typed() -> None:
        client.portfolio.positions("U1000011")

    took: dict[str, list[int]] = {"bare": [], "typed": []}
    bare()
    typed()
    for _ in range(CALLS):  # by turns, so that a busy moment of the machine strikes both
        for name, work in (("bare", bare), ("typed", typed)):
            began = time.perf_counter_ns()
            work()
            took[name].append(time.perf_counter_ns() - began)
    server.shutdown()
    return {f"overhead_{name}_ns": int(median(each)) for name, each in took.items()}


def pace(address: str) -> dict[str, int]:
    """Let four processes read 3,000 times from one master as quickly as the limits allow; the sandbox says what it saw."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", READER, str(READS // PROCESSES), str(THREADS)],
            cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(PROCESSES)
    ]  # fmt: skip
    told = [[int(word) for word in process.communicate(timeout=PATIENCE_SECONDS)[0].split()] for process in running]
    # From the first read of any to the last answer of all: one clock for the whole machine, and no start-up of Python in it.
    took_ms = (max(end for _, end, *_ in told) - min(began for began, *_ in told)) // 1_000_000
    seen = requests.get(f"{address}/_sandbox/limits", timeout=30).json()
    return {
        "pace_failed": sum(process.returncode != 0 for process in running) + sum(undone for *_, undone in told),
        "pace_held": sum(held for _, _, held, _ in told),
        "pace_ms": took_ms,
        "pace_per_minute": READS * 60_000 // took_ms,
        "pace_refused": int(seen["refused"]),
    }


def sweep(folder: Path, address: str) -> dict[str, int]:
    """Read the status of 10,000 accounts; how many calls left for it, and how many accounts came."""
    exchanges: list[str] = []
    from backoffice.ibkr.transport import Transport

    client = IbkrClient(
        base_url=address,
        credentials=Credentials(CLIENT_ID, KEY_ID, (folder / "key.pem").read_bytes()),
        transport=Transport(recorder=lambda exchange: exchanges.append(exchange.path)),
        scopes=("accounts.read",),
    )
    began = time.monotonic_ns()
    found = list(client.accounts.all_statuses(date(2015, 1, 1), date(2035, 1, 1)))
    took = (time.monotonic_ns() - began) // 1_000_000
    calls = sum(path.endswith("/accounts/status") for path in exchanges)
    return {"sweep_calls": calls, "sweep_accounts": len({row.account_id for row in found}), "sweep_ms": took}


@contextmanager
def sandbox(folder: Path) -> Iterator[str]:
    """Run the real sandbox, limits and all, until left."""
    port = free_port()
    command = [sys.executable, "-m", "backoffice.sandbox", "--port", str(port), "--state", str(folder / "sandbox")]
    process = subprocess.Popen(command, cwd=ROOT)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                requests.get(f"{address}/_sandbox/health", timeout=1).raise_for_status()
                break
            except requests.RequestException:
                time.sleep(0.1)
        # A window of IBKR's would stop the clock of the measurement; the limits stay on.
        requests.post(f"{address}/_sandbox/config", json={"enforce_maintenance": False}, timeout=10).raise_for_status()
        yield address
    finally:
        process.terminate()
        process.wait(20)


def connect(folder: Path, address: str) -> None:
    """Register a key of our own and write the connection's row."""
    from backoffice.broker import services
    from backoffice.broker.models import MasterAccount

    pair = keys.make_key_pair()
    path = folder / "key.pem"
    path.touch(mode=0o600)
    path.write_bytes(pair.private_pem)
    registration = {
        "client_id": CLIENT_ID, "kid": KEY_ID, "public_key_pem": pair.public_pem.decode(), "master_account": MASTER,
        "username": "alder01",
    }  # fmt: skip
    requests.post(f"{address}/_sandbox/clients", json=registration, timeout=10).raise_for_status()
    MasterAccount.objects.all().delete()
    services.add_connection(
        account=MASTER, environment="sandbox", kind="FA", base_url=address, client_id=CLIENT_ID, key_id=KEY_ID,
        private_key_path=str(path), username="alder01",
    )  # fmt: skip


def crowd(folder: Path) -> None:
    """Give the sandbox's master 10,000 accounts in all, by its own file: only their number matters here."""
    with sqlite3.connect(folder / "sandbox" / "sandbox.sqlite3") as store:
        columns = [row[1] for row in store.execute("PRAGMA table_info(accounts)")]
        present = store.execute("SELECT count(*) FROM accounts WHERE master = ?", (MASTER,)).fetchone()[0]
        others = [name for name in columns if name not in ("account", "external_id")]
        store.executemany(
            f"INSERT INTO accounts (account, external_id, {', '.join(others)}) "  # noqa: S608 - our own column names
            f"SELECT ?, ?, {', '.join(others)} FROM accounts WHERE account = 'U1000011'",
            [(f"U{2_000_000 + number}", f"bench-{number}") for number in range(ACCOUNTS - present)],
        )


def _position(number: int) -> dict[str, Any]:
    return {
        "acctId": "U1000011", "conid": 265598 + number, "contractDesc": f"SYM{number}", "position": 100.5 + number,
        "mktPrice": 231.4175, "mktValue": 23257.46, "currency": "USD", "avgCost": 198.25, "avgPrice": 198.25,
        "realizedPnl": 0.0, "unrealizedPnl": 3333.33, "exchs": None, "expiry": None, "putOrCall": None,
        "multiplier": 0.0, "strike": "0", "exerciseStyle": None, "conExchMap": [], "assetClass": "STK", "undConid": 0,
        "model": "", "baseMktValue": 23257.46, "baseMktPrice": 231.4175, "baseAvgCost": 198.25, "baseAvgPrice": 198.25,
        "baseRealizedPnl": 0.0, "baseUnrealizedPnl": 3333.33, "incrementRules": [{"lowerEdge": 0.0, "increment": 0.01}],
        "displayRule": {"magnification": 0, "displayRuleStep": [{"decimalDigits": 2, "lowerEdge": 0.0, "wholeDigits": 4}]},
        "time": 12, "chineseName": "", "allExchanges": "NASDAQ,NYSE,ARCA", "listingExchange": "NASDAQ",
        "countryCode": "US", "name": f"COMPANY {number}", "lastTradingDay": None, "group": "Computers",
        "sector": "Technology", "sectorGroup": "Computers", "ticker": f"SYM{number}", "type": "COMMON",
        "hasOptions": True, "fullName": f"SYM{number}", "isUS": True, "isEventContract": False, "pageSize": 100,
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
