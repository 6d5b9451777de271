"""The session keeper against the sandbox: one owner, a competing login seen and not fought, nothing left behind."""

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from time import monotonic
from typing import Any

import pytest
import time_machine

from backoffice.broker import client as broker
from backoffice.broker import dispatch, streaming
from backoffice.broker.models import AccessToken, BrokerageSession, FamilyHealth, MasterAccount, SessionState
from backoffice.broker.session import TICKLE_EVERY, Keeper, LeaseLost
from backoffice.core import clock
from backoffice.ibkr.errors import AuthFailed, NotSent
from backoffice.ibkr.types.stream import QuoteEvent, SessionEvent

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def wanted() -> list[str]:
    """The instruments somebody wants."""
    return []


@pytest.fixture
def heard(wanted: list[str]) -> Iterator[list[Any]]:
    """What the stream tells the only listener there is."""
    told: list[Any] = []
    listener = streaming.Listener(
        wishes=lambda _master: streaming.Wishes(conids=tuple(wanted)), take=lambda _master, news: told.extend(news)
    )
    with streaming.listeners.holding(listener):
        yield told


def step_until(keeper: Keeper, found: Callable[[], bool]) -> None:
    """Keep the session until something is so; sooner than the next tickle, which would see it too."""
    deadline = monotonic() + TICKLE_EVERY.seconds // 2
    while not found():
        assert monotonic() < deadline, "it did not happen"
        keeper._step(found)


def test_opening_makes_the_session_live_and_usable(connected_master: Any, live_session: BrokerageSession) -> None:
    assert live_session.state == SessionState.LIVE
    assert live_session.serial == 1

    accounts = broker.client_for(connected_master, lane="trading").session.accounts()

    assert "U1000011" in accounts.accounts
    assert {row.family for row in FamilyHealth.objects.all()} >= {"token", "sso", "session"}


def test_without_a_live_session_nothing_is_sent(connected_master: Any, sandbox: Any) -> None:
    client = broker.client_for(connected_master, lane="trading")

    with pytest.raises((NotSent, AuthFailed)):
        client.orders.live()

    assert [call for call in sandbox.requests() if "/v1/api" in call["path"]] == []


def test_one_token_call_serves_every_client_of_a_lane(connected_master: Any, sandbox: Any) -> None:
    for _ in range(3):
        broker.client_for(connected_master, lane="accounts").accounts.status("U1000011")

    assert len([call for call in sandbox.requests() if call["path"].endswith("/token")]) == 1
    assert AccessToken.objects.count() == 1


def test_a_second_keeper_waits_while_the_first_holds_the_lease(
    live_session: BrokerageSession, connected_master: Any
) -> None:
    second = Keeper(connected_master)
    second.owner = "another-host:1"

    assert second.acquire() is False


