import json
from datetime import UTC, date, datetime
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from backoffice.ibkr import AuthFailed, OutcomeUnknown, RateLimited, Rejected, Unavailable, Unsendable
from backoffice.ibkr.account_management.verdicts import verdict_of
from backoffice.ibkr.types.accounts import (
    AdvisorWrapFees,
    HybridIndividualApplication,
    NewAccount,
    NewUser,
    TradingPermission,
)
from backoffice.ibkr.types.changes import AddressChange, AliasChange
from backoffice.ibkr.types.documents import Document, DocumentFile, DocumentSubmission
from backoffice.ibkr.types.people import Address, EmploymentDetails, PersonName, Phone, TaxResidency
from backoffice.ibkr.wire import encode
from tests.ibkr.conftest import Bench, Received, answer

MINIMAL = HybridIndividualApplication(
    external_id="demo-1001",
    holder_external_id="demo-1001-AH",
    prefix="adaex",
    name=PersonName(first="Ada", last="Examplewright"),
    email="ada.examplewright@example.com",
    residence_address=Address(country="USA"),
    accounts=(NewAccount(external_id="demo-1001-AC", base_currency="USD", advisor_wrap_fees=AdvisorWrapFees()),),
    users=(NewUser(external_user_id="demo-1001-USR", external_individual_id="demo-1001-AH", prefix="adaex"),),
)
ALIAS = AliasChange(account_id="U1000011", account_alias="Family")


def claims_of(request: Received) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(request.body, options={"verify_signature": False})
    for added in ("iss", "iat", "exp"):
        del claims[added]
    return claims


def processed(**application: Any) -> dict[str, Any]:
    return {
        "requestId": 4711,
        "dateSubmitted": "20261123120000 UTC",
        "fileData": {"name": "x.json.report", "data": {"execution": {"client": "x"}, "application": application}},
    }


SUCCESS = processed(
    status="Success",
    externalId="demo-1001",
    accounts=[{"value": "U7654321", "externalId": "demo-1001-AC"}],
    users=[{"user": "adaex123", "password": "temporary", "externalId": "demo-1001-USR"}],
    entities=[{"id": 998877, "externalId": "demo-1001-AH"}],
    pendingTasks=[
        {"formNumber": 8001, "formName": "Proof of Identity", "isRequiredForApproval": True, "isOnlineTask": False}
    ],
)
ERROR = processed(
    status="Error", error=[{"value": "postalCode is missing"}, {"value": "Unsupported value. Property:'x'"}]
)


@pytest.mark.parametrize(
    ("said", "error"),
    [("externalId BO-1 Already Processed", OutcomeUnknown), ("prefix must be lower case", Rejected)],
)
def test_the_newer_form_of_an_error_is_read_by_its_message(bench: Bench, said: str, error: type) -> None:
    """Its `error` names the HTTP status alone (account-management.md 23)."""
    bench.server.play(answer(400, {"status": 400, "error": "Bad Request", "message": said}))

    with pytest.raises(error, match=said):
        bench.client.accounts.create(MINIMAL)


def test_the_minimal_application_is_ibkrs_own_minimal_sample(bench: Bench) -> None:
    bench.server.play(answer(200, SUCCESS))

    bench.client.accounts.create(MINIMAL)

    (request,) = bench.server.received
    assert (request.method, request.target) == ("POST", "/gw/api/v1/accounts")
    assert request.headers["content-type"] == "application/jwt"
    assert claims_of(request) == {
        "application": {
            "customer": {
                "externalId": "demo-1001",
                "type": "INDIVIDUAL",
                "prefix": "adaex",
                "email": "ada.examplewright@example.com",
                "mdStatusNonPro": True,
                "accountHolder": {
                    "accountHolderDetails": [
                        {
                            "externalId": "demo-1001-AH",
                            "name": {"first": "Ada", "last": "Examplewright"},
                            "email": "ada.examplewright@example.com",
                            "residenceAddress": {"country": "USA"},
                            "titles": [{"code": "Account Holder"}],
                        }
                    ]
                },
            },
            "accounts": [
                {
                    "externalId": "demo-1001-AC",
                    "baseCurrency": "USD",
                    "multiCurrency": True,
                    "tradingPermissions": [{"exchangeGroup": "US-Sec"}],
                    "advisorWrapFees": {"strategy": "NO_FEE"},
                }
            ],
            "users": [{"externalUserId": "demo-1001-USR", "externalIndividualId": "demo-1001-AH", "prefix": "adaex"}],
        }
    }


