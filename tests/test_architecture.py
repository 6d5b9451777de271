"""The rules of the house that a tool can check: import directions, no binary floating point, no naive time."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ("backoffice", "clients", "funding", "trading", "reporting")
# The sandbox and the set-up stand outside the product and keep clocks of their own.
OWN_CLOCKS = {"backoffice/core/clock.py", "backoffice/sandbox", "backoffice/embedded"}


def product_files() -> Iterator[Path]:
    for package in PRODUCT:
        yield from (path for path in sorted((ROOT / package).rglob("*.py")) if "migrations" not in path.parts)


def has_own_clock(path: Path) -> bool:
    relative = path.relative_to(ROOT).as_posix()
    return any(relative == place or relative.startswith(f"{place}/") for place in OWN_CLOCKS)


def offences(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float":
            yield f"{where} float()"
        if isinstance(node, ast.Attribute) and node.attr == "FloatField":
            yield f"{where} FloatField"
        if isinstance(node, ast.Constant) and type(node.value) is float and not has_own_clock(path):
            yield f"{where} a binary fraction, {node.value}"
        if isinstance(node, ast.Attribute) and node.attr in {"utcnow", "utcfromtimestamp"}:
            yield f"{where} naive {node.attr}"
        is_now = isinstance(node, ast.Attribute) and node.attr == "now" and isinstance(node.value, ast.Name)
        if is_now and node.value.id in {"datetime", "timezone"} and not has_own_clock(path):
            yield f"{where} asks the time outside core/clock.py"


def test_no_binary_floating_point_and_one_clock() -> None:
    assert [offence for path in product_files() for offence in offences(path)] == []


def test_nothing_in_the_product_asks_for_what_costs_money() -> None:
    """The paid snapshot belongs to whoever calls the client by hand; no page, task or service may draw one (trading.md 5)."""
    its_home = {"backoffice/ibkr/market_data.py", "backoffice/ibkr/types/market_data.py"}
    served_by = ROOT / "backoffice" / "sandbox"
    paid = {"regulatory_snapshot", "AcceptedFee", "REGULATORY_SNAPSHOT"}

    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in product_files()
        if path.relative_to(ROOT).as_posix() not in its_home and served_by not in path.parents
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Attribute) and node.attr in paid)
        or (isinstance(node, ast.alias) and node.name in paid)
        or (isinstance(node, ast.Constant) and node.value in ("regulatory_snapshot", "regsnapshot"))
    ]

    assert found == []


def test_files_stay_short_enough_to_hold_in_mind() -> None:
    long = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in product_files()}
    assert {name: lines for name, lines in long.items() if lines > 520} == {}


def test_import_directions_hold() -> None:
    result = subprocess.run([Path(sys.executable).parent / "lint-imports"], cwd=ROOT, capture_output=True, text=True)

    assert result.returncode == 0, result.stdout[-3000:]


@pytest.mark.parametrize("app", ["clients", "funding", "trading", "reporting"])
def test_each_app_says_what_it_owns_and_must_not(app: str) -> None:
    docstring = ast.get_docstring(ast.parse((ROOT / app / "__init__.py").read_text()))

    assert docstring
    assert "ust not" in docstring
