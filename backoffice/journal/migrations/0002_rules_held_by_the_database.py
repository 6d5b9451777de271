"""What must hold even against raw SQL: frozen submissions, second persons, append-only evidence."""

import secrets

from django.db import migrations

from backoffice.core.sql import append_only

FROZEN = """
CREATE FUNCTION journal_submission_is_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.operation, NEW.look, NEW.subject_model, NEW.subject_id, NEW.payload_sha256, NEW.key_space, NEW.key,
      NEW.maker_id, NEW.master_id, NEW.approvals_needed)
     IS DISTINCT FROM
     (OLD.operation, OLD.look, OLD.subject_model, OLD.subject_id, OLD.payload_sha256, OLD.key_space, OLD.key,
      OLD.maker_id, OLD.master_id, OLD.approvals_needed) THEN
    RAISE EXCEPTION 'a submission is frozen once made' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF NEW.fence < OLD.fence THEN
    RAISE EXCEPTION 'a fence never goes back' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER journal_submission_frozen BEFORE UPDATE ON journal_submission
  FOR EACH ROW EXECUTE FUNCTION journal_submission_is_frozen();
"""

SECOND_PERSON = """
CREATE FUNCTION journal_approval_is_of_a_second_person() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE made record;
BEGIN
  SELECT maker_id, payload_sha256, state INTO made FROM journal_submission WHERE id = NEW.submission_id;
  IF made.maker_id = NEW.approver_id THEN
    RAISE EXCEPTION 'nobody approves their own submission' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF made.payload_sha256 <> NEW.payload_sha256 THEN
    RAISE EXCEPTION 'the approval is of another payload' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF made.state <> 'proposed' THEN
    RAISE EXCEPTION 'this submission is not waiting for approval' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER journal_approval_second_person BEFORE INSERT ON journal_approval
  FOR EACH ROW EXECUTE FUNCTION journal_approval_is_of_a_second_person();
"""

NO_SEND_WITHOUT_APPROVAL = """
CREATE FUNCTION journal_attempt_is_allowed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE made record; yes integer;
BEGIN
  SELECT approvals_needed, payload_sha256, maker_id INTO made FROM journal_submission WHERE id = NEW.submission_id;
  SELECT count(*) INTO yes FROM journal_approval
   WHERE submission_id = NEW.submission_id AND payload_sha256 = made.payload_sha256
     AND approver_id IS DISTINCT FROM made.maker_id;
  IF yes < made.approvals_needed THEN
    RAISE EXCEPTION 'this submission lacks an approval' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER journal_attempt_allowed BEFORE INSERT ON journal_attempt
  FOR EACH ROW EXECUTE FUNCTION journal_attempt_is_allowed();
CREATE FUNCTION journal_attempt_closes_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' OR OLD.outcome IS NOT NULL THEN
    RAISE EXCEPTION 'a closed attempt does not change' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER journal_attempt_closed BEFORE UPDATE OR DELETE ON journal_attempt
  FOR EACH ROW EXECUTE FUNCTION journal_attempt_closes_once();
"""


def create_instruction_sequence(apps, schema_editor):
    """Start high and at random: a database made anew must not repeat the ids of the one before (reliability.md C.2)."""
    start = 100_000_000 + secrets.randbelow(1_000_000_000)
    schema_editor.execute(
        f"CREATE SEQUENCE journal_instruction_id AS integer START WITH {start} MAXVALUE 2147483647 NO CYCLE"
    )


def drop_instruction_sequence(apps, schema_editor):
    schema_editor.execute("DROP SEQUENCE journal_instruction_id")


class Migration(migrations.Migration):
    dependencies = [("journal", "0001_initial"), ("core", "0002_status_events_are_append_only")]
    operations = [
        migrations.RunSQL(
            FROZEN,
            "DROP TRIGGER journal_submission_frozen ON journal_submission; DROP FUNCTION journal_submission_is_frozen;",
        ),
        migrations.RunSQL(
            SECOND_PERSON,
            "DROP TRIGGER journal_approval_second_person ON journal_approval;"
            "DROP FUNCTION journal_approval_is_of_a_second_person;",
        ),
        migrations.RunSQL(
            NO_SEND_WITHOUT_APPROVAL,
            "DROP TRIGGER journal_attempt_allowed ON journal_attempt; DROP TRIGGER journal_attempt_closed ON journal_attempt;"
            "DROP FUNCTION journal_attempt_is_allowed; DROP FUNCTION journal_attempt_closes_once;",
        ),
        append_only("journal_approval"),
        append_only("journal_release"),
        append_only("journal_observation"),
        migrations.RunPython(create_instruction_sequence, drop_instruction_sequence),
    ]
