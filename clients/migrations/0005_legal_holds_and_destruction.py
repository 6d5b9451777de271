"""Legal holds, destruction by two people, and the database's own refusal of either without them."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

HELD = """
CREATE FUNCTION clients_refuse_under_hold() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  held uuid := OLD.id;
BEGIN
  IF TG_OP = 'UPDATE' AND NOT (OLD.erased_at IS NULL AND NEW.erased_at IS NOT NULL) THEN RETURN NEW; END IF;
  IF EXISTS (SELECT 1 FROM clients_legalhold WHERE client_id = held AND released_at IS NULL) THEN
    RAISE EXCEPTION 'a legal hold stands on this client' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'a client is erased, never deleted' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF NOT EXISTS (
    SELECT 1 FROM clients_destruction WHERE client_id = held AND done_at IS NOT NULL AND approved_by_id <> proposed_by_id
  ) THEN
    RAISE EXCEPTION 'no two people approved this destruction' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER clients_client_held BEFORE UPDATE OR DELETE ON clients_client
  FOR EACH ROW EXECUTE FUNCTION clients_refuse_under_hold();

CREATE FUNCTION clients_hold_is_released_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' OR OLD.released_at IS NOT NULL OR NEW.client_id <> OLD.client_id OR NEW.reason <> OLD.reason
     OR NEW.placed_by_id <> OLD.placed_by_id OR NEW.placed_at <> OLD.placed_at THEN
    RAISE EXCEPTION 'a legal hold is released once and never changed' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER clients_legalhold_kept BEFORE UPDATE OR DELETE ON clients_legalhold
  FOR EACH ROW EXECUTE FUNCTION clients_hold_is_released_once();
"""
FREE = """
DROP TRIGGER clients_client_held ON clients_client; DROP FUNCTION clients_refuse_under_hold;
DROP TRIGGER clients_legalhold_kept ON clients_legalhold; DROP FUNCTION clients_hold_is_released_once;
"""
# Accounts that were closed before this column was there: the day of IBKR's last word stands for the day they closed.
CLOSED = (
    "UPDATE clients_account SET closed_on = status_as_of::date WHERE ibkr_status = 'C' AND status_as_of IS NOT NULL"
)


class Migration(migrations.Migration):
    dependencies = [
        ("clients", "0004_seal_names_of_files"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="account",
            name="closed_on",
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name="client",
            name="erased_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.CreateModel(
            name="Destruction",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("kept_until", models.DateField()),
                ("proposed_at", models.DateTimeField()),
                ("done_at", models.DateTimeField(null=True)),
                ("dropped_at", models.DateTimeField(null=True)),
                (
                    "approved_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="destructions", to="clients.client"
                    ),
                ),
                (
                    "proposed_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "ordering": ["-proposed_at"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("approved_by", models.F("proposed_by")), _negated=True),
                        name="destruction_needs_two_people",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("done_at", None),
                            models.Q(("approved_by__isnull", False), ("dropped_at", None)),
                            _connector="OR",
                        ),
                        name="destruction_was_approved",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("done_at", None), ("dropped_at", None)),
                        fields=("client",),
                        name="one_destruction_waits",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="LegalHold",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("reason", models.CharField(max_length=300)),
                ("placed_at", models.DateTimeField()),
                ("released_at", models.DateTimeField(null=True)),
                ("release_reason", models.CharField(blank=True, max_length=300)),
                (
                    "client",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="holds", to="clients.client"
                    ),
                ),
                (
                    "placed_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "released_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-placed_at"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("released_by", models.F("placed_by")), _negated=True),
                        name="hold_released_by_another",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("released_at", None), ("released_by", None)),
                            models.Q(("released_at__isnull", False), ("released_by__isnull", False)),
                            _connector="OR",
                        ),
                        name="hold_release_is_whole",
                    ),
                ],
            },
        ),
        migrations.RunSQL(CLOSED, migrations.RunSQL.noop),
        migrations.RunSQL(HELD, FREE),
    ]
