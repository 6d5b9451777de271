"""Applications, documents and changes at the sandbox: sent once, looked for when in doubt, followed to their end."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from backoffice.core import clock
from backoffice.ibkr.types.accounts import Tasks
from backoffice.journal import inquiries
from backoffice.journal import services as journal
from backoffice.journal.models import Finding, Inquiry, State, Submission
from backoffice.journal.outcomes import Absent, Found, Inconclusive
from clients import dispatch
from clients.models import Account, AccountTask, Application, Document, MaintenanceRequest, Stage
from clients.services import applications, documents, maintenance, people
from tests import papers

pytestmark = pytest.mark.django_db(transaction=True)
Make = Callable[..., Any]
LOST = {"phase": "applied_not_answered", "action": "reset"}
NOT_APPLIED = {"phase": "read_not_applied", "action": "reset"}


@pytest.fixture
def master(connected_master: Any) -> Any:
    """Everything here hangs under the connection that talks to the sandbox."""
    return connected_master


def promise(subject: Any) -> Submission:
    submission = journal.current_for(subject)
    assert submission is not None
    return submission


def writes(sandbox: Any) -> list[dict[str, Any]]:
    return [
        each
        for each in sandbox.requests()
        if each["method"] in {"POST", "PATCH"} and each["path"].endswith("/gw/api/v1/accounts")
    ]


# ---- applications


def test_an_application_is_sent_once_and_followed_until_it_is_open(submitted: Make, master: Any, sandbox: Any) -> None:
    application = submitted(master)
    submission = promise(application)

    for _ in range(3):
        dispatch.send_application(str(submission.pk))
    dispatch.poll_statuses()
    application = Application.objects.select_related("account").get()
    assert application.stage == Stage.CLIENT
    assert application.account is not None
    assert {task.is_online for task in AccountTask.objects.all()} == {True}
    for _ in range(4):
        sandbox.advance(61)
        dispatch.poll_statuses()

    application = Application.objects.select_related("account").get()
    assert (application.status, application.stage) == ("opened", Stage.OPEN)
    assert application.account.ibkr_status == "O"
    assert application.account.username.startswith("ilsev")
    assert application.account.holder_entity_id
    assert [effect["key"] for effect in sandbox.ledger("application")] == [application.external_id]


def test_a_refusal_stands_at_its_field_and_nothing_was_created(submitted: Make, master: Any, sandbox: Any) -> None:
    application = submitted(master, email="operations@alderrow.example.com")

    dispatch.send_application(str(promise(application).pk))

    back = Application.objects.get()
    assert back.status == "refused"
    assert back.refusals == [
        {"field": "email", "words": "Email of Account Holder must differ from the email of the master account."}
    ]
    assert promise(back).state == State.REJECTED
    assert Account.objects.count() == 0
    assert sandbox.ledger("application") == []


def test_a_lost_answer_is_looked_for_and_not_sent_again(submitted: Make, master: Any, sandbox: Any) -> None:
    application = submitted(master)
    submission = promise(application)
    sandbox.fault({"method": "POST", "path": "/gw/api/v1/accounts$", **LOST})

    dispatch.send_application(str(submission.pk))
    assert promise(application).state == State.UNKNOWN
    assert Application.objects.get().account is None
    dispatch.send_application(str(submission.pk))
    dispatch.look_for_application(str(submission.pk))

    assert promise(application).state == State.ACKED
    found = Application.objects.select_related("account").get()
    assert found.account is not None
    assert found.account.number == promise(application).reference
    assert len(sandbox.ledger("application")) == 1
    assert len(writes(sandbox)) == 1


def test_absence_is_proven_only_beside_something_known_to_be_there(
    submitted: Make, open_account: Make, master: Any, sandbox: Any
) -> None:
    submission = promise(submitted(master))
    sandbox.fault({"method": "POST", "path": "/gw/api/v1/accounts$", **NOT_APPLIED})
    dispatch.send_application(str(submission.pk))

    dispatch.look_for_application(str(submission.pk))
    assert submission.observations.get().finding == Finding.INCONCLUSIVE
    open_account(master)
    for _ in range(3):
        dispatch.look_for_application(str(submission.pk))

    assert Submission.objects.get(pk=submission.pk).state == State.ABSENT
    assert sandbox.ledger("application") == []
    assert len(writes(sandbox)) == 1


def test_a_queued_application_is_not_called_taken_before_ibkr_decides(
    submitted: Make, master: Any, sandbox: Any
) -> None:
    sandbox.config(create_answer="async")
    application = submitted(master)
    submission = promise(application)

    dispatch.send_application(str(submission.pk))
    assert promise(application).state == State.UNKNOWN
    dispatch.look_for_application(str(submission.pk))
    sandbox.config(create_answer="sync")

    assert promise(application).state == State.ACKED
    assert Application.objects.get().account is not None
    assert len(sandbox.ledger("application")) == 1


def test_an_unreachable_ibkr_sends_nothing_and_the_application_waits(
    submitted: Make, master: Any, sandbox: Any
) -> None:
    application = submitted(master)
    type(master).objects.filter(pk=master.pk).update(base_url="http://127.0.0.1:9")

    dispatch.send_application(str(promise(application).pk))

    assert promise(application).state == State.READY
    assert writes(sandbox) == []


def test_polling_twice_changes_nothing(applying_account: Make, master: Any) -> None:
    applying_account(master)

    dispatch.poll_statuses()
    before = list(AccountTask.objects.values("pk", "state", "since"))
    dispatch.poll_statuses()

    assert list(AccountTask.objects.values("pk", "state", "since")) == before
    assert Application.objects.get().stage == Stage.DOCUMENTS


def test_a_poll_without_ibkr_leaves_what_was_known(applying_account: Make, master: Any, sandbox: Any) -> None:
    applying_account(master)
    dispatch.poll_statuses()
    known = Application.objects.get()
    sandbox.fault(
        {
            "method": "GET",
            "path": "/accounts/status",
            "phase": "pre_read",
            "action": "status",
            "status": 503,
            "times": 9,
        }
    )

    dispatch.poll_statuses()

    assert Application.objects.get().polled_at == known.polled_at


# ---- documents


@pytest.fixture
def paper(applying_account: Make, master: Any, advisor: Any) -> Document:
    """A proof of address for U1000021, whose last one IBKR rejected."""
    account = applying_account(master)
    dispatch.poll_statuses()
    return documents.send_document(
        task=AccountTask.objects.get(account=account, form_number="8002"), content=papers.pdf(),
        original_name="bill.pdf", proof_type="Utility Bill", expires_on=None, intent=uuid.uuid4(), by=advisor,
    )  # fmt: skip


def test_a_document_is_handed_in_once_and_its_task_closed(paper: Document, sandbox: Any) -> None:
    submission = promise(paper)

    for _ in range(2):
        dispatch.send_document(str(submission.pk))
    assert Document.objects.get().status == "sent"
    assert Application.objects.get().stage == Stage.REVIEW
    sandbox.advance(31)
    dispatch.poll_statuses()

    assert Document.objects.get().status == "accepted"
    assert len(sandbox.ledger("document")) == 1


def test_a_document_whose_answer_is_lost_is_seen_at_its_task(paper: Document, sandbox: Any) -> None:
    submission = promise(paper)
    sandbox.fault({"method": "PATCH", "path": "/gw/api/v1/accounts$", **LOST})

    dispatch.send_document(str(submission.pk))
    assert promise(paper).state == State.UNKNOWN
    dispatch.look_for_document(str(submission.pk))

    assert promise(paper).state == State.ACKED
    assert Document.objects.get().status == "sent"
    assert len(sandbox.ledger("document")) == 1


def test_a_document_that_never_arrived_is_proven_absent_by_its_open_task(paper: Document, sandbox: Any) -> None:
    submission = promise(paper)
    sandbox.fault({"method": "PATCH", "path": "/gw/api/v1/accounts$", **NOT_APPLIED})

    dispatch.send_document(str(submission.pk))
    for _ in range(3):
        dispatch.look_for_document(str(submission.pk))

    assert promise(paper).state == State.ABSENT
    assert sandbox.ledger("document") == []


def test_a_document_says_whose_it_is(paper: Document, sandbox: Any) -> None:
    dispatch.send_document(str(promise(paper).pk))

    assert [effect["data"]["individual"] for effect in sandbox.ledger("document")] == [paper.task.external_id]
    assert paper.task.external_id == "demo-0021-AH"


@pytest.mark.parametrize(
    ("person", "verdict"),
    [("two", Found), ("one", Absent), ("three", Inconclusive), ("", Inconclusive)],
)
def test_a_document_of_one_holder_is_not_seen_at_the_task_of_another(person: str, verdict: type) -> None:
    listed = [
        {"formNumber": 8002, "externalId": "one", "action": "to send", "state": "To Be Sent"},
        {"formNumber": 8002, "externalId": "two", "action": "to check", "state": "Received- Being Processed"},
    ]
    tasks = Tasks.read({"kind": "registration", "tasks": listed})
    client = SimpleNamespace(accounts=SimpleNamespace(tasks=lambda *_: tasks))
    promised = {"account": "U1000021", "form": "8002", "person": person, "task_state": "To Be Sent"}

    assert isinstance(dispatch._look_for_document(client, promised), verdict)


def test_words_longer_than_we_keep_are_cut_and_compared_as_they_were_cut(applying_account: Make, master: Any) -> None:
    """A long reason is no new word of IBKR's: a file that never arrived must not be taken for one that did."""
    account = applying_account(master)
    row = {"formNumber": 8002, "formName": "F" * 200, "action": "to send", "state": f"Rejected .. {'x' * 400}"}
    tasks = Tasks.read({"kind": "registration", "tasks": [row]})
    client = SimpleNamespace(accounts=SimpleNamespace(tasks=lambda *_: tasks))

    applications.record_tasks(account, [dispatch._seen(task) for task in tasks.tasks], as_of=clock.now())

    kept = AccountTask.objects.get(account=account, form_number="8002")
    promised = {"account": account.number, "form": "8002", "task_state": kept.state}
    assert isinstance(dispatch._look_for_document(client, promised), Absent)


