"""Z07: whatever stands in a row, no cell of any export starts a formula, and figures stay figures."""

import csv
import io
import re
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.urls import reverse

from backoffice.audit.services import record
from backoffice.core import exports
from tests.test_authorisation import MATRIX, Visitor, firm, visitors
from tests.two_books import OWN, Firm

__all__ = ["firm", "visitors"]
pytestmark = pytest.mark.django_db
EXPORTS = {
    "clients:client_export": "principal", "funding:export": "principal", "trading:portfolio_export": "principal",
    "trading:blotter_export": "principal", "audit:entry_export": "administrator",
}  # fmt: skip
FORMULAS = [
    f"{before}{start}{rest}"
    for start in ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
    for before, rest in (
        ("", "HYPERLINK(\"//evil\")"), (" ", "1+1"), ("\t", "cmd|'/C calc'!A1"), ("\r", "SUM(A1)"), ("\n", "1"),
    )
]  # fmt: skip
STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def cells(text: str) -> list[str]:
    return [cell for row in csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")) for cell in row]


def is_figure(cell: str) -> bool:
    try:
        return Decimal(cell).is_finite()
    except ArithmeticError:
        return False


def test_every_export_of_the_product_is_tried_here() -> None:
    assert {name for name in MATRIX if "export" in name} == set(EXPORTS)


@pytest.mark.row(id="Z07")
@pytest.mark.parametrize("formula", FORMULAS)
def test_a_cell_is_never_a_formula(formula: str) -> None:
    shown = exports.safe(formula)

    assert shown.replace("\t'", "\t").replace("\r'", "\r").replace("\n'", "\n") == f"'{formula}"
    assert cells(exports.csv_bytes(["Head"], [[formula]]).decode()) == ["Head", shown]


@pytest.mark.row(id="Z07")
@pytest.mark.parametrize(
    "text", ["Ada;=1+1;", ";=1+1", "Ada; @SUM(A1)", "Ada\n=1+1", "Ada\r\n+1", "Ada\t-1+1", 'A;"";=1+1']
)
def test_nor_where_the_comma_is_the_decimal_sign_and_semicolons_part_the_cells(text: str) -> None:
    line = exports.csv_bytes(["Head"], [["first", text, "last"]]).decode().removeprefix("\ufeff")

    parts = [part.strip(' "') for part in re.split(r"[;\t\r\n]", line)]

    assert [part for part in parts if part.startswith(STARTS)] == []


@pytest.mark.row(id="Z07")
def test_a_harmless_semicolon_stays_as_it_was() -> None:
    assert exports.safe("Roof; first half - 50%") == "Roof; first half - 50%"


@pytest.mark.parametrize("name", sorted(EXPORTS))
def test_each_export_begins_with_the_mark_once_so_that_names_keep_their_accents(
    name: str, visitors: dict[str, Visitor]
) -> None:
    text = visitors[EXPORTS[name]].ask("GET", reverse(name)).text

    assert (text[0], text.count("\ufeff")) == ("\ufeff", 1)


@pytest.mark.row(id="Z07")
@pytest.mark.parametrize("name", sorted(EXPORTS))
def test_no_export_starts_a_formula_whatever_its_rows_hold(name: str, firm: Firm, visitors: dict[str, Visitor]) -> None:
    rows: dict[str, Any] = firm.rows[OWN]
    for formula in FORMULAS[::7]:
        for row, column in (
            (rows["account"].client, "last_name"), (rows["account"].client, "first_name"), (rows["bank"], "name"),
            (rows["order"].instrument, "name"), (rows["order"].instrument, "symbol"), (rows["transfer"], "ibkr_status"),
            (rows["order"], "ibkr_status"), (rows["order"], "target_name"),
        ):  # fmt: skip
            type(row)._default_manager.filter(pk=row.pk).update(**{column: formula[:20].replace("\0", "")})
        record("probe", by=firm.people["principal"], summary=formula)

        reply = visitors[EXPORTS[name]].ask("GET", f"{reverse(name)}?view=all&tab=all")

        assert reply.status == 200
        wrong = [cell for cell in cells(reply.text) if cell.lstrip(" ").startswith(STARTS) and not is_figure(cell)]
        assert wrong == []
        assert any(formula[:20].strip() in cell for cell in cells(reply.text)), "the row with the formula was exported"


def test_a_loss_stays_a_figure() -> None:
    assert cells(exports.csv_bytes(["P&L"], [[Decimal("-1234.50")], [-7]]).decode()) == ["P&L", "-1234.50", "-7"]


def test_a_file_that_does_not_hold_everything_says_so(firm: Firm, visitors: dict[str, Visitor]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO clients_client (id, first_name, last_name, book_id, email, phone, date_of_birth, residence,
                 tax_number, tax_number_index, tax_number_tail, country, created_at)
               SELECT gen_random_uuid(), 'First', 'Last' || n, %s, '', '', '', '', '', '', '', 'USA', now()
               FROM generate_series(1, %s) n""",
            [firm.rows[OWN]["account"].client.book_id, exports.ROWS_AT_MOST],
        )
        cursor.execute(
            "INSERT INTO audit_entry (at, action, subject_model, subject_id, summary, correlation, before, after, data,"
            " key_id, mac) SELECT now(), 'probe', '', '', '', '', '', '', '{}', 'own', repeat('a', 64)"
            " FROM generate_series(1, %s)",
            [exports.ROWS_AT_MOST],
        )

    for name in ("clients:client_export", "audit:entry_export"):
        lines = visitors[EXPORTS[name]].ask("GET", reverse(name)).text.removesuffix("\r\n").split("\r\n")

        assert len(lines) == 1 + exports.ROWS_AT_MOST + 1
        assert lines[-1].strip('"') == exports.CUT
    assert exports.CUT not in visitors["principal"].ask("GET", reverse("funding:export")).text


def test_a_file_of_exactly_as_many_is_whole() -> None:
    whole, more = list(range(exports.ROWS_AT_MOST)), list(range(exports.ROWS_AT_MOST + 1))

    assert exports.cut(whole) == (whole, [])
    assert exports.cut(more) == (whole, [[exports.CUT]])
