"""Reading the whole chain again and naming the first row that is not as it was.

The chain is streamed in batches by position and hashed here: the keys never enter the database, and Python's HMAC costs
about as much as fetching the row. The rows are read by plain SQL, one statement a batch, so that a long check holds no
transaction open.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.db import connection

from backoffice.audit import anchors, canonical, disclosures, keys, ledgers, reading, sealing
from backoffice.audit.models import Verification
from backoffice.core import clock

BATCH = 20_000
_CHAIN = (
    f"SELECT s.position, s.entry_id, s.key_id, s.seal, {reading.COLUMNS}"  # noqa: S608 - our own columns
    " FROM audit_seal s LEFT JOIN audit_entry e ON e.id = s.entry_id"
    " WHERE s.position > %s ORDER BY s.position LIMIT %s"
)
_LOOSE = (
    f"SELECT {reading.COLUMNS} FROM audit_entry e"  # noqa: S608 - our own columns
    " WHERE e.id > %s AND NOT EXISTS (SELECT 1 FROM audit_seal s WHERE s.entry_id = e.id) ORDER BY e.id LIMIT %s"
)
# Said when not even the first row is right: a key that was changed looks like that, and tampering hardly ever does.
_ANOTHER_KEY = (
    "Nothing of the chain opens, so the key may be another one: if BLIND_INDEX_KEY was changed while AUDIT_KEYS was left out, "
    "set it back, run manage.py verify_audit --derived-key, and put what it prints into AUDIT_KEYS before you change it again."
)
_SHOWN = "the people whose data it let out are not those it was recorded with"


@dataclass(frozen=True, slots=True)
class Problem:
    """The first thing wrong. `position` is the place in the chain, `entry` the entry's number; None where there is none."""

    what: str
    position: int | None = None
    entry: int | None = None

    def __str__(self) -> str:
        where = ", ".join(
            f"{word} {number}" for word, number in (("position", self.position), ("entry", self.entry)) if number
        )
        return f"{where}: {self.what}" if where else self.what


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found. `unsealed` entries have a right mac and wait for their place; `anchored` is the newest anchor's count."""

    checked: int
    head: str
    unsealed: int
    anchors: int
    anchored: int
    milliseconds: int
    problem: Problem | None = None
    hint: str = ""

    @property
    def is_whole(self) -> bool:
        return self.problem is None


def verify(*, anchor_files: Iterable[Path] = (), progress: Callable[[int], None] = lambda _: None) -> Report:
    """Check every entry, every seal, and every anchor of our own file and of `anchor_files`.

    Stops at the first row that is wrong. `progress` hears after each batch how many rows were checked.
    """
    began = time.monotonic_ns()
    known = sorted(
        (each for source in {anchors.path(), *anchor_files} for each in anchors.read(source)),
        key=lambda each: (each.count, each.at),
    )
    walk = _Walk()
    problem = (
        next((Problem(f"the anchor of {each.at:%Y-%m-%d %H:%M:%S} UTC: {each.problem}") for each in known if each.problem), None)
        or walk.chain(known, progress)
        or walk.loose_ends()
        or _ledgers()
    )  # fmt: skip
    return Report(
        checked=walk.checked,
        head=walk.previous,
        unsealed=walk.unsealed,
        anchors=len(known),
        anchored=known[-1].count if known else 0,
        milliseconds=(time.monotonic_ns() - began) // 1_000_000,
        problem=problem,
        hint=_ANOTHER_KEY if problem is not None and not walk.checked and keys.is_derived() else "",
    )


