"""The operations of `PATCH /accounts`: their rules, their times in New York, and what the account shows afterwards."""

import json
from pathlib import Path
from typing import Any

import pytest

from backoffice.sandbox import changes
from tests.sandbox.support import Caller, errors, open_account, outcome
from tests.sandbox.test_forms import published
from tests.sandbox.test_review import paper

WEDNESDAY_TEN = "2026-06-10T14:00:00+00:00"  # 10:00 in New York
HOUR = 3600
RICH = {"netWorth": 6_000_000, "liquidNetWorth": 2_000_000, "annualNetIncome": 300_000}


@pytest.fixture
def noon(caller: Caller) -> Caller:
    """A fresh world whose clock stands at ten on a Wednesday morning in New York."""
    caller.control("POST", "reset", {"at": WEDNESDAY_TEN})
    caller.config(enforce_pacing=False, enforce_maintenance=False)
    return caller


def details(caller: Caller, number: str = "U1000011") -> dict[str, Any]:
    return dict(caller.get(f"/accounts/{number}/details").json())


def account(caller: Caller, number: str = "U1000011") -> dict[str, Any]:
    return dict(details(caller, number)["account"])


def status(caller: Caller, number: str) -> str:
    return str(caller.get(f"/accounts/{number}/status").json()["status"])


def done(answer: Any) -> None:
    assert answer.status_code == 200, answer.text
    assert outcome(answer)["status"] == "Success", answer.text


def later(answer: Any) -> int:
    assert answer.status_code == 202, answer.text
    return int(answer.json()["requestId"])


def request_status(caller: Caller, request: int) -> str:
    return str(caller.get(f"/requests/{request}/status", type="update").json()["status"])


def empty_open_account(caller: Caller, ext: str = "c-1", **changes: Any) -> str:
    number = open_account(caller, ext, **changes)
    caller.advance(600)
    assert status(caller, number) == "O"
    return number


@pytest.mark.parametrize(
    "operation",
    [
        "updateAccountAlias", "changeBaseCurrency", "changeFinancialInformation", "changeMarginType", "addTradingPermissions",
        "removeTradingPermissions", "addCLPCapability", "addLevFxCapability", "accreditedInvestor", "applyFeeTemplate",
        "accountConfiguration", "enrollInSyep", "leaveSyep", "enrollInDrip", "leaveDrip", "addMiFirData", "updateTaxForm",
        "updatePropertyProfile", "addNewUser", "createUser", "duplicateAccount", "allocateVan", "completeLoginMessage",
        "accountClose", "updateAccountRepresentatives", "addAdditionalAccount",
    ],
)  # fmt: skip
def test_updates_are_for_open_accounts(steady: Caller, operation: str) -> None:
    assert errors(steady.patch(operation, {"accountId": "U1000022"})) == ["Account U1000022 is not open"]


def test_every_operation_of_the_document_is_known() -> None:
    known = json.loads((Path(changes.__file__).parents[1] / "data" / "payloads.json").read_text(encoding="utf-8"))[
        "types"
    ]

    assert known["AccountManagementRequests"].keys() == changes.ALL.keys() | {"processDocuments"}


def test_an_answer_can_be_made_asynchronous_or_not(noon: Caller) -> None:
    alias = {"accountId": "U1000011", "accountAlias": "a"}
    noon.config(asynchronous_changes=True)
    request = later(noon.patch("updateAccountAlias", alias))
    assert request_status(noon, request) == "ACCEPTED"
    assert noon.get(f"/requests/{request}/status", type="response").json()["requestId"] == request
    noon.config(asynchronous_changes=False)
    done(noon.patch("changeBaseCurrency", {"accountId": "U1000011", "newBaseCurrency": "EUR"}))
    noon.config(asynchronous_changes=None)
    later(noon.patch("changeBaseCurrency", {"accountId": "U1000011", "newBaseCurrency": "EUR"}))


def test_changes_can_be_made_fast(noon: Caller) -> None:
    noon.config(change_times="fast")
    request = later(noon.patch("changeBaseCurrency", {"accountId": "U1000011", "newBaseCurrency": "EUR"}))

    noon.advance(46)

    assert request_status(noon, request) == "ACCEPTED"
    assert account(noon)["baseCurrency"] == "EUR"


