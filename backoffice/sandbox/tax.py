"""Tax residencies and the two tax forms of persons, W-8BEN and W-9: do they agree with the person and with each other."""

import re
from functools import cache
from pathlib import Path
from typing import Any

from .jsonio import loads

EXPLANATIONS = frozenset({"US_TIN", "TIN_NOT_DISCLOSED", "TIN_NOT_REQUIRED", "TIN_NOT_ISSUED"})
SSN = re.compile(r"^(?!123456789|219099999|078051120)(?!666|000)\d{3}(?!00)\d{2}(?!0{4})\d{4}$")
# Countries whose residents can claim a treaty; the documentation links to the tax authority and prints no list.
TREATY = frozenset(
    [
        "ARM", "AUS", "AUT", "AZE", "BEL", "BGR", "BLR", "CAN", "CHE", "CHL", "CHN", "CYP", "CZE", "DEU", "DNK", "EGY",
        "ESP", "EST", "FIN", "FRA", "GBR", "GEO", "GRC", "IDN", "IND", "IRL", "ISL", "ISR", "ITA", "JAM", "JPN", "KAZ",
        "KGZ", "KOR", "LKA", "LTU", "LUX", "LVA", "MAR", "MDA", "MEX", "MLT", "NLD", "NOR", "NZL", "PAK", "PHL", "POL",
        "PRT", "ROU", "RUS", "SVK", "SVN", "SWE", "THA", "TJK", "TKM", "TTO", "TUN", "TUR", "UKR", "UZB", "VEN", "ZAF",
    ]
)  # fmt: skip
NAME_DIFFERS = "Name in {form} for Account Holder must be the name of the individual"


@cache
def _patterns() -> dict[str, list[str]]:
    read = loads((Path(__file__).parent / "data" / "tax_numbers.json").read_text(encoding="utf-8"))
    found: dict[str, list[str]] = read["patterns"]
    return found


def is_number(number: str, country: str | None) -> bool:
    """Whether a tax number fits the country's printed pattern; countries without one take any."""
    known = _patterns().get(country or "", [])
    return not known or any(re.fullmatch(pattern, number) for pattern in known)


def _missing(form: dict[str, Any], label: str, *members: str) -> list[str]:
    """What the form never goes without; IBKR prints no sentence for it."""
    return [f"{name} is missing in {label} for Account Holder" for name in members if form.get(name) is None]


def full_name(name: dict[str, Any]) -> str:
    return " ".join(name[part] for part in ("first", "middle", "last", "suffix") if name.get(part))


def residencies(rows: list[dict[str, Any]]) -> list[str]:
    found = []
    for row in rows:
        country, tin, kind = row.get("country"), row.get("tin"), row.get("tinType")
        if not country:
            found.append("Country in TaxResidency for Account Holder is missing.")
        elif kind == "SSN" and country != "USA":
            found.append(f"TIN type SSN in TaxResidency does not fit the country {country}")
        elif country == "USA" and kind not in (None, "SSN"):
            found.append(f"TIN type {kind} in TaxResidency does not fit the country USA")
        elif country == "USA" and not SSN.match(tin or ""):
            found.append("American SSN is invalid.")
        elif tin is not None and not is_number(tin, country):
            found.append(f"TIN {tin} in TaxResidency is not valid for {country}")
    return found


def w8ben(form: dict[str, Any], name: dict[str, Any], rows: list[dict[str, Any]] | None) -> list[str]:
    """`rows`: the person's tax residencies; None when they are not part of the request."""
    found = []
    tin, explanation = form.get("foreignTaxId"), form.get("explanation")
    found += _missing(form, "Formw8BEN", "name", "cert")
    if form.get("name") is not None and form["name"] != full_name(name):
        found.append(NAME_DIFFERS.format(form="Formw8BEN"))
    if not form.get("part29ACountry"):
        found.append("part29aCountry is missing in Formw8BEN for Account Holder")
    elif form["part29ACountry"] != "N/A" and form["part29ACountry"] not in TREATY:
        found.append("part29aCountry is a Non treaty Country in Formw8BEN for Account Holder")
    if tin is not None and explanation is not None:
        found.append("Provide either foreignTaxId or explanation in Formw8BEN for Account Holder, not both")
    if tin is None and explanation is None:
        found.append("Foreign Tax Id or explanation is missing in Formw8BEN for Account Holder")
    if tin is not None and len(re.sub(r"[^A-Za-z0-9]", "", tin)) < 6:
        found.append("Foreign Tax Id must be atleast 6 alphanumeric characters in Formw8BEN for Account Holder")
    tins = {row.get("tin") for row in rows or []}
    if tin is not None and rows and tin not in tins:
        found.append("Foreign Tax Id in W8Ben node for Account Holder should match TIN in TaxResidency")
    countries = {row.get("country") for row in rows or []}
    if rows and form.get("part29ACountry") not in (None, "N/A") and form["part29ACountry"] not in countries:
        found.append("Following US Indicia checks came back positive.")
    return found


def w9(form: dict[str, Any], name: dict[str, Any], rows: list[dict[str, Any]] | None) -> list[str]:
    found = []
    if form.get("name") is not None and form["name"] != full_name(name):
        found.append(NAME_DIFFERS.format(form="FormW9"))
    found += _missing(form, "FormW9", "name", "customerType", "tinType", "cert1", "cert2", "cert3")
    if not SSN.match(str(form.get("tin", ""))):
        found.append("American SSN is invalid.")
    elif rows and form["tin"] not in {row.get("tin") for row in rows}:
        found.append("TIN in W9 node for Account Holder should match TIN in TaxResidency")
    return found


def form_file(form: dict[str, Any], number: int, documents: list[dict[str, Any]], blanks: set[str]) -> list[str]:
    """The attached tax form: named as `taxFormFile` says, and blank exactly when `blankForm` says so."""
    mine = [document for document in documents if document.get("formNumber") == number]
    if not mine:
        return []
    found = []
    names = {document.get("attachedFile", {}).get("fileName") for document in mine}
    if form.get("taxFormFile") and form["taxFormFile"] not in names:
        found.append(f"Tax form file {form['taxFormFile']} is not attached")
    is_blank = any(document.get("attachedFile", {}).get("sha1Checksum", "").lower() in blanks for document in mine)
    if form.get("blankForm") is False and is_blank:
        found.append(f"Form {number} is blank although blankForm is false")
    return found
