"""What all operations of PATCH /accounts have in common."""

from collections.abc import Iterator
from datetime import date
from typing import Any, ClassVar

from backoffice.ibkr.types.base import Request
from backoffice.ibkr.types.people import AccountId


class Composed(Request):
    """A request with parts that are spelt in their own way on the wire, such as documents."""

    def wire_members(self) -> dict[str, Any]:
        """Return the request as IBKR spells it, each part by its own spelling, without the members that are not set."""
        members = {str(field.alias): _on_wire(getattr(self, name)) for name, field in type(self).model_fields.items()}
        return {name: value for name, value in members.items() if value is not None and value not in ({}, [])}


class Operation(Composed):
    """One operation of PATCH /accounts. `operation` is IBKR's key for it; subclasses say what is in it.

    `is_listed`: whether its members travel in an array of one. IBKR's specification shows an object for every
    operation and its documentation an array for some, so `Accounts.change` lets the caller choose.
    """

    operation: ClassVar[str]
    is_listed: ClassVar[bool] = False

    def wire_value(self, *, listed: bool | None = None) -> dict[str, Any] | list[dict[str, Any]]:
        """Return the operation's members as they go under its key."""
        members = self.wire_members()
        return [members] if (self.is_listed if listed is None else listed) else members

    def objections(self, today: date) -> Iterator[str]:
        """Yield what would make IBKR refuse this on `today` (New York's day) though it was right when it was written."""
        yield from ()


class Change(Operation):
    """An operation on one account."""

    account_id: AccountId


def _on_wire(value: object) -> object:
    match value:
        case Request():
            return value.wire_members()
        case tuple():
            return [_on_wire(item) for item in value]
    return value
