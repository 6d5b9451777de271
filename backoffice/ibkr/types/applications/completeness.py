"""What the full route wants of natural persons, for clients of advisors and disclosed brokers: section 6.3.

Each function yields a sentence for each member that IBKR would miss. Other kinds of brokers need less; they send such
applications by the hybrid route, where IBKR asks for what it misses.
"""

from collections.abc import Iterator, Sequence

from backoffice.ibkr.types.accounts import NewAccount
from backoffice.ibkr.types.applications.persons import Applicant, spelled
from backoffice.ibkr.types.applications.regulatory import RegulatoryInformation
from backoffice.ibkr.types.finances import FinancialInformation
from backoffice.ibkr.types.people import Address

_PERSON = (
    "date_of_birth", "country_of_birth", "num_dependents", "marital_status", "identification", "phones", "employment_type",
    "tax_residencies",
)  # fmt: skip
_MONEY = ("net_worth", "liquid_net_worth", "annual_net_income", "investment_experience", "sources_of_wealth")
_CODES = frozenset({"AFFILIATION", "EmployeePubTrade", "ControlPubTraded"})
_AUSTRALIAN_CODES = frozenset({"AFFILIATION", "CONTROLLER", "POLITICALMILITARYDIPLOMATIC"})


def persons(applying: Sequence[Applicant], *, pay_taxes: bool = True) -> Iterator[str]:
    """Yield what is missing of the persons; `pay_taxes` is False for one whose tax form nobody asks for."""
    for person in applying:
        who = spelled(person.name)
        for name in _PERSON:
            if getattr(person, name) in (None, ()) and (pay_taxes or name != "tax_residencies"):
                yield f"{name} of {who} is missing"
        yield from address(f"the residence of {who}", person.residence_address)
        if not person.same_mail_address:
            yield from address(f"the mailing address of {who}", person.mailing_address)
        card = person.identification
        if card is not None and not (card.has_number and card.citizenship and card.issuing_country):
            yield f"the identification of {who} has a number, a citizenship and an issuing country"
        if pay_taxes and person.w9 is None and person.w8_ben is None:
            yield f"form W-9 or W-8BEN of {who} is missing"
        details = person.employment_details
        if details is not None and details.employer_address is None:
            yield f"the employer's address of {who} is missing"
        if person.residence_address.country == "IND" and person.gender is None:
            yield f"gender of {who} is missing, which India asks for"


def address(what: str, given: Address | None) -> Iterator[str]:
    """Yield what is missing of an address."""
    if given is None:
        yield f"{what} is missing"
    elif None in (given.street1, given.city, given.state, given.postal_code):
        yield f"{what} has a street, a city, a state and a postal code"


def finances(given: FinancialInformation | None) -> Iterator[str]:
    """Yield what is missing of what the applicants own, earn and know."""
    if given is None:
        yield "the financial information is missing"
        return
    yield from (f"{name} is missing" for name in _MONEY if getattr(given, name) in (None, ()))


def regulation(given: RegulatoryInformation | None, *, is_australian: bool) -> Iterator[str]:
    """Yield the questions that are not answered."""
    wanted = _AUSTRALIAN_CODES if is_australian else _CODES
    for code in sorted(wanted - (given.codes if given is not None else frozenset())):
        yield f"the regulators' question {code} is not answered"


def accounts(asked_for: Sequence[NewAccount]) -> Iterator[str]:
    """Yield what is missing of the accounts."""
    for account in asked_for:
        if account.margin is None:
            yield f"margin of account {account.external_id} is missing"
        if not account.investment_objectives:
            yield f"investment_objectives of account {account.external_id} are missing"
