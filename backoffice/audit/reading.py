"""Entries as the sealer and the verification read them: straight from the table, in the form their mac was made over."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backoffice.audit import canonical, keys

# The database gives instants as whole microseconds and `data` as text, so that no type is guessed on the way.
COLUMNS = (
    "e.id, (extract(epoch FROM e.at) * 1000000)::bigint, e.actor_id::text, e.action, e.subject_model, e.subject_id,"
    " e.summary, host(e.address), e.correlation, e.before, e.after, e.data::text, e.key_id, e.mac"
)


@dataclass(slots=True)
class Row:
    """An entry with the mac it carries."""

    content: canonical.Content
    key_id: str
    mac: str

    @property
    def is_genuine(self) -> bool:
        """Whether the product wrote exactly this. Raises UnknownKey never: a key we do not have proves nothing."""
        try:
            return canonical.mac(self.content, self.key_id) == self.mac
        except keys.UnknownKey:
            return False


def row(values: Sequence[Any]) -> Row:
    """Return one row of `COLUMNS`."""
    return Row(canonical.Content(*values[:12]), values[12], values[13])
