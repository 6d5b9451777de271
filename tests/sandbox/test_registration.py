"""`POST /gw/api/v1/accounts`, the look-up, and the rules an application can break."""

import re
from typing import Any

import pytest

from tests.sandbox.support import Caller, application, errors, open_account, outcome

BAD_BIRTH = "Date of Birth format for Account Holder is invalid. Expected format is yyyy-mm-dd."
HOME = {"street1": "4 Fern Row", "city": "York", "state": "GB-ENG", "postalCode": "YO1 7AA", "country": "GBR"}
FULLER: dict[str, Any] = {
    "holder__dateOfBirth": "1980-05-17",
    "holder__countryOfBirth": "GBR",
    "holder__residenceAddress": HOME,
    "holder__sameMailAddress": True,
    "holder__phones": [{"type": "Mobile", "number": "447700900123", "country": "GBR"}],
    "holder__identification": {"citizenship": "GBR", "issuingCountry": "GBR", "nationalCard": "AB123456C", "expire": False},
    "holder__employmentType": "RETIRED",
    "holder__taxResidencies": [{"country": "GBR", "tin": "AB123456C", "tinType": "NonUS_NationalId"}],
    "financial": [
        {
            "netWorth": 400000, "liquidNetWorth": 150000, "annualNetIncome": 90000,
            "investmentExperience": [{"assetClass": "STK", "yearsTrading": 6, "tradesPerYear": 15, "knowledgeLevel": "Good"}],
            "sourcesOfWealth": [{"sourceType": "SOW-IND-Pension", "percentage": 100, "usedForFunds": True}],
        }
    ],
    "account__margin": "Cash",
    "account__investmentObjectives": ["Growth"],
    "account__feesTemplateName": "Standard",
}  # fmt: skip


def test_the_least_hybrid_application_makes_an_account(caller: Caller) -> None:
    answer = caller.post("/accounts", application("n-1"))

    found = outcome(answer)
    assert found["status"] == "Success"
    assert re.fullmatch(r"U\d{7}", found["accounts"][0]["value"])
    assert found["users"][0]["value"] == "adaex001"
    assert answer.json()["requestId"] > 2**31
    assert re.fullmatch(r"\d{14} UTC", answer.json()["dateSubmitted"])
    assert [effect["broker_id"] for effect in caller.ledger("application", "n-1")] == [found["accounts"][0]["value"]]
    status = caller.get(f"/accounts/{found['accounts'][0]['value']}/status").json()
    assert (status["status"], status["state"], status["masterAccountId"]) == ("N", "Incomplete Application", "F1000001")


def test_a_fuller_application_is_taken_and_shown_in_the_details(caller: Caller) -> None:
    number = open_account(caller, "n-2", **FULLER)

    details = caller.get(f"/accounts/{number}/details").json()
    assert details["account"]["externalId"] == "n-2"
    assert details["account"]["accountTitle"] == "Ada Examplewright"
    person = details["associatedPersons"][0]
    assert (person["residence"]["city"], person["mailing"]["city"], person["dateOfBirth"]) == (
        "York",
        "York",
        "1980-05-17",
    )


def test_the_application_is_found_again_by_external_id_and_by_account(caller: Caller) -> None:
    number = open_account(caller, "n-3")

    by_id = caller.get("/accounts", externalId="n-3").json()
    by_number = caller.get("/accounts", accountId=number).json()

    assert by_id["isProcessed"] is True
    assert by_id["data"]["application"]["accounts"][0]["value"] == number
    assert by_id == by_number


def test_an_unknown_external_id_is_a_200_with_an_error(steady: Caller) -> None:
    answer = steady.get("/accounts", externalId="nobody")

    assert answer.status_code == 200
    assert (answer.json()["hasError"], answer.json()["isProcessed"]) == (True, False)


def test_the_look_up_needs_exactly_one_id(steady: Caller) -> None:
    assert steady.get("/accounts").status_code == 400


def test_the_accounts_of_the_world_can_be_looked_up(steady: Caller) -> None:
    found = steady.get("/accounts", accountId="U1000011").json()

    assert found["data"]["application"]["externalId"] == "demo-0011"


def test_a_second_application_under_the_same_id_makes_nothing(caller: Caller) -> None:
    open_account(caller, "n-4")

    assert errors(caller.post("/accounts", application("n-4"))) == ["Already Processed"]
    assert len(caller.ledger("application", "n-4")) == 1


def test_a_used_user_id_has_its_own_text(caller: Caller) -> None:
    open_account(caller, "n-5")

    found = errors(caller.post("/accounts", application("n-6", user__externalUserId="n-5-USR")))

    assert found == ["External User Id n-5-USR in User node is already in use. Please provide a different id."]


def test_a_refused_application_does_not_burn_its_id(caller: Caller) -> None:
    errors(caller.post("/accounts", application("n-7", account__baseCurrency="USDD")))

    assert open_account(caller, "n-7")


