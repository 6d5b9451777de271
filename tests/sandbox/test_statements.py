"""Statements: what is available, what is refused, and whether the figures add up."""

import base64
import gzip
import io
import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pypdf import PdfReader

from backoffice.sandbox import statement_figures
from tests.sandbox.support import Caller, Server


def available(caller: Caller, number: str = "U1000013") -> dict[str, Any]:
    return dict(caller.get("/statements/available", accountId=number).json()["data"]["value"])


def fetch(caller: Caller, start: str, end: str | None = None, number: str = "U1000013", **more: Any) -> Any:
    return caller.post("/statements", {"accountId": number, "startDate": start, "endDate": end or start, **more})


def pdf_text(answer: Any) -> str:
    assert answer.status_code == 200, answer.text
    raw = base64.b64decode(answer.json()["data"]["value"])
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(raw)).pages)


def figure(text: str, label: str) -> Decimal:
    found = re.search(rf"^{re.escape(label)}\n(-?[\d,]+\.\d\d)$", text, re.MULTILINE)
    assert found, f"{label} is not in the statement"
    return Decimal(found[1].replace(",", ""))


def test_every_open_account_has_at_least_three_months_and_a_daily_range(steady: Caller) -> None:
    for number in (f"U10000{n}" for n in range(11, 20)):
        found = available(steady, number)
        assert len(found["monthly"]) >= 3
        assert re.fullmatch(r"\d{8}", found["daily"]["startDate"])
        assert re.fullmatch(r"\d{8}", found["daily"]["endDate"])
    assert "2025" in available(steady)["annual"]


def test_a_monthly_statement_is_a_pdf_whose_changes_add_up(steady: Caller) -> None:
    month = available(steady)["monthly"][-1]

    answer = fetch(steady, month)

    data = answer.json()["data"]
    assert (data["dataType"], data["encoding"], data["mimeType"]) == ("byte[]", "base64", "application/pdf")
    text = pdf_text(answer)
    for section in (
        "Account Information",
        "Net Asset Value",
        "Change in NAV",
        "Cash Report",
        "Open Positions",
        "Trades",
        "Fees",
    ):
        assert section in text
    assert "Friederike Sonnwald" in text
    change = text[text.index("Change in NAV") : text.index("Cash Report")]
    amounts = [Decimal(amount.replace(",", "")) for amount in re.findall(r"^-?[\d,]+\.\d\d$", change, re.MULTILINE)]
    assert len(amounts) > 5
    assert sum(amounts[:-1]) == amounts[-1] == figure(text, "Ending Value")


def test_dividends_stand_in_the_months_that_paid_them(steady: Caller) -> None:
    quarter = available(steady)["monthly"][-3:]

    paid = ["Dividends & Withholding Tax" in pdf_text(fetch(steady, month)) for month in quarter]

    assert paid == [int(month[4:]) % 3 != 2 for month in quarter]  # of two kinds of instruments, each every third month


