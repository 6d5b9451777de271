"""Who applies: an individual, two joint holders, an organization or a trust; retirement accounts are individuals' with `ira`.

`applicant` reads the one node that fits `customer.type` and says who its persons are; `mistakes` judges what is particular
to the type. Texts about persons always say "Account Holder": IBKR prints no others.
"""

from dataclasses import dataclass
from typing import Any

NODES = {
    "INDIVIDUAL": "accountHolder", "IRA": "accountHolder", "JOINT": "jointHolders", "ORG": "organization",
    "TRUST": "trust",
}  # fmt: skip
JOINT_TYPES = frozenset({"community", "joint_tenants", "tenants_common", "tbe", "au_joint_account"})
IRA_COUNTRY = {
    **dict.fromkeys(("RI", "RO", "RT", "SP", "ED", "TH", "RH", "SH", "SIMPLE"), "USA"),
    **dict.fromkeys(("TFSA", "RRSP", "SRRSP"), "CAN"), **dict.fromkeys(("ISA", "JISA"), "GBR"),
}  # fmt: skip
INHERITED = frozenset({"TH", "RH", "SH"})
WITH_PLAN = frozenset({"SIMPLE", "SP"})
AUTHORIZED_TITLES = frozenset({"DIRECTOR", "OTHER OFFICER", "SECRETARY"})


@dataclass(frozen=True)
class Applicant:
    """`persons`: the individuals who become entities; those who sign for the customer come first."""

    kind: str
    node: dict[str, Any]
    persons: list[dict[str, Any]]
    title: str
    country: str

    @property
    def is_natural(self) -> bool:
        return self.kind in ("INDIVIDUAL", "IRA", "JOINT")


def spelled(name: dict[str, Any]) -> str:
    return " ".join(name[part] for part in ("first", "middle", "last", "suffix") if name.get(part))


def applicant(customer: dict[str, Any]) -> Applicant | str:
    """The applicant, or the sentence that says why there is none."""
    kind = customer["type"]
    if kind not in NODES:
        return f"Customers of type {kind} can be registered in the portal only"
    others = [name for name in set(NODES.values()) - {NODES[kind]} if name in customer]
    node = customer.get(NODES[kind])
    if node is None or others:
        return f"Customers of type {kind} need exactly one applicant node, {NODES[kind]}"
    readers = {"JOINT": _joint, "ORG": _organization, "TRUST": _trust}
    return readers.get(kind, _individual)(kind, node)


def _individual(kind: str, node: dict[str, Any]) -> Applicant | str:
    holders = node.get("accountHolderDetails", [])
    if len(holders) != 1:
        return f"Customers of type {kind} have exactly one accountHolderDetails"
    return Applicant(kind, node, _with(holders, node.get("associatedIndividual")), _name(holders[0]), _home(holders[0]))


def _joint(kind: str, node: dict[str, Any]) -> Applicant | str:
    first, second = node.get("firstHolderDetails", []), node.get("secondHolderDetails", [])
    if len(first) != 1 or len(second) != 1:
        return "Customers of type JOINT have exactly one firstHolderDetails and one secondHolderDetails"
    title = f"{_name(first[0])} and {_name(second[0])}"
    return Applicant(kind, node, [first[0], second[0]], title, _home(first[0]))


def _organization(kind: str, node: dict[str, Any]) -> Applicant | str:
    papers = node.get("identifications", [])
    people = node.get("associatedEntities", {}).get("associatedIndividuals", [])
    if not papers or not papers[0].get("name"):
        return "Name of Organization is missing"
    if not people:
        return "Associated individuals of the Organization are missing"
    country = papers[0].get("formationCountry") or papers[0].get("placeOfBusinessAddress", {}).get("country", "")
    return Applicant(kind, node, people, papers[0]["name"], country)


def _trust(kind: str, node: dict[str, Any]) -> Applicant | str:
    papers, trustees = node.get("identification", []), node.get("trustees", {})
    if not papers or not papers[0].get("name"):
        return "Name of Trust is missing"
    people = [*trustees.get("individuals", [])]
    for entity in trustees.get("entities", []):
        people += entity.get("employees", [])
    if not people:
        return "Trustees are missing"
    country = papers[0].get("formationCountry") or papers[0].get("address", {}).get("country", "")
    return Applicant(kind, node, people, papers[0]["name"], country)


def _with(holders: list[dict[str, Any]], further: dict[str, Any] | None) -> list[dict[str, Any]]:
    return [*holders, further] if further else holders


def _name(person: dict[str, Any]) -> str:
    return spelled(person.get("name", {}))


def _home(person: dict[str, Any]) -> str:
    return str(person.get("residenceAddress", {}).get("country", ""))


