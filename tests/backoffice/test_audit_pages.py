"""The audit's pages: the log and its filters, an entry, the check, packs, and who saw a person."""

# ruff: noqa: F811 (the fixture `firm` is another module's)

import csv
import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from backoffice.audit import anchors, exchanges, keys, sealing, services, verifying
from backoffice.audit.models import Disclosure, Entry, Verification
from backoffice.audit.reasons import REVEAL_REASONS
from backoffice.core.errors import NotPermitted
from backoffice.home.records import selectors
from backoffice.journal import decisions
from backoffice.journal import services as journal
from backoffice.journal.models import Answer
from clients.services import people
from tests import papers
from tests.test_authorisation import firm  # noqa: F401 (a fixture)
from tests.two_books import OWN, Firm

pytestmark = pytest.mark.django_db
REASON = next(iter(REVEAL_REASONS))


@pytest.fixture(autouse=True)
def _anchors_of_this_test(settings: Any, tmp_path: Path) -> Any:
    settings.AUDIT_ANCHORS = tmp_path
    with transaction.atomic():  # the firm is shared by this module
        yield
        transaction.set_rollback(True)


def browser_of(person: Any) -> Browser:
    browser = Browser()
    browser.force_login(person, backend="backoffice.people.backends.EmailBackend")
    return browser


def shown(response: Any) -> str:
    assert response.status_code == 200
    return str(response.content.decode())


# ---- the log


def test_the_log_shows_the_newest_first_and_its_filters_narrow_it(firm: Firm) -> None:
    advisor, browser = firm.people["advisor"], browser_of(firm.people["principal"])
    services.origin.set(services.Origin(address="203.0.113.9", correlation="abcabcabcabc"))
    services.record("clients.reveal", by=advisor, on=advisor, summary="First of all")
    services.origin.set(None)
    services.record("funding.export", by=firm.people["operations"], summary="Second of all")

    page = shown(browser.get(reverse("audit:entry_list")))

    assert page.index("Second of all") < page.index("First of all")
    for query in (
        f"who={advisor.pk}", "app=clients", "action=clients.reveal", f"model=people.user&object={advisor.pk}",
        "address=203.0.113.9", "ref=abcabcabcabc",
    ):  # fmt: skip
        narrowed = shown(browser.get(f"{reverse('audit:entry_list')}?{query}"))
        assert ("First of all" in narrowed, "Second of all" in narrowed) == (True, False), query


@pytest.mark.parametrize("query", ["who=nobody", "address=not-an-address", "from=2020-01-01&to=2020-01-02"])
def test_a_filter_that_fits_nothing_shows_nothing(query: str, firm: Firm) -> None:
    page = shown(browser_of(firm.people["principal"]).get(f"{reverse('audit:entry_list')}?{query}"))

    assert "No entry fits" in page


def test_the_log_is_read_by_key_with_few_queries(firm: Firm) -> None:
    browser = browser_of(firm.people["administrator"])
    for number in range(60):
        services.record("trading.export", by=firm.people["advisor"], summary=f"Number {number:02}")

    with CaptureQueriesContext(connection) as queries:
        first = browser.get(reverse("audit:entry_list"))
    older = browser.get(f"{reverse('audit:entry_list')}{first.context['page'].older_url}")

    assert len(queries) < 30
    assert [row.summary for row in first.context["page"].rows] == [f"Number {n:02}" for n in range(59, 9, -1)]
    assert older.context["page"].rows[0].summary == "Number 09"


@pytest.mark.row(id="Z07")
def test_an_export_of_the_log_starts_no_formula_and_is_in_the_log(firm: Firm) -> None:
    services.record("trading.export", by=firm.people["advisor"], summary="=cmd|' /C calc'!A0")

    response = browser_of(firm.people["principal"]).get(f"{reverse('audit:entry_export')}?app=trading")

    lines = list(csv.reader(io.StringIO(response.content.decode("utf-8-sig"))))
    assert lines[1][6] == "'=cmd|' /C calc'!A0"
    assert Entry.objects.latest("id").action == "audit.export"


