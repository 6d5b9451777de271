"""A paper stays what it is, and can still be sealed under another key, or emptied with its client's personal data.

Refusing every change of the row refused both. Its digest stays beside it, so content that is not what was added is found.
"""

from django.db import migrations

STAYS = """
CREATE FUNCTION journal_paper_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE'
     OR (NEW.id, NEW.submission_id, NEW.content_type, NEW.size, NEW.sha256, NEW.added_by_id, NEW.added_at)
        IS DISTINCT FROM
        (OLD.id, OLD.submission_id, OLD.content_type, OLD.size, OLD.sha256, OLD.added_by_id, OLD.added_at)
     OR (NEW.file_name IS DISTINCT FROM OLD.file_name AND NEW.file_name <> 'destroyed') THEN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
DROP TRIGGER journal_evidence_append_only ON journal_evidence;
CREATE TRIGGER journal_evidence_append_only BEFORE UPDATE OR DELETE ON journal_evidence
  FOR EACH ROW EXECUTE FUNCTION journal_paper_stays();
"""
FROZEN = """
DROP TRIGGER journal_evidence_append_only ON journal_evidence;
DROP FUNCTION journal_paper_stays();
CREATE TRIGGER journal_evidence_append_only BEFORE UPDATE OR DELETE ON journal_evidence
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("journal", "0006_attestation")]

    operations = [migrations.RunSQL(STAYS, FROZEN)]
