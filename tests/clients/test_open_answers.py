"""What IBKR leaves open about registration, each answer played by the sandbox: nothing is made twice, nothing is claimed."""

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import override_settings

from backoffice.core import clock
from backoffice.journal import services as journal
from backoffice.journal.models import Attempt, Finding, Inquiry, State, Submission
from clients import dispatch
from clients.models import Account, AccountTask, Application, Document, MaintenanceRequest
from clients.selectors.people import chip_of
from clients.services import applications, documents, drafts, maintenance, people
from tests import papers

pytestmark = pytest.mark.django_db(transaction=True)
Make = Callable[..., Any]
LOST = {"method": "POST", "path": "/gw/api/v1/accounts$", "phase": "applied_not_answered", "action": "reset"}
MASTER_EMAIL = "operations@alderrow.example.com"
ALIAS = "House money"


@pytest.fixture
def master(connected_master: Any) -> Any:
    return connected_master


def promise(subject: Any) -> Submission:
    submission = journal.current_for(subject)
    assert submission is not None
    return submission


def send(application: Application) -> Submission:
    dispatch.send_application(str(promise(application).pk))
    return promise(application)


def look(application: Application, times: int = 1) -> Submission:
    for _ in range(times):
        dispatch.look_for_application(str(promise(application).pk))
    return promise(application)


def mend_and_submit(advisor: Any) -> Application:
    back = Application.objects.get()
    drafts.save_draft(application=back, values={"email": "ilse.vandermolen@example.org"}, by=advisor)
    back.refresh_from_db()
    sealed = applications.sealed_request(back)
    return applications.submit_application(application=back, sha256=sealed.sha256, by=advisor)


# ---- a failed application and its external id


@pytest.mark.parametrize("is_burnt", [False, True])
def test_a_mended_application_opens_one_account_whether_or_not_its_first_key_is_burnt(
    submitted: Make, master: Any, advisor: Any, sandbox: Any, is_burnt: bool
) -> None:
    sandbox.config(failed_application_burns_id=is_burnt, failed_application_found=is_burnt)
    refused = submitted(master, email=MASTER_EMAIL)
    first = refused.external_id
    assert send(refused).state == State.REJECTED

    mended = mend_and_submit(advisor)

    assert send(mended).state == State.ACKED
    assert mended.external_id != first
    assert [effect["key"] for effect in sandbox.ledger("application")] == [mended.external_id]


def test_a_refusal_whose_answer_was_lost_is_found_where_ibkr_shows_it(
    submitted: Make, master: Any, sandbox: Any
) -> None:
    sandbox.config(failed_application_burns_id=True, failed_application_found=True)
    application = submitted(master, email=MASTER_EMAIL)
    sandbox.fault(LOST)
    assert send(application).state == State.UNKNOWN

    assert look(application).state == State.REJECTED
    back = Application.objects.get()
    assert (back.status, back.refusals[0]["field"]) == ("refused", "email")
    assert sandbox.ledger("application") == []


def test_a_key_that_ibkr_says_it_knows_is_never_called_absent(
    submitted: Make, open_account: Make, master: Any, sandbox: Any, operations: Any, principal: Any
) -> None:
    """The refusal was lost and burnt the key, and the look-up hides it: IBKR contradicts itself, so a person decides."""
    sandbox.config(failed_application_burns_id=True, registration_route="full")  # so that ours lacks what it needs
    application = submitted(master)
    open_account(master)
    sandbox.fault(LOST)
    send(application)
    sandbox.config(registration_route=None)
    assert look(application, 3).state == State.ABSENT
    for person in (operations, principal):
        journal.release(promise(application), by=person, evidence="IBKR's desk sees nothing")
    assert send(application).state == State.UNKNOWN

    found = look(application, 4)

    assert found.state == State.UNKNOWN
    assert "Already Processed" in found.reason
    assert found.observations.filter(finding=Finding.CLEAN).count() == 7
    assert sandbox.ledger("application") == []


# ---- an answer that comes later


@pytest.mark.parametrize("types", ["any", "by_kind"])
def test_a_queued_application_that_is_refused_comes_back_with_ibkrs_words(
    submitted: Make, open_account: Make, master: Any, sandbox: Any, types: str
) -> None:
    sandbox.config(create_answer="async", request_status_types=types)
    open_account(master)
    application = submitted(master, email=MASTER_EMAIL)
    assert send(application).state == State.UNKNOWN

    assert look(application).state == State.REJECTED

    back = Application.objects.get()
    assert (back.status, back.refusals[0]["field"]) == ("refused", "email")
    assert sandbox.ledger("application") == []


def test_the_members_of_an_answer_are_read_by_either_name_and_no_password_is_kept(
    submitted: Make, master: Any, sandbox: Any
) -> None:
    sandbox.config(answer_members="documented")

    assert send(submitted(master)).state == State.ACKED

    account = Account.objects.get()
    assert account.username.startswith("ilsev")
    assert account.holder_entity_id
    said = Attempt.objects.get().answer["raw"]["fileData"]["data"]["application"]["users"][0]
    assert (said["user"], said["password"]) == (account.username, "[hidden]")


