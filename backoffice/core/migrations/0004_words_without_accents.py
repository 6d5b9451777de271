"""How names are folded for the search: small letters, no accents, a few letters that do not come apart replaced."""

from django.db import migrations

_FOLD = """
CREATE FUNCTION folded(given text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$
  SELECT regexp_replace(
    replace(replace(translate(normalize(lower(given), NFKD), 'øłđıð', 'oldid'), 'ß', 'ss'), 'æ', 'ae'),
    '[\u0300-\u036f]', '', 'g')
$$;
CREATE FUNCTION folded_words(given text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$
  SELECT to_tsvector('pg_catalog.simple'::regconfig, regexp_replace(folded(given), '[^[:alnum:]]+', ' ', 'g'))
$$;
CREATE FUNCTION folded_beginnings(given text) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$
  SELECT to_tsquery('pg_catalog.simple'::regconfig,
    array_to_string(regexp_split_to_array(trim(regexp_replace(folded(given), '[^[:alnum:]]+', ' ', 'g')), ' +'), ':* & ') || ':*')
$$;
"""
_UNFOLD = "DROP FUNCTION folded_beginnings(text); DROP FUNCTION folded_words(text); DROP FUNCTION folded(text);"


class Migration(migrations.Migration):
    dependencies = [("core", "0003_cache_table")]
    operations = [migrations.RunSQL(_FOLD, _UNFOLD)]
