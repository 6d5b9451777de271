"""Allocation groups and presets of an advisor master."""

from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AliasChoices, Field, model_validator

from backoffice.ibkr import paths
from backoffice.ibkr.parsing import Flag, Id, Number, Text
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


PresetMethod = Literal["AvailableEquity", "A", "E", "N", "C", "P", "R", "S"]


class PresetsChange(Request):
    """All five presets, as they shall be from now on. IBKR writes available equity as "AvailableEquity" here."""

    default_method_for_all: PresetMethod
    group_auto_close_positions: bool
    profiles_auto_close_positions: bool
    strict_credit_check: bool
    group_proportional_allocation: bool

    def wire_members(self) -> dict[str, Any]:
        """Return the presets as IBKR spells them."""
        method = "AvailableEquity" if self.default_method_for_all == "A" else self.default_method_for_all
        return {**self.model_dump(), "default_method_for_all": method}


class Presets(Answer):
    """The presets of allocation as IBKR has them. None is "not said".

    For groups whose shares IBKR computes, `group_auto_close` without `group_proportional` makes positions proportional to
    the method: an order then rebalances instead of being shared out.
    """

    default_method: Text = Field(default="", alias="default_method_for_all")
    group_auto_close: Flag = Field(default=None, alias="group_auto_close_positions")
    profiles_auto_close: Flag = Field(default=None, alias="profiles_auto_close_positions")
    has_strict_credit_check: Flag = Field(default=None, alias="strict_credit_check")
    group_proportional: Flag = Field(default=None, alias="group_proportional_allocation")

    @property
    def rebalances(self) -> bool | None:
        """Whether an order to a computed group moves positions towards the method; None when IBKR did not say."""
        if self.group_auto_close is None or self.group_proportional is None:
            return None
        return self.group_auto_close and not self.group_proportional

    def matches(self, wanted: PresetsChange) -> bool:
        """Return whether IBKR has what was wanted, all five."""
        method = "AvailableEquity" if self.default_method == "A" else self.default_method
        return wanted.wire_members() == {
            "default_method_for_all": method,
            "group_auto_close_positions": self.group_auto_close,
            "profiles_auto_close_positions": self.profiles_auto_close,
            "strict_credit_check": self.has_strict_credit_check,
            "group_proportional_allocation": self.group_proportional,
        }


def _plain(amount: Decimal) -> Decimal | int:
    return int(amount) if amount == amount.to_integral_value() else amount
