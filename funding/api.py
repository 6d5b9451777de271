"""Bank instructions and transfers for programs. A withdrawal can be asked for; its approval is a person's."""

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers

from backoffice.api.making import KEY_PARAMETER, Making, Strict
from backoffice.api.registry import resource
from backoffice.api.rows import Row, number
from backoffice.api.views import ReadOnly, filter_parameters
from backoffice.core.money import Money
from backoffice.people.models import User
from clients.models import Account
from funding import services
from funding.models import BankInstruction, CashTransfer


class BankSerializer(Row[BankInstruction]):
    account = number()

    class Meta:
        model = BankInstruction
        fields = ("id", "account", "name", "method", "kind", "currency", "ibkr_status", "is_listed", "seen_at")
        read_only_fields = fields


class TransferSerializer(Row[CashTransfer]):
    account = number()

    class Meta:
        model = CashTransfer
        fields = ("id", "kind", "account", "amount", "currency", "bank", "method", "status", "ibkr_status",
                  "requested_by", "requested_at", "polled_at", "settled_at")  # fmt: skip
        read_only_fields = fields


class WithdrawalAsked(Strict):
    """A withdrawal: from an account to one of its banks. `note` is what the person who approves reads."""

    account = serializers.SlugRelatedField[Account](slug_field="number", queryset=Account.objects.none())
    bank = serializers.PrimaryKeyRelatedField[BankInstruction](queryset=BankInstruction.objects.none())
    amount = serializers.DecimalField(max_digits=18, decimal_places=2)
    currency = serializers.RegexField(r"\A[A-Z]{3}\Z")
    note = serializers.CharField(max_length=500)
    duplicate_reason = serializers.CharField(max_length=300, required=False, default="")

    def get_fields(self) -> Any:
        fields: Any = super().get_fields()
        if (person := self.context.get("person")) is not None:  # the schema is drawn for nobody
            fields["account"].queryset = Account.objects.visible_to(person).open()
            fields["bank"].queryset = BankInstruction.objects.visible_to(person)
        return fields


@resource("banks")
@extend_schema_view(list=extend_schema(parameters=filter_parameters("account", "currency")))
class Banks(ReadOnly):
    """Bank instructions as IBKR listed them at `seen_at`."""

    permission = "funding.view"
    ordering = ("-first_seen_at", "-pk")
    filters = {"account": "account__number", "currency": "currency"}
    serializer_class = BankSerializer

    def rows(self, user: User) -> Any:
        return BankInstruction.objects.visible_to(user).select_related("account").distinct()


@resource("transfers")
@extend_schema_view(
    list=extend_schema(parameters=filter_parameters("account", "status", "kind")),
    create=extend_schema(
        request=WithdrawalAsked, responses={201: TransferSerializer}, parameters=[KEY_PARAMETER],
        description="Ask for a withdrawal. It waits for a second person, whatever its amount.",
    ),
)  # fmt: skip
class Transfers(Making, ReadOnly):
    """Withdrawals and deposit notices; the newest first. Notes and reasons stay on the pages."""

    permission: ClassVar[Any] = {"GET": "funding.view", "HEAD": "funding.view", "POST": "funding.request"}
    ordering = ("-requested_at", "-pk")
    filters = {"account": "account__number", "status": "status", "kind": "kind"}
    serializer_class = TransferSerializer
    asked = WithdrawalAsked

    def rows(self, user: User) -> Any:
        return CashTransfer.objects.visible_to(user).select_related("account").distinct()

    def make(self, values: dict[str, Any], *, by: User, intent: UUID) -> CashTransfer:
        money = Money(values.pop("amount"), values.pop("currency"))
        return services.request_withdrawal(money=money, by=by, intent=intent, by_program=True, **values)
