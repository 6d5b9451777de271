"""What IBKR says about accounts and requests, in each documented shape."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from backoffice.ibkr import AuthFailed, RateLimited, Rejected, Unavailable, Unsendable
from tests.ibkr.conftest import Bench, Step, answer
from tests.ibkr.test_accounts import MINIMAL

START, END = date(2026, 1, 1), date(2026, 11, 24)
PROBLEM = {"type": "/simple", "title": "Bad Request", "status": 400, "detail": "Invalid or Missing required parameter"}
WRAPPED = {
    "hasError": True,
    "errorDescription": "Something failed",
    "error": {"hasError": True, "errorDescription": "Something failed"},
}


def statuses(first: int, count: int, **more: Any) -> Step:
    rows = [{"accountId": f"U{1_000_000 + index}", "status": "O"} for index in range(first, first + count)]
    return answer(200, {"accounts": rows, "offset": first, "limit": 1000, **more})


# ---- applications


def test_a_british_isa_brings_its_second_account_and_its_documents(bench: Bench) -> None:
    application = {
        "customer": "Isa Sample",
        "externalId": "demo-1001",
        "status": "Success",
        "accounts": [{"value": "U7000001"}],
        "users": [{"value": "isasa001", "password": "temporary"}],
        "entities": [{"value": 55, "externalId": "demo-1001-AH"}],
        "documents": [{"formNumber": 4548, "status": "Processed"}],
        "ISASatelliteAccount": {"satelliteAccountId": "U7000002"},
    }
    bench.server.play(answer(200, {"requestId": 2**41, "fileData": {"data": {"application": application}}}))

    accepted = bench.client.accounts.create(MINIMAL)

    assert accepted.request_id == "2199023255552"
    assert accepted.account_id == "U7000001"
    assert accepted.satellite_account_id == "U7000002"
    assert accepted.users[0].username == "isasa001"
    assert accepted.entities[0].id == "55"
    assert [(each.form_number, each.state) for each in accepted.documents] == [("4548", "Processed")]
    assert accepted.pending_tasks == ()
    assert "temporary" not in repr(accepted.raw)


def test_an_application_is_found_by_its_account_in_both_shapes(bench: Bench) -> None:
    data = {"application": {"status": "Success", "externalId": "demo-1001", "accounts": [{"value": "U7000001"}]}}
    bench.server.play(
        answer(200, {"accountId": "U7000001", "requestFileName": "a.json", "responseFileName": "a.json.report"}),
        answer(200, {"isProcessed": True, "name": "a.json.report", "data": data, "hasError": False}),
        answer(404, PROBLEM),
    )

    files = bench.client.accounts.by_account_id("U7000001")
    report = bench.client.accounts.by_account_id("U7000001")

    assert bench.server.received[0].target == "/gw/api/v1/accounts?accountId=U7000001"
    assert files is not None
    assert (files.is_success, files.is_processed) == (None, None)
    assert (files.request_file, files.response_file) == ("a.json", "a.json.report")
    assert report is not None
    assert (report.is_success, report.is_processed) == (True, True)
    assert (report.account_id, report.external_id) == ("U7000001", "demo-1001")
    assert bench.client.accounts.by_account_id("U7000003") is None


def test_an_application_that_is_not_processed_yet_is_undecided(bench: Bench) -> None:
    bench.server.play(answer(200, {"isProcessed": False, "name": "a.json", "data": None, "hasError": False}))

    record = bench.client.accounts.by_external_id("demo-1001")

    assert record is not None
    assert (record.is_success, record.is_processed, record.account_id) == (None, False, None)


# ---- status and requests, page by page


def test_ten_thousand_accounts_are_swept_in_ten_calls(bench: Bench) -> None:
    bench.server.play(*(statuses(first, 1000, total=10_000) for first in range(0, 10_000, 1000)))

    found = list(bench.client.accounts.all_statuses(START, END))

    assert len(found) == 10_000
    assert len({row.account_id for row in found}) == 10_000
    assert len(bench.server.received) == 10
    assert bench.server.received[9].target == (
        "/gw/api/v1/accounts/status?startDate=2026-01-01&endDate=2026-11-24&limit=1000&offset=9000"
    )


def test_pages_are_fetched_only_as_they_are_needed(bench: Bench) -> None:
    bench.server.play(statuses(0, 1000, total=5000))

    rows = bench.client.accounts.all_statuses(START, END, status="O")
    first = next(rows)

    assert first.account_id == "U1000000"
    assert len(bench.server.received) == 1
    assert bench.server.received[0].target.endswith("&status=O")


def test_an_account_that_slips_to_the_next_page_is_given_once(bench: Bench) -> None:
    bench.server.play(statuses(0, 1000, total=1500), statuses(999, 500, total=1500))

    found = [row.account_id for row in bench.client.accounts.all_statuses(START, END)]

    assert len(found) == len(set(found)) == 1499


@pytest.mark.parametrize("total", [{}, {"total": None}, {"total": "many"}])
def test_without_a_total_the_page_that_is_not_full_is_the_last(bench: Bench, total: dict[str, Any]) -> None:
    bench.server.play(statuses(0, 1000, **total), statuses(1000, 3, **total))

    assert len(bench.client.accounts.statuses(START, END)) == 1003
    assert len(bench.server.received) == 2


def test_a_list_shorter_than_its_total_ends_where_ibkr_has_no_more(bench: Bench) -> None:
    bench.server.play(statuses(0, 10, total="20"), answer(200, {"accounts": None, "total": "20"}))

    assert len(bench.client.accounts.statuses(START, END)) == 10
    assert len(bench.server.received) == 2


def test_a_list_that_does_not_end_is_given_up(bench: Bench) -> None:
    bench.server.play(statuses(0, 1, total=10_000_000))

    with pytest.raises(Unavailable, match="does not end"):
        bench.client.accounts.statuses(START, END)

    assert len(bench.server.received) == 100


@pytest.mark.parametrize(
    ("start", "end", "offset", "limit"),
    [(END, START, 0, 10), (START, END, -1, 10), (START, END, 0, 0), (START, END, 0, 1001)],
)
def test_a_page_ibkr_would_refuse_is_not_asked_for(
    bench: Bench, start: date, end: date, offset: int, limit: int
) -> None:
    bench.server.play(answer(200, {}))

    for ask in (
        bench.client.accounts.status_page,
        bench.client.requests.page,
        bench.client.accounts.login_message_page,
    ):
        with pytest.raises(Unsendable):
            ask(start, end, offset=offset, limit=limit)

    assert bench.server.connections == 0


def test_requests_are_listed_page_by_page(bench: Bench) -> None:
    def page(first: int, count: int) -> Step:
        rows = [
            {
                "requestId": 2**40 + index,
                "dateSubmitted": "20261124093000 UTC",
                "status": "PENDING",
                "accountID": f"U{index}",
                "requestType": "UPDATE_ACCOUNT_ALIAS",
            }
            for index in range(first, first + count)
        ]
        return answer(200, {"requestDetails": rows, "offset": first, "limit": 1000, "total": 1001})

    bench.server.play(page(0, 1000), page(1000, 1))

    found = list(bench.client.requests.all(START, END))

    assert len(found) == 1001
    assert bench.server.received[1].target == (
        "/gw/api/v1/requests?startDate=2026-01-01&endDate=2026-11-24&limit=1000&offset=1000"
    )
    assert (found[0].request_id, found[0].account_id) == ("1099511627776", "U0")
    assert found[0].submitted_at == datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"requestId": "77", "status": "ACCEPTED", "acctId": "U1"}, ("ACCEPTED", True, "U1")),
        ({"requestId": 77, "status": "REJECTED", "accountID": "U1"}, ("REJECTED", False, "U1")),
        ({"requestId": 77, "status": "REMOVED", "message": "replaced"}, ("REMOVED", None, None)),
        ({"requestId": 77, "status": "PENDING"}, ("PENDING", None, None)),
        ({"requestId": 77, "fileData": {"data": {"application": {"status": "Error"}}}}, ("Error", False, None)),
        ({"requestId": 77, "fileData": {"data": {"application": {"status": "success"}}}}, ("Success", True, None)),
    ],
)
def test_either_kind_of_request_may_be_answered_in_either_form(
    bench: Bench, body: dict[str, Any], expected: tuple[str, bool | None, str | None]
) -> None:
    bench.server.play(answer(200, body))

    for kind in ("update", "response"):
        found = bench.client.requests.status("77", "update" if kind == "update" else "response")
        assert found is not None
        assert (found.status, found.is_success, found.account_id) == expected
        assert found.request_id == "77"

    assert bench.server.received[1].target == "/gw/api/v1/requests/77/status?type=response"


@pytest.mark.parametrize("status", [404, 400])
def test_a_request_ibkr_does_not_know_is_none(bench: Bench, status: int) -> None:
    field = {"field": "requestId", "description": "Invalid or Missing required parameter"}
    bench.server.play(answer(status, PROBLEM | {"status": status, "invalidArguments": [field]}))

    assert bench.client.requests.status("77") is None


def test_an_application_that_was_queued_brings_its_account_later(bench: Bench) -> None:
    node = {
        "status": "Success",
        "accounts": [{"value": "U7000001", "externalId": "demo-1001-AC"}],
        "pendingTasks": [{"formNumber": 8001, "isRequiredForApproval": True}],
    }
    bench.server.play(answer(200, {"requestId": 77, "fileData": {"data": {"application": node}}}))

    found = bench.client.requests.status("77", "response")

    assert found is not None
    assert found.accounts[0].account_id == "U7000001"
    assert found.pending_tasks[0].form_number == "8001"


# ---- tasks


def test_a_pending_task_brings_its_link_its_questions_and_its_person(bench: Bench) -> None:
    task = {
        "taskNumber": 3,
        "formNumber": 8137,
        "entityId": 12,
        "url": "https://au10tix.example/x",
        "au10tixCreatedDate": "2026-11-23 08:00:00.0",
        "au10tixExpiryDate": "2026-11-24T08:00:00-05",
        "questionIds": [2**40, "7", None],
        "documentRejectReason": ["Cut off", None, " "],
        "onlineTask": True,
        "requiredForTrading": False,
    }
    bench.server.play(answer(200, {"accountId": "U1", "pendingTasks": [task], "pendingTaskPresent": True}))

    found = bench.client.accounts.tasks("U1", "pending").tasks[0]

    assert found.link_created == datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert found.expires == datetime(2026, 11, 24, 13, tzinfo=UTC)
    assert found.question_ids == ("1099511627776", "7")
    assert found.reject_reasons == ("Cut off",)
    assert (found.is_online, found.is_required_for_trading, found.entity_id) == (True, False, "12")
    assert "au10tix.example" not in repr(found)


@pytest.mark.parametrize("listed", [None, [], "none"])
def test_an_account_without_tasks_has_none(bench: Bench, listed: Any) -> None:
    bench.server.play(answer(200, {"accountId": "U1", "registrationTasks": listed, "registrationTaskPresent": False}))

    assert bench.client.accounts.tasks("U1").tasks == ()


# ---- identity links and login messages


def test_an_identity_link_is_personal_and_ends(bench: Bench) -> None:
    bench.server.play(
        answer(
            200,
            {
                "startDate": "2026-11-24T12:00:00Z",
                "expiryDate": "20261125120000 UTC",
                "url": "https://au10tix.example/secret",
                "externalId": "demo-1001-AH",
                "entityId": 12,
                "state": "To Be Submitted",
                "error": None,
                "hasError": False,
            },
        )
    )

    link = bench.client.accounts.kyc("U1000021")

    assert bench.server.received[0].target == "/gw/api/v1/accounts/U1000021/kyc"
    assert link.url == "https://au10tix.example/secret"
    assert link.expires == datetime(2026, 11, 25, 12, tzinfo=UTC)
    assert (link.entity_id, link.external_id, link.state) == ("12", "demo-1001-AH", "To Be Submitted")
    assert "secret" not in repr(link)
    assert "secret" not in repr(link.raw)
    assert "secret" not in repr(bench.exchanges)


def test_an_identity_that_is_proven_has_no_link(bench: Bench) -> None:
    bench.server.play(answer(200, {"url": None, "state": "Completed", "hasError": False}))

    assert bench.client.accounts.kyc("U1000021").url == ""


@pytest.mark.parametrize("url", ["http://au10tix.example/x", "javascript:alert(1)", "//au10tix.example", "https://"])
def test_a_link_that_is_not_safe_is_not_given_to_a_client(bench: Bench, url: str) -> None:
    bench.server.play(answer(200, {"url": url}))

    with pytest.raises(Unavailable, match="not safe"):
        bench.client.accounts.kyc("U1000021")


MESSAGE = {
    "id": 7,
    "username": "adaex001",
    "messageType": "ACK_AGREEMENT_UPDATE",
    "contentId": 102,
    "state": "PENDING",
    "description": "An agreement has been updated.",
    "recordDate": "2026-11-02T10:00:00Z",
    "tasks": [3070, "3071"],
}


def test_login_messages_say_what_would_complete_them(bench: Bench) -> None:
    rows = [MESSAGE, MESSAGE | {"id": 8, "messageType": "W8INFO"}, {"id": 9, "type": "MIFIR_INFO", "tasks": None}, "x"]
    bench.server.play(
        answer(
            200,
            {"accountId": "U1", "clearingStatus": "O", "loginMessages": rows, "loginMessagePresent": True, "new": 1},
        )
    )

    found = bench.client.accounts.login_messages("U1", kind="W8INFO")

    assert bench.server.received[0].target == "/gw/api/v1/accounts/U1/login-messages?type=W8INFO"
    assert (found.account_id, found.are_present) == ("U1", True)
    assert [message.id for message in found.messages] == ["7", "8", "9"]
    assert [message.is_answered_by_documents for message in found.messages] == [True, False, False]
    assert [message.is_answered_by_tax_form for message in found.messages] == [False, True, False]
    assert found.messages[0].tasks == ("3070", "3071")
    assert found.messages[0].recorded == datetime(2026, 11, 2, 10, tzinfo=UTC)
    assert found.messages[2].type == "MIFIR_INFO"


@pytest.mark.parametrize(
    "body",
    [
        {"accountId": "F1", "loginMessages": [MESSAGE]},
        [{"accountId": "U1", "loginMessages": [MESSAGE]}],
        {"accounts": [{"accountId": "U1", "loginMessages": [MESSAGE]}], "total": 1},
    ],
)
def test_messages_of_all_accounts_are_read_in_each_possible_form(bench: Bench, body: Any) -> None:
    bench.server.play(answer(200, body))

    found = list(bench.client.accounts.all_login_messages(START, END, kind="W8INFO"))

    assert [(message.id, message.username) for message in found] == [("7", "adaex001")]
    assert bench.server.received[0].target == (
        "/gw/api/v1/accounts/login-messages?startDate=2026-01-01&endDate=2026-11-24&limit=1000&offset=0&type=W8INFO"
    )


@pytest.mark.parametrize("body", [{}, [], {"loginMessages": None, "loginMessagePresent": False}])
def test_no_messages_are_none(bench: Bench, body: Any) -> None:
    bench.server.play(answer(200, body))

    assert list(bench.client.accounts.all_login_messages(START, END)) == []


# ---- details


DETAILS: dict[str, Any] = {
    "account": {
        "accountId": "U1000011", "masterAccountId": "F1000001", "mainAccount": "U1000010", "primaryUser": "adaex001",
        "clearingStatus": "O", "stateCode": "O", "optionLevel": "2", "baseCurrency": "EUR", "equity": 1250.75,
        "dateOpened": "20240102", "dateFunded": "2024-01-05 00:00:00.0", "dateLinked": "N/A", "feeTemplate": {"name": "Gold"},
        "capabilities": {"approved": ["STK", "OPT"]}, "investmentObjectives": ["Growth", "Trading"], "riskScore": 3,
        "mailing": {}, "registeredAddress": {"street": "Elm 1", "zip": "53111", "country": "DEU"},
        "stockYieldProgram": None, "taxIds": [{"country": "DEU", "tin": "12345678901"}, None], "signatures": ["Ada E"],
    },
    "associatedPersons": [
        {
            "entityId": 5, "externalCode": "demo-AH", "firstName": "Ada", "middleInitial": "Q", "lastName": "Example",
            "username": "adaex001", "userStatusTrading": "O", "lastLogin": "2026-11-23 08:15:00", "phones": {"Mobile": "+49 170"},
            "dateOfBirth": "1980-02-29", "numberOfDependents": 2, "residence": {"street_1": "Elm 1", "city": "Bonn"},
            "mailing": None, "associations": "Account Holder", "identityDocuments": [{"type": "PASSPORT", "number": "X1"}],
            "motersMaidenName": "Secret",
        },
    ],
    "associatedEntities": [
        {"entityId": 9, "name": "Sample Trust", "AssociatedPersons": [{"entityId": 10, "lastName": "Trustee"}]},
    ],
    "financialInformation": {"netWorth": "100,000", "liquidNetWorth": None, "investmentExperience": [{"assetClass": "STK"}]},
    "sourcesOfWealth": [{"sourceType": "SOW-IND-Income", "percentage": 100}],
    "tradeBundles": ["US-Sec"], "marketData": None, "withHoldingStatement": {"status": "x"},
    "individualIRABeneficiaries": [{"firstName": "Bea", "ownership": 60}],
    "entityIRABeneficiaries": [{"name": "Charity", "entityType": "CHARITY"}],
    "decedents": [], "restrictions": [{"id": 4, "byIB": True, "name": "Close only"}, "x"],
    "hasError": False,
}  # fmt: skip


def test_details_tell_the_whole_account(bench: Bench) -> None:
    bench.server.play(answer(200, DETAILS))

    details = bench.client.accounts.details("U1000011")

    assert (details.main_account_id, details.option_level, details.equity) == ("U1000010", 2, Decimal("1250.75"))
    assert details.date_opened == datetime(2024, 1, 2, tzinfo=UTC)
    assert details.date_funded == datetime(2024, 1, 5, tzinfo=UTC)
    assert details.date_linked is None
    assert (details.fee_template, details.capabilities) == ({"name": "Gold"}, {"approved": ["STK", "OPT"]})
    assert details.investment_objectives == ("Growth", "Trading")
    assert details.stock_yield_program == {}
    assert details.registered_address is not None
    assert (details.registered_address.street1, details.registered_address.postal_code) == ("Elm 1", "53111")
    assert details.mailing is None
    assert details.tax_ids == ({"country": "DEU", "tin": "12345678901"},)
    assert details.trade_bundles == ("US-Sec",)
    assert details.market_data == ()
    assert [(heir.first_name or heir.name, heir.share) for heir in details.beneficiaries] == [
        ("Bea", 60),
        ("Charity", None),
    ]
    assert [(each.name, each.is_by_ibkr) for each in details.restrictions] == [("Close only", True)]
    assert details.financial is not None
    assert (details.financial.net_worth, details.financial.liquid_net_worth) == (Decimal(100000), None)


def test_details_tell_of_people_and_firms(bench: Bench) -> None:
    bench.server.play(answer(200, DETAILS))

    details = bench.client.accounts.details("U1000011")

    (person,) = details.persons
    assert (person.entity_id, person.external_id, person.middle_name) == ("5", "demo-AH", "Q")
    assert person.last_login == datetime(2026, 11, 23, 8, 15, tzinfo=UTC)
    assert (person.date_of_birth, person.dependents) == (date(1980, 2, 29), 2)
    assert person.phones == {"Mobile": "+49 170"}
    assert person.residence is not None
    assert (person.residence.street1, person.mailing) == ("Elm 1", None)
    assert person.associations == ("Account Holder",)
    (firm,) = details.entities
    assert (firm.name, firm.persons[0].last_name) == ("Sample Trust", "Trustee")


def test_what_is_kept_of_details_holds_nothing_private(bench: Bench) -> None:
    bench.server.play(answer(200, DETAILS))

    details = bench.client.accounts.details("U1000011")

    for kept in (repr(details), repr(details.raw), repr(bench.exchanges)):
        for private in ("Elm 1", "12345678901", "+49 170", "Secret", "X1", "1980"):
            assert private not in kept


@pytest.mark.parametrize("broken", [None, [], "x", 5])
def test_details_with_parts_that_are_not_what_they_should_be_are_still_read(bench: Bench, broken: Any) -> None:
    account = {
        "accountId": "U1",
        "investmentObjectives": broken,
        "capabilities": broken,
        "taxIds": broken,
        "equity": {},
    }
    bench.server.play(answer(200, dict.fromkeys(DETAILS, broken) | {"account": account, "hasError": False}))

    details = bench.client.accounts.details("U1")

    assert (details.account_id, details.equity, details.capabilities, details.persons) == ("U1", None, {}, ())


# ---- errors


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, WRAPPED, Rejected),
        (200, {"hasError": True}, Rejected),
        (200, b"<html>", Unavailable),
        (200, b"", Unavailable),
        (200, 5, Unavailable),
        (400, PROBLEM, Rejected),
        (401, {"title": "Unauthorized", "status": 401, "detail": "The access token request is invalid"}, AuthFailed),
        (403, {"title": "Forbidden", "status": 403, "detail": "insufficient scope"}, AuthFailed),
        (415, {"anything": {}}, Rejected),
        (429, {}, RateLimited),
        (500, {"type": "/simple", "title": "Internal Server Error", "status": 500}, Unavailable),
        (503, b"down", Unavailable),
    ],
)
def test_each_read_fails_in_the_same_words(bench: Bench, status: int, body: Any, error: type) -> None:
    bench.server.play(answer(status, body))
    accounts, requests = bench.client.accounts, bench.client.requests
    reads = [
        lambda: accounts.status("U1"),
        lambda: accounts.status_page(START, END),
        lambda: accounts.tasks("U1"),
        lambda: accounts.details("U1"),
        lambda: accounts.kyc("U1"),
        lambda: accounts.login_messages("U1"),
        lambda: accounts.login_message_page(START, END),
        lambda: accounts.by_account_id("U1"),
        lambda: requests.page(START, END),
        lambda: requests.status("7"),
    ]

    for read in reads:
        with pytest.raises(error):
            read()
