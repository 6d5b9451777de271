"""The regression cases IBKR suggests before going live (account-management.md 21), by group.

Each row changes one thing in an application that is taken as it is, and names the text that must come back. Cases whose
outcome the documentation does not decide are in UNDECIDED, with what the sandbox does; a test holds it to that.
"""

import copy
from typing import Any

import pytest

from tests.sandbox.support import Caller, application, change, errors, outcome
from tests.sandbox.test_forms import published
from tests.sandbox.test_review import paper

HOME = {"street1": "4 Fern Row", "city": "York", "state": "GB-ENG", "postalCode": "YO1 7AA", "country": "GBR"}
OFFICE = {
    "street1": "77 Placeholder Plaza",
    "city": "Leeds",
    "state": "GB-ENG",
    "postalCode": "LS1 1AA",
    "country": "GBR",
}
INDICIA = "Following US Indicia checks came back positive."
BAD_BIRTH = "Date of Birth format for Account Holder is invalid. Expected format is yyyy-mm-dd."
NO_CARD = (
    "Valid identification is missing for Account Holder. Please provide valid identification such as"
    " SSN, SIN, Passport, National Card, Alien Card, or Driver\u2019s License or Tax Id."
)
STOCKS = {"assetClass": "STK", "yearsTrading": 6, "tradesPerYear": 15, "knowledgeLevel": "Good"}
WHOLE: dict[str, Any] = {
    "holder__dateOfBirth": "1980-05-17", "holder__countryOfBirth": "GBR", "holder__numDependents": 0,
    "holder__maritalStatus": "S", "holder__residenceAddress": HOME, "holder__sameMailAddress": True,
    "holder__phones": [{"type": "Mobile", "number": "447700900123", "country": "GBR"}],
    "holder__identification": {"citizenship": "GBR", "issuingCountry": "GBR", "nationalCard": "AB123456C", "expire": False},
    "holder__employmentType": "EMPLOYED",
    "holder__employmentDetails": {
        "employer": "Imaginary Widgets", "occupation": "Analyst", "employerBusiness": "Computer/Information Technology",
        "employerAddress": OFFICE,
    },
    "holder__taxResidencies": [{"country": "GBR", "tin": "AB123456C", "tinType": "NonUS_NationalId"}],
    "holder__w8Ben": {
        "name": "Ada Examplewright", "foreignTaxId": "AB123456C", "part29ACountry": "GBR", "cert": True, "blankForm": True,
        "taxFormFile": "Form5001.pdf", "proprietaryFormNumber": 5001,
    },
    "financial": [
        {
            "netWorth": 400000, "liquidNetWorth": 150000, "annualNetIncome": 90000, "investmentExperience": [STOCKS],
            "sourcesOfWealth": [{"sourceType": "SOW-IND-Income", "percentage": 100, "usedForFunds": True}],
        }
    ],
    "customer__accountHolder__regulatoryInformation": [
        {"regulatoryDetail": [{"code": c, "status": False} for c in ("AFFILIATION", "EmployeePubTrade", "ControlPubTraded")]}
    ],
    "account__margin": "Cash", "account__investmentObjectives": ["Growth"],
}  # fmt: skip
DETAILS, WORK, CARD, TAXED, W8 = (
    "holder__employmentDetails", "holder__employmentDetails__employerAddress", "holder__identification",
    "holder__taxResidencies", "holder__w8Ben",
)  # fmt: skip
MONEY = "financial__0"

