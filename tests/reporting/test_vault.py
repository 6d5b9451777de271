"""The report vault: what is offered, what is held, what is missing, and that a file is what IBKR gave."""

import base64
import html
import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import IntegrityError, connection, transaction
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from backoffice.audit.models import Entry
from backoffice.core import clock
from backoffice.core.errors import Conflict, InvalidInput, NotPermitted
from backoffice.people.models import Book
from clients.models import Account, Client
from clients.services import retention
from reporting import dispatch, services, translate
from reporting.contributions import inbox
from reporting.models import FetchItem, FetchRequest, Granularity, ItemState, Offer, Report, ReportFile, State
from reporting.selectors import grid, progress
from tests.funding.conftest import make_account

pytestmark = pytest.mark.django_db(transaction=True)
PDF = b"%PDF-1.4 one page"


@pytest.fixture(autouse=True)
def files(tmp_path: Any, settings: Any) -> Any:
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path}},
    }
    return tmp_path


@pytest.fixture
def book(advisor: Any) -> Book:
    book = Book.objects.create(name="Alder")
    book.members.add(advisor)
    return book


@pytest.fixture
def account(master: Any, book: Book) -> Account:
    return make_account("U1000011", master, book)


def months() -> list[str]:
    return translate.months_back(clock.today(clock.NEW_YORK), 3)


@pytest.fixture
def offered(account: Account) -> list[Report]:
    services.record_offer(account, monthly=months(), annual=())
    return list(Report.objects.order_by("period"))


def order(reports: list[Report], by: Any, intent: uuid.UUID | None = None) -> list[FetchItem]:
    request = services.request_fetch(reports=reports, by=by, intent=intent or uuid.uuid4())
    return [services.take(str(pk)) for pk in request.items.values_list("pk", flat=True)]  # type: ignore[misc]


def browser_of(user: Any) -> Browser:
    browser = Browser()
    browser.force_login(user, backend="backoffice.people.backends.EmailBackend")
    return browser


# ---- what is offered


def test_the_last_twelve_months_and_every_year_become_gaps_once(account: Account) -> None:
    old = [*translate.months_back(clock.today(clock.NEW_YORK), 20)]

    assert services.record_offer(account, monthly=[*old, "garbage", "202613"], annual=["2024", "2025"]) == 14
    assert services.record_offer(account, monthly=old, annual=["2024", "2025"]) == 0
    assert Report.objects.missing().count() == 14


def test_months_are_counted_over_the_turn_of_the_year() -> None:
    from datetime import date

    assert translate.months_back(date(2026, 2, 10), 3) == ["202511", "202512", "202601"]
    assert translate.period_words("202611") == "November 2026"


def test_the_grid_tells_held_offered_failed_not_yet_and_no_account_then(
    offered: list[Report], advisor: Any, account: Account
) -> None:
    account.opened_on = clock.today(clock.NEW_YORK).replace(day=1).replace(year=clock.today(clock.NEW_YORK).year - 1)
    account.save()
    kept, failed, _ = offered
    services.keep(order([kept], advisor)[0], PDF)
    services.record_failure(order([failed], advisor)[0], reason="no", is_final=True)

    cells = grid(advisor, "monthly").lines[0].cells

    assert [cell.look for cell in cells[-3:]] == ["held", "failed", "offered"]
    assert cells[0].look == "empty"
    assert cells[-2].name.endswith("failed")
    assert grid(advisor, "monthly").missing == 2
    account.opened_on = clock.today(clock.NEW_YORK)
    account.save()
    assert grid(advisor, "monthly").lines[0].cells[0].look == "none"


# ---- fetching


def test_a_file_is_hashed_sealed_and_given_back_as_it_came(offered: list[Report], advisor: Any, files: Any) -> None:
    file = services.keep(order(offered[:1], advisor)[0], PDF)

    with default_storage.open(file.stored_as) as stored:
        assert PDF not in stored.read()
    assert offered[0].period not in file.stored_as
    assert services.open_file(file, by=advisor) == PDF
    report = Report.objects.get(pk=offered[0].pk)
    assert (report.state, report.version, file.size) == (State.HELD, 1, len(PDF))


def test_other_bytes_are_version_two_and_both_are_kept(offered: list[Report], advisor: Any) -> None:
    for content in (PDF, PDF, PDF + b" re-issued"):
        services.keep(order(offered[:1], advisor)[0], content)

    report = Report.objects.get(pk=offered[0].pk)
    assert report.version == 2
    assert [(file.version, services.open_file(file, by=advisor)) for file in report.files.order_by("version")] == [
        (1, PDF),
        (2, PDF + b" re-issued"),
    ]
    assert Entry.objects.filter(action="reporting.reissue").count() == 1


