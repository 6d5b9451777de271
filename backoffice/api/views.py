"""What every resource is made of, and the page that explains them."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import ReadOnlyModelViewSet

from backoffice.api.errors import Unprocessable, problem
from backoffice.audit import disclosures
from backoffice.audit import services as audit
from backoffice.people.models import User
from backoffice.people.policy import requires

_ALWAYS = {"cursor", "page_size"}
_LONGEST = 100


class ByKey(CursorPagination):
    """Pages that neither skip nor repeat when rows arrive. A key that we did not give out is not found."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        self.ordering = view.ordering
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValueError, OverflowError, ValidationError) as error:
            raise NotFound("There is no such page.") from error

    def get_ordering(self, request: Request, queryset: Any, view: Any) -> Any:
        return view.ordering


class ReadOnly(ReadOnlyModelViewSet[Any]):
    """Rows of one kind, to read.

    permission: as in the policy, one for all methods or one for each. ordering: columns that are never null, the last
    one unique. filters: what may be asked for, each with the lookup that it is compared by. A subclass says `rows`.
    """

    permission: ClassVar[str | dict[str, str]]
    pagination_class = ByKey
    ordering: ClassVar[tuple[str, ...]] = ("-pk",)
    filters: ClassVar[Mapping[str, str]] = {}
    names_people: ClassVar[bool] = False  # a row is a client, by name

    def rows(self, user: User) -> "QuerySet[Any]":
        """Return what the person may see, with all that the serializer reads."""
        raise NotImplementedError

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One page. Where its rows are people, it is written down whom it names, within the hour's share."""
        return self._told(super().list(request, *args, **kwargs))

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One row, written down as a page of one is."""
        return self._told(super().retrieve(request, *args, **kwargs))

    def _told(self, answer: Response) -> Response:
        if self.names_people:
            model: Any = self.get_serializer_class().Meta.model  # type: ignore[attr-defined]
            keys = [row["id"] for row in answer.data.get("results", [answer.data])]
            disclosures.let_out(
                "api.read", by=self.request.user, disclosed=[model(pk=key) for key in keys], filters=self._filters_told(),
                summary=f"{len(keys)} {model._meta.verbose_name_plural} read by program",
            )  # fmt: skip
        return answer

    def _filters_told(self) -> dict[str, str]:
        asked = self.request.query_params
        return audit.asked({name: asked[name] for name in self.filters if name in asked})

    def get_queryset(self) -> "QuerySet[Any]":
        user = self.request.user
        assert isinstance(user, User)  # HasPermission let it in
        found = self.rows(user)
        return found.filter(**self._asked()) if self.action == "list" else found

    def _asked(self) -> dict[str, str]:
        asked = self.request.query_params
        known = _ALWAYS | set(self.filters)
        wrong = [problem(name, "There is no such filter.", f"Known: {_known(known)}.") for name in set(asked) - known]
        wrong += [
            problem(name, f"At most {_LONGEST} characters, none of them NUL.", "Give the value as a list shows it.")
            for name in set(asked) & set(self.filters)
            if len(asked[name]) > _LONGEST or "\0" in asked[name]
        ]
        if wrong:
            raise Unprocessable(sorted(wrong, key=lambda each: each["field"]))
        return {lookup: asked[name] for name, lookup in self.filters.items() if name in asked}


def _known(names: set[str]) -> str:
    return ", ".join(sorted(names))


def filter_parameters(*names: str) -> list[OpenApiParameter]:
    """Describe filters for the schema."""
    return [OpenApiParameter(name, OpenApiTypes.STR, description="Exactly this value") for name in names]


class BearerToken(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the description names a token; the library finds this class by itself."""

    target_class = "backoffice.people.tokens.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}


@extend_schema(exclude=True)
class Schema(APIView):
    """The description of the API: OpenAPI 3, as JSON."""

    permission = "home.view_today"

    def get(self, request: Request) -> Response:
        return Response(describe())


def describe() -> Any:
    """Return the OpenAPI description of the whole API."""
    generator: Any = SchemaGenerator  # untyped there
    return generator().get_schema(request=None, public=True)


@require_safe
@requires("home.view_today")
def docs(request: HttpRequest) -> HttpResponse:
    """Draw the description as a page: no script, nothing from elsewhere."""
    addresses = [
        {
            "title": f"{method.upper()} {path}",
            "what": operation.get("description", ""),
            "asked": [each for each in operation.get("parameters", []) if each["in"] != "path"],
        }
        for path, operations in describe()["paths"].items()
        for method, operation in operations.items()
    ]
    context = {
        "addresses": addresses,
        "origin": f"{request.scheme}://{request.get_host()}",
        "calls_per_minute": settings.API_CALLS_PER_MINUTE,
    }
    return render(request, "api/docs.html", context)
