"""The list of what IBKR leaves open: each doubt names knobs that exist, or says what is always played."""

import re
from pathlib import Path

import pytest

from backoffice.sandbox.doubts import DOUBTS, Doubt
from backoffice.sandbox.knobs import KNOBS
from tests.specification import FILE


@pytest.mark.parametrize("doubt", DOUBTS, ids=lambda doubt: doubt.question)
def test_a_doubt_is_played_both_ways_or_said_to_be_played_one_way(doubt: Doubt) -> None:
    assert set(doubt.knobs) <= KNOBS.keys()
    assert doubt.knobs or doubt.always
    assert not (doubt.knobs and doubt.unplayable)
    assert doubt.knobs or doubt.unplayable
    assert all(section.isdigit() or section.count(".") == 1 for section in doubt.section.split(", "))


def test_no_doubt_is_listed_twice() -> None:
    named = [(doubt.document, doubt.section, doubt.question) for doubt in DOUBTS]

    assert len(named) == len(set(named))


def test_every_section_of_the_facts_with_a_doubt_about_what_is_served_is_there() -> None:
    """Left out: what later modules serve, and remarks that say nothing about an answer of IBKR's."""
    if not FILE.exists():
        return  # the facts lie beside IBKR's file; where neither is, the lists above have been held against each other
    not_served = {"trading.md": {"10", "14", "15"}, "account-management.md": {"5", "19", "21", "22", "24", "25"}}

    missing = {
        (document, section)
        for document, left_out in not_served.items()
        for section in _sections_in_doubt(FILE.parent / document) - left_out
        if not any(doubt.document == document and _covers(doubt, section) for doubt in DOUBTS)
    }

    assert missing == set()


def _covers(doubt: Doubt, section: str) -> bool:
    return any(each == section or each.startswith(f"{section}.") for each in doubt.section.split(", "))


def _sections_in_doubt(facts: Path) -> set[str]:
    found, section = set(), ""
    for line in facts.read_text(encoding="utf-8").splitlines():
        if heading := re.match(r"## (\d+)\.", line):
            section = heading[1]
        elif section and re.search(r"\(\?\)|\(verify\)", line):
            found.add(section)
    return found
