"""A change of an account that was stopped before it left has a word of its own."""

from django.db import migrations, models

WORDS = [
    ("requested", "Not at IBKR yet"),
    ("at_ibkr", "At IBKR"),
    ("seen", "Done"),
    ("refused", "Refused by IBKR"),
    ("replaced", "Replaced"),
]


class Migration(migrations.Migration):
    dependencies = [("clients", "0005_legal_holds_and_destruction")]
    operations = [
        migrations.AlterField(
            "maintenancerequest",
            "status",
            models.CharField(choices=[*WORDS, ("withdrawn", "Not sent")], default="requested", max_length=12),
        )
    ]
