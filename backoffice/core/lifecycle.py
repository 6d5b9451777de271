"""Lifecycles: one table of allowed moves beside each model, moved by compare-and-set.

Of two workers that move the same row one wins and the other is told. A repeated observation changes nothing.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import models, transaction

from backoffice.core import clock
from backoffice.core.errors import Conflict
from backoffice.core.models import StatusEvent


class Lifecycle:
    """The allowed moves of one status column: `Lifecycle({REQUESTED: {SUBMITTED, REJECTED}})`.

    A state without moves is final.
    """

    def __init__(self, moves: Mapping[str, Iterable[str]], column: str = "status") -> None:
        self.moves = {str(old): frozenset(map(str, new)) for old, new in moves.items()}
        self.column = column

    def is_final(self, status: str) -> bool:
        """Tell whether nothing can follow `status`."""
        return not self.moves.get(status)

    def allows(self, old: str, new: str) -> bool:
        return new in self.moves.get(old, frozenset())

    def move(
        self,
        row: models.Model,
        *,
        to: str,
        because: str,
        by: Any = None,
        as_of: datetime | None = None,
        given: Any = None,  # a mapping; Any because callers hand on `changes` as a dict
        **changes: Any,
    ) -> bool:
        """Move `row` to `to` and write the event; True if this call moved it, False if it was there already.

        `changes` are columns set in the same UPDATE; `given` are columns that must still hold these values, for a row that
        may have come round to the same state again. Raises Conflict when the table forbids the move or another worker
        moved the row since it was read.
        """
        old = str(getattr(row, self.column))
        new = str(to)
        if old == new:
            return False
        if not self.allows(old, new):
            raise Conflict(f"{row._meta.verbose_name} cannot go from {old} to {new}")
        with transaction.atomic():
            # `save(update_fields)` would not compare; a filtered UPDATE lets the database pick the winner.
            moved = (
                type(row)
                ._default_manager.filter(pk=row.pk, **{self.column: old}, **(given or {}))
                .update(**{self.column: new}, **changes)
            )
            if not moved:
                raise Conflict(f"{row._meta.verbose_name} was moved by someone else meanwhile")
            StatusEvent.objects.create(
                subject_model=row._meta.label_lower,
                subject_id=str(row.pk),
                old=old,
                new=new,
                because=because,
                actor=by,
                at=clock.now(),
                as_of=as_of,
            )
        for column, value in {self.column: new, **changes}.items():
            setattr(row, column, value)
        return True


def history(row: models.Model) -> "models.QuerySet[StatusEvent]":
    """Return the moves of one row, newest first."""
    return StatusEvent.objects.filter(subject_model=row._meta.label_lower, subject_id=str(row.pk)).select_related(
        "actor"
    )
