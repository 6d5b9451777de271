"""Invitations and tokens know the form they came from, so that a second press makes no second one."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("people", "0004_policies_held_by_the_database")]

    operations = [
        migrations.AddField(
            model_name="apitoken",
            name="intent",
            field=models.UUIDField(null=True, unique=True),
        ),
        migrations.AddField(
            model_name="invitation",
            name="intent",
            field=models.UUIDField(null=True, unique=True),
        ),
    ]
