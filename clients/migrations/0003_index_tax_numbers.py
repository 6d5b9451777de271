"""The index of what was encrypted before there was one. A migration of its own: PostgreSQL changes no table with rows pending."""

from django.db import migrations


def index_what_is_there(apps, schema_editor):
    """Save what is encrypted once more: its index is made from the plain text, which the database does not know."""
    for row in apps.get_model("clients", "Client").objects.order_by("pk").iterator(chunk_size=500):
        row.tax_number = str(row.tax_number)  # opened, and so saved with its index
        row.save(update_fields=["tax_number", "tax_number_index", "tax_number_tail"])


class Migration(migrations.Migration):
    dependencies = [("clients", "0002_found_by_words_and_last_four")]
    operations = [migrations.RunPython(index_what_is_there, migrations.RunPython.noop)]
