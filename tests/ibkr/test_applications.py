"""What an application may not say, for IBKR would refuse it; and how it spells what it may."""

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from backoffice.ibkr.types.applications import Registration
from backoffice.ibkr.wire import encode
from tests.ibkr.applications_as_written import (
    DECEDENT,
    FINANCES,
    STREET,
    account,
    individual,
    isa,
    jisa,
    joint,
    organization,
    refusal,
    retirement,
    trust,
)
from tests.ibkr.changes_as_written import paper

Make = Callable[..., Any]
TODAY = date(2026, 11, 24)


def of_person(**person: Any) -> Callable[[], object]:
    return lambda: individual(account_holder={"holder": person})


CARD = {"citizenship": "DEU", "issuing_country": "DEU", "ssn": None}
GERMAN: dict[str, Any] = {
    "residence_address": {"country": "DEU"}, "country_of_birth": "DEU", "phones": [], "w9": None,
    "identification": CARD, "tax_residencies": [{"country": "DEU", "tin": "12345678901", "tin_type": "NonUS_NationalId"}],
}  # fmt: skip


def german(**person: Any) -> Callable[[], object]:
    return of_person(**GERMAN | person)


def test_a_german_is_taken() -> None:
    german()()


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (of_person(external_id=None), "external_id"),
        (of_person(email=None), "email"),
        (of_person(name={"last": "Иванова"}), "a name is in Latin letters"),
        (of_person(name={"last": "Mockfield 2"}), "a name has no digits"),
        (of_person(residence_address=STREET | {"state": "Conn."}), "by ISO 3166-2"),
        (of_person(name={"last": "M"}), "a last name has at least two letters"),
        (of_person(name={"first": "C" * 51}), "at most 50 characters"),
        (german(residence_address={"country": "ISR"}), "give their name in its own script too"),
        (of_person(native_name={"first": "Clara", "last": "Mockfield"}), "a native name is in its own script"),
        (of_person(native_name={"first": "Клара", "middle": "М", "last": "М"}), "a middle name is in the Latin name too"),
        (of_person(residence_address=STREET | {"city": None}), "the residence address has a street"),
        (
            of_person(same_mail_address=None, mailing_address={"country": "USA", "street1": "2 Street"}),
            "the mailing address has a street",
        ),
        (of_person(residence_address=STREET | {"street1": "P.O. Box 12"}), "a post office box is no residence"),
        (of_person(residence_address=STREET | {"street2": "in care of Mr. X"}), "a post office box is no residence"),
        (of_person(residence_address=STREET | {"street1": "郵政信箱 12"}), "a post office box is no residence"),
        (of_person(phones=[{"type": "Home", "number": "2025550151", "country": "USA"}]), "of type Mobile"),
        (of_person(employment_type="EMPLOYED"), "must be described"),
        (
            of_person(employment_details={"employer": "X", "occupation": "Other", "employer_business": "Other"}),
            "another occupation or business must be described",
        ),
        (
            of_person(
                employment_details={
                    "employer": "X", "occupation": "A", "employer_business": "B", "employer_address": {"country": "CHE"},
                }
            ),
            "work in another country",
        ),
        (
            of_person(
                employment_type="EMPLOYED",
                employment_details={
                    "employer": "X", "occupation": "A", "employer_business": "B", "employer_address": STREET,
                },
            ),
            "an employer's address cannot be the employee's own",
        ),
        (of_person(identification={"issuing_country": None}), "the country that issued it"),
        (of_person(identification={"ssn": "000123456"}), "ssn is not in its form"),
        (of_person(identification={"ssn": None, "passport": "A1234567", "expiration_date": "2031-01-01"}), "known by ssn"),
        (german(identification=CARD | {"sin": "12"}), "sin is not in its form"),
        (german(identification=CARD | {"pan_number": "ABC"}), "pan_number is not in its form"),
        (german(identification=CARD | {"passport": "C01X00T47"}), "has its expiration date"),
        (german(identification=CARD | {"ssn": "512345678"}), "an SSN is issued by the USA"),
        (
            german(identification=CARD | {
                "drivers_license": "1", "issuing_country": "AUS", "expiration_date": "2031-01-01"}),
            "its state and authority",
        ),
        (german(identification=CARD | {"medicare_card": "1234567890", "issuing_country": "AUS"}), "its colour"),
        (of_person(tax_residencies=[{"country": "USA"}], w9=None), "a person who pays taxes in the USA has an SSN"),
        (german(tax_residencies=[{"country": "FRA"}]), "somebody pays taxes where he lives"),
        (german(country_of_birth="USA"), "signs of the USA without tax residency there"),
        (of_person(w9={"name": "Clara M Mockfield"}), "a tax form bears exactly the name"),
        (of_person(w9={"tin": "512345670"}), "the tax number of form W-9"),
        (
            german(w8_ben={
                "name": "Clara Mockfield", "foreign_tax_id": "99999999999", "part29_a_country": "DEU", "cert": True}),
            "the foreign tax number of form W-8BEN",
        ),
        (of_person(titles=[{"code": "TRADER"}]), "the title Account Holder"),
    ],
)  # fmt: skip
def test_a_person_who_would_be_refused_cannot_be_written(make: Callable[[], object], why: str) -> None:
    assert why in refusal(make)


