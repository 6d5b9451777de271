"""The fields of the application form: where they stand, IBKR's name for them, and why they are asked."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """One step of the form."""

    key: str
    title: str
    lead: str


@dataclass(frozen=True)
class FieldFact:
    """One field. `code` is IBKR's member; `why` answers "why is this asked?"."""

    name: str
    section: str
    label: str
    code: str
    group: str
    help: str = ""
    why: str = ""
    wide: bool = False

    @property
    def short_code(self) -> str:
        """The last member of IBKR's path, as it fits into the field."""
        return self.code.rpartition(".")[2]


SECTIONS = (
    Section("holder", "Holder", "The person who will own the account, as on the identity document."),
    Section(
        "contact", "Contact and residence", "Where IBKR reaches the client, and where the client lives and pays tax."
    ),
    Section("account", "Account and permissions", "What is opened, in which currency, and what may be traded."),
    Section("review", "Review", "Exactly what will be sent. Nothing else leaves."),
)

_NAME_WHY = (
    "IBKR matches the name letter by letter with the identity document, and each document must be signed with exactly "
    "this name. Section 6.4 of IBKR's account rules."
)

FIELDS: dict[str, FieldFact] = {
    fact.name: fact
    for fact in (
        FieldFact("salutation", "holder", "Salutation", "name.salutation", "Name"),
        FieldFact("first_name", "holder", "First name", "name.first", "Name", why=_NAME_WHY),
        FieldFact("middle_name", "holder", "Middle name", "name.middle", "Name", "Only if the document shows one."),
        FieldFact("last_name", "holder", "Last name", "name.last", "Name", why=_NAME_WHY),
        FieldFact(
            "date_of_birth", "holder", "Date of birth", "dateOfBirth", "Birth and citizenship",
            why="IBKR opens accounts from 18, and margin only from 21.",
        ),
        FieldFact("country_of_birth", "holder", "Country of birth", "countryOfBirth", "Birth and citizenship"),
        FieldFact(
            "citizenship", "holder", "Citizenship", "identification.citizenship", "Birth and citizenship",
            why="A US citizen or someone born in the US pays tax there wherever they live, and IBKR asks for other forms.",
        ),
        FieldFact(
            "email", "contact", "E-mail", "email", "Contact",
            "IBKR writes to the client at this address.",
            why="IBKR sends the login and every request for a signature here. It must be the client's own, not the firm's.",
        ),
        FieldFact(
            "phone", "contact", "Mobile phone", "phones[0].number", "Contact", "With the country code, +48 600 555 012.",
            why="IBKR sends the second factor of the client's login to this mobile.",
        ),
        FieldFact(
            "country", "contact", "Country of residence", "residenceAddress.country", "Residence",
            why="It decides which IBKR entity opens the account, and whether identity is verified without documents.",
        ),
        FieldFact("street1", "contact", "Street and number", "residenceAddress.street1", "Residence", wide=True),
        FieldFact("street2", "contact", "Flat, building", "residenceAddress.street2", "Residence", wide=True),
        FieldFact("city", "contact", "City", "residenceAddress.city", "Residence"),
        FieldFact("postal_code", "contact", "Postal code", "residenceAddress.postalCode", "Residence"),
        FieldFact(
            "state", "contact", "State or province", "residenceAddress.state", "Residence",
            "ISO 3166-2: GB-ENG, PL-DS; US states bare, CT.",
        ),
        FieldFact("tax_country", "contact", "Tax residence", "taxResidencies[0].country", "Tax", "Where the client pays tax."),
        FieldFact(
            "tax_number", "contact", "Tax number", "taxResidencies[0].tin", "Tax",
            "May stay empty: then the client explains it in the portal.",
            why="IBKR reports to the tax authority of the client's residence. Without it the client fills a form.",
        ),
        FieldFact("base_currency", "account", "Base currency", "accounts[0].baseCurrency", "Account"),
        FieldFact(
            "margin", "account", "Account type", "accounts[0].margin", "Account", "Cash, or margin after Regulation T.",
        ),
        FieldFact("alias", "account", "Alias", "accounts[0].alias", "Account", "Your name for it; at most 80 characters."),
        FieldFact(
            "prefix", "account", "Username starts with", "prefix", "Account",
            "3 to 6 small letters; IBKR adds digits.",
            why="IBKR makes the client's username from it, three letters and more, followed by digits it chooses.",
        ),
        FieldFact(
            "permissions", "account", "Trading permissions", "accounts[0].tradingPermissions", "Permissions",
            "The client can ask for more in the portal later.", wide=True,
        ),
        FieldFact(
            "is_professional", "account", "Professional for market data", "mdStatusNonPro", "Permissions",
            "Tick only if the client works with securities. Professional data costs more.", wide=True,
        ),
    )
}  # fmt: skip

# Beyond the name: whoever is shown what stands in one of these has seen the person.
PERSONAL = frozenset({"date_of_birth", "country_of_birth", "email", "phone", "street1", "street2", "city", "postal_code",
                      "tax_number"})  # fmt: skip


def section_of(field: str) -> str:
    """Return the section a field stands on; what belongs to no field is shown on the review."""
    fact = FIELDS.get(field)
    return fact.section if fact else "review"
