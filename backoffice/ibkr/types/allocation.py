"""Allocation groups of an advisor master."""

from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AliasChoices, Field, model_validator

from backoffice.ibkr import paths
from backoffice.ibkr.parsing import Id, Number, Text
from backoffice.ibkr.types.base import Answer, Request
from backoffice.ibkr.types.people import AccountId

Method = Literal["A", "E", "N", "C", "P", "R", "S"]
COMPUTED_METHODS = frozenset({"A", "E", "N"})  # IBKR computes the shares: available equity, equal, net liquidation
PositiveShare = Annotated[Decimal, Field(gt=0, max_digits=18, decimal_places=4, allow_inf_nan=False)]


class GroupShare(Request):
    """One member; `amount` is per cent for P, a ratio for R, shares for S, cash for C, and absent for A, E and N."""

    account: AccountId
    amount: PositiveShare | None = None


class GroupDefinition(Request):
    """A whole group. IBKR replaces membership completely, so a definition always lists everyone."""

    name: Annotated[str, AfterValidator(paths.group_name)]
    method: Method
    members: Annotated[tuple[GroupShare, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _amounts_fit_the_method(self) -> Self:
        if len({member.account for member in self.members}) != len(self.members):
            raise ValueError("an account appears twice in the group")
        amounts = [member.amount for member in self.members]
        if self.method in COMPUTED_METHODS:
            if any(amount is not None for amount in amounts):
                raise ValueError(f"IBKR computes the shares of method {self.method}; give no amounts")
            return self
        if any(amount is None for amount in amounts):
            raise ValueError(f"method {self.method} needs an amount for every account")
        if self.method == "P" and sum((amount for amount in amounts if amount is not None), Decimal(0)) != 100:
            raise ValueError("the percentages must add up to 100")
        return self

    def wire_members(self) -> dict[str, Any]:
        """Return the group as IBKR spells it; whole amounts go as integers."""
        members = [
            {"name": member.account}
            if member.amount is None
            else {"name": member.account, "amount": _plain(member.amount)}
            for member in self.members
        ]
        return {"name": self.name, "default_method": self.method, "accounts": members}


class GroupSummary(Answer):
    """A group's line in the list."""

    name: Id
    method: Text = Field(default="", validation_alias=AliasChoices("allocation_method", "default_method"))
    size: Number = None


class GroupMember(Answer):
    """A member of a group as IBKR has it."""

    account_id: Id = Field(alias="name")
    amount: Number = None


class Group(Answer):
    """A group as IBKR has it."""

    name: Id
    method: Text = Field(default="", validation_alias=AliasChoices("default_method", "allocation_method"))
    members: tuple[GroupMember, ...] = Field(default=(), alias="accounts")


class AllocationAccount(Answer):
    """An account with the figures IBKR computes methods A and N from."""

    account_id: str
    net_liquidation: Number = None
    available_equity: Number = None


def _plain(amount: Decimal) -> Decimal | int:
    return int(amount) if amount == amount.to_integral_value() else amount
