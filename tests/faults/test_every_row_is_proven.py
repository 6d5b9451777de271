"""Each row of the fault model that must hold has a test that carries its name: `@pytest.mark.row(id="S09")`."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
ROWS = [
    *(f"S{number:02}" for number in range(1, 15)),
    "S21",
    "S22",
    *(f"Z{number:02}" for number in range(1, 16)),
    "Z17",
]
# Of the infrastructure's faults those that touch an approval while it is given: I02, the database killed, and I08, a lock that
# is not let go; and I10, a restored backup, in which what was sent waits again. (A crash of a worker and a doubled message meet
# approvals only as states of the journal, which S01 to S14 prove.)
ROWS += ["I02", "I08", "I10"]


def rows_of(node: ast.FunctionDef) -> set[str]:
    """The rows a test function is marked with."""
    return {
        str(keyword.value.value)
        for mark in node.decorator_list
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.row"
        for keyword in mark.keywords
        if keyword.arg == "id" and isinstance(keyword.value, ast.Constant)
    }


@pytest.fixture(scope="module")
def proofs() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for row in rows_of(node):
                    found.setdefault(row, []).append(f"{path.relative_to(TESTS)}::{node.name}")
    return found


@pytest.mark.parametrize("row", ROWS)
def test_a_row_has_a_test_of_its_name(proofs: dict[str, list[str]], row: str) -> None:
    assert proofs.get(row), f"no test is marked row(id={row!r})"


def test_no_test_claims_a_row_that_is_not_there(proofs: dict[str, list[str]]) -> None:
    assert set(proofs) <= set(ROWS)
