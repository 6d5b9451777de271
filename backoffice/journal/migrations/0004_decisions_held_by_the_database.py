"""Second persons hold everywhere: approvals by role, nothing ready or sent without them, rejections, releases, papers."""

from django.db import migrations

from backoffice.core.sql import append_only

FROZEN = """
CREATE OR REPLACE FUNCTION journal_submission_is_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.operation, NEW.look, NEW.subject_model, NEW.subject_id, NEW.payload_sha256, NEW.key_space, NEW.key,
      NEW.maker_id, NEW.master_id, NEW.approvals_needed{old_extra_new})
     IS DISTINCT FROM
     (OLD.operation, OLD.look, OLD.subject_model, OLD.subject_id, OLD.payload_sha256, OLD.key_space, OLD.key,
      OLD.maker_id, OLD.master_id, OLD.approvals_needed{old_extra_old}) THEN
    RAISE EXCEPTION 'a submission is frozen once made' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF NEW.fence < OLD.fence THEN
    RAISE EXCEPTION 'a fence never goes back' USING ERRCODE = 'integrity_constraint_violation';
  END IF;{moves}
  RETURN NEW;
END $$;
"""
_COLUMNS = (
    "kind",
    "amount_usd",
    "accounts",
    "destination_since",
    "flags",
    "policy_number",
    "policy_hits",
    "approver_roles",
)
_MOVES = """
  IF OLD.state = 'proposed' AND NEW.state IN ('ready', 'claimed', 'sending')
     AND journal_approvals_that_count(NEW.id) < NEW.approvals_needed THEN
    RAISE EXCEPTION 'this submission lacks an approval' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF OLD.state = 'absent' AND NEW.state = 'ready' AND (
      SELECT count(DISTINCT person_id) FROM journal_release WHERE submission_id = NEW.id AND for_attempt =
        (SELECT count(*) FROM journal_attempt WHERE submission_id = NEW.id)) < 2 THEN
    RAISE EXCEPTION 'this submission lacks a release' USING ERRCODE = 'integrity_constraint_violation';
  END IF;"""

# The approvers' role counts when it is used: at the press, and again when the first byte would leave (C.7).
COUNTING = """
CREATE FUNCTION journal_may_approve(submission uuid, person uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (
    SELECT 1 FROM people_user u, journal_submission s WHERE s.id = submission AND u.id = person AND u.is_active
      AND CASE WHEN jsonb_array_length(s.approver_roles) = 0 THEN u.role = 'principal'
          ELSE s.approver_roles ? u.role END)
$$;
CREATE FUNCTION journal_approvals_that_count(submission uuid) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT count(*) FROM journal_approval a JOIN journal_submission s ON s.id = a.submission_id
   WHERE s.id = submission AND a.payload_sha256 = s.payload_sha256 AND a.approver_id IS DISTINCT FROM s.maker_id
     AND journal_may_approve(s.id, a.approver_id)
$$;
"""

BORN = """
CREATE FUNCTION journal_submission_is_born_waiting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.approvals_needed > 0 AND NEW.state <> 'proposed' THEN
    RAISE EXCEPTION 'this submission lacks an approval' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER journal_submission_born BEFORE INSERT ON journal_submission
  FOR EACH ROW EXECUTE FUNCTION journal_submission_is_born_waiting();
"""

