"""`make bench`: how fast pages, client, search and audit are on this machine, each against what it could or must be.

A figure alone says more about the machine than about us, so each is divided by a measured best of the same machine, such as
a page by the bare health check of the same server, or by what must be reached. Results go to `bench.json`.
"""

import http.client
import json
import sys
import threading
import time
from dataclasses import asdict, dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path

from backoffice.embedded import verbs
from backoffice.embedded.console import StepFailed, Steps, say
from backoffice.embedded.processes import Child, Program, Undertaker, stop
from backoffice.embedded.setup import run_logged
from backoffice.embedded.state import ROOT, State, free_port
from backoffice.embedded.supervisor import wait_for_page, web_command

CLIENTS, SECONDS = 8, 5
# What an earlier run left would be measured too, and its million audit rows are in the way of new ones.
EMPTIED = """
import os, psycopg
with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as line:
    line.execute("DROP SCHEMA public CASCADE")
    line.execute("CREATE SCHEMA public")
"""


@dataclass(frozen=True)
class Figure:
    """One line of `bench.json`. `ratio` is value over best, `bar` what it must reach (`holds`)."""

    name: str
    value: str
    unit: str
    against: str
    ratio: str
    bar: str
    holds: bool


def figure(
    name: str, value: int, unit: str, best: int, against: str, bar: str, *, higher_is_better: bool = True
) -> Figure:
    """Compare a value with the best of this machine, both in the same unit. Rounding never carries a figure over its bar."""
    exact = Decimal(value) / Decimal(best or 1)
    holds = exact >= Decimal(bar) if higher_is_better else exact <= Decimal(bar)
    ratio = exact.quantize(Decimal("0.001"), ROUND_FLOOR if higher_is_better else ROUND_CEILING)
    return Figure(name, str(value), unit, f"{against}: {best} {unit}", str(ratio), bar, holds)


@dataclass(frozen=True)
class Load:
    """What eight clients got, each on a connection of its own: answers a second, and the slowest but one in a hundred."""

    per_second: int
    p99_ms: int