def test_a_document_ibkr_does_not_take_says_why(paper: Document, sandbox: Any) -> None:
    requests.post(f"{sandbox.url}/_sandbox/accounts/U1000021", json={"task": 8002, "complete": True}, timeout=5)

    dispatch.send_document(str(promise(paper).pk))

    refused = Document.objects.get()
    assert refused.status == "refused"
    assert "not an outstanding task" in refused.reason


# ---- maintenance


def test_an_alias_is_changed_once_and_seen_in_ibkrs_details(
    open_account: Make, master: Any, advisor: Any, sandbox: Any
) -> None:
    case = maintenance.request_alias(account=open_account(master), alias="House money", intent=uuid.uuid4(), by=advisor)

    for _ in range(2):
        dispatch.send_change(str(promise(case).pk))
    dispatch.sweep_changes()

    assert MaintenanceRequest.objects.get().status == "seen"
    assert Account.objects.get().alias == "House money"
    assert len(sandbox.ledger("patch")) == 1


def move(account: Account, by: Any, street: str = "Rosengasse 7") -> MaintenanceRequest:
    address = {"country": "DEU", "street1": street, "city": "Freiburg", "postal_code": "79098"}
    return maintenance.request_address(account=account, address=address, intent=uuid.uuid4(), by=by)


