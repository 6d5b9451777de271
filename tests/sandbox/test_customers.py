"""Joint holders, organizations, trusts and retirement accounts; electronic verification; a second master of another kind."""

import copy
from typing import Any

import pytest

from tests.sandbox.support import Caller, Server, application, change, errors, make_key, open_account, outcome
from tests.sandbox.test_regression_cases import whole

SHARES = [{"country": "UNITED STATES", "product": "STOCKS"}]
BROKER = "BRAMBLE-HILL-FD2"


def person(ext: str, first: str, mobile: str, **more: Any) -> dict[str, Any]:
    return {
        "externalId": ext, "name": {"first": first, "last": "Mockfield"}, "email": f"{first.lower()}@example.com",
        "residenceAddress": {"country": "USA"}, "phones": [{"type": "Mobile", "number": mobile, "country": "USA"}], **more,
    }  # fmt: skip


def customer(kind: str, node: dict[str, Any], ext: str, individuals: list[str], **account: Any) -> dict[str, Any]:
    return {
        "application": {
            "customer": {
                "externalId": ext, "type": kind, "prefix": "mockf", "email": "clara@example.com", "mdStatusNonPro": True, **node,
            },
            "accounts": [
                {
                    "externalId": f"{ext}-AC", "baseCurrency": "USD", "multiCurrency": True, "tradingPermissions": SHARES,
                    "advisorWrapFees": {"strategy": "NO_FEE"}, **account,
                }
            ],
            "users": [
                {"externalUserId": f"{each}-U", "externalIndividualId": each, "prefix": "mockf"} for each in individuals
            ],
        }
    }  # fmt: skip


def joint(ext: str = "j-1", **changes: Any) -> dict[str, Any]:
    node = {
        "type": "joint_tenants",
        "firstHolderDetails": [person(f"{ext}-1", "Clara", "2025550151", titles=[{"code": "FIRST HOLDER"}])],
        "secondHolderDetails": [person(f"{ext}-2", "Dario", "2025550152", titles=[{"code": "SECOND HOLDER"}])],
    }
    for path, value in changes.items():
        change(node, path, value)
    return customer("JOINT", {"jointHolders": node}, ext, [f"{ext}-1", f"{ext}-2"])


def test_joint_holders_get_two_entities_and_two_users(caller: Caller) -> None:
    found = outcome(caller.post("/accounts", joint()))

    assert found["status"] == "Success", found
    assert [row["externalId"] for row in found["entities"]] == ["j-1-1", "j-1-2"]
    assert [row["value"] for row in found["users"]] == ["mockf001", "mockf002"]
    details = caller.get(f"/accounts/{found['accounts'][0]['value']}/details").json()
    assert details["account"]["applicantType"] == "JOINT"
    assert details["account"]["accountTitle"] == "Clara Mockfield and Dario Mockfield"
    assert len(details["associatedPersons"]) == 2


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"type": "friends"}, "Unsupported value. Property:'type', value:'friends'"),
        ({"secondHolderDetails": []}, "exactly one firstHolderDetails and one secondHolderDetails"),
        ({"secondHolderDetails__0__phones__0__number": "2025550151"}, "Mobile numbers of the two holders must differ"),
        ({"type": "tenants_common"}, "Ownership percentages of the two holders must total 100"),
        ({"secondHolderDetails__0__externalId": "else"}, "External Individual Id j-1-2 in User node does not match"),
    ],
)
def test_joint_holders_that_do_not_fit(steady: Caller, changes: dict[str, Any], text: str) -> None:
    found = errors(steady.post("/accounts", joint(**changes)))

    assert any(text in line for line in found), found


def organization(**changes: Any) -> dict[str, Any]:
    secretary = person("o-1-1", "Hugo", "2025550161", authorizedPerson=True, titles=[{"code": "SECRETARY"}])
    node = {
        "type": "LLC", "typeOfTrading": "FIRM", "usTaxPurposeType": "C",
        "identifications": [{"name": "Makebelieve LLC", "identification": "000000000", "formationCountry": "USA"}],
        "associatedEntities": {"associatedIndividuals": [secretary]},
    }  # fmt: skip
    for path, value in changes.items():
        change(node, path, value)
    return customer("ORG", {"organization": node}, "o-1", ["o-1-1"])


def test_an_organization_must_prove_that_it_exists(caller: Caller) -> None:
    found = outcome(caller.post("/accounts", organization()))

    assert found["status"] == "Success", found
    assert found["customer"] == "Makebelieve LLC"
    assert {8003, 8004} <= {task["formNumber"] for task in found["pendingTasks"]}