CASES: list[tuple[str, dict[str, Any], str]] = [
    ("anti-money-laundering standard not met", {"customer__meetAmlStandard": "false"}, "anti-money-laundering"),
    ("base currency unknown", {"account__baseCurrency": "USDD"}, "Account base currency is either missing or is invalid."),
    ("name with special characters", {"holder__name__first": "A$a"}, "Name first contains invalid characters"),
    ("name with digits", {"holder__name__first": "Ada2"}, "Name first contains invalid characters"),
    ("name with leading white space", {"holder__name__first": " Ada"}, "Name first contains invalid characters"),
    ("last name of one letter", {"holder__name__last": "E"}, "Last name must have at least two characters"),
    ("first name null", {"holder__name__first": None}, "Name of Individual is missing for Account Holder"),
    ("younger than 18", {"holder__dateOfBirth": "2012-01-01"}, "Must be at least 18 to open account"),
    *((f"birth {text}", {"holder__dateOfBirth": text}, BAD_BIRTH) for text in (
        "97-12-24", "24-12-1997", "1997/12/24", "1997-12-24T07:00:00.000Z", "1997-02-29", "1997-13-24", "1990-12-32",
        "1997-12-24a", "1990-8-8", "0000-00-00",
    )),
    ("born in a prohibited country", {"holder__countryOfBirth": "AFG"}, "Prohibited Country Questionnaire is mandatory"),
    ("born in the USA", {"holder__countryOfBirth": "USA"}, INDICIA),
    ("residence prohibited", {"holder__residenceAddress__country": "AFG"}, "residence AFG for Account Holder is prohibited."),
    ("residence in the USA", {"holder__residenceAddress__country": "USA"}, INDICIA),
    ("residence differs from tax residency", {"holder__residenceAddress__country": "FRA"}, INDICIA),
    ("state written out", {"holder__residenceAddress__state": "England"}, "State code England is not valid"),
    ("street over 200", {"holder__residenceAddress__street1": "x" * 201}, "street1 in Residence Node exceeds 200 characters"),
    ("mailing address with a country only", {"holder__sameMailAddress": False, "holder__mailingAddress": {"country": "GBR"}},
     "Street in Mailing Node for Account Holder is missing."),
    ("postal code null", {"holder__residenceAddress__postalCode": None}, "Postal Code in Residence Node for Account Holder"),
    ("email null", {"holder__email": None}, "Email is missing for Account Holder"),
    ("email of the master", {"holder__email": "operations@alderrow.example.com"}, "must differ from the email of the master"),
    ("email invalid", {"holder__email": "tester@gmail"}, "Email tester@gmail is invalid."),
    ("citizenship prohibited", {f"{CARD}__citizenship": "AFG"}, "Prohibited Country Questionnaire is mandatory"),
    ("citizenship of the USA", {f"{CARD}__citizenship": "USA"}, INDICIA),
    ("id type unknown", {f"{CARD}__libraryCard": "1"}, "Unrecognized property:'libraryCard'"),
    ("expires without date", {f"{CARD}__expire": True}, "Expiration date of the identification document is missing or past"),
    (
        "expired", {f"{CARD}__expire": True, f"{CARD}__expirationDate": "2020-01-01"},
        "Expiration date of the identification document is missing or past",
    ),
    ("no id", {f"{CARD}__nationalCard": None, f"{CARD}__citizenship": None}, NO_CARD),
    ("SSN with dashes", {CARD: {"citizenship": "GBR", "issuingCountry": "USA", "ssn": "987-65-4320"}}, "American SSN is invalid."),
    ("citizen of Canada without sin", {f"{CARD}__citizenship2": "CAN"}, NO_CARD),
    (
        "tax resident of India without PAN",
        {"holder__taxResidencies": [*WHOLE["holder__taxResidencies"], {"country": "IND"}]}, NO_CARD,
    ),
    ("South African card", {f"{CARD}__issuingCountry": "ZAF"}, "nationalCard is not valid for ZAF"),
    ("Saudi card", {f"{CARD}__issuingCountry": "SAU"}, "nationalCard is not valid for SAU"),
    ("Medicare card of other than ten digits", {f"{CARD}__issuingCountry": "AUS", f"{CARD}__medicareCard": "12"},
     "medicareCard is not valid for AUS"),
    ("Medicare reference that is no number", {CARD: {"citizenship": "GBR", "issuingCountry": "AUS",
        "medicareCard": "1234567890", "cardColor": "BLUE", "medicareReference": "x"}}, "need cardColor and medicareReference"),
    ("tax id as printed for its country", {f"{CARD}__taxId": "12"}, "taxId is not valid for GBR"),
    ("SSN issued abroad", {f"{CARD}__ssn": "987654320"}, "Issuing country of an SSN"),
    ("employment null", {"holder__employmentType": None}, "Employment Type for Account Holder is missing."),
    ("employment details missing", {DETAILS: None}, "Employment Details for Account Holder are missing."),
    ("occupation null", {f"{DETAILS}__occupation": None}, "Occupation for Account Holder is missing."),
    ("business null", {f"{DETAILS}__employerBusiness": None}, "Employer Business for Account Holder is missing."),
    ("occupation other", {f"{DETAILS}__occupation": "Other"}, "Description for Occupation is missing for Account Holder"),
    ("business other", {f"{DETAILS}__employerBusiness": "Other"}, "Description for Occupation is missing for Account Holder"),
    ("employer address missing", {WORK: None}, "Country in Employer address Node for Account Holder is missing."),
    ("employer state written out", {f"{WORK}__state": "England"}, "State code England is not valid"),
    ("employer street over 200", {f"{WORK}__street1": "x" * 201}, "street1 in Employer address Node exceeds 200 characters"),
    ("employer postal code null", {f"{WORK}__postalCode": None}, "postalCode in Employer address Node"),
    ("employer abroad", {f"{WORK}__country": "FRA"}, "Employer country and residence country details is mandatory"),
    ("employer at home", {WORK: HOME}, "Residential and Employer Address for Individual are same."),
    ("occupation not listed", {f"{DETAILS}__occupation": "Wizard"}, "Unsupported value. Property:'occupation', value:'Wizard'"),
    ("tax country differs from treaty", {f"{TAXED}__0__country": "FRA"}, INDICIA),
    ("TIN differs from W-8BEN", {f"{TAXED}__0__tin": "ZZ999999Z"}, "should match TIN in TaxResidency"),
    ("TIN and explanation", {f"{W8}__explanation": "TIN_NOT_ISSUED"}, "either foreignTaxId or explanation"),
    ("TIN as printed for its country", {f"{TAXED}__0__tin": "12345678", f"{W8}__foreignTaxId": "12345678"},
     "TIN 12345678 in TaxResidency is not valid for GBR"),
    ("SSN type abroad", {f"{TAXED}__0__tinType": "SSN"}, "TIN type SSN in TaxResidency does not fit the country GBR"),
    ("treaty N/A without TIN or explanation", {f"{W8}__part29ACountry": "N/A", f"{W8}__foreignTaxId": None}, "is missing in"),
    ("treaty country null", {f"{W8}__part29ACountry": None}, "part29aCountry is missing in Formw8BEN"),
    ("country without treaty", {f"{W8}__part29ACountry": "BRA"}, "part29aCountry is a Non treaty Country in Formw8BEN"),
    ("W-8BEN name differs", {f"{W8}__name": "Ada Wright"}, "Name in Formw8BEN for Account Holder must be the name"),
    ("W-8BEN without name", {f"{W8}__name": None}, "name is missing in Formw8BEN"),
    ("W-8BEN not certified", {f"{W8}__cert": None}, "cert is missing in Formw8BEN"),
    ("W-8BEN null", {W8: None}, "Tax form W8Ben or W9 for Account Holder is missing."),
    ("tax id too short", {f"{W8}__foreignTaxId": "AB1"}, "Foreign Tax Id must be atleast 6 alphanumeric characters"),
    ("liquid above net", {f"{MONEY}__liquidNetWorth": 500000}, "Your Liquid Net Worth cannot be larger than Net Worth"),
    ("net worth negative", {f"{MONEY}__netWorth": -1}, "netWorth must be between 101 and 50000001"),
    ("net worth of a range that is not there", {f"{MONEY}__netWorth": 57, f"{MONEY}__liquidNetWorth": 4},
     "netWorth must be between 101 and 50000001"),
    ("range of net worth below the liquid amount", {f"{MONEY}__netWorth": 2}, "Your Liquid Net Worth cannot be larger"),
    ("net worth null", {f"{MONEY}__netWorth": None}, "Invalid values for Net Worth, Liquid Net Worth and Annual Net Income"),
    ("net worth as text", {f"{MONEY}__netWorth": "1,000"}, "Unsupported value. Property:'netWorth', value:'1,000'"),
    (
        "little money and margin", {f"{MONEY}__liquidNetWorth": 500, "account__margin": "RegT"},
        "{financial=Liquid Net Worth must be greater than USD 20,000.} occurred.",
    ),
    (
        "regulatory yes without detail",
        {"customer__accountHolder__regulatoryInformation__0__regulatoryDetail__1__status": True},
        "Detail is missing for regulatory code EmployeePubTrade",
    ),
    (
        "affiliation without details",
        {"customer__accountHolder__regulatoryInformation__0__regulatoryDetail__0__status": True},
        "affiliationDetails is missing for AFFILIATION",
    ),
    (
        "regulatory code missing",
        {"customer__accountHolder__regulatoryInformation__0__regulatoryDetail": [{"code": "AFFILIATION", "status": False}]},
        "Regulatory code ControlPubTraded is missing.",
    ),
    ("representative who is no user of the master", {"account__accountRep": {"repDetails": [{"repId": "x", "percentage": 100}]}},
     "Account representative x is not a user of the master"),
    ("legal residence prohibited", {"customer__legalResidenceCountry": "AFG"}, "legal residence AFG is prohibited"),
    ("gender of a resident of India", {"holder__residenceAddress__country": "IND"}, "Gender for Account Holder is missing."),
    ("external id of the account over 64", {"account__externalId": "x" * 65}, "External id at the Account level exceeds 64"),
    ("external id of the holder over 64", {"holder__externalId": "x" * 65}, "External id at the Individual level exceeds 64"),
    ("regulatory null", {"customer__accountHolder__regulatoryInformation": None}, "Regulatory Information is missing."),
    ("experience null", {f"{MONEY}__investmentExperience": None}, "Investment Experience is missing."),
    ("financial information null", {"financial": None}, "Financial information is missing."),
    ("sources of wealth null", {f"{MONEY}__sourcesOfWealth": None}, "Source(s) of Wealth is missing."),
    ("objectives null", {"account__investmentObjectives": None}, "Investment Objectives are Mandatory."),
    ("marital status null", {"holder__maritalStatus": None}, "Marital Status Type for Individual is missing"),
    (
        "knowledge null", {f"{MONEY}__investmentExperience__0__knowledgeLevel": None},
        "Knowledge level is missing for asset class STK in AssetExperience node.",
    ),
    (
        "years null", {f"{MONEY}__investmentExperience__0__yearsTrading": None},
        "Years trading is missing for asset class STK in AssetExperience node.",
    ),
    (
        "trades null", {f"{MONEY}__investmentExperience__0__tradesPerYear": None},
        "Trades per year is missing for asset class STK in AssetExperience node.",
    ),
    ("more years than adulthood", {f"{MONEY}__investmentExperience__0__yearsTrading": 60}, "Years trading of asset class STK"),
    (
        "no income though employed", {f"{MONEY}__sourcesOfWealth__0__sourceType": "SOW-IND-Pension"},
        "SourcesOfWealth must include SOW-IND-Income when EmploymentType is EMPLOYED",
    ),
    (
        "percentages not 100", {f"{MONEY}__sourcesOfWealth__0__percentage": 60},
        "Total Percentage from SourcesOfWealth used to fund the account is 60%. It MUST add to 100%.",
    ),
    (
        "no source funds the account", {f"{MONEY}__sourcesOfWealth__0__usedForFunds": False},
        "Percentage is required ONLY when SourceOfWealth is used to fund the account.",
    ),
    (
        "other source without description", {f"{MONEY}__sourcesOfWealth__0__sourceType": "SOW-IND-Other"},
        "Description is missing for Source Type SOW-IND-Other.",
    ),
    ("total assets negative", {f"{MONEY}__totalAssets": -5}, "Total Assets must be a positive value."),
    ("Canadian products", {"account__tradingPermissions": [{"country": "CANADA", "product": "STOCKS"}]},
     "Local Tax Form is missing for TaxAuthority CANADA_TA"),
    ("transfer without SSN", {"account__extPositionsTransfers": [{"type": "FULL", "subType": "ACATS"}]},
     "SSN or EIN must be provided for transfers"),
    ("native name in Latin letters", {"holder__nativeName": {"first": "Ada", "last": "Examplewright"}},
     "Details in NativeName Node must be provided in Native Language for Account Holder."),
    ("native name missing", {"holder__residenceAddress__country": "ISR"},
     "Name in Native Language is missing for Account Holder"),
]  # fmt: skip