def test_a_new_base_currency_is_in_force_the_next_business_day(noon: Caller) -> None:
    later(noon.patch("changeBaseCurrency", {"accountId": "U1000011", "newBaseCurrency": "EUR"}))

    noon.advance(14 * HOUR - 1)
    assert account(noon)["baseCurrency"] == "USD"
    noon.advance(1)
    assert account(noon)["baseCurrency"] == "EUR"
    assert errors(noon.patch("changeBaseCurrency", {"accountId": "U1000011", "newBaseCurrency": "XXX"})) == [
        "Account base currency is either missing or is invalid."
    ]


def close(caller: Caller, number: str) -> Any:
    return caller.patch("accountClose", {"accountId": number, "closeReason": "Moves abroad"})


def test_an_empty_account_closes_at_once_in_the_morning(noon: Caller) -> None:
    number = empty_open_account(noon)

    done(close(noon, number))

    assert status(noon, number) == "C"
    assert noon.get(f"/accounts/{number}/status").json()["dateClosed"]


def test_an_account_closes_the_next_morning_outside_the_window(noon: Caller) -> None:
    number = empty_open_account(noon)
    noon.advance(2 * HOUR)

    request = later(close(noon, number))

    noon.advance(19 * HOUR)
    assert (status(noon, number), request_status(noon, request)) == ("O", "PENDING")
    noon.advance(HOUR)
    assert (status(noon, number), request_status(noon, request)) == ("C", "ACCEPTED")


def test_a_funded_account_is_not_closed(noon: Caller) -> None:
    assert errors(close(noon, "U1000011")) == ["Account U1000011 cannot be closed: its balance is not zero"]


def test_money_that_arrives_before_the_closing_stops_it(noon: Caller) -> None:
    number = empty_open_account(noon)
    noon.advance(2 * HOUR)
    request = later(close(noon, number))

    noon.transfer("DEPOSIT", accountId=number, currency="USD", amount=100, bankInstructionMethod="WIRE")
    noon.advance(HOUR)
    noon.advance(23 * HOUR)

    assert (status(noon, number), request_status(noon, request)) == ("O", "REJECTED")


def test_a_closed_account_reopens_when_its_client_has_signed(noon: Caller) -> None:
    number = empty_open_account(noon)
    close(noon, number)
    username = account(noon, number)["primaryUser"]

    done(noon.patch("reopenAccount", {"accountId": number}))
    assert status(noon, number) == "E"
    url = noon.post("/sso-browser-sessions", {"credential": username, "ip": "127.0.0.1"}).json()["url"]
    page = noon.http.get(url, timeout=10).text
    action = page.split('action="')[1].split('"')[0]
    noon.http.post(noon.url + action, timeout=10)

    assert status(noon, number) == "O"


def test_an_application_is_abandoned_and_reset_within_six_months(noon: Caller) -> None:
    noon.config(auto_finish_seconds=0)
    number = open_account(noon, "c-2")

    done(noon.patch("abandonAccount", {"accountId": number}))
    assert status(noon, number) == "A"
    done(noon.patch("resetAbandonedAccount", {"accountId": number}))
    assert status(noon, number) == "N"
    done(noon.patch("abandonAccount", {"accountId": number}))
    noon.advance(184 * 86400)
    assert errors(noon.patch("resetAbandonedAccount", {"accountId": number})) == [
        f"Account {number} was abandoned more than 6 months ago"
    ]


def test_only_pending_accounts_are_abandoned_and_only_abandoned_ones_reset(steady: Caller) -> None:
    assert errors(steady.patch("abandonAccount", {"accountId": "U1000011"})) == ["Account U1000011 is not pending"]
    assert errors(steady.patch("resetAbandonedAccount", {"accountId": "U1000011"})) == [
        "Account U1000011 is not abandoned"
    ]


def test_an_application_without_activity_is_abandoned_after_135_days(noon: Caller) -> None:
    noon.config(auto_finish_seconds=0)
    number = open_account(noon, "c-3")

    noon.advance(134 * 86400)
    assert status(noon, number) == "N"
    noon.advance(2 * 86400)
    assert status(noon, number) == "A"


