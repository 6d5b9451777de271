"""The folding finds its parts whatever the search path: pg_restore empties it, and the tables that fold were not restored."""

from django.db import migrations

_HOLD = """
ALTER FUNCTION folded_words(text) SET search_path FROM CURRENT;
ALTER FUNCTION folded_beginnings(text) SET search_path FROM CURRENT;
"""
_LET_GO = """
ALTER FUNCTION folded_words(text) RESET search_path;
ALTER FUNCTION folded_beginnings(text) RESET search_path;
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0004_words_without_accents")]
    operations = [migrations.RunSQL(_HOLD, _LET_GO)]
