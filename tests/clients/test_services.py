"""Drafts, submission, status, documents and maintenance as services decide them."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from backoffice.audit.models import Entry
from backoffice.core import clock, uploads
from backoffice.core.errors import Conflict, InvalidInput, NotPermitted
from backoffice.journal import services as journal
from backoffice.journal.models import Submission
from clients.models import (
    Account,
    AccountTask,
    Application,
    ApplicationStatus,
    Client,
    Document,
    MaintenanceRequest,
    Stage,
)
from clients.services import applications, documents, drafts, maintenance, people
from clients.services.applications import Registration, SeenStatus, SeenTask
from tests import papers

pytestmark = pytest.mark.django_db
Make = Callable[..., Any]
PDF = papers.pdf()


def test_the_same_intent_starts_one_draft(book: Any, master: Any, advisor: Any) -> None:
    intent = uuid.uuid4()

    first = drafts.start_application(intent=intent, book=book, master=master, by=advisor)
    second = drafts.start_application(intent=intent, book=book, master=master, by=advisor)

    assert first.pk == second.pk
    assert Application.objects.count() == 1


def test_nobody_starts_a_draft_in_a_foreign_book_or_as_viewer(
    book: Any, other_advisor: Any, viewer: Any, master: Any
) -> None:
    for person in (other_advisor, viewer):
        with pytest.raises(NotPermitted):
            drafts.start_application(intent=uuid.uuid4(), book=book, master=master, by=person)


def test_what_was_typed_wrongly_is_kept(draft: Make, master: Any) -> None:
    application = Application.objects.get(pk=draft(master, email="not an address").pk)

    assert application.draft["email"] == "not an address"
    assert (application.stops, application.applicant, application.country) == (1, "Ilse Vandermolen", "NLD")


def test_two_people_at_two_fields_lose_nothing(draft: Make, master: Any, advisor: Any, operations: Any) -> None:
    application = draft(master)
    stale = Application.objects.get(pk=application.pk)

    drafts.save_draft(application=application, values={"city": "Leiden"}, by=advisor)
    drafts.save_draft(application=stale, values={"alias": "House money"}, by=operations)

    kept = Application.objects.get(pk=application.pk)
    assert (kept.draft["city"], kept.draft["alias"], kept.saved_by) == ("Leiden", "House money", operations)


def test_the_draft_is_unreadable_in_the_database(draft: Make, master: Any) -> None:
    from django.db import connection

    draft(master)

    with connection.cursor() as cursor:
        cursor.execute("SELECT draft_text FROM clients_application")
        assert "vandermolen" not in cursor.fetchone()[0].lower()


def test_submitting_makes_one_client_and_one_submission(draft: Make, master: Any, advisor: Any) -> None:
    application = draft(master)
    sealed = applications.sealed_request(application)

    for _ in range(2):
        applications.submit_application(application=application, sha256=sealed.sha256, by=advisor)

    submission = Submission.objects.get()
    assert (submission.key_space, submission.key) == ("externalId", application.external_id)
    assert submission.payload_sha256 == sealed.sha256
    assert Client.objects.get().name == "Ilse Vandermolen"
    assert "Vandermolen" not in submission.summary


def test_a_defect_stops_the_submission_at_its_field(draft: Make, master: Any, advisor: Any) -> None:
    application = draft(master, email="tester@gmail")

    with pytest.raises(InvalidInput) as refusal:
        applications.submit_application(application=application, sha256="", by=advisor)

    assert refusal.value.field == "email"
    assert Submission.objects.count() == 0


def test_a_draft_changed_after_it_was_shown_is_not_sent(draft: Make, master: Any, advisor: Any) -> None:
    application = draft(master)
    shown = applications.sealed_request(application).sha256
    drafts.save_draft(application=application, values={"city": "Leiden"}, by=advisor)

    with pytest.raises(Conflict):
        applications.submit_application(application=application, sha256=shown, by=advisor)

    assert Submission.objects.count() == 0


def test_a_viewer_cannot_submit(draft: Make, master: Any, viewer: Any) -> None:
    application = draft(master)

    with pytest.raises(NotPermitted):
        applications.submit_application(
            application=application, sha256=applications.sealed_request(application).sha256, by=viewer
        )


def test_a_submitted_application_cannot_be_typed_into(submitted: Make, master: Any, advisor: Any) -> None:
    application = submitted(master)

    with pytest.raises(Conflict):
        drafts.save_draft(application=application, values={"city": "Leiden"}, by=advisor)


def test_a_refused_application_comes_back_with_ibkrs_words_and_a_new_key(
    submitted: Make, master: Any, advisor: Any
) -> None:
    application = submitted(master)
    first_key = application.external_id

    applications.mark_refused(application, ["Email x is invalid."])

    back = Application.objects.get()
    assert (back.status, back.stage) == (ApplicationStatus.REFUSED, Stage.REJECTED)
    assert back.refusals == [{"field": "email", "words": "Email x is invalid."}]
    assert back.external_id == f"{first_key}.2"
    mended = drafts.save_draft(application=back, values={"email": "other@example.org"}, by=advisor)
    assert mended.refusals == []
    again = applications.submit_application(
        application=mended, sha256=applications.sealed_request(mended).sha256, by=advisor
    )
    assert again.status == ApplicationStatus.SUBMITTED
    assert Client.objects.get().email == "other@example.org"
    assert Submission.objects.count() == 2


def test_a_registered_application_has_its_account_once(submitted: Make, master: Any) -> None:
    application = submitted(master)

    for _ in range(2):
        applications.mark_registered(application, Registration("U1000031", "ilsev001", "55"))

    account = Account.objects.get()
    assert (account.number, account.username, account.holder_entity_id) == ("U1000031", "ilsev001", "55")
    assert Application.objects.get().account == account


@pytest.mark.parametrize(
    ("status", "state", "expected", "stage"),
    [
        ("N", "Incomplete Application", "submitted", Stage.CLIENT),
        ("P", "Documents Required", "submitted", Stage.DOCUMENTS),
        ("P", "Under Review with IBKR", "submitted", Stage.REVIEW),
        ("P", "Pending Approval", "submitted", Stage.REVIEW),
        ("O", "Open", "opened", Stage.OPEN),
        ("R", "", "rejected", Stage.REJECTED),
        ("A", "", "abandoned", Stage.REJECTED),
        ("W", "A word nobody has seen", "submitted", Stage.SUBMITTED),
    ],
)
def test_ibkrs_words_decide_the_lane(
    submitted: Make, master: Any, status: str, state: str, expected: str, stage: Stage
) -> None:
    application = submitted(master)
    applications.mark_registered(application, Registration("U1000031"))

    applications.record_status(Account.objects.get(), SeenStatus(status, state, clock.now()))

    application = Application.objects.get()
    assert (application.status, application.stage, application.ibkr_state) == (expected, stage, state)


def test_late_news_changes_nothing(submitted: Make, master: Any) -> None:
    applications.mark_registered(submitted(master), Registration("U1000031"))
    account, now = Account.objects.get(), clock.now()
    applications.record_status(account, SeenStatus("O", "Open", now))

    applications.record_status(account, SeenStatus("P", "Under Review with IBKR", now - timedelta(seconds=9)))

    assert Account.objects.get().ibkr_status == "O"
    assert Application.objects.get().status == ApplicationStatus.OPENED


def paper_task(account: Account, **fields: Any) -> AccountTask:
    seen = SeenTask(
        **{"form_number": "8002", "form_name": "Proof of Address", "action": "to send", "state": "To Be Sent",
           "is_required_for_approval": True, **fields}
    )  # fmt: skip
    applications.record_tasks(account, [seen], as_of=clock.now())
    return AccountTask.objects.get(account=account)


def give(task: AccountTask, by: Any, **given: Any) -> Document:
    return documents.send_document(
        **{"task": task, "content": PDF, "original_name": "utility bill of october.pdf", "proof_type": "Utility Bill",
           "expires_on": None, "intent": uuid.uuid4(), "by": by, **given}
    )  # fmt: skip


def test_a_document_is_kept_sealed_and_promised_once(open_account: Make, master: Any, advisor: Any) -> None:
    task, intent = paper_task(open_account(master)), uuid.uuid4()

    first = give(task, advisor, intent=intent)
    second = give(task, advisor, intent=intent)

    assert first.pk == second.pk
    assert (first.file_name, len(first.file_name) <= 20, first.content_type) == (
        "utility-bill-of.pdf",
        True,
        "application/pdf",
    )
    assert Submission.objects.get().key == str(first.pk)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"content": b""}, "file"),
        ({"content": b"MZ\x90 a program called invoice.pdf"}, "file"),
        ({"content": b"%PDF-" + b"x" * uploads.LARGEST}, "file"),
        ({"proof_type": ""}, "proof_type"),
        ({"proof_type": "Love letter"}, "proof_type"),
    ],
)
def test_a_bad_file_is_refused_at_its_field_and_nothing_is_kept(
    open_account: Make, master: Any, advisor: Any, given: dict[str, Any], field: str
) -> None:
    task = paper_task(open_account(master))

    with pytest.raises(InvalidInput) as refusal:
        give(task, advisor, **given)

    assert refusal.value.field == field
    assert refusal.value.fix
    assert (Document.objects.count(), Submission.objects.count()) == (0, 0)


def test_a_passport_needs_a_future_expiry(open_account: Make, master: Any, advisor: Any) -> None:
    task = paper_task(open_account(master), form_number="8001", form_name="Proof of Identity")

    for expires in (None, clock.now().date() - timedelta(days=1)):
        with pytest.raises(InvalidInput) as refusal:
            give(task, advisor, proof_type="Passport", expires_on=expires)
        assert refusal.value.field == "expires_on"


def test_a_second_file_waits_for_the_first(open_account: Make, master: Any, advisor: Any) -> None:
    task = paper_task(open_account(master))
    give(task, advisor)

    with pytest.raises(Conflict):
        give(task, advisor)


def test_an_older_reading_does_not_reject_a_newer_document(open_account: Make, master: Any, advisor: Any) -> None:
    account = open_account(master)
    task = paper_task(account, state="Rejected .. too old", reject_reason="too old")
    before = clock.now()
    document = give(task, advisor)
    documents.mark_sent(document)
    seen = SeenTask("8002", "Proof of Address", "to send", "Rejected .. too old", reject_reason="too old")

    applications.record_tasks(account, [seen], as_of=before)
    assert Document.objects.get().status == "sent"
    applications.record_tasks(account, [seen], as_of=clock.now() + timedelta(seconds=5))

    assert (Document.objects.get().status, Document.objects.get().reason) == ("rejected", "too old")


def test_an_alias_that_changes_nothing_is_refused(open_account: Make, master: Any, advisor: Any) -> None:
    account = open_account(master, alias="House")

    for alias in ("House", "", "a" * 81):
        with pytest.raises(InvalidInput) as refusal:
            maintenance.request_alias(account=account, alias=alias, intent=uuid.uuid4(), by=advisor)
        assert refusal.value.field == "alias"

    assert (MaintenanceRequest.objects.count(), Submission.objects.count()) == (0, 0)


def test_a_double_click_is_one_case(open_account: Make, master: Any, advisor: Any) -> None:
    account, intent = open_account(master), uuid.uuid4()

    cases = [maintenance.request_alias(account=account, alias="House", intent=intent, by=advisor) for _ in range(2)]

    assert cases[0].pk == cases[1].pk
    assert Submission.objects.count() == 1


def test_a_second_change_of_the_same_kind_waits_because_ibkr_would_replace_the_first(
    open_account: Make, master: Any, advisor: Any
) -> None:
    account = open_account(master)
    maintenance.request_alias(account=account, alias="House", intent=uuid.uuid4(), by=advisor)

    with pytest.raises(Conflict):
        maintenance.request_alias(account=account, alias="Garden", intent=uuid.uuid4(), by=advisor)


def test_an_account_that_is_not_open_cannot_be_changed(applying_account: Make, master: Any, advisor: Any) -> None:
    with pytest.raises(Conflict):
        maintenance.request_alias(account=applying_account(master), alias="House", intent=uuid.uuid4(), by=advisor)


def test_a_case_is_done_only_when_ibkr_shows_the_new_value(open_account: Make, master: Any, advisor: Any) -> None:
    account = open_account(master)
    case = maintenance.request_alias(account=account, alias="House", intent=uuid.uuid4(), by=advisor)
    maintenance.mark_taken(case, request_id="7")

    maintenance.record_look(case, shown={"alias": "old"}, word="ACCEPTED")
    still_open = MaintenanceRequest.objects.get()
    assert still_open.status == "at_ibkr"
    assert "ACCEPTED" in still_open.doubt
    maintenance.record_look(still_open, shown={"alias": "House"}, word="ACCEPTED")

    assert MaintenanceRequest.objects.get().status == "seen"
    assert Account.objects.get().alias == "House"


def test_a_reveal_writes_who_saw_what_before_it_shows(open_account: Make, master: Any, advisor: Any) -> None:
    client = open_account(master).client

    value = people.reveal(client=client, field="tax_number", reason="IBKR asked", by=advisor)

    entry = Entry.objects.get(action="clients.reveal")
    assert value == "12345678901"
    assert (entry.actor, entry.data["field"], entry.data["reason"]) == (advisor, "tax_number", "IBKR asked")
    assert "12345678901" not in str(entry.__dict__)


def test_the_portal_needs_a_username_and_a_right(open_account: Make, master: Any, advisor: Any, viewer: Any) -> None:
    with pytest.raises(NotPermitted):
        people.open_portal(account=open_account(master), address="127.0.0.1", page="", by=viewer)
    with pytest.raises(Conflict):
        people.open_portal(
            account=open_account(master, number="U1000014", username=""), address="127.0.0.1", page="", by=advisor
        )


def test_the_newest_submission_belongs_to_the_application(submitted: Make, master: Any) -> None:
    application = submitted(master)

    found = journal.current_for(application)

    assert found is not None
    assert found.subject == application


# ---- the key of a form in other hands


def test_the_form_key_of_another_person_finds_nothing_of_theirs(
    draft: Make, open_account: Make, master: Any, advisor: Any, other_advisor: Any, other_book: Any
) -> None:
    application = draft(master)
    account = open_account(master)
    foreign = open_account(master, number="U1000014")
    foreign.client.book = other_book
    foreign.client.save()
    case = maintenance.request_alias(account=account, alias="House", intent=uuid.uuid4(), by=advisor)

    with pytest.raises(Conflict):
        drafts.start_application(intent=application.intent, book=other_book, master=master, by=other_advisor)
    with pytest.raises(Conflict):
        maintenance.request_alias(account=foreign, alias="Boat", intent=case.intent, by=other_advisor)


def test_the_form_key_of_a_document_answers_its_own_task_and_person_only(
    open_account: Make, master: Any, advisor: Any, operations: Any
) -> None:
    task = paper_task(open_account(master))
    other = AccountTask.objects.create(
        account=task.account, form_number="8001", form_name="Proof of Identity", action="to send", since=clock.now(),
        as_of=clock.now(),
    )  # fmt: skip
    intent = uuid.uuid4()
    sent = give(task, advisor, intent=intent)

    for elsewhere, person in ((task, operations), (other, advisor)):
        with pytest.raises(Conflict):
            give(elsewhere, person, intent=intent)
    assert give(task, advisor, intent=intent).pk == sent.pk