def test_a_new_external_id_frees_the_old_one_for_another_application(noon: Caller) -> None:
    number = open_account(noon, "c-4")
    noon.patch("abandonAccount", {"accountId": number})

    done(noon.patch("updateExternalId", {"accountId": number, "newExternalId": "c-4-old"}))

    assert account(noon, number)["externalId"] == "c-4-old"
    assert noon.get("/accounts", externalId="c-4").json()["isProcessed"] is False
    assert open_account(noon, "c-4") != number
    assert errors(noon.patch("updateExternalId", {"accountId": number, "newExternalId": "c-4"})) == [
        "Already Processed"
    ]


def test_a_new_region_is_immediate_and_a_new_product_takes_a_business_day(noon: Caller) -> None:
    region = [{"country": "BELGIUM", "product": "STOCKS"}]
    done(noon.patch("addTradingPermissions", {"accountId": "U1000011", "tradingPermissions": region}))
    assert "BELGIUM STOCKS" in details(noon)["tradeBundles"]

    options = {"accountId": "U1000011", "tradingPermissions": [{"exchangeGroup": "US-SecOpt"}]}
    request = later(noon.patch("addTradingPermissions", options))
    noon.advance(31 * HOUR - 1)
    assert request_status(noon, request) == "PENDING"
    noon.advance(1)
    assert request_status(noon, request) == "ACCEPTED"
    assert "US-SecOpt" in account(noon)["capabilities"]["approved"]


@pytest.mark.parametrize(
    ("permission", "text"),
    [
        ({"exchangeGroup": "US-Sec"}, "Account U1000011 has the trading permission US-Sec already"),
        ({"exchangeGroup": "US-SEC"}, "Unsupported value. Property:'exchangeGroup', value:'US-SEC'"),
        ({"country": "AUSTRIA", "product": "WARRANTS"}, "Unsupported value. Property:'product', value:'WARRANTS'"),
        ({"country": "AUSTRIA", "product": "STK"}, "Unsupported value. Property:'product', value:'STK'"),
        ({"country": "AUSTRIA"}, "Trading Permissions need an exchangeGroup, or a country and a product."),
    ],
)
def test_a_permission_that_cannot_be_added(steady: Caller, permission: dict[str, str], text: str) -> None:
    operation = {"accountId": "U1000011", "tradingPermissions": [permission]}

    assert errors(steady.patch("addTradingPermissions", operation)) == [text]


def test_a_permission_is_removed_at_five_or_the_next_day(noon: Caller) -> None:
    remove = {"accountId": "U1000011", "tradingPermissions": [{"exchangeGroup": "EU-Sec"}]}
    later(noon.patch("removeTradingPermissions", remove))
    noon.advance(7 * HOUR - 1)
    assert "EU-Sec" in details(noon)["tradeBundles"]
    noon.advance(1)
    assert details(noon)["tradeBundles"] == ["US-Sec"]

    later(noon.patch("removeTradingPermissions", {**remove, "tradingPermissions": [{"exchangeGroup": "US-Sec"}]}))
    noon.advance(24 * HOUR - 1)
    assert details(noon)["tradeBundles"] == ["US-Sec"]
    noon.advance(1)
    assert details(noon)["tradeBundles"] == []


def margin(caller: Caller, wanted: str, number: str = "U1000012") -> Any:
    return caller.patch("changeMarginType", {"accountId": number, "newMargin": wanted})


def test_margin_is_upgraded_within_two_business_days(noon: Caller) -> None:
    later(margin(noon, "RegT"))
    noon.advance(31 * HOUR)

    assert account(noon, "U1000012")["margin"] == "RegT"
    assert errors(margin(noon, "Margin")) == ["Margin of account U1000012 can only be upgraded"]
    assert errors(margin(noon, "Cash")) == ["Unsupported value. Property:'newMargin', value:'Cash'"]
    assert errors(margin(noon, "PortfolioMargin")) == ["Portfolio margin needs permission to trade options"]


def test_an_account_without_equity_gets_no_margin(noon: Caller) -> None:
    number = empty_open_account(noon, "c-5")

    assert errors(margin(noon, "RegT", number)) == ["Net liquidation value must be at least USD 2,000"]
    assert errors(margin(noon, "PORTFOLIOMARGIN", number)) == [
        "Net liquidation value must be at least USD 110,000",
        "Portfolio margin needs permission to trade options",
    ]