def test_a_container_with_the_name_of_another_waits_as_any_other_host_does(
    live_session: BrokerageSession, connected_master: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Keeper(connected_master)
    assert first.acquire()
    monkeypatch.setattr(os, "readlink", lambda _path: "pid:[4026532999]")  # same host name and pid, other processes

    assert Keeper(connected_master).acquire() is False


def test_who_keeps_the_session_is_named_as_one_would_look_for_it(live_session: BrokerageSession) -> None:
    live_session.owner = "worker-1/4026532999:17:88123"
    assert live_session.keeper == "process 17 on worker-1"
    assert BrokerageSession().keeper == "nobody"


def test_a_keeper_that_lost_its_lease_cannot_write(live_session: BrokerageSession, connected_master: Any) -> None:
    first = Keeper(connected_master)
    assert first.acquire()
    successor = Keeper(connected_master)
    assert successor.acquire()  # the same process may take it over

    with pytest.raises(LeaseLost):
        first._note(SessionState.DOWN, "too late")


@pytest.mark.row(id="S10")
def test_a_competing_login_is_seen_and_not_fought(
    live_session: BrokerageSession, connected_master: Any, sandbox: Any
) -> None:
    sandbox.control("POST", "session", {"username": "alder01", "action": "steal"})
    keeper = Keeper(connected_master, sleep=lambda _seconds: None)
    assert keeper.acquire()
    BrokerageSession.objects.update(last_tickle_at=None)
    inits_before = len([call for call in sandbox.requests() if call["path"].endswith("/ssodh/init")])

    keeper._step()

    live_session.refresh_from_db()
    assert live_session.state == SessionState.COMPETING
    assert len([call for call in sandbox.requests() if call["path"].endswith("/ssodh/init")]) == inits_before


def test_stopping_logs_out_and_leaves_no_bearer(
    live_session: BrokerageSession, connected_master: Any, sandbox: Any
) -> None:
    keeper = Keeper(connected_master)
    assert keeper.acquire()

    keeper.keep(should_stop=lambda: True)

    live_session.refresh_from_db()
    assert (live_session.state, live_session.bearer, live_session.owner) == (SessionState.DOWN, None, "")
    assert sandbox.requests()[-1]["path"].endswith("/logout")


def test_a_logout_that_ibkr_did_not_hear_is_said_and_its_session_taken_up_again(
    live_session: BrokerageSession, connected_master: Any, sandbox: Any
) -> None:
    sandbox.fault({"method": "POST", "path": "/v1/api/logout", "phase": "pre_read", "action": "reset", "times": 9})
    keeper = Keeper(connected_master)
    assert keeper.acquire()

    keeper.keep(should_stop=lambda: True)

    live_session.refresh_from_db()
    assert (live_session.state, live_session.owner, live_session.lease_until) == (SessionState.DOWN, "", None)
    assert live_session.detail.startswith("Not logged out: ")
    sandbox.clear_faults()
    successor = Keeper(connected_master)
    assert successor.acquire()
    assert successor.open()
    live_session.refresh_from_db()
    assert (live_session.state, live_session.serial) == (SessionState.LIVE, 1)
    assert logins(sandbox) == ["sso-sessions", "init"]


def test_a_connection_with_another_username_gets_a_session_of_its_own_and_the_old_one_is_logged_out(
    live_session: BrokerageSession, connected_master: Any, sandbox: Any
) -> None:
    keeper = Keeper(connected_master)
    assert keeper.acquire()
    MasterAccount.objects.update(username="")

    keeper.keep(should_stop=lambda: False)

    live_session.refresh_from_db()
    assert (live_session.state, live_session.bearer, live_session.owner) == (SessionState.DOWN, None, "")
    assert sandbox.requests()[-1]["path"].endswith("/logout")


def test_a_key_exchanged_meanwhile_signs_the_next_sign_on(
    live_session: BrokerageSession, connected_master: Any, sandbox: Any
) -> None:
    keeper = Keeper(connected_master, sleep=lambda _seconds: None)
    assert keeper.acquire()
    MasterAccount.objects.update(key_id="nobodys-1")
    BrokerageSession.objects.update(state=SessionState.DOWN, bearer=None)
    AccessToken.objects.all().delete()
    turns = iter([False])

    keeper.keep(should_stop=lambda: next(turns, True))

    assert keeper.master.key_id == "nobodys-1"
    assert sandbox.requests()[-1]["path"].endswith("/token")
    assert sandbox.requests()[-1]["status"] >= 400


@pytest.mark.parametrize("is_told_by_validate", [True, False])
def test_a_sign_on_for_paper_trading_is_ended_before_anything_can_go_through_it(
    connected_master: Any, sandbox: Any, is_told_by_validate: bool
) -> None:
    sandbox.config(paper_login=True)
    if not is_told_by_validate:
        sandbox.fault(
            {"method": "GET", "path": "/v1/api/sso/validate", "phase": "read_not_applied", "action": "status",
             "status": 200, "body": '{"RESULT": true}'}
        )  # fmt: skip
    keeper = Keeper(connected_master)
    assert keeper.acquire()
    said: list[str] = []

    def should_stop() -> bool:
        row = BrokerageSession.objects.get()
        said.append(f"{row.state}: {row.detail}")
        return len(said) > 1

    keeper.keep(should_stop=should_stop)

    row = BrokerageSession.objects.get()
    assert said[1].startswith("down: IBKR signed alder01 in for paper trading, and F1000001 is no paper account. Name ")
    assert (row.state, row.bearer, row.serial) == (SessionState.DOWN, None, 0)
    assert logins(sandbox) == ["sso-sessions"] + ["init"] * (not is_told_by_validate)
    assert sandbox.requests()[-1]["path"].endswith("/logout")


def test_a_sign_on_from_another_address_is_explained_as_the_test_of_the_connection_does(
    connected_master: Any, sandbox: Any, settings: Any
) -> None:
    settings.SANDBOX_LIMITS = True  # the second look within a minute is held back, which must not hide the cause
    sandbox.config(egress_address="198.51.100.7")
    keeper = Keeper(connected_master, sleep=lambda _seconds: None)
    assert keeper.acquire()
    said: list[str] = []

    def should_stop() -> bool:
        said.append(BrokerageSession.objects.get().detail)
        return len(said) > 8

    keeper.keep(should_stop=should_stop)
    settings.SANDBOX_LIMITS = False

    told = dispatch.run(connected_master)[-1].explanation
    assert str(told) == (
        "IBKR does not accept the trading sign-on from this machine: its address is not the declared 127.0.0.1. "
        "Declare the public address our calls leave from, and keep it fixed."
    )
    assert set(said[1:]) == {str(told)}


def test_pages_learn_since_when_a_session_is_as_it_is(
    live_session: BrokerageSession, connected_master: Any, sandbox: Any
) -> None:
    keeper = Keeper(connected_master)
    assert keeper.acquire()
    since = live_session.changed_at

    keeper._tickle()
    live_session.refresh_from_db()
    assert live_session.changed_at == since
    sandbox.control("POST", "session", {"username": "alder01", "action": "steal"})
    keeper._tickle()

    live_session.refresh_from_db()
    assert live_session.changed_at is not None
    assert since is not None
    assert live_session.changed_at > since


def logins(sandbox: Any) -> list[str]:
    """The calls that opened sessions, in order."""
    ends = ("/sso-sessions", "/ssodh/init")
    return [call["path"].rpartition("/")[2] for call in sandbox.requests() if call["path"].endswith(ends)]


def test_a_killed_keepers_session_is_taken_over_and_not_opened_twice(
    live_session: BrokerageSession, connected_master: Any, sandbox: Any
) -> None:
    successor = Keeper(connected_master, sleep=lambda _seconds: None)
    successor.owner = "another-host:1"
    assert not successor.acquire()
    BrokerageSession.objects.update(lease_until=clock.now() - timedelta(seconds=1), last_tickle_at=None)

    assert successor.acquire()
    successor._step(lambda: True)

    live_session.refresh_from_db()
    assert (live_session.state, live_session.serial, live_session.owner) == (SessionState.LIVE, 1, "another-host:1")
    assert logins(sandbox) == ["sso-sessions", "init"]


class Sleeper(Keeper):
    """A keeper that sleeps past its lease right after it last looked at it; its successor signs on meanwhile."""

    def _renew(self) -> None:
        super()._renew()
        BrokerageSession.objects.update(lease_until=clock.now() - timedelta(seconds=1))
        successor = Keeper(self.master)
        successor.owner = "another-host:1"
        assert successor.acquire()
        row = BrokerageSession.objects.get()
        row.bearer = "the successor's"
        row.save(update_fields=["bearer"])


def test_a_keeper_that_slept_before_it_wrote_its_bearer_leaves_its_successors(connected_master: Any) -> None:
    keeper = Sleeper(connected_master)
    assert keeper.acquire()

    with pytest.raises(LeaseLost):
        keeper.open()

    assert BrokerageSession.objects.get().bearer == "the successor's"


def test_after_the_nightly_reset_the_session_is_opened_again_with_the_same_sign_on(
    live_session: BrokerageSession, connected_master: Any, sandbox: Any
) -> None:
    sandbox.control("POST", "session", {"username": "alder01", "action": "reset"})
    keeper = Keeper(connected_master)
    assert keeper.acquire()
    BrokerageSession.objects.update(last_tickle_at=None)

    keeper._step(lambda: True)
    live_session.refresh_from_db()
    assert live_session.state == SessionState.DOWN
    keeper._step(lambda: True)

    live_session.refresh_from_db()
    assert (live_session.state, live_session.serial) == (SessionState.LIVE, 2)
    assert logins(sandbox) == ["sso-sessions", "init", "init"]


def test_a_sign_on_that_is_over_is_replaced(
    live_session: BrokerageSession, connected_master: Any, sandbox: Any
) -> None:
    sandbox.control("POST", "session", {"username": "alder01", "action": "logout"})
    keeper = Keeper(connected_master)
    assert keeper.acquire()

    assert keeper.open()

    live_session.refresh_from_db()
    assert (live_session.state, live_session.serial) == (SessionState.LIVE, 2)
    assert logins(sandbox) == ["sso-sessions", "init", "sso-sessions", "init"]


def test_the_keeper_never_competes_and_says_who_has_the_session(
    connected_master: Any, sandbox: Any, live_session: BrokerageSession
) -> None:
    sandbox.control("POST", "session", {"username": "alder01", "action": "steal"})
    waited: list[int] = []
    keeper = Keeper(connected_master, sleep=waited.append)
    assert keeper.acquire()
    BrokerageSession.objects.update(state=SessionState.DOWN)

    keeper._step()

    live_session.refresh_from_db()
    assert live_session.state == SessionState.COMPETING
    assert live_session.detail == "Someone else is logged in with this username, e.g. in TWS"
    assert sum(waited) == 60  # before it asks again
    assert logins(sandbox) == ["sso-sessions", "init", "init"]  # with `compete` the second one would have taken it


def test_in_a_maintenance_window_nothing_is_tried_and_the_page_says_until_when(
    live_session: BrokerageSession, connected_master: Any, sandbox: Any
) -> None:
    connected_master.keeps_windows = True
    connected_master.save(update_fields=["keeps_windows"])
    keeper = Keeper(connected_master, sleep=lambda _seconds: None)
    asked = len(sandbox.requests())
    turns = iter([False, False, True])

    with time_machine.travel("2026-11-24T06:00:00+00:00", tick=False):  # 01:00 in New York
        assert keeper.acquire()
        keeper._rest_or_step(lambda: next(turns, True))

    live_session.refresh_from_db()
    assert live_session.state == SessionState.DOWN
    assert live_session.detail == "IBKR resets its trading system, until Tuesday 01:45 New York time."
    assert len(sandbox.requests()) == asked


@pytest.mark.parametrize("minutes", [10, 120])
def test_a_nightly_reset_of_any_length_is_waited_out_and_the_session_opened_again(
    live_session: BrokerageSession, connected_master: Any, sandbox: Any, minutes: int
) -> None:
    """The connection keeps no windows here: IBKR is down when nobody expects it, as where a reset runs over its window."""
    one = clock.now().astimezone(clock.NEW_YORK).replace(hour=1, minute=1, second=0)
    one += timedelta(days=(8 - one.weekday()) % 7 or 7)  # on a Tuesday
    passed = timedelta()
    seen: list[tuple[str, str]] = []

    def sleep(seconds: int) -> None:
        nonlocal passed
        passed += timedelta(seconds=30 * seconds)  # IBKR's night passes faster
        seen.append(BrokerageSession.objects.values_list("state", "detail").get())
        sandbox.control("POST", "clock", {"offset_seconds": int((one + passed - clock.now()).total_seconds())})

    sandbox.config(enforce_maintenance=True, nightly_reset_minutes=minutes)
    sleep(0)
    BrokerageSession.objects.update(last_tickle_at=None)
    keeper = Keeper(connected_master, sleep=sleep)
    assert keeper.acquire()

    keeper.keep(should_stop=lambda: passed > timedelta(hours=5) or (len(seen) > 2 and _is_live()))

    assert timedelta(minutes=minutes - 1) <= passed < timedelta(minutes=minutes + 31)
    assert (SessionState.DOWN, "IBKR answered HTTP 503.") in seen
    assert SessionState.LIVE not in {state for state, _ in seen[1:]}
    assert logins(sandbox) == ["sso-sessions", "init", "sso-sessions", "init"]  # one login, however long it took


def _is_live() -> bool:
    return BrokerageSession.objects.get().state == SessionState.LIVE


def test_the_stream_carries_what_listeners_want_and_shows_its_state(
    live_session: BrokerageSession, connected_master: Any, sandbox: Any, heard: list[Any], wanted: list[str]
) -> None:
    wanted.append("265598")
    keeper = Keeper(connected_master, sleep=lambda _seconds: None)
    assert keeper.acquire()

    step_until(keeper, lambda: any(isinstance(event, QuoteEvent) for event in heard))

    live_session.refresh_from_db()
    assert live_session.stream_since is not None
    assert live_session.stream_heard_at is not None
    assert live_session.stream_topics == 4
    (line,) = sandbox.control("GET", "stream")["connections"]
    assert sorted(line["subscriptions"]) == ["smd+265598", "sor", "spl", "str"]
    keeper.close()
    live_session.refresh_from_db()
    assert (live_session.stream_since, live_session.stream_topics) == (None, 0)
    assert sandbox.control("GET", "stream")["connections"] == []


def test_what_nobody_wants_any_more_gives_its_line_back(
    live_session: BrokerageSession, connected_master: Any, sandbox: Any, heard: list[Any], wanted: list[str]
) -> None:
    wanted.append("265598")
    keeper = Keeper(connected_master, sleep=lambda _seconds: None)
    assert keeper.acquire()
    step_until(keeper, lambda: any(isinstance(event, QuoteEvent) for event in heard))
    wanted[:] = ["8314"]

    step_until(keeper, lambda: any(isinstance(event, QuoteEvent) and event.quote.conid == "8314" for event in heard))

    (line,) = sandbox.control("GET", "stream")["connections"]
    assert sorted(line["subscriptions"]) == ["smd+8314", "sor", "spl", "str"]
    keeper.close()


def test_a_session_taken_elsewhere_is_noticed_by_the_stream_without_waiting_for_the_next_tickle(
    live_session: BrokerageSession, connected_master: Any, sandbox: Any, heard: list[Any]
) -> None:
    keeper = Keeper(connected_master, sleep=lambda _seconds: None)
    assert keeper.acquire()
    step_until(keeper, lambda: any(isinstance(event, SessionEvent) for event in heard))
    sandbox.control("POST", "session", {"username": "alder01", "action": "steal"})

    step_until(keeper, lambda: BrokerageSession.objects.get().state == SessionState.COMPETING)

    keeper._hang_up()
