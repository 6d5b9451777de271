"""IBKR's what-if of a draft as pages show it: what changes, from what to what, and how old the answer is."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from backoffice.journal.models import Inquiry, InquiryState
from backoffice.people.models import User
from trading.dispatch_names import WHAT_IF
from trading.models import Order


@dataclass(frozen=True)
class Line:
    """One figure before and after, and the change; None where IBKR did not say."""

    name: str
    before: Decimal | None
    change: Decimal | None
    after: Decimal | None
    is_units: bool = False


@dataclass(frozen=True)
class Part:
    """What the order would do as a whole, or (with `account`) what one account's share would do.

    `commission` is in `currency`, the instrument's; the lines are in the base currency of the account or the master.
    """

    account: str
    commission: Decimal | None
    most_commission: Decimal | None
    currency: str
    lines: tuple[Line, ...]
    warning: str
    error: str

    def line(self, name: str) -> Line | None:
        return next((line for line in self.lines if line.name == name), None)

    @property
    def equity(self) -> Line | None:
        return self.line("Equity with loan")

    @property
    def initial_margin(self) -> Line | None:
        return self.line("Initial margin")


@dataclass(frozen=True)
class WhatIf:
    """IBKR's answer. `refused_as_a_block` has IBKR's words where it took no what-if for the block as one."""

    parts: tuple[Part, ...]
    accounts: int
    refused_as_a_block: str
    as_of: datetime

    @property
    def whole(self) -> Part | None:
        return None if self.refused_as_a_block else self.parts[0]

    @property
    def commission(self) -> Decimal | None:
        """What the whole order would cost, or None where IBKR did not say it of every part."""
        known = [part.commission for part in self.parts if part.commission is not None]
        is_complete = len(known) == (self.accounts if self.refused_as_a_block else 1)
        return sum(known, Decimal(0)) if is_complete else None

    @property
    def currency(self) -> str:
        return self.parts[0].currency

    @property
    def warnings(self) -> list[Part]:
        return [part for part in self.parts if part.warning]

    @property
    def errors(self) -> list[Part]:
        return [part for part in self.parts if part.error]


def inquiry_of(order: Order, *, by: User) -> Inquiry | None:
    """Return the newest what-if this person asked about the draft as it is now, answered or not."""
    asked = Inquiry.objects.filter(
        kind=WHAT_IF, asked_by=by, params__order=str(order.pk), params__allocation=order.allocation_sha256
    )
    return asked.order_by("-asked_at").first()


def of_inquiry(inquiry: Inquiry | None) -> WhatIf | None:
    """Return IBKR's answer, or None while there is none."""
    if inquiry is None or inquiry.state != InquiryState.ANSWERED:
        return None
    answer = inquiry.answer
    return WhatIf(
        parts=tuple(_part(part) for part in answer["parts"]),
        accounts=answer["accounts"],
        refused_as_a_block=answer["refused_as_a_block"],
        as_of=datetime.fromisoformat(answer["as_of"]),
    )


def _part(part: dict[str, Any]) -> Part:
    lines = (
        _line("Equity with loan", part["equity"]),
        _line("Initial margin", part["initial"]),
        _line("Maintenance margin", part["maintenance"]),
        _line("Position, units", part["position"], is_units=True),
    )
    return Part(
        account=part["account"],
        commission=_number(part["commission"]),
        most_commission=_number(part["most_commission"]),
        currency=part["currency"],
        lines=tuple(line for line in lines if line is not None),
        warning=part["warning"],
        error=part["error"],
    )


def _line(name: str, change: list[Any] | None, *, is_units: bool = False) -> Line | None:
    if change is None:
        return None
    before, moved, after = map(_number, change)
    return Line(name, before, moved, after, is_units)


def _number(text: Any) -> Decimal | None:
    return None if text is None else Decimal(str(text))
