"""What the log says of troubles that come again and again: one line each, in words, instead of a traceback for every time.

While the database is away each task fails every few seconds and each page on every look. Of the tasks, and of the pool's
own lines, the first is written and then the end of the outage; of the pages one line each, for it has its address.
"""

import logging
import time
from typing import Any

from django.db import InterfaceError, OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

log = logging.getLogger(__name__)

# Classes of PostgreSQL's codes that mean "not there", not "not this statement": connection, shut down or starting.
_AWAY = ("08", "57P")
_PAGES = "django.request"
_TASKS = "celery.app.trace"
_POOL = "psycopg.pool"


class OneLine(logging.Filter):
    """Takes the traceback off: the line says all there is to say, and strangers can cause as many as they like."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.exc_info = record.exc_text = None
        return True


class OncePerOutage(logging.Filter):
    """Lets each line about an absent database through once, without its traceback; other lines pass as they are."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if record.name == _PAGES and is_absence(error):
            _outage.begin()
            record.exc_info = record.exc_text = None
            record.msg, record.args = f"{record.getMessage()}: the database does not answer", ()
        elif record.name == _TASKS and is_absence(error):
            record.exc_info = record.exc_text = None
            record.msg = (
                f"the database does not answer, so tasks fail and are rung again until it does: {_first_line(error)}"
            )
            record.args = ()
            return _outage.is_news(record.msg)
        elif record.name == _POOL and record.getMessage().startswith("error connecting"):
            return _outage.is_news(record.getMessage())
        return True


class _Outage:
    """How long the database has been away for this process, and what was said of it."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._said: set[str] = set()

    def begin(self) -> None:
        if self._since is None:
            self._since = time.monotonic()

    def is_news(self, line: str) -> bool:
        self.begin()
        is_new = line not in self._said
        self._said.add(line)
        return is_new

    def end(self, connection: BaseDatabaseWrapper) -> None:
        """Say that it is over, if this connection really answers: a pool may give out one that died meanwhile."""
        if self._since is None:
            return
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        since, self._since = self._since, None
        self._said.clear()
        if since is not None:  # another thread may have said it a moment ago
            log.warning("the database answers again, after %d s", time.monotonic() - since)


_outage = _Outage()


def is_absence(error: BaseException | None) -> bool:
    """Return whether the database is away, rather than unwilling: a lock or a statement that took too long is neither."""
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    code = getattr(error.__cause__, "sqlstate", None)
    return code is None or code.startswith(_AWAY)


def connect() -> None:
    """Hear of each connection that is made, so that the end of an outage is said."""
    connection_created.connect(_connected, dispatch_uid="core.logs")


def _connected(connection: BaseDatabaseWrapper, **_: Any) -> None:
    _outage.end(connection)


def _first_line(error: BaseException | None) -> str:
    return str(error).strip().partition("\n")[0]
