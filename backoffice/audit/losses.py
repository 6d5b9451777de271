"""What a restored database has lost although its chain is whole: tables, and rows that the chain itself tells of.

Every entry names the row it is about, and has a digest of it unless the act deleted it. So a row that its last entry saw,
and that is not there now, was lost, except of those that go without an entry about themselves (`_GO_UNTOLD`).
"""

from django.apps import apps
from django.db import connection, models

from backoffice.audit.models import Entry
from backoffice.core import schema

# The first two are deleted in time; that a factor was taken off is told of its person.
_GO_UNTOLD = frozenset({"journal.inquiry", "home.notice", "mfa.authenticator"})
_GONE = """
    SELECT count(*) FROM (
        SELECT DISTINCT ON (subject_id) subject_id, after FROM audit_entry
        WHERE subject_model = %s ORDER BY subject_id, at DESC, id DESC
    ) last
    WHERE last.after <> '' AND NOT EXISTS (SELECT 1 FROM {table} here WHERE here.{key}::text = last.subject_id)
"""


def of_tables() -> str:
    """Return what is wrong with the tables of the database and what to do, in one or two sentences; "" when nothing is."""
    if missing := schema.missing_tables():
        named = ", ".join(missing[:10]) + (f" and {len(missing) - 10} more" if len(missing) > 10 else "")
        return (
            f"Tables are missing: {named}. If the backup is an older version's, run manage.py migrate; otherwise the restore "
            "did not end well, so restore again into an empty database with pg_restore --exit-on-error."
        )
    return ""


def of_rows() -> str:
    """Return which rows that the audit tells of are gone, in one or two sentences; "" when none is."""
    found = [(model, gone) for model in _kept() if (gone := _gone(model))]
    if not found:
        return ""
    named = ", ".join(f"{gone} of {model._meta.db_table}" for model, gone in found)
    return (
        f"Rows are gone that the audit tells of: {named}. Restore again into an empty database with "
        "pg_restore --exit-on-error, or from another backup, before anybody works on."
    )


def _kept() -> list[type[models.Model]]:
    """The models whose rows the audit tells of and the product keeps for good."""
    told = Entry.objects.order_by("subject_model").values_list("subject_model", flat=True).distinct()
    labels = [label for label in told if label and label not in _GO_UNTOLD]
    known = {model._meta.label_lower: model for model in apps.get_models()}
    return [known[label] for label in labels if label in known]


def _gone(model: type[models.Model]) -> int:
    quote = connection.ops.quote_name
    key = str(model._meta.pk.column)
    with connection.cursor() as cursor:
        question = _GONE.format(table=quote(model._meta.db_table), key=quote(key))
        cursor.execute(question, [model._meta.label_lower])
        return int(cursor.fetchone()[0])
