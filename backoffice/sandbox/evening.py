"""The end-of-day file that `GET /accounts/{id}/details` is said to equal: what every account looked like last evening.

With the knob `details_as_of` "last_evening" the details of all accounts are kept once a New York day, at its first
request, and shown until the next: what changes meanwhile is not seen, and an account made meanwhile is not there yet.
"""

from starlette.routing import Route

from . import reads
from .clock import NEW_YORK
from .jsonio import dumps
from .kernel import Sandbox

SCHEMA = ""


def register(sandbox: Sandbox) -> None:
    sandbox.on_tick.append(lambda: _keep(sandbox))


def routes(sandbox: Sandbox) -> list[Route]:
    return []


def _keep(sandbox: Sandbox) -> None:
    if sandbox.config.get("details_as_of", "now") == "now":
        return
    today = sandbox.clock.now().astimezone(NEW_YORK).date().isoformat()
    if sandbox.store.value("SELECT MAX(day) FROM evening_details") == today:
        return
    sandbox.store.execute("DELETE FROM evening_details")
    for master in sandbox.accounts.masters():
        for account in sandbox.accounts.of_master(master.account):
            whole = dumps(reads.details(sandbox, account))
            sandbox.store.execute("INSERT INTO evening_details VALUES (?, ?, ?)", account.account, today, whole)
