"""The look-ups of registration against the sandbox: pages, requests, identity, login messages, forms, enumerations, echo."""

from collections.abc import Callable
from datetime import date, timedelta
from hashlib import sha1
from io import BytesIO

import pytest
import requests
from pypdf import PdfReader

from backoffice.core import clock
from backoffice.ibkr import AuthFailed, Rejected, Unsendable
from backoffice.ibkr.types.changes import AliasChange
from backoffice.ibkr.types.forms import RequiredFormsQuery
from tests.contract.conftest import Connected
from tests.contract.test_accounts import APPLICATION

OPEN, PENDING = "U1000011", "U1000022"
SINCE = date(2020, 1, 1)


def tomorrow() -> date:
    return clock.today(clock.NEW_YORK) + timedelta(days=1)


def test_pages_of_accounts_join_without_gap_or_repetition(connected: Connected) -> None:
    accounts = connected.client.accounts

    first = accounts.status_page(SINCE, tomorrow(), limit=5)
    second = accounts.status_page(SINCE, tomorrow(), offset=5, limit=1000)
    together = [row.account_id for row in (*first.accounts, *second.accounts)]

    assert (len(first.accounts), first.offset, first.limit) == (5, 0, 5)
    assert first.total == len(together) == len(set(together))
    assert together == [row.account_id for row in accounts.all_statuses(SINCE, tomorrow())]
    alone = accounts.first_status(SINCE, tomorrow())
    assert alone is not None
    assert alone.account_id == together[0]
    assert {row.status for row in accounts.all_statuses(SINCE, tomorrow(), status="P")} == {"P"}


def test_an_account_opened_through_the_api_is_found_by_its_number(connected: Connected) -> None:
    accepted = connected.client.accounts.create(APPLICATION)

    record = connected.client.accounts.by_account_id(str(accepted.account_id))

    assert record is not None
    assert record.account_id == accepted.account_id


def test_requests_are_listed_with_what_became_of_them(connected: Connected) -> None:
    accepted = connected.client.accounts.change(AliasChange(account_id=OPEN, account_alias="Listed"))

    listed = list(connected.client.requests.all(tomorrow() - timedelta(days=2), tomorrow()))

    page = connected.client.requests.page(tomorrow() - timedelta(days=2), tomorrow(), limit=1)
    assert [row.request_id for row in page.requests] == [listed[0].request_id]
    mine = next(row for row in listed if row.request_id == accepted.request_id)
    assert mine.account_id == OPEN
    assert mine.request_type
    assert mine.status
    assert mine.submitted_at is not None
    followed = connected.client.requests.status(mine.request_id)
    assert followed is not None
    assert (followed.request_id, followed.account_id) == (mine.request_id, OPEN)


def test_a_request_nobody_made_is_not_known(connected: Connected) -> None:
    assert connected.client.requests.status(str(2**50)) is None


def test_an_identity_link_opens_and_proves_an_identity(connected: Connected) -> None:
    connected.sandbox.config(identity_check="au10tix")
    connected.sandbox.control("POST", f"accounts/{PENDING}", {"task": 8137, "online": True})

    link = connected.client.accounts.kyc(PENDING)

    assert link.url
    assert link.expires is not None
    assert link.starts is not None
    assert link.expires - link.starts == timedelta(hours=24)
    assert requests.get(link.url, timeout=10).status_code == 200
    pending = connected.client.accounts.tasks(PENDING).tasks
    assert any(task.form_number == "8137" for task in pending)


def test_without_an_identity_task_there_is_no_link(connected: Connected) -> None:
    with pytest.raises(Rejected) as caught:
        connected.client.accounts.kyc(OPEN)

    assert caught.value.status == 200


def test_login_messages_of_one_account_and_of_all(connected: Connected) -> None:
    made = connected.sandbox.control("POST", "login-messages", {"account": OPEN, "type": "W8INFO", "tasks": [5001]})

    one = connected.client.accounts.login_messages(OPEN)
    all_of_them = list(connected.client.accounts.all_login_messages(SINCE, tomorrow()))
    none = connected.client.accounts.login_messages(OPEN, kind="CRS_INFO")
    (page,) = connected.client.accounts.login_message_page(SINCE, tomorrow(), kind="W8INFO", limit=1)

    message = next(each for each in one.messages if each.id == str(made["id"]))
    assert (message.type, message.is_answered_by_tax_form, message.tasks) == ("W8INFO", True, ("5001",))
    assert message.recorded is not None
    assert str(made["id"]) in {each.id for each in all_of_them}
    assert none.messages == ()
    assert [each.type for each in page.messages] == ["W8INFO"]


def test_forms_are_described_and_come_as_ibkrs_own_files(connected: Connected) -> None:
    described = connected.client.forms.details((3024,))
    library = connected.client.forms.files((3024,))
    single = connected.client.forms.files((3024,), language="en")
    beside = connected.client.forms.files((3024,), language="en", projection="PAYLOAD")

    assert {each.language for each in described} == {file.details.language for file in library.files if file.details}
    assert len(library.files) > 1
    (english,) = library.in_language("en")
    assert english.details is not None
    assert sha1(english.content, usedforsecurity=False).hexdigest() == english.details.sha1.lower()
    assert "3024" in PdfReader(BytesIO(english.content)).pages[0].extract_text()
    assert [file.content for file in single.files] == [english.content]
    assert [file.content for file in beside.files] == [english.content]


