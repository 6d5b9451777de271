"""Keeping IBKR's pace: one call in five seconds to `orders` and to `trades`, whichever process asks (trading.md 3).

A breach shuts out the whole address for 10 to 15 minutes, so the slots are rows, reserved before the call.
"""

import time
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db import transaction

from backoffice.broker.models import MasterAccount
from backoffice.core import clock
from backoffice.ibkr.errors import RateLimited
from trading.models import Pace

MARGIN = timedelta(milliseconds=200)
LONGEST_WAIT = timedelta(seconds=12)
PENALTY = timedelta(minutes=15)


def wait_for(master: MasterAccount, endpoint: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Reserve the next slot of an endpoint and wait until it comes. Raises RateLimited when that is too far off."""
    spacing = timedelta(seconds=int(settings.TRADING_PACE_SECONDS))
    if not spacing:
        return
    now = clock.now()
    with transaction.atomic():
        row, _ = Pace.objects.select_for_update().get_or_create(
            master=master, endpoint=endpoint, defaults={"free_at": now}
        )
        slot = max(now, row.free_at)
        if slot - now > LONGEST_WAIT:
            raise RateLimited(f"The next call to {endpoint} may leave at {slot:%H:%M:%S} UTC.")
        Pace.objects.filter(pk=row.pk).update(free_at=slot + spacing + MARGIN)
    if slot > now:
        sleep((slot - now).total_seconds())


def hold_back(master: MasterAccount, error: RateLimited) -> None:
    """IBKR limits us: leave every paced endpoint of this connection alone for as long as it says, else 15 minutes."""
    seconds = error.retry_after
    until = clock.now() + (timedelta(seconds=seconds) if seconds else PENALTY)
    for endpoint in ("orders", "trades", "portfolio"):
        Pace.objects.update_or_create(master=master, endpoint=endpoint, defaults={"free_at": until})
