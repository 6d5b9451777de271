from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from backoffice.ibkr import AuthFailed, OutcomeUnknown, Rejected, Timeouts
from backoffice.ibkr.types.accounts import (
    AdvisorWrapFees,
    AutomatedFee,
    BlendedPercentage,
    HybridIndividualApplication,
    NewAccount,
)
from backoffice.ibkr.types.changes import AddressChange, AliasChange
from backoffice.ibkr.types.documents import Document, DocumentFile, DocumentSubmission
from backoffice.ibkr.types.people import Address, PersonName, Phone, TaxResidency
from tests.contract.conftest import Connected

APPLICATION = HybridIndividualApplication(
    external_id="contract-1001",
    prefix="carla",
    name=PersonName(first="Carla", last="Contract"),
    email="carla.contract@example.com",
    residence_address=Address(country="DEU"),
    accounts=(NewAccount(external_id="contract-1001-AC", base_currency="EUR", advisor_wrap_fees=AdvisorWrapFees()),),
)
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
)


def test_a_minimal_hybrid_application_makes_an_account(connected: Connected) -> None:
    accepted = connected.client.accounts.create(APPLICATION)

    assert accepted.account_id is not None
    assert accepted.account_id.startswith("U")
    assert accepted.request_id
    assert accepted.submitted_at is not None
    assert accepted.external_id == "contract-1001"
    assert accepted.users[0].username is not None
    assert accepted.users[0].username.startswith("carla")
    assert len(connected.ledger("application", "contract-1001")) == 1

    status = connected.client.accounts.status(accepted.account_id)
    assert status.status in ("N", "P")
    assert status.master_account_id == "F1000001"


def test_automatic_fees_are_taken_in_the_forms_that_ibkr_wants(connected: Connected) -> None:
    fees = AdvisorWrapFees(
        strategy="AUTOMATED",
        automated_fees_details=(
            AutomatedFee(type="PERCENTOFNLV_CAP_Q", max_fee="250.50", post_frequency="4", percent_of_nlv_cap_q="0.25"),
            AutomatedFee(
                type="BLENDEDPERCENTOFEQUITY_QUARTERLY",
                annual_blended_percentages=(
                    BlendedPercentage(blended_from=0, blended_to=1_000_000, percentage="1.25"),
                    BlendedPercentage(blended_from=1_000_000, percentage="0.8"),
                ),
            ),
        ),
    )
    account = NewAccount(external_id="contract-1001-AC", base_currency="EUR", advisor_wrap_fees=fees)

    accepted = connected.client.accounts.create(APPLICATION.model_copy(update={"accounts": (account,)}))

    assert accepted.account_id is not None


def test_a_fully_described_application_is_taken_too(connected: Connected) -> None:
    full = APPLICATION.model_copy(
        update={
            "name": PersonName(first="Carla", middle="Maria", last="Contract", salutation="Ms."),
            "residence_address": Address(
                country="DEU", street1="Weg 1", city="Köln", state="DE-NW", postal_code="50667"
            ),
            "same_mail_address": True,
            "date_of_birth": date(1980, 2, 29),
            "country_of_birth": "DEU",
            "marital_status": "S",
            "num_dependents": 0,
            "phones": (Phone(number="+491701234567", country="DEU"),),
            "tax_residencies": (TaxResidency(country="DEU", tin="12345678901", tin_type="NonUS_NationalId"),),
            "employment_type": "RETIRED",
        }
    )

    accepted = connected.client.accounts.create(full)

    details = connected.client.accounts.details(str(accepted.account_id))
    assert details.base_currency == "EUR"
    assert [(person.first_name, person.last_name) for person in details.persons] == [("Carla", "Contract")]
    assert details.persons[0].residence is not None
    assert details.persons[0].residence.city == "Köln"


def test_a_refused_application_says_why_and_made_nothing(connected: Connected) -> None:
    wrong = APPLICATION.model_copy(
        update={"accounts": (NewAccount(external_id="contract-1001-AC", base_currency="EUR"),)}  # without fees
    )

    with pytest.raises(Rejected) as caught:
        connected.client.accounts.create(wrong)

    assert caught.value.status == 200
    assert caught.value.reasons
    assert connected.ledger("application", "contract-1001") == []


