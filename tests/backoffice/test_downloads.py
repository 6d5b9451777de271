# ruff: noqa: F811 (the fixtures are another module's)
"""Every file the product hands out is known here, and each either asks who it is or says why it does not.

Which addresses hand out files is found by asking all of them, so a new one without a decision fails.
"""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.contrib.auth.hashers import make_password
from django.test import Client as Browser
from django.urls import reverse

from backoffice.audit.models import Entry
from backoffice.core.errors import NotPermitted
from backoffice.home.records import selectors
from backoffice.people import policy
from backoffice.people.models import User
from reporting import services as reports
from tests.api.program import Program
from tests.conftest import PASSWORD
from tests.test_authorisation import ACCOUNT_OWN, MATRIX, firm  # noqa: F401 (a fixture)
from tests.two_books import OWN, Firm

pytestmark = pytest.mark.django_db
# The files of many people: who asks for one proves who they are, though it only reads.
ASKED = {
    "clients:client_export": "principal",
    "funding:export": "principal",
    "trading:portfolio_export": "principal",
    "trading:blotter_export": "principal",
    "audit:entry_export": "administrator",
    "audit:evidence_pack": "operations",
}
# One document of one client, or one's own. The policy module says why these are no exports.
UNASKED = {
    "reporting:download": "one statement of one client, named in its entry and counted by the hour",
    "api:reports-file": "the same for a program, whose owner's share it is",
    "journal:evidence_file": "one paper beside an approval, named and counted as a statement is",
}
INLINE = ("text/html", "text/plain", "application/json", "application/vnd.oai.openapi")


def browser_of(firm: Firm, person: str) -> Browser:
    browser = Browser()
    browser.force_login(User.objects.get(pk=firm.people[person].pk), backend="backoffice.people.backends.EmailBackend")
    return browser


def address(firm: Firm, name: str, person: str) -> str:
    of = MATRIX[name].of if name in MATRIX else ""
    args = firm.address_of(person, of, OWN) if of else ACCOUNT_OWN.get(name, ())
    return reverse(name, args=args)


def is_file(answer: Any) -> bool:
    if answer.streaming:
        b"".join(answer.streaming_content)
    if answer.status_code != 200 or not answer.headers.get("Content-Type"):
        return False
    is_inline = answer.headers["Content-Type"].startswith(INLINE)
    return answer.headers.get("Content-Disposition", "").startswith("attachment") or not is_inline


def test_every_file_that_is_handed_out_has_a_decision(firm: Firm) -> None:
    found = set()
    for person in ("principal", "administrator", "advisor"):
        browser = browser_of(firm, person)
        browser.raise_request_exception = False
        for name in [*MATRIX, *ACCOUNT_OWN]:
            if name in ACCOUNT_OWN or "GET" in MATRIX[name].methods:
                found |= {name} if is_file(browser.get(address(firm, name, person))) else set()

    assert found == ASKED.keys() | UNASKED.keys()


@pytest.mark.parametrize("name", sorted(ASKED))
def test_a_file_of_many_people_waits_for_a_proof_and_then_comes(name: str, firm: Firm, settings: Any) -> None:
    settings.STEP_UP_SECONDS = settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
    person = ASKED[name]
    User.objects.filter(pk=firm.people[person].pk).update(password=make_password(PASSWORD))
    url = f"{address(firm, name, person)}?account=U1000011"
    with time_machine.travel("2026-11-30 09:00:00+00:00", tick=False) as time:
        browser = browser_of(firm, person)
        time.shift(301)
        newest = Entry.objects.latest("id").pk

        asked = browser.get(url)
        left = set(Entry.objects.filter(pk__gt=newest).values_list("action", flat=True))
        after = parse_qs(urlsplit(asked["Location"]).query)["next"][0]
        proven = browser.post(asked["Location"], {"password": PASSWORD, "next": after})

        assert (asked.status_code, asked["Location"].split("?")[0]) == (302, reverse("account_reauthenticate"))
        assert left == {"people.step_up"}
        assert proven["Location"] == after
        assert f'href="{url}" data-bo-fetch' in browser.get(after).content.decode()
        assert is_file(browser.get(url))


@pytest.mark.parametrize("name", sorted(ASKED))
def test_no_token_takes_a_file_of_many_people(name: str) -> None:
    permission = MATRIX[name].needs[0]

    assert permission in policy.STEP_UP
    assert permission not in policy.SCOPE_WORDS
    assert policy.needs_step_up(permission, "GET")


