"""Clients, accounts, applications and maintenance for programs. Nothing personal beyond a name leaves here."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view

from backoffice.api.registry import resource
from backoffice.api.rows import Row, number
from backoffice.api.views import ReadOnly, filter_parameters
from backoffice.people.models import User
from clients.models import Account, Application, Client, MaintenanceRequest


class ClientSerializer(Row[Client]):
    class Meta:
        model = Client
        fields = ("id", "first_name", "last_name", "country", "book", "household", "created_at")
        read_only_fields = fields


class AccountSerializer(Row[Account]):
    class Meta:
        model = Account
        fields = ("id", "number", "client", "base_currency", "alias", "ibkr_status", "status_as_of", "opened_on")
        read_only_fields = fields


class ApplicationSerializer(Row[Application]):
    account = number()

    class Meta:
        model = Application
        fields = ("id", "book", "client", "account", "status", "stage", "stage_since", "ibkr_status", "polled_at",
                  "created_at", "submitted_at", "ended_at")  # fmt: skip
        read_only_fields = fields


class MaintenanceSerializer(Row[MaintenanceRequest]):
    account = number()

    class Meta:
        model = MaintenanceRequest
        fields = ("id", "account", "kind", "status", "requested_by", "requested_at", "checked_at", "ended_at")
        read_only_fields = fields


@resource("clients")
@extend_schema_view(list=extend_schema(parameters=filter_parameters("country")))
class Clients(ReadOnly):
    """Clients by name; what is personal beyond it is shown on the pages only. Whom a page names is written down."""

    permission = "clients.view"
    names_people = True
    ordering = ("-created_at", "-pk")
    filters = {"country": "country"}
    serializer_class = ClientSerializer

    def rows(self, user: User) -> Any:
        return Client.objects.visible_to(user).distinct()


@resource("accounts")
@extend_schema_view(list=extend_schema(parameters=filter_parameters("number", "ibkr_status")))
class Accounts(ReadOnly):
    """Accounts with IBKR's status and when it was read."""

    permission = "clients.view"
    ordering = ("-pk",)
    filters = {"number": "number", "ibkr_status": "ibkr_status"}
    serializer_class = AccountSerializer

    def rows(self, user: User) -> Any:
        return Account.objects.visible_to(user).distinct()


@resource("applications")
@extend_schema_view(list=extend_schema(parameters=filter_parameters("status", "stage")))
class Applications(ReadOnly):
    """Applications and how far they are."""

    permission = "clients.view"
    ordering = ("-created_at", "-pk")
    filters = {"status": "status", "stage": "stage"}
    serializer_class = ApplicationSerializer

    def rows(self, user: User) -> Any:
        return Application.objects.visible_to(user).select_related("account").distinct()


@resource("maintenance")
@extend_schema_view(list=extend_schema(parameters=filter_parameters("account", "status")))
class Maintenance(ReadOnly):
    """Changes asked of IBKR and what became of them, without the values changed."""

    permission = "clients.view"
    ordering = ("-requested_at", "-pk")
    filters = {"account": "account__number", "status": "status"}
    serializer_class = MaintenanceSerializer

    def rows(self, user: User) -> Any:
        return MaintenanceRequest.objects.visible_to(user).select_related("account").distinct()
