"""The ground everybody stands on: core, audit, people, the IBKR client, broker connections, the journal and the frame.

Its modules import no app. `settings`, `urls`, `celery` and `wsgi` are the roof: they name what they need as strings.
"""
