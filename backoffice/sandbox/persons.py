"""What one individual of an application may say about himself: name, birth, addresses, identity, work, tax."""

import re
from datetime import date
from typing import Any

from . import enumerations, rules, tax

NATIVE_NAME = frozenset({"RUS", "ISR"})
NO_CARDS = {"USA": "ssn", "CAN": "sin", "IND": "panNumber"}
CARDS = ("passport", "nationalCard", "driversLicense", "alienCard", "taxId", "hkTravelPermit", "medicareCard")
DATED = ("passport", "driversLicense", "hkTravelPermit")
LATIN = re.compile(r"^[\x00-\u024f]*$")
PAN = re.compile(r"^[A-Z]{5}\d{4}[A-Z]$")
SIN = re.compile(r"^\d{9}$")
# Number formats by issuing country, as far as they are printed.
FORMATS = {
    ("AUS", "passport"): r"[a-zA-Z0-9]{7,10}", ("CAN", "passport"): r"[a-zA-Z0-9]{6,10}",
    ("CHN", "passport"): r"[A-Za-z0-9]{9}|\d{18}", ("IND", "passport"): r"[a-zA-Z]\d{7}",
    ("USA", "passport"): r"[a-zA-Z]*\d{6,9}",
    ("SGP", "passport"): r"[a-zA-Z0-9]{8,10}", ("ARG", "nationalCard"): r"\d{8}",
    ("FRA", "nationalCard"): r"\d{15}|[A-Za-z0-9]{9}|\d{4}[A-Z\d]{3}\d{5}",
    ("ITA", "nationalCard"): r"[A-Z]{2}\d{7}|\d{7}[A-Z]{2}|[A-Z]{2}\d{5}[A-Z]{2}", ("MYS", "nationalCard"): r"\d{12}",
    ("MEX", "nationalCard"): r"[A-Z]{4}\d{6}[A-Z]{6}\d{2}", ("RUS", "nationalCard"): r"\d{9,10}",
    ("NZL", "driversLicense"): r"[A-Z]{2}\d{6}", ("AUS", "driversLicense"): r".{0,64}", ("AUS", "medicareCard"): r"\d{10}",
    ("SAU", "nationalCard"): r"[12]\d{9}", ("ZAF", "nationalCard"): r"\d{13}",
}  # fmt: skip
NO_IDENTIFICATION = (
    "Valid identification is missing for Account Holder. Please provide valid identification such as"
    " SSN, SIN, Passport, National Card, Alien Card, or Driver\u2019s License or Tax Id."
)
INDICIA = "Following US Indicia checks came back positive."


def holder(value: dict[str, Any], *, master_email: str, today: date, least_age: int = 18) -> list[str]:
    """One individual; members a hybrid application may leave out are judged when they are there."""
    external_id = str(value.get("externalId", ""))
    found = [] if external_id else ["Attribute externalId at the Individual level is missing."]
    if len(external_id) > rules.LONGEST_ID:
        found.append(f"External id at the Individual level exceeds {rules.LONGEST_ID} characters")
    found += rules.name(value.get("name", {})) + rules.email(value.get("email"), master_email)
    found += rules.date_of_birth(value.get("dateOfBirth"), today, least_age)
    found += rules.address(value.get("residenceAddress", {}), "Residence", external_id)
    if "mailingAddress" in value and not value.get("sameMailAddress"):
        found += rules.address(value["mailingAddress"], "Mailing", external_id)
    found += rules.phones(value.get("phones", []))
    found += native_name(value) + birth(value) + employment(value, external_id) + identification(value, today)
    found += tax.residencies(value.get("taxResidencies", [])) + prohibited(value)
    if "w8Ben" in value:
        found += tax.w8ben(value["w8Ben"], value.get("name", {}), value.get("taxResidencies"))
    if "w9" in value:
        found += tax.w9(value["w9"], value.get("name", {}), value.get("taxResidencies"))
    return list(dict.fromkeys(found + us_indicia(value)))


def native_name(value: dict[str, Any]) -> list[str]:
    country, native = value.get("residenceAddress", {}).get("country"), value.get("nativeName")
    if native is None:
        return ["Name in Native Language is missing for Account Holder"] if country in NATIVE_NAME else []
    found = []
    if all(LATIN.match(str(native.get(part, ""))) for part in ("first", "last")):
        found.append("Details in NativeName Node must be provided in Native Language for Account Holder.")
    if native.get("middle") and not value.get("name", {}).get("middle"):
        found.append("Middle Name in English Language for Account Holder is missing.")
    return found


def birth(value: dict[str, Any]) -> list[str]:
    country = value.get("countryOfBirth")
    if country is None or rules.is_country(country):
        return []
    return [f"Customer {value.get('externalId', '')}- Country non-existent [name = {country}]"]


def prohibited(value: dict[str, Any]) -> list[str]:
    """Born in or citizen of a prohibited country: the questionnaire must come with the application."""
    card = value.get("identification", {})
    touched = {value.get("countryOfBirth"), *(card.get(f"citizenship{n}") for n in ("", "2", "3"))}
    rows = value.get("prohibitedCountryQuestionnaire", {}).get("prohibitedQuestionnaireDetail", [])
    found = []
    if touched & rules.PROHIBITED and not rows:
        found.append("Prohibited Country Questionnaire is mandatory for Account Holder")
    found += [
        f"Details are required for {row.get('code')}" for row in rows if row.get("status") and not row.get("details")
    ]
    places = [row.get("country") for name in ("taxResidencies", "phones") for row in value.get(name, [])]
    if rules.PROHIBITED & set(places):
        found.append(f"Country {next(c for c in places if c in rules.PROHIBITED)} for Account Holder is prohibited.")
    return found