FULL = HybridIndividualApplication(
    external_id="demo-2",
    prefix="carl",
    name=PersonName(first="Carl", middle="B", last="Sample", salutation="Mr.", suffix="Jr."),
    email="carl@example.org",
    residence_address=Address(
        country="DEU", street1="Weg 1", street2="Haus 2", city="Köln", state="DE-NW", postal_code="50667"
    ),
    same_mail_address=True,
    date_of_birth=date(1980, 2, 29),
    country_of_birth="DEU",
    marital_status="M",
    num_dependents=0,
    phones=(Phone(number="1701234567", country="DEU"),),
    tax_residencies=(TaxResidency(country="DEU", tin="12345678901", tin_type="NonUS_NationalId"),),
    employment_type="EMPLOYED",
    employment_details=EmploymentDetails(employer="Sample GmbH", occupation="Engineer", employer_business="Technology"),
    accounts=(
        NewAccount(
            external_id="demo-2-AC",
            base_currency="EUR",
            margin="Cash",
            trading_permissions=(TradingPermission(country="UNITED STATES", product="STOCKS"),),
            fees_template_name="Standard",
            investment_objectives=("Growth", "Trading"),
        ),
    ),
)


def test_everything_optional_is_spelt_as_the_specification_spells_it() -> None:
    application = json.loads(encode(FULL.wire_members()))["application"]

    (holder,) = application["customer"]["accountHolder"]["accountHolderDetails"]
    assert holder["name"] == {"first": "Carl", "middle": "B", "last": "Sample", "salutation": "Mr.", "suffix": "Jr."}
    assert holder["dateOfBirth"] == "1980-02-29"
    assert holder["numDependents"] == 0
    assert holder["sameMailAddress"] is True
    assert holder["residenceAddress"] == {
        "country": "DEU",
        "street1": "Weg 1",
        "street2": "Haus 2",
        "city": "Köln",
        "state": "DE-NW",
        "postalCode": "50667",
    }
    assert holder["phones"] == [{"number": "1701234567", "country": "DEU", "type": "Mobile"}]
    assert holder["taxResidencies"] == [{"country": "DEU", "tin": "12345678901", "tinType": "NonUS_NationalId"}]
    assert holder["employmentDetails"]["employerBusiness"] == "Technology"
    assert application["accounts"][0]["feesTemplateName"] == "Standard"
    assert application["accounts"][0]["tradingPermissions"] == [{"country": "UNITED STATES", "product": "STOCKS"}]
    assert application["users"] == [{"externalUserId": "demo-2", "externalIndividualId": "demo-2", "prefix": "carl"}]


def test_a_payload_kept_as_json_gives_back_the_same_request() -> None:
    kept = json.loads(json.dumps(MINIMAL.model_dump(mode="json")))

    assert HybridIndividualApplication.model_validate(kept) == MINIMAL


