"""Every member our requests can write has a name IBKR's specification 2.28 knows (an excerpt is in wire_names.json).

IBKR's server refuses unknown members of applications and ignores unknown members of orders: both cost an hour each.
"""

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from backoffice.ibkr import typed_members
from backoffice.ibkr.types.accounts import AdvisorWrapFees, AutomatedFee, NewAccount
from backoffice.ibkr.types.changes import (
    AddressChange,
    LegalEntityIdentification,
    NewEmail,
    UpdateUserAccessRights,
)
from backoffice.ibkr.types.documents import Document, DocumentSubmission
from backoffice.ibkr.types.funding import DepositNotice, Withdrawal, envelope
from backoffice.ibkr.types.holders import HolderDetails, PersonDetails, UserPerson
from backoffice.ibkr.types.people import Address, Identification, Phone
from tests.ibkr.applications_as_written import (
    DECEDENT,
    individual,
    isa,
    jisa,
    joint,
    organization,
    retirement,
    trust,
)
from tests.ibkr.changes_as_written import WRITTEN, paper
from tests.ibkr.test_accounts import ALIAS, FULL, MINIMAL, document

KNOWN: dict[str, dict[str, str]] = json.loads((Path(__file__).parent / "wire_names.json").read_text())
ACCESS = UpdateUserAccessRights(sub_accounts=("U0000001",), rep_id="repone1", action="ADD")


def licence(word: str) -> Document:
    return paper(8001, proof_of_identity_type=word, valid_address=True, expiration_date=date(2031, 5, 1))


def unknown_members(schema: str, value: Any, at: str = "") -> list[str]:
    if not isinstance(value, dict) or schema not in KNOWN:
        return []
    found = [f"{at}{schema}.{name}" for name in value if name not in KNOWN[schema]]
    for name, member in value.items():
        for item in member if isinstance(member, list) else [member]:
            found += unknown_members(KNOWN[schema].get(name, ""), item, f"{at}{schema}.")
    return found


def test_applications_use_known_members_only() -> None:
    identified = FULL.model_copy(
        update={"identification": Identification(passport="X1", issuing_country="DEU", expire=False)}
    )

    by_type = (individual(), joint(), organization(), trust(), retirement("TH", {"decedent": DECEDENT}), isa(), jisa())
    for application in (MINIMAL, FULL, identified, *by_type):
        assert unknown_members("ApplicationPayload", application.wire_members()) == []


def test_changes_and_documents_use_known_members_only() -> None:
    change = AddressChange(
        account_id="U1000011",
        entity_id="55",
        residence_address=Address(country="DEU", street1="Weg 1"),
        mailing_address=Address(country="DEU", street1="Postweg 1"),
        phones=(Phone(number="123456", country="DEU", verified=True),),
        documents=DocumentSubmission(account_id="U1000011", documents=(document(),)),
    )

    assert unknown_members("UpdateAccountAlias", ALIAS.wire_members()) == []
    assert unknown_members("ChangeAccountHolderDetail", change.wire_members()) == []


@pytest.mark.parametrize("key", sorted(WRITTEN))
def test_each_operation_uses_known_members_only(key: str) -> None:
    operation, _ = WRITTEN[key]

    assert unknown_members("AccountManagementRequests", {key: operation.wire_value(listed=False)}) == []


@pytest.mark.parametrize(
    ("model", "schema"),
    [
        (HolderDetails, "AssociatedIndividual"),
        (UserPerson, "UserDetails"),
        (PersonDetails, "Individual"),
        (LegalEntityIdentification, "LegalEntityIdentification"),
    ],
)
def test_nothing_ibkr_can_be_told_about_somebody_is_forgotten(model: Any, schema: str) -> None:
    assert {field.alias for field in model.model_fields.values()} == set(KNOWN[schema])


def test_every_object_and_member_of_an_application_is_typed_or_left_out_for_a_reason() -> None:
    assert typed_members.untyped(KNOWN) == frozenset()
    assert typed_members.unreasoned(KNOWN) == ()


