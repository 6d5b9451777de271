"""Whether the database has the tables of this version: an upgrade forgotten, or a restore that ended half-way, is said early."""

from functools import lru_cache

from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def pending_migrations() -> tuple[str, ...]:
    """Return the migrations of the code that the database has not, as "app.name"; asks one row while nothing changed.

    Raises ProgrammingError when there is no record of migrations at all.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), max(id) FROM django_migrations")
        return _pending(cursor.fetchone(), connection.settings_dict["NAME"])


@lru_cache(maxsize=1)
def _pending(_recorded: tuple[int, int | None], _database: str) -> tuple[str, ...]:
    # Reading every migration takes a good part of a second, and the code of a process never changes.
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return tuple(f"{migration.app_label}.{migration.name}" for migration, _ in plan)


def missing_tables() -> list[str]:
    """Return the tables that this version's models keep their rows in and the database has not, by name."""
    needed = {
        model._meta.db_table
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy
    }
    needed.add(str(settings.CACHES["default"]["LOCATION"]))  # made by a migration, without a model
    return sorted(needed - set(connection.introspection.table_names()))