@pytest.mark.parametrize(
    "change",
    [
        {"surprise": 1},
        {"prefix": "AB1"},
        {"email": "tester@gmail"},
        {"accounts": []},
        {"residence_address": {"country": "Germany"}},
        {"users": [{"external_user_id": "u", "external_individual_id": "someone-else", "prefix": "adaex"}]},
        {"same_mail_address": True, "mailing_address": {"country": "USA"}},
        {"employment_type": "EMPLOYED"},
        {"external_id": "x" * 65},
    ],
)
def test_an_application_ibkr_would_refuse_cannot_be_written(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        HybridIndividualApplication.model_validate(MINIMAL.model_dump() | change)


def test_success_gives_the_account_number_and_never_the_password(bench: Bench) -> None:
    bench.server.play(answer(200, SUCCESS))

    accepted = bench.client.accounts.create(MINIMAL)

    assert accepted.is_processed
    assert accepted.account_id == "U7654321"
    assert accepted.request_id == "4711"
    assert accepted.submitted_at == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert accepted.users[0].username == "adaex123"
    assert accepted.entities[0].id == "998877"
    assert accepted.pending_tasks[0].form_number == "8001"
    assert accepted.pending_tasks[0].is_required_for_approval is True
    assert "temporary" not in repr(accepted.model_dump())
    assert "temporary" not in repr(bench.exchanges)


def test_http_202_is_accepted_but_not_yet_processed(bench: Bench) -> None:
    bench.server.play(answer(202, {"requestId": 4712, "executedAt": "20261123120000 UTC"}))

    accepted = bench.client.accounts.create(MINIMAL)

    assert not accepted.is_processed
    assert accepted.request_id == "4712"
    assert accepted.account_id is None


@pytest.mark.parametrize("word", ["Error", "ERROR", "error"])
def test_http_200_with_error_is_a_refusal_with_all_of_ibkrs_sentences(bench: Bench, word: str) -> None:
    bench.server.play(answer(200, processed(status=word, error=[{"value": "A is missing"}, {"value": "B is missing"}])))

    with pytest.raises(Rejected) as caught:
        bench.client.accounts.create(MINIMAL)

    assert caught.value.reasons == ("A is missing", "B is missing")
    assert bench.server.connections == 1


@pytest.mark.parametrize(
    "words",
    [
        "Already Processed",
        "External User Id demo-1001 in User node is already in use. Please provide a different id.",
    ],
)
def test_an_id_that_is_used_is_evidence_of_presence_not_a_refusal(bench: Bench, words: str) -> None:
    bench.server.play(answer(200, processed(status="Error", error=[{"value": words}])))

    with pytest.raises(OutcomeUnknown, match="already knows") as caught:
        bench.client.accounts.create(MINIMAL)

    assert caught.value.is_known_there


def test_an_error_of_a_part_beside_an_account_number_is_no_refusal(bench: Bench) -> None:
    documents = [{"formNumber": 8001, "status": "Error", "error": [{"value": "I/O error file processing"}]}]
    made = {"accounts": [{"value": "U1234567"}], "users": [{"user": "adaex123"}]}
    partly = processed(status="Success", **made, documents=documents)
    record = {"isProcessed": True, **partly["fileData"], "hasError": False}
    bench.server.play(answer(200, partly), answer(200, record))

    with pytest.raises(OutcomeUnknown, match="names the account U1234567: I/O error file processing") as caught:
        bench.client.accounts.create(MINIMAL)
    found = bench.client.accounts.by_external_id("demo-1001")

    assert caught.value.is_known_there
    assert found is not None
    assert (found.account_id, found.errors) == ("U1234567", ("I/O error file processing",))
    assert found.users[0].username == "adaex123"


def test_a_username_that_is_taken_is_a_refusal(bench: Bench) -> None:
    words = "All usernames starting with the prefix, demo are already taken."
    bench.server.play(answer(200, processed(status="Error", error=[{"value": words}])))

    with pytest.raises(Rejected):
        bench.client.accounts.create(MINIMAL)


def test_a_failed_application_is_a_record_whatever_it_says_is_not_found(bench: Bench) -> None:
    words = "Fee template called [Gold] not found for master [F1000001]"
    failed = processed(status="Error", error=[{"value": words}])["fileData"]
    bench.server.play(answer(200, {"isProcessed": True, **failed, "hasError": True, "errorDescription": words}))

    record = bench.client.accounts.by_external_id("demo-1001")

    assert record is not None
    assert (record.is_success, record.errors, record.account_id) == (False, (words,), None)


PROBLEM = {"type": "/simple", "title": "Bad Request", "status": 400, "detail": "Contains non ASCII character."}
FIELDS = {
    "type": "/invalid-argument", "title": "Bad Request", "status": 400, "detail": "Input is not valid",
    "invalidArguments": [{"field": "externalId", "description": "must not be blank"}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, PROBLEM, Rejected),
        (400, FIELDS, Rejected),
        (415, {"anything": "at all"}, Rejected),
        (422, PROBLEM, Rejected),
        (401, {"title": "Unauthorized", "status": 401, "detail": "The access token request is invalid"}, AuthFailed),
        (403, {"title": "Forbidden", "status": 403, "detail": "insufficient scope"}, AuthFailed),
        (429, {"error": "slow down"}, RateLimited),
        (400, {}, OutcomeUnknown),
        (400, None, OutcomeUnknown),
        (404, b"<html>", OutcomeUnknown),
        (418, {"teapot": True}, OutcomeUnknown),
        (500, PROBLEM, OutcomeUnknown),
        (503, {}, OutcomeUnknown),
        (200, {}, OutcomeUnknown),
        (200, [], OutcomeUnknown),
        (200, {"requestId": 1, "fileData": {"data": {}}}, OutcomeUnknown),
        (200, processed(status="Perhaps"), OutcomeUnknown),
        (200, processed(status="Success"), OutcomeUnknown),
    ],
)
def test_each_answer_to_an_application_is_named_for_the_next_move(
    bench: Bench, status: int, body: Any, error: type
) -> None:
    bench.server.play(answer(status, body))

    with pytest.raises(Exception) as caught:  # noqa: PT011
        bench.client.accounts.create(MINIMAL)

    assert type(caught.value) is error
    assert bench.server.connections == 1