def risk_disclosure(caller: Caller, signer: str) -> dict[str, Any]:
    return paper(4155, name="Form4155.pdf", content=published(caller, 4155), signer=signer)


def test_complex_products_need_form_4155(noon: Caller) -> None:
    bare = {"accountId": "U1000011"}
    assert errors(noon.patch("addCLPCapability", bare)) == [
        "Form 4155 must be signed before complex or leveraged products can be added"
    ]

    later(noon.patch("addCLPCapability", {**bare, "documents": [risk_disclosure(noon, "Marianne Holloway")]}))
    noon.advance(31 * HOUR)

    assert "CLP" in account(noon)["capabilities"]["approved"]
    assert errors(noon.patch("addCLPCapability", bare)) == ["Account U1000011 has the capability CLP already"]


def test_form_4155_may_be_submitted_before(noon: Caller) -> None:
    document = risk_disclosure(noon, "Marianne Holloway")
    done(noon.patch("documentSubmission", {"accountId": "U1000011", "documents": [document]}))

    later(noon.patch("addCLPCapability", {"accountId": "U1000011"}))


def test_financial_information_is_shown_after_a_business_day_and_knowledge_never_falls(noon: Caller) -> None:
    def change(**new: Any) -> Any:
        return noon.patch("changeFinancialInformation", {"accountId": "U1000011", "newFinancialInformation": new})

    stocks = {"assetClass": "STK", "yearsTrading": 7, "tradesPerYear": 20, "knowledgeLevel": "Extensive"}
    request = later(change(**RICH, investmentExperience=[stocks], investmentObjectives=["Growth", "Trading"]))
    noon.advance(31 * HOUR)

    assert request_status(noon, request) == "ACCEPTED"
    assert details(noon)["financialInformation"] == RICH
    assert account(noon)["investmentObjectives"] == ["Growth", "Trading"]
    assert errors(change(investmentExperience=[{**stocks, "knowledgeLevel": "Good"}])) == [
        "Knowledge level of asset class STK cannot be lowered"
    ]
    assert len(errors(change(netWorth=100_000, liquidNetWorth=200_000))) == 1


def test_accredited_investors_need_a_million(noon: Caller) -> None:
    operation = {"accountId": "U1000011", "status": True, "signedBy": ["Marianne Holloway"]}
    assert errors(noon.patch("accreditedInvestor", operation)) == [
        "Accredited investors need a net worth of at least 1,000,000"
    ]
    noon.patch("changeFinancialInformation", {"accountId": "U1000011", "newFinancialInformation": RICH})
    noon.advance(31 * HOUR)

    done(noon.patch("accreditedInvestor", {**operation, "qualifiedPurchaser": {"status": True}}))
    assert errors(noon.patch("accreditedInvestor", {**operation, "signedBy": ["M Holloway"]})) == [
        "Signature not accepted."
    ]


def lite(caller: Caller, value: bool) -> Any:
    return caller.patch("accountConfiguration", {"accountId": "U1000011", "type": "LiteExecution", "value": value})


def test_lite_and_pro_are_switched_three_times_in_90_days(noon: Caller) -> None:
    for value in (True, False, True):
        later(lite(noon, value))
        noon.advance(24 * HOUR)

    assert errors(lite(noon, False)) == [
        "Request cannot be processed. You have exceeded the limit of three subscription changes per 90-day period."
        " Please wait 90 days from your first change request before resubmitting."
    ]
    noon.advance(88 * 86400)
    later(lite(noon, False))


def test_the_yield_program_is_joined_by_five_and_not_again_for_90_days(noon: Caller) -> None:
    def program() -> str:
        return str(account(noon)["stockYieldProgram"]["status"])

    later(noon.patch("enrollInSyep", {"accountId": "U1000011"}))
    noon.advance(7 * HOUR)
    assert program() == "ENROLLED"
    later(noon.patch("leaveSyep", {"accountId": "U1000011"}))
    noon.advance(24 * HOUR)
    assert program() == "NOT_ENROLLED"
    assert errors(noon.patch("enrollInSyep", {"accountId": "U1000011"})) == [
        "Accounts that left the Stock Yield Enhancement Program may enroll again after 90 days"
    ]
    noon.advance(90 * 86400)
    later(noon.patch("enrollInSyep", {"accountId": "U1000011"}))


