"""Virtual time: the wall clock plus an offset that tests move and that survives a restart."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from .store import Store

SCHEMA = "CREATE TABLE IF NOT EXISTS clock (id INTEGER PRIMARY KEY CHECK (id = 1), offset_seconds INTEGER NOT NULL)"
NEW_YORK = ZoneInfo("America/New_York")


class Clock:
    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def offset_seconds(self) -> int:
        return int(self._store.value("SELECT offset_seconds FROM clock WHERE id = 1") or 0)

    def now(self) -> datetime:
        """Aware UTC, virtual."""
        return self.wall() + timedelta(seconds=self.offset_seconds)

    def wall(self) -> datetime:
        """Aware UTC, real: tokens and signatures are judged by it."""
        return datetime.now(UTC)

    def advance(self, seconds: int) -> None:
        self.set_offset(self.offset_seconds + seconds)

    def set_offset(self, seconds: int) -> None:
        self._store.execute(
            "INSERT INTO clock VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET offset_seconds = excluded.offset_seconds",
            seconds,
        )


def stamp(moment: datetime) -> str:
    """The form in which every table keeps an instant: fixed-width UTC ISO 8601, so that text order is time order."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
