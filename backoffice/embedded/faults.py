"""`make faults`: the crash and fault tests, and what they add up to in `faults.json`.

Each test leaves a line (tests/fault_figures.py): whether it was a cell of the matrix of effects and faults, whether it
failed, and what the sandbox's ledger showed against the journal when it was over. Then the tests are tested: known defects
are put into a copy of the product one by one, and each must be caught (tests/faults/seeded_defects.py).
"""

import json
import os
import sys
from pathlib import Path

from backoffice.embedded import verbs
from backoffice.embedded.console import Steps, say
from backoffice.embedded.state import State

NONE_JUDGED = {"seeded_defects": 0, "seeded_defects_caught": 0}


def run(state: State, steps: Steps) -> int:
    """Run the tests marked `faults`, then the seeded defects; write the figures whether or not all of them passed."""
    lines = state.folder / "faults.lines"
    lines.unlink(missing_ok=True)
    os.environ["FAULT_FIGURES"] = str(lines)
    code = verbs.run_tests(state, steps, ("-m", "faults"))
    judged, code_of_defects = (NONE_JUDGED, 130) if code == 130 else judge_defects(state)
    figures = added_up(lines) | judged
    target = state.folder / "faults.json"
    target.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    lines.unlink(missing_ok=True)
    say(f"{target}: " + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in figures.items()))
    return code or code_of_defects


def judge_defects(state: State) -> tuple[dict[str, int], int]:
    """Plant each seeded defect in a copy of the product; return how many there are and how many a test noticed."""
    state = State(state.folder / "test").make()
    found = state.folder / "seeded.json"
    found.unlink(missing_ok=True)
    say("\nSeeded defects, in a copy of the product")
    with verbs.servers_for_tests(state) as (settings, undertaker):
        command = [sys.executable, "-m", "tests.faults.seeded_defects", str(state.folder / "seeded"), str(found)]
        code = verbs.in_foreground(command, settings, undertaker)
    if not found.exists():
        return NONE_JUDGED, code or 1
    figures: dict[str, int] = json.loads(found.read_text())
    found.unlink()
    return figures, code


def added_up(lines: Path) -> dict[str, int]:
    """Return what the tests' lines add up to: the figures of architecture.md section 3 but for the seeded defects."""
    runs = [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []
    cells = [run for run in runs if run["is_cell"]]
    return {
        "runs": len(runs),
        "duplicates": sum(run["duplicates"] for run in runs),
        "lost": sum(run["lost"] for run in runs),
        "unresolved": sum(run["unresolved"] for run in runs),
        "matrix_cells": len(cells),
        "matrix_failures": sum(run["has_failed"] or bool(run["duplicates"] or run["lost"]) for run in cells),
    }
