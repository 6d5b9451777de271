"""Z10: nonsense in every form and every question. Nothing breaks, no trace is shown, and what is refused has written nothing.

A slice runs with every test; `make faults` sends many more. FUZZ_REQUESTS says how many for each role, FUZZ_SEED repeats a run.
"""

import os
import random
import re
import secrets
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import reset_queries
from django.urls import reverse

from tests.test_authorisation import MATRIX, Entry, Visitor, firm, visitors
from tests.two_books import FOREIGN, NOWHERE, OWN, PEOPLE, Firm

__all__ = ["firm", "visitors"]
pytestmark = [pytest.mark.django_db, pytest.mark.faults, pytest.mark.timeout(3600)]
ALL, QUICK = 2000, 120
ROLES = [name for name in PEOPLE if name != "other_advisor"]
FIELD = re.compile(r'<(?:input|select|textarea|button)\b[^>]*?\bname="([^"]+)"')
VALUE = re.compile(r'\bvalue="([^"]{1,80})"')
ODD = [
    "", " ", "\x00", "\ufeff", "\u202e", "💸" * 50, "9" * 400, "-1", "0", "1", "1e9999", "NaN", "Infinity", "-Infinity", "1,000.00",
    "0.000000000000000001", "on", "true", "null", "[]", "{}", "'; DROP TABLE x --", "../../etc/passwd", "<script>alert(1)</script>",
    "=1+1",
    "2026-02-30", "0001-01-01", "9999-12-31", "9999-12-31T23:59", "10000-01-01", "24:61", "U1000011", "U1000022", "F1000001",
    "a" * 70_000, "%00", "%2e%2e%2f", "\r\nSet-Cookie: a=b", str(uuid.UUID(int=7)), "00000000", "１２", "ß", "İ",
    "\ud83d".encode("utf-16", "surrogatepass").decode("utf-16", "replace"),
]  # fmt: skip
# An account's own list of banks may be asked for again while its form is drawn.
KEPT = {"funding_banklisting"}


def addresses(method: str) -> list[tuple[str, Entry]]:
    return [
        (name, entry)
        for name, entry in MATRIX.items()
        if method in entry.methods and not entry.is_api and name != "home:readyz"
    ]


def address(firm: Firm, person: str, name: str, entry: Entry, luck: random.Random) -> tuple[str, tuple[Any, ...]]:
    place = luck.choice([OWN, OWN, OWN, FOREIGN, NOWHERE])
    thing = firm.address_of(person, entry.of, place) if entry.of else ()
    return reverse(name, args=() if entry.in_body else thing), thing


@dataclass(frozen=True)
class Form:
    """The names of a page's fields, and the values that stand in it."""

    names: list[str]
    values: list[str]

    def typed(self, luck: random.Random) -> dict[str, Any]:
        """Some of its fields, with its own values or with nonsense."""
        chosen = luck.sample(self.names, k=luck.randrange(len(self.names) + 1))
        return {name: luck.choice(self.values if self.values and luck.random() < 0.6 else ODD) for name in chosen}


def forms_of(firm: Firm, person: str, visitor: Visitor) -> dict[str, Form]:
    """The form of each page that this person may open, and under "" all of them in one."""
    found = {}
    for name, entry in addresses("GET"):
        thing = firm.address_of(person, entry.of, OWN) if entry.of and not entry.in_body else ()
        page = visitor.ask("GET", reverse(name, args=thing)).text
        found[name] = Form(sorted(set(FIELD.findall(page))), sorted(set(VALUE.findall(page))))
    names = {each for form in found.values() for each in form.names}
    values = {each for form in found.values() for each in form.values}
    return {**found, "": Form(sorted(names), sorted(values))}


@pytest.mark.row(id="Z10")
@pytest.mark.parametrize("person", ROLES)
def test_no_form_and_no_question_breaks_or_leaves_half_of_a_write(
    person: str, firm: Firm, visitors: dict[str, Visitor], request: pytest.FixtureRequest
) -> None:
    usual = ALL if request.config.option.markexpr == "faults" else QUICK
    number = int(os.environ.get("FUZZ_REQUESTS") or usual)
    seed = int(os.environ.get("FUZZ_SEED") or secrets.randbelow(10**6))
    print(f"FUZZ_SEED={seed}")  # shown with a failure
    luck, visitor = random.Random(f"{seed} {person}"), visitors[person]
    forms = forms_of(firm, person, visitor)
    posts, questions = addresses("POST"), addresses("GET")
    statuses: set[int] = set()

    for _ in range(number):
        reset_queries()  # else the list of 9,000 fills up, and a write would not be seen any more
        name, entry = luck.choice(posts if luck.random() < 0.7 else questions)
        is_post = "POST" in entry.methods and (entry.methods == ("POST",) or luck.random() < 0.8)
        url, thing = address(firm, person, name, entry, luck)
        typed = forms[name if name in forms and luck.random() < 0.8 else ""].typed(luck)
        if is_post:
            if entry.in_body and luck.random() < 0.8:
                typed[entry.in_body] = thing[0]
            if luck.random() < 0.3:
                typed["intent"] = str(uuid.UUID(int=luck.getrandbits(128), version=4))
            if luck.random() < 0.1:
                typed["file"] = SimpleUploadedFile(luck.choice(["a.pdf", "../b", ""]) or "c", luck.randbytes(40))
            reply = visitor.ask("POST", url, typed)
        else:
            reply = visitor.ask("GET", f"{url}?{urlencode(typed)}")
        statuses.add(reply.status)

        told = f"{'POST' if is_post else 'GET'} {name} {url} {typed!r}"[:3000]
        assert reply.status < 500, told
        assert "Traceback" not in reply.text, told
        assert reply.status < 400 or not set(reply.writes) - KEPT, f"{reply.status}, wrote {reply.writes}: {told}"

    assert statuses & {200, 302}
    assert statuses & {400, 403, 404, 422}
