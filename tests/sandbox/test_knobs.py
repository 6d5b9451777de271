"""The knobs: each that the code reads is declared with its default, and nothing else can be turned."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from backoffice.sandbox.knobs import KNOBS
from tests.sandbox.support import Caller

SOURCES = Path(__file__).parents[2] / "backoffice" / "sandbox"
BY_NAME = {"auto_finish_seconds", "review_seconds", "approval_seconds", "document_review_seconds"}  # review.seconds


def reads() -> Iterator[tuple[str, ast.expr]]:
    """Each name that is read from the knobs, and the default given beside it."""
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            is_read = isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("config.get", ".knob", "._knob"))
            if is_read and len(node.args) == 2 and isinstance(node.args[0], ast.Constant):
                yield str(node.args[0].value), node.args[1]


def test_what_is_read_is_declared_and_what_is_declared_is_read() -> None:
    assert {name for name, _ in reads()} | BY_NAME == set(KNOBS)


def test_the_declared_default_is_the_one_the_code_takes() -> None:
    wrong = [
        name for name, default in reads()
        if isinstance(default, ast.Constant) and default.value is not None and default.value != KNOBS[name].default
    ]  # fmt: skip

    assert wrong == []


@pytest.mark.parametrize("knob", KNOBS.values(), ids=lambda knob: knob.name)
def test_a_default_fits_and_says_what_it_plays(knob: Any) -> None:
    assert knob.default is None or knob.fits(knob.default)
    assert knob.meaning.endswith(".")
    assert not knob.fits(object())


def refusal(caller: Caller, **knobs: Any) -> tuple[int, str]:
    answer = requests.post(f"{caller.url}/_sandbox/config", json=knobs, timeout=10)
    return answer.status_code, answer.json().get("error", "")


def test_an_unknown_knob_and_a_value_that_does_not_fit_turn_nothing(caller: Caller) -> None:
    assert refusal(caller, create_answer="async", no_such_knob=1) == (
        400, "there is no knob no_such_knob; GET /_sandbox/config lists them",
    )  # fmt: skip
    assert refusal(caller, create_answer="later") == (400, "create_answer takes one of sync, async, not 'later'")
    assert refusal(caller, enforce_pacing="yes") == (400, "enforce_pacing takes true or false, not 'yes'")
    assert caller.control("GET", "config")["create_answer"]["value"] == "sync"


def test_a_knob_is_shown_with_what_it_plays_and_null_turns_it_back(caller: Caller) -> None:
    caller.config(create_answer="async")
    turned = caller.control("GET", "config")["create_answer"]
    caller.config(create_answer=None)

    assert (turned["value"], turned["default"], turned["takes"]) == ("async", "sync", "one of sync, async")
    assert "request id" in turned["plays"]
    assert caller.control("GET", "config")["create_answer"]["value"] == "sync"
