"""The index of what was encrypted before there was one. A migration of its own: PostgreSQL changes no table with rows pending."""

from django.db import migrations


def index_what_is_there(apps, schema_editor):
    """Save what is encrypted once more: its index is made from the plain text, which the database does not know."""
    for row in apps.get_model("funding", "BankInstruction").objects.order_by("pk").iterator(chunk_size=500):
        row.last4 = str(row.last4)  # opened, and so saved with its index
        row.save(update_fields=["last4", "last4_index"])


class Migration(migrations.Migration):
    dependencies = [("funding", "0003_bank_appeared_at")]
    operations = [migrations.RunPython(index_what_is_there, migrations.RunPython.noop)]