def test_an_entry_says_whether_it_is_what_was_recorded(firm: Firm) -> None:
    browser = browser_of(firm.people["principal"])
    entry = services.record(
        "clients.reveal", by=firm.people["advisor"], on=firm.people["advisor"], summary="E-mail shown"
    )
    url = reverse("audit:entry_detail", args=[entry.pk])

    assert "Its content is what was recorded." in shown(browser.get(url))
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE audit_entry DISABLE TRIGGER USER")
        cursor.execute("UPDATE audit_entry SET summary = 'Nothing was shown' WHERE id = %s", [entry.pk])
    assert "This is not what the product recorded." in shown(browser.get(url))


# ---- the chain


def test_a_check_is_asked_for_run_by_a_worker_and_names_the_broken_row(firm: Firm) -> None:
    browser = browser_of(firm.people["principal"])
    sealing.seal_committed()
    anchors.drop()
    broken = Entry.objects.get(seal__position=3)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE audit_entry DISABLE TRIGGER USER")
        cursor.execute("UPDATE audit_entry SET summary = 'Nothing' WHERE id = %s", [broken.pk])
    Verification.objects.all().delete()

    browser.post(reverse("audit:check_start"))
    browser.post(reverse("audit:check_start"))  # a double click
    check = Verification.objects.get()
    running = shown(browser.get(reverse("audit:check_show", args=[check.pk])))
    verifying.run(str(check.pk))
    over = shown(browser.get(reverse("audit:check_show", args=[check.pk])))

    assert 'hx-trigger="every 1s"' in running
    assert 'hx-trigger="every 1s"' not in over
    assert f"At position 3, entry {broken.pk}: its content is not what was recorded." in over
    assert anchors.latest().line.split('"signature": ')[1][1:20] in shown(browser.get(reverse("audit:chain")))


# ---- evidence packs


@pytest.mark.parametrize("kind", ["client", "order", "transfer"])
def test_a_pack_proves_itself_and_holds_no_personal_data(kind: str, firm: Firm) -> None:
    rows = firm.rows[OWN]
    root = rows["account"].client if kind == "client" else rows[kind]
    exchanges.about(root)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT audit_note_exchange(now(), gen_random_uuid(), 'funding', 'POST', '/gw/api/v1/x', 200, 'answered', 5, 'r',"
            " repeat('a', 64), repeat('b', 64), %s, %s, '', TRUE)",
            [root._meta.label_lower, str(root.pk)],
        )
    exchanges.about(None)
    sealing.seal_committed()
    anchors.drop()

    response = browser_of(firm.people["principal"]).get(reverse("audit:evidence_pack", args=[kind, root.pk]))
    archive = zipfile.ZipFile(io.BytesIO(response.content))
    files = {name: archive.read(name) for name in archive.namelist()}

    manifest = json.loads(files["manifest.json"])
    assert {name: each["sha256"] for name, each in manifest["files"].items()} == {
        name: hashlib.sha256(content).hexdigest() for name, content in files.items() if name != "manifest.json"
    }
    signature = manifest.pop("signature")
    assert signature == keys.sign("evidence", json.dumps(manifest, sort_keys=True).encode(), manifest["key"])
    written = Entry.objects.latest("id")
    assert (written.action, written.subject_id) == ("audit.evidence", str(root.pk))
    assert written.data["sha256"] == hashlib.sha256(files["manifest.json"]).hexdigest()
    chain = json.loads(files["chain.json"])
    assert chain["anchor"]["count"] == chain["head"]["count"]
    assert chain["entries"]
    assert all(entry["is_genuine"] and entry["position"] for entry in chain["entries"])
    text = b"".join(files.values()).decode()
    assert b"a" * 64 in files["exchanges.csv"]
    assert "Hollow" not in text
    if kind != "client":
        submission = journal.current_for(rows[kind])
        assert submission is not None
        assert submission.payload_sha256 in files["payloads.csv"].decode()