def load(port: int, path: str) -> Load:
    """Ask for one page as fast as it is answered. A failed answer ends it."""
    took: list[list[int]] = [[] for _ in range(CLIENTS)]
    refused: list[int] = []
    deadline = time.monotonic() + SECONDS

    def ask(mine: list[int]) -> None:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        while (began := time.monotonic()) < deadline:
            line.request("GET", path)
            answer = line.getresponse()
            answer.read()
            if answer.status != http.client.OK:
                refused.append(answer.status)
                return
            mine.append(round((time.monotonic() - began) * 1000))

    threads = [threading.Thread(target=ask, args=(mine,)) for mine in took]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if refused:
        raise StepFailed(
            f"{path} answered {refused[0]}", "there is nothing to measure", "see that the page opens in `make run`"
        )
    every = sorted(each for mine in took for each in mine)
    return Load(len(every) // SECONDS, every[-(-len(every) * 99 // 100) - 1])


def run(state: State, steps: Steps) -> int:
    """Measure on servers of our own, print, write. Returns 1 when a bar is missed."""
    servers = State(state.folder / "bench").make()
    with verbs.servers_for_tests(servers) as (settings, _):
        settings |= verbs.deployment_settings() | {"ALLOWED_HOSTS": "127.0.0.1", "HTTPS": "false"}
        with steps.step("Tables and files of the pages"):
            run_logged([sys.executable, "-c", EMPTIED], servers.log / "empty.log",
                       "there is nothing to measure", "look at the log", settings)  # fmt: skip
            run_logged([sys.executable, "-m", "django", "migrate", "--no-input"], servers.log / "migrate.log",
                       "there is nothing to measure", "look at the log", settings)  # fmt: skip
            verbs.collect_static(servers, settings)
        with steps.step(f"Pages, {CLIENTS} clients, {SECONDS} s each"):
            bare, page = measure_pages(servers, settings)
        with steps.step("The client on the sandbox, 5 minutes at IBKR's limit"):
            client = measure_client(servers, settings)
        with steps.step("The search among 100,000 clients"):
            search = measure_search(servers, settings)
        with steps.step("A million audit rows"):
            audit = measure_audit(servers, settings)
    figures = [
        figure("page.sign_in", page.per_second, "requests/s", bare.per_second, "the bare health check of the same server",
               "0.1"),
        figure("page.sign_in_p99", page.p99_ms, "ms", 300, "what a page may take under load", "1", higher_is_better=False),
        figure("client.page_of_100_positions", client["overhead_typed_ns"] // 1000, "microseconds",
               client["overhead_bare_ns"] // 1000, "the same requests bare, with .json()", "1.5", higher_is_better=False),
        figure("client.reads_of_four_processes", client["pace_per_minute"], "reads/min", 600,
               "what IBKR allows one master", "0.95"),
        figure("client.refused_with_429", client["pace_refused"] + client["pace_failed"], "calls", 1,
               "counted by the sandbox, of 3000", "0", higher_is_better=False),
        figure("client.status_sweep_10000", client["sweep_calls"] if client["sweep_accounts"] == 10_000 else 999, "calls", 1,
               "accounts in all: 10000", "12", higher_is_better=False),
        figure("search.p95_100000_clients", search["search_p95_us"] if search["search_clients"] == 100_000 else 999_999_999,
               "microseconds", 150_000, "150 ms, the whole request, p95", "1", higher_is_better=False),
        figure("audit.verify_1000000", audit["audit_ms"] if audit["audit_rows"] == 1_000_000 else 999_999, "ms", 60_000,
               "a minute", "1", higher_is_better=False),
    ]  # fmt: skip
    target = state.folder / "bench.json"
    target.write_text(json.dumps([asdict(line) for line in figures], indent=1) + "\n", encoding="utf-8")
    say()
    for line in figures:
        verdict = "holds" if line.holds else "MISSED"
        say(
            f"  {line.name:<30}{line.value:>7} {line.unit:<13} ratio {line.ratio:>6}  bar {line.bar:<5} {verdict}  ({line.against})"
        )
    say(f"\nbench: written to {target}")
    return 0 if all(line.holds for line in figures) else 1


def measure_pages(state: State, settings: dict[str, str]) -> tuple[Load, Load]:
    """Return how the health check and the sign-in page bear eight clients."""
    undertaker = Undertaker(State(state.folder / "web").make())
    undertaker.begin()
    port = free_port()
    web = Child(Program("web", web_command(port), settings, ROOT), undertaker, state.log)
    web.start()
    try:
        wait_for_page(web, f"http://127.0.0.1:{port}/healthz", "the web server does not answer")
        return load(port, "/healthz"), load(port, "/account/login/")
    finally:
        stop(web)
        undertaker.end()


def measure_audit(state: State, settings: dict[str, str]) -> dict[str, int]:
    """Return what the audit's own bench found; see `bench_audit`."""
    log: Path = state.log / "audit.log"
    command = [sys.executable, "-m", "backoffice.embedded.bench_audit"]
    run_logged(command, log, "the audit cannot be measured", "look at the log", settings)
    found: dict[str, int] = json.loads(log.read_text(encoding="utf-8").strip().splitlines()[-1])
    return found


def measure_search(state: State, settings: dict[str, str]) -> dict[str, int]:
    """Return what the search's own bench found; see `bench_search`."""
    log: Path = state.log / "search.log"
    command = [sys.executable, "-m", "backoffice.embedded.bench_search"]
    run_logged(command, log, "the search cannot be measured", "look at the log", settings)
    found: dict[str, int] = json.loads(log.read_text(encoding="utf-8").strip().splitlines()[-1])
    return found


def measure_client(state: State, settings: dict[str, str]) -> dict[str, int]:
    """Return what the client's own bench found; see `bench_client`."""
    log: Path = state.log / "client.log"
    command = [sys.executable, "-m", "backoffice.embedded.bench_client", str(state.folder / "client")]
    run_logged(command, log, "the client cannot be measured", "look at the log", settings)
    found: dict[str, int] = json.loads(log.read_text(encoding="utf-8").strip().splitlines()[-1])
    return found
