"""Accounts for retirement in the USA and Canada: one person, `ira` and its type, beneficiaries, a decedent."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from backoffice.ibkr.types.accounts import NewAccount
from backoffice.ibkr.types.applications.individual import OnePersonApplication

AMERICAN = frozenset({"RI", "RO", "RT", "SP", "ED", "TH", "RH", "SH", "SIMPLE"})
CANADIAN = frozenset({"TFSA", "RRSP", "SRRSP"})


class RetirementApplication(OnePersonApplication):
    """An application for an IRA, TFSA, RRSP or spousal RRSP; its accounts have `ira` and `ira_type`.

    IBKR's samples say INDIVIDUAL and its list of types has IRA too (?), so `customer_kind` chooses. Trap: of somebody
    married whose spouse is not the primary beneficiary IBKR wants form 4091, the spouse's consent, as a task.
    """

    customer_kind: Annotated[Literal["INDIVIDUAL", "IRA"], Field(exclude=True)] = "INDIVIDUAL"

    @property
    def type_on_wire(self) -> str:
        """What IBKR calls the type of the customer."""
        return self.customer_kind

    def _mistakes(self) -> Iterator[str]:
        yield from super()._mistakes()
        home = self.account_holder.holder.residence_address.country
        for account in self.accounts:
            if account.ira_type not in AMERICAN | CANADIAN:
                yield "an application for retirement asks for accounts of the USA or Canada: ira with its ira_type"
            elif home != ("USA" if account.ira_type in AMERICAN else "CAN"):
                yield f"an account of type {account.ira_type} is for residents of its own country"

    def missing(self) -> Iterator[str]:
        """Yield what the full route wants and is not there."""
        yield from super().missing()
        for account in self.accounts:
            yield from _heirs(account)


def _heirs(account: NewAccount) -> Iterator[str]:
    named = account.ira_beneficiaries
    if named is None or not named.primary_beneficiaries:
        yield f"the primary beneficiaries of account {account.external_id} are missing"
        return
    if named.spouse_primary_beneficary is None:
        yield f"account {account.external_id} does not say whether the spouse is primary beneficiary"
    if account.ira_type == "TFSA" and named.successor is None:
        yield f"account {account.external_id} does not say whether the spouse succeeds"
    for heir in named.primary_beneficiaries:
        card, home = heir.identification, heir.residence_address
        is_known = card is not None and card.citizenship is not None and heir.date_of_birth is not None
        if not is_known or heir.external_id is None or home is None or home.street1 is None:
            yield "a primary beneficiary has an external id, a date of birth, a citizenship and a full address"
