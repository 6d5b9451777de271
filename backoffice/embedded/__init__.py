"""What `make` stands on: the bootstrap, and the supervisor of the embedded PostgreSQL, Valkey, sandbox, web and workers.

`bootstrap.py` runs on the machine's own Python and uses nothing but the standard library; everything after it runs in
`.venv/`. Nothing here is used in production, where PostgreSQL and the broker are servers of their own.
"""
