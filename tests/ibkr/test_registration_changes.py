"""Every operation of PATCH /accounts as it goes over the wire, and the rules that are checked before it does."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import jwt
import pytest
import time_machine
from pydantic import ValidationError

from backoffice.ibkr import OutcomeUnknown, Rejected, Unsendable
from backoffice.ibkr.types import changes as ops
from backoffice.ibkr.types.accounts import NewAccount
from backoffice.ibkr.types.documents import DocumentSubmission, ProcessDocuments
from backoffice.ibkr.types.finances import AssetExperience, FinancialInformation, SourceOfIncome, SourceOfWealth
from backoffice.ibkr.types.holders import HolderDetails, NativeName, PersonDetails
from backoffice.ibkr.types.operation import Operation
from backoffice.ibkr.types.people import Address, Identification
from backoffice.ibkr.types.questionnaires import (
    AnswerDetail,
    GivenAnswer,
    ProhibitedCountryAnswer,
    ProhibitedCountryAnswers,
)
from backoffice.ibkr.types.tax import W9, Crs, LocalTaxForm, W8Ben
from backoffice.ibkr.types.tax_entities import W8BenE
from tests.ibkr.changes_as_written import (
    EXPERIENCE,
    FINANCES,
    INCOME,
    ONE,
    TODAY,
    W8,
    WRITTEN,
    paper,
    papers,
    submitted,
)
from tests.ibkr.conftest import Bench, answer

NOON = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)  # noon in New York
SUCCESS = {"requestId": 2**40, "fileData": {"data": {"application": {"status": "Success"}}}}


def sent(bench: Bench) -> Any:
    claims = jwt.decode(bench.server.received[0].body, options={"verify_signature": False})
    return claims["accountManagementRequests"]


def test_every_operation_of_ibkr_that_is_not_deprecated_has_its_class() -> None:
    known = {operation.operation for operation in ops.OPERATIONS}

    assert known == set(WRITTEN)
    assert len(known) == 43
    assert not known & ops.DEPRECATED


@time_machine.travel(NOON, tick=False)
@pytest.mark.parametrize("key", sorted(WRITTEN))
def test_an_operation_goes_alone_under_its_key_spelt_as_ibkr_spells_it(bench: Bench, key: str) -> None:
    operation, expected = WRITTEN[key]
    bench.server.play(answer(200, SUCCESS))

    accepted = bench.client.accounts.change(operation)

    (request,) = bench.server.received
    assert (request.method, request.target) == ("PATCH", "/gw/api/v1/accounts")
    assert sent(bench) == {key: expected}
    assert accepted.request_id == "1099511627776"


@time_machine.travel(NOON, tick=False)
@pytest.mark.parametrize("key", sorted(WRITTEN))
def test_an_operation_forbids_what_it_does_not_know(key: str) -> None:
    operation, _ = WRITTEN[key]

    with pytest.raises(ValidationError):
        type(operation).model_validate(operation.model_dump() | {"surprise": 1})


@pytest.mark.parametrize("key", sorted(WRITTEN))
def test_an_operation_kept_as_json_gives_back_the_same_request(key: str) -> None:
    operation, _ = WRITTEN[key]
    if key == "updateUserAccessRights":  # `as_documented` is not kept: it is a choice of the moment
        assert operation.model_dump(mode="json") == {"sub_accounts": ["U0000001"], "rep_id": "repone1", "action": "ADD"}

    assert type(operation).model_validate_json(operation.model_dump_json()) == operation


def test_the_form_an_operation_is_sent_in_can_be_chosen(bench: Bench) -> None:
    bench.server.play(answer(200, SUCCESS))
    alias, credentials = WRITTEN["updateAccountAlias"], WRITTEN["updateCredentials"]

    assert alias[0].wire_value(listed=True) == [alias[1]]
    assert credentials[0].wire_value(listed=False) == credentials[1][0]
    bench.client.accounts.change(alias[0], listed=True)

    assert sent(bench) == {"updateAccountAlias": [alias[1]]}


def test_access_rights_can_be_sent_as_the_documents_spell_them() -> None:
    change = ops.UpdateUserAccessRights(sub_accounts=("U0000001",), rep_id="r", action="REMOVE", as_documented=True)

    assert change.wire_members() == {"accountId": "U0000001", "repId": "r", "action": "REMOVE"}


def test_secrets_of_a_change_are_neither_shown_nor_recorded(bench: Bench) -> None:
    bench.server.play(answer(200, SUCCESS))
    credentials, questions = WRITTEN["updateCredentials"][0], WRITTEN["securityQuestions"][0]

    bench.client.accounts.change(credentials)
    bench.client.accounts.change(questions)

    assert "T-1" not in repr(credentials)
    assert "Demo answer" not in repr(questions)
    assert "T-1" not in repr(bench.exchanges)
    assert "Demo answer" not in repr(bench.exchanges)


def test_what_a_person_may_be_told_to_be_uses_each_of_ibkrs_names() -> None:
    person = HolderDetails(
        id="5", native_name=NativeName(first="Иван", last="Образцов"), w8_ben=W8, crs=Crs(oecd_status="FINANCIAL_INSTITUTION"),
        prohibited_country_questionnaire=ProhibitedCountryAnswers(
            prohibited_questionnaire_detail=(ProhibitedCountryAnswer(code="MULTI", status=False),)
        ),
    )  # fmt: skip

    members = person.wire_members()

    assert members["nativeName"] == {"first": "Иван", "last": "Образцов"}
    assert members["prohibitedCountryQuestionnaire"] == {
        "prohibitedQuestionnaireDetail": [{"code": "MULTI", "status": False}]
    }
    assert members["crs"] == {"oecdStatus": "FINANCIAL_INSTITUTION"}
    assert members["w8Ben"]["part29ACountry"] == "ESP"


W8_MEMBERS = W8.model_dump(exclude_none=True)
HIGH_RISK = {"code": "HighRisk", "status": False}
JOINED = {"value": 1, "action": "ADD"}
HALF = {"representative_id": "a", "percentage": 50}
UNEXPLAINED = {"code": "BIRTH", "status": True}
CERTIFIED = {"name": "A", "tin": "1", "tin_type": "SSN", "cert1": True, "cert2": True, "cert3": True}
FIRM = {
    "name": "A", "country_of_organization": "ESP", "entity_type": "CORPORATION", "fatca_status": "ACTIVE_NFFE", "cert": True,
}  # fmt: skip
MADE_WRONG: list[tuple[type[Any], dict[str, Any]]] = [
    (ops.AccountClose, ONE | {"close_reason": "  "}),
    (ops.AliasChange, ONE | {"account_alias": "x" * 81}),
    (ops.AliasChange, {"account_id": "1234567", "account_alias": "x"}),
    (ops.ChangeBaseCurrency, ONE | {"new_base_currency": "USDD"}),
    (ops.ChangeBaseCurrency, ONE | {"new_base_currency": "BRL"}),
    (ops.ChangeMarginType, ONE | {"new_margin": "Cash"}),
    (ops.ChangeMarginType, {"account_id": "U2", "new_margin": "RegT", "document_submission": submitted(paper(3024))}),
    (ops.UpdateExternalId, ONE | {"new_external_id": "x" * 65}),
    (ops.AddTradingPermissions, ONE | {"trading_permissions": ()}),
    (ops.AddTradingPermissions, ONE | {"trading_permissions": ({"country": "BELGIUM"},)}),
    (ops.AddClpCapability, ONE | {"documents": (paper(8001, proof_of_identity_type="National ID Card"),)}),
    (ops.AccreditedInvestor, ONE | {"status": True, "signed_by": ()}),
    (ops.QualifiedPurchaser, {"status": True}),
    (ops.EligibleContractParticipant, {"status": True, "eligible_contract_participant_details": (HIGH_RISK,)}),
    (ops.DuplicateAccount, ONE | {"number_of_duplicates": 0}),
    (ops.AllocateVan, ONE | {"currency": "USD", "country_code": "US"}),
    (ops.ChangeFinancialInformation, {"new_financial_information": FINANCES}),
    (ops.ChangeFinancialInformation, ONE | {"reference_user_name": "adaex001", "new_financial_information": FINANCES}),
    (ops.ChangeAccountHolderDetail, ONE | {"new_account_holder_details": ({"marital_status": "M"},)}),
    (ops.ChangeAccountHolderDetail, ONE | {"new_account_holder_details": ()}),
    (ops.UpdateCredentials, {"reference_user_name": "adaex001"}),
    (ops.UpdateCredentials, {"update_email": {"email": "a@example.com"}}),
    (ops.NewEmail, {"email": "tester@gmail"}),
    (ops.NewEmail, {"email": "a@example.com", "access": False}),
    (ops.UpdateTaxForm, ONE | {"entity_id": "1"}),
    (ops.UpdateTaxForm, ONE | {"w8_ben": W8}),
    (ops.UpdateTaxForm, ONE | {"entity_id": "1", "w8_ben": W8, "documents": (paper(5001, "other.pdf"),)}),
    (ops.AddMiFirData, ONE | {"title": "Account Holder", "identifications": ({"passport": "X"},)}),
    (ops.AddMiFirData, ONE | {"title": "ACCOUNT HOLDER", "identifications": ({"citizenship": "ESP"},)}),
    (ops.ManageMarketDataSubscriptions, {"reference_user_name": "adaex001", "service": ()}),
    (ops.ManageMarketDataSubscriptions, {"reference_user_name": "adaex001", "service": (JOINED, JOINED)}),
    (ops.UpdateAccountRepresentatives, ONE | {"representative_details": ({"representative_id": "a", "percentage": 99},)}),
    (ops.UpdateAccountRepresentatives, ONE | {"representative_details": (HALF, HALF)}),
    (ops.UpdateUserAccessRights, {"sub_accounts": ("U1", "U2"), "rep_id": "r", "action": "ADD", "as_documented": True}),
    (ops.UpdateUserAccessRights, {"sub_accounts": (), "rep_id": "r", "action": "ADD"}),
    (ops.UpdateBcan, ONE | {"bcan": "99", "ce_number": "DEM001"}),
    (ops.UpdateBcan, ONE | {"bcan": "01001", "ce_number": "DEM001"}),
    (ops.UpdateBcan, ONE | {"bcan": "12345678901", "ce_number": "DEM001"}),
    (ops.UpdateBcan, ONE | {"bcan": "1001", "ce_number": "DEM-01"}),
    (ops.CompleteLoginMessage, ONE | {"login_message_ids": ()}),
    (ops.SecurityQuestions, {"reference_user_name": "adaex001", "details": ({"question": "a", "answer": ""},)}),
    (ops.AddNewUser, ONE | {"prefix": "ada3x", "user_details": {}}),
    (ops.CreateUser, ONE | {"prefix": "adaex"}),
    (ops.CreateUser, ONE | {"prefix": "adaex", "id": "1", "user_name": "12345678ab"}),
    (ops.InformationChange, {"ib_account_id": "U1"}),
    (ops.AddEntity, {"add_relationships": ({"name": "Owner"},)}),
    (ops.UpdateEntity, {"ib_entity_id": 1}),
    (ops.Relationship, {"name": "Chief"}),
    (ops.ProhibitedCountryQuestionnaire, ONE | {"entity_id": "1", "prohibited_questionnaire_details": (UNEXPLAINED,)}),
    (ProcessDocuments, {"documents": (paper(5001),)}),
    (DocumentSubmission, ONE | {"documents": (paper(3024), paper(3024))}),
    (GivenAnswer, {"question_id": 1}),
    (GivenAnswer, {"question_id": 1, "id": 1, "detail": "x" * 351}),
    (AnswerDetail, {"name": "a", "detail": "x" * 351}),
    (W8Ben, W8_MEMBERS | {"explanation": "TIN_NOT_ISSUED"}),
    (W8Ben, {"name": "Bruno", "part29_a_country": "N/A", "cert": True}),
    (W8Ben, W8_MEMBERS | {"foreign_tax_id": "12345"}),
    (W8Ben, W8_MEMBERS | {"part29_a_country": "Spain"}),
    (W9, CERTIFIED | {"customer_type": "INDIVIDUAL"}),
    (W9, CERTIFIED | {"customer_type": "Other"}),
    (LocalTaxForm, {"tax_authority": "GERMANY_TA", "qualified": True}),
    (W8BenE, FIRM | {"fatca_status": "PARTICIPATING_FFI"}),
    (W8BenE, FIRM | {"foreign_tin": "1", "explanation": "TIN_NOT_ISSUED"}),
    (FinancialInformation, {}),
    (FinancialInformation, {"net_worth": 500, "liquid_net_worth": 501}),
    (FinancialInformation, {"net_worth": -1}),
    (FinancialInformation, {"annual_net_income": 1000002}),
    (FinancialInformation, {"sources_of_wealth": ({"source_type": "SOW-IND-Income", "percentage": 99, "used_for_funds": True},)}),
    (FinancialInformation, {"sources_of_wealth": (INCOME, INCOME)}),
    (FinancialInformation, {"investment_experience": (EXPERIENCE, EXPERIENCE)}),
    (FinancialInformation, {"investment_objectives": ("Growth", "Growth")}),
    (SourceOfWealth, {"source_type": "SOW-IND-Other", "percentage": 100, "used_for_funds": True}),
    (SourceOfWealth, {"source_type": "SOW-IND-Income", "percentage": 5, "used_for_funds": False}),
    (SourceOfWealth, {"source_type": "SOW-IND-Income", "used_for_funds": True}),
    (SourceOfIncome, {"source_type": "RENTAL", "percentage": 0}),
    (AssetExperience, {"asset_class": "opt", "years_trading": 1, "trades_per_year": 1, "knowledge_level": "Good"}),
    (PersonDetails, {"mailing_address": Address(country="DEU"), "same_mail_address": True}),
    (NewAccount, {"external_id": "a", "base_currency": "EUR", "ira": True}),
    (NewAccount, {"external_id": "a", "base_currency": "EUR", "ira": True, "ira_type": "SP"}),
]  # fmt: skip


@pytest.mark.parametrize(("model", "members"), MADE_WRONG, ids=[model.__name__ for model, _ in MADE_WRONG])
def test_what_ibkr_would_refuse_cannot_be_made(model: type[Any], members: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        model.model_validate(members)


@pytest.mark.parametrize(
    ("field", "word"),
    [
        ("proof_of_identity_type", "Drivers License"),
        ("proof_of_address_type", "Renter Insurance Policy Bill"),
        ("document_type", "bank statement"),
    ],
)
def test_the_words_of_a_proof_are_ibkrs_letter_by_letter(field: str, word: str) -> None:
    with pytest.raises(ValidationError):
        paper(8001, **{field: word})


def test_a_range_id_is_not_compared_with_money() -> None:
    told = FinancialInformation(net_worth=Decimal(3), liquid_net_worth=Decimal(90000))

    assert told.wire_members() == {"netWorth": Decimal(3), "liquidNetWorth": Decimal(90000)}


EXPIRED = Identification(passport="X1", issuing_country="DEU", expire=True, expiration_date=TODAY)
SOMEBODY = ({"id": "1", "identification": EXPIRED},)


@time_machine.travel(NOON, tick=False)
@pytest.mark.parametrize(
    ("operation", "sentence"),
    [
        (
            ops.UpdateWithholdingStatement(
                **ONE, effective_date=date(2026, 11, 25), fatca_compliant_type="FATCA_COMPLIANT"
            ),
            "takes effect on the day it is sent",
        ),
        (
            ops.AddMiFirData(**ONE, title="ACCOUNT HOLDER", identifications=(EXPIRED,)),
            "identity document has expired",
        ),
        (
            ops.ChangeAccountHolderDetail(**ONE, new_account_holder_details=SOMEBODY),
            "identity document has expired",
        ),
        (
            ops.ChangeAccountHolderDetail(
                **ONE, new_account_holder_details=({"id": "1", "date_of_birth": "2026-11-24"},)
            ),
            "not in the past",
        ),
        (
            submitted(paper(8001, proof_of_identity_type="Passport", expiration_date=TODAY)),
            "form 8001 has expired",
        ),
    ],
)
def test_what_is_too_late_today_is_refused_before_it_is_sent(bench: Bench, operation: Operation, sentence: str) -> None:
    bench.server.play(answer(200, SUCCESS))

    with pytest.raises(Unsendable, match=sentence):
        bench.client.accounts.change(operation)

    assert bench.server.connections == 0


@time_machine.travel(datetime(2026, 11, 25, 3, 0, tzinfo=UTC), tick=False)
def test_the_day_of_a_withholding_statement_is_new_yorks(bench: Bench) -> None:
    bench.server.play(answer(200, SUCCESS))

    bench.client.accounts.change(WRITTEN["updateWithholdingStatement"][0])

    assert bench.server.connections == 1


def test_the_agreements_of_the_day_go_to_their_own_address(bench: Bench) -> None:
    told = {"application": {"status": "Success", "documents": [{"formNumber": 3024, "state": "Processed"}]}}
    bench.server.play(answer(200, {"requestId": 9, "dateSubmitted": "20261124120000 UTC", "fileData": {"data": told}}))

    accepted = bench.client.accounts.process_documents(ProcessDocuments(documents=(paper(3024),)))

    (request,) = bench.server.received
    assert (request.method, request.target) == ("POST", "/gw/api/v1/accounts/documents")
    claims = jwt.decode(request.body, options={"verify_signature": False})
    assert claims["processDocuments"] == {"documents": [papers(3024)], "inputLanguage": "en", "translation": False}
    assert accepted.is_processed
    assert accepted.submitted_at == datetime(2026, 11, 24, 12, tzinfo=UTC)
    assert [(each.form_number, each.state) for each in accepted.documents] == [("3024", "Processed")]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, {"fileData": {"data": {"application": {"status": "Error", "error": [{"value": "no"}]}}}}, Rejected),
        (400, {"title": "Bad Request", "status": 400, "detail": "Contains non ASCII character."}, Rejected),
        (200, {}, OutcomeUnknown),
        (500, {"title": "Internal", "status": 500}, OutcomeUnknown),
    ],
)
def test_agreements_are_judged_as_every_write_is(bench: Bench, status: int, body: Any, error: type) -> None:
    bench.server.play(answer(status, body))

    with pytest.raises(error):
        bench.client.accounts.process_documents(ProcessDocuments(documents=(paper(3024),)))

    assert bench.server.connections == 1