def test_dividends_are_reinvested_when_asked_for(noon: Caller) -> None:
    done(noon.patch("enrollInDrip", {"accountId": "U1000011"}))
    assert account(noon)["dividendReinvestment"] == {"enrolled": True}
    done(noon.patch("leaveDrip", {"accountId": "U1000011"}))
    assert account(noon)["dividendReinvestment"] == {"enrolled": False}


def template(caller: Caller, name: str) -> Any:
    return caller.patch("applyFeeTemplate", {"accountId": "U1000011", "templateName": name})


def test_a_fee_template_waits_for_the_client_and_a_lower_one_does_not(noon: Caller) -> None:
    request = later(template(noon, "Standard"))
    noon.advance(5 * 86400)
    assert request_status(noon, request) == "PENDING"
    assert account(noon)["feeTemplate"] == {"strategy": "AUTOMATED"}

    url = noon.post("/sso-browser-sessions", {"credential": "marih001", "ip": "127.0.0.1"}).json()["url"]
    action = noon.http.get(url, timeout=10).text.split('action="')[1].split('"')[0]
    noon.http.post(noon.url + action, timeout=10)

    assert request_status(noon, request) == "ACCEPTED"
    assert account(noon)["feeTemplate"] == {"template": "Standard", "effectiveDate": "2026-06-16"}
    done(template(noon, "Institutional"))
    later(template(noon, "Household"))


def test_a_client_may_refuse_a_fee_template(noon: Caller) -> None:
    request = later(template(noon, "Standard"))

    noon.control("POST", "acknowledgements", {"account": "U1000011", "accept": False})

    assert request_status(noon, request) == "REJECTED"
    assert errors(template(noon, "standard")) == ["Fee template called [standard] not found for master [F1000001]"]


def test_an_email_changes_in_three_steps_with_mailed_tokens(noon: Caller) -> None:
    def step(token: str | None = None, email: str = "marianne.new@example.com") -> Any:
        new = {"email": email, "access": True, **({"token": token} if token else {})}
        return noon.patch("updateCredentials", [{"referenceUserName": "marih001", "updateEmail": new}])

    def mailed(to: str) -> str:
        return str(noon.control("GET", "mail", to=to)["mail"][-1]["token"])

    done(step())
    assert errors(step("wrong")) == ["The token is invalid"]
    old = mailed("marianne.holloway@example.com")
    done(step(old))
    assert errors(step(old)) == ["The token is invalid"]
    assert account(noon)["emailAddress"] == "marianne.holloway@example.com"
    done(step(mailed("marianne.new@example.com")))

    assert account(noon)["emailAddress"] == "marianne.new@example.com"
    assert details(noon)["associatedPersons"][0]["email"] == "marianne.new@example.com"


@pytest.mark.parametrize(
    ("new", "text"),
    [
        (
            {"email": "x@example.com", "access": False},
            "Users without access to their current email must change it in the portal",
        ),
        ({"email": "tester@gmail", "access": True}, "Email tester@gmail is invalid."),
        ({"email": "x@example.com", "access": True, "token": "t"}, "No change to this email address was requested"),
        ({"email": "x@example.com", "hasAccess": True}, "Unrecognized property:'hasAccess'"),
    ],
)
def test_an_email_change_that_is_refused(steady: Caller, new: dict[str, Any], text: str) -> None:
    assert errors(steady.patch("updateCredentials", {"referenceUserName": "marih001", "updateEmail": new})) == [text]


