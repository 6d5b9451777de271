"""The session keeper: one owner per brokerage username, by lease, with a fence.

Token, SSO session, validate, init, wait until established, prime, tickle. A competing login is seen and said, never
fought: the keeper takes a session over only where the row shows that the stale one was this installation's own.
Sources: trading.md sections 1.1-1.3.
"""

import os
import socket
import time
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db.models import F, Q

from backoffice.broker import client as broker
from backoffice.broker.models import BrokerageSession, MasterAccount, SessionState
from backoffice.core import clock
from backoffice.ibkr import IbkrClient
from backoffice.ibkr.errors import AuthFailed, IbkrError

LEASE = timedelta(seconds=45)
TICKLE_EVERY = timedelta(seconds=55)
LOOK_EVERY_SECONDS = 5
ESTABLISH_SECONDS = 30
COMPETING_SECONDS = 60
RETRY_SECONDS = (5, 15, 30, 60)  # never quicker than once a minute in the long run: IBKR locks out re-login loops


class LeaseLost(Exception):
    """Another keeper owns this username now; this one must stop at once."""


class Keeper:
    """Keeps the brokerage session of one connection. Holds the fence of its lease."""

    def __init__(self, master: MasterAccount, *, sleep: Callable[[int], None] = time.sleep) -> None:
        self.master = master
        self.owner = f"{socket.gethostname()}:{os.getpid()}"
        self.fence = 0
        self._sleep = sleep

    def acquire(self) -> bool:
        """Take the lease if it is free or lapsed; True when this keeper owns the username now."""
        BrokerageSession.objects.get_or_create(master=self.master)
        now = clock.now()
        free = Q(lease_until__isnull=True) | Q(lease_until__lt=now) | Q(owner=self.owner)
        taken = BrokerageSession.objects.filter(free, master=self.master).update(
            owner=self.owner, lease_until=now + LEASE, fence=F("fence") + 1
        )
        if taken:
            self.fence = self._row().fence
        return bool(taken)

    def open(self) -> bool:
        """Log in and wait until IBKR says established. True when live; False when another login competes.

        Raises IbkrError when IBKR does not let us in.
        """
        was_ours = self._row().state in {SessionState.LIVE, SessionState.STARTING}
        self._note(SessionState.STARTING, "Logging in")
        client = broker.client_for(self.master, lane="session")
        granted = client.sso.trading_session(self.master.username, ip=settings.IBKR_EGRESS_IP)
        row = self._row()
        row.bearer = granted.bearer
        row.save(update_fields=["bearer"])
        client.session.validate()
        status = client.session.init(compete=was_ours)
        waited = 0
        while not status.is_ready and not status.competing and waited < ESTABLISH_SECONDS:
            self._sleep(1)
            waited += 1
            self._renew()
            status = client.session.status()
        if status.competing:
            self._note(SessionState.COMPETING, "Someone else is logged in with this username, e.g. in TWS")
            return False
        if not status.is_ready:
            raise AuthFailed(f"IBKR did not establish the session within {ESTABLISH_SECONDS} seconds.")
        self._prime(client)
        self._note(SessionState.LIVE, "", serial=F("serial") + 1, last_tickle_at=clock.now())
        return True

    def keep(self, *, should_stop: Callable[[], bool]) -> None:
        """Own the session until told to stop, then leave none behind. Returns when stopped or when the lease is lost."""
        failures = 0
        try:
            while not should_stop():
                self._renew()
                try:
                    failures = self._step(failures)
                except IbkrError as error:
                    failures += 1
                    self._note(SessionState.DOWN, error.reason)
                    self._pause(RETRY_SECONDS[min(failures, len(RETRY_SECONDS)) - 1], should_stop)
        except LeaseLost:
            return
        self.close()

    def _step(self, failures: int) -> int:
        row = self._row()
        if row.state != SessionState.LIVE:
            if not self.open():
                self._wait_for_the_other_login()
            return 0
        if row.last_tickle_at is None or clock.now() - row.last_tickle_at >= TICKLE_EVERY:
            session = broker.client_for(self.master, lane="session").session
            status = session.tickle().auth or session.status()
            if status.competing:
                self._note(SessionState.COMPETING, "Someone else took the session over, e.g. in TWS")
            elif not status.authenticated:
                self._note(SessionState.DOWN, "IBKR ended the session")
            else:
                self._note(SessionState.LIVE, "", last_tickle_at=clock.now())
        self._sleep(LOOK_EVERY_SECONDS)
        return 0

    def _wait_for_the_other_login(self) -> None:
        # One look a minute: quicker would be the fight that trading.md 1.3 warns of.
        for _ in range(COMPETING_SECONDS // LOOK_EVERY_SECONDS):
            self._renew()
            self._sleep(LOOK_EVERY_SECONDS)

    def close(self) -> None:
        """Log out and give the lease back."""
        if self._row().bearer:
            try:
                broker.client_for(self.master, lane="session").session.logout()
            except IbkrError as error:
                self._note(SessionState.DOWN, f"Not logged out: {error.reason}")
        BrokerageSession.objects.filter(master=self.master, fence=self.fence).update(
            state=SessionState.DOWN,
            bearer=None,
            owner="",
            lease_until=None,
            changed_at=clock.now(),
            detail="Logged out",
        )

    def _prime(self, client: IbkrClient) -> None:
        # Without these two reads everything under /iserver and /portfolio answers with an error (trading.md section 2).
        client.session.accounts()
        client.portfolio.subaccounts()

    def _pause(self, seconds: int, should_stop: Callable[[], bool]) -> None:
        for _ in range(seconds):
            if should_stop():
                return
            self._renew()
            self._sleep(1)

    def _row(self) -> BrokerageSession:
        return BrokerageSession.objects.get(master=self.master)

    def _renew(self) -> None:
        held = BrokerageSession.objects.filter(master=self.master, fence=self.fence, owner=self.owner)
        if not held.update(lease_until=clock.now() + LEASE):
            raise LeaseLost

    def _note(self, state: SessionState, detail: str, **changes: object) -> None:
        mine = BrokerageSession.objects.filter(master=self.master, fence=self.fence)
        if not mine.update(state=state, detail=detail[:300], changed_at=clock.now(), **changes):
            raise LeaseLost