UNDECIDED: list[tuple[str, dict[str, Any], bool]] = [
    # (case, change, taken here): the documentation names the case and not its outcome.
    ("mdStatusNonPro false: samples use both values", {"customer__mdStatusNonPro": False}, True),
    ("net worth 101..999 in a cash account for stocks: minimums by product are not printed", {
        f"{MONEY}__netWorth": 999, f"{MONEY}__liquidNetWorth": 500, f"{MONEY}__annualNetIncome": 101}, True),
    ("prefix teste: letters only, so it fits the printed rule", {"customer__prefix": "teste", "user__prefix": "teste"}, True),
    ("white space in a name: compound names exist", {"holder__name__first": "Ada Maria",
        f"{W8}__name": "Ada Maria Examplewright", "documents": None}, True),
    ("net worth as a range, liquid net worth as an amount", {f"{MONEY}__netWorth": 5}, True),
    ("no treaty claimed by a resident of a treaty country", {f"{W8}__part29ACountry": "N/A"}, True),
]  # fmt: skip


def whole(caller: Caller, ext: str, changes: dict[str, Any]) -> dict[str, Any]:
    """The full application of a resident of the United Kingdom, with one thing changed."""
    body = application(ext, **copy.deepcopy(WHOLE))
    tax_form = paper(5001, name="Form5001.pdf", content=published(caller, 5001))
    body["application"]["documents"] = [tax_form]
    for path, value in changes.items():
        change(body["application"], path, value)
    return body


