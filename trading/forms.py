"""The order ticket, the answers to an open order, and the form of a group."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms

from backoffice.core.errors import InvalidInput
from backoffice.core.forms import OneUseForm, typed_number
from backoffice.people.models import User
from clients.models import Account
from trading.models import AllocationGroup, Instrument, Method, Order, OrderType, Side, Target, TimeInForce
from trading.models.groups import COMPUTED

UNITS = "units-"
MEMBER = "member-"
AMOUNT = "amount-"
CHOSEN = "chosen"


class NumberField(forms.Field):
    """A number as people type it: "2,940" and "2 940" are the same. Raises ValidationError for "2,9"."""

    widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})

    def to_python(self, value: Any) -> Decimal | None:
        return number(value)


def number(value: Any) -> Decimal | None:
    """Read a number, or None where nothing was typed. Raises ValidationError."""
    return typed_number(value, "a number", example="1,250.00")


def refuse(form: forms.Form, error: InvalidInput) -> None:
    """Show a service's refusal at the field it names, with its fix."""
    # A ValidationError with params runs its message through %.
    shown = forms.ValidationError(error.message.replace("%", "%%"), params={"fix": error.fix})
    form.add_error(error.field if error.field in form.fields else None, shown)


@dataclass(frozen=True)
class Choice:
    """One account of a list with an input: what was typed stays."""

    account: Account
    typed: str
    name: str
    is_ticked: bool = False
    tick_name: str = ""


class TicketForm(OneUseForm):
    """Instrument, side, size, price, for whom, and why."""

    beside = (UNITS, "text", "allocation_sha256")  # the search's own input stands inside; `SendForm` reads the seal

    conid = forms.ModelChoiceField(
        queryset=Instrument.objects.all(),
        to_field_name="conid",
        widget=forms.HiddenInput,
        error_messages={"required": "Choose an instrument.", "invalid_choice": "Choose an instrument of the list."},
    )
    side = forms.ChoiceField(choices=Side.choices, initial=Side.BUY)
    quantity = NumberField(error_messages={"required": "Enter how many units."})
    order_type = forms.ChoiceField(choices=OrderType.choices, initial=OrderType.LIMIT)
    limit_price = NumberField(error_messages={"required": "A limit order needs a price."})
    tif = forms.ChoiceField(label="Time in force", choices=TimeInForce.choices, initial=TimeInForce.DAY)
    allocate_to = forms.ChoiceField(error_messages={"required": "Choose who the order is for."})
    reason = forms.CharField(
        label="Reason, kept on the record",
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": "The reason is kept on the record."},
    )
    twin_reason = forms.CharField(label="Why a second one", max_length=300, required=False)

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.accounts = list(
            Account.objects.visible_to(user).open().select_related("client", "master").order_by("number")
        )
        self.groups = list(AllocationGroup.objects.visible_to(user).listed().order_by("name"))
        if self.is_bound and self.data.get("order_type") == OrderType.MARKET:
            self.fields["limit_price"].required = False
        choices: list[tuple[str, Any]] = [("", "Choose")]
        if self.groups:
            choices.append(("Groups", [(f"group:{group.pk}", f"Group {group.name}") for group in self.groups]))
        choices.append((CHOSEN, "Several accounts, by units"))
        listed = [
            (f"account:{account.number}", f"{account.number}  {account.client.name}") for account in self.accounts
        ]
        choices.append(("Accounts", listed))
        self.fields["allocate_to"] = forms.ChoiceField(
            label="Allocate to",
            choices=choices,
            error_messages={
                "required": "Choose who the order is for.",
                "invalid_choice": "It is not open, or not in your books.",
            },
        )

    @classmethod
    def of(cls, order: Order, user: User) -> "TicketForm":
        """Return the form of a draft, as it was filled in."""
        initial: dict[str, Any] = {
            "intent": order.intent,
            "conid": order.instrument.conid,
            "side": order.side,
            "quantity": plain(order.quantity),
            "order_type": order.order_type,
            "limit_price": plain(order.limit_price),
            "tif": order.tif,
            "allocate_to": target_value(order),
            "reason": order.reason,
            "twin_reason": order.twin_reason,
        }
        if order.target == Target.CHOSEN:
            for row in order.allocations.all():
                initial[f"{UNITS}{row.account.number}"] = plain(row.quantity)
        form = cls(user, initial=initial)
        form.initial["intent"] = order.intent
        return form

    @property
    def units(self) -> list[Choice]:
        """Each account with what is typed for it, for an order to several accounts."""
        source: Mapping[str, Any] = self.data if self.is_bound else self.initial
        return [
            Choice(account, str(source.get(f"{UNITS}{account.number}", "")), f"{UNITS}{account.number}")
            for account in self.accounts
        ]

    @property
    def instrument(self) -> Instrument | None:
        """The instrument chosen so far."""
        conid = self.data.get("conid") if self.is_bound else self.initial.get("conid")
        return Instrument.objects.filter(conid=str(conid)).first() if conid else None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        target = cleaned.get("allocate_to", "")
        cleaned.update(account=None, group=None, chosen=None)
        if target == CHOSEN:
            cleaned["chosen"] = self._chosen()
        elif target.startswith("group:"):
            cleaned["group"] = next((group for group in self.groups if f"group:{group.pk}" == target), None)
        elif target:
            cleaned["account"] = next(
                (account for account in self.accounts if f"account:{account.number}" == target), None
            )
        if cleaned.get("order_type") == OrderType.MARKET:
            cleaned["limit_price"] = None
        return cleaned

    def _chosen(self) -> dict[Account, Decimal]:
        found: dict[Account, Decimal] = {}
        for choice in self.units:
            try:
                units = number(choice.typed)
            except forms.ValidationError:
                units = Decimal(-1)
            if units is None or units == 0:
                continue
            if units < 0 or units != units.to_integral_value():
                fix = {"fix": "Write whole units, such as 120."}
                self.add_error(
                    "allocate_to", forms.ValidationError(f"{choice.account.number} has no whole units.", params=fix)
                )
                continue
            found[choice.account] = units
        return found


