"""Filling in an application: whatever is typed is kept, valid or not, one field at a time."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from backoffice.audit import disclosures
from backoffice.audit import services as audit
from backoffice.audit.models import Entry
from backoffice.broker.models import MasterAccount
from backoffice.core import clock
from backoffice.core.errors import Conflict, NotPermitted
from backoffice.people.models import Book, User
from backoffice.people.policy import may
from clients import rules
from clients.models import APPLICATION_LIFECYCLE, Application, ApplicationStatus, Stage

# A field holds at most this many characters; more is not typing, and the rule of the field says its own limit.
LONGEST_TYPED = 400


@transaction.atomic
def start_application(*, intent: uuid.UUID, book: Book, master: MasterAccount, by: User) -> Application:
    """Begin a draft. The same intent yields the same draft. Raises NotPermitted, Conflict when it was used elsewhere."""
    if not may(by, "clients.apply"):
        raise NotPermitted("Only advisors, operations and principals may apply for accounts.")
    if not by.sees_every_book and not book.members.filter(pk=by.pk).exists():
        raise NotPermitted("You may apply for clients of your own book only.")
    now = clock.now()
    application, is_new = Application.objects.get_or_create(
        intent=intent,
        defaults={
            "book": book,
            "owner": by,
            "master": master,
            "external_id": f"BO-{uuid.uuid4().hex[:12]}",
            "created_at": now,
            "stage_since": now,
        },
    )
    if (application.owner_id, application.book_id) != (by.pk, book.pk):
        raise Conflict("This form was sent before, for something else. Open it again.")
    if is_new:
        audit.record("clients.start_application", by=by, on=application, summary="Application started")
        save_draft(
            application=application, values={"base_currency": master.base_currency, "permissions": ["US-Sec"]}, by=by
        )
    return Application.objects.get(pk=application.pk)


@transaction.atomic
def save_draft(*, application: Application, values: Mapping[str, Any], by: User) -> Application:
    """Keep what was typed. Only the given fields change, so two people at two fields lose nothing; unknown ones are dropped.

    Raises Conflict once the application was submitted.
    """
    row: Application = Application.objects.select_for_update().get(pk=application.pk)
    if not row.is_editable:
        raise Conflict(f"This application is {row.get_status_display().lower()}; it cannot be changed here any more.")
    before, draft = audit.digest(row), row.draft
    given = {name: _typed(value) for name, value in values.items() if name in rules.FIELDS}
    if all(draft.get(name) == value for name, value in given.items()):
        return row
    draft |= given
    # What IBKR refused is mended by changing it; its words go with the old value.
    row.refusal_text = json.dumps([item for item in row.refusals if item["field"] not in given])
    defects = rules.check(draft, today=clock.today(clock.NEW_YORK))
    row.draft_text = json.dumps(draft)
    row.version += 1
    row.saved_at, row.saved_by = clock.now(), by
    row.stops = sum(defect.stops for defect in defects)
    row.warnings = len(defects) - row.stops
    row.applicant = " ".join(filter(None, (str(draft.get("first_name") or ""), str(draft.get("last_name") or ""))))[
        :110
    ].strip()
    row.country = str(draft.get("country") or "")[:3]
    row.margin = str(draft.get("margin") or "")[:20]
    row.save(
        update_fields=[
            "draft_text", "refusal_text", "version", "saved_at", "saved_by", "stops", "warnings", "applicant", "country", "margin",
        ]
    )  # fmt: skip
    # The names of the fields, not what was typed into them: that is in the digests alone.
    audit.record("clients.save_draft", by=by, on=row, summary="Draft changed", before=before, fields=sorted(given))
    return row


def note_shown(*, application: Application, section: str, by: User) -> None:
    """Write down that a section of the form was opened with personal values in fields that somebody else has typed into.

    Called before the section is drawn. Whoever is filling it in alone sees nothing they did not type, and leaves no entry;
    who typed into which field is in the audit, so that touching another field makes nobody its writer. Raises NotPermitted past
    the hour's share.
    """
    draft = application.draft
    shown = {name for name in rules.PERSONAL if rules.section_of(name) == section and draft.get(name)}
    if shown and (foreign := sorted(shown & _typed_by_others(application, by))):
        disclosures.let_out(
            "clients.show_draft", by=by, on=application, summary="Personal fields of a draft shown, to be filled in",
            fields=foreign, disclosed=[application.client] if application.client else [application],
        )  # fmt: skip


def _typed_by_others(application: Application, by: User) -> set[str]:
    saved = Entry.objects.filter(
        action="clients.save_draft", subject_model=application._meta.label_lower, subject_id=str(application.pk)
    )
    others = saved.exclude(actor=by).values_list("data", flat=True)
    return {name for data in others for name in data.get("fields", ())}


def _typed(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, list | tuple):
        return [str(item)[:LONGEST_TYPED] for item in value][:40]
    return str(value)[:LONGEST_TYPED].replace("\x00", "").strip()


@transaction.atomic
def discard(*, application: Application, by: User) -> Application:
    """Give up a draft, or one IBKR refused. It stays readable. Raises Conflict once it is at IBKR."""
    row: Application = Application.objects.select_for_update().get(pk=application.pk)
    if not may(by, "clients.apply"):
        raise NotPermitted("Only advisors, operations and principals may give up an application.")
    if not row.is_editable:
        raise Conflict(f"This application is {row.get_status_display().lower()}; only a draft can be given up.")
    before, now = audit.digest(row), clock.now()
    APPLICATION_LIFECYCLE.move(
        row, to=ApplicationStatus.ABANDONED, because="given up before it was sent", by=by,
        stage=Stage.REJECTED, stage_since=now, ended_at=now,
    )  # fmt: skip
    audit.record(
        "clients.discard_application", by=by, on=row, summary="Application given up before it was sent", before=before
    )
    return row
