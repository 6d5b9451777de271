"""Workers, their lanes and their clock.

A message is a doorbell: it carries a primary key and may be lost or doubled. The rows are the queue, and the `sweep_`
tasks below find whatever a lost message left. Each lane is a queue with its own workers.
"""

import os
from typing import Any

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backoffice.settings")
app = Celery("backoffice")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


LANES = ("trading", "accounts", "funding", "reports", "interactive")
LANE_OF_APP = {
    "clients": "accounts",
    "funding": "funding",
    "trading": "trading",
    "reporting": "reports",
    "journal": "accounts",
    "audit": "accounts",
}


def route(name: str, *_args: Any, **_kwargs: Any) -> dict[str, str]:
    """Return the queue of a task: `answer_` tasks are inquiries a person waits for, all others go to their app's lane."""
    app_name, _, verb = name.partition(".")
    if verb.startswith("answer_"):
        return {"queue": "interactive"}
    return {"queue": LANE_OF_APP.get(app_name, "accounts")}


app.conf.task_routes = (route,)


SHORTEST_EXPIRY = 60


def _every(task: str, seconds: int) -> dict[str, Any]:
    # A doorbell older than its period is worthless: the next one says the same. But a worker tells its age by its own
    # clock: one that is a few seconds fast would let each pass, and nothing would be swept any more.
    return {"task": task, "schedule": seconds, "options": {"expires": max(seconds, SHORTEST_EXPIRY)}}


app.conf.beat_schedule = {
    name: _every(name, seconds)
    for name, seconds in {
        "journal.sweep_submissions": 5,
        "journal.sweep_inquiries": 5,
        "clients.poll_statuses": 10,
        "clients.sweep_changes": 10,
        "funding.sweep_transfers": 10,
        "trading.sync_portfolios": 60,
        "trading.sync_orders": 6,
        "trading.sweep_questions": 5,
        "reporting.sync_available": 3600,
        "reporting.sweep_fetches": 15,
        "broker.sweep_minutes": 3600,
        "home.note_and_tell": 60,
        "audit.seal_entries": 2,
        "audit.drop_anchor": 300,
        "audit.sweep_exchanges": 3600,
        "people.sweep_sessions": 3600,
        "people.sweep_counters": 3600,
        "home.sweep_notices": 3600,
    }.items()
} | {
    # One sign of life for each lane: only that lane's own worker can give it.
    f"journal.beat_heart.{lane}": {
        "task": "journal.beat_heart",
        "schedule": 10,
        "args": [lane],
        "options": {"queue": lane, "expires": 10},
    }
    for lane in LANES
}