@pytest.fixture
def full(steady: Caller) -> Caller:
    steady.config(registration_route="full")
    steady.is_fresh = False
    return steady


def test_the_application_that_the_cases_change_is_taken(full: Caller) -> None:
    assert outcome(full.post("/accounts", whole(full, "r-0", {})))["status"] == "Success"


@pytest.mark.parametrize(("changes", "text"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_case_is_refused_in_these_words(full: Caller, changes: dict[str, Any], text: str) -> None:
    found = errors(full.post("/accounts", whole(full, "r-1", changes)))

    assert any(text in line for line in found), found
    assert full.ledger("application", "r-1") == []


@pytest.mark.parametrize(("changes", "is_taken"), [case[1:] for case in UNDECIDED], ids=[case[0] for case in UNDECIDED])
def test_a_case_that_nothing_decides(full: Caller, changes: dict[str, Any], is_taken: bool) -> None:
    full.control("POST", "reset", {})
    full.config(registration_route="full", enforce_pacing=False, enforce_maintenance=False)

    found = outcome(full.post("/accounts", whole(full, "r-2", changes)))

    assert (found["status"] == "Success") is is_taken, found


def submit(caller: Caller, ext: str, document: dict[str, Any], **changes: Any) -> list[str]:
    body = whole(caller, ext, changes)
    body["application"]["documents"] = [document]
    return errors(caller.post("/accounts", body))


def test_cases_about_documents(full: Caller) -> None:
    blank = published(full, 5001)
    form = paper(5001, name="Form5001.pdf", content=blank)

    assert submit(full, "r-3", {**form, "signedBy": ["Ada Wright"]}) == ["Signature not accepted."]
    assert submit(full, "r-3", {k: v for k, v in form.items() if k != "signedBy"}) == ["Signature not accepted."]
    assert submit(full, "r-3", paper(8545, documentType="Will")) == [
        "Unsupported value. Property:'documentType', value:'Will'"
    ]
    wrong = {**form, "attachedFile": {**form["attachedFile"], "sha1Checksum": "0" * 40}}
    assert submit(full, "r-3", wrong) == ["File has a different SHA-1 check sum in the archived original"]
    assert submit(full, "r-3", paper(8001, proofOfIdentityType=None)) == [
        "Proof of Identity Type (Form 8001) is either missing or is incorrect"
    ]
    assert submit(full, "r-3", form, **{f"{W8}__blankForm": False}) == [
        "Form 5001 is blank although blankForm is false"
    ]


def test_an_external_id_is_processed_once(full: Caller) -> None:
    full.post("/accounts", whole(full, "r-4", {}))

    assert errors(full.post("/accounts", whole(full, "r-4", {}))) == ["Already Processed"]