def trust(**changes: Any) -> dict[str, Any]:
    trustee = person("t-9-1", "Greta", "2025550171", primaryTrustee=True, authorizedTrader=True)
    node = {
        "identification": [{"name": "Fantasy Trust", "typeOfTrust": "REVOCABLE", "formationCountry": "CHE"}],
        "trustees": {"individuals": [trustee]}, "thirdPartyManagement": False,
    }  # fmt: skip
    for path, value in changes.items():
        change(node, path, value)
    return customer("TRUST", {"trust": node}, "t-9", ["t-9-1"])


@pytest.mark.parametrize("people", [[], [{"ownershipPercentage": 40}]])
def test_a_firm_that_benefits_of_a_trust_has_what_the_people_leave(caller: Caller, people: list[Any]) -> None:
    """IBKR's file gives it no percentage."""
    body = trust(beneficiaries={"legalEntity": [{"name": "Makebelieve Charity"}], "individual": people})
    assert outcome(caller.post("/accounts", body))["status"] == "Success"


def test_a_trust_is_opened_for_its_trustees(caller: Caller) -> None:
    found = outcome(caller.post("/accounts", trust()))

    assert (found["status"], found["customer"]) == ("Success", "Fantasy Trust"), found


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (organization(type=...), "Organization type is missing."),
        (organization(associatedEntities__associatedIndividuals__0__titles=[]), "needs the title DIRECTOR"),
        (organization(associatedEntities__associatedIndividuals__0__titles=[{"code": "CEO"}]), "needs the title DIRECTOR"),
        (organization(identifications=[]), "Name of Organization is missing"),
        (trust(trustees__individuals=[]), "Trustees are missing"),
        (trust(trustees__entities=[{"employees": [person("t-9-2", "Ada", "2025550172")]}]), "authorized to trade and sign"),
        (trust(beneficiaries={"individual": [{"ownershipPercentage": 40}]}), "must total 100"),
        (customer("UGMA", {}, "u-1", ["u-1-1"]), "Customers of type UGMA can be registered in the portal only"),
        (customer("ORG", {"trust": {}}, "u-1", ["u-1-1"]), "need exactly one applicant node, organization"),
    ],
)  # fmt: skip
def test_an_organization_or_trust_that_does_not_fit(steady: Caller, body: dict[str, Any], text: str) -> None:
    found = errors(steady.post("/accounts", body))

    assert any(text in line for line in found), found


def retirement(ext: str = "i-1", kind: str = "RO", **changes: Any) -> dict[str, Any]:
    heir = {"name": {"first": "Felix", "last": "Pretendson"}, "relationship": "Son", "ownershipPercentage": 100}
    body = application(ext, account__ira=True, account__iraType=kind, holder__maritalStatus="S")
    body["application"]["accounts"][0]["iraBeneficiaries"] = {"primaryBeneficiaries": [heir]}
    for path, value in changes.items():
        change(body["application"], path, value)
    return body


def test_a_retirement_account_shows_its_type(caller: Caller) -> None:
    found = outcome(caller.post("/accounts", retirement()))

    account = caller.get(f"/accounts/{found['accounts'][0]['value']}/details").json()["account"]
    assert (account["applicantType"], account["subType"]) == ("INDIVIDUAL", "RO")
    assert 4091 not in {task["formNumber"] for task in found["pendingTasks"]}


def test_a_spouse_who_is_not_the_beneficiary_must_consent(caller: Caller) -> None:
    found = outcome(caller.post("/accounts", retirement("i-2", holder__maritalStatus="M")))

    assert 4091 in {task["formNumber"] for task in found["pendingTasks"]}


@pytest.mark.parametrize(
    ("kind", "changes", "text"),
    [
        (
            "RO",
            {"account__iraBeneficiaries__primaryBeneficiaries__0__ownershipPercentage": 60},
            "primary beneficiaries must total 100",
        ),
        ("TFSA", {}, "Accounts of type TFSA are for residents of CAN"),
        ("SIMPLE", {}, "Accounts of type SIMPLE need an employeePlan"),
        (
            "SIMPLE",
            {"account__employeePlan": "E9999999"},
            "Employee plan E9999999 is not linked to master F1000001",
        ),
        ("TH", {}, "Accounts of type TH need the decedent"),
        ("RO", {"account__iraType": None}, "iraType is missing"),
    ],
)
def test_a_retirement_account_that_does_not_fit(steady: Caller, kind: str, changes: dict[str, Any], text: str) -> None:
    found = errors(steady.post("/accounts", retirement("i-3", kind, **changes)))

    assert any(text in line for line in found), found