@pytest.mark.parametrize("kind", ["client", "transfer"])
def test_a_pack_names_the_papers_beside_a_decision_and_who_refused_it(kind: str, firm: Firm) -> None:
    rows = firm.rows[OWN]
    submission = journal.current_for(rows["transfer"])
    assert submission is not None
    content = papers.png()
    paper = decisions.add_evidence(submission, name="Hollow.png", content=content, by=firm.people["advisor"])
    journal.refuse(submission, by=firm.people["principal"], reason="Wrong bank", answer=Answer.RETURNED)
    root = rows["account"].client if kind == "client" else rows["transfer"]

    response = browser_of(firm.people["operations"]).get(reverse("audit:evidence_pack", args=[kind, root.pk]))
    archive = zipfile.ZipFile(io.BytesIO(response.content))
    documents, decided = archive.read("documents.csv").decode(), archive.read("approvals.csv").decode()

    assert f"Paper {paper.pk},beside submission {submission.pk},{paper.sha256},{paper.size}," in documents
    assert "Hollow" not in documents
    line = next(line for line in decided.splitlines() if "returned" in line)
    assert line.startswith(f"{submission.pk},")
    assert line.endswith(f",{submission.payload_sha256},Wrong bank")


def test_a_clients_pack_holds_its_orders_transfers_and_documents(firm: Firm) -> None:
    rows = firm.rows[OWN]

    response = browser_of(firm.people["operations"]).get(
        reverse("audit:evidence_pack", args=["client", rows["account"].client_id])
    )
    archive = zipfile.ZipFile(io.BytesIO(response.content))
    timeline, documents = archive.read("timeline.csv").decode(), archive.read("documents.csv").decode()

    assert str(rows["transfer"].pk) in timeline
    assert str(rows["order"].pk) in timeline
    assert rows["file"].sha256 in documents
    assert str(firm.rows["foreign"]["transfer"].pk) not in timeline


def test_a_pack_of_a_kind_that_does_not_exist_is_not_found(firm: Firm) -> None:
    url = reverse("audit:evidence_pack", args=["person", firm.people["advisor"].pk])

    assert browser_of(firm.people["principal"]).get(url).status_code == 404


def test_the_pages_of_objects_lead_to_their_records_for_whoever_may(firm: Firm) -> None:
    client = firm.rows[OWN]["account"].client
    url = reverse("clients:client_detail", args=[client.pk])
    pack, saw = reverse("audit:evidence_pack", args=["client", client.pk]), reverse("audit:who_saw", args=[client.pk])

    for name, leads in (("principal", True), ("operations", True), ("advisor", False), ("viewer", False)):
        page = shown(browser_of(firm.people[name]).get(url))
        assert (pack in page, saw in page) == (leads, leads), name


# ---- who saw this person


@pytest.mark.row(id="Z13")
def test_who_saw_a_person_lists_reveals_exports_and_downloads_and_is_itself_written_down(firm: Firm) -> None:
    client = firm.rows[OWN]["account"].client
    advisor = browser_of(firm.people["advisor"])
    people.reveal(client=client, field="email", reason=REASON, by=firm.people["operations"])
    advisor.get(reverse("clients:client_export"))
    advisor.get(reverse("reporting:download", args=[firm.rows[OWN]["file"].pk]))
    browser_of(firm.people["other_advisor"]).get(reverse("clients:client_export"))  # another book: not this person

    page = browser_of(firm.people["principal"]).get(reverse("audit:who_saw", args=[client.pk]))

    assert {(name, times) for name, times, _ in page.context["counts"]} == {("Pat operations", 1), ("Pat advisor", 2)}
    assert [row.action for row in page.context["page"].rows] == ["reporting.open", "clients.export", "clients.reveal"]
    assert Entry.objects.latest("id").action == "audit.who_saw"


@pytest.mark.row(id="Z13")
def test_an_hours_share_of_reveals_alarms_the_principals_and_then_refuses(firm: Firm, settings: Any) -> None:
    settings.REVEALS_PER_HOUR = 3
    client, advisor = firm.rows[OWN]["account"].client, firm.people["advisor"]
    for _ in range(3):
        people.reveal(client=client, field="email", reason=REASON, by=advisor)

    with pytest.raises(NotPermitted, match="You have revealed 3 values within an hour"):
        people.reveal(client=client, field="email", reason=REASON, by=advisor)

    assert Entry.objects.filter(action="audit.mass_reveal", actor=advisor).count() == 1
    assert Disclosure.objects.filter(subject_id=str(client.pk), entry__actor=advisor).count() == 3
    assert [item.title for item in selectors.inbox(firm.people["principal"])] == [
        "Pat advisor revealed many personal values"
    ]
    assert selectors.inbox(firm.people["operations"]) == []
