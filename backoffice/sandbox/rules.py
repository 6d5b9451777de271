"""The business rules of names, addresses, phones, accounts and fees in an application.

Each function returns the sentences IBKR answers with, from its printed error texts; where it prints none the sentence
is ours.
"""

import re
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import phonenumbers
import pycountry

EMAIL = re.compile(
    r"^[A-Z0-9][A-Z0-9._%+-]{0,63}@(?:(?=[A-Z0-9-]{1,63}[.])[A-Z0-9]+(?:-[A-Z0-9]+)*[.]){1,8}[A-Z]{2,63}$",
    re.IGNORECASE,
)
PREFIX = re.compile(r"^[a-z]{3,6}$")
PO_BOX = re.compile(
    r"\b(?:P(?:ost(?:al)?)?[.\-\s]*(?:(?:O(?:ffice)?[.\s]*)B(?:ox|in|\b|\d)|o(?:ffice|\b)[-\s]*\d)"
    r"|box[-\s]*\d|PB\s*\d*\b|in care of|general delivery)",
    re.IGNORECASE,
)
STATE = re.compile(r"^(?:[A-Z]{2}-)?[A-Z0-9]{1,3}$")
NAME = re.compile(r"^[A-Za-z\u00c0-\u024f](?:[A-Za-z\u00c0-\u024f.'\- ]*[A-Za-z\u00c0-\u024f.])?$")
SSN = re.compile(r"^(?!123456789|219099999|078051120)(?!666|000)\d{3}(?!00)\d{2}(?!0{4})\d{4}$")
ISO_DAY = re.compile(r"^\d{4}-\d{2}-\d{2}$")

CURRENCIES = frozenset(
    [
        "USD",
        "EUR",
        "GBP",
        "CAD",
        "JPY",
        "HKD",
        "AUD",
        "CHF",
        "MXN",
        "SEK",
        "NZD",
        "HUF",
        "CZK",
        "CNH",
        "DKK",
        "RUB",
        "ILS",
        "NOK",
        "SGD",
        "PLN",
        "ZAR",
        "AED",
        "KRW",
        "SAR",
        "TRY",
        "RON",
        "BGN",
    ]
)
LONGEST_ID = 64
PRODUCTS = frozenset(
    {
        "BONDS", "FUTURES", "FOREX", "FUTURES OPTIONS", "MUTUAL FUNDS", "STOCKS", "SINGLE STOCK FUTURES", "OPTIONS",
        "STOCK OPTIONS", "WARRANTS",
    }
)  # fmt: skip
EMPLOYMENT = frozenset(["EMPLOYED", "SELFEMPLOYED", "RETIRED", "STUDENT", "UNEMPLOYED", "ATHOMETRADER", "HOMEMAKER"])
MARGINS = frozenset({"Cash", "Margin", "RegT", "REGT", "PortfolioMargin"})
PROHIBITED = frozenset({"AFG", "CUB", "IRN", "PRK", "SYR"})
# Name: type and yearly figure. The documentation prints no template: advisors make them in the portal.
FEE_TEMPLATES = {
    "Standard": ("PERCENTOFEQUITY", Decimal("1.00")), "Household": ("PERCENTOFEQUITY", Decimal("0.80")),
    "Institutional": ("PERCENTOFEQUITY", Decimal("0.50")), "Flat fee": ("ANNUALFLATFEE", Decimal(1200)),
}  # fmt: skip
TRULIOO = frozenset(
    [
        "ARG",
        "AUS",
        "AUT",
        "BEL",
        "BRA",
        "CAN",
        "CHE",
        "CHN",
        "DEU",
        "DNK",
        "ESP",
        "FRA",
        "GBR",
        "IRL",
        "ITA",
        "MEX",
        "MYS",
        "NLD",
        "NOR",
        "NZL",
        "PRT",
        "RUS",
        "SGP",
        "SWE",
        "TUR",
        "USA",
        "ZAF",
    ]
)


@cache
def is_country(code: str) -> bool:
    return pycountry.countries.get(alpha_3=code) is not None


