"""The books: double entry, and one set of figures behind cash, positions, statements, confirmations and the ledger."""

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from backoffice.sandbox import audit, instruments, statement_figures
from backoffice.sandbox.app import build
from backoffice.sandbox.clock import NEW_YORK
from backoffice.sandbox.kernel import Sandbox
from tests.sandbox.support import Caller, Server

ACCOUNT = "U1000012"
CURRENCIES = ("USD", "EUR", "GBP", "CHF")
CONIDS = tuple(each.conid for each in instruments.all() if each.asset_class == "STK")[:8]
KINDS = {
    "deposit": 1,
    "withdrawal": -1,
    "dividend": 1,
    "withholding tax": -1,
    "interest": 1,
    "advisory fee": -1,
    "fee": -1,
}


def books(caller: Caller, **query: str) -> dict[str, Any]:
    return dict(caller.control("GET", "books", **query))


def test_the_world_is_balanced(steady: Caller) -> None:
    found = books(steady)

    assert found["problems"] == []
    assert found["balanced"] is True
    assert set(found["trial_balance"].values()) == {"0.00"}
    for account in found["accounts"]:
        for cash in account["cash"].values():
            assert cash["opening"] == "0.00"
            assert cash["entries"] == cash["closing"] == cash["balance"]


def test_transfers_keep_the_books_in_balance_at_every_step(caller: Caller) -> None:
    caller.transfer("DEPOSIT", accountId="U1000011", currency="USD", amount=1234.56, bankInstructionMethod="WIRE")
    caller.withdraw()
    caller.withdraw(amount=99999)
    for _ in range(5):
        assert books(caller, account="U1000011")["problems"] == []
        caller.advance(30)

    assert books(caller)["balanced"] is True


def test_a_forged_balance_is_found(server: Server, caller: Caller) -> None:
    sandbox = server.app.state.sandbox
    with sandbox.store.transaction():
        sandbox.store.execute("UPDATE cash SET amount = '1.00' WHERE account = ? AND currency = 'USD'", ACCOUNT)

    found = books(caller, account=ACCOUNT)

    assert found["balanced"] is False
    assert f"{ACCOUNT}: the cash balances are not the sums of the entries" in found["problems"]
    caller.control("POST", "reset", {})


def test_an_unknown_account_has_no_books(steady: Caller) -> None:
    assert steady.http.get(f"{steady.url}/_sandbox/books", params={"account": "U9"}, timeout=10).status_code == 400


def amounts() -> st.SearchStrategy[Decimal]:
    return st.decimals(Decimal("0.01"), Decimal(99_999), places=2)


MOVES = st.one_of(
    st.tuples(st.sampled_from(sorted(KINDS)), st.sampled_from(CURRENCIES), amounts()),
    st.tuples(st.just("fx"), st.sampled_from(CURRENCIES), amounts()),
    st.tuples(st.just("trade"), st.sampled_from(CONIDS), st.integers(-400, 400).filter(bool)),
)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    found: Sandbox = build(tmp_path_factory.mktemp("books") / "state", 3).state.sandbox
    return found


class Undone(Exception):
    """Raised at the end of an example, so that the next begins with the same books."""


@contextmanager
def undone(sandbox: Sandbox) -> Iterator[None]:
    """Whatever is booked inside is taken back."""
    with suppress(Undone), sandbox.store.transaction():
        yield
        raise Undone


def move(sandbox: Sandbox, number: int, step: tuple[Any, ...], at: datetime) -> None:
    kind, what, size = step
    if kind == "trade":
        price = sandbox.market.price(what, at)
        currency = instruments.get(what).currency  # type: ignore[union-attr]
        sandbox.books.post_trade(ACCOUNT, what, currency, Decimal(size), price, Decimal("1.07"), f"x-{number}", "c", at)
    elif kind == "fx":
        cost = (size * sandbox.market.fx(what, "USD", at)).quantize(Decimal("0.01"))
        sandbox.books.post_cash(ACCOUNT, what, size, "fx", "conversion", f"x-{number}", at)
        sandbox.books.post_cash(ACCOUNT, "USD", -cost, "fx", "conversion", f"x-{number}", at)
    else:
        sandbox.books.post_cash(ACCOUNT, what, KINDS[kind] * size, kind, kind, f"x-{number}", at)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(MOVES, min_size=1, max_size=30), days=st.integers(0, 200))
