"""Applications and changes that a policy holds back, and what becomes of those that are stopped before they leave."""

import uuid
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse

from backoffice.home import contributions, second_persons
from backoffice.journal import services as journal
from backoffice.journal.models import Answer, State, Submission
from backoffice.people.models import Role, User
from backoffice.people.policies.document import FIRST, ApprovalRule
from clients import dispatch
from clients.models import Application, Document, MaintenanceRequest
from clients.services import applications, maintenance
from tests.backoffice.test_policies import put_in_force

pytestmark = pytest.mark.django_db


@pytest.fixture
def master(connected_master: Any) -> Any:
    """Everything here hangs under the connection that talks to the sandbox."""
    return connected_master


@pytest.fixture(autouse=True)
def _policy(principal: User, second_principal: User) -> None:
    rules = (*FIRST.approvals, ApprovalRule("application", 1), ApprovalRule("change", 1))
    put_in_force(replace(FIRST, approvals=rules), principal, second_principal)


def visit(person: User) -> Browser:
    browser = Browser()
    browser.force_login(person, backend="backoffice.people.backends.EmailBackend")
    return browser


def renamed(account: Any, advisor: User, alias: str = "Savings") -> MaintenanceRequest:
    return maintenance.request_alias(account=account, alias=alias, intent=uuid.uuid4(), by=advisor)


def test_an_application_waits_for_a_second_person_and_comes_back_as_a_draft_under_a_new_key(
    submitted: Any, master: Any, advisor: User, principal: User, sandbox: Any
) -> None:
    application = submitted(master)
    first = journal.current_for(application)
    assert first is not None
    dispatch.send_application(str(first.pk))
    assert (first.state, sandbox.ledger("application")) == (State.PROPOSED, [])
    page = visit(principal).get(reverse("journal:approval_detail", args=[first.pk])).content.decode()
    assert "Ilse" in page

    journal.refuse(first, by=principal, reason="Wrong margin", answer=Answer.RETURNED)
    dispatch.sweep_changes()
    dispatch.sweep_changes()

    back = Application.objects.get()
    assert (back.status, back.stage, back.external_id) == ("draft", "draft", f"{first.key}.2")
    assert "Wrong margin" in visit(advisor).get(back.get_absolute_url()).content.decode()
    (told,) = contributions.returned(advisor)
    assert told.title == f"Returned to you: {first.summary}"
    applications.submit_application(application=back, by=advisor, sha256=applications.sealed_request(back).sha256)
    assert list(contributions.returned(advisor)) == []
    second = journal.current_for(back)
    assert second is not None
    journal.approve(second, by=principal, payload_sha256=second.payload_sha256)
    dispatch.send_application(str(second.pk))
    assert [effect["key"] for effect in sandbox.ledger("application")] == [back.external_id]


def test_a_change_that_is_not_approved_is_over_and_another_may_be_asked_for(
    open_account: Any, master: Any, advisor: User, principal: User
) -> None:
    account = open_account(master)
    case = renamed(account, advisor)
    (waiting,) = second_persons.inbox(principal)
    assert waiting.title == f"Account alias of {account.client.name}"
    submission = Submission.objects.get()
    assert "no alias to Savings" in visit(principal).get(waiting.url).content.decode()

    journal.refuse(submission, by=principal, reason="Ask the client first")
    dispatch.sweep_changes()

    case.refresh_from_db()
    assert (case.status, case.is_final) == ("withdrawn", True)
    page = visit(advisor).get(case.get_absolute_url()).content.decode()
    assert "It was not sent; nothing has changed at IBKR." in page
    assert "Ask the client first" in page
    (told,) = contributions.returned(advisor)
    assert (told.title, told.owner) == (f"Not approved: {submission.summary}", advisor)
    assert renamed(account, advisor, "Pension").status == "requested"


@pytest.mark.row(id="Z03")
def test_a_change_whose_maker_lost_the_role_is_not_left_hanging(
    open_account: Any, master: Any, advisor: User, principal: User, sandbox: Any
) -> None:
    case = renamed(open_account(master), advisor)
    submission = Submission.objects.get()
    journal.approve(submission, by=principal, payload_sha256=submission.payload_sha256)
    User.objects.filter(pk=advisor.pk).update(role=Role.VIEWER)

    dispatch.send_change(str(submission.pk))
    dispatch.sweep_changes()

    case.refresh_from_db()
    assert case.status == "withdrawn"
    assert [each for each in sandbox.requests() if each["method"] == "PATCH"] == []
    assert not Document.objects.exists()
