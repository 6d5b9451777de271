"""`make faults`: the crash and fault tests, and what they add up to in `faults.json`.

Each test leaves a line (tests/fault_figures.py): whether it was a cell of the matrix of effects and faults, whether it
failed, and what the sandbox's ledger showed against the journal when it was over.
"""

import json
import os
from pathlib import Path

from backoffice.embedded import verbs
from backoffice.embedded.console import Steps, say
from backoffice.embedded.state import State


def run(state: State, steps: Steps) -> int:
    """Run the tests marked `faults`; write the figures whether or not all of them passed."""
    lines = state.folder / "faults.lines"
    lines.unlink(missing_ok=True)
    os.environ["FAULT_FIGURES"] = str(lines)
    code = verbs.run_tests(state, steps, ("-m", "faults"))
    figures = added_up(lines)
    target = state.folder / "faults.json"
    target.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    lines.unlink(missing_ok=True)
    say(f"{target}: " + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in figures.items()))
    return code


def added_up(lines: Path) -> dict[str, int]:
    """Return the figures of architecture.md section 3."""
    runs = [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []
    cells = [run for run in runs if run["is_cell"]]
    return {
        "runs": len(runs),
        "duplicates": sum(run["duplicates"] for run in runs),
        "lost": sum(run["lost"] for run in runs),
        "unresolved": sum(run["unresolved"] for run in runs),
        "matrix_cells": len(cells),
        "matrix_failures": sum(run["has_failed"] for run in cells),
        "seeded_defects": 0,
        "seeded_defects_caught": 0,
    }