def test_a_new_address_asks_for_a_tax_form_and_a_new_tax_form_ends_that(noon: Caller) -> None:
    home = {"street1": "9 Mill Lane", "city": "Hartford", "state": "CT", "postalCode": "06101", "country": "USA"}
    holder = {"externalId": "demo-0011-AH", "residenceAddress": home, "sameMailAddress": True}
    later(noon.patch("changeAccountHolderDetail", {"accountId": "U1000011", "newAccountHolderDetails": [holder]}))
    noon.advance(46)
    assert noon.get("/accounts/U1000011/status").json()["state"] == "Documents Required"

    bare = {"name": "Marianne Holloway", "customerType": "Individual", "tin": "987654320", "tinType": "SSN"}
    w9 = {**bare, "cert1": True, "cert2": True, "cert3": True}
    form = paper(5002, name="Form5002.pdf", content=published(noon, 5002), signer="Marianne Holloway")
    operation = {"accountId": "U1000011", "externalId": "demo-0011-AH", "w9": w9}
    assert errors(noon.patch("updateTaxForm", operation)) == ["Form 5002 is not attached"]
    assert errors(noon.patch("updateTaxForm", {**operation, "w9": bare, "documents": [form]})) == [
        f"cert{number} is missing in FormW9 for Account Holder" for number in (1, 2, 3)
    ]
    done(noon.patch("updateTaxForm", {**operation, "documents": [form]}))

    assert noon.get("/accounts/U1000011/status").json()["state"] == "Open"


def test_a_renewed_tax_form_ends_its_login_message(noon: Caller) -> None:
    form = paper(5001, name="Form5001.pdf", content=published(noon, 5001), signer="Friederike Sonnwald")
    w8ben = {"name": "Friederike Sonnwald", "foreignTaxId": "12345678901", "part29ACountry": "DEU", "cert": True}
    operation = {"accountId": "U1000013", "w8Ben": w8ben, "documents": [form]}

    done(noon.patch("updateTaxForm", operation))

    assert noon.get("/accounts/U1000013/login-messages").json()["loginMessagePresent"] is False


def test_login_messages_are_completed_where_the_api_may(noon: Caller) -> None:
    def message(number: str) -> int:
        return int(noon.get(f"/accounts/{number}/login-messages").json()["loginMessages"][0]["id"])

    done(noon.patch("completeLoginMessage", {"accountId": "U1000012", "loginMessageIds": [message("U1000012")]}))
    portal = message("U1000014")

    assert errors(noon.patch("completeLoginMessage", {"accountId": "U1000014", "loginMessageIds": [portal, 99]})) == [
        "Login message 99 is not pending", f"Login message {portal} of type MIFIR_INFO can be completed in the portal only",
    ]  # fmt: skip


def test_an_agreement_message_ends_with_its_document(noon: Caller) -> None:
    document = paper(3024, name="Form3024.pdf", content=published(noon, 3024), signer="Desmond Achterberg")

    done(noon.patch("documentSubmission", {"accountId": "U1000012", "documents": [document]}))

    assert noon.get("/accounts/U1000012/login-messages").json()["loginMessagePresent"] is False


def test_questionnaires_and_quizzes_are_answered_by_choice(noon: Caller) -> None:
    noon.control("POST", "accounts/U1000021", {"task": 9943})
    answers = [{"questionId": 1, "id": 1}, {"questionId": 2, "id": 4}, {"questionId": 3, "detail": "Retired teacher"}]
    sheet = {"accountId": "U1000021", "questionnaire": [{"formNumber": 9943, "answers": answers}]}

    assert errors(
        noon.patch("questionnaires", {**sheet, "questionnaire": [{"formNumber": 9943, "answers": answers[:2]}]})
    ) == ["Question 3 of form 9943 is mandatory"]
    done(noon.patch("questionnaires", sheet))
    pending = noon.get("/accounts/U1000021/tasks", type="pending").json()["pendingTasks"]
    assert [task["formNumber"] for task in pending] == [8002]

    quiz = {
        "accountId": "U1000011", "task": [{"formNumber": 2431, "status": False}],
        "questionnaire": [{"formNumber": 2430, "answers": [{"questionId": n, "id": 1 if n < 9 else 2} for n in range(1, 11)]}],
    }  # fmt: skip
    done(noon.patch("quizQuestionnaires", quiz))
    assert errors(noon.patch("quizQuestionnaires", {**quiz, "task": []})) == ["Task 2431 is missing"]


