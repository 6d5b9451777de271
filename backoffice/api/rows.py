"""How rows are written: amounts as exact text without idle zeros, accounts by their number."""

from typing import Any, ClassVar, TypeVar

from django.db import models
from rest_framework import serializers

RowT = TypeVar("RowT", bound=models.Model)


class Exact(serializers.DecimalField):
    """A Decimal as text: "1250", "0.3333333333"."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "normalize_output": True})


class Row(serializers.ModelSerializer[RowT]):
    """A row of the database, to read."""

    serializer_field_mapping: ClassVar[dict[Any, Any]] = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.DecimalField: Exact,
    }


def number() -> serializers.SlugRelatedField[Any]:
    """An account, by its number at IBKR."""
    return serializers.SlugRelatedField(slug_field="number", read_only=True)
