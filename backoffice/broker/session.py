"""The session keeper: one owner per brokerage username, by lease, with a fence.

Token, SSO session, validate, init, wait until established, prime, tickle; then the stream, for whoever registered with
`streaming`. A session that is still good is resumed with the bearer it was opened with: so a keeper that was killed
leaves nothing that its successor would have to throw out, and after IBKR's nightly reset no new sign-on is needed.

A competing login is seen and said, never fought: `compete` is never sent, and IBKR is asked again once a minute at
most. A sign-on for paper trading where the connection is a live one, or the other way, is ended before it can trade.
In IBKR's maintenance windows nothing is tried at all. Sources: trading.md sections 1.1-1.3 and 7.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, Q, Value, When

from backoffice.broker import calendar
from backoffice.broker import client as broker
from backoffice.broker.models import BrokerageSession, MasterAccount, SessionState
from backoffice.broker.streaming import Line
from backoffice.core import clock, processes
from backoffice.ibkr import IbkrClient
from backoffice.ibkr.diagnosis import is_paper_account, other_kind_of_login, sentences
from backoffice.ibkr.errors import AuthFailed, HeldBack, IbkrError
from backoffice.ibkr.stream import CookieForm
from backoffice.ibkr.types.session import AuthStatus
from backoffice.ibkr.windows import Closure

LEASE = timedelta(seconds=45)
TICKLE_EVERY = timedelta(seconds=55)
LOOK_EVERY_SECONDS = 5
ESTABLISH_SECONDS = 30
COMPETING_SECONDS = 60
RETRY_SECONDS = (5, 15, 30, 60)  # never quicker than once a minute in the long run: IBKR locks out re-login loops
STREAM_AGAIN = timedelta(seconds=60)  # after IBKR refused a stream though the session was good
OF_THE_SESSION = ("username", "client_id", "environment", "base_url")  # with another of these it is another session
TICKLE_PATH = "/v1/api/tickle"


class LeaseLost(Exception):
    """Another keeper owns this username now; this one must stop at once."""


class WrongKindOfLogin(AuthFailed):
    """The username trades on paper where the connection must be live, or the other way: nothing may go through it."""


class Keeper:
    """Keeps the brokerage session of one connection. Holds the fence of its lease."""

    def __init__(self, master: MasterAccount, *, sleep: Callable[[int], None] = time.sleep) -> None:
        self.master = master
        self._master_then = copy(master)  # as it was when this keeper took the username over
        self.owner = processes.name()
        self.fence = 0
        self._sleep = sleep
        self._line: Line | None = None
        self._next_line_at: datetime | None = None
        self._is_doubtful = False
        self._is_opening = False
        self._why_not_open = ""

    def acquire(self) -> bool:
        """Take the lease if it is free or lapsed; True when this keeper owns the username now."""
        BrokerageSession.objects.get_or_create(master=self.master)
        now = clock.now()
        free = Q(lease_until__isnull=True) | Q(lease_until__lt=now) | Q(owner=self.owner)
        taken = BrokerageSession.objects.filter(free, master=self.master).update(
            owner=self.owner, lease_until=now + LEASE, fence=F("fence") + 1
        )
        if taken:
            self.master.refresh_from_db()
            self._master_then = copy(self.master)
            self.fence = self._row().fence
        return bool(taken)

    def open(self) -> bool:
        """Log in and wait until IBKR says established. True when live; False when another login competes.

        Raises IbkrError when IBKR does not let us in.
        """
        self._is_opening = True
        self._note(SessionState.STARTING, "Logging in")
        client = broker.client_for(self.master, lane="session")
        status = self._status_of_old_bearer(client)
        is_resumed = status is not None and status.is_ready
        if status is None:
            self._sign_on(client)
        if not is_resumed:
            status = self._establish(client)
        if status is not None and status.competing:
            self._note(SessionState.COMPETING, _competing_words("Someone else is logged in with this username", status))
            return False
        self._prime(client)
        serial = {} if is_resumed else {"serial": F("serial") + 1}
        self._note(SessionState.LIVE, "", last_tickle_at=clock.now(), **serial)
        self._is_opening, self._why_not_open = False, ""
        return True

    def _status_of_old_bearer(self, client: IbkrClient) -> AuthStatus | None:
        """Return how the session of the bearer we have stands; None when that sign-on is over, or there was none."""
        if not self._row().bearer:
            return None
        try:
            return client.session.status()
        except AuthFailed:
            return None

    def _sign_on(self, client: IbkrClient) -> None:
        granted = client.sso.trading_session(self.master.username, ip=settings.IBKR_EGRESS_IP)
        self._keep_bearer(granted.bearer)
        self._require_kind(client, client.session.validate().is_paper)

    def _keep_bearer(self, bearer: str | None) -> None:
        self._renew()
        with transaction.atomic():
            # A keeper that lost its lease meanwhile, be it a moment ago, must not write over its successor's bearer.
            mine = BrokerageSession.objects.filter(master=self.master, fence=self.fence, owner=self.owner)
            row = mine.select_for_update().first()
            if row is None:
                raise LeaseLost
            row.bearer = bearer
            row.save(update_fields=["bearer"])

    def _establish(self, client: IbkrClient) -> AuthStatus:
        status = client.session.init(compete=False)
        waited = 0
        while not status.is_ready and not status.competing:
            if waited == ESTABLISH_SECONDS:
                raise AuthFailed(f"IBKR did not establish the session within {ESTABLISH_SECONDS} seconds.")
            self._sleep(1)
            waited += 1
            self._renew()
            status = client.session.status()
        return status

    def keep(self, *, should_stop: Callable[[], bool]) -> None:
        """Own the session until told to stop, then leave none behind.

        Returns when stopped, when the lease is lost, and when the connection has become another one; a new key is used.
        """
        failures = 0
        try:
            while not should_stop() and self._is_the_same_connection():
                self._renew()
                try:
                    self._rest_or_step(should_stop)
                    failures = 0
                except IbkrError as error:
                    self._hang_up()
                    failures = failures + 1 if not isinstance(error, WrongKindOfLogin) else len(RETRY_SECONDS)
                    self._note(SessionState.DOWN, self._words_for(error))
                    self._pause(RETRY_SECONDS[min(failures, len(RETRY_SECONDS)) - 1], should_stop)
            self.close()
        except LeaseLost:
            return
        finally:
            self._hang_up()

    def _words_for(self, error: IbkrError) -> str:
        """Say what the test of the connection would say. An open session that IBKR ends says nothing about the settings."""
        if isinstance(error, WrongKindOfLogin) or (isinstance(error, AuthFailed) and not self._is_opening):
            return error.reason
        if not isinstance(error, HeldBack):
            self._why_not_open = sentences(error, broker.facts_of(self.master))
        return self._why_not_open or error.reason  # that our own limits now hold us back is not the cause

    def _is_the_same_connection(self) -> bool:
        """Look whether the session we keep is still this connection's, and take over what else was changed of it."""
        self.master.refresh_from_db()
        is_same = all(getattr(self.master, name) == getattr(self._master_then, name) for name in OF_THE_SESSION)
        if is_same:
            self._master_then = copy(self.master)
        return is_same

    def _rest_or_step(self, should_stop: Callable[[], bool]) -> None:
        closure = calendar.closed_for_path(self.master, TICKLE_PATH)
        if closure is None:
            self._step(should_stop)
        else:
            self._rest(closure, should_stop)

    def _step(self, should_stop: Callable[[], bool] = lambda: False) -> None:
        row = self._row()
        if row.state != SessionState.LIVE:
            self._hang_up()
            if not self.open():
                self._pause(COMPETING_SECONDS, should_stop)
            return
        if self._is_doubtful or row.last_tickle_at is None or clock.now() - row.last_tickle_at >= TICKLE_EVERY:
            self._is_doubtful = False
            if not self._tickle():
                return
        self._listen(should_stop)

    def _tickle(self) -> bool:
        """Keep the session alive; False when it is not ours any more."""
        session = broker.client_for(self.master, lane="session").session
        status = session.tickle().auth or session.status()
        if status.competing:
            self._note(SessionState.COMPETING, _competing_words("Someone else took the session over", status))
        elif not status.authenticated:
            self._note(SessionState.DOWN, "IBKR ended the session")
        else:
            self._note(SessionState.LIVE, "", last_tickle_at=clock.now())
            return True
        return False

    # ---- the stream

    def _listen(self, should_stop: Callable[[], bool]) -> None:
        """Hear the stream until the next look at the lease; without one, wait as long."""
        line = self._line_now()
        if line is None:
            self._pause(LOOK_EVERY_SECONDS, should_stop)
            return
        line.subscribe()
        for _ in range(LOOK_EVERY_SECONDS):
            if should_stop() or self._is_doubtful:
                break
            self._renew()  # opening a line that does not answer takes longer than the second it was given
            self._is_doubtful |= line.run(1)
        self._note_line(line)
        if line.is_over:
            self._next_line_at = clock.now() + STREAM_AGAIN
            self._hang_up(keep_state=True)

    def _line_now(self) -> Line | None:
        if self._line is None and (self._next_line_at is None or clock.now() >= self._next_line_at):
            client = broker.client_for(self.master, lane="session")
            session = client.session.tickle().session
            cookie = CookieForm(settings.STREAM_COOKIE)
            if session:
                self._line = Line(
                    self.master, lambda on_event: client.streams.open(session, on_event=on_event, cookie=cookie)
                )
        return self._line

    def _hang_up(self, *, keep_state: bool = False) -> None:
        line, self._line = self._line, None
        if line is None:
            return
        line.close()
        if not keep_state:
            BrokerageSession.objects.filter(master=self.master, fence=self.fence).update(
                stream_since=None, stream_topics=0, stream_detail=""
            )

    def _note_line(self, line: Line) -> None:
        state = line.state
        BrokerageSession.objects.filter(master=self.master, fence=self.fence).update(
            stream_since=state.since,
            stream_heard_at=state.heard_at,
            stream_topics=state.topics,
            stream_detail=state.detail[:300],
        )

    # ---- waiting and ending

    def _rest(self, closure: Closure, should_stop: Callable[[], bool]) -> None:
        """Leave IBKR alone while it is closed; what was live is looked at afterwards."""
        self._hang_up()
        self._note(SessionState.DOWN, calendar.sentence(closure))
        self._pause(LOOK_EVERY_SECONDS, should_stop)

    def close(self) -> None:
        """Log out and give the lease back. Where IBKR heard nothing of it, the next keeper takes that session up again."""
        self._hang_up()
        row = self._row()
        changes: dict[str, object] = {"bearer": None}
        detail = "Logged out" if row.bearer else ""
        if row.bearer and row.state != SessionState.COMPETING:
            self._note(SessionState.STARTING, "Logging out")  # a session we lost sight of may still be there
            try:
                broker.client_for(self._master_then, lane="session").session.logout()
            except AuthFailed:
                detail = "Ended at IBKR"  # nobody is logged in with that bearer any more
            except IbkrError as error:
                detail = f"Not logged out: {error.reason}"
                changes = {} if self._is_the_same_connection() else changes
        self._note(SessionState.DOWN, detail, owner="", lease_until=None, **changes)

    def _prime(self, client: IbkrClient) -> None:
        # Without these two reads everything under /iserver and /portfolio answers with an error (trading.md section 2).
        reached = client.session.accounts()
        self._require_kind(client, reached.is_paper, *(is_paper_account(each) for each in reached.accounts))
        client.portfolio.subaccounts()

    def _require_kind(self, client: IbkrClient, *signs: bool | None) -> None:
        """End the sign-on at once if any of IBKR's signs says that it is for the other kind of money (trading.md 1.3)."""
        master = self.master
        for is_paper in signs:
            wrong = other_kind_of_login(
                is_paper, environment=master.environment, master=master.account, username=master.username
            )
            if wrong is not None:
                with suppress(IbkrError):  # without its bearer nothing of ours goes through it in any case
                    client.session.logout()
                self._keep_bearer(None)
                raise WrongKindOfLogin(str(wrong))

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
        # A state that is only said again began when it was first said: pages tell since when.
        since = Case(When(state=state, then=F("changed_at")), default=Value(clock.now()))
        mine = BrokerageSession.objects.filter(master=self.master, fence=self.fence)
        if not mine.update(state=state, detail=detail[:300], changed_at=since, **changes):
            raise LeaseLost


def _competing_words(what: str, status: AuthStatus) -> str:
    """Say what is so, with whatever IBKR added: it never names who it is."""
    said = f". IBKR says: {status.message}" if status.message else ""
    return f"{what}, e.g. in TWS{said}"
