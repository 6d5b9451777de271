"""Who did what, when, to which object. Append-only, in the database's own keeping."""