def test_an_address_stays_open_until_ibkr_shows_it(open_account: Make, master: Any, advisor: Any, sandbox: Any) -> None:
    case = move(open_account(master), advisor)

    dispatch.send_change(str(promise(case).pk))
    dispatch.sweep_changes()
    waiting = MaintenanceRequest.objects.get()
    assert (waiting.status, waiting.ibkr_word) == ("at_ibkr", "PENDING")
    assert waiting.doubt
    sandbox.advance(60)
    dispatch.sweep_changes()

    done = MaintenanceRequest.objects.select_related("account__client").get()
    assert (done.status, done.ibkr_word) == ("seen", "ACCEPTED")
    assert "Rosengasse 7" in done.account.client.residence


def test_an_address_ibkr_rejects_later_is_closed_with_its_words(
    open_account: Make, master: Any, advisor: Any, sandbox: Any
) -> None:
    case = move(open_account(master), advisor, street="Reject Street 1")
    dispatch.send_change(str(promise(case).pk))

    sandbox.advance(60)
    dispatch.sweep_changes()

    refused = MaintenanceRequest.objects.select_related("account__client").get()
    assert (refused.status, refused.words) == ("refused", "The new address could not be verified")
    assert "Ahornweg 17" in refused.account.client.residence


def test_a_change_whose_answer_is_lost_is_found_in_the_details(
    open_account: Make, master: Any, advisor: Any, sandbox: Any
) -> None:
    case = maintenance.request_alias(account=open_account(master), alias="House money", intent=uuid.uuid4(), by=advisor)
    sandbox.fault({"method": "PATCH", "path": "/gw/api/v1/accounts$", **LOST})

    dispatch.send_change(str(promise(case).pk))
    assert promise(case).state == State.UNKNOWN
    dispatch.look_for_change(str(promise(case).pk))

    assert promise(case).state == State.ACKED
    assert MaintenanceRequest.objects.get().status == "seen"
    assert len(sandbox.ledger("patch")) == 1


