"""The search's part of `make bench`: how long Ctrl-K takes the server among a hundred thousand clients.

Runs as `python -m backoffice.embedded.bench_search` with the settings of the bench's own servers, and prints one JSON
object. The rows are real ones, written through the models: names, account numbers, sealed identifiers with their blind
indexes, applications, transfers, orders and reports. What is timed is the whole request, from the first middleware to
the last byte, by a principal who sees everybody and by an advisor who sees one book in twenty.
"""

import json
import random
import sys
import time
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

import django
from django.apps import apps
from django.db import connection, transaction

CLIENTS, ROUNDS = 100_000, 12
BOOKS, BATCH = 20, 5_000
BEGAN = datetime(2026, 1, 5, 15, tzinfo=UTC)
SYLLABLES = ("an", "bel", "cor", "da", "el", "fen", "gra", "hol", "is", "jor", "ka", "lin", "mor", "no", "os", "per", "ru",
             "sa", "tor", "ul", "ve", "wyn", "ya", "zu")  # fmt: skip
# What people type, from two letters of half the firm to a reference one row has.
TYPED = ("an", "mo", "anmo", "belcor", "an mor", "corda elfen", "nobody", "U2", "U20", "U200000", "U2000077", "4321",
         "T-76", "T-5001", "76", "5000077", "900040", "BO-000000000775",
         "bo-000000", "October 2026", "U2000077 202610", "SYM7", "' OR 1=1 --")  # fmt: skip


