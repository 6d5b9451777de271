"""Every operation of PATCH /accounts against the sandbox: taken where IBKR takes it, refused in IBKR's words where not."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from backoffice.core import clock
from backoffice.ibkr import AuthFailed, Rejected
from backoffice.ibkr.types import changes as ops
from backoffice.ibkr.types.accounts import NewAccount, TradingPermission
from backoffice.ibkr.types.documents import Document, DocumentFile, ProcessDocuments
from backoffice.ibkr.types.finances import AssetExperience, FinancialInformation
from backoffice.ibkr.types.holders import HolderDetails, UserPerson
from backoffice.ibkr.types.operation import Operation
from backoffice.ibkr.types.people import PersonName
from backoffice.ibkr.types.questionnaires import AnsweredForm, GivenAnswer, ProhibitedCountryAnswer
from tests.contract.conftest import Connected
from tests.ibkr.changes_as_written import WRITTEN

OPEN, USERNAME, PENDING = "U1000011", "marih001", "U1000022"
ONE = {"account_id": OPEN}
STOCKS = TradingPermission(country="BELGIUM", product="STOCKS")
TAKEN: list[Operation] = [
    ops.AliasChange(**ONE, account_alias="Family"),
    ops.UpdateExternalId(**ONE, new_external_id="demo-renamed"),
    ops.UpdatePropertyProfile(**ONE, property_profile="Standard"),
    ops.ChangeBaseCurrency(**ONE, new_base_currency="EUR"),
    ops.AccountConfiguration(**ONE, value=True),
    ops.EnrollInSyep(**ONE),
    ops.EnrollInDrip(**ONE),
    ops.DuplicateAccount(**ONE, number_of_duplicates=1),
    ops.AllocateVan(**ONE, currency="USD", country_code="USA"),
    ops.AddTradingPermissions(**ONE, trading_permissions=(STOCKS,)),
    ops.RemoveTradingPermissions(**ONE, trading_permissions=(TradingPermission(exchange_group="US-Sec"),)),
    ops.AddLevFxCapability(**ONE),
    ops.ChangeFinancialInformation(
        **ONE,
        new_financial_information=FinancialInformation(
            net_worth="900000", liquid_net_worth="400000", annual_net_income="120000", investment_objectives=("Growth", "Trading"),
            investment_experience=(
                AssetExperience(asset_class="STK", years_trading=9, trades_per_year=50, knowledge_level="Extensive"),
            ),
        ),
    ),
    ops.AddAdditionalAccount(
        **ONE, account=NewAccount(external_id="demo-second", base_currency="EUR", advisor_wrap_fees={"strategy": "NO_FEE"})
    ),
    ops.ManageMarketDataSubscriptions(
        reference_user_name=USERNAME, service=(ops.MarketDataService(value=460, action="ADD"),)
    ),
    ops.UpdateCredentials(reference_user_name=USERNAME, update_email=ops.NewEmail(email="new.address@example.com")),
    ops.ProhibitedCountryQuestionnaire(
        **ONE, entity_id="1", prohibited_questionnaire_details=(ProhibitedCountryAnswer(code="BIRTH", status=False),)
    ),
    ops.AbandonAccount(account_id=PENDING),
]  # fmt: skip
REFUSED: list[tuple[Operation, str]] = [
    (ops.AbandonAccount(**ONE), "not pending"),
    (ops.ResetAbandonedAccount(**ONE), "not abandoned"),
    (ops.ReopenAccount(**ONE), "not closed"),
    (ops.AccountClose(**ONE, close_reason="Moves away"), "balance is not zero"),
    (ops.LeaveSyep(**ONE), "does not take part"),
    (ops.LeaveDrip(**ONE), "does not take part"),
    (ops.ChangeMarginType(**ONE, new_margin="RegT"), "can only be upgraded"),
    (ops.ApplyFeeTemplate(**ONE, template_name="No such template"), "No such template"),
    (ops.CompleteLoginMessage(**ONE, login_message_ids=(1,)), "not pending"),
    (ops.UpdateBcan(**ONE, bcan="1001", ce_number="DEM001"), "IB-HK"),
    (ops.InformationChange(ib_account_id=OPEN, delete_entities=(ops.DeleteEntity(ib_entity_id=1),)), "organizations"),
    (ops.UpdateUserAccessRights(sub_accounts=(OPEN,), rep_id="nobody1", action="ADD"), "not a user of the master"),
    (
        ops.UpdateAccountRepresentatives(
            **ONE, representative_details=(ops.Representative(representative_id="nobody1", percentage=100),)
        ),
        "not a user of the master",
    ),
    (ops.AliasChange(account_id="U9999999", account_alias="x"), "U9999999"),
]


def kind(value: object) -> str | None:
    return type(value).__name__ if isinstance(value, Operation) else None


@pytest.mark.parametrize("operation", TAKEN, ids=kind)
def test_an_operation_is_taken_and_its_request_can_be_followed(connected: Connected, operation: Operation) -> None:
    accepted = connected.client.accounts.change(operation)

    assert accepted.request_id is not None
    followed = connected.client.requests.status(accepted.request_id)
    assert followed is not None
    assert followed.is_success is not False
    assert connected.sent("PATCH", "/accounts") == 1


@pytest.mark.parametrize(("operation", "sentence"), REFUSED, ids=kind)
def test_an_operation_is_refused_in_a_sentence(connected: Connected, operation: Operation, sentence: str) -> None:
    with pytest.raises((Rejected, AuthFailed), match=sentence):
        connected.client.accounts.change(operation)

    assert connected.sent("PATCH", "/accounts") == 1


@pytest.mark.parametrize("key", sorted(set(WRITTEN) - {"updateWithholdingStatement"}))
def test_no_operation_is_refused_for_how_it_is_spelt(connected: Connected, key: str) -> None:
    """Both forms of each: whatever the sandbox objects to is about the account, never about a member or its form."""
    written, _ = WRITTEN[key]
    here = {"account_id": OPEN, "ib_account_id": OPEN, "sub_accounts": (OPEN,), "reference_user_name": USERNAME}
    fields = type(written).model_fields
    named = {name: value for name, value in here.items() if name in fields and getattr(written, name) is not None}
    operation = written.model_copy(update=named)
    said = []
    for listed in (False, True):
        try:
            connected.client.accounts.change(operation, listed=listed)
        except Rejected as refusal:
            said += refusal.reasons

    for sentence in said:
        for about_form in ("Unrecognized property", "Unsupported value", "is missing in", "JSON", "expected fields"):
            assert about_form not in sentence


def test_a_queued_change_is_done_after_its_time(connected: Connected) -> None:
    accepted = connected.client.accounts.change(ops.ChangeBaseCurrency(**ONE, new_base_currency="EUR"))

    assert not accepted.is_processed
    connected.sandbox.advance(4 * 24 * 3600)
    followed = connected.client.requests.status(str(accepted.request_id))
    assert followed is not None
    assert followed.is_success is True
    assert connected.client.accounts.details(OPEN).base_currency == "EUR"


def test_a_new_address_is_a_conversation_of_three_calls(connected: Connected) -> None:
    old = next(row for row in connected.sandbox.world()["accounts"] if row["account"] == OPEN)["person"]["email"]

    def ask(token: str | None = None) -> None:
        email = ops.NewEmail(email="new.address@example.com", token=token)
        connected.client.accounts.change(ops.UpdateCredentials(reference_user_name=USERNAME, update_email=email))

    def mailed(to: str) -> str:
        return str(connected.sandbox.control("GET", "mail", to=to)["mail"][-1]["token"])

    ask()
    with pytest.raises(Rejected, match="token"):
        ask("0000")
    ask(mailed(old))
    ask(mailed("new.address@example.com"))

    assert connected.client.accounts.details(OPEN).persons[0].email == "new.address@example.com"


def test_a_holder_known_by_the_number_of_details_can_be_changed(connected: Connected) -> None:
    before = connected.client.accounts.details(OPEN).persons[0]
    change = ops.ChangeAccountHolderDetail(
        **ONE, new_account_holder_details=(HolderDetails(id=before.entity_id, marital_status="W"),)
    )

    accepted = connected.client.accounts.change(change)
    connected.sandbox.advance(4 * 24 * 3600)

    followed = connected.client.requests.status(str(accepted.request_id))
    assert followed is not None
    assert followed.is_success is True
    after = connected.client.accounts.details(OPEN).persons[0]
    assert (before.marital_status, after.marital_status) == ("M", "W")


def test_a_new_user_gets_a_name_that_begins_with_the_prefix(connected: Connected) -> None:
    trader = UserPerson(
        external_id="demo-trader", name=PersonName(first="Tina", last="Trader"), email="tina.trader@example.com",
        authorized_trader=True,
    )  # fmt: skip

    accepted = connected.client.accounts.change(ops.AddNewUser(**ONE, prefix="tinat", user_details=trader))

    assert accepted.request_id is not None


def test_security_questions_are_ibkrs_word_for_word(connected: Connected) -> None:
    (first, *_) = connected.client.enumerations.rows("security-questions")
    answered = ops.SecurityAnswer(question=str(first["question"]), answer="Rex")

    assert connected.client.accounts.change(
        ops.SecurityQuestions(reference_user_name=USERNAME, details=(answered,))
    ).request_id
    with pytest.raises(Rejected):
        connected.client.accounts.change(
            ops.SecurityQuestions(
                reference_user_name=USERNAME, details=(ops.SecurityAnswer(question="Favourite colour?", answer="Red"),)
            )
        )


def test_a_questionnaire_is_answered_with_the_ids_it_came_with(connected: Connected) -> None:
    asked = connected.client.enumerations.questions("edd-avt", 9943)
    connected.sandbox.control("POST", f"accounts/{OPEN}", {"task": 9943})
    answers = tuple(
        GivenAnswer(
            question_id=int(each.id or 0),
            id=int(each.answers[0].id or 0) if each.answers else None,
            detail="Demo answer",
        )
        for each in asked
    )

    accepted = connected.client.accounts.change(
        ops.Questionnaires(**ONE, questionnaire=(AnsweredForm(form_number=9943, answers=answers),))
    )

    assert accepted.request_id is not None


def blank(connected: Connected, form: int) -> Document:
    file = connected.client.forms.file(form)
    assert file is not None
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    return Document(
        form_number=form,
        file=DocumentFile.from_bytes(file.name, file.content),
        signed_by=("Ada Alder",),
        exec_timestamp=now,
        exec_login_timestamp=now,
    )


def test_the_agreements_of_the_day_are_ibkrs_own_files(connected: Connected) -> None:
    accepted = connected.client.accounts.process_documents(
        ProcessDocuments(documents=(blank(connected, 3024), blank(connected, 2109)))
    )

    assert accepted.is_processed
    assert connected.sent("POST", "/accounts/documents") == 1


def test_a_form_that_was_written_anew_is_refused(connected: Connected) -> None:
    own = blank(connected, 3024).model_copy(update={"file": DocumentFile.from_bytes("Form3024.pdf", b"%PDF-1.4 mine")})

    with pytest.raises(Rejected, match="SHA-1"):
        connected.client.accounts.process_documents(ProcessDocuments(documents=(own,)))


def test_without_the_scope_nothing_is_changed(connect: Callable[..., Connected]) -> None:
    connected = connect(scopes=["accounts.read"])

    with pytest.raises(AuthFailed):
        connected.client.accounts.change(ops.AliasChange(**ONE, account_alias="Family"))

    assert connected.client.accounts.details(OPEN).alias != "Family"


def test_a_withholding_statement_is_not_for_an_advisors_client(connected: Connected) -> None:
    statement: dict[str, Any] = {"fatca_compliant_type": "FATCA_COMPLIANT", "treaty_country": "GBR"}

    with pytest.raises(Rejected) as caught:
        connected.client.accounts.change(
            ops.UpdateWithholdingStatement(**ONE, effective_date=clock.today(clock.NEW_YORK), **statement)
        )

    assert caught.value.status == 200
