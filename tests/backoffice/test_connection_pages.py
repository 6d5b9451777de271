"""The connections page: who sees it, what it says of each connection, and the test a person asks for."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from backoffice.broker import dispatch, limiter
from backoffice.broker.models import AccessToken, BrokerageSession, ConnectionTest, MasterAccount, SessionState
from backoffice.core import clock
from backoffice.ibkr.limits import Priority
from backoffice.ibkr.transport import Call, Effect

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "broker:connection_list"


def page(client: Client, user: Any) -> str:
    client.force_login(user)
    answer = client.get(reverse(PAGE))
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_connection_shows_token_session_key_budget_and_families(
    client: Client, administrator: Any, connected_master: Any, live_session: Any
) -> None:
    MasterAccount.objects.update(key_since=clock.today(clock.NEW_YORK) - timedelta(days=341))
    call = Call("GET", f"{connected_master.base_url}/gw/api/v1/accounts/status", Effect.READ)
    with limiter.SharedLimiter(connected_master).turn(call, Priority.PERSON):
        pass

    text = page(client, administrator)

    assert "renews by" in text
    assert "kept alive" in text
    assert "341 of 365 days" in text
    assert "due for rotation" in text
    assert "1 of 600 a minute" in text
    for family in ("Token", "Single sign-on", "Session", "Portfolio"):
        assert family in text
    assert "Why can I not trade" not in text


def test_an_open_stream_says_since_when_what_it_heard_and_how_much_it_carries(
    client: Client, principal: Any, master: Any
) -> None:
    now = clock.now()
    BrokerageSession.objects.create(
        master=master, state=SessionState.LIVE, stream_since=now, stream_heard_at=now, stream_topics=32
    )

    text = " ".join(page(client, principal).split())

    assert "Stream: open since" in text
    assert "last message" in text
    assert "32 subscriptions" in text


def test_a_missing_stream_says_why_and_what_goes_on_without_it(client: Client, principal: Any, master: Any) -> None:
    BrokerageSession.objects.create(
        master=master, state=SessionState.LIVE, stream_detail="IBKR answered HTTP 503 to the stream"
    )

    text = " ".join(page(client, principal).split())

    assert "Stream: not open: IBKR answered HTTP 503 to the stream. Quotes and orders are asked for one by one" in text


def test_a_taken_session_says_why_nobody_can_trade(client: Client, principal: Any, master: Any) -> None:
    BrokerageSession.objects.create(master=master, state=SessionState.COMPETING)

    text = page(client, principal)

    assert "Why can I not trade on F1000001 now?" in text
    assert "We do not take the session back by ourselves" in text


def test_a_window_says_until_when_work_is_parked(client: Client, principal: Any, master: Any) -> None:
    MasterAccount.objects.update(keeps_windows=True)
    BrokerageSession.objects.create(master=master, state=SessionState.LIVE)

    with time_machine.travel("2026-11-24T06:00:00+00:00", tick=False):  # 01:00 in New York
        text = page(client, principal)

    assert "Orders are parked and keep their place" in text
    assert "until Tuesday 01:45 New York time" in text


def test_a_penalty_is_said_with_its_end(client: Client, principal: Any, master: Any) -> None:
    BrokerageSession.objects.create(master=master, state=SessionState.LIVE)
    limiter.SharedLimiter(master).penalise(Call("GET", f"{master.base_url}/v1/api/tickle", Effect.READ), 600)

    assert "Shut out by IBKR" in page(client, principal)


def test_a_test_is_asked_for_answered_by_a_worker_and_shown(
    client: Client, administrator: Any, connected_master: Any
) -> None:
    client.force_login(administrator)
    asked = client.post(reverse("broker:test_ask", args=[connected_master.pk]), headers={"HX-Request": "true"})
    assert "Trying address, key, token" in asked.content.decode()

    dispatch.answer_test(str(ConnectionTest.objects.get().pk))

    shown = client.get(reverse("broker:test_show", args=[connected_master.pk])).content.decode()
    assert "Works" in shown
    assert "Signed echo" in shown
    assert "hx-trigger" not in shown


def test_a_failed_test_shows_cause_and_cure(client: Client, administrator: Any, connected_master: Any) -> None:
    MasterAccount.objects.update(key_id="nobodys-1")
    client.force_login(administrator)
    client.post(reverse("broker:test_ask", args=[connected_master.pk]))
    dispatch.answer_test(str(ConnectionTest.objects.get().pk))

    text = page(client, administrator)

    assert "Does not work" in text
    assert "IBKR holds no key with the id nobodys-1 for ALDER-ROW-FA." in text
    assert "Set the key id that was agreed with IBKR" in text


def test_a_test_that_no_worker_took_says_so(client: Client, administrator: Any, master: Any) -> None:
    ConnectionTest.objects.create(master=master, asked_by=administrator, asked_at=clock.now() - timedelta(minutes=5))

    assert "No worker has taken this test" in page(client, administrator)


def test_the_page_shows_no_secret(client: Client, administrator: Any, connected_master: Any, live_session: Any) -> None:
    text = page(client, administrator)

    token = AccessToken.objects.first()
    assert token is not None
    assert str(token.token) not in text
    assert str(BrokerageSession.objects.get().bearer) not in text
    assert "PRIVATE KEY" not in text


def test_lanes_are_counted(client: Client, administrator: Any, master: Any, advisor: Any) -> None:
    from tests.journal_rows import make_submission

    make_submission(master, advisor)
    make_submission(master, advisor, due_at=clock.now() + timedelta(hours=2))
    client.force_login(administrator)

    text = client.get(reverse("home:lanes")).content.decode()

    assert "1 parked" in text
    assert "funding" in text
    assert "interactive" in text


def test_a_production_connection_is_unmistakable_on_every_page(client: Client, administrator: Any, master: Any) -> None:
    MasterAccount.objects.update(environment="production", base_url="https://api.ibkr.com")
    client.force_login(administrator)

    for name in (PAGE, "home:today"):
        text = client.get(reverse(name)).content.decode()
        assert "<em>Production</em>" in text
        assert "Simulated IBKR" not in text
