"""The checks themselves. Each function looks at one part of a draft and names what is wrong in it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import phonenumbers

from clients.rules import facts

EMAIL = re.compile(
    r"[A-Z0-9][A-Z0-9._%+-]{0,63}@(?:(?=[A-Z0-9-]{1,63}[.])[A-Z0-9]+(?:-[A-Z0-9]+)*[.]){1,8}[A-Z]{2,63}", re.IGNORECASE
)
LATIN = re.compile(r"[A-Za-z\u00c0-\u024f](?:[A-Za-z\u00c0-\u024f.'\- ]*[A-Za-z\u00c0-\u024f.])?")
PO_BOX = re.compile(
    r"\bp(?:ost)?(?:\.|\s)*o(?:ffice)?(?:\.|\s)*b(?:ox|in)?\b|\bpb\s*\d+|\bin care of\b|\bc/o\b|\bgeneral delivery\b|\bpostfach\b",
    re.IGNORECASE,
)
ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
PREFIX = re.compile(r"[a-z]{3,6}")
LONGEST = {
    "first_name": 50,
    "middle_name": 50,
    "last_name": 50,
    "street1": 200,
    "street2": 200,
    "city": 100,
    "postal_code": 20,
}
ADULT, MARGIN_AGE = 18, 21

Draft = Mapping[str, Any]


@dataclass(frozen=True)
class Defect:
    """One thing wrong in one field. `is_missing` marks what is merely not filled in yet."""

    field: str
    title: str
    message: str
    fix: str
    rule: str
    stops: bool = True
    is_missing: bool = False


def check(draft: Draft, *, today: date) -> list[Defect]:
    """Return every defect of a draft; those that stop it come first, in the order of the form."""
    found = [
        *_names(draft),
        *_birth(draft, today),
        *_contact(draft),
        *check_address(draft),
        *_tax(draft),
        *_account(draft, today),
    ]
    return sorted(found, key=lambda defect: not defect.stops)


def readiness(defects: list[Defect]) -> int:
    """Return 0 to 100: each defect that stops takes 12, each that warns 4; never below 4 while something was typed."""
    loss = sum(12 if defect.stops else 4 for defect in defects)
    return max(100 - loss, 4)


def _text(draft: Draft, name: str) -> str:
    return str(draft.get(name) or "").strip()


def _missing(field: str, title: str, message: str, fix: str, rule: str) -> Defect:
    return Defect(field, title, message, fix, rule, is_missing=True)


def _too_long(draft: Draft, *names: str) -> Iterator[Defect]:
    for name in names:
        longest = LONGEST[name]
        length = len(_text(draft, name))
        if length > longest:
            label = name.replace("_", " ").replace("1", "").replace("2", ", second line")
            yield Defect(
                name,
                f"{label.capitalize()} too long",
                f"It has {length} characters.",
                f"Use at most {longest}.",
                "LEN-01",
            )


def _names(draft: Draft) -> Iterator[Defect]:
    for name, label in (("first_name", "First name"), ("last_name", "Last name")):
        if not _text(draft, name):
            yield _missing(
                name, f"{label} missing", f"{label} is empty.", "Write it as on the identity document.", "NAM-01"
            )
    for name, label in (("first_name", "First name"), ("middle_name", "Middle name"), ("last_name", "Last name")):
        value = _text(draft, name)
        if value and not LATIN.fullmatch(value):
            yield Defect(
                name,
                f"{label} not in Latin letters",
                f"{label} holds a character IBKR refuses.",
                "Use Latin letters, spaces, hyphens and apostrophes; no digits.",
                "NAM-02",
            )
    if len(_text(draft, "last_name")) == 1:
        yield Defect(
            "last_name",
            "Last name of one letter",
            "IBKR refuses a last name of one letter.",
            "Write it in full.",
            "NAM-03",
        )
    yield from _too_long(draft, "first_name", "middle_name", "last_name")


def _birth(draft: Draft, today: date) -> Iterator[Defect]:
    value = _text(draft, "date_of_birth")
    if not value:
        yield _missing("date_of_birth", "Date of birth missing", "The date of birth is empty.", "Fill it in.", "DOB-01")
    elif (born := _day(value)) is None:
        yield Defect(
            "date_of_birth",
            "No such date",
            f"{value} is not a date IBKR reads.",
            "Write year-month-day, 1983-04-17.",
            "DOB-02",
        )
    elif _age(born, today) < ADULT:
        yield Defect(
            "date_of_birth",
            "Younger than 18",
            f"The client is {max(_age(born, today), 0)}.",
            "IBKR opens accounts from 18.",
            "DOB-03",
        )
    elif _age(born, today) > 120:
        yield Defect(
            "date_of_birth", "No such age", f"The client would be {_age(born, today)}.", "Check the year.", "DOB-04"
        )
    for name, label in (("country_of_birth", "Country of birth"), ("citizenship", "Citizenship")):
        if not _text(draft, name):
            yield Defect(
                name, f"{label} not given", f"{label} is empty.", "Fill it in, or the client is asked in the portal.", "BIR-01",
                stops=False, is_missing=True,
            )  # fmt: skip
        elif not _is_country(_text(draft, name)):
            yield Defect(
                name,
                "No such country",
                f"{_text(draft, name)} is not a country.",
                "Choose one from the list.",
                "CTR-01",
            )
    residence = _text(draft, "country")
    is_american = "USA" in (_text(draft, "country_of_birth"), _text(draft, "citizenship"))
    if residence and residence != "USA" and is_american:
        yield Defect(
            "citizenship", "US person abroad", "The client looks like a US taxpayer who lives abroad.",
            "Expect IBKR to ask for form W-9.", "USI-01", stops=False,
        )  # fmt: skip


def _day(text: str) -> date | None:
    if not ISO_DAY.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _age(born: date, today: date) -> int:
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _is_country(code: str) -> bool:
    return bool(facts.alpha_2(code))


def _contact(draft: Draft) -> Iterator[Defect]:
    email = _text(draft, "email")
    if not email:
        yield _missing("email", "E-mail missing", "The e-mail is empty.", "Write the client's own address.", "EML-01")
    elif not EMAIL.fullmatch(email):
        yield Defect(
            "email",
            "E-mail not valid",
            f"{email} is not an address IBKR takes.",
            "Write it like name@example.com.",
            "EML-02",
        )
    phone = _text(draft, "phone")
    if not phone:
        yield _missing(
            "phone", "Mobile phone missing", "The mobile phone is empty.", "Write it with its country code.", "TEL-01"
        )
    elif parse_phone(phone, _text(draft, "country")) is None:
        yield Defect(
            "phone",
            "Mobile phone not valid",
            "No telephone has this number.",
            "Write it with its country code, +48 600 555 012.",
            "TEL-02",
        )


def parse_phone(text: str, country: str) -> tuple[str, str] | None:
    """Return (number without plus, alpha-2 of its country), or None when no telephone can have it."""
    try:
        parsed = phonenumbers.parse(text, facts.alpha_2(country) or None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    digits = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164).lstrip("+")
    region = phonenumbers.region_code_for_number(parsed) or facts.alpha_2(country)
    return (digits, region) if len(digits) <= 18 else None


def check_address(draft: Draft) -> Iterator[Defect]:
    """A residence: country, street1, street2, city, postal_code, state. Also for a change of address."""
    country = _text(draft, "country")
    if not country:
        yield _missing(
            "country",
            "Country of residence missing",
            "The country is empty.",
            "Choose where the client lives.",
            "RES-01",
        )
    elif not _is_country(country):
        yield Defect(
            "country", "No such country", f"{country} is not a country.", "Choose one from the list.", "CTR-01"
        )
    else:
        yield from _about_country(country)
    for name, label in (("street1", "Street"), ("city", "City"), ("postal_code", "Postal code")):
        if not _text(draft, name):
            fix = "If the country has none, write 00000." if name == "postal_code" else "Fill it in."
            yield _missing(name, f"{label} missing", f"{label} is empty.", fix, "RES-02")
    for name in ("street1", "street2"):
        if PO_BOX.search(_text(draft, name)):
            yield Defect(
                name, "PO box as residence", "IBKR does not take a post office box as a residence.",
                "Give the street where the client lives.", "RES-03",
            )  # fmt: skip
    state = _text(draft, "state")
    if state and _is_country(country) and state not in facts.parts_of(country):
        example = "CT" if country == "USA" else next(iter(sorted(facts.parts_of(country))), "")
        fix = f"Write the ISO code, such as {example}, or leave it empty." if example else "Leave it empty."
        yield Defect("state", "No such state", f"{state} is no part of {facts.country_name(country)}.", fix, "RES-04")
    if country == "USA" and not state:
        yield _missing("state", "State missing", "A US residence needs its state.", "Write two letters, CT.", "RES-05")
    yield from _too_long(draft, "street1", "street2", "city", "postal_code")


def _about_country(country: str) -> Iterator[Defect]:
    name = facts.country_name(country)
    known = facts.about_applications()
    if country in known["refused_residence"]:
        yield Defect(
            "country",
            "Residence not accepted",
            f"IBKR opens no accounts for residents of {name}.",
            "Do not apply.",
            "RES-06",
        )
    elif country in known["own_entity"]:
        entity = known["own_entity"][country]
        yield Defect(
            "country", f"{name} has its own entity", f"Residents of {name} are opened by {entity}.",
            "IBKR may refuse them under this master account.", "RES-07", stops=False,
        )  # fmt: skip
    elif not facts.has_electronic_identity(country):
        yield Defect(
            "country", "Documents likely", f"IBKR cannot verify identity electronically in {name}.",
            "Have proof of identity and of address at hand.", "KYC-01", stops=False,
        )  # fmt: skip
    if country in known["native_name"]:
        yield Defect(
            "country", "Native name needed", f"IBKR asks residents of {name} for the name in its own script.",
            "The client gives it in the portal.", "NAM-04", stops=False,
        )  # fmt: skip


def _tax(draft: Draft) -> Iterator[Defect]:
    country, number = _text(draft, "tax_country"), _text(draft, "tax_number")
    if number and not country:
        yield Defect(
            "tax_country",
            "Tax residence missing",
            "There is a tax number without its country.",
            "Choose the country.",
            "TAX-01",
        )
    elif country and not _is_country(country):
        yield Defect(
            "tax_country", "No such country", f"{country} is not a country.", "Choose one from the list.", "CTR-01"
        )
    elif country and not number:
        yield Defect(
            "tax_number", "Tax number not given", "The tax number is empty.",
            "Fill it in, or the client explains it in the portal.",
            "TAX-02", stops=False, is_missing=True,
        )  # fmt: skip
    elif country and (known := facts.tax_number(country)) is not None:
        plain = plain_tax_number(number)
        if not any(re.fullmatch(pattern, plain) for pattern in known["patterns"]):
            yield Defect(
                "tax_number", "Tax number not valid", f"{facts.country_name(country)} writes tax numbers otherwise.",
                f"An invented example: {known['example']}.", "TAX-03",
            )  # fmt: skip
    if country and _text(draft, "country") and country != _text(draft, "country"):
        yield Defect(
            "tax_country", "Taxed elsewhere", "The client pays tax in another country than the residence.",
            "Expect IBKR to ask for an explanation.", "TAX-04", stops=False,
        )  # fmt: skip


def plain_tax_number(text: str) -> str:
    """Return a tax number without the spaces, dots and dashes people write in it, letters upper case."""
    return re.sub(r"[\s.\-/]", "", text).upper()


def _account(draft: Draft, today: date) -> Iterator[Defect]:
    currency = _text(draft, "base_currency")
    if not currency:
        yield _missing("base_currency", "Base currency missing", "No base currency is chosen.", "Choose one.", "ACC-01")
    elif currency not in facts.about_applications()["currencies"]:
        yield Defect(
            "base_currency",
            "Base currency not offered",
            f"IBKR keeps no accounts in {currency}.",
            "Choose one from the list.",
            "ACC-02",
        )
    margin = _text(draft, "margin")
    if not margin:
        yield _missing("margin", "Account type missing", "Neither cash nor margin is chosen.", "Choose one.", "ACC-03")
    elif margin not in dict(facts.choices("margins")):
        yield Defect(
            "margin",
            "No such account type",
            f"IBKR knows no account type {margin}.",
            "Choose cash or margin.",
            "ACC-04",
        )
    elif margin != "Cash":
        born = _day(_text(draft, "date_of_birth"))
        if born and ADULT <= _age(born, today) < MARGIN_AGE:
            yield Defect(
                "margin",
                "Margin before 21",
                f"The client is {_age(born, today)}; margin is open from 21.",
                "Choose cash.",
                "ACC-05",
            )
        if _text(draft, "country") == "AUS":
            yield Defect(
                "margin",
                "Cash only in Australia",
                "Residents of Australia can have cash accounts only.",
                "Choose cash.",
                "ACC-06",
            )
    prefix = _text(draft, "prefix")
    if not prefix:
        yield _missing(
            "prefix",
            "Username not begun",
            "IBKR needs 3 to 6 letters to start the username.",
            "Write 3 to 6 small letters.",
            "USR-01",
        )
    elif not PREFIX.fullmatch(prefix):
        yield Defect(
            "prefix",
            "Username start not valid",
            f"{prefix} is not 3 to 6 small letters.",
            "Use a to z only: no digits, no capitals.",
            "USR-02",
        )
    yield from check_alias(_text(draft, "alias"), is_needed=False)
    permissions = draft.get("permissions") or []
    if not permissions:
        yield _missing("permissions", "No trading permission", "Nothing may be traded.", "Tick at least one.", "ACC-07")
    elif unknown := sorted(set(permissions) - set(dict(facts.choices("permissions")))):
        yield Defect(
            "permissions",
            "No such permission",
            f"IBKR knows no permission {unknown[0]}.",
            "Tick from the list.",
            "ACC-08",
        )


def check_alias(alias: str, *, is_needed: bool = True) -> Iterator[Defect]:
    """An account's alias."""
    if is_needed and not alias:
        yield _missing("alias", "Alias missing", "The alias is empty.", "Write at least one character.", "ALI-01")
    if len(alias) > 80:
        yield Defect("alias", "Alias too long", f"The alias has {len(alias)} characters.", "Use at most 80.", "ALI-02")
