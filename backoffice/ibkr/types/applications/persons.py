"""The persons of an application, and what IBKR would refuse about one: account-management.md sections 6.1 to 6.4.

Everything here is judged when a request is made, for a refused application costs its external id, its day or both. Rules
that depend on the day are `objections`. Members that the hybrid route may leave out are judged where they are given.
"""

import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import Self

from pydantic import model_validator

from backoffice.ibkr.types.holders import HolderDetails, PersonDetails
from backoffice.ibkr.types.people import Address, Email, ExternalId, Identification, PersonName

LEAST_AGE = 18
AGE_OF_CREDIT = 21  # younger ones get a cash account only
_NATIVE_NAME = frozenset({"RUS", "ISR"})
_LATIN = re.compile(r"[\x20-\u024f]*")
_PO_BOX = re.compile(
    r"\bP(?:ost(?:al)?)?[.\-\s]*O(?:ffice)?[.\s]*B(?:ox|in)\b|\bPB\s*\d|\bbox[-\s]*\d|\bin care of\b|\bgeneral delivery\b"
    "|邮政信箱|郵政信箱",
    re.IGNORECASE,
)
_STATE = re.compile(r"(?:[A-Z]{2}-)?[A-Z0-9]{1,3}")
_SSN = re.compile(r"(?!123456789|219099999|078051120)(?!666|000)\d{3}(?!00)\d{2}(?!0{4})\d{4}")
_SIN = re.compile(r"\d{9}")
_PAN = re.compile(r"[A-Z]{5}\d{4}[A-Z]")
_NUMBER_OF_HOME = {"USA": "ssn", "CAN": "sin", "IND": "pan_number"}
_FORMS_OF_NUMBERS = {"ssn": _SSN, "sin": _SIN, "pan_number": _PAN}


def spelled(name: PersonName) -> str:
    """Return a name as it signs: first, middle, last and suffix."""
    return " ".join(part for part in (name.first, name.middle, name.last, name.suffix) if part)


def age_on(born: date, today: date) -> int:
    """Return somebody's age in years."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


class Applicant(HolderDetails):
    """A person of an application: IBKR needs our id, the name, the address of mail and the country of residence."""

    external_id: ExternalId
    name: PersonName
    email: Email
    residence_address: Address

    @model_validator(mode="after")
    def _would_be_taken(self) -> Self:
        raise_all(mistakes(self))
        return self

    @property
    def mobiles(self) -> frozenset[str]:
        """The numbers of mobile telephones, by which IBKR sends second factors."""
        return frozenset(phone.number for phone in self.phones if phone.type == "Mobile")

    def objections(self, today: date) -> Iterator[str]:
        """Yield what IBKR would refuse about this person's dates on `today`."""
        yield from super().objections(today)
        if self.date_of_birth is not None and age_on(self.date_of_birth, today) < self.least_age:
            yield f"{spelled(self.name)} is younger than {self.least_age}."

    @property
    def least_age(self) -> int:
        """The age at which somebody may be this person."""
        return LEAST_AGE


def raise_all(found: Iterator[str]) -> None:
    """Raise ValueError with every sentence there is, in one."""
    if sentences := list(dict.fromkeys(found)):
        raise ValueError("; ".join(sentences))


def mistakes(person: PersonDetails) -> Iterator[str]:
    """Yield what IBKR would refuse about a person on any day."""
    for judge in _JUDGES:
        yield from judge(person)


def _name(person: PersonDetails) -> Iterator[str]:
    if person.name is None:
        return
    if not all(_LATIN.fullmatch(part) for part in (person.name.first, person.name.middle or "", person.name.last)):
        yield "a name is in Latin letters; its own script goes into native_name"
    if any(letter.isdigit() for letter in spelled(person.name)):
        yield "a name has no digits"
    if len(person.name.last) < 2:
        yield "a last name has at least two letters"
    home, native = person.residence_address, person.native_name
    if home is not None and home.country in _NATIVE_NAME and native is None:
        yield "residents of Russia and Israel give their name in its own script too"
    if native is not None and _LATIN.fullmatch(f"{native.first} {native.last}"):
        yield "a native name is in its own script, not in Latin letters"
    if native is not None and native.middle is not None and person.name.middle is None:
        yield "a middle name is in the Latin name too"


def _addresses(person: PersonDetails) -> Iterator[str]:
    for where, address in (("residence", person.residence_address), ("mailing", person.mailing_address)):
        yield from address_mistakes(where, address)
    home = person.residence_address
    if home is not None and any(_PO_BOX.search(line or "") for line in (home.street1, home.street2)):
        yield "a post office box is no residence"


