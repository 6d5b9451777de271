"""What a submission explains is its own reference; kept apart is only what nothing explains."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("journal", "0007_papers_under_another_key")]

    operations = [
        migrations.RunSQL("DELETE FROM journal_brokerobject WHERE submission_id IS NOT NULL", migrations.RunSQL.noop),
        migrations.RemoveField(model_name="brokerobject", name="submission"),
        migrations.RenameModel(old_name="BrokerObject", new_name="Orphan"),
    ]