class _Walk:
    """One pass over the chain: where it is and what the last seal was."""

    def __init__(self) -> None:
        self.checked = 0
        self.previous = canonical.GENESIS
        self.unsealed = 0

    def chain(self, known: list[anchors.Anchor], progress: Callable[[int], None]) -> Problem | None:
        due = iter(known)
        anchor = next(due, None)
        while anchor is not None and anchor.count == 0:
            anchor = next(due, None)
        for batch in self._batches():
            shown = disclosures.named_by([values[1] for values in batch])
            for values in batch:
                if (problem := self._step(values, shown.get(values[1], []))) is not None:
                    return problem
                while anchor is not None and anchor.count == self.checked:
                    if anchor.head != self.previous:
                        return Problem(
                            f"the chain was rewritten: the anchor of {anchor.at:%Y-%m-%d %H:%M:%S} UTC knows another"
                            " row here", self.checked, values[1],
                        )  # fmt: skip
                    anchor = next(due, None)
            progress(self.checked)
        if anchor is not None:
            last = max((each for each in known), key=lambda each: each.count)
            return Problem(
                f"the end of the chain was cut off: the anchor of {last.at:%Y-%m-%d %H:%M:%S} UTC counts {last.count}"
                f" entries, {self.checked} are here", self.checked + 1,
            )  # fmt: skip
        return None

    def _batches(self) -> Iterator[list[tuple[Any, ...]]]:
        while True:
            with connection.cursor() as cursor:
                cursor.execute(_CHAIN, [self.checked, BATCH])
                batch = cursor.fetchall()
            if not batch:
                return
            yield batch

    def _step(self, values: tuple[Any, ...], shown: disclosures.Named) -> Problem | None:
        position, entry_id, key_id, seal = values[:4]
        if position != self.checked + 1:
            return Problem(f"the row is gone; position {position} follows", self.checked + 1)
        if values[4] is None:
            return Problem("the entry is gone, its seal is still there", position, entry_id)
        row = reading.row(values[4:])
        try:
            if canonical.mac(row.content, row.key_id) != row.mac:
                return Problem("its content is not what was recorded", position, entry_id)
            if not disclosures.are_those_of(row, shown):
                return Problem(_SHOWN, position, entry_id)
            if canonical.seal(position, self.previous, entry_id, row.mac, key_id) != seal:
                return Problem("its seal does not follow from the row before it", position, entry_id)
        except keys.UnknownKey as error:
            return Problem(f"it names the key {error}, which is not in AUDIT_KEYS", position, entry_id)
        except ValueError as error:
            return Problem(f"its content cannot be read: {error}", position, entry_id)
        self.checked, self.previous = position, seal
        return None

    def loose_ends(self) -> Problem | None:
        """Entries without a place in the chain: just recorded, or not recorded by the product at all."""
        last_id, oldest = 0, canonical.microseconds(sealing.looked_at_since())
        while True:
            with connection.cursor() as cursor:
                cursor.execute(_LOOSE, [last_id, BATCH])
                batch = [reading.row(values) for values in cursor.fetchall()]
            shown = disclosures.named_by([row.content.id for row in batch])
            for row in batch:
                if not row.is_genuine:
                    return Problem("it was not written by the product", entry=row.content.id)
                if not disclosures.are_those_of(row, shown.get(row.content.id, [])):
                    return Problem(_SHOWN, entry=row.content.id)
                if row.content.at < oldest:
                    return Problem("it has lost its place in the chain", entry=row.content.id)
            self.unsealed += len(batch)
            if len(batch) < BATCH:
                return None
            last_id = batch[-1].content.id


def _ledgers() -> Problem | None:
    """What was said to and by IBKR, and every change of state, run by run against the chain's own digests of it."""
    for ledger in ledgers.ALL:
        if (found := ledger.broken()) is not None:
            entry, what = found
            return Problem(what, entry.seal.position if entry.is_sealed else None, entry.pk)
    return None


def run(verification_pk: str) -> None:
    """Run one check that a person asked for, and keep its row up to date. Harmless when rung twice."""
    waiting, running = Verification.State.WAITING, Verification.State.RUNNING
    total = sealing.head().count
    if not Verification.objects.filter(pk=verification_pk, state=waiting).update(state=running, total=total):
        return
    mine = Verification.objects.filter(pk=verification_pk)

    def note(checked: int) -> None:
        mine.update(checked=checked)

    report = verify(progress=note)
    mine.update(
        state=Verification.State.WHOLE if report.is_whole else Verification.State.BROKEN,
        checked=report.checked,
        report=asdict(report) | {"problem": f"{report.problem}. {report.hint}".rstrip(". ") if report.problem else ""},
        finished_at=clock.now(),
    )
