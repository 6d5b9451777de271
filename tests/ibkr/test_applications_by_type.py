"""What no application of one type of customer may say, nor an account in it, nor an answer to regulators."""

from collections.abc import Callable
from typing import Any

import pytest

from backoffice.ibkr.types.applications import RegulatoryInformation
from tests.ibkr.applications_as_written import (
    DECEDENT,
    NO_TIES,
    STREET,
    account,
    heir,
    individual,
    isa,
    jisa,
    joint,
    opened,
    organization,
    refusal,
    retirement,
    trust,
)
from tests.ibkr.changes_as_written import paper

Make = Callable[..., Any]


def both(**node: Any) -> Callable[[], object]:
    return lambda: joint(joint_holders=node)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (both(type="friends"), "Input should be 'community'"),
        (both(second_holder=None), "second_holder"),
        (both(second_holder={"phones": [{"number": "2025550151", "country": "USA"}]}), "mobile numbers"),
        (both(second_holder={"external_id": "joint-1-H1"}), "each person has an external id of the own"),
        (both(first_holder={"titles": [{"code": "SECOND HOLDER"}]}), "the title FIRST HOLDER"),
        (both(type="tenants_common"), "the shares of tenants in common total 100"),
        (
            both(type="tenants_common", first_holder={"ownership_percentage": 60},
                 second_holder={"ownership_percentage": 30}),
            "the shares of tenants in common total 100",
        ),
        (both(first_holder={"ownership_percentage": 100}), "only tenants in common have shares"),
        (lambda: joint(documents=[paper(8002)]), "does not say whose it is"),
        (lambda: joint(documents=[paper(8002, external_individual_id="joint-1-H2")]), "not signed by the holder"),
        (lambda: joint(accounts=[account("joint-1", ira=True, ira_type="RO")]), "an application of its own"),
    ],
)  # fmt: skip
def test_joint_holders_who_would_be_refused_cannot_be_written(make: Callable[[], object], why: str) -> None:
    assert why in refusal(make)


def firm(**node: Any) -> Callable[[], object]:
    return lambda: organization(organization=node)


def officer(**person: Any) -> Callable[[], object]:
    return lambda: organization(person=person)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (firm(type="CLUB"), "Input should be 'LLC'"),
        (firm(type_of_trading=None), "type_of_trading"),
        (firm(us_tax_purpose_type=None), "us_tax_purpose_type"),
        (firm(identification={"name": None}), "name"),
        (firm(identification={"identification": None}), "identification"),
        (
            firm(identification={"place_of_business_address": {"country": "USA", "street1": None}}),
            "the place of business",
        ),
        (firm(identification={"mailing_address": STREET}), "contradicts mail"),
        (firm(individuals=[]), "at least 1 item"),
        (firm(tax_residencies=[]), "at least 1 item"),
        (firm(tax_residencies=[{"country": "USA", "tin": "1", "tin_type": "NonUS_NationalId"}]), "has an EIN"),
        (firm(managing_owner={"external_id": "nobody", "is25_percent_owner": True}), "one of the firm's persons"),
        (officer(titles=[{"code": "CEO"}]), "an authorised person has one of the titles"),
        (officer(titles=[]), "at least 1 item"),
        (officer(authorized_person=False), "at least one authorised person"),
        (officer(authorized_trader=False), "nobody is named who gets a login"),
        (officer(identification={"citizenship": None}), "a citizenship and an issuing country"),
        (officer(date_of_birth=None), "date_of_birth"),
        (lambda: organization(route="full"), "registered by the hybrid route only"),
        (lambda: organization(accounts=[account("firm-1", account_type="SMSF")]), "of type SMSF is a trust's"),
    ],
)
def test_a_firm_that_would_be_refused_cannot_be_written(make: Callable[[], object], why: str) -> None:
    assert why in refusal(make)


def of_trust(**node: Any) -> Callable[[], object]:
    return lambda: trust(trust=node)