def test_an_application_that_is_only_queued_is_followed_to_its_account(connected: Connected) -> None:
    connected.sandbox.config(create_answer="async")

    accepted = connected.client.accounts.create(APPLICATION)

    assert not accepted.is_processed
    assert accepted.account_id is None
    request = connected.client.requests.status(str(accepted.request_id), "response")
    assert request is not None
    assert request.status == "Success"
    found = connected.client.accounts.by_external_id("contract-1001")
    assert found is not None
    assert found.account_id is not None


def test_a_queued_application_that_is_refused_says_why_later(connected: Connected) -> None:
    connected.sandbox.config(create_answer="async")
    wrong = APPLICATION.model_copy(
        update={"accounts": (NewAccount(external_id="contract-1001-AC", base_currency="EUR"),)}  # without fees
    )

    accepted = connected.client.accounts.create(wrong)

    request = connected.client.requests.status(str(accepted.request_id), "response")
    assert request is not None
    assert request.status == "Error"
    assert request.errors
    assert connected.ledger("application", "contract-1001") == []


def test_the_same_application_again_is_evidence_that_it_is_there(connected: Connected) -> None:
    connected.client.accounts.create(APPLICATION)

    with pytest.raises(OutcomeUnknown, match="already knows"):
        connected.client.accounts.create(APPLICATION)

    assert len(connected.ledger("application", "contract-1001")) == 1


def test_an_application_whose_answer_was_lost_is_found_by_its_external_id(connected: Connected) -> None:
    connected.sandbox.fault(
        {"method": "POST", "path": "/gw/api/v1/accounts$", "phase": "applied_not_answered", "action": "reset"}
    )

    with pytest.raises(OutcomeUnknown):
        connected.client.accounts.create(APPLICATION)

    found = connected.client.accounts.by_external_id("contract-1001")
    assert found is not None
    assert found.account_id is not None
    assert found.is_success is True
    assert connected.sent("POST", "/accounts") == 1
    assert len(connected.ledger("application", "contract-1001")) == 1


def test_an_application_that_never_arrived_is_not_known(connected: Connected) -> None:
    connected.sandbox.fault({"method": "POST", "path": "/gw/api/v1/accounts$", "phase": "pre_read", "action": "reset"})

    with pytest.raises(OutcomeUnknown):
        connected.client.accounts.create(APPLICATION)

    assert connected.client.accounts.by_external_id("contract-1001") is None
    assert connected.ledger("application", "contract-1001") == []


@pytest.mark.parametrize(
    "fault",
    [
        {"phase": "applied_not_answered", "action": "hang", "seconds": 4},
        {"phase": "applied_not_answered", "action": "status", "status": 503},
        {"phase": "applied_not_answered", "action": "garbage"},
        {"phase": "applied_not_answered", "action": "empty"},
        {"phase": "mid_body", "action": "reset"},
        {"phase": "read_not_applied", "action": "reset"},
        {"phase": "read_not_applied", "action": "status", "status": 500},
    ],
    ids=lambda fault: f"{fault['phase']}-{fault['action']}",
)
def test_every_broken_line_of_an_application_is_unknown_and_sent_once(
    connect: Callable[..., Connected], fault: dict[str, Any]
) -> None:
    connected = connect(timeouts=replace(Timeouts(), registration=2))
    connected.sandbox.fault({"method": "POST", "path": "/gw/api/v1/accounts$", **fault})

    with pytest.raises(OutcomeUnknown):
        connected.client.accounts.create(APPLICATION)

    assert connected.sent("POST", "/accounts") == 1
    connected.sandbox.clear_faults()
    applied = 0 if fault["phase"] == "read_not_applied" else 1
    assert len(connected.ledger("application", "contract-1001")) == applied
    assert (connected.client.accounts.by_external_id("contract-1001") is not None) is bool(applied)


def test_status_of_all_accounts_is_read_in_bulk(connected: Connected) -> None:
    statuses = connected.client.accounts.statuses(date(2020, 1, 1), date(2026, 12, 31))

    listed = {status.account_id: status.status for status in statuses}
    everyone = connected.sandbox.world()["accounts"]
    world = {each["account"]: each["status"] for each in everyone if each["master"] == "F1000001"}
    assert listed == world
    only_open = connected.client.accounts.statuses(date(2020, 1, 1), date(2026, 12, 31), status="O")
    assert {status.account_id for status in only_open} == {
        account for account, letter in world.items() if letter == "O"
    }