def mistakes(applying: Applicant, account: dict[str, Any]) -> list[str]:
    """What is particular to the type of customer and of account."""
    judges = {"JOINT": _joint_mistakes, "ORG": _organization_mistakes, "TRUST": _trust_mistakes}
    found = judges[applying.kind](applying) if applying.kind in judges else []
    if account.get("ira") or applying.kind == "IRA":
        found += _retirement(applying, account)
    elif account.get("iraType") or account.get("iraBeneficiaries"):
        found.append("iraType and iraBeneficiaries need ira to be true")
    return found


def _joint_mistakes(applying: Applicant) -> list[str]:
    found = []
    if applying.node.get("type") not in JOINT_TYPES:
        found.append(f"Unsupported value. Property:'type', value:'{applying.node.get('type')}'")
    mobiles = [
        {phone.get("number") for phone in person.get("phones", []) if phone.get("type") == "Mobile"}
        for person in applying.persons
    ]
    if mobiles[0] & mobiles[1]:
        found.append("Mobile numbers of the two holders must differ")
    if applying.node.get("type") == "tenants_common":
        shares = [person.get("ownershipPercentage") for person in applying.persons]
        if None in shares or sum(share or 0 for share in shares) != 100:
            found.append("Ownership percentages of the two holders must total 100")
    return found


def _organization_mistakes(applying: Applicant) -> list[str]:
    node, found = applying.node, []
    for member in ("type", "typeOfTrading"):
        if not node.get(member):
            found.append(f"Organization {member} is missing.")
    titles = [{row.get("code", "").upper() for row in person.get("titles", [])} for person in applying.persons]
    for person, held in zip(applying.persons, titles, strict=True):
        if person.get("authorizedPerson") and not held & AUTHORIZED_TITLES:
            found.append("An authorized person needs the title DIRECTOR, OTHER OFFICER or SECRETARY")
    if not any(person.get("authorizedPerson") for person in applying.persons):
        found.append("Authorized person of the Organization is missing")
    return found


def _trust_mistakes(applying: Applicant) -> list[str]:
    node, trustees = applying.node, applying.node.get("trustees", {})
    found = []
    if sum(1 for person in trustees.get("individuals", []) if person.get("primaryTrustee")) > 1:
        found.append("Only one trustee can be the primary trustee")
    for entity in trustees.get("entities", []):
        people = entity.get("employees", [])
        if not any(
            person.get("authorizedToSignOnBehalfOfOwner") and person.get("authorizedTrader") for person in people
        ):
            found.append("A trustee entity needs at least one employee who is authorized to trade and sign")
    beneficiaries = node.get("beneficiaries", {})
    people = [*beneficiaries.get("individual", []), *beneficiaries.get("individuals", [])]
    firms = [*beneficiaries.get("legalEntity", []), *beneficiaries.get("legalEntities", [])]
    total = sum(row.get("ownershipPercentage", 0) for row in people)
    # IBKR's file gives a firm that benefits no percentage: what the people leave is its share.
    if (people and not firms and total != 100) or total > 100:
        found.append("Ownership percentages of the beneficiaries must total 100")
    return found


def _retirement(applying: Applicant, account: dict[str, Any]) -> list[str]:
    kind = account.get("iraType")
    if kind is None:
        return ["iraType is missing"]
    found = []
    country = IRA_COUNTRY.get(kind)
    if country != applying.country:
        found.append(f"Accounts of type {kind} are for residents of {country}")
    if kind in WITH_PLAN and not account.get("employeePlan"):
        found.append(f"Accounts of type {kind} need an employeePlan")
    if kind in INHERITED and not account.get("decendent"):
        found.append(f"Accounts of type {kind} need the decedent")
    named = account.get("iraBeneficiaries", {})
    for group in ("primary", "contingent"):
        rows = [*named.get(f"{group}Beneficiaries", []), *named.get(f"{group}BeneficiaryEntities", [])]
        if rows and sum(row.get("ownershipPercentage", 0) for row in rows) != 100:
            found.append(f"Ownership percentages of the {group} beneficiaries must total 100")
    if kind in ("ISA", "JISA"):
        if account.get("margin") not in (None, "Cash"):
            found.append("Only Cash accounts are available to ISA and JISA")
        taxed = {row.get("country") for row in applying.persons[0].get("taxResidencies", [])}
        if taxed and taxed != {"GBR"}:
            found.append("ISA and JISA accounts are for tax residents of GBR")
    return found


def needs_spousal_consent(applying: Applicant, account: dict[str, Any]) -> bool:
    """Married, with another than the spouse as primary beneficiary of a US retirement account: form 4091."""
    if IRA_COUNTRY.get(account.get("iraType", "")) != "USA" or applying.persons[0].get("maritalStatus") != "M":
        return False
    named = account.get("iraBeneficiaries", {})
    if named.get("spousePrimaryBeneficary"):
        return False
    rows = named.get("primaryBeneficiaries", [])
    return not any(row.get("relationship") in ("Spouse", "Husband", "Wife") for row in rows)