def test_an_isa_brings_its_satellite(caller: Caller) -> None:
    found = outcome(caller.post("/accounts", retirement("i-4", "ISA", holder__residenceAddress__country="GBR")))

    satellite = found["ISASatelliteAccount"]["satelliteAccountId"]
    assert (
        caller.get(f"/accounts/{satellite}/details").json()["account"]["mainAccount"] == found["accounts"][0]["value"]
    )


def test_the_satellite_of_an_isa_is_not_closed_alone(caller: Caller) -> None:
    found = outcome(caller.post("/accounts", retirement("i-5", "ISA", holder__residenceAddress__country="GBR")))
    isa, satellite = found["accounts"][0]["value"], found["ISASatelliteAccount"]["satelliteAccountId"]
    caller.advance(3600)

    def close(number: str) -> list[str]:
        return errors(caller.patch("accountClose", {"accountId": number, "closeReason": "moved"}))

    assert caller.get(f"/accounts/{satellite}/status").json()["status"] == "O"
    assert close(satellite) == [f"Account {satellite} belongs to the ISA {isa} and cannot be closed alone"]


def test_each_joint_holder_has_a_login_of_the_own(caller: Caller) -> None:
    number = outcome(caller.post("/accounts", joint("j-9")))["accounts"][0]["value"]

    persons = caller.get(f"/accounts/{number}/details").json()["associatedPersons"]
    assert [(each["firstName"], each["username"]) for each in persons] == [("Clara", "mockf001"), ("Dario", "mockf002")]
    link = caller.post("/sso-browser-sessions", {"credential": "mockf002", "ip": "127.0.0.1"})
    assert link.status_code == 200, link.text
    assert "Dario Mockfield (mockf002)" in caller.http.get(link.json()["url"], timeout=10).text


@pytest.mark.parametrize(
    ("knobs", "last", "forms"),
    [
        ({}, "Examplewright", set()),
        ({}, "Nomatchman", {8001, 8002}),
        ({"trulioo": "match"}, "Nomatchman", set()),
        ({"trulioo": "nomatch"}, "Examplewright", {8001, 8002}),
        ({"trulioo": "nomatch", "identity_check": "au10tix"}, "Examplewright", {8137}),
    ],
)
def test_electronic_verification_decides_about_papers(
    caller: Caller, knobs: dict[str, str], last: str, forms: set[int]
) -> None:
    caller.config(**knobs)

    found = outcome(caller.post("/accounts", application("k-1", holder__name__last=last)))

    assert {task["formNumber"] for task in found["pendingTasks"]} - {9130, 5002} == forms


def test_a_draw_is_the_same_for_the_same_seed(caller: Caller) -> None:
    def drawn(ext: str) -> list[int]:
        caller.control("POST", "reset", {"seed": 7})
        caller.config(trulioo="draw", enforce_pacing=False, enforce_maintenance=False)
        found = []
        for number in range(12):
            answer = outcome(caller.post("/accounts", application(f"{ext}-{number}")))
            found.append(len(answer["pendingTasks"]))
        return found

    first = drawn("d-1")
    assert drawn("d-1") == first
    assert len(set(first)) == 2


def test_a_whole_application_without_funding_details_is_new_until_it_opens(caller: Caller) -> None:
    bare = outcome(caller.post("/accounts", whole(caller, "w-1", {})))["accounts"][0]["value"]
    notice = {"type": "WIRE", "amount": 5000, "currency": "USD", "wireDetails": {"bankName": "First"}}
    funded = outcome(caller.post("/accounts", whole(caller, "w-2", {"account__depositNotification": notice})))[
        "accounts"
    ][0]["value"]

    def seen(number: str) -> tuple[str, str]:
        answer = caller.get(f"/accounts/{number}/status").json()
        return answer["status"], answer["state"]

    assert seen(bare) == ("N", "Under Review with IBKR")
    assert seen(funded) == ("P", "Under Review with IBKR")
    caller.advance(600)
    assert seen(bare) == seen(funded) == ("O", "Open")


def test_a_prefix_runs_out_after_a_thousand_users(server: Server, caller: Caller) -> None:
    accounts = server.app.state.sandbox.accounts
    with server.app.state.sandbox.store.transaction():
        for number in range(1000):
            accounts.add_user(f"fullx{number:03d}", "U1000011", "", is_trader=False)

    found = errors(caller.post("/accounts", application("p-1", customer__prefix="fullx", user__prefix="fullx")))

    assert found == ["All usernames starting with the prefix, fullx are already taken. Please use a different prefix."]