def test_invalid_arguments_are_kept_field_by_field(bench: Bench) -> None:
    bench.server.play(answer(400, FIELDS))

    with pytest.raises(Rejected) as caught:
        bench.client.accounts.create(MINIMAL)

    assert [(each.field, each.description) for each in caught.value.fields] == [("externalId", "must not be blank")]


def test_retry_after_is_passed_on(bench: Bench) -> None:
    bench.server.play(answer(429, {"error": "slow down"}, Retry_After="120"))

    with pytest.raises(RateLimited) as caught:
        bench.client.accounts.create(MINIMAL)

    assert caught.value.retry_after == 120


NODES = st.recursive(
    st.none() | st.integers() | st.sampled_from(["Success", "Error", "ERROR", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["status", "data", "application", "error", "accounts"]), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(NODES)
def test_one_error_anywhere_outweighs_every_success(node: Any) -> None:
    def states_error(value: Any, depth: int = 0) -> bool:
        if depth > 6:
            return False
        if isinstance(value, dict):
            own = isinstance(value.get("status"), str) and value["status"].lower() == "error"
            return own or any(states_error(member, depth + 1) for member in value.values())
        return isinstance(value, list) and any(states_error(item, depth + 1) for item in value)

    verdict = verdict_of({"fileData": node})

    if states_error(node):
        assert verdict is not None
        assert not verdict.is_success


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, PROBLEM),
        (200, {"hasError": True, "errorDescription": "No data found for externalId", "error": {"errorMessage": "x"}}),
        (200, {}),
        (400, {"title": "Bad Request", "status": 400, "detail": "externalId demo-1001 not found"}),
    ],
)
def test_an_unknown_external_id_is_none(bench: Bench, status: int, body: Any) -> None:
    bench.server.play(answer(status, body))

    assert bench.client.accounts.by_external_id("demo-1001") is None
    assert bench.server.received[0].target == "/gw/api/v1/accounts?externalId=demo-1001"


def test_an_internal_error_is_not_taken_for_absence(bench: Bench) -> None:
    bench.server.play(answer(200, {"hasError": True, "errorDescription": "Something broke"}))

    with pytest.raises(Rejected):
        bench.client.accounts.by_external_id("demo-1001")


def test_a_processed_application_is_found_by_its_external_id(bench: Bench) -> None:
    data = SUCCESS["fileData"]["data"]
    bench.server.play(answer(200, {"isProcessed": True, "name": "x.report", "data": data, "hasError": False}))

    record = bench.client.accounts.by_external_id("demo-1001")

    assert record is not None
    assert record.is_success is True
    assert record.account_id == "U7654321"
    assert record.users[0].username == "adaex123"


def test_a_refused_application_is_found_with_its_errors(bench: Bench) -> None:
    bench.server.play(answer(200, {"isProcessed": True, "data": ERROR["fileData"]["data"], "hasError": False}))

    record = bench.client.accounts.by_external_id("demo-1001")

    assert record is not None
    assert record.is_success is False
    assert record.errors == ("postalCode is missing", "Unsupported value. Property:'x'")


def test_an_application_still_in_work_is_known_but_undecided(bench: Bench) -> None:
    bench.server.play(
        answer(200, {"accountId": "U7654321", "requestFileName": "demo-1001.json", "responseFileName": None})
    )

    record = bench.client.accounts.by_external_id("demo-1001")

    assert record is not None
    assert record.is_success is None
    assert record.account_id == "U7654321"
    assert record.request_file == "demo-1001.json"


