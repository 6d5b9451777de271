"""The table behind CACHES, made here so that `migrate` is all that an installation needs."""

from django.core.management import call_command
from django.db import migrations


def create(apps, schema_editor):
    call_command("createcachetable", database=schema_editor.connection.alias, verbosity=0)


def drop(apps, schema_editor):
    schema_editor.execute("DROP TABLE IF EXISTS cache")


class Migration(migrations.Migration):
    dependencies = [("core", "0002_status_events_are_append_only")]
    operations = [migrations.RunPython(create, drop)]