def test_an_address_in_doubt_is_not_called_absent_while_ibkr_may_review_it(
    open_account: Make, master: Any, advisor: Any, sandbox: Any
) -> None:
    case = move(open_account(master), advisor)
    sandbox.fault({"method": "PATCH", "path": "/gw/api/v1/accounts$", **LOST})

    dispatch.send_change(str(promise(case).pk))
    for _ in range(4):
        dispatch.look_for_change(str(promise(case).pk))
    assert promise(case).state == State.UNKNOWN
    sandbox.advance(60)
    dispatch.look_for_change(str(promise(case).pk))

    assert promise(case).state == State.ACKED
    assert MaintenanceRequest.objects.get().status == "seen"
    assert len(sandbox.ledger("patch")) == 1


# ---- the portal


def test_the_portal_link_is_given_once_and_then_forgotten(open_account: Make, master: Any, advisor: Any) -> None:
    inquiry = people.open_portal(account=open_account(master), address="127.0.0.1", page="", by=advisor)

    for _ in range(2):
        dispatch.answer_portal_link(str(inquiry.pk))
    _, link = people.take_portal_link(str(inquiry.pk), by=advisor)
    again, nothing = people.take_portal_link(str(inquiry.pk), by=advisor)

    assert requests.get(link, timeout=5).status_code == 200
    assert requests.get(link, timeout=5).status_code == 403
    assert (again, nothing, Inquiry.objects.count()) == (None, "", 0)


def test_a_portal_that_does_not_answer_says_so(open_account: Make, master: Any, advisor: Any) -> None:
    inquiry = people.open_portal(
        account=open_account(master, username="nobody99"), address="127.0.0.1", page="", by=advisor
    )

    dispatch.answer_portal_link(str(inquiry.pk))

    failed = Inquiry.objects.get()
    assert failed.state == "failed"
    assert failed.message.startswith("IBKR gave no link")
    assert inquiries.take(str(inquiry.pk)) is None


def test_the_clock_of_polling_is_slower_outside_the_sandbox(applying_account: Make, master: Any, sandbox: Any) -> None:
    applying_account(master)
    type(master).objects.filter(pk=master.pk).update(environment="production")
    Application.objects.update(polled_at=clock.now() - timedelta(minutes=1))

    dispatch.poll_statuses()

    assert sandbox.requests() == []


def test_an_account_the_listing_left_out_is_read_by_itself(applying_account: Make, master: Any) -> None:
    applying_account(master)  # made six days ago at IBKR, so the listing from yesterday does not hold it

    dispatch.poll_statuses()

    assert Application.objects.get().ibkr_state == "Documents Required"


def test_a_registered_account_is_read_at_once(submitted: Make, master: Any) -> None:
    application = submitted(master)
    dispatch.send_application(str(promise(application).pk))
    account = Account.objects.get()

    dispatch.poll_account(str(account.pk))

    assert Account.objects.get().ibkr_state == "Incomplete Application"
    applications.record_tasks(account, [], as_of=clock.now())
    assert AccountTask.objects.count() == 2
