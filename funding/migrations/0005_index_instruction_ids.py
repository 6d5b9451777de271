"""IBKR's number of a transfer is what people read out on the telephone: the search asks for it."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("funding", "0004_index_last_four")]
    operations = [
        AddIndexConcurrently(
            model_name="cashtransfer",
            index=models.Index(fields=["instruction_id"], name="cash_transfer_at_ibkr"),
        ),
    ]