def target_value(order: Order) -> str:
    """Return which choice of "Allocate to" a draft was made with."""
    match order.target:
        case Target.GROUP:
            return f"group:{order.group_id}"
        case Target.CHOSEN:
            return CHOSEN
        case _:
            return f"account:{order.target_name}"


def plain(value: Decimal | None) -> str:
    """Write a number for an input: no exponent, no trailing zeros, no grouping."""
    if value is None:
        return ""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


class SendForm(forms.Form):
    """What was shown, so that exactly that is sent."""

    allocation_sha256 = forms.CharField(max_length=64, widget=forms.HiddenInput)


class AnswerForm(forms.Form):
    """One person's answer to one question."""

    question = forms.UUIDField()
    answer = forms.CharField(max_length=60)


class ReasonForm(forms.Form):
    """Why something is given up."""

    reason = forms.CharField(
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": "A reason is needed; it stays beside the order."},
    )


class GroupForm(OneUseForm):
    """Name, method, members and, where the method wants them, amounts."""

    beside = (MEMBER, AMOUNT)

    name = forms.CharField(
        max_length=64,
        help_text="Letters, digits, spaces and hyphens. IBKR tells capital letters from small ones.",
        error_messages={"required": "Give the group a name."},
    )
    method = forms.ChoiceField(choices=Method.choices, initial=Method.NET_LIQUIDATION)

    def __init__(self, user: User, *args: Any, group: AllocationGroup | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.accounts = list(
            Account.objects.visible_to(user).open().select_related("client", "master").order_by("number")
        )
        self.listed = {row.account_id: row for row in group.members.all()} if group else {}
        if group is not None and not self.is_bound:
            self.initial.update(name=group.name, method=group.method)
        self.fields["members"] = forms.Field(required=False)

    @property
    def choices(self) -> list[Choice]:
        found = []
        for account in self.accounts:
            tick, amount = f"{MEMBER}{account.number}", f"{AMOUNT}{account.number}"
            if self.is_bound:
                typed, is_ticked = str(self.data.get(amount, "")), tick in self.data
            else:
                row = self.listed.get(account.pk)
                typed, is_ticked = plain(row.amount) if row else "", row is not None
            found.append(Choice(account, typed, amount, is_ticked, tick))
        return found

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        members: dict[Account, Decimal | None] = {}
        for choice in self.choices:
            if not choice.is_ticked:
                continue
            try:
                amount = None if cleaned.get("method") in COMPUTED else number(choice.typed)
            except forms.ValidationError as error:
                self.add_error("members", error)
                continue
            members[choice.account] = amount
        cleaned["members"] = members
        return cleaned