def trustee(**person: Any) -> Callable[[], object]:
    return lambda: trust(trustee=person)


CLERK = {
    "external_id": "trust-1-E1", "name": {"first": "Hugo", "last": "Trusty"}, "email": "hugo@example.com",
    "residence_address": {"country": "CHE"}, "authorized_trader": True,
}  # fmt: skip
HALF = {"name": {"first": "Ada", "last": "Fabler"}, "ownership_percentage": 50}


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (of_trust(identification={"type_of_trust": "FAMILY"}), "Input should be 'IRREVOC'"),
        (of_trust(identification={"date_formed": None}), "date_formed"),
        (of_trust(identification={"formation_state": None}), "formation_state"),
        (of_trust(identification={"address": {"country": "CHE", "street1": None}}), "the address of the trust"),
        (of_trust(identification={"registration_number": "1"}), "come together"),
        (of_trust(third_party_management=None), "third_party_management"),
        (of_trust(trustees={"individuals": []}), "a trust has a trustee"),
        (
            of_trust(trustees={"entities": [{"legal_entity": {"name": "Trusty AG"}, "employees": [CLERK]}]}),
            "at least one person who may trade and sign",
        ),
        (of_trust(beneficiaries={"individual": [HALF]}), "the shares of the beneficiaries total 100 per cent, not 50"),
        (
            of_trust(beneficiaries={"individual": [{"name": HALF["name"]}]}),
            "a beneficiary has a share",
        ),
        (of_trust(grantors={"individual": [{"name": HALF["name"]}]}), "a grantor has a citizenship"),
        (trustee(identification={"citizenship": None}), "a trustee has a citizenship"),
        (trustee(titles=[{"code": "TRUSTEE"}]), "a trustee has no titles"),
        (trustee(nfa_registered=True), "has a number there"),
        (trustee(primary_trustee=None), "primary_trustee"),
        (lambda: trust(route="full"), "registered by the hybrid route only, unless it is an SMSF"),
        (of_trust(identification={"type_of_trust": "SMSF"}), "an account of type SMSF"),
        (
            lambda: trust(accounts=[account("trust-1", ira=True, ira_type="RO")]),
            "an account for retirement is one person's",
        ),
    ],
)
def test_a_trust_that_would_be_refused_cannot_be_written(make: Callable[[], object], why: str) -> None:
    assert why in refusal(make)


def test_one_trustee_at_most_is_the_primary_one() -> None:
    first = trust().trust.trustees.individuals[0].model_dump()

    assert "the primary one" in refusal(of_trust(trustees={"individuals": [first, first | {"external_id": "x"}]}))


def test_an_australian_fund_is_told_in_full() -> None:
    missing = refusal(
        lambda: trust(
            route="full",
            trust={"identification": {"type_of_trust": "SMSF"}},
            accounts=[account("trust-1", account_type="SMSF")],
        )
    )

    for member in ("registration", "beneficiaries and grantors", "financial information", "question CONTROLLER"):
        assert member in missing


