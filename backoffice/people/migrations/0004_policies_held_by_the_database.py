"""What must hold about policies even against raw SQL: frozen documents, a second principal, no way back."""

from django.db import migrations

from backoffice.core.sql import append_only

VERSIONS = """
CREATE FUNCTION people_policy_version_holds() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.status <> 'proposed' THEN
      RAISE EXCEPTION 'a policy begins as a proposal' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF encode(sha256(convert_to(NEW.document_text, 'UTF8')), 'hex') <> NEW.document_sha256 THEN
      RAISE EXCEPTION 'the hash is not of this policy' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF (NEW.number, NEW.document_text, NEW.document_sha256, NEW.based_on, NEW.reason, NEW.maker_id, NEW.proposed_at,
      NEW.effective_at)
     IS DISTINCT FROM
     (OLD.number, OLD.document_text, OLD.document_sha256, OLD.based_on, OLD.reason, OLD.maker_id, OLD.proposed_at,
      OLD.effective_at) THEN
    RAISE EXCEPTION 'a policy is frozen once proposed' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF OLD.status <> 'proposed' THEN
    RAISE EXCEPTION 'this policy is decided' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF NEW.status = 'approved' AND NOT EXISTS (
      SELECT 1 FROM people_policyapproval WHERE version_id = NEW.id AND document_sha256 = NEW.document_sha256
        AND approver_id <> NEW.maker_id) THEN
    RAISE EXCEPTION 'this policy lacks an approval' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER people_policy_version_holds BEFORE INSERT OR UPDATE ON people_policyversion
  FOR EACH ROW EXECUTE FUNCTION people_policy_version_holds();
CREATE TRIGGER people_policy_version_stays BEFORE DELETE ON people_policyversion
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER people_policyversion_no_truncate BEFORE TRUNCATE ON people_policyversion
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

APPROVALS = """
CREATE FUNCTION people_policy_second_person() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE proposed record;
BEGIN
  SELECT maker_id, document_sha256, status INTO proposed FROM people_policyversion WHERE id = NEW.version_id;
  IF proposed.maker_id = NEW.approver_id THEN
    RAISE EXCEPTION 'nobody approves their own policy' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF proposed.document_sha256 <> NEW.document_sha256 THEN
    RAISE EXCEPTION 'the approval is of another policy' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF proposed.status <> 'proposed' THEN
    RAISE EXCEPTION 'this policy is not waiting for approval' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF NOT EXISTS (SELECT 1 FROM people_user WHERE id = NEW.approver_id AND is_active AND role = 'principal') THEN
    RAISE EXCEPTION 'only a principal approves a policy' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER people_policy_second_person BEFORE INSERT ON people_policyapproval
  FOR EACH ROW EXECUTE FUNCTION people_policy_second_person();
"""


class Migration(migrations.Migration):
    dependencies = [("people", "0003_policies"), ("core", "0002_status_events_are_append_only")]
    operations = [
        append_only("people_policyapproval"),
        migrations.RunSQL(
            VERSIONS,
            "DROP TRIGGER people_policy_version_holds ON people_policyversion;"
            "DROP TRIGGER people_policy_version_stays ON people_policyversion;"
            "DROP TRIGGER people_policyversion_no_truncate ON people_policyversion;"
            "DROP FUNCTION people_policy_version_holds;",
        ),
        migrations.RunSQL(
            APPROVALS,
            "DROP TRIGGER people_policy_second_person ON people_policyapproval; DROP FUNCTION people_policy_second_person;",
        ),
    ]
