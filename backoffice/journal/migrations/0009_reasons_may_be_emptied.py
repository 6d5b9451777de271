"""What a second person wrote may name a client, so it can be emptied with their data; that they said it stays for good."""

from django.db import migrations

from backoffice.core.sql import emptied_only


class Migration(migrations.Migration):
    dependencies = [("journal", "0008_orphans_alone"), ("core", "0006_why_may_be_emptied")]
    operations = [
        emptied_only("journal_approval", "reason"),
        emptied_only("journal_rejection", "reason"),
        emptied_only("journal_release", "evidence"),
        emptied_only("journal_attestation", "evidence"),
    ]
