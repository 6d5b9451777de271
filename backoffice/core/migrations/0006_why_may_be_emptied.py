"""Why a row moved may name a person, so it can be emptied with their data; who moved it, when and whereto stays for good."""

from django.db import migrations

from backoffice.core.sql import emptied_only


class Migration(migrations.Migration):
    dependencies = [("core", "0005_folding_survives_a_restore")]
    operations = [emptied_only("core_statusevent", "because")]
