"""The session keeper against the sandbox: one owner, a competing login seen and not fought, nothing left behind."""

from typing import Any

import pytest

from backoffice.broker import client as broker
from backoffice.broker.models import AccessToken, BrokerageSession, FamilyHealth, SessionState
from backoffice.broker.session import Keeper, LeaseLost
from backoffice.ibkr.errors import AuthFailed, NotSent

pytestmark = pytest.mark.django_db(transaction=True)


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


def test_a_keeper_that_lost_its_lease_cannot_write(live_session: BrokerageSession, connected_master: Any) -> None:
    first = Keeper(connected_master)
    assert first.acquire()
    successor = Keeper(connected_master)
    assert successor.acquire()  # the same process may take it over: a restart with the same pid

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

    keeper._step(0)

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