@pytest.mark.parametrize("schema", sorted(typed_members.PARTS))
def test_a_type_of_an_application_writes_no_name_that_ibkr_does_not_know(schema: str) -> None:
    """Documents are excepted, whose file is written in two places, and trustees, who refuse their base's further members."""
    of_bases = {
        "TrusteeIndividual": {"titles", "ownershipPercentage", "authorizedPerson", "referenceUsername"},
        "Document": {"file"},
        "AttachedFileType": set(KNOWN["FilePayload"]),
        "FilePayload": set(KNOWN["AttachedFileType"]),
    }

    assert typed_members.typed(schema) - of_bases.get(schema, set()) <= set(KNOWN[schema])


def test_a_cap_of_fees_is_sent_in_ibkrs_form_and_never_left_out() -> None:
    fee = AutomatedFee(type="PERCENTOFNLV_CAP", max_fee="250.50", percent_of_nlv_cap="0.250")

    assert fee.wire_members() == {"type": "PERCENTOFNLV_CAP", "maxFee": Decimal("250.50"), "percentOfNLVCap": "0.250"}
    for wrong in ({"max_fee": "a quarter"}, {"percent_of_nlv_cap": "much"}, {"type": "PERCENTOFNLVCAP"}):
        with pytest.raises(ValidationError):
            AutomatedFee.model_validate({"type": "PERCENTOFNLV_CAP"} | wrong)


def test_an_account_has_one_of_ibkrs_base_currencies() -> None:
    with pytest.raises(ValidationError):
        NewAccount(external_id="demo-1", base_currency="BRL")


def test_instructions_use_known_members_only() -> None:
    notice = DepositNotice(
        account_id="U1000011", currency="USD", amount="1", bank_instruction_method="ACH", bank_instruction_name="Main bank",
        sending_institution="Bank", identifier="1", special_instruction="x", sender_institution_name="Bank",
    )  # fmt: skip
    withdrawal = Withdrawal(
        account_id="U1000011",
        currency="USD",
        amount="1",
        bank_instruction_name="Main bank",
        bank_instruction_method="ACH",
    )

    assert unknown_members("DepositFundsInstruction", notice.wire_members()) == []
    assert unknown_members("WithdrawFundsInstruction", withdrawal.wire_members()) == []


@pytest.mark.parametrize(
    ("written", "name", "value", "documents"),
    [
        (NewEmail(email="ada@example.com").wire_members(), "access", True, "hasAccess"),
        (Phone(number="123456", country="DEU", verified=True).wire_members(), "verified", True, "isVerified"),
        (licence("Driver License").wire_members(), "validAddress", True, "isValidAddress"),
        (licence("Driver License").wire_members(), "proofOfIdentityType", "Driver License", "Drivers License"),
        (AdvisorWrapFees().wire_members(), "strategy", "NO_FEE", "NO_FEES"),
        (ACCESS.wire_value(listed=False), "subAccounts", ["U0000001"], "accountId"),
        (envelope("DEPOSIT", 7, {}), "instructionType", "DEPOSIT", "intructionType"),
    ],
)
def test_where_documents_and_specification_disagree_the_specifications_word_is_written(
    written: dict[str, Any], name: str, value: object, documents: str
) -> None:
    assert written[name] == value
    assert documents not in written
    assert documents not in written.values()


@pytest.mark.parametrize(
    "make",
    [
        lambda: licence("Drivers License"),
        lambda: AdvisorWrapFees.model_validate({"strategy": "NO_FEES"}),
        lambda: NewEmail.model_validate({"email": "ada@example.com", "hasAccess": True}),
        lambda: Phone.model_validate({"number": "123456", "country": "DEU", "isVerified": True}),
    ],
)
def test_the_documents_word_cannot_be_written(make: Callable[[], object]) -> None:
    with pytest.raises(ValidationError):
        make()


def test_the_check_sees_an_unknown_member() -> None:
    wrong = {"application": {"customer": {"accountHolder": {"accountHolderDetails": [{"residence": {}}]}}}}

    assert unknown_members("ApplicationPayload", wrong) == [
        "ApplicationPayload.Application.Customer.IndividualApplicant.AssociatedIndividual.residence"
    ]
