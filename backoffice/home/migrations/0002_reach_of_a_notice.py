"""What its person could see when a notice was written."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("home", "0001_notices")]

    operations = [
        migrations.AddField(
            model_name="notice",
            name="reach",
            field=models.CharField(blank=True, default="", max_length=32),
            preserve_default=False,
        ),
    ]