def test_users_representatives_and_access_are_of_the_master_and_the_account(noon: Caller) -> None:
    person = {"name": {"first": "Nora", "last": "Secondhand"}, "email": "nora@example.com", "externalId": "c-6-NU"}
    added = outcome(noon.patch("addNewUser", {"accountId": "U1000011", "prefix": "norax", "userDetails": person}))
    assert added["users"] == [{"value": "norax001", "externalId": "c-6-NU"}]
    again = outcome(noon.patch("createUser", {"accountId": "U1000011", "prefix": "norax", "externalId": "c-6-NU"}))
    assert again["users"][0]["value"] == "norax002"

    shares = [{"representativeId": "alder01", "percentage": 60}, {"representativeId": "other", "percentage": 30}]
    assert errors(
        noon.patch("updateAccountRepresentatives", {"accountId": "U1000011", "representativeDetails": shares})
    ) == [
        "Account representative other is not a user of the master",
        "Percentages of the account representatives total 90. They must add to 100",
    ]
    done(noon.patch("updateUserAccessRights", {"subAccounts": ["U1000011"], "repId": "alder01", "action": "ADD"}))


def test_further_accounts_of_a_customer_go_straight_to_review(noon: Caller) -> None:
    further = {
        "externalId": "c-7-AC", "baseCurrency": "USD", "tradingPermissions": [{"exchangeGroup": "US-Sec"}],
        "advisorWrapFees": {"strategy": "NO_FEE"},
    }  # fmt: skip
    made = outcome(noon.patch("addAdditionalAccount", {"accountId": "U1000011", "account": further}))["accounts"][0][
        "value"
    ]
    copies = outcome(noon.patch("duplicateAccount", {"accountId": "U1000011", "numberOfDuplicates": 2}))["accounts"]

    assert status(noon, made) == "P"
    assert len({made, *(copy["value"] for copy in copies)}) == 3
    noon.advance(600)
    assert status(noon, made) == "O"
    assert account(noon, made)["mainAccount"] == "U1000011"


@pytest.mark.parametrize(
    ("operation", "value", "text"),
    [
        ("updateW8Ben", {"accountId": "U1000011"}, "This operation is deprecated"),
        ("linkDuplicateAccount", {"accountId": "U1000011"}, "This operation is deprecated"),
        (
            "updateWithholdingStatement", {"accountId": "U1000011", "effectiveDate": "2026-06-10"},
            "Withholding statements cannot be updated for clients of counterparty type FA",
        ),
        (
            "updateBcan", {"accountId": "U1000011", "bcan": "1001", "ceNumber": "DEM001"},
            "BCAN is for clients of non-disclosed brokers at IB-HK only",
        ),
        (
            "addMiFirData",
            {"accountId": "U1000014", "title": "ACCOUNT HOLDER", "identifications": [{"citizenship": "GBR", "passport": "1"}]},
            "Valid MIFIR Document Type for United Kingdom : National ID",
        ),
        (
            "securityQuestions",
            {"referenceUserName": "marih001", "details": [{"question": "Why?", "answer": "Because"}]},
            "Security question is unknown: Why?",
        ),
        ("informationChange", {"ibAccountId": "U1000011"}, "informationChange is for accounts of organizations and trusts only"),
        ("manageMarketDataSubscriptions", {"referenceUserName": "marih001", "service": [{"value": 1, "action": "ADD"}]},
         "Market data service 1 is unknown"),
        ("accountClose", {"accountId": "U1000011"}, "closeReason is missing"),
    ],
)  # fmt: skip
def test_an_operation_that_is_refused(steady: Caller, operation: str, value: dict[str, Any], text: str) -> None:
    assert errors(steady.patch(operation, value)) == [text]


def test_market_data_is_subscribed_by_user(noon: Caller) -> None:
    def service(action: str) -> Any:
        return {"referenceUserName": "marih001", "service": [{"value": 460, "action": action}]}

    done(noon.patch("manageMarketDataSubscriptions", service("ADD")))
    assert details(noon)["marketData"] == [{"value": "460"}]
    assert errors(noon.patch("manageMarketDataSubscriptions", service("ADD"))) == [
        "Market data service 460 is already subscribed"
    ]


def test_an_operation_for_the_user_of_another_master_is_403(steady: Caller) -> None:
    answer = steady.patch("securityQuestions", {"referenceUserName": "nobody1", "details": []})

    assert answer.status_code == 403
