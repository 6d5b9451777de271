"""Two people's word that IBKR has nothing of a doubt: append-only, of those who may release, of an open doubt alone."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from backoffice.core.sql import append_only

ALLOWED = """
CREATE FUNCTION journal_attestation_is_allowed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM journal_submission WHERE id = NEW.submission_id AND state = 'unknown') THEN
    RAISE EXCEPTION 'only an open doubt is attested on' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF NOT EXISTS (SELECT 1 FROM people_user
                 WHERE id = NEW.person_id AND is_active AND role IN ('principal', 'operations')) THEN
    RAISE EXCEPTION 'this person may not attest' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER journal_attestation_allowed BEFORE INSERT ON journal_attestation
  FOR EACH ROW EXECUTE FUNCTION journal_attestation_is_allowed();
"""
FREE = """
DROP TRIGGER journal_attestation_allowed ON journal_attestation;
DROP FUNCTION journal_attestation_is_allowed();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("journal", "0005_releases_by_those_who_may"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Attestation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("evidence", models.TextField()),
                ("for_attempt", models.PositiveSmallIntegerField()),
                ("at", models.DateTimeField()),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "submission",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="attestations",
                        to="journal.submission",
                    ),
                ),
            ],
            options={"verbose_name_plural": "attestations"},
        ),
        migrations.AddConstraint(
            model_name="attestation",
            constraint=models.UniqueConstraint(
                fields=("submission", "person", "for_attempt"), name="one_attestation_per_person"
            ),
        ),
        append_only("journal_attestation"),
        migrations.RunSQL(ALLOWED, FREE),
    ]
