"""Applications of every type of customer, from the facts' samples: `joint()` is right, `joint(first_holder={...})` differs.

A mapping among the changes is merged into the member it names; any other value replaces it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from backoffice.ibkr.types.accounts import NewAccount
from backoffice.ibkr.types.applications import (
    IndividualApplication,
    IsaApplication,
    JisaApplication,
    JointApplication,
    OrganizationApplication,
    RetirementApplication,
    TrustApplication,
)

STREET = {"country": "USA", "street1": "1 Sample Street", "city": "Testville", "state": "CT", "postal_code": "06001"}
LONDON = {"country": "GBR", "street1": "3 Invented Mews", "city": "London", "state": "GB-ENG", "postal_code": "N1 9ZZ"}
ZURICH = {"country": "CHE", "street1": "Musterweg 1", "city": "Zurich", "state": "CH-ZH", "postal_code": "8001"}
FINANCES = {
    "net_worth": 400_000, "liquid_net_worth": 150_000, "annual_net_income": 90_000,
    "investment_experience": [
        {"asset_class": "STK", "years_trading": 6, "trades_per_year": 15, "knowledge_level": "Good"}
    ],
    "sources_of_wealth": [{"source_type": "SOW-IND-Income", "percentage": 100, "used_for_funds": True}],
}  # fmt: skip
NO_TIES = {
    "regulatory_detail": [
        {"code": code, "status": False} for code in ("AFFILIATION", "EmployeePubTrade", "ControlPubTraded")
    ]
}


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for name, value in changes.items():
        old = result.get(name)
        result[name] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def account(key: str, **more: Any) -> dict[str, Any]:
    return {
        "external_id": f"{key}-AC", "base_currency": "USD", "margin": "Cash", "advisor_wrap_fees": {"strategy": "NO_FEE"},
        "trading_permissions": [{"country": "UNITED STATES", "product": "STOCKS"}],
        "investment_objectives": ["Growth", "Trading"], **more,
    }  # fmt: skip


def american(key: str, first: str, ssn: str, mobile: str) -> dict[str, Any]:
    """A person of the USA with everything that the full route wants."""
    return {
        "external_id": key, "name": {"first": first, "last": "Mockfield"}, "email": f"{first.lower()}@example.com",
        "date_of_birth": "1984-03-09", "country_of_birth": "USA", "marital_status": "S", "num_dependents": 0,
        "residence_address": STREET, "same_mail_address": True,
        "phones": [{"type": "Mobile", "number": mobile, "country": "USA"}],
        "identification": {"citizenship": "USA", "ssn": ssn, "issuing_country": "USA", "expire": False},
        "employment_type": "RETIRED", "tax_residencies": [{"country": "USA", "tin": ssn, "tin_type": "SSN"}],
        "w9": {
            "name": f"{first} Mockfield", "tin": ssn, "tin_type": "SSN", "cert1": True, "cert2": True, "cert3": True,
        },
    }  # fmt: skip


def individual(**changes: Any) -> IndividualApplication:
    base = {
        "external_id": "whole-1", "prefix": "mockf", "email": "clara@example.com", "accounts": [account("whole-1")],
        "account_holder": {
            "holder": american("whole-1-AH", "Clara", "512345678", "2025550151"),
            "financial_information": FINANCES, "regulatory_information": NO_TIES,
        },
    }  # fmt: skip
    return IndividualApplication.model_validate(merged(base, changes))


def joint(**changes: Any) -> JointApplication:
    base = {
        "external_id": "joint-1", "prefix": "mockf", "email": "clara@example.com", "accounts": [account("joint-1")],
        "joint_holders": {
            "type": "joint_tenants", "financial_information": FINANCES, "regulatory_information": NO_TIES,
            "first_holder": american("joint-1-H1", "Clara", "512345678", "2025550151"),
            "second_holder": american("joint-1-H2", "Dario", "512345679", "2025550152"),
        },
    }  # fmt: skip
    return JointApplication.model_validate(merged(base, changes))


def organization(**changes: Any) -> OrganizationApplication:
    person = {
        "external_id": "firm-1-I1", "name": {"first": "Hugo", "last": "Dummyman"}, "email": "hugo@example.com",
        "date_of_birth": "1984-03-09", "residence_address": STREET, "same_mail_address": True,
        "identification": {"citizenship": "USA", "ssn": "512345678", "issuing_country": "USA", "expire": False},
        "tax_residencies": [{"country": "USA", "tin": "512345678", "tin_type": "SSN"}], "titles": [{"code": "SECRETARY"}],
        "authorized_person": True, "authorized_to_sign_on_behalf_of_owner": True, "authorized_trader": True,
    }  # fmt: skip
    base = {
        "external_id": "firm-1", "prefix": "dummy", "email": "hugo@example.com", "accounts": [account("firm-1")],
        "organization": {
            "type": "LLC", "type_of_trading": "FIRM", "us_tax_purpose_type": "C",
            "identification": {
                "name": "Dummyman Makebelieve LLC", "business_description": "Invented trading company",
                "identification": "000000000", "identification_country": "USA", "formation_country": "USA",
                "place_of_business_address": STREET, "same_mail_address": True,
            },
            "tax_residencies": [{"country": "USA", "tin": "000000000", "tin_type": "EIN"}],
            "individuals": [merged(person, changes.pop("person", {}))],
        },
    }  # fmt: skip
    return OrganizationApplication.model_validate(merged(base, changes))


def trust(**changes: Any) -> TrustApplication:
    trustee = {
        "external_id": "trust-1-T1", "name": {"first": "Greta", "last": "Fabler"}, "email": "greta@example.com",
        "residence_address": {"country": "CHE"}, "same_mail_address": True,
        "identification": {"citizenship": "CHE", "issuing_country": "CHE", "expire": False},
        "authorized_to_sign_on_behalf_of_owner": True, "authorized_trader": True, "primary_trustee": True,
    }  # fmt: skip
    base = {
        "external_id": "trust-1", "prefix": "fable", "email": "greta@example.com",
        "accounts": [account("trust-1", margin="RegT")],
        "trust": {
            "identification": {
                "name": "Fabler Fantasy Trust", "type_of_trust": "REVOCABLE", "date_formed": "2019-02-01",
                "formation_country": "CHE", "formation_state": "CH-ZH", "address": ZURICH, "same_mail_address": True,
            },
            "trustees": {"individuals": [merged(trustee, changes.pop("trustee", {}))]}, "third_party_management": False,
        },
    }  # fmt: skip
    return TrustApplication.model_validate(merged(base, changes))


def heir(**changes: Any) -> dict[str, Any]:
    base = {
        "external_id": "ira-1-PB1", "name": {"first": "Felix", "last": "Mockfield"}, "date_of_birth": "2001-07-14",
        "relationship": "Son", "ownership_percentage": 100, "residence_address": STREET, "same_mail_address": True,
        "identification": {"citizenship": "USA", "ssn": "512345680", "issuing_country": "USA"},
    }  # fmt: skip
    return merged(base, changes)


DECEDENT = {
    "name": {"first": "Edna", "last": "Mockfield"}, "date_of_death": "2025-01-31", "relationship": "Individual",
    "inheritor_type": "I", "identification": {"citizenship": "USA", "ssn": "512345681", "issuing_country": "USA"},
}  # fmt: skip


def retirement(kind: str = "RO", of_account: Mapping[str, Any] | None = None, **changes: Any) -> RetirementApplication:
    beneficiaries = {"primary_beneficiaries": [heir()], "spouse_primary_beneficary": False, "successor": False}
    asked = account("ira-1", ira=True, ira_type=kind, ira_beneficiaries=beneficiaries)
    base = {
        "external_id": "ira-1", "prefix": "ednap", "email": "clara@example.com",
        "accounts": [merged(asked, of_account or {})],
        "account_holder": {
            "holder": american("ira-1-AH", "Clara", "512345678", "2025550151"),
            "financial_information": FINANCES, "regulatory_information": NO_TIES,
        },
    }  # fmt: skip
    return RetirementApplication.model_validate(merged(base, changes))


def british(key: str, first: str, born: str) -> dict[str, Any]:
    return {
        "external_id": key, "name": {"first": first, "last": "Makeup"}, "email": f"{first.lower()}@example.com",
        "date_of_birth": born, "country_of_birth": "GBR", "residence_address": LONDON, "same_mail_address": True,
        "identification": {"citizenship": "GBR", "national_card": "AB123456C", "issuing_country": "GBR", "expire": False},
        "tax_residencies": [{"country": "GBR", "tin": "AB123456C", "tin_type": "NonUS_NationalId"}],
    }  # fmt: skip


def savings(key: str, kind: str, **more: Any) -> dict[str, Any]:
    shares = [{"country": "ALL", "product": "STOCKS"}]
    return account(key, base_currency="GBP", ira=True, ira_type=kind, trading_permissions=shares, **more)


def isa(**changes: Any) -> IsaApplication:
    base = {
        "external_id": "isa-1", "prefix": "jonas", "email": "jonas@example.com", "accounts": [savings("isa-1", "ISA")],
        "account_holder": {"holder": british("isa-1-AH", "Jonas", "1979-11-30")},
    }  # fmt: skip
    return IsaApplication.model_validate(merged(base, changes))


def jisa(**changes: Any) -> JisaApplication:
    base = {
        "external_id": "jisa-1", "prefix": "jonas", "email": "jonas@example.com", "accounts": [savings("jisa-1", "JISA")],
        "account_holder": {
            "holder": british("jisa-1-AH", "Mia", "2016-05-05"), "contact": british("jisa-1-RC", "Jonas", "1979-11-30"),
        },
    }  # fmt: skip
    return JisaApplication.model_validate(merged(base, changes))


def opened(**changes: Any) -> NewAccount:
    return NewAccount.model_validate(account("acc-1") | changes)


def refusal(make: Callable[[], object]) -> str:
    """What is wrong with a request that must not come into being."""
    with pytest.raises(ValidationError) as caught:
        make()
    return str(caught.value)
