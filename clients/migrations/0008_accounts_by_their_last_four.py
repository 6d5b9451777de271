"""The last four of an account's number find it, among however many."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Right


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("clients", "0007_tax_numbers_without_punctuation")]

    operations = [
        AddIndexConcurrently(model_name="account", index=models.Index(Right("number", 4), name="account_last_four"))
    ]
