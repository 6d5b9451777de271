"""Writing audit entries, and the digests that stand for an object's state."""

import json
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from ipaddress import ip_address
from typing import Any

from django.db import connection, models, transaction

from backoffice.audit import canonical, keys
from backoffice.audit.models import Disclosure, Entry
from backoffice.core import clock
from backoffice.core.fields import DecimalEncoder


@dataclass
class Origin:
    """Where the present request or task came from, and how many entries it has caused so far."""

    address: str | None = None
    correlation: str = ""
    recorded: int = 0


origin: ContextVar[Origin | None] = ContextVar("origin", default=None)


@dataclass(frozen=True)
class Standing:
    """A row an act is about to change beside its object, and its digest before; an empty one for a row that is made."""

    row: models.Model
    before: str = ""


def standing(*rows: models.Model) -> list[Standing]:
    """Return rows with their digests as they stand now; handed to `record` once they are changed, as `changed`."""
    return [Standing(row, digest(row)) for row in rows]


@transaction.atomic
def record(
    action: str,
    *,
    by: Any,
    on: models.Model | None = None,
    summary: str,
    before: str = "",
    changed: Iterable[Standing] = (),
    disclosed: Iterable[models.Model] = (),
    **data: Any,
) -> Entry:
    """Write one entry in the caller's transaction: the act and its record stand or fall together.

    `summary` and `data` hold references and digests only, no personal data; `data` takes text, whole numbers, lists and
    objects. `before` is `digest(on)` from before the change; left out, the act made the object, of which there is no entry
    yet, or left it as it was. The digest after it is taken here, of the row as the database has it, so an entry is
    written after its act; it is empty when the row is gone. `changed` are other rows that the act made, changed or
    deleted, with their digests before it. `disclosed` are the rows whose personal data the act lets out, so that "who saw
    this person" can be answered. Raises TypeError for other data.
    """
    here = origin.get() or Origin()
    seen = sorted({(row._meta.label_lower, str(row.pk)) for row in disclosed})
    if seen:
        data["disclosed"] = len(seen)
        data["disclosed_sha256"] = digest_of_disclosed(seen, keys.current())
    if beside := [_line(each) for each in changed]:
        data["changed"] = beside
    canonical.require_plain(data)
    after = digest_now(on) if on is not None else ""
    entry = Entry(
        id=_next_id(),
        at=clock.now(),
        actor=by,
        action=action,
        subject_model=on._meta.label_lower if on is not None else "",
        subject_id=str(on.pk) if on is not None else "",
        summary=summary,
        address=_address(here.address),
        correlation=here.correlation,
        before=before or (after if _is_known(on) else ""),
        after=after,
        data=data,
        key_id=keys.current(),
    )
    entry.mac = canonical.mac(content_of(entry), entry.key_id)
    entry.save(force_insert=True)
    Disclosure.objects.bulk_create(
        Disclosure(entry=entry, subject_model=model, subject_id=subject_id) for model, subject_id in seen
    )
    here.recorded += 1
    return entry


def content_of(entry: Entry) -> canonical.Content:
    """Return what an entry's mac is made over."""
    return canonical.Content(
        id=entry.pk,
        at=canonical.microseconds(entry.at),
        actor=None if entry.actor_id is None else str(entry.actor_id),
        action=entry.action,
        subject_model=entry.subject_model,
        subject_id=entry.subject_id,
        summary=entry.summary,
        address=entry.address,
        correlation=entry.correlation,
        before=entry.before,
        after=entry.after,
        data=json.dumps(entry.data),
    )


def _next_id() -> int:
    # Known before the row is written, because the mac covers it: a copy under another id is not an entry.
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('audit_entry', 'id'))")
        return int(cursor.fetchone()[0])


def _is_known(row: models.Model | None) -> bool:
    if row is None or row.pk is None:
        return False
    return Entry.objects.filter(subject_model=row._meta.label_lower, subject_id=str(row.pk)).exists()


def _line(each: Standing) -> dict[str, str]:
    row = each.row
    return {"object": row._meta.label_lower, "id": str(row.pk), "before": each.before, "after": digest_now(row)}


def _address(text: str | None) -> str | None:
    try:
        return str(ip_address(text)) if text else None
    except ValueError:
        return None  # a socket, not an address


def digest(row: models.Model) -> str:
    """Return a keyed digest of every column of a row as it stands in memory, encrypted ones as what they hold.

    Columns the database derives from others are left out: in memory they may be of before.

    Two rows of the same state have the same digest; without the key nobody can try values against it.
    """
    fields = [field for field in row._meta.concrete_fields if not getattr(field, "generated", False)]
    values = {field.attname: getattr(row, field.attname) for field in fields}
    if any(hasattr(value, "resolve_expression") for value in values.values()):
        return digest(row._meta.model._base_manager.get(pk=row.pk))  # the database computed it: look what came of it
    plain = {field.attname: _plain(field, values[field.attname]) for field in fields}
    text = json.dumps([row._meta.label_lower, plain], sort_keys=True, cls=DecimalEncoder)
    return keys.sign("digest", text.encode(), keys.current())


def digest_now(row: models.Model) -> str:
    """Return the digest of a row as the database has it, whatever is in memory; empty when it is not there."""
    kept = row._meta.model._base_manager.filter(pk=row.pk).first()  # a request's user is a proxy of its row
    return digest(kept) if kept is not None else ""


def digest_of_disclosed(seen: list[tuple[str, str]], key_id: str) -> str:
    """Return the keyed digest of whom an entry lets out, given as sorted (model, key). Raises UnknownKey."""
    return keys.sign("disclosed", json.dumps(seen).encode(), key_id)


def digest_of_text(text: str) -> str:
    """Return a keyed digest that stands for a text which may be personal, such as a search or a typed e-mail address."""
    return keys.sign("text", text.encode(), keys.current())


def asked(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return the filters of a list for an entry's data; what a person typed to search is a digest, it may be a name."""
    return {
        name: digest_of_text(value)[:16] if name == "q" else value[:80] for name, value in sorted(parameters.items())
    }


def _plain(field: Any, value: Any) -> Any:
    if value is None or isinstance(value, bytes | memoryview):
        return None if value is None else bytes(value).hex()
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, datetime):
        return canonical.microseconds(value)
    if isinstance(value, bool | int | dict | list):
        return value
    return str(value)