def day(text: str) -> date | None:
    """A calendar date written `YYYY-MM-DD`, or None."""
    if not ISO_DAY.match(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def age(born: date, today: date) -> int:
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def prefix_is_used_up(prefix: str) -> str:
    return f"All usernames starting with the prefix, {prefix} are already taken. Please use a different prefix."


ADDRESS_WORDS = {"Residence": "residence", "Mailing": "mailing Address", "Employer address": "employer address"}


def email(value: str | None, master_email: str) -> list[str]:
    if not value:
        return ["Email is missing for Account Holder"]
    if not EMAIL.match(value):
        return [f"Email {value} is invalid."]
    return (
        ["Email of Account Holder must differ from the email of the master account."]
        if value.lower() == master_email.lower()
        else []
    )


def name(value: dict[str, Any]) -> list[str]:
    if not value.get("first") or not value.get("last"):
        return ["Name of Individual is missing for Account Holder"]
    found = []
    for part in ("first", "middle", "last"):
        text = value.get(part)
        if text is not None and len(text) > 50:
            found.append(f"Name {part} exceeds 50 characters for Account Holder")
        elif text is not None and not NAME.match(text):
            found.append(f"Name {part} contains invalid characters for Account Holder")
    if len(value["last"].strip()) < 2:
        found.append("Last name must have at least two characters for Account Holder")
    return found


def date_of_birth(text: str | None, today: date, least_age: int = 18) -> list[str]:
    if text is None:
        return []
    born = day(text)
    if born is None:
        return ["Date of Birth format for Account Holder is invalid. Expected format is yyyy-mm-dd."]
    return ["Must be at least 18 to open account"] if age(born, today) < least_age else []


def address(value: dict[str, Any], kind: str, external_id: str) -> list[str]:
    """`kind`: Residence, Mailing or Employer address. Only the country is always needed; a street brings city and postal code."""
    found = []
    country = value.get("country", "")
    if not country:
        found.append(
            "Unable to determine client IB entity. Kindly provide valid Residence country and Legal Residence Country."
            if kind == "Residence"
            else f"Country in {kind} Node for Account Holder is missing."
        )
    elif not is_country(country):
        found.append(f"Customer {external_id}- Country non-existent [name = {country}]")
    elif country in PROHIBITED:
        found.append(f"{ADDRESS_WORDS[kind]} {country} for Account Holder is prohibited.")
    for member, longest in (("street1", 200), ("street2", 200), ("city", 100), ("postalCode", 20)):
        if len(value.get(member, "")) > longest:
            found.append(f"{member} in {kind} Node exceeds {longest} characters")
    if kind == "Residence" and any(PO_BOX.search(value.get(member, "")) for member in ("street1", "street2")):
        found.append("PO Box not accepted as residential address")
    if value.get("street1"):
        missing = {"city": "City", "postalCode": "Postal Code"}
        found += [
            f"{label} in {kind} Node for Account Holder is missing."
            for member, label in missing.items()
            if not value.get(member)
        ]
    state = value.get("state")
    if state is not None and not STATE.match(state):
        found.append(f"Customer {external_id} \u2013 State code {state} is not valid")
    return found


def entity(country: str, kind: str) -> list[str]:
    """The IBKR entity of the demonstration's advisor is IBLLC-US, the broker's IB-IE: whom they may not bring."""
    if kind == "FA" and country == "CAN":
        return ["Canadian legal resident client cannot be client of this advisor as FA is not based in Canada"]
    if kind == "FA" and country == "AUS":
        return ["Australian Accounts are not allowed under IBLLC-US Advisors"]
    if kind == "FD" and country in ("USA", "CAN", "AUS", "HKG", "JPN", "SGP"):
        return [
            "Unable to determine client IB entity. Kindly provide valid Residence country and Legal Residence Country."
        ]
    return []


def phones(values: list[dict[str, Any]]) -> list[str]:
    found = []
    for phone in values:
        number = str(phone.get("number", ""))
        if len(number) > 18 or not _is_dialable(number, str(phone.get("country") or "")):
            found.append(f"Mobile Number {number} is invalid.")
    if values and not any(phone.get("type") == "Mobile" for phone in values):
        found.append("Mobile Number is missing for Account Holder")
    return found


def _is_dialable(number: str, country: str) -> bool:
    """IBKR's samples write national numbers beside a country; without one the number must be international."""
    region = pycountry.countries.get(alpha_3=country)
    text = number if region and not number.startswith("+") else "+" + number.lstrip("+")
    try:
        parsed = phonenumbers.parse(text, region.alpha_2 if region else None)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_possible_number(parsed)


def account(value: dict[str, Any], *, master: str, is_advisor: bool, holder_age: int | None) -> list[str]:
    """One `accounts[]` object."""
    found = []
    if value.get("baseCurrency") not in CURRENCIES:
        found.append("Account base currency is either missing or is invalid.")
    if not value.get("externalId"):
        found.append("Attribute externalId at the Account level is missing.")
    elif len(value["externalId"]) > LONGEST_ID:
        found.append(f"External id at the Account level exceeds {LONGEST_ID} characters")
    margin = value.get("margin")
    if margin is not None and margin not in MARGINS:
        found.append(f"Unsupported value. Property:'margin', value:'{margin}'")
    if margin not in (None, "Cash") and holder_age is not None and holder_age < 21:
        found.append("Only Cash accounts are available to applicants younger than 21")
    if len(value.get("alias", "")) > 80:
        found.append("Account alias exceeds 80 characters")
    permissions = value.get("tradingPermissions", [])
    if not permissions:
        found.append("Trading Permissions are missing.")
    for permission in permissions:
        if not permission.get("exchangeGroup") and not (permission.get("country") and permission.get("product")):
            found.append("Trading Permissions need an exchangeGroup, or a country and a product.")
        elif permission.get("product") and permission["product"] not in PRODUCTS:
            found.append(f"Unsupported value. Property:'product', value:'{permission['product']}'")
    for transfer in value.get("extPositionsTransfers", []):
        if not transfer.get("ssn") and not transfer.get("ein"):
            found.append("SSN or EIN must be provided for transfers")
    reps = value.get("accountRep", {}).get("repDetails", [])
    if reps and sum(row.get("percentage", 0) for row in reps) != 100:
        found.append("Percentages of the account representatives must add to 100")
    return found + (fees(value, master) if is_advisor or value.get("feesTemplateName") else [])


def fees(value: dict[str, Any], master: str) -> list[str]:
    wrap, template = value.get("advisorWrapFees"), value.get("feesTemplateName")
    if template is not None and template not in FEE_TEMPLATES:
        return [f"Fee template called [{template}] not found for master [{master}]"]
    if template is None and not (wrap and wrap.get("strategy")):
        return ["Advisors must specify the fees scheme for the account."]
    details = (wrap or {}).get("automatedFeesDetails")
    if wrap and wrap.get("strategy") == "AUTOMATED" and not details:
        return ["Error processing advisor wrap fees: {type=required}"]
    if details and not all(detail.get("type") for detail in details):
        return ["Fee details type is mandatory and should be in the list of acceptable values."]
    return []
