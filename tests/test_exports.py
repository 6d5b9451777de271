"""Z07: whatever stands in a row, no cell of any export starts a formula, and figures stay figures."""

import csv
import io
import re
from decimal import Decimal
from typing import Any

import pytest
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