LOGIN = {"external_user_id": "u", "external_individual_id": "whole-1-AH", "prefix": "mockf"}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"surprise": 1}, "Extra inputs are not permitted"),
        ({"prefix": "AB1"}, "prefix"),
        ({"external_id": "x" * 65}, "external_id"),
        ({"accounts": []}, "at least 1 item"),
        ({"accounts": [account("whole-1")] * 2}, "each account has an external id"),
        ({"users": [LOGIN | {"external_individual_id": "else"}]}, "each user belongs to a person"),
        ({"users": [LOGIN | {"prefix": "other"}]}, "the prefix is the same"),
        ({"users": [LOGIN, LOGIN]}, "each user has an external id"),
        ({"users": [LOGIN | {"user_privileges": [{"external_account_id": "else"}]}]}, "an account of the application"),
        ({"user_name": "ab1234567"}, "at least three letters"),
        ({"user_name": "short"}, "at least 9 characters"),
        ({"meet_aml_standard": True}, "Input should be 'true'"),
        ({"preferred_primary_language": "it"}, "Input should be 'en'"),
        (
            {
                "account_holder": {
                    "holder": {
                        "employment_type": "EMPLOYED",
                        "employment_details": {"employer": "X", "occupation": "A", "employer_business": "B"},
                    },
                    "financial_information": FINANCES
                    | {
                        "sources_of_wealth": [
                            {"source_type": "SOW-IND-Pension", "percentage": 100, "used_for_funds": True}
                        ]
                    },
                }
            },
            "somebody who works has SOW-IND-Income",
        ),
        ({"account_holder": {"financial_information": {"liquid_net_worth": None}}}, "and the annual net income"),
        ({"documents": [paper(8001)]}, "form 8001 says which proof of identity"),
        ({"documents": [paper(8002)]}, "form 8002 says which proof of address"),
        ({"documents": [paper(8002)]}, "signed by somebody who is not in the application"),
        (
            {
                "documents": [paper(5002).model_copy(update={"signed_by": ("Clara Mockfield",)})],
                "account_holder": {"holder": {"w9": {"tax_form_file": "Other.pdf"}}},
            },
            "the tax form's file Other.pdf is not among the documents",
        ),
    ],
)
def test_a_whole_that_would_be_refused_cannot_be_written(changes: dict[str, Any], why: str) -> None:
    assert why in refusal(lambda: individual(**changes))


PERSON_IN_FULL = (
    "date_of_birth", "country_of_birth", "num_dependents", "marital_status", "identification", "phones", "employment_type",
    "tax_residencies",
)  # fmt: skip


@pytest.mark.parametrize("name", PERSON_IN_FULL)
@pytest.mark.parametrize("which", ["individual", "second of two"])
def test_the_full_route_misses_each_member_of_a_person(name: str, which: str) -> None:
    nothing = {name: [] if name in ("phones", "tax_residencies") else None}
    if which == "individual":
        found = refusal(lambda: individual(route="full", account_holder={"holder": nothing}))
    else:
        found = refusal(lambda: joint(route="full", joint_holders={"second_holder": nothing}))

    assert f"{name} of {'Clara' if which == 'individual' else 'Dario'} Mockfield is missing" in found


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"account_holder": {"holder": {"w9": None}}}, "form W-9 or W-8BEN of Clara Mockfield is missing"),
        ({"account_holder": {"holder": {"same_mail_address": None}}}, "the mailing address of Clara Mockfield is missing"),
        ({"account_holder": {"holder": {"residence_address": {"state": None}}}}, "the residence of Clara Mockfield has"),
        ({"account_holder": {"holder": {"identification": {"citizenship": None}}}}, "a number, a citizenship and"),
        ({"account_holder": {"financial_information": None}}, "the financial information is missing"),
        ({"account_holder": {"financial_information": {"net_worth": None}}}, "net_worth is missing"),
        ({"account_holder": {"financial_information": {"sources_of_wealth": []}}}, "sources_of_wealth is missing"),
        ({"account_holder": {"regulatory_information": None}}, "question AFFILIATION is not answered"),
        ({"accounts": [account("whole-1", margin=None)]}, "margin of account whole-1-AC is missing"),
        ({"accounts": [account("whole-1", investment_objectives=[])]}, "investment_objectives of account"),
    ],
)  # fmt: skip
def test_the_full_route_misses_what_is_not_there(changes: dict[str, Any], why: str) -> None:
    assert why in refusal(lambda: individual(route="full", **changes))