def test_both_spellings_of_a_tasks_flags_are_read(bench: Bench) -> None:
    tasks = [
        {
            "formNumber": 8001,
            "requiredForApproval": True,
            "onlineTask": False,
            "state": "To Be Sent",
            "action": "to send",
        },
        {
            "formNumber": 8002,
            "isRequiredForApproval": True,
            "isCompleted": False,
            "state": "Rejected .. Unreadable scan",
        },
        {
            "formNumber": "3070",
            "isRequiredForApproval": False,
            "isComplete": True,
            "dateCompleted": "2026-11-02 10:00:00",
        },
        {"formNumber": 8003, "documentRejectReason": ["Expired", "Cut off"], "action": "brand new word"},
    ]
    wrapper = {"accountId": "U1000021", "status": "P", "state": "Documents Required", "registrationTasks": tasks}
    bench.server.play(answer(200, wrapper))

    found = bench.client.accounts.tasks("U1000021")

    assert bench.server.received[0].target == "/gw/api/v1/accounts/U1000021/tasks?type=registration"
    assert found.state == "Documents Required"
    assert [task.is_required_for_approval for task in found.tasks] == [True, True, False, None]
    assert [task.is_completed for task in found.tasks] == [None, False, True, None]
    assert [task.form_number for task in found.tasks] == ["8001", "8002", "3070", "8003"]
    assert [task.reject_reason for task in found.tasks] == ["", "Unreadable scan", "", "Expired; Cut off"]
    assert found.tasks[2].date_completed == datetime(2026, 11, 2, 10, tzinfo=UTC)


def test_an_unknown_status_word_is_news_not_a_crash(bench: Bench) -> None:
    bench.server.play(
        answer(200, {"accountId": "U1000011", "status": "W", "state": "Something new", "dateOpened": "soon", "x": 1})
    )

    status = bench.client.accounts.status("U1000011")

    assert (status.status, status.state, status.date_opened) == ("W", "Something new", None)
    assert status.raw["dateOpened"] == "soon"


def test_statuses_are_read_page_by_page(bench: Bench) -> None:
    def page(first: int, count: int) -> dict[str, Any]:
        rows = [{"accountId": f"U{1000000 + index}", "status": "O"} for index in range(first, first + count)]
        return {"accounts": rows, "offset": first, "limit": 1000, "total": 1500}

    bench.server.play(answer(200, page(0, 1000)), answer(200, page(1000, 500)))

    found = bench.client.accounts.statuses(date(2022, 1, 1), date(2026, 11, 23))

    assert len(found) == 1500
    assert "offset=1000" in bench.server.received[1].target
    assert "startDate=2022-01-01" in bench.server.received[0].target


def test_details_bring_alias_and_addresses(bench: Bench) -> None:
    bench.server.play(
        answer(
            200,
            {
                "account": {
                    "accountId": "U1000011",
                    "accountAlias": "Family",
                    "baseCurrency": "USD",
                    "dateOpened": "2024-01-02",
                },
                "associatedPersons": [
                    {"entityId": 5, "residence": {"street1": "Elm 1", "city": "Bonn", "postalCode": "53111"}}
                ],
            },
        )
    )

    details = bench.client.accounts.details("U1000011")

    assert details.alias == "Family"
    assert details.persons[0].entity_id == "5"
    assert details.persons[0].residence is not None
    assert details.persons[0].residence.street1 == "Elm 1"
    assert "Elm 1" not in repr(details.raw)


def test_an_alias_change_is_one_patch_operation(bench: Bench) -> None:
    bench.server.play(answer(200, {"requestId": 5, "fileData": {"data": {"application": {"status": "Success"}}}}))

    accepted = bench.client.accounts.change(ALIAS)

    (request,) = bench.server.received
    assert (request.method, request.target) == ("PATCH", "/gw/api/v1/accounts")
    assert claims_of(request) == {
        "accountManagementRequests": {"updateAccountAlias": {"accountId": "U1000011", "accountAlias": "Family"}}
    }
    assert accepted.is_processed
    assert accepted.request_id == "5"


def test_an_address_change_names_its_holder_in_an_array_of_one() -> None:
    change = AddressChange(
        account_id="U1000011",
        external_id="demo-1001-AH",
        residence_address=Address(country="DEU", street1="Weg 1", city="Bonn", postal_code="53111"),
        same_mail_address=True,
    )

    assert change.wire_members() == {
        "newAccountHolderDetails": [
            {
                "externalId": "demo-1001-AH",
                "residenceAddress": {"country": "DEU", "street1": "Weg 1", "city": "Bonn", "postalCode": "53111"},
                "sameMailAddress": True,
            }
        ],
        "accountId": "U1000011",
        "inputLanguage": "en",
        "translation": False,
    }
    with pytest.raises(ValidationError):
        AddressChange(account_id="U1000011", external_id="demo-1001-AH")


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (
            200,
            {"fileData": {"data": {"application": {"status": "Error", "error": [{"value": "Alias too long"}]}}}},
            Rejected,
        ),
        (200, {"fileData": {"data": {"updateAccountAlias": [{"status": "ERROR", "error": "no"}]}}}, Rejected),
        (200, {"requestId": 1, "fileData": {"data": {}}}, OutcomeUnknown),
        (500, {}, OutcomeUnknown),
        (400, PROBLEM, Rejected),
    ],
)
def test_a_changes_answer_is_read_at_both_levels(bench: Bench, status: int, body: Any, error: type) -> None:
    bench.server.play(answer(status, body))

    with pytest.raises(error):
        bench.client.accounts.change(ALIAS)

    assert bench.server.connections == 1


