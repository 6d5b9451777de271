"""Whatever was sent and may be at IBKR is on Today, once, and people can decide on it from there."""

import uuid
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from backoffice.core import clock
from backoffice.home import selectors
from backoffice.home.registry import InboxItem
from backoffice.journal.models import State, Submission
from backoffice.people.models import User
from clients.models import Document, DocumentStatus
from clients.services import applications, documents, drafts, unsent
from tests.papers import pdf
from tests.two_books import OWN, Firm, found_firm
from trading.services import groups

pytestmark = pytest.mark.django_db


@pytest.fixture
def firm() -> Firm:
    """A firm with one of everything that is sent, the order's cancel excepted, which stands with its order."""
    firm = found_firm()
    rows, by = firm.rows[OWN], firm.people["principal"]
    draft = drafts.save_draft(application=rows["application"], values={"last_name": "Hollow"}, by=by)
    applications.submit_application(application=draft, sha256=applications.sealed_request(draft).sha256, by=by)
    groups.remove_group(rows["group"], by=by, intent=uuid.uuid4())
    documents.send_document(
        task=rows["task"], content=pdf(), original_name="bill.pdf", proof_type="Utility Bill", expires_on=None,
        intent=uuid.uuid4(), by=by,
    )  # fmt: skip
    return firm


def doubts(user: User) -> list[InboxItem]:
    return [item for item in selectors.waiting(User.objects.get(pk=user.pk)) if item.group == "doubt"]


def put(state: State) -> list[Submission]:
    Submission.objects.update(state=state, unknown_since=clock.now(), next_look_at=clock.now())
    return list(Submission.objects.all())


@pytest.mark.parametrize("state", [State.UNKNOWN, State.ABSENT])
def test_every_doubt_is_on_today_once_and_its_page_leads_to_the_evidence(firm: Firm, state: State) -> None:
    put(state)
    subjects = set(Submission.objects.values_list("subject_model", flat=True))
    assert subjects == {
        "clients.application", "clients.maintenancerequest", "clients.document", "funding.cashtransfer", "trading.order",
        "trading.groupchange",
    }  # fmt: skip
    browser = Browser()
    browser.force_login(firm.people["operations"], backend="backoffice.people.backends.EmailBackend")

    found = doubts(firm.people["operations"])

    assert len(found) == Submission.objects.count()
    for item in found:
        page = browser.get(item.url).text
        ways = [reverse("journal:submission_detail", args=[each.pk]) for each in Submission.objects.all()]
        assert item.url in ways or any(f'href="{way}' in page for way in ways), item.title
        if state == State.ABSENT:
            assert "Several sound looks did not find it at IBKR." in page, item.title


def test_today_does_not_read_the_file_that_is_in_doubt(
    firm: Firm, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    put(State.UNKNOWN)
    with django_assert_max_num_queries(500) as asked:
        assert [item for item in doubts(firm.people["operations"]) if item.title.startswith("Document")]
    assert not [query["sql"] for query in asked.captured_queries if '"clients_document"."content"' in query["sql"]]


def test_advisors_are_told_of_their_own_books_doubts_alone(firm: Firm) -> None:
    put(State.UNKNOWN)
    mine, theirs = (doubts(firm.people[name]) for name in ("advisor", "other_advisor"))
    assert {item.kind for item in mine} & {item.kind for item in theirs} == set()
    assert not [item for item in mine + theirs if item.kind.startswith("journal.doubt")]  # a group may reach every book


def test_a_file_in_doubt_is_shown_as_one_and_given_up_another_may_be_sent(firm: Firm) -> None:
    put(State.UNKNOWN)
    task, document = firm.rows[OWN]["task"], Document.objects.get()
    submission = Submission.objects.for_subject(document).get()
    browser = Browser()
    browser.force_login(firm.people["operations"], backend="backoffice.people.backends.EmailBackend")
    page = reverse("clients:application_detail", args=[task.account.application.pk])
    assert "Outcome unknown" in browser.get(page).text
    url = reverse("journal:submission_give_up", args=[submission.pk])

    too_early = browser.post(url, {"reason": "The client sends a better one"})
    assert (too_early.status_code, "Only what is absent at IBKR can be given up here" in too_early.text) == (422, True)
    put(State.ABSENT)
    assert "Release it or give it up" in browser.get(page).text
    assert "needs to know why" in browser.post(url, {"reason": " "}).text
    assert browser.post(url, {"reason": "The client sends a better one"}).status_code == 302
    unsent.close_void()

    submission.refresh_from_db()
    document.refresh_from_db()
    assert (submission.state, document.status) == (State.VOID, DocumentStatus.REFUSED)
    assert 'name="file"' in browser.get(page).text


@pytest.mark.parametrize("role", ["advisor", "viewer", "administrator"])
def test_only_operations_and_principals_give_up(firm: Firm, role: str) -> None:
    put(State.ABSENT)
    submission: Any = Submission.objects.for_subject(firm.rows[OWN]["transfer"]).get()
    browser = Browser()
    browser.force_login(firm.people[role], backend="backoffice.people.backends.EmailBackend")
    answer = browser.post(reverse("journal:submission_give_up", args=[submission.pk]), {"reason": "x"})
    assert (answer.status_code, Submission.objects.get(pk=submission.pk).state) == (403, State.ABSENT)