def test_tasks_say_what_is_missing_and_what_was_refused(connected: Connected) -> None:
    registration = connected.client.accounts.tasks("U1000021")
    pending = connected.client.accounts.tasks("U1000021", "pending")

    refused = [task for task in registration.tasks if task.is_rejected]
    assert [task.form_number for task in refused] == ["8002"]
    assert refused[0].reject_reason
    assert registration.state == "Documents Required"
    assert pending.tasks
    assert all(task.is_required_for_approval for task in pending.tasks)


def test_a_document_moves_its_task_on(connected: Connected) -> None:
    world = {account["account"]: account for account in connected.sandbox.world()["accounts"]}
    person = world["U1000021"]["person"]
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    document = Document(
        form_number=8002,
        file=DocumentFile.from_bytes("utility.png", PNG),
        signed_by=(f"{person['first']} {person['last']}",),
        exec_timestamp=now,
        exec_login_timestamp=now,
        proof_of_address_type="Utility Bill",
    )

    accepted = connected.client.accounts.submit_documents(
        DocumentSubmission(account_id="U1000021", documents=(document,))
    )

    assert accepted.is_processed
    task = next(task for task in connected.client.accounts.tasks("U1000021").tasks if task.form_number == "8002")
    assert not task.is_rejected
    assert "Being Processed" in task.state


def test_a_document_with_a_wrong_signature_is_refused(connected: Connected) -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    document = Document(
        form_number=8002,
        file=DocumentFile.from_bytes("utility.png", PNG),
        signed_by=("Somebody Else",),
        exec_timestamp=now,
        exec_login_timestamp=now,
        proof_of_address_type="Utility Bill",
    )

    with pytest.raises(Rejected) as caught:
        connected.client.accounts.submit_documents(DocumentSubmission(account_id="U1000021", documents=(document,)))

    assert "ignature" in caught.value.reason


def test_a_new_alias_is_seen_in_the_details(connected: Connected) -> None:
    accepted = connected.client.accounts.change(AliasChange(account_id="U1000011", account_alias="Family account"))

    assert accepted.request_id is not None
    assert connected.client.accounts.details("U1000011").alias == "Family account"
    request = connected.client.requests.status(accepted.request_id)
    assert request is not None
    assert request.status


def test_a_change_of_an_account_that_is_not_ours_is_refused(connected: Connected) -> None:
    with pytest.raises((Rejected, AuthFailed)):
        connected.client.accounts.change(AliasChange(account_id="U9999999", account_alias="x"))


def test_a_new_address_is_seen_once_it_has_been_processed(connected: Connected) -> None:
    before = connected.client.accounts.details("U1000012")
    holder = before.persons[0]
    assert holder.entity_id is not None
    change = AddressChange(
        account_id="U1000012",
        entity_id=holder.entity_id,
        residence_address=Address(
            country=holder.residence.country if holder.residence else "DEU",
            street1="New Street 5",
            city="Newtown",
            state=holder.residence.state or None if holder.residence else None,
            postal_code="12345",
        ),
        same_mail_address=True,
    )

    accepted = connected.client.accounts.change(change)

    assert accepted.request_id is not None
    connected.sandbox.advance(3 * 24 * 3600)
    after = connected.client.accounts.details("U1000012").persons[0]
    assert after.residence is not None
    assert (after.residence.street1, after.residence.city) == ("New Street 5", "Newtown")
    request = connected.client.requests.status(accepted.request_id)
    assert request is not None


def test_a_read_survives_a_short_outage(connected: Connected) -> None:
    connected.sandbox.fault(
        {
            "method": "GET",
            "path": "/accounts/U1000011/status",
            "phase": "answered",
            "action": "status",
            "status": 503,
            "times": 2,
        }
    )

    assert connected.client.accounts.status("U1000011").state == "Open"

    assert connected.sent("GET", "/status") == 3


def test_a_token_without_the_scope_is_told_apart_from_a_refusal(connect: Callable[..., Connected]) -> None:
    connected = connect(scopes=["accounts.read"])

    with pytest.raises(AuthFailed) as caught:
        connected.client.accounts.create(APPLICATION)

    assert caught.value.status == 403
    assert connected.ledger("application", "contract-1001") == []