def of_ira(**of_account: Any) -> Callable[[], object]:
    return lambda: retirement("RO", of_account)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: retirement("TFSA"), "is for residents of its own country"),
        (lambda: retirement("ISA"), "accounts of the USA or Canada"),
        (lambda: retirement("SP"), "names the employer's plan"),
        (lambda: retirement("TH"), "names the decedent"),
        (of_ira(decedent=DECEDENT), "names the decedent, and only it does"),
        (of_ira(ira=None), "a retirement account has its type"),
        (
            of_ira(ira_beneficiaries={"primary_beneficiaries": [heir(ownership_percentage=60)]}),
            "total 100 per cent, not 60",
        ),
        (
            of_ira(ira_beneficiaries={"contingent_beneficiaries": [heir(ownership_percentage=60)]}),
            "contingent beneficiaries total 100 per cent, not 60",
        ),
        (
            of_ira(ira_beneficiaries={"primary_beneficiaries": [heir(relationship="Cousin")]}),
            "Input should be 'Brother'",
        ),
        (
            of_ira(
                ira_beneficiaries={
                    "primary_beneficiaries": [],
                    "primary_beneficiary_entities": [
                        {"name": "X", "entity_type": "Trust", "ownership_percentage": 100, "charity_number": "1"}
                    ],
                }
            ),
            "only a charity has a charity's number",
        ),
        (
            lambda: retirement("TH", {"decedent": DECEDENT | {"date_of_birth": "2026-01-01"}}),
            "the date of death lies before the date of birth",
        ),
        (lambda: retirement("TH", {"decedent": DECEDENT | {"inheritor_type": "X"}}), "Input should be 'S'"),
        (lambda: retirement("RO", {"ira_beneficiaries": None}, route="full"), "primary beneficiaries of account"),
        (
            lambda: retirement(
                "RO", {"ira_beneficiaries": {"primary_beneficiaries": [heir(date_of_birth=None)]}}, route="full"
            ),
            "a primary beneficiary has an external id, a date of birth",
        ),
        (
            lambda: retirement("RO", {"ira_beneficiaries": {"spouse_primary_beneficary": None}}, route="full"),
            "whether the spouse is primary beneficiary",
        ),
        (lambda: individual(accounts=[account("whole-1", ira=True, ira_type="RO")]), "an application of its own"),
        (lambda: opened(ira_beneficiaries={"successor": True}), "belong to a retirement account"),
    ],
)
def test_an_account_for_retirement_that_would_be_refused_cannot_be_written(
    make: Callable[[], object], why: str
) -> None:
    assert why in refusal(make)


def saver(make: Make, **person: Any) -> Callable[[], object]:
    return lambda: make(account_holder={"holder": person})


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: isa(accounts=[account("isa-1", ira=True, ira_type="ISA", margin="RegT")]), "a cash account"),
        (
            lambda: isa(accounts=[account("isa-1", ira=True, ira_type="ISA",
                                          trading_permissions=[{"country": "ALL", "product": "OPTIONS"}])]),
            "stocks only",
        ),
        (lambda: isa(accounts=[account("isa-1", ira=True, ira_type="JISA")]), "the ira_type ISA"),
        (saver(isa, residence_address={"country": "DEU"}, tax_residencies=[]), "residents of the United Kingdom"),
        (
            saver(isa, tax_residencies=[{"country": "GBR"}, {"country": "DEU"}]),
            "who pay taxes in the United Kingdom only",
        ),
        (
            saver(isa, identification={"national_card": None, "passport": "123456789", "expiration_date": "2031-01-01"}),
            "known by the national card",
        ),
        (lambda: jisa(account_holder={"contact": None}), "account_holder.contact"),
        (lambda: jisa(account_holder={"contact": {"titles": [{"code": "TRADER"}]}}), "the title Registered Contact"),
    ],
)  # fmt: skip
def test_a_british_account_that_would_be_refused_cannot_be_written(make: Callable[[], object], why: str) -> None:
    assert why in refusal(make)


def with_account(**changes: Any) -> Callable[[], object]:
    return lambda: opened(**changes)


TRANSFER = {
    "type": "FULL",
    "sub_type": "ACATS",
    "account_at_broker": "X",
    "signature": "C M",
    "broker_id": "1",
    "ssn": "512345678",
}
WIRE = {"type": "WIRE", "amount": 1, "currency": "USD", "wire_details": {"bank_name": "B"}}
CHEQUE = {"check_number": "1", "routing_number": "1", "account_number": "1"}


def transfer(**changes: Any) -> Callable[[], object]:
    return with_account(ext_positions_transfers=[TRANSFER | changes])


