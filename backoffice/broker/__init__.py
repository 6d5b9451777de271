"""Connections to IBKR: master accounts, their tokens and sessions, gates, health.

Rows anyone above may read. `client` turns a row into an IbkrClient and is reserved to the apps' dispatch modules and
to `session`, the session keeper; so the web process cannot open a connection to IBKR, even by accident. What the
session's stream brings is heard by whoever registered with `streaming`.
"""