SECOND_PERSON = """
CREATE OR REPLACE FUNCTION journal_approval_is_of_a_second_person() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE made record;
BEGIN
  SELECT maker_id, payload_sha256, state INTO made FROM journal_submission WHERE id = NEW.submission_id;
  IF made.maker_id = (to_jsonb(NEW) ->> TG_ARGV[0])::uuid THEN
    RAISE EXCEPTION 'nobody approves their own submission' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF made.payload_sha256 <> NEW.payload_sha256 THEN
    RAISE EXCEPTION 'the approval is of another payload' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF made.state <> 'proposed' THEN
    RAISE EXCEPTION 'this submission is not waiting for approval' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF NOT journal_may_approve(NEW.submission_id, (to_jsonb(NEW) ->> TG_ARGV[0])::uuid) THEN
    RAISE EXCEPTION 'this person may not approve' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
DROP TRIGGER journal_approval_second_person ON journal_approval;
CREATE TRIGGER journal_approval_second_person BEFORE INSERT ON journal_approval
  FOR EACH ROW EXECUTE FUNCTION journal_approval_is_of_a_second_person('approver_id');
CREATE TRIGGER journal_rejection_second_person BEFORE INSERT ON journal_rejection
  FOR EACH ROW EXECUTE FUNCTION journal_approval_is_of_a_second_person('person_id');
"""
SECOND_PERSON_BEFORE = """
DROP TRIGGER journal_rejection_second_person ON journal_rejection;
DROP TRIGGER journal_approval_second_person ON journal_approval;
CREATE OR REPLACE FUNCTION journal_approval_is_of_a_second_person() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE made record;
BEGIN
  SELECT maker_id, payload_sha256, state INTO made FROM journal_submission WHERE id = NEW.submission_id;
  IF made.maker_id = NEW.approver_id OR made.payload_sha256 <> NEW.payload_sha256 OR made.state <> 'proposed' THEN
    RAISE EXCEPTION 'nobody approves their own submission' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER journal_approval_second_person BEFORE INSERT ON journal_approval
  FOR EACH ROW EXECUTE FUNCTION journal_approval_is_of_a_second_person();
"""

RELEASES = """
CREATE FUNCTION journal_release_is_allowed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM journal_submission WHERE id = NEW.submission_id AND state = 'absent') THEN
    RAISE EXCEPTION 'only what is proven absent is released' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF NOT EXISTS (SELECT 1 FROM people_user
                 WHERE id = NEW.person_id AND is_active AND role IN ('principal', 'operations')) THEN
    RAISE EXCEPTION 'this person may not release' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER journal_release_allowed BEFORE INSERT ON journal_release
  FOR EACH ROW EXECUTE FUNCTION journal_release_is_allowed();
"""

ATTEMPT = """
CREATE OR REPLACE FUNCTION journal_attempt_is_allowed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE made record;
BEGIN
  SELECT approvals_needed, payload_sha256 INTO made FROM journal_submission WHERE id = NEW.submission_id;
  IF journal_approvals_that_count(NEW.submission_id) < made.approvals_needed THEN
    RAISE EXCEPTION 'this submission lacks an approval' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF NEW.request_sha256 <> made.payload_sha256 THEN
    RAISE EXCEPTION 'the attempt is of another payload' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
"""
ATTEMPT_BEFORE = """
CREATE OR REPLACE FUNCTION journal_attempt_is_allowed() RETURNS trigger LANGUAGE plpgsql AS $$
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
"""


def _frozen(columns: tuple[str, ...], moves: str) -> str:
    new, old = ("".join(f", {row}.{column}" for column in columns) for row in ("NEW", "OLD"))
    return FROZEN.format(old_extra_new=new, old_extra_old=old, moves=moves)


class Migration(migrations.Migration):
    dependencies = [("journal", "0003_decisions"), ("people", "0004_policies_held_by_the_database")]
    operations = [
        append_only("journal_rejection"),
        append_only("journal_evidence"),
        migrations.RunSQL(COUNTING, "DROP FUNCTION journal_approvals_that_count; DROP FUNCTION journal_may_approve;"),
        migrations.RunSQL(_frozen(_COLUMNS, _MOVES), _frozen((), "")),
        migrations.RunSQL(
            BORN,
            "DROP TRIGGER journal_submission_born ON journal_submission;"
            "DROP FUNCTION journal_submission_is_born_waiting;",
        ),
        migrations.RunSQL(SECOND_PERSON, SECOND_PERSON_BEFORE),
        migrations.RunSQL(
            RELEASES,
            "DROP TRIGGER journal_release_allowed ON journal_release; DROP FUNCTION journal_release_is_allowed;",
        ),
        migrations.RunSQL(ATTEMPT, ATTEMPT_BEFORE),
    ]