def test_a_revised_form_is_seen_by_its_day(connected: Connected) -> None:
    assert connected.client.forms.details(since=tomorrow() - timedelta(days=1)) == ()
    connected.sandbox.control("POST", "forms", {"formNumber": 3024})

    changed = connected.client.forms.details(since=tomorrow() - timedelta(days=2))

    assert {each.form_number for each in changed} == {"3024"}


def test_dates_are_sent_where_the_documents_require_them(connected: Connected) -> None:
    connected.sandbox.config(forms_need_dates=True)

    assert connected.client.forms.details((3024,))


def test_a_form_that_does_not_exist_is_refused(connected: Connected) -> None:
    with pytest.raises(Rejected):
        connected.client.forms.details((99999,))


def test_the_forms_of_an_application_follow_from_its_traits(connected: Connected) -> None:
    german = connected.client.forms.required(RequiredFormsQuery(residence_country="DEU", capability=("CLP",)))
    american = connected.client.forms.required(RequiredFormsQuery(residence_country="USA", ira=False))

    assert {"5001", "4155"} <= set(german)
    assert "5002" in american
    assert "5001" not in american


def test_enumerations_of_every_type_are_read(connected: Connected) -> None:
    enumerations = connected.client.enumerations

    assert "US-Sec" in {each.exchange_group for each in enumerations.exchange_bundles()}
    assert ("UNITED STATES", "STOCKS") in {(each.country, each.product) for each in enumerations.product_countries()}
    euros = enumerations.financial_ranges(currency="EUR")
    assert {each.currency for each in euros} == {"EUR"}
    assert all(each.id and each.lower is not None for each in euros)
    assert all(each.broker_id and each.name for each in (*enumerations.acats_brokers(), *enumerations.aton_brokers()))
    assert all(each.company_id for each in enumerations.tracked_companies())
    (wire,) = enumerations.wire_instructions(OPEN, "USD")
    assert OPEN in wire.payment_reference
    assert wire.currency == "USD"
    assert enumerations.complex_transfer_brokers()
    assert all(bank.clearing_code for bank in enumerations.participating_banks())
    for question in (*enumerations.questions("quiz-questions", 2430), *enumerations.questions("edd-avt", 9943)):
        assert question.id
        assert question.text
        assert all(each.id and each.text for each in question.answers)
    kinds = ("business-and-occupation", "employee-plans", "prohibited-country", "questionnaires", "security-questions")
    assert all(enumerations.rows(kind) for kind in kinds)
    assert enumerations.rows("market-data", is_private=True) != enumerations.rows("market-data", is_private=False)


def test_wire_instructions_of_an_account_that_is_not_ours_are_refused(connected: Connected) -> None:
    with pytest.raises(AuthFailed):
        connected.client.enumerations.wire_instructions("U1000001", "USD")


def test_usernames_are_valid_and_free_or_not(connected: Connected) -> None:
    validations = connected.client.validations
    free, taken = validations.username("quitefreename"), validations.username("marih001x")
    short = validations.username("ab1")

    assert (free.is_valid, free.is_available) == (True, True)
    assert (taken.is_valid, taken.is_available) == (True, True)
    assert (short.is_valid, short.is_available) == (False, False)


def test_both_echoes_say_how_the_request_was_seen(connected: Connected) -> None:
    plain = connected.client.echo.https(ping="one")
    signed = connected.client.echo.signed()

    assert (plain.request_method, plain.security_policy, plain.query_parameters) == ("GET", "HTTPS", {"ping": "one"})
    assert (signed.request_method, signed.security_policy) == ("POST", "SIGNED_JWT")


def test_each_look_up_needs_its_scope(connect: Callable[..., Connected]) -> None:
    client = connect(scopes=["accounts.read"]).client

    assert client.enumerations.acats_brokers()
    assert client.forms.details((3024,))
    assert client.validations.username("quitefreename").is_valid
    banks, brokers = client.enumerations.participating_banks, client.enumerations.complex_transfer_brokers
    for refused in (client.echo.https, client.echo.signed, banks, brokers):
        with pytest.raises(AuthFailed) as caught:
            refused()
        assert caught.value.status == 403


def test_a_trading_session_may_be_used_from_each_declared_address(connected: Connected) -> None:
    sso = connected.client.sso

    first = sso.trading_session("alder01", ip="203.0.113.9", alternative_ips=("127.0.0.1",))
    connected.bearer = first.bearer

    assert connected.client.session.validate().is_valid
    connected.bearer = sso.trading_session("alder01", ip="203.0.113.9").bearer
    with pytest.raises(AuthFailed):
        connected.client.session.validate()


def test_a_username_of_somebody_else_gets_no_sign_on(connected: Connected) -> None:
    with pytest.raises(Rejected):
        connected.client.sso.browser_session("nobody99", ip="127.0.0.1")
    with pytest.raises(Unsendable):
        connected.client.sso.trading_session("alder01", ip="127.0.0.1/8")
