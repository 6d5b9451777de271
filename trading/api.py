"""Orders and positions for programs. A draft can be drawn up; previewing and sending it is a person's."""

from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import Prefetch
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers

from backoffice.api.making import KEY_PARAMETER, Making, Strict
from backoffice.api.registry import resource
from backoffice.api.rows import Row, number
from backoffice.api.views import ReadOnly, filter_parameters
from backoffice.core.errors import Conflict
from backoffice.people.models import User
from clients.models import Account
from trading.models import Execution, Instrument, Order, OrderAllocation, OrderType, Position, Side, TimeInForce
from trading.services import tickets


class AllocationSerializer(Row[OrderAllocation]):
    account = number()

    class Meta:
        model = OrderAllocation
        fields = ("account", "place", "quantity")
        read_only_fields = fields


class FillSerializer(Row[Execution]):
    account = number()

    class Meta:
        model = Execution
        fields = ("account", "quantity", "price", "commission", "at")
        read_only_fields = fields


class OrderSerializer(Row[Order]):
    conid = serializers.CharField(source="instrument.conid", read_only=True)
    symbol = serializers.CharField(source="instrument.symbol", read_only=True)
    currency = serializers.CharField(source="instrument.currency", read_only=True)
    allocations = AllocationSerializer(many=True, read_only=True)
    executions = FillSerializer(many=True, read_only=True)

    class Meta:
        model = Order
        fields = ("id", "number", "conid", "symbol", "currency", "side", "quantity", "order_type", "limit_price", "tif",
                  "status", "ibkr_status", "filled", "average_price", "maker", "created_at", "sent_at", "seen_at",
                  "settled_at", "allocations", "executions")  # fmt: skip
        read_only_fields = fields


class PositionSerializer(Row[Position]):
    account = number()
    conid = serializers.CharField(source="instrument.conid", read_only=True)
    symbol = serializers.CharField(source="instrument.symbol", read_only=True)
    currency = serializers.CharField(source="instrument.currency", read_only=True)

    class Meta:
        model = Position
        fields = ("account", "conid", "symbol", "currency", "quantity", "price", "value", "average_cost", "unrealised",
                  "as_of")  # fmt: skip
        read_only_fields = fields


class DraftAsked(Strict):
    """A ticket for one account. Whole units; a limit order names its price in the instrument's currency."""

    account = serializers.SlugRelatedField[Account](slug_field="number", queryset=Account.objects.none())
    conid = serializers.SlugRelatedField[Instrument](
        slug_field="conid", queryset=Instrument.objects.all(), source="instrument"
    )
    side = serializers.ChoiceField(choices=Side.choices)
    quantity = serializers.DecimalField(max_digits=18, decimal_places=0)
    order_type = serializers.ChoiceField(choices=OrderType.choices)
    limit_price = serializers.DecimalField(
        max_digits=18, decimal_places=8, required=False, allow_null=True, default=None, normalize_output=True
    )
    tif = serializers.ChoiceField(choices=TimeInForce.choices)
    reason = serializers.CharField(max_length=500)

    def get_fields(self) -> Any:
        fields: Any = super().get_fields()
        if (person := self.context.get("person")) is not None:  # the schema is drawn for nobody
            fields["account"].queryset = Account.objects.visible_to(person).open()
        return fields


@resource("orders")
@extend_schema_view(
    list=extend_schema(parameters=filter_parameters("status", "symbol")),
    create=extend_schema(
        request=DraftAsked, responses={201: OrderSerializer}, parameters=[KEY_PARAMETER],
        description="Draw up a draft. Nothing is sent: a person looks at its preview and sends it.",
    ),
)  # fmt: skip
class Orders(Making, ReadOnly):
    """Orders with what each account of yours was promised and what it got."""

    permission: ClassVar[Any] = {"GET": "trading.view", "HEAD": "trading.view", "POST": "trading.trade"}
    ordering = ("-created_at", "-pk")
    filters = {"status": "status", "symbol": "instrument__symbol"}
    serializer_class = OrderSerializer
    asked = DraftAsked

    def rows(self, user: User) -> Any:
        own = Account.objects.visible_to(user)
        return (
            Order.objects.visible_to(user)
            .select_related("instrument")
            .prefetch_related(
                Prefetch("allocations", OrderAllocation.objects.filter(account__in=own).select_related("account")),
                Prefetch("executions", Execution.objects.filter(account__in=own).select_related("account")),
            )
        )

    def make(self, values: dict[str, Any], *, by: User, intent: UUID) -> Order:
        made = Order.objects.filter(intent=intent).first()
        if made is None:
            return tickets.draw_up(intent=intent, by=by, **values)
        # A page may change its draft under the key of its form; a program's key stands for one thing only.
        if made.maker_id != by.pk or _ticket_of(made) != _ticket_from(values):
            raise Conflict("This key was used for another ticket. Take a new one for a further order.")
        return made


_TICKET = ("side", "quantity", "order_type", "limit_price", "tif", "reason")


def _ticket_of(order: Order) -> list[Any]:
    return [order.target_name, order.instrument_id, *(getattr(order, name) for name in _TICKET)]


def _ticket_from(values: dict[str, Any]) -> list[Any]:
    limit: Decimal | None = values["limit_price"] if values["order_type"] == OrderType.LIMIT else None
    plain = {**values, "limit_price": limit, "reason": values["reason"].strip()}
    return [values["account"].number, values["instrument"].pk, *(plain[name] for name in _TICKET)]


@resource("positions", key="")
@extend_schema_view(list=extend_schema(parameters=filter_parameters("account", "symbol")))
class Positions(ReadOnly):
    """What each account holds, as of when it was read. Figures are in the instrument's currency."""

    permission = "trading.view"
    ordering = ("-pk",)
    filters = {"account": "account__number", "symbol": "instrument__symbol"}
    serializer_class = PositionSerializer

    def rows(self, user: User) -> Any:
        return Position.objects.visible_to(user).select_related("account", "instrument")
