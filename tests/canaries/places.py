"""Where something secret could come to light, and how each place is read whole."""

import base64
import io
import logging
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import connection
from redis import Redis


class LogBook(logging.Handler):
    """Everything any logger says, at every level, with its arguments and tracebacks."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{self.format(record)} {record.args!r}")


def broker() -> str:
    """Every message and key of the broker's corner these tests use; a message's body is read out of its base64."""
    store = Redis.from_url(settings.CELERY_BROKER_URL)
    found: list[bytes] = []
    for key in store.keys("*"):
        found.append(key)
        match store.type(key):
            case b"list":
                found += store.lrange(key, 0, -1)
            case b"hash":
                found += [part for pair in store.hgetall(key).items() for part in pair]
            case b"string":
                found.append(store.get(key) or b"")
            case b"set":
                found += store.smembers(key)
            case b"zset":
                found += store.zrange(key, 0, -1)
    store.close()
    text = b"\n".join(found).decode(errors="replace")
    bodies = (
        base64.b64decode(body).decode(errors="replace") for body in re.findall(r'"body": "([A-Za-z0-9+/=]+)"', text)
    )
    return "\n".join([text, *bodies])


def cache() -> str:
    """The values of the cache's table, out of their base64."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT cache_key, value FROM cache")
        rows = cursor.fetchall()
    return "\n".join(f"{key} {base64.b64decode(value).decode('latin-1')}" for key, value in rows)


def tables() -> Iterator[tuple[str, str]]:
    """Each column of each table that can hold text or bytes, as (table.column, everything in it)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'"
            " AND data_type IN ('text', 'character varying', 'json', 'jsonb', 'bytea', 'ARRAY')"
        )
        for table, column, kind in cursor.fetchall():
            shown = f"encode(\"{column}\", 'escape')" if kind == "bytea" else f'"{column}"::text'
            cursor.execute(f"SELECT string_agg({shown}, E'\\n') FROM \"{table}\"")
            yield f"{table}.{column}", cursor.fetchone()[0] or ""


def hits(canaries: Mapping[str, str], text: str) -> set[str]:
    """The kinds whose canary stands in a text: as it is, as JSON or HTML or an address would write it, or as base64."""
    return {kind for kind, canary in canaries.items() if any(form in text for form in forms_of(canary))}


def forms_of(canary: str) -> set[str]:
    from html import escape
    from json import dumps
    from urllib.parse import quote, quote_plus

    raw = canary.encode()
    encoded = base64.b64encode(raw).decode().rstrip("=")[: len(raw) * 4 // 3 - 2]
    return {canary, escape(canary), dumps(canary)[1:-1], quote(canary), quote_plus(canary), encoded}


def ring(*arguments: Any) -> None:
    """Put a message with these arguments on a lane, as a doorbell does."""
    current_app.send_task("journal.beat_heart", args=list(arguments), queue="accounts")


def pages(browser: Any, addresses: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each page as (address, its text and headers); the files of a ZIP are read out of it."""
    for address in addresses:
        answer = browser.get(address)
        assert answer.status_code == 200, (address, answer.status_code)
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content
        if answer.headers["Content-Type"] == "application/zip":
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                content = b"\n".join(archive.read(name) for name in archive.namelist())
        yield address, f"{answer.headers}\n{content.decode(errors='replace')}"