def test_a_foreigner_asks_for_canadian_products_with_the_local_tax_form() -> None:
    w8 = {"name": "Clara Mockfield", "foreign_tax_id": "12345678901", "part29_a_country": "DEU", "cert": True}
    local = {"tax_authority": "CANADA_TA", "qualified": True, "treaty_country": "DEU"}
    shares = [account("whole-1", trading_permissions=[{"country": "CANADA", "product": "STOCKS"}])]

    def asked(form: dict[str, Any]) -> object:
        return individual(account_holder={"holder": GERMAN | {"w8_ben": form}}, accounts=shares)

    assert "the local tax form CANADA_TA" in refusal(lambda: asked(w8))
    asked(w8 | {"local_tax_forms": [local]})


def on_wire(application: Registration) -> dict[str, Any]:
    written: dict[str, Any] = json.loads(encode(application.wire_members()))["application"]
    return written


def test_each_type_is_spelt_with_its_own_node_and_arrays() -> None:
    customers = {
        each["type"]: each
        for each in (on_wire(make())["customer"] for make in (individual, joint, organization, trust))
    }

    assert set(customers) == {"INDIVIDUAL", "JOINT", "ORG", "TRUST"}
    (holder,) = customers["INDIVIDUAL"]["accountHolder"]["accountHolderDetails"]
    assert holder["titles"] == [{"code": "Account Holder"}]
    (first,), (second,) = (customers["JOINT"]["jointHolders"][f"{which}HolderDetails"] for which in ("first", "second"))
    assert [first["titles"], second["titles"]] == [[{"code": "FIRST HOLDER"}], [{"code": "SECOND HOLDER"}]]
    assert len(customers["JOINT"]["jointHolders"]["financialInformation"]) == 1
    assert len(customers["JOINT"]["jointHolders"]["regulatoryInformation"]) == 1
    firm_node = customers["ORG"]["organization"]
    assert [each["name"] for each in firm_node["identifications"]] == ["Dummyman Makebelieve LLC"]
    assert [each["externalId"] for each in firm_node["associatedEntities"]["associatedIndividuals"]] == ["firm-1-I1"]
    assert [each["name"] for each in customers["TRUST"]["trust"]["identification"]] == ["Fabler Fantasy Trust"]
    assert customers["TRUST"]["trust"]["thirdPartyManagement"] is False
    assert "route" not in json.dumps(customers)


def test_a_minor_is_the_holder_and_the_grown_up_stands_beside() -> None:
    written = on_wire(jisa())

    node = written["customer"]["accountHolder"]
    assert [each["externalId"] for each in node["accountHolderDetails"]] == ["jisa-1-AH"]
    assert node["associatedIndividual"]["titles"] == [{"code": "Registered Contact"}]
    assert [user["externalIndividualId"] for user in written["users"]] == ["jisa-1-RC"]


def test_what_ibkr_spells_in_two_ways_is_sent_as_specified_or_as_documented() -> None:
    spouse = {"primary_beneficiaries": [], "spouse_primary_beneficary": True}

    (specified,) = on_wire(retirement("TH", {"decedent": DECEDENT, "ira_beneficiaries": spouse}))["accounts"]
    documented_spouse = spouse | {"as_documented": True}
    (documented,) = on_wire(
        retirement("TH", {"decedent": DECEDENT, "decedent_listed": True, "ira_beneficiaries": documented_spouse})
    )["accounts"]

    assert specified["decendent"]["name"] == {"first": "Edna", "last": "Mockfield"}
    assert documented["decendent"] == [specified["decendent"]]
    assert specified["iraBeneficiaries"] == {"spousePrimaryBeneficary": True, "successor": False}
    assert documented["iraBeneficiaries"] == {"spousePrimaryBeneficiary": True, "successor": False}
    assert on_wire(retirement(customer_kind="IRA"))["customer"]["type"] == "IRA"


def test_a_document_of_an_application_has_its_file_in_ibkrs_two_places() -> None:
    signed = paper(8002, proof_of_address_type="Utility Bill").model_copy(update={"signed_by": ("Clara Mockfield",)})

    (written,) = on_wire(individual(documents=[signed]))["documents"]

    assert set(written["attachedFile"]) == {"fileName", "fileLength", "sha1Checksum"}
    assert set(written["payload"]) == {"mimeType", "data"}
    assert written["execTimestamp"] == 20261124103000


def test_an_application_kept_as_json_gives_back_the_same_request() -> None:
    for make in (individual, joint, organization, trust, retirement, isa, jisa):
        application = make()

        kept = json.loads(json.dumps(application.model_dump(mode="json")))

        assert type(application).model_validate(kept) == application


def test_an_expired_paper_is_refused_on_its_day() -> None:
    expired = {"ssn": "512345678", "passport": "A1234567", "expiration_date": "2026-11-24"}

    found = list(individual(account_holder={"holder": {"identification": expired}}).objections(TODAY))

    assert found == ["The identity document has expired."]
