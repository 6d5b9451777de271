"""IBKR's published facts behind the checks, read once from `data/`; countries and their parts from ISO 3166."""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pycountry

_DATA = Path(__file__).parent / "data"


@cache
def _read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((_DATA / name).read_text(encoding="utf-8"))
    return content


def about_applications() -> dict[str, Any]:
    return _read("applications.json")


def choices(name: str) -> list[tuple[str, str]]:
    """Return a list of IBKR's words as (code, words)."""
    return [(item, item) if isinstance(item, str) else (item[0], item[1]) for item in about_applications()[name]]


@cache
def countries() -> list[tuple[str, str]]:
    """Return every country as (alpha-3, name), by name."""
    named = [(each.alpha_3, getattr(each, "common_name", each.name)) for each in pycountry.countries]
    return sorted(named, key=lambda pair: pair[1])


@cache
def country_name(alpha_3: str) -> str:
    """Return a country's usual name; an unknown code is shown as it is."""
    found = pycountry.countries.get(alpha_3=alpha_3) if alpha_3 else None
    return getattr(found, "common_name", found.name) if found else alpha_3


@cache
def alpha_2(alpha_3: str) -> str:
    found = pycountry.countries.get(alpha_3=alpha_3) if alpha_3 else None
    return str(found.alpha_2) if found else ""


@cache
def parts_of(alpha_3: str) -> frozenset[str]:
    """Return the ISO 3166-2 codes of a country, as IBKR writes them: GB-ENG, but the US states bare (CT)."""
    found: Iterable[Any] = pycountry.subdivisions.get(country_code=alpha_2(alpha_3)) or []  # type: ignore[no-untyped-call]
    codes = {part.code for part in found}
    return frozenset(code.removeprefix("US-") for code in codes)


def tax_number(country: str) -> dict[str, Any] | None:
    """Return {"member", "patterns", "example"} for a country whose tax number IBKR checks, else None."""
    found: dict[str, Any] | None = _read("tax_numbers.json")["countries"].get(country)
    return found


def has_electronic_identity(country: str) -> bool:
    """Tell whether IBKR can verify identity by itself there; elsewhere it asks for documents (section 5)."""
    return country in about_applications()["electronic_identity"]


def proof_choices(form_number: str) -> list[tuple[str, str]]:
    """Return what a document for this form may be, in IBKR's words; empty where IBKR asks no type."""
    if form_number == "8001":
        return choices("proof_of_identity")
    if form_number == "8002":
        return choices("proof_of_address")
    return [(word, word) for word in about_applications()["document_types"].get(form_number, [])]