# ---- an hour's share (reliability.md Z13)


@pytest.mark.row(id="Z13")
@pytest.mark.parametrize("name", sorted(ASKED))
def test_an_hours_share_of_exports_alarms_the_principals_and_then_refuses(name: str, firm: Firm, settings: Any) -> None:
    settings.EXPORTS_PER_HOUR = 3
    person, url = ASKED[name], address(firm, name, ASKED[name])
    browser = browser_of(firm, person)
    with time_machine.travel("2026-11-30 09:00:00+00:00", tick=False) as time:
        browser = browser_of(firm, person)

        statuses = [browser.get(url).status_code for _ in range(4)]

        refused = browser.get(url)
        assert statuses == [200, 200, 200, 403]
        assert "You have exported 3 files within an hour" in refused.content.decode()
        assert not is_file(refused)
        alarms = Entry.objects.filter(action="audit.mass_export", actor=firm.people[person])
        assert [alarm.summary for alarm in alarms] == ["3 files exported within an hour; further ones are refused"]
        assert f"Pat {person} exported many files" in [item.title for item in selectors.inbox(firm.people["principal"])]
        assert selectors.inbox(firm.people["operations"]) == []
        assert Entry.objects.filter(action="request.refused", actor=firm.people[person]).count() == 2
        time.shift(3601)
        assert browser_of(firm, person).get(url).status_code == 200


@pytest.mark.row(id="Z13")
def test_the_share_is_of_all_exports_together_and_of_one_person(firm: Firm, settings: Any) -> None:
    settings.EXPORTS_PER_HOUR = 2
    principal, advisor = browser_of(firm, "principal"), browser_of(firm, "advisor")

    statuses = [
        principal.get(address(firm, name, "principal")).status_code
        for name in ("clients:client_export", "funding:export", "trading:blotter_export")
    ]

    assert statuses == [200, 200, 403]
    assert advisor.get(reverse("clients:client_export")).status_code == 200


@pytest.mark.row(id="Z13")
def test_statement_after_statement_uses_up_a_share_too(firm: Firm, settings: Any) -> None:
    settings.DOCUMENTS_PER_HOUR = 2
    file, advisor = firm.rows[OWN]["file"], firm.people["advisor"]
    for _ in range(2):
        reports.open_file(file, by=advisor)

    with pytest.raises(NotPermitted, match="You have downloaded 2 documents within an hour"):
        reports.open_file(file, by=advisor)

    assert Entry.objects.filter(action="audit.mass_download", actor=advisor).count() == 1
    assert browser_of(firm, "advisor").get(address(firm, "journal:evidence_file", "advisor")).status_code == 403


@pytest.mark.row(id="Z13")
def test_a_program_that_pages_through_all_clients_is_seen_and_stopped(firm: Firm, settings: Any) -> None:
    principal = firm.people["principal"]
    program = Program(principal, "clients.view")
    everybody = program.get("/api/v1/clients/")
    number = len(program.json["results"])
    entry = Entry.objects.filter(action="api.read").latest("id")
    assert (everybody, entry.actor_id, entry.data["disclosed"]) == (200, principal.pk, number)
    assert entry.disclosures.filter(subject_id=str(firm.rows[OWN]["account"].client_id)).exists()
    settings.API_PEOPLE_PER_HOUR = 2
    program = Program(firm.people["operations"], "clients.view")

    pages, url = [], "/api/v1/clients/?page_size=1"
    for _ in range(4):
        pages.append(program.get(url))
        url = program.json.get("next") or url

    assert number > 2
    assert pages == [200, 200, 403, 403]
    assert "You have read by program 2 people within an hour" in program.error["message"]
    other_token = Program(firm.people["operations"], "clients.view")
    assert other_token.get("/api/v1/clients/") == 403
    assert Entry.objects.filter(action="audit.mass_read", actor=firm.people["operations"]).count() == 1
    assert "Pat operations read by program many people" in [item.title for item in selectors.inbox(principal)]


def test_reading_the_same_clients_again_uses_up_nothing(firm: Firm, settings: Any) -> None:
    settings.API_PEOPLE_PER_HOUR = 2
    program = Program(firm.people["advisor"], "clients.view")
    client = firm.rows[OWN]["account"].client_id

    statuses = [program.get(f"/api/v1/clients/{client}/") for _ in range(5)]

    assert statuses == [200] * 5