def test_a_queued_change_is_followed_by_its_request(bench: Bench) -> None:
    bench.server.play(
        answer(202, {"requestId": 77, "executedAt": "20261123120000 UTC"}),
        answer(200, {"requestId": 77, "requestType": "x", "status": "ACCEPTED", "acctId": "U1000011"}),
        answer(404, PROBLEM),
    )

    accepted = bench.client.accounts.change(ALIAS)
    assert accepted.request_id == "77"
    assert not accepted.is_processed

    followed = bench.client.requests.status("77")
    assert followed is not None
    assert (followed.status, followed.account_id) == ("ACCEPTED", "U1000011")
    assert bench.client.requests.status("78") is None
    assert bench.server.received[1].target == "/gw/api/v1/requests/77/status?type=update"


def document(content: bytes = b"%PDF-1.7 x") -> Document:
    return Document(
        form_number=8001,
        file=DocumentFile.from_bytes("passport.pdf", content),
        signed_by=("Ada Examplewright",),
        exec_timestamp=datetime(2026, 11, 23, 12, 0, 5, tzinfo=UTC),
        exec_login_timestamp=datetime(2026, 11, 23, 11, 59, tzinfo=UTC),
        proof_of_identity_type="Passport",
        expiration_date=date(2030, 1, 1),
    )


def test_a_document_carries_the_sha1_and_length_of_exactly_its_bytes(bench: Bench) -> None:
    bench.server.play(answer(200, {"requestId": 6, "fileData": {"data": {"application": {"status": "Success"}}}}))

    bench.client.accounts.submit_documents(DocumentSubmission(account_id="U1000021", documents=(document(b"abc"),)))

    assert claims_of(bench.server.received[0]) == {
        "accountManagementRequests": {
            "documentSubmission": {
                "documents": [
                    {
                        "formNumber": 8001,
                        "signedBy": ["Ada Examplewright"],
                        "execTimestamp": 20261123120005,
                        "execLoginTimestamp": 20261123115900,
                        "proofOfIdentityType": "Passport",
                        "expirationDate": "2030-01-01",
                        "attachedFile": {
                            "fileName": "passport.pdf",
                            "fileLength": 3,
                            "sha1Checksum": "a9993e364706816aba3e25717850c26c9cd0d89d",
                        },
                        "payload": {"mimeType": "application/pdf", "data": "YWJj"},
                    }
                ],
                "accountId": "U1000021",
                "inputLanguage": "en",
                "translation": False,
            }
        }
    }
    assert "YWJj" not in repr(bench.exchanges)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a" * 20 + ".pdf", b"x"),
        ("x.exe", b"x"),
        ("noextension", b"x"),
        ("x.pdf", b""),
        ("x.pdf", b"x" * (10 * 1024 * 1024 + 1)),
    ],
    ids=["long name", "type", "no type", "empty", "11 MB"],
)
def test_a_file_ibkr_would_refuse_cannot_be_made(name: str, content: bytes) -> None:
    with pytest.raises(ValueError):
        DocumentFile.from_bytes(name, content)


def test_too_many_files_for_one_request_are_refused_before_sending(bench: Bench) -> None:
    bench.server.play(answer(200, {}))
    big = document(b"x" * (10 * 1024 * 1024))

    with pytest.raises(Unsendable, match="fewer or smaller"):
        bench.client.accounts.submit_documents(
            DocumentSubmission(account_id="U1000021", documents=(big, big.model_copy(update={"form_number": 8002})))
        )

    assert bench.server.connections == 0


def test_a_read_that_cannot_be_understood_is_unavailable(bench: Bench) -> None:
    bench.server.play(answer(200, ["not", "an", "object"]))

    with pytest.raises(Unavailable):
        bench.client.accounts.status("U1000011")
