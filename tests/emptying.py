"""Empties the database between tests that commit.

Django does it by TRUNCATE and by announcing a migration, half a second each time however little there is. Deleting the few
rows of a test takes some milliseconds; only a table that has grown large is truncated.
"""

from functools import cache

from django.db import connection, transaction

# Filled by the announcement after a migration, and the same for every test.
KEPT = {"django_content_type", "auth_permission"}
LARGE = 4 * 1024 * 1024  # bytes


def empty() -> None:
    """Leave no row in any table of a model, the trails that refuse it included."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SET LOCAL session_replication_role = replica"
        )  # no trigger and no foreign key stands in the way
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relname = ANY(%s) AND relkind = 'r' AND pg_relation_size(oid) > %s",
            [list(_tables()), LARGE],
        )
        large = [name for (name,) in cursor.fetchall()]
        if large:
            cursor.execute(f"TRUNCATE {', '.join(map(connection.ops.quote_name, large))} CASCADE")
        cursor.execute(";".join(f"DELETE FROM {connection.ops.quote_name(name)}" for name in _tables()))


@cache
def _tables() -> tuple[str, ...]:
    found = connection.introspection.django_table_names(only_existing=True, include_views=False)
    return tuple(sorted(set(found) - KEPT))
