"""The seeded defects must be defects of the code as it is: `make faults` plants them, this sees that they can be planted."""

import ast
from pathlib import Path

import pytest

from tests.faults.seeded_defects import DEFECTS, ROOT, Defect


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_a_defect_fits_the_code_and_names_a_test_that_is_there(defect: Defect) -> None:
    for path, old, new in defect.edits:
        text = (ROOT / path).read_text()
        assert text.count(old) == 1, f"{path} holds this {text.count(old)} times: {old}"
        ast.parse(text.replace(old, new))

    path, *names = defect.test.partition("[")[0].split("::")
    assert names[-1] in {
        node.name for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, ast.FunctionDef)
    }


def test_there_are_enough_of_them_and_each_is_another() -> None:
    assert len({defect.name for defect in DEFECTS}) == len(DEFECTS) >= 12
    assert Path(ROOT / "tests/faults").is_dir()
