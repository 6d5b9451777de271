"""A release counts while whoever gave it may release, as an approval does: at the second word, not only at the first."""

from django.db import migrations

HOLDS = """
CREATE FUNCTION journal_releases_still_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state = 'absent' AND NEW.state = 'ready' AND (
      SELECT count(DISTINCT r.person_id) FROM journal_release r JOIN people_user u ON u.id = r.person_id
       WHERE r.submission_id = NEW.id AND u.is_active AND u.role IN ('principal', 'operations')
         AND r.for_attempt = (SELECT count(*) FROM journal_attempt WHERE submission_id = NEW.id)) < 2 THEN
    RAISE EXCEPTION 'this submission lacks a release' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER journal_releases_still_count BEFORE UPDATE ON journal_submission
  FOR EACH ROW EXECUTE FUNCTION journal_releases_still_count();
"""
FREE = """
DROP TRIGGER journal_releases_still_count ON journal_submission;
DROP FUNCTION journal_releases_still_count();
"""


class Migration(migrations.Migration):
    dependencies = [("journal", "0004_decisions_held_by_the_database")]

    operations = [migrations.RunSQL(HOLDS, FREE)]