def test_an_error_of_a_part_does_not_unmake_the_account(submitted: Make, master: Any, sandbox: Any) -> None:
    """Called refused, it would be mended and sent under a new key: a second account."""
    documents = [{"formNumber": 8001, "status": "Error", "error": [{"value": "I/O error file processing"}]}]
    application = {"status": "Success", "accounts": [{"value": "U1234567"}], "documents": documents}
    body = {"requestId": 1, "fileData": {"name": "1.json.report", "data": {"application": application}}}
    sandbox.fault({**LOST, "phase": "answered", "action": "status", "status": 200, "body": json.dumps(body)})
    mine = submitted(master)
    assert send(mine).state == State.UNKNOWN

    assert look(mine).state == State.ACKED

    assert Application.objects.get().external_id == mine.external_id
    assert [effect["broker_id"] for effect in sandbox.ledger("application")] == [Account.objects.get().number]


def test_letters_that_ibkr_does_not_take_are_named_at_their_fields(
    submitted: Make, master: Any, advisor: Any, sandbox: Any, client: Any
) -> None:
    sandbox.config(ascii_after_decoding=True)
    application = submitted(master, street1="Königinnelaan 40", alias="Käte")

    assert send(application).state == State.REJECTED

    back = Application.objects.get()
    assert {each["field"] for each in back.refusals} == {"street1", "alias"}
    assert {each["words"] for each in back.refusals} == {"Contains non ASCII character."}
    client.force_login(advisor)
    assert len(client.get(back.get_absolute_url()).context["refusals"]) == 1
    assert sandbox.ledger("application") == []


@pytest.mark.parametrize("knobs", [{"nulls_refused": "everywhere"}, {"signed_body_lifetime_seconds": 60}])
def test_strict_readings_of_signed_bodies_take_our_application(
    submitted: Make, master: Any, sandbox: Any, knobs: dict[str, Any]
) -> None:
    sandbox.config(**knobs)

    assert send(submitted(master)).state == State.ACKED


# ---- a letter of status that nobody has described


def test_an_unknown_letter_under_review_leaves_the_application_under_way(
    submitted: Make, master: Any, sandbox: Any
) -> None:
    send(submitted(master))
    sandbox.config(status_letters={"N": "W", "P": "W", "O": "W"})
    for _ in range(4):
        sandbox.advance(61)
        dispatch.poll_statuses()

    application = Application.objects.select_related("account").get()
    assert (application.status, application.ibkr_status) == ("submitted", "W")
    assert application.account is not None
    assert not application.account.is_open
    sandbox.config(status_letters=None)
    dispatch.poll_statuses()

    assert Application.objects.get().status == "opened"


def test_an_unknown_letter_is_not_shown_as_open_whatever_the_state_says(open_account: Make, master: Any) -> None:
    account = open_account(master)
    account.ibkr_status = "F"

    assert account.ibkr_state == "Open"
    assert chip_of(account) == ("neutral", "help-hexagon", "Status F, not known to us")


# ---- changes


@pytest.mark.parametrize(
    ("words", "status", "word"),
    [
        ({}, "refused", ""),
        ({"REJECTED": "Rejected"}, "refused", ""),
        ({"REJECTED": "Declined"}, "at_ibkr", "Declined"),
        ({"REJECTED": "REMOVED"}, "replaced", ""),
    ],
)
def test_a_new_word_for_a_request_closes_nothing(
    open_account: Make, master: Any, advisor: Any, sandbox: Any, words: dict[str, str], status: str, word: str
) -> None:
    sandbox.config(request_words=words)
    address = {"country": "DEU", "street1": "Reject Street 1", "city": "Freiburg", "postal_code": "79098"}
    case = maintenance.request_address(account=open_account(master), address=address, intent=uuid.uuid4(), by=advisor)
    dispatch.send_change(str(promise(case).pk))

    sandbox.advance(60)
    dispatch.sweep_changes()

    found = MaintenanceRequest.objects.select_related("account__client").get()
    assert (found.status, found.ibkr_word) == (status, word)
    assert "Ahornweg 17" in found.account.client.residence
    if word:
        assert found.doubt == "IBKR says Declined, but its details still show the old value. The case stays open."


def test_another_word_for_accepted_is_believed_once_the_details_show_it(
    open_account: Make, master: Any, advisor: Any, sandbox: Any
) -> None:
    sandbox.config(request_words={"PENDING": "In Process", "ACCEPTED": "Completed"}, request_status_types="by_kind")
    address = {"country": "DEU", "street1": "Rosengasse 7", "city": "Freiburg", "postal_code": "79098"}
    case = maintenance.request_address(account=open_account(master), address=address, intent=uuid.uuid4(), by=advisor)
    dispatch.send_change(str(promise(case).pk))
    dispatch.sweep_changes()
    assert MaintenanceRequest.objects.get().status == "at_ibkr"

    sandbox.advance(60)
    dispatch.sweep_changes()

    done = MaintenanceRequest.objects.get()
    assert (done.status, done.ibkr_word) == ("seen", "Completed")


