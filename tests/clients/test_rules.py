"""IBKR's rules, one bad input at a time: the field, the rule, the fix."""

from datetime import date
from typing import Any

import pytest

from backoffice.ibkr.types.documents import ADDRESS_PROOFS, DOCUMENT_TYPES, IDENTITY_PROOFS
from clients import rules, translate
from clients.rules import facts
from tests.clients.conftest import READY

TODAY = date(2026, 11, 23)


def defects(**typed: Any) -> dict[str, rules.Defect]:
    return {defect.field: defect for defect in rules.check(READY | typed, today=TODAY)}


def test_a_complete_draft_has_no_defect() -> None:
    assert rules.check(READY, today=TODAY) == []


@pytest.mark.parametrize(
    ("typed", "field", "rule"),
    [
        ({"first_name": ""}, "first_name", "NAM-01"),
        ({"first_name": "Ilse2"}, "first_name", "NAM-02"),
        ({"first_name": "Ильзе"}, "first_name", "NAM-02"),
        ({"last_name": "   "}, "last_name", "NAM-01"),
        ({"last_name": "V"}, "last_name", "NAM-03"),
        ({"last_name": "V" * 51}, "last_name", "LEN-01"),
        ({"middle_name": "@"}, "middle_name", "NAM-02"),
        ({"date_of_birth": "97-12-24"}, "date_of_birth", "DOB-02"),
        ({"date_of_birth": "24-12-1997"}, "date_of_birth", "DOB-02"),
        ({"date_of_birth": "1997/12/24"}, "date_of_birth", "DOB-02"),
        ({"date_of_birth": "1997-02-29"}, "date_of_birth", "DOB-02"),
        ({"date_of_birth": "1997-13-01"}, "date_of_birth", "DOB-02"),
        ({"date_of_birth": "1990-8-8"}, "date_of_birth", "DOB-02"),
        ({"date_of_birth": "0000-00-00"}, "date_of_birth", "DOB-02"),
        ({"date_of_birth": "1997-12-24T00:00"}, "date_of_birth", "DOB-02"),
        ({"date_of_birth": "2008-11-24"}, "date_of_birth", "DOB-03"),
        ({"date_of_birth": "1888-11-24"}, "date_of_birth", "DOB-04"),
        ({"email": ""}, "email", "EML-01"),
        ({"email": "tester@gmail"}, "email", "EML-02"),
        ({"email": "a b@example.com"}, "email", "EML-02"),
        ({"phone": ""}, "phone", "TEL-01"),
        ({"phone": "12"}, "phone", "TEL-02"),
        ({"phone": "call me"}, "phone", "TEL-02"),
        ({"country": ""}, "country", "RES-01"),
        ({"country": "Germany"}, "country", "CTR-01"),
        ({"country": "AFG"}, "country", "RES-06"),
        ({"street1": ""}, "street1", "RES-02"),
        ({"street1": "PO Box 12"}, "street1", "RES-03"),
        ({"street1": "P.O. Box 12"}, "street1", "RES-03"),
        ({"street1": "Post Office Box 12"}, "street1", "RES-03"),
        ({"street2": "c/o Smith"}, "street2", "RES-03"),
        ({"street1": "x" * 201}, "street1", "LEN-01"),
        ({"postal_code": ""}, "postal_code", "RES-02"),
        ({"city": "x" * 101}, "city", "LEN-01"),
        ({"state": "Bavaria"}, "state", "RES-04"),
        ({"country": "USA", "state": ""}, "state", "RES-05"),
        ({"tax_country": "", "tax_number": "123456789"}, "tax_country", "TAX-01"),
        ({"tax_number": "12"}, "tax_number", "TAX-03"),
        ({"tax_country": "USA", "tax_number": "078-05-1120"}, "tax_number", "TAX-03"),
        ({"base_currency": "USDD"}, "base_currency", "ACC-02"),
        ({"margin": ""}, "margin", "ACC-03"),
        ({"margin": "PortfolioMargin"}, "margin", "ACC-04"),
        ({"margin": "RegT", "date_of_birth": "2006-11-24"}, "margin", "ACC-05"),
        ({"prefix": ""}, "prefix", "USR-01"),
        ({"prefix": "Ilse"}, "prefix", "USR-02"),
        ({"prefix": "il"}, "prefix", "USR-02"),
        ({"prefix": "teste1"}, "prefix", "USR-02"),
        ({"prefix": "ilsevan"}, "prefix", "USR-02"),
        ({"alias": "a" * 81}, "alias", "ALI-02"),
        ({"permissions": []}, "permissions", "ACC-07"),
        ({"permissions": ["US-Everything"]}, "permissions", "ACC-08"),
    ],
)
def test_a_bad_input_is_named_at_its_field_with_a_fix(typed: dict[str, Any], field: str, rule: str) -> None:
    found = defects(**typed)[field]

    assert (found.rule, found.stops) == (rule, True)
    assert found.message.endswith((".", "?"))
    assert found.fix.endswith(".")


