"""Model fields: text that is encrypted at rest, and money as one attribute over two columns."""

import json
from decimal import Decimal
from typing import Any

from django.db import models

from backoffice.core.crypto import blind_identifier, blind_index, blind_tail, seal, unseal
from backoffice.core.money import Money


class Sealed(str):
    """Ciphertext as it came from the database; opened only when the attribute is read."""

    __slots__ = ()


class _OpenOnRead:
    """Descriptor that decrypts on access: only here the row's key, which the ciphertext is bound to, is known."""

    def __init__(self, field: "EncryptedTextField") -> None:
        self.field = field

    def __get__(self, row: models.Model | None, owner: type[models.Model]) -> Any:
        if row is None:
            return self
        if self.field.attname not in row.__dict__:
            row.refresh_from_db(fields=[self.field.attname])
        value = row.__dict__[self.field.attname]
        if isinstance(value, Sealed):
            value = unseal(value, self.field.place(row)).decode()
            row.__dict__[self.field.attname] = value
        return value

    def __set__(self, row: models.Model, value: Any) -> None:
        row.__dict__[self.field.attname] = value


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]  # not subscriptable at run time
    """Text sealed with AES-GCM, bound to table, column and row; the row's key must be known before saving (use UUIDs).

    It can be neither filtered nor ordered by; keep a `blind_index` column beside it where exact look-up is needed.
    `QuerySet.update` and `bulk_update` refuse it, because they know no row.
    """

    def contribute_to_class(self, cls: type[models.Model], name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only)
        setattr(cls, self.attname, _OpenOnRead(self))

    def place(self, row: models.Model) -> str:
        return f"{row._meta.db_table}|{self.column}|{row.pk}"

    def from_db_value(self, value: str | None, *_args: Any) -> str | None:
        return None if value is None else Sealed(value)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        value = model_instance.__dict__[self.attname]
        if value is None or isinstance(value, Sealed):
            return value
        if model_instance.pk is None:
            raise TypeError(f"{self} needs its row's key before it can be sealed")
        return Sealed(seal(str(value).encode(), self.place(model_instance)))

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if value is not None and not isinstance(value, Sealed):
            raise TypeError(f"{self} can only be written by saving its row")
        return None if value is None else str(value)

    def get_lookup(self, lookup_name: str) -> Any:
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None


class BlindIndexField(models.CharField):  # type: ignore[type-arg]  # not subscriptable at run time
    """The blind index of an encrypted field beside it, kept by saving: of all of it, of its letters and digits
    (`is_identifier`), or of its last four (`is_tail`).

    A save with `update_fields` must name both. Exact look-up only: `filter(tax_number_index=blind_identifier(typed))`.
    """

    def __init__(self, *args: Any, of: str, is_tail: bool = False, is_identifier: bool = False, **options: Any) -> None:
        self.of, self.is_tail, self.is_identifier = of, is_tail, is_identifier
        super().__init__(*args, **{"max_length": 64, "blank": True, "default": "", "db_index": True, **options})

    def deconstruct(self) -> Any:
        name, path, args, options = super().deconstruct()
        how = {"is_tail": self.is_tail} | ({"is_identifier": True} if self.is_identifier else {})
        return name, path, args, {**options, "of": self.of, **how}

    def made_of(self, plain: str) -> str:
        """Return the index of a value; empty for an empty one."""
        if not plain:
            return ""
        return (blind_tail if self.is_tail else blind_identifier if self.is_identifier else blind_index)(plain)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        plain = model_instance.__dict__.get(self.of)
        if plain is None or isinstance(plain, Sealed):  # not read, so not changed
            return getattr(model_instance, self.attname)
        made = self.made_of(str(plain))
        setattr(model_instance, self.attname, made)
        return made


class DecimalEncoder(json.JSONEncoder):
    """JSON for stored facts: Decimals as text, instants as ISO 8601; nothing passes through binary floating point."""

    def default(self, o: Any) -> Any:
        if isinstance(o, Decimal):
            return f"{o:f}"
        if hasattr(o, "isoformat"):
            return o.isoformat()
        return super().default(o)


class MoneyAttribute:
    """Read and write two columns as one Money: `money = MoneyAttribute("amount", "currency")`."""

    def __init__(self, amount: str, currency: str) -> None:
        self.amount = amount
        self.currency = currency

    def __get__(self, row: Any, owner: type) -> Money:
        return Money(getattr(row, self.amount), getattr(row, self.currency))

    def __set__(self, row: Any, money: Money) -> None:
        setattr(row, self.amount, money.amount)
        setattr(row, self.currency, money.currency)


def amount_field(**options: Any) -> "models.DecimalField[Any, Any]":
    """A NUMERIC(28, 10) column for money, prices or quantities."""
    return models.DecimalField(max_digits=28, decimal_places=10, **options)


def currency_field(**options: Any) -> "models.CharField[Any, Any]":
    """A three-letter currency column; pair it with a check constraint from `is_currency`."""
    return models.CharField(max_length=3, **options)


def is_currency(column: str, name: str) -> models.CheckConstraint:
    """The constraint that a currency column holds three capital letters."""
    return models.CheckConstraint(condition=models.Q(**{f"{column}__regex": "^[A-Z]{3}$"}), name=name)
