"""What a program may read: its owner's books, within its scopes, page by page."""

import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse

from backoffice.audit.models import Entry
from backoffice.people import tokens
from tests.api.program import FAMILIES, Program, names_of
from tests.test_authorisation import MATRIX
from tests.two_books import FOREIGN, NOWHERE, OWN, TRACES, Firm

pytestmark = pytest.mark.django_db
READ_NAMES = names_of("GET")


@pytest.mark.parametrize("name", READ_NAMES)
def test_a_token_reads_its_owners_book_and_nothing_of_another(name: str, firm: Firm, advisors: Program) -> None:
    entry = MATRIX[name]
    if entry.needs == ("journal.approve",):
        assert advisors.get(reverse(name, args=firm.address_of("advisor", entry.of, OWN) if entry.of else ())) == 403
        return
    for place, status in ((OWN, 200), (FOREIGN, 404), (NOWHERE, 404)) if entry.of else (("", 200),):
        url = reverse(name, args=firm.address_of("advisor", entry.of, place) if entry.of else ())

        assert advisors.get(url) == status, place
        assert not any(trace in advisors.text for trace in TRACES[FOREIGN])


@pytest.mark.parametrize("name", READ_NAMES)
def test_a_token_without_the_scope_is_refused_and_told_which_one(name: str, firm: Firm) -> None:
    entry = MATRIX[name]
    other = "trading.view" if entry.needs != ("trading.view",) else "clients.view"
    program = Program(firm.people["principal"], other)

    status = program.get(reverse(name, args=firm.address_of("principal", entry.of, OWN) if entry.of else ()))

    assert (status, program.error["message"]) == (403, f"Your role or your token does not include {entry.needs[0]}.")


@pytest.mark.row(id="Z01")
@pytest.mark.parametrize("name", [name for name in READ_NAMES if MATRIX[name].of])
def test_a_foreign_thing_and_a_missing_one_get_the_same_answer(name: str, firm: Firm, advisors: Program) -> None:
    entry, answers = MATRIX[name], []
    for place in (FOREIGN, NOWHERE):
        advisors.get(reverse(name, args=firm.address_of("advisor", entry.of, place)))
        answers.append((advisors.status, advisors.text))

    assert answers[0] == answers[1]


def test_amounts_are_text_and_times_are_utc(firm: Firm, advisors: Program) -> None:
    advisors.get(reverse("api:transfers-list"))
    (row,) = advisors.json["results"]

    assert (Decimal(row["amount"]), row["currency"], row["account"]) == (Decimal("1250"), "USD", "U1000011")
    assert isinstance(row["amount"], str)
    assert row["requested_at"].endswith("Z")


def test_a_list_is_read_page_by_page_and_ends(firm: Firm) -> None:
    program = Program(firm.people["principal"], "clients.view")
    url, seen = f"{reverse('api:accounts-list')}?page_size=1", []
    while url:
        assert program.get(url) == 200
        seen += [row["number"] for row in program.json["results"]]
        url = program.json["next"]

    assert sorted(seen) == sorted(set(seen))
    assert {"U1000011", "U1000022"} <= set(seen)


def test_an_unknown_filter_is_refused_by_name(advisors: Program) -> None:
    assert advisors.get(f"{reverse('api:transfers-list')}?acount=U1000011") == 422
    assert advisors.error["fields"] == [
        {
            "field": "acount",
            "rule": "There is no such filter.",
            "fix": "Known: account, cursor, kind, page_size, status.",
        }
    ]


def test_a_made_up_cursor_is_no_page(advisors: Program) -> None:
    for cursor in ("x", "cD1ub25lLW9mLW91cnM=", "%F0%9F%92%B8"):
        assert advisors.get(f"{reverse('api:transfers-list')}?cursor={cursor}") == 404


def test_a_filter_narrows_to_what_is_asked_for(firm: Firm) -> None:
    program = Program(firm.people["operations"], "trading.view")
    for number in ("U1000011", "U1000022"):
        program.get(f"{reverse('api:positions-list')}?account={number}")

        assert {row["account"] for row in program.json["results"]} == {number}


def test_nothing_personal_beyond_a_name_is_told(firm: Firm, advisors: Program) -> None:
    client = firm.rows[OWN]["account"].client
    client.tax_number, client.email, client.date_of_birth = "123-45-6789", "hollow@example.net", "1961-02-03"
    client.save()

    for name in READ_NAMES:
        entry = MATRIX[name]
        advisors.get(reverse(name, args=firm.address_of("advisor", entry.of, OWN) if entry.of else ()))

        assert not any(each in advisors.text for each in ("123-45-6789", "hollow@example.net", "1961-02-03")), name


def test_a_statement_is_downloaded_and_written_down(firm: Firm, advisors: Program) -> None:
    advisors.get(reverse("api:reports-file", args=firm.things[OWN]["report"]))

    assert (advisors.text, advisors.headers["Content-Type"]) == ("%PDF-1.4 one page", "application/pdf")
    assert advisors.headers["Content-Disposition"].startswith("attachment")
    assert Entry.objects.latest("id").actor == firm.people["advisor"]


def test_an_ended_token_is_refused_at_its_next_call(firm: Firm) -> None:
    program = Program(firm.people["operations"], "clients.view")
    url = reverse("api:clients-list")
    assert program.get(url) == 200

    tokens.revoke(program.token, by=firm.people["operations"])

    assert program.get(url) == 401


def test_a_token_that_asks_too_often_is_told_when_to_come_back(firm: Firm, settings: Any) -> None:
    settings.API_CALLS_PER_MINUTE = 3
    program = Program(firm.people["operations"], "clients.view")

    statuses = [program.get(reverse("api:clients-list")) for _ in range(4)]

    assert statuses == [200, 200, 200, 429]
    assert 0 < int(program.headers["Retry-After"]) <= 60
    assert Program(firm.people["operations"], "clients.view").get(reverse("api:clients-list")) == 200


def test_the_schema_names_every_address_and_its_key(firm: Firm, advisors: Program) -> None:
    advisors.get(reverse("api:schema"))
    paths = advisors.json["paths"]

    families = {path.removeprefix("/api/v1/").partition("/")[0] for path in paths}
    assert families == FAMILIES
    named = {each["name"] for each in paths["/api/v1/transfers/"]["post"]["parameters"]}
    assert named == {"Idempotency-Key"}
    assert set(paths["/api/v1/orders/"]) == {"get", "post"}


def test_the_page_of_the_api_explains_keys_pages_and_refusals(firm: Firm) -> None:
    browser = Browser()
    browser.force_login(firm.people["viewer"], backend="backoffice.people.backends.EmailBackend")

    page = browser.get(reverse("api:docs")).content.decode()

    for word in ("Authorization: Bearer", "Idempotency-Key", "next", "Retry-After", "/api/v1/transfers/"):
        assert word in page, word


def test_a_stranger_is_told_how_to_come_in() -> None:
    answer = Browser().get(reverse("api:clients-list"), headers={"Authorization": f"Bearer bo_{uuid.uuid4()}"})

    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert answer.json()["error"]["message"] == "This token does not work: it is unknown, has expired or was revoked."
