"""Changing the key of everything that is encrypted, while people work.

Put the new key in front of FIELD_KEYS, restart, run `manage.py reseal`, and when it says that nothing is left under the old
one, take it out. Each value is written back only if it still is what was read, so whoever saved in between wins, and what
they saved is under the new key already. An interrupted run goes on where it was: what is current is passed over.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connection, models

from backoffice.core.crypto import Undecipherable, is_current, reseal, unseal
from backoffice.core.fields import BlindIndexField, EncryptedTextField


@dataclass
class Tally:
    """What one place holds: how many values were sealed anew, and which could not be opened (never what they say)."""

    place: str
    resealed: int = 0
    unreadable: int = 0


# What is sealed outside a model's field: files, other libraries' tables. Each app hangs its own here.
others: list[Callable[[], Tally]] = []


def everything(batch: int = 500) -> Iterator[Tally]:
    """Seal every value anew that is not under the current key, one place after the other."""
    for model in apps.get_models():
        for field in model._meta.local_fields:
            if isinstance(field, EncryptedTextField):
                yield _column(model, str(field.column), batch)
    for other in others:
        yield other()


def _column(model: type[models.Model], column: str, batch: int) -> Tally:
    tally = Tally(f"{model._meta.db_table}.{column}")
    for key, sealed in _values(model, column, batch):
        if is_current(sealed):
            continue
        try:
            anew = reseal(sealed, f"{model._meta.db_table}|{column}|{key}")
        except Undecipherable:
            tally.unreadable += 1
            continue
        tally.resealed += _replace(model, column, key, sealed, anew)
    return tally


def indexes(batch: int = 500) -> Iterator[Tally]:
    """Make every blind index anew, after BLIND_INDEX_KEY has changed."""
    for model in apps.get_models():
        for index in model._meta.local_fields:
            if isinstance(index, BlindIndexField):
                yield _index(model, index, batch)


def _index(model: type[models.Model], index: BlindIndexField, batch: int) -> Tally:
    tally = Tally(f"{model._meta.db_table}.{index.column}")
    table, column = model._meta.db_table, str(index.column)
    source = str(next(field.column for field in model._meta.local_fields if field.name == index.of))
    for key, sealed in _values(model, source, batch):
        try:
            plain = unseal(sealed, f"{table}|{source}|{key}").decode()
        except Undecipherable:
            tally.unreadable += 1
            continue
        made = index.made_of(plain)
        with connection.cursor() as cursor:  # only while the value it is made from is still there
            cursor.execute(
                f"UPDATE {_quoted(table)} SET {_quoted(column)} = %s "  # noqa: S608 - our own names
                f"WHERE {_key_column(model)} = %s AND {_quoted(source)} = %s AND {_quoted(column)} <> %s",
                [made, key, sealed, made],
            )
            tally.resealed += cursor.rowcount
    return tally


def _values(model: type[models.Model], column: str, batch: int) -> Iterator[tuple[Any, str]]:
    """Yield (key, sealed value) of every row that has one, by key, in pages: no long transaction, no long lock."""
    table, key = _quoted(model._meta.db_table), _key_column(model)
    last: Any = None
    while True:
        beyond, values = (f"AND {key} > %s", [last]) if last is not None else ("", [])
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {key}, {_quoted(column)} FROM {table} WHERE {_quoted(column)} IS NOT NULL {beyond} "  # noqa: S608
                f"ORDER BY {key} LIMIT {int(batch)}",
                values,
            )
            rows = cursor.fetchall()
        yield from rows
        if len(rows) < batch:
            return
        last = rows[-1][0]


def _replace(model: type[models.Model], column: str, key: Any, old: str, new: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {_quoted(model._meta.db_table)} SET {_quoted(column)} = %s "  # noqa: S608 - our own names
            f"WHERE {_key_column(model)} = %s AND {_quoted(column)} = %s",
            [new, key, old],
        )
        return int(cursor.rowcount)


def _key_column(model: type[models.Model]) -> str:
    key = model._meta.pk
    assert key is not None
    return _quoted(str(key.column))


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)
