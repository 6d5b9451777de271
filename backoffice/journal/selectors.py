"""Reads for the approvals inbox and the evidence page. The journal knows no app: subjects are found by their names."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from django.apps import apps
from django.db import models

from backoffice.ibkr.redaction import HIDDEN, redact
from backoffice.journal.models import State, Submission, SubmissionQuerySet
from backoffice.people.models import Role, User

# Beside what is secret anywhere (redaction), these name a person; an approver sees them on the subject's own page.
_PERSONAL = frozenset(
    {
        "first", "last", "middle", "firstname", "lastname", "fullname", "nativename", "name", "street", "street1", "street2",
        "city", "postalcode", "email", "number", "phone", "phones", "dateofbirth", "birthdate", "title", "salutation",
        "signature", "username", "idnumber", "tin",
    }
)  # fmt: skip


def awaiting(user: User) -> SubmissionQuerySet:
    """Return what this person may decide on and has not: made by others, for their role, without their yes."""
    rows = Submission.objects.filter(state=State.PROPOSED).exclude(maker=user).exclude(approvals__approver=user)
    for_role = models.Q(approver_roles__contains=[user.role])
    if user.role == Role.PRINCIPAL:
        for_role |= models.Q(approver_roles=[])  # whom no rule names, as the database has it too
    return rows.filter(for_role)


@dataclass(frozen=True)
class Listed:
    """A submission with what it is about, as this person may see it; `url` is empty where the subject has no page."""

    submission: Submission
    subject: Any
    url: str


def visible(submissions: Iterable[Submission], user: User) -> list[Listed]:
    """Return those whose subject this person may see, in their order; one query for each kind of subject."""
    rows = list(submissions)
    keys: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        keys[row.subject_model].add(row.subject_id)
    subjects: dict[tuple[str, str], Any] = {}
    for label, wanted in keys.items():
        for subject in _seen_by(label, user).filter(pk__in=wanted):
            subjects[label, str(subject.pk)] = subject
    found = []
    for row in rows:
        subject = subjects.get((row.subject_model, row.subject_id))
        if subject is not None:
            found.append(Listed(row, subject, _page_of(subject)))
    return found


def _seen_by(label: str, user: User) -> "models.QuerySet[Any]":
    rows: Any = apps.get_model(label)._default_manager.all()
    if hasattr(rows, "for_review"):
        rows = rows.for_review()
    if hasattr(rows, "visible_to"):
        rows = rows.visible_to(user)
    elif user.role not in {Role.OPERATIONS, Role.PRINCIPAL}:
        rows = rows.none()  # a kind of subject without a rule of its own is for those who see every book
    return cast("models.QuerySet[Any]", rows)


def _page_of(subject: Any) -> str:
    return str(subject.get_absolute_url()) if hasattr(subject, "get_absolute_url") else ""


def people_of(subject: Any) -> list[models.Model]:
    """Return the client that a subject is about, where it names one: by itself or by its account."""
    client = getattr(subject, "client", None) or getattr(getattr(subject, "account", None), "client", None)
    return [client] if client is not None else []


def payload_facts(submission: Submission) -> list[tuple[str, str]]:
    """Return the payload as lines of name and value, in order of name; secret and personal values are dots."""
    return list(_lines("", redact(submission.payload)))


def _lines(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name in sorted(value):
            path = f"{prefix}.{name}" if prefix else str(name)
            is_personal = str(name).lower() in _PERSONAL and not isinstance(value[name], dict | list)
            yield from [(path, HIDDEN)] if is_personal else _lines(path, value[name])
    elif isinstance(value, list):
        for place, item in enumerate(value, 1):
            yield from _lines(f"{prefix}[{place}]", item)
    else:
        yield prefix, str(value)