class Broker(Caller):
    """A client application of the second master."""

    def assertion(self, *, key: Any = None, headers: dict[str, Any] | None = None, **changes: Any) -> str:
        return super().assertion(key=key, headers=headers, **{"iss": BROKER, "sub": BROKER, **changes})

    def sign(self, body: dict[str, Any], *, key: Any = None, **claims: Any) -> str:
        return super().sign(body, key=key, **{"iss": BROKER, **claims})


@pytest.fixture
def broker(caller: Caller) -> Broker:
    found = Broker(caller.url, make_key())
    found.register(client_id=BROKER, master_account="F2000001")
    return found


def test_a_second_master_sees_its_own_accounts_only(caller: Caller, broker: Broker) -> None:
    listed = broker.get("/accounts/status", startDate="2020-01-01", endDate="2030-01-01").json()["accounts"]

    assert [row["accountId"] for row in listed] == ["U1000001", "U1000002"]
    assert broker.get("/accounts/U1000011/status").status_code == 403
    assert caller.get("/accounts/U1000001/status").status_code == 403
    assert broker.post("/sso-sessions", {"credential": "marih001", "ip": "127.0.0.1"}).status_code == 400


def test_a_broker_needs_no_fees_and_judges_experience(broker: Broker) -> None:
    spain = {"holder__residenceAddress__country": "ESP", "account__advisorWrapFees": ...}
    open_account(broker, "b-1", **spain)

    green = [{"assetClass": "OPT", "yearsTrading": 1, "tradesPerYear": 4, "knowledgeLevel": "Good"}]
    money = [{"netWorth": 400000, "liquidNetWorth": 150000, "annualNetIncome": 90000, "investmentExperience": green}]
    options = {"account__tradingPermissions": [{"country": "UNITED STATES", "product": "OPTIONS"}], "financial": money}
    found = errors(broker.post("/accounts", application("b-2", **copy.deepcopy({**spain, **options}))))
    assert found == [
        "Exception for accounts * Financial Criteria checks for Capabilities failed:"
        " {experience=Experience in OPT does not suffice for OPTIONS} occurred."
    ]
    rich = [{**money[0], "investmentExperience": [{**green[0], "assetClass": "STK"}]}]
    margin = {**spain, "financial": rich, "account__margin": "RegT"}
    assert errors(broker.post("/accounts", application("b-4", **copy.deepcopy(margin)))) == [
        "Asset Experience is missing for asset class MRGN"
    ]
    assert errors(broker.post("/accounts", application("b-3", account__advisorWrapFees=...))) == [
        "Unable to determine client IB entity. Kindly provide valid Residence country and Legal Residence Country."
    ]


def test_a_brokers_fee_template_needs_no_acknowledgement(broker: Broker) -> None:
    answer = broker.patch("applyFeeTemplate", {"accountId": "U1000001", "templateName": "Standard"})
    request = answer.json()["requestId"]

    broker.advance(4 * 86400)

    assert broker.get(f"/requests/{request}/status", type="update").json()["status"] == "ACCEPTED"


def test_who_is_younger_than_21_opens_no_further_margin_account(caller: Caller) -> None:
    number = open_account(caller, "y-1", holder__dateOfBirth="2007-02-03")
    caller.advance(3600)
    further = {
        "externalId": "y-1-2", "baseCurrency": "USD", "tradingPermissions": SHARES, "advisorWrapFees": {"strategy": "NO_FEE"},
    }  # fmt: skip

    def add(**more: Any) -> Any:
        return caller.patch("addAdditionalAccount", {"accountId": number, "account": {**further, **more}})

    assert errors(add(margin="RegT")) == ["Only Cash accounts are available to applicants younger than 21"]
    assert outcome(add(margin="Cash"))["status"] == "Success"


def test_a_change_claims_no_more_years_of_trading_than_adulthood(caller: Caller) -> None:
    number = open_account(caller, "y-2", holder__dateOfBirth="2003-02-03")
    caller.advance(3600)
    stocks = {"assetClass": "STK", "yearsTrading": 9, "tradesPerYear": 20, "knowledgeLevel": "Good"}
    new = {"investmentExperience": [stocks]}

    assert errors(
        caller.patch("changeFinancialInformation", {"accountId": number, "newFinancialInformation": new})
    ) == ["Years trading of asset class STK exceed the years since the age of 18"]
