import json
import re
from pathlib import Path

import pytest

from backoffice.ibkr import coverage
from backoffice.ibkr.operations import OPERATIONS

FACTS = coverage.ROOT.parent / "shared" / "ibkr" / "openapi.json"
CLIENT = "class IbkrClient:\n    def __init__(self, requestor):\n        self.funds = Funds(requestor)\n"


def checkout(tmp_path: Path, docstring: str) -> Path:
    """A small checkout: one family with one method, used once and proven once."""
    package = tmp_path / "backoffice" / "ibkr"
    package.mkdir(parents=True)
    (package / "client.py").write_text(CLIENT)
    (package / "funds.py").write_text(f'class Funds:\n    def look(self):\n        """{docstring}"""\n')
    for place, text in {
        "clients/dispatch.py": "def work(client):\n    funds = client.funds\n    return funds.look()\n",
        "clients/views.py": "def page(request):\n    return request.funds.look()\n",
        "tests/contract/test_funds.py": "def test(connected):\n    connected.client.funds.look()\n",
    }.items():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(text)
    return tmp_path


def row(report: str, operation: str) -> list[str]:
    (line,) = [line for line in report.splitlines() if line.startswith(f"| `{operation}` |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_file_is_what_the_code_says_now() -> None:
    text = coverage.TARGET.read_text(encoding="utf-8")

    assert text == coverage.report(), "Run: python -m backoffice.ibkr.coverage"


def test_every_method_of_the_client_is_proven_against_the_sandbox() -> None:
    unproven = [
        f"{each.family}.{each.name}"
        for each in coverage.used_and_proven()
        if not any(place.startswith("tests/contract/") and "/test_" in place for place in each.proven_by)
    ]

    assert unproven == []


def test_every_operation_without_a_method_has_a_reason() -> None:
    covered = {operation for method in coverage.methods() for operation in method.operations}

    assert [
        operation
        for group, operations in OPERATIONS.items()
        for operation in operations
        if operation not in covered and not coverage.reason(operation, group)
    ] == []


def test_a_method_is_found_with_its_callers_and_its_proofs(tmp_path: Path) -> None:
    root = checkout(tmp_path, "GET /portfolio/{id}/ledger: cash.")

    found = row(coverage.report(root), "GET /v1/api/portfolio/{accountId}/ledger")

    assert found[1:] == ["`funds.look`", "clients/dispatch.py", "contract/test_funds.py"]


@pytest.mark.parametrize(
    ("docstring", "operations"),
    [
        ("POST /bank-instructions:bulk: many at once.", ("POST /gw/api/v1/bank-instructions:bulk",)),
        ("POST /accounts. A write.", ("POST /gw/api/v1/accounts",)),
        ("GET /accounts?externalId=: one.", ("GET /gw/api/v1/accounts",)),
        ("POST /oauth2/api/v1/token: a token.", ("POST /oauth2/api/v1/token",)),
        (
            "POST /iserver/account/{account, group or master}/orders. A write.",
            ("POST /v1/api/iserver/account/{accountId}/orders",),
        ),
        ("GET /enumerations/wire-instructions: where to.", ("GET /gw/api/v1/enumerations/{enumerationType}",)),
        (
            "GET /iserver/account/{id}/summary/{page}: a screen.",
            tuple(
                f"GET /v1/api/iserver/account/{{accountId}}/summary/{page}"
                for page in ("available_funds", "balances", "margins", "market_value")
            ),
        ),
        ("Return what GET /accounts says.", ()),
    ],
)
def test_a_docstring_says_which_operation_a_method_is(
    tmp_path: Path, docstring: str, operations: tuple[str, ...]
) -> None:
    root = checkout(tmp_path, docstring)

    found = coverage.methods(root / "backoffice" / "ibkr")

    assert tuple(operation for method in found for operation in method.operations) == operations


def test_a_method_of_an_unknown_operation_is_refused(tmp_path: Path) -> None:
    root = checkout(tmp_path, "GET /nowhere: nothing.")

    with pytest.raises(ValueError, match=re.escape("funds.look names GET /nowhere")):
        coverage.report(root)


def test_nothing_is_said_of_an_operation_that_is_proven_by_nobody(tmp_path: Path) -> None:
    root = checkout(tmp_path, "GET /portfolio/{id}/ledger: cash.")
    (root / "tests" / "contract" / "test_funds.py").unlink()

    assert row(coverage.report(root), "GET /v1/api/portfolio/{accountId}/ledger")[3] == "**nothing**"


def test_every_operation_of_ibkrs_file_is_listed() -> None:
    listed = {operation for group in OPERATIONS.values() for operation in group}
    assert len(listed) == sum(len(group) for group in OPERATIONS.values())
    if not FACTS.is_file():
        return  # the list is data of ours; IBKR's file only says whether it is whole
    described = {
        f"{verb.upper()} {path if path.startswith(('/gw/', '/oauth2/')) else f'/v1/api{path}'}"
        for path, operations in json.loads(FACTS.read_text(encoding="utf-8"))["paths"].items()
        for verb in operations
        if verb in ("get", "post", "put", "patch", "delete")
    }

    def same(operation: str) -> str:
        return re.sub(r"\{[^}]*\}", "{}", operation)

    assert {same(each) for each in described} <= {same(each) for each in listed}
    assert len(described) == 162