def test_a_destroyed_clients_statements_are_gone_and_say_so(
    offered: list[Report], advisor: Any, files: Any, principal: Any, second_principal: Any,
    django_capture_on_commit_callbacks: Any,
) -> None:  # fmt: skip
    file = services.keep(order(offered[:1], advisor)[0], PDF)
    account = file.report.account
    long_ago = clock.now() - timedelta(days=9 * 366)
    Account.objects.filter(pk=account.pk).update(ibkr_status="C", closed_on=long_ago.date())
    Client.objects.filter(pk=account.client_id).update(created_at=long_ago)
    row = retention.propose(Client.objects.get(pk=account.client_id), by=principal)

    with django_capture_on_commit_callbacks(execute=True):
        retention.destroy(row, by=second_principal)

    assert not default_storage.exists(file.stored_as)
    with pytest.raises(Conflict, match="destroyed with the client's personal data"):
        services.open_file(ReportFile.objects.get(pk=file.pk), by=advisor)


def test_a_file_row_cannot_be_changed_and_an_altered_file_is_not_handed_out(
    offered: list[Report], advisor: Any, files: Any
) -> None:
    file = services.keep(order(offered[:1], advisor)[0], PDF)

    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE reporting_reportfile SET sha256 = 'x'")
    path = files / file.stored_as
    path.write_text(path.read_text()[:-4] + "AAAA")
    with pytest.raises(ValueError, match="altered"):
        services.open_file(file, by=advisor)


def test_a_failure_is_tried_again_then_waits_for_a_person(offered: list[Report], advisor: Any) -> None:
    report = offered[0]
    request = services.request_fetch(reports=[report], by=advisor, intent=uuid.uuid4())

    for _ in range(4):
        FetchItem.objects.update(due_at=clock.now())
        item = services.take(str(request.items.get().pk))
        assert item is not None
        services.record_failure(item, reason="Not ready", is_final=False)

    report.refresh_from_db()
    assert (report.state, report.failure) == (State.FAILED, "Not ready")
    assert request.items.get().state == ItemState.FAILED
    assert [entry.ibkr_words for entry in inbox(advisor)] == ["Not ready"]


def test_a_failed_second_look_does_not_take_away_what_is_held(offered: list[Report], advisor: Any) -> None:
    services.keep(order(offered[:1], advisor)[0], PDF)

    services.record_failure(order(offered[:1], advisor)[0], reason="gone", is_final=True)

    report = Report.objects.get(pk=offered[0].pk)
    assert (report.state, report.version, report.failure) == (State.HELD, 1, "gone")


def test_one_form_is_one_order_and_an_item_is_taken_once(offered: list[Report], advisor: Any) -> None:
    intent = uuid.uuid4()

    first = services.request_fetch(reports=offered, by=advisor, intent=intent)
    second = services.request_fetch(reports=offered, by=advisor, intent=intent)

    assert first == second
    item = first.items.first()
    assert services.take(str(item.pk)) is not None
    assert services.take(str(item.pk)) is None


def test_items_of_a_dead_worker_are_freed(offered: list[Report], advisor: Any) -> None:
    order(offered[:1], advisor)
    now = clock.now()

    services.free_lapsed(now)
    assert FetchItem.objects.get().state == ItemState.TAKEN
    services.free_lapsed(now + services.TAKEN_AT_MOST * 2)
    assert FetchItem.objects.get().state == ItemState.WAITING


def test_progress_counts_what_ended_whoever_looks(offered: list[Report], advisor: Any) -> None:
    items = order(offered, advisor)
    services.keep(items[0], PDF)
    services.record_failure(items[1], reason="no", is_final=True)

    so_far = progress(items[0].request)

    assert (so_far.total, so_far.done, so_far.failed, so_far.is_over) == (3, 1, 1, False)


def test_a_fetch_that_ended_before_anybody_looked_is_told_for_a_day(offered: list[Report], advisor: Any) -> None:
    for item in order(offered, advisor):
        services.keep(item, PDF)

    told = browser_of(advisor).get(reverse("reporting:list")).content.decode()
    FetchRequest.objects.update(asked_at=clock.now() - timedelta(days=1, minutes=1))
    later = browser_of(advisor).get(reverse("reporting:list")).content.decode()

    assert "<b>3</b> of 3 files" in told
    assert "of 3 files" not in later


def test_only_the_desk_fetches_and_only_its_own(offered: list[Report], viewer: Any, other_advisor: Any) -> None:
    with pytest.raises(NotPermitted):
        services.request_fetch(reports=offered, by=viewer, intent=uuid.uuid4())
    with pytest.raises(InvalidInput):
        services.request_fetch(reports=offered, by=other_advisor, intent=uuid.uuid4())


# ---- pages

WHO = ("advisor", "other_advisor", "operations", "principal", "viewer", "administrator")
OF_ONE = (200, 404, 200, 200, 404, 403)