def us_indicia(value: dict[str, Any]) -> list[str]:
    """Signs of the USA on somebody who lives elsewhere and is no US tax resident; and a home without tax residency there."""
    home = value.get("residenceAddress", {}).get("country")
    taxed = {row.get("country") for row in value.get("taxResidencies", [])}
    card = value.get("identification", {})
    signs = [value.get("countryOfBirth"), card.get("issuingCountry"), value.get("mailingAddress", {}).get("country")]
    signs += [card.get(f"citizenship{n}") for n in ("", "2", "3")] + [
        row.get("country") for row in value.get("phones", [])
    ]
    if home != "USA" and "USA" not in taxed and "USA" in signs:
        return [INDICIA]
    return [INDICIA] if taxed and home not in taxed else []


def employment(value: dict[str, Any], external_id: str) -> list[str]:
    kind = value.get("employmentType")
    if kind is None:
        return []
    if kind not in rules.EMPLOYMENT:
        return [f"Employment Type [{kind}] for Account Holder is invalid"]
    details = value.get("employmentDetails")
    if details is None or kind not in ("EMPLOYED", "SELFEMPLOYED"):
        return []
    found = _occupation(details, external_id)
    office, home = details.get("employerAddress", {}), value.get("residenceAddress", {})
    if office and not office.get("country"):
        found.append("Country in Employer address Node for Account Holder is missing.")
    elif office:
        found += rules.address(office, "Employer address", external_id)
        if office["country"] != home.get("country") and not details.get("emplCountryResCountryDetails"):
            found.append("Employer country and residence country details is mandatory for Account Holder.")
    homes = [home] if value.get("sameMailAddress", True) else [home, value.get("mailingAddress", {})]
    if kind == "EMPLOYED" and office.get("street1") and any(_is_same(office, each) for each in homes):
        found.append("Residential and Employer Address for Individual are same.")
    for member, longest in (("employer", 128), ("description", 200), ("emplCountryResCountryDetails", 200)):
        if len(details.get(member, "")) > longest:
            found.append(f"{member} exceeds {longest} characters for Account Holder")
    return found


def _is_same(office: dict[str, Any], home: dict[str, Any]) -> bool:
    return office == {name: text for name, text in home.items() if name in office}


def _occupation(details: dict[str, Any], external_id: str) -> list[str]:
    """Occupation and business of the enumeration business-and-occupation; Other needs a description."""
    rows = enumerations.facts()["business-and-occupation"]
    businesses = {row["employerBusiness"] for row in rows}
    occupations = {name for row in rows for name in row["occupations"]}
    found = []
    for member, known in (("occupation", occupations), ("employerBusiness", businesses)):
        if member in details and details[member] not in known:
            found.append(f"Unsupported value. Property:'{member}', value:'{details[member]}'")
    if "Other" in (details.get("occupation"), details.get("employerBusiness")) and not details.get("description"):
        found.append(f"Description for Occupation is missing for Account Holder with externalId {external_id}")
    return found


def _ties(value: dict[str, Any]) -> set[str]:
    """Where somebody lives, is a citizen and pays tax."""
    card = value.get("identification", {})
    found = {value.get("residenceAddress", {}).get("country"), *(card.get(f"citizenship{n}") for n in ("", "2", "3"))}
    return {str(country) for country in found | {row.get("country") for row in value.get("taxResidencies", [])}}


def identification(value: dict[str, Any], today: date) -> list[str]:
    """By residence, citizenship and tax residency: US ssn, Canadian sin, Indian panNumber; a card or tax id elsewhere."""
    card = value.get("identification")
    if card is None:
        return []
    found = []
    given = [name for name in (*CARDS, "ssn", "sin", "panNumber") if card.get(name)]
    needed = {NO_CARDS[country] for country in _ties(value) if country in NO_CARDS}
    if (not given and not card.get("citizenship")) or (given and not needed <= set(given)):
        found.append(NO_IDENTIFICATION)
    if given and not card.get("issuingCountry"):
        found.append("Issuing country in Identification node for Account Holder is missing.")
    if card.get("ssn"):
        if not rules.SSN.match(card["ssn"]):
            found.append("American SSN is invalid.")
        elif card.get("issuingCountry") not in (None, "USA"):
            found.append("Issuing country of an SSN in Identification node for Account Holder must be USA.")
    if card.get("sin") and not SIN.match(card["sin"]):
        found.append("Canadian SIN is invalid.")
    if card.get("panNumber") and not PAN.match(card["panNumber"]):
        found.append("PAN number is invalid.")
    if any(name in given for name in DATED) or card.get("expire"):
        expires = rules.day(card.get("expirationDate", ""))
        if expires is None or expires <= today:
            found.append("Expiration date of the identification document is missing or past for Account Holder")
    for name in given:
        pattern = FORMATS.get((card.get("issuingCountry", ""), name))
        if pattern and not re.fullmatch(pattern, card[name]):
            found.append(f"{name} is not valid for {card['issuingCountry']}")
    if (
        card.get("driversLicense")
        and card.get("issuingCountry") == "AUS"
        and not (card.get("rta") and card.get("issuingState"))
    ):
        found.append("Australian driving licences need rta and issuingState")
    if card.get("medicareCard") and not (
        card.get("cardColor") and re.fullmatch(r"\d{1,9}", card.get("medicareReference") or "")
    ):
        found.append("Medicare cards need cardColor and medicareReference")
    if card.get("taxId") and not tax.is_number(card["taxId"], card.get("issuingCountry")):
        found.append(f"taxId is not valid for {card['issuingCountry']}")
    return found
