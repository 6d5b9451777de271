"""What must hold about a seat with power even against raw SQL: another person agrees, and what was asked stays as it was."""

from django.db import migrations

HOLDS = """
CREATE FUNCTION people_seat_change_holds() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.status <> 'waiting' THEN
      RAISE EXCEPTION 'a seat with power begins by asking' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF OLD.status <> 'waiting' OR
     (NEW.id, NEW.person_id, NEW.invitation_id, NEW.was, NEW.role, NEW.asked_by_id, NEW.asked_at)
     IS DISTINCT FROM
     (OLD.id, OLD.person_id, OLD.invitation_id, OLD.was, OLD.role, OLD.asked_by_id, OLD.asked_at) THEN
    RAISE EXCEPTION 'what was asked for is frozen' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF NEW.status = 'agreed' AND (
      NEW.decided_by_id = NEW.asked_by_id OR NEW.decided_by_id IS NOT DISTINCT FROM NEW.person_id OR NOT EXISTS (
        SELECT 1 FROM people_user
         WHERE id = NEW.decided_by_id AND is_active AND role IN ('principal', 'administrator'))) THEN
    RAISE EXCEPTION 'a second person must agree to this seat' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER people_seat_change_holds BEFORE INSERT OR UPDATE ON people_seatchange
  FOR EACH ROW EXECUTE FUNCTION people_seat_change_holds();
CREATE TRIGGER people_seat_change_stays BEFORE DELETE ON people_seatchange
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""
FREE = """
DROP TRIGGER people_seat_change_stays ON people_seatchange;
DROP TRIGGER people_seat_change_holds ON people_seatchange;
DROP FUNCTION people_seat_change_holds();
"""


class Migration(migrations.Migration):
    dependencies = [("people", "0006_seat_changes")]

    operations = [migrations.RunSQL(HOLDS, FREE)]