@pytest.mark.parametrize(
    ("url_name", "expected"),
    [
        ("reporting:list", (200, 200, 200, 200, 200, 403)),
        ("reporting:report_detail", OF_ONE),
        ("reporting:download", OF_ONE),
        ("reporting:client_panel", OF_ONE),
        ("reporting:fetch_progress", (200, 404, 404, 404, 404, 403)),
    ],
)
def test_each_page_opens_for_whom_it_should_and_is_not_found_by_others(
    offered: list[Report], advisor: Any, request: pytest.FixtureRequest, url_name: str, expected: tuple[int, ...]
) -> None:
    item = order(offered[:1], advisor)[0]
    file = services.keep(item, PDF)
    key = {
        "reporting:report_detail": offered[0].pk, "reporting:download": file.pk, "reporting:fetch_progress": item.request_id,
        "reporting:client_panel": offered[0].account.client_id,
    }.get(url_name)  # fmt: skip
    url = reverse(url_name, args=[key] if key else [])

    found = tuple(browser_of(request.getfixturevalue(who)).get(url).status_code for who in WHO)

    assert found == expected
    assert Browser().get(url).status_code == 302


def test_the_vault_shows_nothing_of_other_books(offered: list[Report], other_advisor: Any) -> None:
    body = browser_of(other_advisor).get(reverse("reporting:list")).content.decode()

    assert "U1000011" not in body
    assert "Holloway" not in body


def test_a_download_is_an_attachment_that_no_browser_interprets_and_is_written_down(
    offered: list[Report], advisor: Any
) -> None:
    file = services.keep(order(offered[:1], advisor)[0], PDF)

    answer = browser_of(advisor).get(reverse("reporting:download", args=[file.pk]))

    assert answer.content == PDF
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert Entry.objects.get(action="reporting.open").actor == advisor


@pytest.mark.parametrize("everything", [True, False])
def test_the_buttons_order_the_ticked_or_all_that_is_missing(
    offered: list[Report], advisor: Any, everything: bool
) -> None:
    typed: dict[str, Any] = {"intent": str(uuid.uuid4())}
    typed |= {"all": "missing", "view": "monthly"} if everything else {"report": [str(offered[0].pk), "nonsense"]}

    answer = browser_of(advisor).post(reverse("reporting:fetch"), typed)

    assert answer.status_code == 302
    assert FetchItem.objects.count() == (3 if everything else 1)


def test_a_fetch_of_nothing_says_so(offered: list[Report], advisor: Any) -> None:
    answer = browser_of(advisor).post(reverse("reporting:fetch"), {"intent": str(uuid.uuid4())})

    assert answer.status_code == 422
    assert "No report is chosen." in answer.content.decode()


def test_the_page_leads_back_to_no_foreign_address(offered: list[Report], advisor: Any) -> None:
    typed = {"intent": str(uuid.uuid4()), "report": str(offered[0].pk), "back": "//evil.example/"}

    assert browser_of(advisor).post(reverse("reporting:fetch"), typed).headers["Location"] == reverse("reporting:list")