@pytest.mark.parametrize(
    ("typed", "field", "rule"),
    [
        ({"country": "POL", "tax_country": "POL", "tax_number": "12345678901"}, "country", "KYC-01"),
        ({"country": "CAN", "tax_country": "", "tax_number": ""}, "country", "RES-07"),
        ({"citizenship": ""}, "citizenship", "BIR-01"),
        ({"citizenship": "USA"}, "citizenship", "USI-01"),
        ({"tax_number": ""}, "tax_number", "TAX-02"),
        ({"tax_country": "BEL", "tax_number": "12345678901"}, "tax_country", "TAX-04"),
    ],
)
def test_what_only_delays_warns_and_does_not_stop(typed: dict[str, Any], field: str, rule: str) -> None:
    found = defects(**typed)

    assert found[field].rule == rule
    assert not any(defect.stops for defect in found.values())


def test_nobody_lives_abroad_before_a_residence_is_given() -> None:
    """The holder's step is filled in before the residence: a warning that comes and goes teaches people to ignore it."""
    found = defects(citizenship="USA", country="")

    assert found["country"].is_missing
    assert "citizenship" not in found


def test_what_stops_comes_before_what_warns() -> None:
    found = rules.check(
        READY | {"country": "POL", "state": "", "email": "", "tax_country": "", "tax_number": ""}, today=TODAY
    )

    assert [defect.stops for defect in found] == [True, False]


@pytest.mark.parametrize(
    ("sentence", "field"),
    [
        ("Email of Account Holder must differ from the email of the master account.", "email"),
        ("Must be at least 18 to open account", "date_of_birth"),
        ("PO Box not accepted as residential address", "street1"),
        ("Attribute prefix must consist of 3 to 6 lower case letters.", "prefix"),
        ("Account base currency is either missing or is invalid.", "base_currency"),
        ("Last name must have at least two characters for Account Holder", "last_name"),
        ("Canadian legal resident client cannot be client of this advisor as FA is not based in Canada", "country"),
        ("American SSN is invalid.", "tax_number"),
        ("java.lang.NullPointerException", ""),
    ],
)
def test_ibkrs_sentence_finds_the_field_it_is_about(sentence: str, field: str) -> None:
    assert translate.field_of_sentence(sentence) == field


def test_a_payload_for_the_eye_shows_no_personal_value() -> None:
    shown = translate.masked(
        {"email": "ilse@example.org", "phones": [{"number": "31612345678"}], "dateOfBirth": "1988-02-11"}
    )

    assert shown == {"email": "••••@example.org", "phones": [{"number": "••••••678"}], "dateOfBirth": "1988-••-••"}


@pytest.mark.parametrize("form", ["8001", "8002", "8360", *map(str, range(8541, 8550)), "9975"])
def test_what_a_paper_may_be_is_in_the_words_the_client_sends(form: str) -> None:
    """The forms of the table in account-management.md 8.2, and the two proofs."""
    sent = {"8001": IDENTITY_PROOFS, "8002": ADDRESS_PROOFS}.get(form, DOCUMENT_TYPES)

    offered = {word for word, _ in facts.proof_choices(form)}

    assert offered
    assert offered <= sent
