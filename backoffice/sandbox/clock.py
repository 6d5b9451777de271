"""Virtual time: the wall clock plus an offset that tests move, or an instant at which tests have stopped it.

Both survive a restart. A stopped clock moves only when it is told to, so that two runs of one seed see the same instants.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from .store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS clock (id INTEGER PRIMARY KEY CHECK (id = 1), offset_seconds INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS clock_stopped (id INTEGER PRIMARY KEY CHECK (id = 1), at TEXT NOT NULL)
"""
NEW_YORK = ZoneInfo("America/New_York")


class Clock:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._offset: int | None = None
        self._stopped_at: datetime | None = None
        self._back_then: tuple[datetime, datetime] | None = None

    @property
    def offset_seconds(self) -> int:
        """How far the virtual clock is ahead of the wall."""
        self._read()
        return (
            self._offset or 0 if self._stopped_at is None else round((self._stopped_at - self.wall()).total_seconds())
        )

    @property
    def is_stopped(self) -> bool:
        self._read()
        return self._stopped_at is not None

    def now(self) -> datetime:
        """Aware UTC, virtual."""
        if self._back_then is not None:
            return self._back_then[0]
        self._read()
        return self._stopped_at or datetime.now(UTC) + timedelta(seconds=self._offset or 0)

    def wall(self) -> datetime:
        """Aware UTC, real: tokens and signatures are judged by it."""
        return datetime.now(UTC) if self._back_then is None else self._back_then[1]

    def advance(self, seconds: int) -> None:
        self._read()
        if self._stopped_at is not None:
            self.stop(self._stopped_at + timedelta(seconds=seconds))
        else:
            self.set_offset(self.offset_seconds + seconds)

    def set_offset(self, seconds: int) -> None:
        """Run again, this far ahead of the wall."""
        self._store.execute("DELETE FROM clock_stopped")
        self._store.execute(
            "INSERT INTO clock VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET offset_seconds = excluded.offset_seconds",
            seconds,
        )
        self.forget()

    def stop(self, at: datetime) -> None:
        """Stand still at this instant."""
        self._store.execute(
            "INSERT INTO clock_stopped VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET at = excluded.at", stamp(at)
        )
        self.forget()

    def run(self) -> None:
        """Run on from where the clock stands."""
        if self.is_stopped:
            self.set_offset(self.offset_seconds)

    @contextmanager
    def as_of(self, virtual: datetime, wall: datetime) -> Iterator[None]:
        """Take both clocks back to an instant: what falls due between two requests happens when it was due."""
        self._back_then = (virtual, wall)
        try:
            yield
        finally:
            self._back_then = None

    def forget(self) -> None:
        """Read the store again before the next answer: it was wiped or rolled back."""
        self._offset = self._stopped_at = None

    def _read(self) -> None:
        if self._offset is None:
            self._offset = int(self._store.value("SELECT offset_seconds FROM clock WHERE id = 1") or 0)
            stopped = self._store.value("SELECT at FROM clock_stopped WHERE id = 1")
            self._stopped_at = None if stopped is None else moment(stopped)


def stamp(moment: datetime) -> str:
    """The form in which every table keeps an instant: fixed-width UTC ISO 8601, so that text order is time order."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
