"""Z06: whatever a person, a client or IBKR wrote into a row, no page reads it as markup.

Every column of free text in the firm's rows holds a hostile text at once; then every page is opened by somebody who sees it.
"""

import itertools
from typing import Any

import pytest
from django.apps import apps
from django.db import DatabaseError, models, transaction
from django.urls import reverse

from backoffice.audit.services import record
from tests.test_authorisation import MATRIX, Visitor, firm, visitors
from tests.two_books import OWN, Firm

__all__ = ["firm", "visitors"]
pytestmark = pytest.mark.django_db

EVENTS = ("onerror", "onload", "onfocus", "onclick", "ontoggle", "onmouseover")
TAGS = ("img src=x", "svg", "video src=x", "body", "details open", "iframe src=//e", "input autofocus", "a href=//e")
HOSTILE = [
    *(f"<{tag} {event}=alert(1)>" for tag in TAGS for event in EVENTS),
    "<script>alert(1)</script>", "</script><script>alert(1)//", "</title><script>alert(1)//", "</textarea><svg onload=a>",
    "<!--<script>", "-->\u003cscript>alert(1)", "<style>*{}</style>", "<base href=//e>", "<meta http-equiv=refresh>",
    '" onfocus=alert(1) x="', "' onfocus=alert(1) x='", '"><script>alert(1)//', "<ScRiPt>alert(1)</sCrIpT>",
    "<form action=//e>", "<object data=//e>",
]  # fmt: skip
APPS = ("clients", "funding", "trading", "reporting", "people", "broker", "home", "journal")
FREE_TEXT = {
    "name", "first_name", "last_name", "summary", "note", "reason", "description", "words", "ibkr_words", "message", "title",
    "body", "detail", "file_name", "label", "symbol", "exchange", "text", "ibkr_status", "ibkr_state", "form_name", "state_words",
    "reject_reason", "ended_because", "status_words", "rule", "last_failure", "competing", "nickname", "target_name",
}  # fmt: skip
# What a browser would read as its own where the text is not escaped. Ours has no inline script, style or handler (CSP).
RAW = [text for text in HOSTILE if text.startswith("<")] + ['" onfocus=', "' onfocus=", '"><script>', "--><script>"]
NO_PAGE = ("export", "download", "pack", "schema", "api:", "health")


def plant(firm: Firm) -> int:
    """Put hostile text into every column of free text that the database lets anybody change; return how many."""
    numbers, planted = itertools.count(), 0
    for app in APPS:
        for model in apps.get_app_config(app).get_models():
            for column in model._meta.concrete_fields:
                is_text = isinstance(column, models.CharField | models.TextField) and not column.choices
                if not is_text or column.name not in FREE_TEXT:
                    continue
                fitting = [text for text in HOSTILE if len(text) <= (column.max_length or 1000)]
                for row in model._default_manager.all()[: 40 if fitting else 0]:
                    text = fitting[next(numbers) % len(fitting)]
                    try:
                        with transaction.atomic():
                            setattr(row, column.name, text)
                            row.save(update_fields=[column.name])
                            planted += 1
                    except DatabaseError:
                        continue  # append-only, or told apart by this column
    for text in HOSTILE:
        record("probe", by=firm.people["principal"], summary=text)
    return planted


@pytest.mark.row(id="Z06")
@pytest.mark.parametrize("person", ["principal", "advisor", "administrator"])
def test_no_page_reads_what_stands_in_a_row_as_markup(person: str, firm: Firm, visitors: dict[str, Visitor]) -> None:
    assert len(set(HOSTILE)) >= 60
    shown = 0
    assert plant(firm) > 60

    for name, entry in MATRIX.items():
        if "GET" not in entry.methods or any(part in name for part in NO_PAGE):
            continue
        address: Any = firm.address_of(person, entry.of, OWN) if entry.of and not entry.in_body else ()
        reply = visitors[person].ask("GET", reverse(name, args=address))

        if reply.status != 200:
            continue
        assert [text for text in RAW if text in reply.text] == [], name
        shown += any(f"&lt;{tag}" in reply.text for tag in TAGS) or "&lt;script" in reply.text.lower()

    assert shown >= 12, "hardly any page showed a hostile text, so nothing was proven"