def test_an_alias_that_details_show_tomorrow_is_neither_absent_nor_done_today(
    open_account: Make, master: Any, advisor: Any, sandbox: Any
) -> None:
    sandbox.config(details_as_of="last_evening")
    case = maintenance.request_alias(account=open_account(master), alias=ALIAS, intent=uuid.uuid4(), by=advisor)
    sandbox.fault({**LOST, "method": "PATCH"})
    dispatch.send_change(str(promise(case).pk))
    for _ in range(4):
        dispatch.look_for_change(str(promise(case).pk))
    assert promise(case).state == State.UNKNOWN
    assert set(promise(case).observations.values_list("finding", flat=True)) == {Finding.INCONCLUSIVE}

    sandbox.advance(86_400)
    dispatch.look_for_change(str(promise(case).pk))

    assert promise(case).state == State.ACKED
    assert MaintenanceRequest.objects.get().status == "seen"
    assert len(sandbox.ledger("patch")) == 1


def test_an_alias_that_never_came_is_absent_once_details_must_show_it(
    open_account: Make, master: Any, advisor: Any, sandbox: Any
) -> None:
    case = maintenance.request_alias(account=open_account(master), alias=ALIAS, intent=uuid.uuid4(), by=advisor)
    sandbox.fault({**LOST, "method": "PATCH", "phase": "read_not_applied"})
    dispatch.send_change(str(promise(case).pk))
    dispatch.look_for_change(str(promise(case).pk))
    assert promise(case).observations.get().finding == Finding.INCONCLUSIVE

    Submission.objects.update(unknown_since=clock.now() - dispatch.DETAILS_ARE_LATER - timedelta(hours=1))
    for _ in range(3):
        dispatch.look_for_change(str(promise(case).pk))

    assert promise(case).state == State.ABSENT
    assert sandbox.ledger("patch") == []


@pytest.mark.parametrize("least", ["sample", "table"])
def test_our_application_holds_what_the_table_stars(submitted: Make, master: Any, sandbox: Any, least: str) -> None:
    sandbox.config(hybrid_minimum=least)

    assert send(submitted(master)).state == State.ACKED


@pytest.mark.parametrize(
    ("form", "listed", "state"),
    [
        ("both", frozenset(), State.ACKED),
        ("object", frozenset(), State.ACKED),
        ("array", frozenset(), State.REJECTED),
        ("array", frozenset({"updateAccountAlias"}), State.ACKED),
        ("object", frozenset({"updateAccountAlias"}), State.REJECTED),
    ],
)
def test_a_change_goes_in_the_form_that_the_setting_says(
    open_account: Make, master: Any, advisor: Any, sandbox: Any, form: str, listed: frozenset[str], state: str
) -> None:
    sandbox.config(patch_forms=form)
    case = maintenance.request_alias(account=open_account(master), alias=ALIAS, intent=uuid.uuid4(), by=advisor)

    with override_settings(IBKR_LISTED_OPERATIONS=listed):
        dispatch.send_change(str(promise(case).pk))

    assert promise(case).state == state
    assert len(sandbox.ledger("patch")) == int(state == State.ACKED)
    if state == State.REJECTED:
        assert MaintenanceRequest.objects.get().words.startswith("Unsupported value. Property:'updateAccountAlias'")


@pytest.mark.parametrize(
    ("knobs", "listed", "status"),
    [
        ({"exec_timestamps": "digits"}, frozenset(), "sent"),
        ({"exec_timestamps": "milliseconds"}, frozenset(), "refused"),
        ({"patch_forms": "array"}, frozenset({"documentSubmission"}), "sent"),
    ],
)
def test_a_paper_is_handed_in_or_comes_back_with_ibkrs_words(
    applying_account: Make, master: Any, advisor: Any, sandbox: Any, knobs: dict[str, Any], listed: frozenset[str],
    status: str,
) -> None:  # fmt: skip
    account = applying_account(master)
    dispatch.poll_statuses()
    paper = documents.send_document(
        task=AccountTask.objects.get(account=account, form_number="8002"), content=papers.pdf(),
        original_name="bill.pdf", proof_type="Utility Bill", expires_on=None, intent=uuid.uuid4(), by=advisor,
    )  # fmt: skip
    sandbox.config(**knobs)

    with override_settings(IBKR_LISTED_OPERATIONS=listed):
        dispatch.send_document(str(promise(paper).pk))

    assert Document.objects.get().status == status
    assert len(sandbox.ledger("document")) == int(status == "sent")


# ---- the portal


@pytest.mark.parametrize(("is_taken", "state"), [(True, "answered"), (False, "failed")])
def test_an_ipv6_address_gets_its_link_or_is_told_to_come_by_ipv4(
    open_account: Make, master: Any, advisor: Any, sandbox: Any, is_taken: bool, state: str
) -> None:
    sandbox.config(ipv6_taken=is_taken)
    inquiry = people.open_portal(account=open_account(master), address="2001:db8::7", page="", by=advisor)

    dispatch.answer_portal_link(str(inquiry.pk))

    asked = Inquiry.objects.get()
    assert asked.state == state
    assert is_taken or asked.message.startswith("IBKR takes no IPv6 address for a link into its portal")
