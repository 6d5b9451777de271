"""Triggers that hold rules in the database, for migrations. Each returns a reversible RunSQL."""

from django.db import migrations

DESTROYED = "destroyed"  # stands where words were emptied with the personal data of whom they may have named

_REFUSE = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;
"""


def append_only(table: str) -> migrations.RunSQL:
    """Refuse UPDATE, DELETE and TRUNCATE on `table`, whoever asks."""
    return migrations.RunSQL(
        _REFUSE
        + f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change();"
        + f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();",
        f"DROP TRIGGER {table}_append_only ON {table}; DROP TRIGGER {table}_no_truncate ON {table};",
    )


_REFUSE_ALL_BUT_EMPTYING = f"""
CREATE OR REPLACE FUNCTION refuse_all_but_emptying() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND to_jsonb(NEW) ->> TG_ARGV[0] = '{DESTROYED}'
     AND to_jsonb(NEW) - TG_ARGV[0] = to_jsonb(OLD) - TG_ARGV[0] THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;
"""


def emptied_only(table: str, column: str) -> migrations.RunSQL:
    """Let an append-only `table` have one column's words replaced by DESTROYED, and nothing else of it changed."""
    drop = f"DROP TRIGGER {table}_append_only ON {table};"
    create = f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION"
    return migrations.RunSQL(
        f"{_REFUSE_ALL_BUT_EMPTYING} {drop} {create} refuse_all_but_emptying('{column}');",
        f"{drop} {create} refuse_change();",
    )
