"""Writes: a key that makes each of them once, and no field that is not the caller's to set."""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from backoffice.api.errors import Unprocessable, problem
from backoffice.people.models import User

KEY = "Idempotency-Key"
KEY_PARAMETER = OpenApiParameter(
    KEY, OpenApiTypes.UUID, OpenApiParameter.HEADER, required=True,
    description="A UUID of your own for this one act. Sent again, it finds what it made; with other values it is refused.",
)  # fmt: skip


class Strict(serializers.Serializer[Any]):
    """What a caller may send, and nothing else: a field that is not listed is refused, never ignored."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping) and (beyond := [str(name) for name in data if name not in self.fields]):
            known = ", ".join(sorted(self.fields))
            raise Unprocessable(
                [problem(name, "This cannot be set.", f"What can: {known}.") for name in sorted(beyond)]
            )
        return super().to_internal_value(data)


class Making:
    """For a view set: POST makes one thing. A subclass says `asked` (a Strict; its context has the `person`) and `make`.

    201 with the thing, and the same answer when the key comes again with the same values.
    """

    asked: ClassVar[type[Strict]]

    def make(self, values: dict[str, Any], *, by: User, intent: UUID) -> Any:
        """Return the row. `intent` is the caller's key; the service holds that it makes one thing."""
        raise NotImplementedError

    def create(self, request: Request) -> Response:
        """Make it."""
        intent = _key(request)
        user = request.user
        assert isinstance(user, User)  # HasPermission let it in
        asked = self.asked(data=request.data, context={"person": user})
        asked.is_valid(raise_exception=True)
        made = self.make(dict(asked.validated_data), by=user, intent=intent)
        shown: Any = self
        return Response(shown.get_serializer(shown.get_queryset().get(pk=made.pk)).data, status=201)


def _key(request: Request) -> UUID:
    try:
        return UUID(request.headers.get(KEY, ""))
    except ValueError as error:
        fix = "Send a new UUID for each new act, and the same one when you repeat it."
        raise Unprocessable([problem(KEY, "This header is missing or is not a UUID.", fix)]) from error
