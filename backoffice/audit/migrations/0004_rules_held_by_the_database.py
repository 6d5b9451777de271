"""Seals and disclosures are append-only; an exchange may go only when it belongs to nothing and is old."""

from typing import Any

from django.db import migrations

from backoffice.audit import canonical, keys
from backoffice.audit.services import content_of
from backoffice.core.sql import append_only

EXCHANGES = """
CREATE FUNCTION audit_keep_exchange() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF NOT OLD.is_kept AND OLD.at < now() - interval '2 days' THEN RETURN OLD; END IF;
  END IF;
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER audit_exchange_kept BEFORE UPDATE OR DELETE ON audit_exchange
  FOR EACH ROW EXECUTE FUNCTION audit_keep_exchange();
CREATE TRIGGER audit_exchange_no_truncate BEFORE TRUNCATE ON audit_exchange
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

# One round trip together with the health note, from every process, at every call. What nobody will ask for later does not
# wait for the disk either.
NOTE = """
CREATE FUNCTION audit_note_exchange(
  p_at timestamptz, p_connection uuid, p_lane text, p_method text, p_path text, p_status int, p_outcome text,
  p_milliseconds int, p_request_id text, p_request text, p_answer text, p_subject_model text, p_subject_id text,
  p_correlation text, p_kept boolean
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF NOT p_kept THEN PERFORM set_config('synchronous_commit', 'off', TRUE); END IF;
  INSERT INTO audit_exchange
    (at, connection, lane, method, path, status, outcome, milliseconds, request_id, request_sha256, answer_sha256,
     subject_model, subject_id, correlation, is_kept)
    VALUES (p_at, p_connection, p_lane, p_method, p_path, p_status, p_outcome, p_milliseconds, p_request_id, p_request,
            p_answer, p_subject_model, p_subject_id, p_correlation, p_kept);
END $$;
"""


def give_macs(apps: Any, schema_editor: Any) -> None:
    """Entries from before the chain are vouched for as they stand today."""
    entries = apps.get_model("audit", "Entry").objects.filter(mac="")
    if not entries.exists():
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_entry DISABLE TRIGGER audit_entry_append_only")
        for entry in entries.iterator():
            entry.key_id = keys.current()
            cursor.execute(
                "UPDATE audit_entry SET key_id = %s, mac = %s WHERE id = %s",
                [entry.key_id, canonical.mac(content_of(entry), entry.key_id), entry.pk],
            )
        cursor.execute("ALTER TABLE audit_entry ENABLE TRIGGER audit_entry_append_only")


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_the_chain")]

    operations = [
        migrations.RunPython(give_macs, migrations.RunPython.noop),
        append_only("audit_seal"),
        append_only("audit_disclosure"),
        migrations.RunSQL(
            EXCHANGES,
            "DROP TRIGGER audit_exchange_kept ON audit_exchange; DROP TRIGGER audit_exchange_no_truncate ON audit_exchange;"
            " DROP FUNCTION audit_keep_exchange()",
        ),
        migrations.RunSQL(NOTE, "DROP FUNCTION audit_note_exchange"),
    ]
