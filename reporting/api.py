"""Statements for programs: which are held and since when, and the newest file of each."""

from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.views import APIView

from backoffice.api.registry import act, resource
from backoffice.api.rows import Row, number
from backoffice.api.views import ReadOnly, filter_parameters
from backoffice.people.models import User
from reporting import services
from reporting.models import Report, ReportFile


class ReportSerializer(Row[Report]):
    account = number()

    class Meta:
        model = Report
        fields = ("id", "account", "kind", "granularity", "period", "state", "version", "offered_at", "fetched_at")
        read_only_fields = fields


@resource("reports")
@extend_schema_view(list=extend_schema(parameters=filter_parameters("account", "state", "period")))
class Reports(ReadOnly):
    """Statements, held or missing."""

    permission = "reporting.view"
    ordering = ("-pk",)
    filters = {"account": "account__number", "state": "state", "period": "period"}
    serializer_class = ReportSerializer

    def rows(self, user: User) -> Any:
        return Report.objects.visible_to(user).select_related("account").distinct()


@act("file", of="reports")
class NewestFile(APIView):
    """The newest version of one statement, as IBKR issued it (PDF). Every download is written down."""

    permission: ClassVar[str] = "reporting.view"
    hands_out: ClassVar[bool] = True

    @extend_schema(responses={(200, "application/pdf"): OpenApiTypes.BINARY})
    def get(self, request: Request, pk: UUID) -> HttpResponse:
        user = request.user
        assert isinstance(user, User)
        found = ReportFile.objects.filter(report__in=Report.objects.visible_to(user), report=pk)
        file = get_object_or_404(found.select_related("report__account").order_by("-version")[:1])
        response = HttpResponse(services.open_file(file, by=user), content_type="application/pdf")
        response["Content-Disposition"] = f'attachment; filename="{file.report.period}-v{file.version}.pdf"'
        response["X-Content-Type-Options"] = "nosniff"
        response["Cache-Control"] = "no-store"
        return response