def address_mistakes(where: str, address: Address | None) -> Iterator[str]:
    """Yield what is wrong with an address; a country alone is enough for the hybrid route, a street is not."""
    if address is not None and address.state is not None and not _STATE.fullmatch(address.state):
        yield f"the state of the {where} address is written by ISO 3166-2, such as GB-ENG, or CT in the USA"
    if address is not None and address.street1 is not None and (address.city is None or address.postal_code is None):
        yield f"the {where} address has a street, so it needs the city and the postal code (00000 where there are none)"


def _telephones(person: PersonDetails) -> Iterator[str]:
    if person.phones and not any(phone.type == "Mobile" for phone in person.phones):
        yield "one telephone of a person is of type Mobile"


def _work(person: PersonDetails) -> Iterator[str]:
    details = person.employment_details
    if details is None:
        if person.employment_type in ("EMPLOYED", "SELFEMPLOYED"):
            yield "an employed person's employment must be described"
        return
    if "Other" in (details.occupation, details.employer_business) and details.description is None:
        yield "another occupation or business must be described"
    office, home = details.employer_address, person.residence_address
    if office is None or home is None:
        return
    if office.country != home.country and details.empl_country_res_country_details is None:
        yield "work in another country than the residence's must be explained (empl_country_res_country_details)"
    if person.employment_type == "EMPLOYED" and office.street1 is not None and office in (home, person.mailing_address):
        yield "an employer's address cannot be the employee's own"


def _identity(person: PersonDetails) -> Iterator[str]:
    card = person.identification
    if card is None or not card.has_number:
        return
    if card.issuing_country is None:
        yield "the number of an identity document goes with the country that issued it (issuing_country)"
    needed = {_NUMBER_OF_HOME[country] for country in _ties(person) if country in _NUMBER_OF_HOME}
    for number in sorted(needed):
        if getattr(card, number) is None:
            yield f"by residence, citizenship or taxes this person is known by {number}"
    for number, form in _FORMS_OF_NUMBERS.items():
        if (value := getattr(card, number)) is not None and not form.fullmatch(value):
            yield f"{number} is not in its form"
    yield from _papers(card)


def _papers(card: Identification) -> Iterator[str]:
    dated = card.passport or card.drivers_license or card.hk_travel_permit or card.expire
    if dated and card.expiration_date is None:
        yield "a passport, a driver license or a travel permit has its expiration date"
    if card.ssn is not None and card.issuing_country not in (None, "USA"):
        yield "an SSN is issued by the USA"
    if card.drivers_license and card.issuing_country == "AUS" and not (card.rta and card.issuing_state):
        yield "an Australian driver license has its state and authority (issuing_state, rta)"
    if card.medicare_card is not None and not (
        card.card_color and re.fullmatch(r"[0-9]{1,9}", card.medicare_reference or "")
    ):
        yield "a Medicare card has its colour and reference (card_color, medicare_reference)"


def _ties(person: PersonDetails) -> set[str | None]:
    card, home = person.identification, person.residence_address
    found: set[str | None] = {each.country for each in person.tax_residencies}
    if card is not None:
        found |= {card.citizenship, card.citizenship2, card.citizenship3}
    return found | ({home.country} if home is not None else set())


def _taxes(person: PersonDetails) -> Iterator[str]:
    taxed = {each.country for each in person.tax_residencies}
    numbers = {each.tin for each in person.tax_residencies}
    for each in person.tax_residencies:
        if each.country == "USA" and each.tin_type != "SSN":
            yield "a person who pays taxes in the USA has an SSN"
    home = person.residence_address
    if home is not None and taxed and home.country not in taxed:
        yield "somebody pays taxes where he lives, so that country is among the tax residencies (US indicia)"
    if home is not None and home.country != "USA" and "USA" not in taxed and "USA" in _signs(person):
        yield "signs of the USA without tax residency there are refused (US indicia)"
    w8, w9 = person.w8_ben, person.w9
    for form in (w8, w9):
        if form is not None and person.name is not None and form.name != spelled(person.name):
            yield "a tax form bears exactly the name of the application: first, middle, last and suffix"
    if w8 is not None and taxed and w8.foreign_tax_id is not None and w8.foreign_tax_id not in numbers:
        yield "the foreign tax number of form W-8BEN is one of the tax residencies'"
    if w9 is not None and taxed and w9.tin not in numbers:
        yield "the tax number of form W-9 is one of the tax residencies'"


def _signs(person: PersonDetails) -> set[str | None]:
    card, mail = person.identification, person.mailing_address
    found = {person.country_of_birth, *(phone.country for phone in person.phones)}
    if card is not None:
        found |= {card.issuing_country, card.citizenship, card.citizenship2, card.citizenship3}
    return found | ({mail.country} if mail is not None else set())


_JUDGES: tuple[Callable[[PersonDetails], Iterator[str]], ...] = (
    _name, _addresses, _telephones, _work, _identity, _taxes,
)  # fmt: skip