@pytest.mark.parametrize("number", [f"U10000{n}" for n in range(11, 20)])
def test_the_figures_of_every_month_hang_together(server: Server, steady: Caller, number: str) -> None:
    sandbox = server.app.state.sandbox
    account = sandbox.accounts.get(number)
    endings: dict[str, Decimal] = {}
    for month in available(steady, number)["monthly"][-4:]:
        year, of_year = int(month[:4]), int(month[4:])
        start = max(date(year, of_year, 1), account.date_opened.date())
        end = date(year + of_year // 12, of_year % 12 + 1, 1) - (date(2026, 1, 2) - date(2026, 1, 1))
        figures = statement_figures.draw(sandbox, account, start, end)

        assert sum(amount for _, amount in figures.change[:-1]) == figures.change[-1][1] == figures.nav[-1][2]
        assert figures.nav[0][2] + figures.nav[1][2] == figures.nav[2][2]
        assert sum(position.value_in_base for position in figures.positions) == figures.nav[1][2]
        for currency, lines in figures.cash.items():
            assert sum(amount for _, amount in lines[:-1]) == lines[-1][1]
            assert lines[0][1] == endings.get(currency, lines[0][1])
        endings = {currency: lines[-1][1] for currency, lines in figures.cash.items()}
        assert abs(dict(figures.change)["Other FX Translations"]) < figures.nav[-1][2] / 20
        assert all(lines[-1][1] >= 0 for lines in figures.cash.values())


def test_the_statement_ends_with_the_cash_of_the_books(server: Server, steady: Caller) -> None:
    sandbox = server.app.state.sandbox
    account = sandbox.accounts.get("U1000013")

    figures = statement_figures.draw(sandbox, account, date(2020, 1, 1), date(2040, 1, 1))

    assert {currency: lines[-1][1] for currency, lines in figures.cash.items()} == sandbox.books.cash("U1000013")
    held = {position.symbol: position.quantity for position in figures.positions}
    assert sum(held.values()) == sum(holding.quantity for holding in sandbox.books.holdings("U1000013"))
    cost = sum(position.cost_basis for position in figures.positions)
    assert cost == sum(holding.cost_basis for holding in sandbox.books.holdings("U1000013"))


def test_the_same_statement_has_the_same_bytes(steady: Caller) -> None:
    month = available(steady)["monthly"][-1]

    assert fetch(steady, month).json()["data"]["value"] == fetch(steady, month).json()["data"]["value"]


def test_annual_daily_and_zipped_statements_are_made(steady: Caller) -> None:
    daily = available(steady)["daily"]

    annual, ranged = fetch(steady, "2025"), fetch(steady, daily["endDate"], daily["endDate"])
    zipped = fetch(steady, "2025", gzip=True).json()["data"]

    assert "January 01, 2025 - December 31, 2025" in pdf_text(annual)
    assert "Open Positions" in pdf_text(ranged)
    assert gzip.decompress(base64.b64decode(zipped["value"])).startswith(b"%PDF")
    assert zipped["gzip"] is True


def test_several_accounts_follow_one_another(steady: Caller) -> None:
    month = available(steady)["monthly"][-1]

    text = pdf_text(fetch(steady, month, accountIds=["U1000013", "U1000011"], multiAccountFormat="concatenate"))

    assert text.index("Friederike Sonnwald") < text.index("Marianne Holloway")


def test_a_foreign_or_unopened_account_is_402(steady: Caller) -> None:
    for number in ("U9999999", "U1000022"):
        answer = fetch(steady, "202609", number=number)
        assert (answer.status_code, answer.json()["title"]) == (402, "Unauthorized")
        assert steady.get("/statements/available", accountId=number).status_code == 402


@pytest.mark.parametrize(
    "body",
    [
        {"startDate": "20250101", "endDate": "20260201"},
        {"startDate": "202501", "endDate": "20250131"},
        {"startDate": "202513", "endDate": "202513"},
        {"startDate": "20250230", "endDate": "20250301"},
        {"startDate": "202508", "endDate": "202507"},
        {"startDate": "2099", "endDate": "2099"},
        {"startDate": "2019", "endDate": "2019"},
        {"startDate": "202508", "endDate": "202508", "mimeType": "text/csv"},
        {"startDate": "202508", "endDate": "202508", "language": "xx"},
        {"startDate": "202508", "endDate": "202508", "surprise": 1},
        {"endDate": "202508"},
    ],
)
def test_a_bad_period_or_member_is_400(steady: Caller, body: dict[str, Any]) -> None:
    answer = steady.post("/statements", {"accountId": "U1000013", **body})

    assert (answer.status_code, answer.json()["type"]) == (400, "/invalid-argument")


def test_the_current_month_is_not_ready(steady: Caller) -> None:
    today = steady.control("GET", "health")["now"]

    assert fetch(steady, today[:4] + today[5:7]).status_code == 400
