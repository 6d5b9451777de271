"""Applications of every type of customer, each made to an account by the sandbox."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from backoffice.core import clock
from backoffice.ibkr import Rejected, Unsendable
from backoffice.ibkr.types.accounts import AccountDetails
from backoffice.ibkr.types.applications import Registration
from backoffice.ibkr.types.documents import Document, DocumentFile
from tests.contract.conftest import USERNAME, Connected
from tests.ibkr.applications_as_written import (
    DECEDENT,
    FINANCES,
    STREET,
    account,
    american,
    british,
    heir,
    individual,
    isa,
    jisa,
    joint,
    organization,
    retirement,
    trust,
)

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
)


def born(years: int) -> str:
    """The date of birth of somebody of that age, today in New York."""
    return f"{clock.today(clock.NEW_YORK).year - years}-01-01"


def opened(connected: Connected, application: Registration) -> AccountDetails:
    accepted = connected.client.accounts.create(application)
    assert accepted.account_id is not None
    assert len(connected.ledger("application", application.external_id)) == 1
    return connected.client.accounts.details(accepted.account_id)


def licence(signer: str, whose: str, name: str = "licence.png") -> Document:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    return Document(
        form_number=8001,
        file=DocumentFile.from_bytes(name, PNG),
        signed_by=(signer,),
        exec_timestamp=now,
        exec_login_timestamp=now,
        proof_of_identity_type="Driver License",
        expiration_date=date(2031, 5, 1),
        external_individual_id=whose,
    )


def test_one_person_is_registered_in_full(connected: Connected) -> None:
    connected.sandbox.config(registration_route="full")

    details = opened(connected, individual(route="full"))

    assert (details.applicant_type, details.base_currency) == ("INDIVIDUAL", "USD")
    assert [person.first_name for person in details.persons] == ["Clara"]


@pytest.mark.parametrize("kind", ["community", "joint_tenants", "tenants_common", "tbe", "au_joint_account"])
def test_two_persons_hold_an_account_in_each_way(connected: Connected, kind: str) -> None:
    shares = [{"ownership_percentage": share} if kind == "tenants_common" else {} for share in ("60", "40")]
    node = {"type": kind, "first_holder": shares[0], "second_holder": shares[1]}

    details = opened(connected, joint(joint_holders=node))

    assert (details.applicant_type, details.sub_type) == ("JOINT", kind)
    assert [person.first_name for person in details.persons] == ["Clara", "Dario"]


def test_two_persons_are_registered_in_full_each_with_a_login_and_a_paper(connected: Connected) -> None:
    connected.sandbox.config(registration_route="full", trulioo="nomatch")
    papers = (
        licence("Clara Mockfield", "joint-1-H1", "clara.png"),
        licence("Dario Mockfield", "joint-1-H2", "dario.png"),
    )

    accepted = connected.client.accounts.create(joint(route="full", documents=papers))

    assert [user.external_id for user in accepted.users] == ["joint-1-H1", "joint-1-H2"]
    assert [entity.external_id for entity in accepted.entities] == ["joint-1-H1", "joint-1-H2"]
    assert [document.form_number for document in accepted.documents] == ["8001", "8001"]


def test_a_firm_is_registered_and_must_prove_that_it_exists(connected: Connected) -> None:
    support = {"type": "OPERATINGBUSINESS", "business_description": "Invented", "owners_reside_us": True}
    regulators = {
        "regulatory_detail": [{"code": "STOCKCONTROL", "status": True, "detail": "IBM"}],
        "org_regulatory_info": {
            "regulated": True, "is_public": False,
            "org_regulators": [{"regulator_name": "FINRA", "regulator_country": "USA", "regulator_id": "1"}],
        },
    }  # fmt: skip
    node = {
        "account_support": support, "regulatory_information": regulators, "org_us_subsidiary": False,
        "managing_owner": {"external_id": "firm-1-I1", "is25_percent_owner": True},
    }  # fmt: skip

    accepted = connected.client.accounts.create(organization(organization=node))

    assert {"8003", "8004"} <= {task.form_number for task in accepted.pending_tasks}
    details = connected.client.accounts.details(str(accepted.account_id))
    assert (details.applicant_type, details.title) == ("ORG", "Dummyman Makebelieve LLC")


def test_a_trust_is_registered_for_its_trustees(connected: Connected) -> None:
    persons = [
        {"name": {"first": name, "last": "Fabler"}, "ownership_percentage": share}
        for name, share in (("Ada", "60"), ("Bea", "40"))
    ]
    grantor = {"name": {"first": "Greta", "last": "Fabler"}, "identification": {"citizenship": "CHE"}}
    node = {
        "beneficiaries": {"individual": persons},
        "grantors": {"individual": [grantor]},
        "trust_type": "SINGLE_TRUST",
    }

    details = opened(connected, trust(trust=node))

    assert (details.applicant_type, details.title) == ("TRUST", "Fabler Fantasy Trust")
    assert [person.first_name for person in details.persons] == ["Greta"]


def test_a_trust_is_registered_whose_trustee_is_a_firm(connected: Connected) -> None:
    employee = {
        "external_id": "trust-1-E1", "name": {"first": "Hugo", "last": "Trusty"}, "email": "hugo@example.com",
        "residence_address": {"country": "CHE"}, "authorized_to_sign_on_behalf_of_owner": True, "authorized_trader": True,
    }  # fmt: skip
    entity = {"legal_entity": {"name": "Trusty AG", "external_id": "trust-1-F1"}, "employees": [employee]}

    details = opened(connected, trust(trust={"trustees": {"individuals": [], "entities": [entity]}}))

    assert [person.first_name for person in details.persons] == ["Hugo"]


@pytest.mark.parametrize("kind", ["RI", "RO", "RT", "ED"])
def test_an_american_account_for_retirement_has_its_type(connected: Connected, kind: str) -> None:
    details = opened(connected, retirement(kind))

    assert (details.applicant_type, details.sub_type) == ("INDIVIDUAL", kind)


@pytest.mark.parametrize("kind", ["TH", "RH", "SH"])
def test_an_inherited_account_names_the_decedent(connected: Connected, kind: str) -> None:
    details = opened(connected, retirement(kind, {"decedent": DECEDENT}))

    assert details.sub_type == kind


@pytest.mark.parametrize(("kind", "plan"), [("SP", "E1000091"), ("SIMPLE", "E1000092")])
def test_an_account_of_an_employers_plan_names_the_plan(connected: Connected, kind: str, plan: str) -> None:
    details = opened(connected, retirement(kind, {"employee_plan": plan}))

    assert details.sub_type == kind


def test_an_account_for_retirement_is_registered_in_full_with_all_kinds_of_heirs(connected: Connected) -> None:
    connected.sandbox.config(registration_route="full")
    charity = {"name": "Good Works", "entity_type": "Charity", "ownership_percentage": 40, "charity_number": "12-3"}
    estate = {"name": "Estate of Clara", "entity_type": "Estate", "ownership_percentage": 100}
    heirs = {
        "primary_beneficiaries": [heir(ownership_percentage=60)], "primary_beneficiary_entities": [charity],
        "contingent_beneficiary_entities": [estate],
    }  # fmt: skip

    details = opened(connected, retirement("RT", {"ira_beneficiaries": heirs}, route="full"))

    assert details.sub_type == "RT"


def test_the_customer_of_an_account_for_retirement_may_be_of_type_ira(connected: Connected) -> None:
    connected.sandbox.config(ira_customer_type="ira")

    with pytest.raises(Rejected, match="IRA"):
        connected.client.accounts.create(retirement())
    details = opened(connected, retirement(customer_kind="IRA"))

    assert (details.applicant_type, details.sub_type) == ("IRA", "RO")


@pytest.mark.parametrize("kind", ["TFSA", "RRSP", "SRRSP"])
def test_a_canadian_account_is_told_right_and_is_not_for_this_advisors_clients(connected: Connected, kind: str) -> None:
    """An advisor at IBLLC-US may not bring Canadians, and the demonstration has no master at IB-CAN."""
    home = {**STREET, "country": "CAN", "state": "CA-ON"}
    person = {
        "residence_address": home, "country_of_birth": "CAN", "w9": None, "phones": [],
        "identification": {"citizenship": "CAN", "ssn": None, "sin": "046454286", "issuing_country": "CAN"},
        "tax_residencies": [{"country": "CAN", "tin": "046454286", "tin_type": "NonUS_NationalId"}],
    }  # fmt: skip

    with pytest.raises(Rejected) as caught:
        connected.client.accounts.create(retirement(kind, {"base_currency": "CAD"}, account_holder={"holder": person}))

    assert caught.value.reasons == (
        "Canadian legal resident client cannot be client of this advisor as FA is not based in Canada",
    )


def test_an_isa_brings_a_general_account_with_it(connected: Connected) -> None:
    accepted = connected.client.accounts.create(isa())

    assert accepted.satellite_account_id is not None
    assert connected.client.accounts.details(str(accepted.account_id)).sub_type == "ISA"
    satellite = connected.client.accounts.details(accepted.satellite_account_id)
    assert satellite.main_account_id == accepted.account_id


def test_a_jisa_is_of_a_minor_and_looked_after_by_a_grown_up(connected: Connected) -> None:
    accepted = connected.client.accounts.create(jisa())

    assert accepted.satellite_account_id is None
    assert [user.external_id for user in accepted.users] == ["jisa-1-RC"]
    details = connected.client.accounts.details(str(accepted.account_id))
    assert details.sub_type == "JISA"
    assert [person.first_name for person in details.persons] == ["Mia", "Jonas"]


FURTHER: dict[str, dict[str, Any]] = {
    "representatives": {"account_rep": {"rep_details": [{"rep_id": USERNAME, "percentage": 100}]}},
    "a wire": {
        "deposit_notification": {
            "type": "WIRE", "amount": "25000", "currency": "USD", "wire_details": {"bank_name": "Sample Bank"},
        }
    },
    "a cheque": {
        "deposit_notification": {
            "type": "CHECK", "amount": "25000.50", "currency": "USD",
            "check_details": {"check_number": "1", "routing_number": "021000021", "account_number": "12345"},
        }
    },
    "all positions": {
        "ext_positions_transfers": [
            {
                "type": "FULL", "sub_type": "ACATS", "account_at_broker": "X1", "signature": "Clara Mockfield",
                "broker_id": "0226", "broker_name": "Sample Broker", "ssn": "512345678", "margin_loan": False,
            }
        ]
    },
    "some positions": {
        "ext_positions_transfers": [
            {
                "type": "PARTIAL", "sub_type": "ATON", "account_at_broker": "X1", "signature": "Clara Mockfield",
                "broker_name": "Sample Broker", "ein": "512345678",
                "partial_stock_positions": [{"symbol": "IBM", "number_of_shares": 100}],
                "partial_bond_positions": [{"cusip_number": "912810SV1", "all": True}],
                "partial_option_positions": [
                    {
                        "symbol": "IBM", "option_type": "CALL", "strike_price": 200, "expiration_date": "20270115",
                        "number_of_contracts": 2, "position": "SHORT",
                    }
                ],
                "partial_warrant_positions": [
                    {"symbol": "W", "option_type": "PUT", "strike_price": 5, "expiration_date": "20270115", "all": True}
                ],
                "partial_fund_positions": [{"symbol": "VFIAX", "number_of_shares": 10}],
                "partial_cash_positions": [{"amount": "1000.50"}],
            }
        ]
    },
    "commissions and interest": {
        "client_commission_schedule": {
            "pricing_structure": "TIERED",
            "markups": [{"code": "STK", "type": "PM", "amount": "0.01", "stairs": [{"threshold": 1, "amount": "0.02"}]}],
        },
        "client_interest_markup_schedules": [{"currency": "USD", "debit_markup": "0.5", "credit_markdown": "0.25"}],
        "commission_configs": [{"style": "Bundled", "type": "Securities"}],
    },
    "limits": {
        "trading_limits": {
            "order_value_limits": {"max_order_value": 1_000_000},
            "efp_quantity_limits": {"max_net_efp_trades": 3},
            "order_quantity_limits": [{"asset": "STK", "quantity": 1000}],
            "day_quantity_limits": [{"asset": "OPT", "quantity": 10}],
        },
        "all_exchange_access": [{"asset_class": "OPT", "exchange": "CBOE"}],
        "dvp_instructions": [{"type": "DTCID", "role": "C", "agent_id": "123", "is_default": True}],
        "brokerage_service_codes": ["IBExecution"],
    },
    "programmes": {
        "drip": True, "stock_yield_program": False, "account_configuration": {"value": True}, "option_level": 2,
        "alias": "Family", "client_active_trading": False, "duplicate": True, "number_of_duplicates": 1,
    },
}  # fmt: skip


@pytest.mark.parametrize("what", FURTHER)
def test_an_account_is_asked_for_with_everything_it_may_have(connected: Connected, what: str) -> None:
    details = opened(connected, individual(accounts=[account("whole-1", **FURTHER[what])]))

    assert details.base_currency == "USD"


def test_the_whole_application_says_what_it_is_about(connected: Connected) -> None:
    application = individual(
        input_language="en", translation=False, preferred_primary_language="en", preferred_secondary_language="de",
        opt_for_debit_card=False, transfer_us_micro_cap_stock=False, tax_treaty_country="USA",
        questionnaires=[{"form_number": 9943, "answers": [{"question_id": 1, "detail": "Savings"}]}],
        users=[
            {
                "external_user_id": "whole-1-USR", "external_individual_id": "whole-1-AH", "prefix": "mockf",
                "md_services": [460], "user_privileges": [{"external_account_id": "whole-1-AC", "privilege": "OWNER"}],
            }
        ],
    )  # fmt: skip

    accepted = connected.client.accounts.create(application)

    assert [user.external_id for user in accepted.users] == ["whole-1-USR"]


@pytest.mark.parametrize(
    ("application", "sentence"),
    [
        (individual(account_holder={"holder": {"date_of_birth": born(17)}}), "Clara Mockfield is younger than 18."),
        (
            joint(
                joint_holders={
                    "second_holder": {"date_of_birth": born(19)},
                    "financial_information": FINANCES | {"investment_experience": []},
                },
                accounts=[account("joint-1", margin="RegT")],
            ),
            "Somebody younger than 21 can have a cash account only.",
        ),
        (
            jisa(account_holder={"holder": british("jisa-1-AH", "Mia", born(18))}),
            "A JISA is for somebody younger than 18.",
        ),
        (
            individual(account_holder={"holder": american("whole-1-AH", "Clara", "512345678", "2025550151")
                | {"date_of_birth": born(21)}}),
            "Nobody of 21 has traded STK for 6 years.",
        ),
    ],
)  # fmt: skip
def test_what_is_refused_today_is_not_sent(connected: Connected, application: Registration, sentence: str) -> None:
    with pytest.raises(Unsendable) as caught:
        connected.client.accounts.create(application)

    assert sentence in caught.value.reasons
    assert connected.sent("POST", "/accounts") == 0
    assert connected.ledger("application") == []
