"""British savings accounts: the ISA, which brings a general account (GIA) with it, and the JISA of a minor."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Self

from pydantic import Field, model_validator

from backoffice.ibkr.types.applications import completeness
from backoffice.ibkr.types.applications.individual import AccountHolder, IndividualNode, OnePersonApplication
from backoffice.ibkr.types.applications.persons import LEAST_AGE, Applicant, age_on
from backoffice.ibkr.types.holders import Title

HOME = "GBR"


class IsaApplication(OnePersonApplication):
    """An application for an ISA: cash and stocks, for a tax resident of the United Kingdom.

    Traps: the number of the general account is told in the answer to this call and nowhere else, and neither account can
    be added to the other later.
    """

    def _mistakes(self) -> Iterator[str]:
        yield from super()._mistakes()
        yield from _british(self, "ISA")


class Minor(AccountHolder):
    """The child whose JISA it is."""

    @property
    def least_age(self) -> int:
        """A minor may be of any age; `JisaApplication.objections` looks at the upper end."""
        return 0


class RegisteredContact(Applicant):
    """The grown-up who looks after a JISA."""

    titles: tuple[Title, ...] = (Title(code="Registered Contact"),)

    @model_validator(mode="after")
    def _is_the_contact(self) -> Self:
        if "Registered Contact" not in {title.code for title in self.titles}:
            raise ValueError("the grown-up of a JISA has the title Registered Contact")
        return self


class JisaNode(IndividualNode):
    """The child and the grown-up. Trap: the child is in an array of one, the grown-up (associatedIndividual) in none."""

    holder: Minor = Field(alias="accountHolderDetails")
    contact: RegisteredContact = Field(alias="associatedIndividual")

    def persons(self) -> Sequence[Applicant]:
        """Return the child and the grown-up."""
        return (self.holder, self.contact)


class JisaApplication(OnePersonApplication):
    """An application for a minor's JISA. It brings no general account. Without `users` the grown-up gets the login."""

    account_holder: JisaNode

    def logins(self) -> Sequence[Applicant]:
        """Return the grown-up."""
        return (self.account_holder.contact,)

    def _mistakes(self) -> Iterator[str]:
        yield from super()._mistakes()
        yield from _british(self, "JISA")

    def missing(self) -> Iterator[str]:
        """Yield what the full route wants and is not there: of the grown-up, all but the tax form."""
        yield from super().missing()
        yield from completeness.persons((self.account_holder.contact,), pay_taxes=False)

    def objections(self, today: date) -> Iterator[str]:
        """Yield what IBKR would refuse on `today`."""
        yield from super().objections(today)
        born = self.account_holder.holder.date_of_birth
        if born is not None and age_on(born, today) >= LEAST_AGE:
            yield f"A JISA is for somebody younger than {LEAST_AGE}."


def _british(application: OnePersonApplication, kind: str) -> Iterator[str]:
    holder = application.account_holder.holder
    if any(account.ira_type != kind for account in application.accounts):
        yield f"an application for an {kind} asks for accounts with ira and the ira_type {kind}"
    if holder.residence_address.country != HOME:
        yield f"an {kind} is for residents of the United Kingdom"
    if any(each.country != HOME for each in holder.tax_residencies):
        yield f"an {kind} is for those who pay taxes in the United Kingdom only"
    card = holder.identification
    if card is not None and card.issuing_country == HOME and card.has_number and card.national_card is None:
        yield "a British holder is known by the national card (the National Insurance number)"
