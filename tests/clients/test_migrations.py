"""What a migration changes in rows comes back when it is reversed, so that the version before can read them."""

from importlib import import_module
from types import SimpleNamespace

import pytest
from django.db import connection

from backoffice.core import crypto

DOCUMENT = "6f1f1c62-9f5e-4a50-9f0f-0a5b3a3c9d11"


@pytest.mark.django_db
def test_sealed_names_of_files_are_opened_for_the_version_before() -> None:
    migration = import_module("clients.migrations.0004_seal_names_of_files")
    seal, editor = migration.Migration.operations[-1], SimpleNamespace(connection=connection)
    name = f"Passport of Ada Alder {'x' * 150}.pdf"
    with connection.cursor() as cursor:  # it shadows the real table until the test is over
        cursor.execute("CREATE TEMPORARY TABLE clients_document (id uuid, original_name text) ON COMMIT DROP")
        cursor.execute("INSERT INTO clients_document VALUES (%s, %s)", [DOCUMENT, name])

        seal.code(None, editor)
        cursor.execute("SELECT original_name FROM clients_document")
        sealed = cursor.fetchone()[0]
        seal.reverse_code(None, editor)
        cursor.execute("ALTER TABLE clients_document ALTER original_name TYPE varchar(200)")
        cursor.execute("SELECT original_name FROM clients_document")

        assert crypto.unseal(sealed, f"clients_document|original_name|{DOCUMENT}").decode() == name
        assert cursor.fetchone()[0] == name