def deposit(**changes: Any) -> Callable[[], object]:
    return with_account(deposit_notification=WIRE | changes)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (
            with_account(trading_permissions=[{"country": "UNITED STATES", "product": "SHARES"}]),
            "Input should be 'BONDS'",
        ),
        (with_account(trading_permissions=[{"country": "USA", "product": "STOCKS"}]), "Input should be 'ALL'"),
        (with_account(trading_permissions=[{"country": "ALL"}]), "name an exchange group, or a country with a product"),
        (with_account(trading_permissions=[{"exchange_group": "US-Sec"}] * 2), "a permission may be named only once"),
        (with_account(trading_permissions=[]), "at least 1 item"),
        (with_account(capabilities=["LEVERAGE"]), "Input should be 'BOND'"),
        (with_account(alias="x" * 81), "at most 80 characters"),
        (with_account(number_of_duplicates=2), "goes with duplicate"),
        (with_account(fees_template_name="Standard"), "by a scheme or by a template"),
        (transfer(ssn=None), "by an SSN or by an EIN"),
        (transfer(broker_id=None), "names the broker"),
        (transfer(type="PARTIAL"), "a partial transfer lists its positions"),
        (transfer(partial_stock_positions=[{"symbol": "IBM", "number_of_shares": 1}]), "and only it does"),
        (
            transfer(type="PARTIAL", partial_stock_positions=[{"symbol": "IBM"}]),
            "say how many, or that all of them come",
        ),
        (transfer(type="PARTIAL", partial_cash_positions=[{}]), "say how much"),
        (transfer(type="PARTIAL", partial_bond_positions=[{"cusip_number": "912", "all": True}]), "cusip_number"),
        (deposit(amount=None, currency=None), "a deposit has an amount"),
        (deposit(currency=None), "an amount and its currency come together"),
        (deposit(check_details=CHEQUE), "the details of its own type"),
        (
            deposit(type="CHECK", wire_details=None, check_details=CHEQUE | {"routing_number": "1234567890"}),
            "routing_number",
        ),
        (deposit(type="CHECK", wire_details=None, check_details=CHEQUE | {"check_number": "1" * 17}), "at most 16"),
        (with_account(account_rep={"rep_details": [{"rep_id": "a", "percentage": 60}]}), "total 100 per cent, not 60"),
        (
            with_account(trading_limits={"day_quantity_limits": [{"asset": "STK", "quantity": 1}] * 2}),
            "a kind of product has one limit",
        ),
        (with_account(commission_configs=[{"style": "Bundled", "type": "Securities"}] * 2), "only once"),
    ],
)
def test_an_account_that_would_be_refused_cannot_be_asked_for(make: Callable[[], object], why: str) -> None:
    assert why in refusal(make)


def told(**changes: Any) -> Callable[[], object]:
    return lambda: RegulatoryInformation.model_validate(NO_TIES | changes)


YES = [{"code": "AFFILIATION", "status": True}]
TIE = {"affiliation_relationship": "Spouse", "person_name": "Dario", "company_id": 1}


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (told(regulatory_detail=[{"code": "ControlPubTraded", "status": True}]), "so it needs a detail"),
        (told(regulatory_detail=[{"code": "WEALTH", "status": True}]), "Input should be 'CRIMINAL'"),
        (told(regulatory_detail=YES), "explained by affiliation_details"),
        (told(affiliation_details=TIE), "and only it is"),
        (told(regulatory_detail=YES * 2, affiliation_details=TIE), "answered once for each person"),
        (told(regulatory_detail=YES, affiliation_details=TIE | {"company_id": None, "company": "B"}), "name the firm"),
        (told(regulatory_detail=YES, affiliation_details=TIE | {"person_name": "x" * 49}), "at most 48"),
        (told(org_regulatory_info={"regulated": True, "is_public": False}), "names its regulators"),
        (told(org_regulatory_info={"regulated": False, "is_public": True}), "where it is traded"),
    ],
)
def test_answers_to_regulators_that_would_be_refused_cannot_be_written(make: Callable[[], object], why: str) -> None:
    assert why in refusal(make)
