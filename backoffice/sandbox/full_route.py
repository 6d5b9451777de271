"""What an application must hold when the firm hosts all of it (knob `registration_route` = "full"), for advisors and brokers.

Hybrid applications may leave all of this to the client. The texts are printed but for those in the second half of the
table. Organizations and trusts answer the regulatory questions online, and so need less.
"""

from typing import Any

from .customers import Applicant

PERSON = (
    ("name", "Name of Individual is missing for Account Holder"),
    ("maritalStatus", "Marital Status Type for Individual is missing"),
    ("employmentType", "Employment Type for Account Holder is missing."),
    ("dateOfBirth", "Date of Birth for Account Holder is missing."),
    ("countryOfBirth", "Country of Birth for Account Holder is missing."),
    ("numDependents", "Number of dependents for Account Holder is missing."),
    ("taxResidencies", "TaxResidency for Account Holder is missing."),
    ("phones", "Mobile Number is missing for Account Holder"),
)
NO_IDENTIFICATION = (
    "Valid identification is missing for Account Holder. Please provide valid identification such as"
    " SSN, SIN, Passport, National Card, Alien Card, or Driver\u2019s License or Tax Id."
)
CODES = ("AFFILIATION", "EmployeePubTrade", "ControlPubTraded")


def least(applying: Applicant, account: dict[str, Any]) -> list[str]:
    """What the documents star for hybrid applications, and their own sample of the least leaves out (knob `hybrid_minimum`)."""
    found = []
    for person in applying.persons:
        found += [] if person.get("taxResidencies") else ["TaxResidency for Account Holder is missing."]
        if not person.get("sameMailAddress") and not person.get("mailingAddress", {}).get("country"):
            found.append("Country in Mailing Node for Account Holder is missing.")
    return found if account.get("margin") else [*found, "Margin at the Account level is missing."]


def mistakes(applying: Applicant, account: dict[str, Any], employer_address: bool = True) -> list[str]:
    found: list[str] = []
    for person in applying.persons:
        found += _person(person, employer_address) if applying.is_natural else []
    if applying.is_natural:
        found += _money(applying.node.get("financialInformation", []))
        found += regulatory(applying.node.get("regulatoryInformation", []), is_required=True)
    if not account.get("investmentObjectives"):
        found.append("Investment Objectives are Mandatory.")
    if not account.get("margin"):
        found.append("Margin at the Account level is missing.")
    return list(dict.fromkeys(found))


def _person(person: dict[str, Any], employer_address: bool) -> list[str]:
    found = [text for member, text in PERSON if person.get(member) in (None, [], {})]
    home = person.get("residenceAddress", {})
    places = [("Residence", home)]
    if not person.get("sameMailAddress") and person.get("mailingAddress"):
        places.append(("Mailing", person["mailingAddress"]))
    labels = (("street1", "Street"), ("city", "City"), ("postalCode", "Postal Code"))
    for kind, place in places:
        found += [
            f"{label} in {kind} Node for Account Holder is missing."
            for member, label in labels
            if not place.get(member)
        ]
    if home.get("country") == "IND" and not person.get("gender"):
        found.append("Gender for Account Holder is missing.")
    card = person.get("identification", {})
    if not set(card) - {"citizenship", "citizenship2", "citizenship3", "issuingCountry", "expire", "expirationDate"}:
        found.append(NO_IDENTIFICATION)
    if not person.get("w8Ben") and not person.get("w9"):
        found.append("Tax form W8Ben or W9 for Account Holder is missing.")
    if not person.get("sameMailAddress") and not person.get("mailingAddress"):
        found.append("Country in Mailing Node for Account Holder is missing.")
    if person.get("employmentType") in ("EMPLOYED", "SELFEMPLOYED"):
        found += _work(person.get("employmentDetails"), employer_address)
    return found


def _work(details: dict[str, Any] | None, employer_address: bool) -> list[str]:
    if not details:
        return ["Employment Details for Account Holder are missing."]
    found = [
        f"{label} for Account Holder is missing."
        for member, label in (
            ("employer", "Employer"),
            ("occupation", "Occupation"),
            ("employerBusiness", "Employer Business"),
        )
        if not details.get(member)
    ]
    office = details.get("employerAddress", {})
    needed = ("street1", "city", "postalCode") if employer_address else ()
    if not office.get("country"):
        found.append("Country in Employer address Node for Account Holder is missing.")
    found += [
        f"{member} in Employer address Node for Account Holder is missing."
        for member in needed
        if not office.get(member)
    ]
    return found


def _money(values: list[dict[str, Any]]) -> list[str]:
    if not values:
        return ["Financial information is missing."]
    found = []
    if not values[0].get("investmentExperience"):
        found.append("Investment Experience is missing.")
    if not values[0].get("sourcesOfWealth"):
        found.append("Source(s) of Wealth is missing.")
    return found


def regulatory(values: list[dict[str, Any]], *, is_required: bool) -> list[str]:
    """`regulatoryDetail` in the singular of the samples or the plural of the schema."""
    rows = [
        row for value in values for name in ("regulatoryDetail", "regulatoryDetails") for row in value.get(name, [])
    ]
    if not rows:
        return ["Regulatory Information is missing."] if is_required else []
    found = []
    codes = {row.get("code") for row in rows}
    if None in codes:
        found.append("Code is either invalid or is missing in Regulatory Details.")
    if is_required:
        found += [f"Regulatory code {code} is missing." for code in CODES if code not in codes]
    has_affiliation = any(value.get("affiliationDetails") for value in values)
    for row in rows:
        if not row.get("status"):
            continue
        if row.get("code") == "AFFILIATION" and not has_affiliation:
            found.append("affiliationDetails is missing for AFFILIATION")
        elif row.get("code") != "AFFILIATION" and not (row.get("detail") or row.get("details")):
            found.append(f"Detail is missing for regulatory code {row.get('code')}")
    return found
