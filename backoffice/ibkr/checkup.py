"""The test of a connection: step by step from its address to its sign-on, each failure with its cause and its cure."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from backoffice.core import clock
from backoffice.ibkr import keys, scopes, windows
from backoffice.ibkr.client import IbkrClient
from backoffice.ibkr.diagnosis import (
    Doing,
    Explanation,
    Facts,
    explain,
    is_mute,
    missing_scopes,
    other_kind_of_login,
    other_master,
    other_username,
    private_address,
    scopes_named,
    wrong_clock,
    wrong_environment,
)
from backoffice.ibkr.environments import require_safe
from backoffice.ibkr.errors import AuthFailed, HeldBack, IbkrError
from backoffice.ibkr.oauth import TOLERATED_SKEW_SECONDS
from backoffice.ibkr.session import Session


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the test. `explanation` is there when it failed, or when it passed with something to mend.

    A connection that lacks the scopes of some work does the rest of it, so that step passes.
    """

    name: str
    ok: bool
    explanation: Explanation | None
    milliseconds: int


def check(connect: Callable[[], IbkrClient], facts: Facts) -> list[Step]:
    """Try a connection from the key to the sign-on and return what was found, in order, as far as it makes sense to go.

    `connect` returns the client, with scopes of its own for the test (`scopes.SCOPES_OF_USE["echo"]`, `accounts.read`,
    and `sso-sessions.write` for a username); for the next key of a rotation, a client with `with_next_key()`. With a
    username a trading sign-on is opened, looked at and closed again; no brokerage session is opened, so nobody is
    thrown out. It takes about eight calls, and one more for each scope when IBKR does not say which one it refuses.
    """
    return list(_Checkup(connect, facts).steps())


class _Checkup:
    def __init__(self, connect: Callable[[], IbkrClient], facts: Facts) -> None:
        self._connect = connect
        self._facts = facts
        self._client: IbkrClient | None = None
        self._wanted: tuple[str, ...] = (*scopes.SCOPES_OF_USE["echo"], "accounts.read")
        if facts.username:
            self._wanted += scopes.SCOPES_OF_USE["trading"]

    def steps(self) -> Iterator[Step]:
        for doing, work in ((Doing.ADDRESS, self._address), (Doing.KEY, self._key), (Doing.TOKEN, self._token)):
            yield (step := self._step(doing, work))
            if not step.ok:
                return  # every later step would fail for the same reason
        if self._facts.scopes:
            yield self._step(Doing.SCOPES, self._scopes)
        yield self._step(Doing.ECHO, self._echo)
        yield self._step(Doing.SIGNED_ECHO, self._signed_echo)
        yield self._step(Doing.ACCOUNTS, self._accounts)
        if self._facts.username:
            yield from self._sign_on()

    def _step(self, doing: Doing, work: Callable[[], Explanation | None]) -> Step:
        started = time.monotonic_ns()
        try:
            remark = work()
        except _Wrong as wrong:
            return Step(doing.value, False, wrong.explanation, _milliseconds_since(started))
        except (IbkrError, ValueError) as problem:
            return Step(
                doing.value, False, explain(problem, doing=doing, facts=self._facts), _milliseconds_since(started)
            )
        return Step(doing.value, True, remark, _milliseconds_since(started))

    @property
    def _connected(self) -> IbkrClient:
        if self._client is None:
            self._client = self._connect()
        return self._client

    def _address(self) -> Explanation | None:
        require_safe(self._facts.base_url)
        if (wrong := wrong_environment(self._facts)) is not None:
            raise _Wrong(wrong)
        return private_address(self._facts)

    def _key(self) -> None:
        keys.parsed(self._connected.credentials.private_key)

    def _token(self) -> Explanation | None:
        try:
            token = self._connected.oauth.token(self._wanted)
        except AuthFailed as problem:
            # A bare "Bad Request" may mean the key or a scope: with a key that is good, some scopes are granted.
            missing = self._refused(self._wanted) if is_mute(problem) else []
            if 0 < len(missing) < len(self._wanted):
                raise _Wrong(missing_scopes(missing, self._facts)) from problem
            raise
        if token.master and token.master != self._facts.master:
            raise _Wrong(other_master(token.master, self._facts))
        if missing := sorted(set(self._wanted) - token.scopes):
            return missing_scopes(missing, self._facts)
        if token.skew_seconds is not None and abs(token.skew_seconds) > TOLERATED_SKEW_SECONDS:
            return wrong_clock(token.skew_seconds)
        return None

    def _scopes(self) -> Explanation | None:
        missing = self._refused(self._facts.scopes)
        return missing_scopes(missing, self._facts) if missing else None

    def _refused(self, wanted: tuple[str, ...]) -> list[str]:
        try:
            return sorted(set(wanted) - self._connected.oauth.token(wanted).scopes)
        except AuthFailed as problem:
            named = [scope for scope in scopes_named(problem) if scope in wanted]
            if named or len(wanted) == 1:
                return sorted(named or wanted)
            return sorted(scope for each in wanted for scope in self._refused((each,)))

    def _echo(self) -> None:
        self._connected.echo.https()

    def _signed_echo(self) -> None:
        self._connected.echo.signed()

    def _accounts(self) -> None:
        today = clock.today(windows.NEW_YORK)
        first = self._connected.accounts.first_status(today - timedelta(days=3650), today)
        owner = first.master_account_id if first is not None else None
        if owner is not None and owner != self._facts.master:
            raise _Wrong(other_master(owner, self._facts))

    def _sign_on(self) -> Iterator[Step]:
        bearers: list[str] = []

        def open_session() -> None:
            ip = self._facts.ip
            bearers.append(self._connected.sso.trading_session(self._facts.username, ip=ip).bearer)

        yield self._step(Doing.SIGN_ON, open_session)
        for bearer in bearers:
            session = self._connected.with_session(partial(str, bearer)).session
            try:
                yield self._step(Doing.VALIDATION, partial(self._validate, session))
            finally:
                _close(session.logout)

    def _validate(self, session: Session) -> Explanation | None:
        try:
            found = session.validate()
        except HeldBack as held:  # IBKR allows one look a minute, and the session's keeper may have had it
            return explain(held, doing=Doing.VALIDATION, facts=self._facts)
        if found.is_valid is False:
            raise AuthFailed("IBKR says that the sign-on is not valid.", status=401)
        if found.username and found.username.lower() != self._facts.username.lower():
            raise _Wrong(other_username(found.username, self._facts))
        facts = self._facts
        wrong = other_kind_of_login(
            found.is_paper, environment=facts.environment, master=facts.master, username=facts.username
        )
        if wrong is not None:
            raise _Wrong(wrong)
        return None


def _close(logout: Callable[[], bool]) -> None:
    with suppress(IbkrError):  # else it ends by itself within a day, and it holds no brokerage session
        logout()


class _Wrong(Exception):
    """A step was answered, and the answer shows what is wrong."""

    def __init__(self, explanation: Explanation) -> None:
        super().__init__(explanation.cause)
        self.explanation = explanation


def _milliseconds_since(started: int) -> int:
    return (time.monotonic_ns() - started) // 1_000_000