def test_any_sequence_of_moves_leaves_the_figures_in_agreement(
    sandbox: Sandbox, steps: list[tuple[Any, ...]], days: int
) -> None:
    account = sandbox.accounts.get(ACCOUNT)
    assert account is not None
    start = sandbox.clock.now() - timedelta(days=days)

    with undone(sandbox):
        for number, step in enumerate(steps):
            move(sandbox, number, step, start + (sandbox.clock.now() - start) * number / len(steps))
        assert list(audit.problems(sandbox, [account])) == []


def test_a_sale_through_zero_keeps_cost_and_statement_together(sandbox: Sandbox) -> None:
    account, at = sandbox.accounts.get(ACCOUNT), sandbox.clock.now()
    assert account is not None

    with undone(sandbox):
        for number, quantity in enumerate((3, -7, 9, -5)):
            price = Decimal("10.005") + Decimal("0.015") * number
            sandbox.books.post_trade(
                ACCOUNT, CONIDS[0], "USD", Decimal(quantity), price, Decimal(0), f"z-{number}", "", at
            )
            assert list(audit.problems(sandbox, [account])) == []


def confirm(caller: Caller, start: str, end: str, number: str = "U1000013", **more: Any) -> Any:
    return caller.post("/trade-confirmations", {"accountId": number, "startDate": start, "endDate": end, **more})


def days_of_trades(caller: Caller, number: str = "U1000013") -> list[str]:
    return list(caller.get("/trade-confirmations/available", accountId=number).json()["data"]["value"])


def test_only_days_with_trades_of_the_last_two_years_are_available(server: Server, steady: Caller) -> None:
    found = days_of_trades(steady)

    entries = server.app.state.sandbox.books.entries("U1000013", date(2000, 1, 1), date(2100, 1, 1))
    traded = {f"{entry.day:%Y%m%d}" for entry in entries if entry.kind == "trade"}
    assert found == sorted(day for day in traded if day >= min(found))
    assert steady.get("/trade-confirmations/available").status_code == 400
    assert steady.get("/trade-confirmations/available", accountId="U7777777").status_code == 402


def test_a_confirmation_prints_the_trades_of_the_statement(server: Server, steady: Caller) -> None:
    day = days_of_trades(steady)[-1]

    answer = confirm(steady, day, day)

    assert answer.status_code == 200, answer.text
    pages = PdfReader(io.BytesIO(base64.b64decode(answer.json()["data"]["value"]))).pages
    text = "\n".join(page.extract_text() for page in pages)
    sandbox = server.app.state.sandbox
    when = datetime.strptime(day, "%Y%m%d").replace(tzinfo=NEW_YORK).date()
    figures = statement_figures.draw(sandbox, sandbox.accounts.get("U1000013"), when, when)
    assert figures.trades
    for trade in figures.trades:
        assert f"{trade.amount:,.2f}" in text


def test_a_confirmation_comes_as_a_file_or_compressed(steady: Caller) -> None:
    day = days_of_trades(steady)[0]

    body = {"accountId": "U1000013", "startDate": day, "endDate": day}
    raw = steady.post("/trade-confirmations", body, Accept="application/pdf")
    zipped = confirm(steady, day, day, gzip=True, accountIds=["U1000014"]).json()["data"]

    assert raw.content.startswith(b"%PDF-")
    assert zipped["gzip"] is True
    assert base64.b64decode(zipped["value"])[:2] == b"\x1f\x8b"


@pytest.mark.parametrize(
    "changes",
    [
        {"startDate": "202601"}, {"endDate": "2026-01-01"}, {"startDate": "20200101", "endDate": "20200102"},
        {"mimeType": "text/html"}, {"day": "20260101"}, {"startDate": "20250101", "endDate": "20260630"},
    ],
)  # fmt: skip
def test_a_confirmation_that_cannot_be_made(steady: Caller, changes: dict[str, str]) -> None:
    day = days_of_trades(steady)[0]
    body = {"accountId": "U1000013", "startDate": day, "endDate": day, **changes}

    assert steady.post("/trade-confirmations", body).status_code == 400
    assert steady.post("/trade-confirmations", {**body, **changes, "accountId": "U7777777"}).status_code in (400, 402)


def test_a_day_without_trades_has_no_confirmation(steady: Caller) -> None:
    quiet = next(
        day
        for day in (f"{datetime.now() - timedelta(days=back):%Y%m%d}" for back in range(1, 300))
        if day not in days_of_trades(steady)
    )

    assert confirm(steady, quiet, quiet).status_code == 400
