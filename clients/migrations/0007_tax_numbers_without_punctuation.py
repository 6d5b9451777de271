"""A tax number is found however its punctuation is typed: the index is of its letters and digits alone.

Only the meaning of the column changes, so no table is altered; a number written without punctuation has the index it had.
A value that no key opens is passed over, as `manage.py reseal` names it.
"""

from collections.abc import Callable

from django.db import migrations

from backoffice.core.crypto import Undecipherable, blind_identifier, blind_index
from backoffice.core.fields import BlindIndexField


def index_anew(made_of: Callable[[str], str]):
    """Return what makes every index anew by one rule, a row at a time: nobody waits for it."""

    def run(apps, schema_editor):
        clients = apps.get_model("clients", "Client").objects
        for row in clients.exclude(tax_number_index="").order_by("pk").iterator(chunk_size=500):
            try:
                made = made_of(str(row.tax_number))
            except Undecipherable:
                continue
            if made != row.tax_number_index:
                clients.filter(pk=row.pk, tax_number_index=row.tax_number_index).update(tax_number_index=made)

    return run


class Migration(migrations.Migration):
    dependencies = [("clients", "0006_changes_that_were_not_sent")]
    operations = [
        migrations.AlterField("client", "tax_number_index", BlindIndexField(of="tax_number", is_identifier=True)),
        migrations.RunPython(index_anew(blind_identifier), index_anew(blind_index)),
    ]
