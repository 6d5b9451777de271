"""Every member our requests can write has a name IBKR's specification 2.28 knows (an excerpt is in wire_names.json).

IBKR's server refuses unknown members of applications and ignores unknown members of orders: both cost an hour each.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from backoffice.ibkr.types.changes import (
    AddressChange,
    LegalEntity,
    LegalEntityIdentification,
    OrganizationIdentification,
    TrustIdentification,
)
from backoffice.ibkr.types.documents import DocumentSubmission
from backoffice.ibkr.types.finances import FinancialInformation
from backoffice.ibkr.types.funding import DepositNotice, Withdrawal
from backoffice.ibkr.types.holders import HolderDetails, PersonDetails, UserPerson
from backoffice.ibkr.types.people import Address, Identification, Phone
from backoffice.ibkr.types.tax import W9, W8Ben
from backoffice.ibkr.types.tax_entities import W8BenE
from tests.ibkr.changes_as_written import WRITTEN
from tests.ibkr.test_accounts import ALIAS, FULL, MINIMAL, document

KNOWN: dict[str, dict[str, str]] = json.loads((Path(__file__).parent / "wire_names.json").read_text())


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

    for application in (MINIMAL, FULL, identified):
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
    ("model", "schema", "left_out"),
    [
        (HolderDetails, "AssociatedIndividual", set()),
        (UserPerson, "UserDetails", set()),
        (PersonDetails, "Individual", set()),
        (Identification, "Identification", set()),
        (W8BenE, "FormW8BENE", set()),
        (W8Ben, "FormW8BEN", set()),
        (W9, "FormW9", set()),
        (FinancialInformation, "FinancialInformation", {"soiQuestionnaire", "questionnaires"}),
        (TrustIdentification, "TrustIdentification", set()),
        (OrganizationIdentification, "OrganizationIdentification", set()),
        (LegalEntityIdentification, "LegalEntityIdentification", set()),
        (LegalEntity, "LegalEntity", set()),
    ],
)
def test_nothing_ibkr_can_be_told_about_somebody_is_forgotten(model: Any, schema: str, left_out: set[str]) -> None:
    assert {field.alias for field in model.model_fields.values()} == set(KNOWN[schema]) - left_out


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


def test_the_check_sees_an_unknown_member() -> None:
    wrong = {"application": {"customer": {"accountHolder": {"accountHolderDetails": [{"residence": {}}]}}}}

    assert unknown_members("ApplicationPayload", wrong) == [
        "ApplicationPayload.Application.Customer.IndividualApplicant.AssociatedIndividual.residence"
    ]
