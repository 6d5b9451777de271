"""A version that was fetched is evidence: nobody changes or removes its row."""

from django.db import migrations

from backoffice.core.sql import append_only


class Migration(migrations.Migration):
    dependencies = [("reporting", "0001_initial"), ("core", "0002_status_events_are_append_only")]
    operations = [append_only("reporting_reportfile")]