def test_an_asynchronous_answer_leaves_the_outcome_at_the_request(caller: Caller) -> None:
    caller.config(create_answer="async")

    answer = caller.post("/accounts", application("n-8"))

    assert answer.status_code == 202
    request = answer.json()["requestId"]
    stored = caller.get(f"/requests/{request}/status", type="response").json()
    assert stored["fileData"]["data"]["application"]["status"] == "Success"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"account__baseCurrency": "USDD"}, "Account base currency is either missing or is invalid."),
        ({"account__baseCurrency": ...}, "Account base currency is either missing or is invalid."),
        ({"account__advisorWrapFees": ...}, "Advisors must specify the fees scheme for the account."),
        ({"account__advisorWrapFees__strategy": "NO_FEES"}, "Unsupported value. Property:'strategy', value:'NO_FEES'"),
        ({"account__advisorWrapFees__strategy": "AUTOMATED"}, "Error processing advisor wrap fees: {type=required}"),
        ({"account__feesTemplateName": "standard"}, "Fee template called [standard] not found for master [F1000001]"),
        ({"account__tradingPermissions": []}, "Trading Permissions are missing."),
        ({"account__tradingPermissions": [{"country": "ALL", "product": "STK"}]}, "Property:'product', value:'STK'"),
        ({"account__investmentObjectives": ["growth"]}, "Unsupported value. Property:'investmentObjectives', value:'growth'"),
        ({"customer__type": ...}, "Customer Type null or invalid (not INDIVIDUAL, UGMA, UTMA, JOINT, TRUST or ORG)"),
        ({"customer__type": "individual"}, "Unsupported value. Property:'type', value:'individual'"),
        ({"customer__prefix": ...}, "Attribute prefix at the Customer level is missing."),
        ({"customer__prefix": "teste1"}, "Attribute prefix must consist of 3 to 6 lower case letters."),
        ({"customer__residence": "USA"}, "Unrecognized property:'residence'"),
        ({"holder__isUsTaxResident": True}, "Unrecognized property:'isUsTaxResident'"),
        ({"holder__name__first": None}, "Name of Individual is missing for Account Holder"),
        ({"holder__name__last": "X"}, "Last name must have at least two characters for Account Holder"),
        ({"holder__name__first": "R2D2"}, "Name first contains invalid characters for Account Holder"),
        ({"holder__name__first": ""}, "String index out of range: 0"),
        ({"holder__email": ...}, "Email is missing for Account Holder"),
        ({"holder__email": "tester@gmail"}, "Email tester@gmail is invalid."),
        ({"holder__email": "operations@alderrow.example.com"}, "must differ from the email of the master account."),
        ({"holder__dateOfBirth": "2015-01-01"}, "Must be at least 18 to open account"),
        ({"holder__dateOfBirth": "97-12-24"}, BAD_BIRTH),
        ({"holder__dateOfBirth": "1997-02-29"}, BAD_BIRTH),
        ({"holder__dateOfBirth": "1990-8-8"}, BAD_BIRTH),
        ({"holder__gender": "male"}, "Unsupported value. Property:'gender', value:'male'"),
        ({"holder__employmentType": "Employed"}, "Employment Type [Employed] for Account Holder is invalid"),
        ({"holder__residenceAddress__country": "United Kingdom"}, "Customer t-1- Country non-existent [name = United Kingdom]"),
        ({"holder__residenceAddress__country": "AFG"}, "residence AFG for Account Holder is prohibited."),
        ({"holder__residenceAddress__country": "AUS"}, "Australian Accounts are not allowed under IBLLC-US Advisors"),
        ({"holder__residenceAddress__street1": "P.O. Box 12"}, "PO Box not accepted as residential address"),
        ({"holder__residenceAddress__street1": "1 Long Road"}, "City in Residence Node for Account Holder is missing."),
        ({"holder__residenceAddress__state": "Connecticut"}, "Customer t-1 \u2013 State code Connecticut is not valid"),
        ({"holder__phones": [{"type": "Mobile", "number": "12", "country": "USA"}]}, "Mobile Number 12 is invalid."),
        ({"holder__identification": {"ssn": "000000000", "issuingCountry": "USA"}}, "American SSN is invalid."),
        ({"user__externalIndividualId": "else"}, "External Individual Id else in User node does not match"),
        ({"financial": [{"netWorth": 1000, "liquidNetWorth": 2000, "annualNetIncome": 5}]}, "cannot be larger than"),
    ],
)  # fmt: skip
def test_a_broken_rule_is_answered_in_ibkrs_words_and_makes_nothing(
    steady: Caller, changes: dict[str, Any], text: str
) -> None:
    if "t-1" in text:
        text = text.replace("t-1", "t-1-AH")

    found = errors(steady.post("/accounts", application(**changes)))

    assert any(text in line for line in found), found
    assert steady.ledger("application", "t-1") == []


def test_nulls_count_as_absent(caller: Caller) -> None:
    assert open_account(caller, "n-9", account__alias=None, holder__gender=None)


def test_a_body_without_application_is_a_plain_400(steady: Caller) -> None:
    answer = steady.post("/accounts", {"app": {}})

    assert (answer.status_code, answer.json()["type"]) == (400, "/invalid-argument")


def test_young_applicants_get_cash_accounts_only(steady: Caller) -> None:
    found = errors(steady.post("/accounts", application(holder__dateOfBirth="2007-06-01", account__margin="RegT")))

    assert found == ["Only Cash accounts are available to applicants younger than 21"]
