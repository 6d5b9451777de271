"""Each import contract is broken on purpose, in a copy of the tree, and must be seen to fail."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("backoffice", "clients", "funding", "trading", "reporting")

BREAKS = [
    ("Between apps, arrows point down", "clients/translate.py", "import funding.models"),
    ("Inside an app, arrows point down", "funding/models.py", "import funding.services"),
    ("Only dispatch.py reaches the broker", "funding/tasks.py", "import backoffice.broker.client"),
    ("Only tasks run dispatch.py", "trading/urls.py", "import trading.dispatch"),
    ("Only backoffice.ibkr speaks HTTP", "reporting/models.py", "import requests"),
    ("Only backoffice.ibkr speaks HTTP", "trading/listening.py", "import websockets"),
    ("The API client and the sandbox know no Django", "backoffice/ibkr/parsing.py", "import django"),
    ("The sandbox shares no code with what it checks", "backoffice/sandbox/books.py", "import backoffice.core.money"),
    ("Nothing in the product imports the sandbox", "clients/translate.py", "import backoffice.sandbox.books"),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("tree")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tree / package, ignore=shutil.ignore_patterns("__pycache__", "static", "data"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    return tree


def lint(tree: Path) -> str:
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache"]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True).stdout


def test_every_contract_is_broken_here_once() -> None:
    contracts = (ROOT / "pyproject.toml").read_text().count("[[tool.importlinter.contracts]]")

    assert len({name for name, _, _ in BREAKS}) == contracts


@pytest.mark.parametrize(("contract", "place", "offence"), BREAKS, ids=[name for name, _, _ in BREAKS])
def test_breaking_it_is_noticed(copy: Path, contract: str, place: str, offence: str) -> None:
    module = copy / place
    before = module.read_text()
    module.write_text(before + f"\n{offence}\n")
    try:
        report = lint(copy)
    finally:
        module.write_text(before)

    assert f"{contract} BROKEN" in report