def main() -> int:
    django.setup()
    clients = int(sys.argv[1]) if len(sys.argv) > 1 else CLIENTS
    with transaction.atomic():  # and undone: the next run, and the figures after this one, find nothing of it
        times = sorted(measure(fill(clients), rounds=ROUNDS))
        found = {
            "search_clients": apps.get_model("clients.Client").objects.count(),
            "search_requests": len(times),
            "search_p50_us": times[len(times) // 2],
            "search_p95_us": times[len(times) * 95 // 100],
            "search_max_us": times[-1],
        }
        transaction.set_rollback(True)
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


def measure(people: Iterable[Any], *, rounds: int) -> Iterator[int]:
    """Ask for everything in `TYPED` as each person; yield the microseconds of each answer. The first round is not counted."""
    from django.test import Client as Browser
    from django.urls import reverse

    url = reverse("home:search")
    for person in people:
        browser = Browser(headers={"HX-Request": "true"}, SERVER_NAME="127.0.0.1")
        browser.force_login(person, backend="backoffice.people.backends.EmailBackend")
        for number in range(rounds + 1):
            for typed in TYPED:
                began = time.perf_counter_ns()
                answer = browser.post(url, {"q": typed})
                took = (time.perf_counter_ns() - began) // 1000
                if answer.status_code != 200:
                    raise SystemExit(f"the search answered {answer.status_code}")
                if number:
                    yield took


def fill(clients: int) -> list[Any]:
    """Write a firm of that many clients, with what belongs to it; return a principal and the advisor of one book."""
    model, chance = apps.get_model, random.Random(1)  # noqa: S311 - made-up names
    users = model("people.User").objects
    principal = users.create_user(email="principal@bench.example", name="Bench Principal", role="principal")
    advisor = users.create_user(email="advisor@bench.example", name="Bench Advisor", role="advisor")
    books = [model("people.Book").objects.create(name=f"Bench {number}") for number in range(BOOKS)]
    books[0].members.add(advisor)
    for person in (principal, advisor):
        model("mfa.Authenticator").objects.create(user=person, type="totp", data={"secret": "none"})
    master = model("broker.MasterAccount").objects.create(
        account="F2000000", kind="FA", environment="sandbox", base_url="http://127.0.0.1:1", client_id="bench", key_id="bench",
        private_key_path="/nonexistent", username="",
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
    instruments = _write("trading.Instrument", ({"conid": str(number), "symbol": f"SYM{number}", "currency": "USD",
                                                 "name": f"{_name(chance, 2)} Holdings"} for number in range(2_000)))  # fmt: skip
    made = {"master": master, "chance": chance, "by": principal, "instruments": instruments, "books": books}
    for first in range(0, clients, BATCH):
        _write_batch(range(first, min(first + BATCH, clients)), **made)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute("RESET statement_timeout")
    return [principal, advisor]


def _write_batch(numbers: range, *, master: Any, chance: random.Random, by: Any, instruments: list[Any],
                 books: list[Any]) -> None:  # fmt: skip
    """Write some clients: an account, a bank, a transfer and a report each, an application and an order for some."""
    people = _write("clients.Client", (
        {"first_name": _name(chance, 2), "last_name": _name(chance, chance.choice((2, 3))), "book": books[number % BOOKS],
         "country": "USA", "tax_number": f"{number // 10_000 + 100}-{number % 97:02}-{number % 10_000:04}"}
        for number in numbers
    ))  # fmt: skip
    accounts = _write("clients.Account", (
        {"number": f"U{2_000_000 + number}", "client": client, "master": master, "base_currency": "USD", "ibkr_status": "O"}
        for number, client in zip(numbers, people, strict=True)
    ))  # fmt: skip
    banks = _write("funding.BankInstruction", (
        {"account": account, "name": f"Bank {number}", "method": "ACH", "currency": "USD", "last4": f"{number % 10_000:04}",
         "ibkr_status": "PROCESSED", "first_seen_at": BEGAN, "seen_at": BEGAN}
        for number, account in zip(numbers, accounts, strict=True)
    ))  # fmt: skip
    _write("funding.CashTransfer", (
        {"kind": "withdrawal", "account": bank.account, "amount": Decimal(100), "currency": "USD", "bank": bank,
         "method": "ACH", "client_instruction_id": 5_000_000 + number, "intent": uuid.uuid4(), "requested_by": by,
         "requested_at": BEGAN + timedelta(minutes=number), "status": "done", "instruction_id": str(7_000_000 + number)}
        for number, bank in zip(numbers, banks, strict=True)
    ))  # fmt: skip
    _write("reporting.Report", (
        {"account": account, "granularity": "monthly", "period": "202610", "state": "held", "version": 1, "offered_at": BEGAN}
        for account in accounts
    ))  # fmt: skip
    fifth = numbers[::5]
    _write("clients.Application", (
        {"intent": uuid.uuid4(), "book": books[number % BOOKS], "owner": by, "master": master, "stage_since": BEGAN,
         "external_id": f"BO-{number:012}", "applicant": f"{_name(chance, 2)} {_name(chance, 2)}", "created_at": BEGAN,
         "status": "draft" if number % 50 else "abandoned"}
        for number in fifth
    ))  # fmt: skip
    orders = _write("trading.Order", (
        {"number": number + 1, "intent": uuid.uuid4(), "client_order_id": f"T-{number + 1}-bench", "master": master,
         "instrument": instruments[number % len(instruments)], "side": "BUY", "quantity": Decimal(10), "order_type": "MKT",
         "target": "account", "target_name": "", "reason": "Bench", "maker": by, "created_at": BEGAN, "changed_at": BEGAN,
         "sent_at": BEGAN, "settled_at": BEGAN, "status": "filled", "ibkr_order_id": str(900_000 + number)}
        for number in fifth
    ))  # fmt: skip
    _write("trading.OrderAllocation", (
        {"order": order, "account": accounts[at * 5], "place": 0, "quantity": Decimal(10)} for at, order in enumerate(orders)
    ))  # fmt: skip


def _write(name: str, rows: Iterable[dict[str, Any]]) -> list[Any]:
    model, made = apps.get_model(name), []
    waiting = (model(**row) for row in rows)
    while some := list(islice(waiting, 1_000)):
        made += model._default_manager.bulk_create(some)
    return made


def _name(chance: random.Random, syllables: int) -> str:
    return "".join(chance.choices(SYLLABLES, k=syllables)).capitalize()


if __name__ == "__main__":
    sys.exit(main())
