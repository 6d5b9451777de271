"""What one operation of `PATCH /accounts` is made of."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, time
from decimal import Decimal
from typing import Any

from backoffice.sandbox import business, rules
from backoffice.sandbox.accounts import AccountRow, Master, Person
from backoffice.sandbox.books import worth
from backoffice.sandbox.clock import NEW_YORK
from backoffice.sandbox.kernel import Sandbox

OPEN = frozenset({"O"})
ANY_STATUS: frozenset[str] = frozenset()
OPEN_OR_PENDING = frozenset({"O", "N", "P"})
CLOSE_OF_BUSINESS = time(17)


@dataclass(frozen=True)
class Subject:
    """One request about one account. `operation` is the object that was sent, without nulls."""

    sandbox: Sandbox
    account: AccountRow
    master: Master
    operation: dict[str, Any]
    request_id: int
    now: datetime

    @property
    def number(self) -> str:
        return self.account.account

    def trait(self, name: str, default: Any = None) -> Any:
        return self.sandbox.accounts.trait(self.number, name, default)

    def set_trait(self, name: str, value: Any) -> None:
        self.sandbox.accounts.set_trait(self.number, name, value)

    def update(self, **fields: Any) -> None:
        self.sandbox.accounts.update(self.number, **fields)

    def persons(self) -> list[Person]:
        return self.sandbox.accounts.persons(self.number)

    def person(self, entity_id: Any = None, external_id: Any = None) -> Person | None:
        """The individual with this entity id or external id; the only one when neither is given."""
        everyone = self.persons()
        if entity_id is None and external_id is None:
            return everyone[0] if len(everyone) == 1 else None
        return next(
            (
                person
                for person in everyone
                if (entity_id is not None and str(person.entity_id) == str(entity_id))
                or (external_id is not None and person.external_id == external_id)
            ),
            None,
        )

    def net_liquidation(self, currency: str) -> Decimal:
        """Cash and positions at present prices."""
        books, market = self.sandbox.books, self.sandbox.market
        total = sum(
            (amount * market.fx(each, currency, self.now) for each, amount in books.cash(self.number).items()),
            Decimal(0),
        )
        for holding in books.holdings(self.number):
            held = worth(holding.conid, holding.quantity, market.price(holding.conid, self.now))
            total += held * market.fx(holding.currency, currency, self.now)
        return total


@dataclass(frozen=True)
class Accepted:
    """The request is taken. It takes effect at `due`; with None it waits for somebody. `note` is handed to `apply`."""

    due: datetime | None
    note: dict[str, Any] = field(default_factory=dict)
    message: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of it: refused after all when `rejection` says why. `members` join the answer of an immediate change."""

    rejection: str = ""
    members: dict[str, Any] = field(default_factory=dict)


DONE = Outcome()
Check = Callable[[Subject], "list[str] | Accepted"]
Apply = Callable[[Subject, dict[str, Any]], Outcome]


@dataclass(frozen=True)
class Operation:
    """`statuses`: of the accounts it is for; empty is any. `callback`: the `request_type` that tells its end."""

    check: Check
    apply: Apply
    statuses: frozenset[str] = OPEN
    callback: str = ""


def at_once(subject: Subject) -> Accepted:
    return Accepted(subject.now)


def one_business_day(subject: Subject, **note: Any) -> Accepted:
    """The documentation's "1 to 2 business days": the close of the next one."""
    return Accepted(business.business_days_later(subject.now, 1, CLOSE_OF_BUSINESS), note)


def before_five(subject: Subject) -> Accepted:
    """Same day before 17:00 in New York, else the next business day."""
    return Accepted(business.same_day_before(subject.now, CLOSE_OF_BUSINESS, CLOSE_OF_BUSINESS))


def ages(subject: Subject) -> list[int]:
    """Ages of the persons of the account whose birthday is known, in their order."""
    today = subject.now.astimezone(NEW_YORK).date()
    born = [rules.day(person.date_of_birth or "") for person in subject.persons()]
    return [rules.age(day, today) for day in born if day is not None]


def youngest(subject: Subject) -> int | None:
    """The age of the youngest natural person who holds the account."""
    is_natural = subject.trait("customer type", "INDIVIDUAL") not in ("ORG", "TRUST")
    return min(ages(subject), default=None) if is_natural else None


def new_york_day(subject: Subject) -> str:
    return subject.now.astimezone(NEW_YORK).date().isoformat()
