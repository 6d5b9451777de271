"""The limiter's one question and the health note's one write, as functions: one round trip each, from every process."""

from django.db import migrations

# Limiter and health rows say nothing that outlives a crash of the database, and are written at every call: no WAL.
UNLOGGED = ("broker_limitslot", "broker_limitwaiter", "broker_familyminute", "broker_familyhealth")

# Take one slot of every bucket, or none. A slot taken stays busy for `p_lease` seconds unless it is given back before:
# that is what a process that dies leaves behind. Answers {"slots": [...]}, {"wait_ms": n} or {"penalty": instant}.
TAKE = """
CREATE FUNCTION broker_take_slots(
  p_address text, p_waiter uuid, p_priority int, p_buckets text[], p_calls int[], p_usable int[], p_seconds int[],
  p_lease int
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  moment timestamptz := clock_timestamp();
  held bigint[] := '{}';
  penalty timestamptz;
  place int;
  busy int;
  found bigint;
  next_free timestamptz;
  wait_until timestamptz := NULL;
  missing text := NULL;
BEGIN
  SELECT until INTO penalty FROM broker_penalty WHERE address = p_address AND until > moment;
  IF penalty IS NOT NULL THEN
    RETURN jsonb_build_object('penalty', to_char(penalty AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'));
  END IF;
  FOR place IN 1 .. coalesce(array_length(p_buckets, 1), 0) LOOP
    IF NOT EXISTS (SELECT 1 FROM broker_limitslot WHERE bucket = p_buckets[place] AND number = p_calls[place]) THEN
      INSERT INTO broker_limitslot (bucket, number, free_at, is_out)
        SELECT p_buckets[place], n, 'epoch', FALSE FROM generate_series(1, p_calls[place]) AS n ON CONFLICT DO NOTHING;
    END IF;
    found := NULL;
    SELECT count(*) INTO busy FROM broker_limitslot
      WHERE bucket = p_buckets[place] AND number <= p_calls[place] AND free_at > moment;
    IF busy < p_usable[place] AND NOT EXISTS (
      SELECT 1 FROM broker_limitwaiter WHERE bucket = p_buckets[place] AND priority < p_priority AND until > moment
    ) THEN
      SELECT id INTO found FROM broker_limitslot
        WHERE bucket = p_buckets[place] AND number <= p_calls[place] AND free_at <= moment
        ORDER BY free_at, number LIMIT 1 FOR UPDATE SKIP LOCKED;
    END IF;
    IF found IS NULL THEN
      missing := p_buckets[place];
      -- A call that is out is answered soon, and its slot is free one window later: that is the best guess there is.
      SELECT likely INTO next_free FROM (
        SELECT CASE WHEN is_out
          THEN least(free_at, moment + greatest(make_interval(secs => p_seconds[place]), interval '25 milliseconds'))
          ELSE free_at END AS likely
        FROM broker_limitslot WHERE bucket = p_buckets[place] AND number <= p_calls[place] AND free_at > moment
      ) AS busy_slots ORDER BY likely OFFSET greatest(busy - p_usable[place], 0) LIMIT 1;
      wait_until := coalesce(next_free, moment + interval '5 milliseconds');
      EXIT;
    END IF;
    held := held || found;
  END LOOP;
  IF missing IS NULL THEN
    UPDATE broker_limitslot SET free_at = moment + make_interval(secs => p_lease), is_out = TRUE
      WHERE id = ANY(held);
    DELETE FROM broker_limitwaiter WHERE id = p_waiter;
    RETURN jsonb_build_object('slots', to_jsonb(held));
  END IF;
  INSERT INTO broker_limitwaiter (id, bucket, priority, until)
    VALUES (p_waiter, missing, p_priority, least(wait_until, moment + interval '1 second') + interval '250 milliseconds')
    ON CONFLICT (id) DO UPDATE SET bucket = excluded.bucket, until = excluded.until;
  RETURN jsonb_build_object(
    'wait_ms', greatest(ceil(extract(epoch FROM wait_until - moment) * 1000), 1)::bigint, 'bucket', missing
  );
END $$;
"""

GIVE_BACK = """
CREATE FUNCTION broker_give_back(p_slots bigint[], p_seconds int[]) RETURNS void LANGUAGE sql AS $$
  UPDATE broker_limitslot AS slot SET free_at = clock_timestamp() + make_interval(secs => given.seconds), is_out = FALSE
  FROM unnest(p_slots, p_seconds) AS given(id, seconds) WHERE slot.id = given.id;
$$;
"""

NOTE = """
CREATE FUNCTION broker_note_exchange(
  p_master uuid, p_family text, p_at timestamptz, p_answered boolean, p_milliseconds int, p_step int, p_steps int,
  p_failure text
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO broker_familyhealth AS kept
    (master_id, family, last_success_at, last_failure_at, last_failure, last_milliseconds)
    VALUES (p_master, p_family, CASE WHEN p_answered THEN p_at END, CASE WHEN NOT p_answered THEN p_at END, p_failure,
            p_milliseconds)
    ON CONFLICT (master_id, family) DO UPDATE SET
      last_success_at = coalesce(excluded.last_success_at, kept.last_success_at),
      last_failure_at = coalesce(excluded.last_failure_at, kept.last_failure_at),
      last_failure = CASE WHEN p_answered THEN kept.last_failure ELSE excluded.last_failure END,
      last_milliseconds = excluded.last_milliseconds;
  INSERT INTO broker_familyminute AS kept (master_id, family, minute, calls, failures, took)
    VALUES (p_master, p_family, date_trunc('minute', p_at), 1, (NOT p_answered)::int,
            array_fill(0, ARRAY[p_step]) || 1 || array_fill(0, ARRAY[p_steps - p_step - 1]))
    ON CONFLICT (master_id, family, minute) DO UPDATE SET
      calls = kept.calls + 1,
      failures = kept.failures + excluded.failures,
      took[p_step + 1] = kept.took[p_step + 1] + 1;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("broker", "0002_limits_windows_and_keys")]

    operations = [
        *(
            migrations.RunSQL(f"ALTER TABLE {table} SET UNLOGGED", f"ALTER TABLE {table} SET LOGGED")
            for table in UNLOGGED
        ),
        migrations.RunSQL(TAKE, "DROP FUNCTION broker_take_slots"),
        migrations.RunSQL(GIVE_BACK, "DROP FUNCTION broker_give_back"),
        migrations.RunSQL(NOTE, "DROP FUNCTION broker_note_exchange"),
    ]