def test_the_vault_asks_as_often_for_ten_accounts_as_for_one(
    offered: list[Report], advisor: Any, master: Any, book: Any, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    browser, url = browser_of(advisor), reverse("reporting:list")
    browser.get(url)
    with CaptureQueriesContext(connection) as one:
        browser.get(url)
    for place in range(12, 21):
        services.record_offer(make_account(f"U10000{place}", master, book), monthly=months(), annual=())

    with django_assert_max_num_queries(len(one)):
        browser.get(url)


# ---- at the sandbox


def answer_of(content: bytes) -> str:
    data = {"dataType": "byte[]", "encoding": "base64", "mimeType": "application/pdf"}
    return json.dumps({"data": {**data, "value": base64.b64encode(content).decode()}})


@pytest.fixture
def at_sandbox(connected_master: Any, book: Book) -> Account:
    return make_account("U1000012", connected_master, book)


def test_ibkrs_list_becomes_gaps_and_each_is_fetched_as_a_pdf(at_sandbox: Account, advisor: Any) -> None:
    dispatch.sync_account(str(at_sandbox.pk))
    wanted = list(Report.objects.filter(account=at_sandbox, granularity="monthly").order_by("-period")[:2])

    request = services.request_fetch(reports=wanted, by=advisor, intent=uuid.uuid4())
    for pk in request.items.values_list("pk", flat=True):
        dispatch.fetch_report(str(pk))
        dispatch.fetch_report(str(pk))

    assert len(wanted) == 2
    assert Offer.objects.get(account=at_sandbox).read_at is not None
    assert {report.state for report in Report.objects.filter(pk__in=[each.pk for each in wanted])} == {State.HELD}
    assert all(services.open_file(file, by=advisor).startswith(b"%PDF-") for file in ReportFile.objects.all())
    assert progress(request).is_over


def test_the_same_statement_again_is_the_same_version_and_a_reissued_one_the_next(
    at_sandbox: Account, advisor: Any, sandbox: Any
) -> None:
    dispatch.sync_account(str(at_sandbox.pk))
    report = Report.objects.filter(account=at_sandbox, granularity="monthly").order_by("-period")[0]

    def fetch() -> int:
        request = services.request_fetch(reports=[report], by=advisor, intent=uuid.uuid4())
        dispatch.fetch_report(str(request.items.get().pk))
        report.refresh_from_db()
        return report.version

    assert [fetch(), fetch()] == [1, 1]
    sandbox.fault(
        {"method": "POST", "path": "/statements", "phase": "answered", "action": "status", "status": 200,
         "body": answer_of(b"%PDF-1.4 re-issued")}
    )  # fmt: skip
    assert fetch() == 2
    assert report.files.count() == 2


@pytest.mark.parametrize(
    ("number", "no_data_status", "said"),
    [
        ("U9999999", None, "not under our master, and may say it of a report that is not ready"),
        ("U1000013", 402, "not under our master, and may say it of a report that is not ready"),
        ("U1000013", 400, "IBKR has no statement for this period yet"),
    ],
)
def test_a_refusal_is_tried_again_and_then_kept_in_ibkrs_words_with_its_meaning(
    connected_master: Any, book: Book, advisor: Any, sandbox: Any, number: str, no_data_status: int | None, said: str
) -> None:
    """402 is said of another's account, and perhaps of a report that is not ready: an open account of ours waits for it."""
    sandbox.config(no_data_status=no_data_status)
    account = make_account(number, connected_master, book)
    services.record_offer(account, monthly=months(), annual=[str(clock.today(clock.NEW_YORK).year)])
    report = Report.objects.get(account=account, granularity=Granularity.ANNUAL)
    request = services.request_fetch(reports=[report], by=advisor, intent=uuid.uuid4())
    item = request.items.get()

    dispatch.fetch_report(str(item.pk))
    report.refresh_from_db()
    assert (report.state, report.tries) == (State.FETCHING, 1)
    for _ in range(3):
        FetchItem.objects.update(due_at=clock.now())
        dispatch.fetch_report(str(item.pk))

    page = browser_of(advisor).get(report.get_absolute_url()).content.decode()
    report.refresh_from_db()
    assert report.state == State.FAILED
    shown = html.unescape(page)
    assert report.failure in shown
    assert translate.meaning(report.failure) in shown
    assert said in shown


def test_an_account_that_is_not_open_is_refused_at_once(connected_master: Any, book: Book, advisor: Any) -> None:
    stranger = make_account("U9999999", connected_master, book)
    services.record_offer(stranger, monthly=months(), annual=())
    report = Report.objects.filter(account=stranger)[0]
    request = services.request_fetch(reports=[report], by=advisor, intent=uuid.uuid4())
    Account.objects.filter(pk=stranger.pk).update(ibkr_status="C")

    dispatch.fetch_report(str(request.items.get().pk))

    assert Report.objects.get(pk=report.pk).state == State.FAILED


def test_something_that_is_no_pdf_is_not_kept(at_sandbox: Account, advisor: Any, sandbox: Any) -> None:
    services.record_offer(at_sandbox, monthly=months(), annual=())
    request = services.request_fetch(reports=list(Report.objects.all()[:1]), by=advisor, intent=uuid.uuid4())
    sandbox.fault(
        {"method": "POST", "path": "/statements", "phase": "answered", "action": "status", "status": 200, "times": 5,
         "body": answer_of(b"<html>")}
    )  # fmt: skip

    dispatch.fetch_report(str(request.items.get().pk))

    assert not ReportFile.objects.exists()
    item = request.items.get()
    assert (item.state, item.tries) == (ItemState.WAITING, 1)


def test_a_list_that_cannot_be_read_says_why(at_sandbox: Account, connected_master: Any) -> None:
    type(connected_master).objects.update(base_url="http://127.0.0.1:9")

    dispatch.sync_account(str(at_sandbox.pk))

    offer = Offer.objects.get(account=at_sandbox)
    assert offer.read_at is None
    assert offer.failure


def test_the_sweeps_ring_for_what_waits_and_survive_running_twice(at_sandbox: Account, advisor: Any) -> None:
    services.record_offer(at_sandbox, monthly=months(), annual=())
    services.request_fetch(reports=list(Report.objects.all()), by=advisor, intent=uuid.uuid4())

    for _ in range(2):
        dispatch.sync_available()
        dispatch.sweep_fetches()

    assert FetchItem.objects.filter(state=ItemState.WAITING).count() == 3
