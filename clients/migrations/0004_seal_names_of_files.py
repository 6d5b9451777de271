"""Names of uploaded files are sealed: people name files after people, and some after their passports.

The seal is made by SQL beside the model, because a sealed column takes what it reads for sealed already.
"""

from django.db import migrations

from backoffice.core.crypto import seal, unseal
from backoffice.core.fields import EncryptedTextField


def seal_what_is_there(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT id, original_name FROM clients_document")
        for key, name in cursor.fetchall():
            sealed = seal(name.encode(), f"clients_document|original_name|{key}")
            cursor.execute("UPDATE clients_document SET original_name = %s WHERE id = %s", [sealed, key])


def open_what_is_there(apps, schema_editor):
    """Give the version before what it reads: the column becomes one of 200 characters again, which would cut the seals off."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT id, original_name FROM clients_document")
        for key, sealed in cursor.fetchall():
            name = unseal(sealed, f"clients_document|original_name|{key}").decode()
            cursor.execute("UPDATE clients_document SET original_name = %s WHERE id = %s", [name[:200], key])


class Migration(migrations.Migration):
    dependencies = [("clients", "0003_index_tax_numbers")]
    operations = [
        migrations.AlterField("document", "original_name", EncryptedTextField()),
        migrations.RunPython(seal_what_is_there, open_what_is_there),
    ]
