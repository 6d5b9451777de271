"""The connections page: who sees it, what it says of each connection, and the test a person asks for."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from backoffice.audit.models import Entry
from backoffice.broker import dispatch, limiter, selectors, services
from backoffice.broker.models import AccessToken, BrokerageSession, ConnectionTest, Gate, MasterAccount, SessionState
from backoffice.core import clock
from backoffice.ibkr.limits import Priority
from backoffice.ibkr.transport import Call, Effect
from backoffice.journal.models import Submission

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
    assert "<b>1 of 600</b> a minute" in text
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
    parked = make_submission(master, advisor)
    Submission.objects.filter(pk=parked.pk).update(due_at=clock.now() + timedelta(hours=2))
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


def test_what_is_stopped_stands_over_every_page_with_who_and_why(
    client: Client, operations: Any, advisor: Any, master: Any
) -> None:
    services.close_gate(scope="master", key=str(master.pk), reason="Prices <froze>", by=operations)
    client.force_login(advisor)

    text = " ".join(client.get(reverse("home:today")).content.decode().split())

    assert "Sending is stopped: Connection F1000001." in text
    assert f"{operations.name}, " in text
    assert "&ldquo;Prices &lt;froze&gt;&rdquo;" in text
    assert "Connection F1000001 stopped" in client.get(reverse("home:state_bar")).content.decode()


def test_what_a_restored_backup_stopped_names_the_system(client: Client, principal: Any, master: Any) -> None:
    services.stop_everything(reason="A backup was restored")

    assert "A backup was restored, The system, " in " ".join(page(client, principal).split())


def test_a_page_that_stays_open_is_told_when_sending_is_stopped_and_only_then(
    client: Client, operations: Any, principal: Any, master: Any
) -> None:
    client.force_login(operations)
    address = reverse("home:state_bar")

    def ask() -> tuple[str, str]:
        """The mark of what is stopped now, and what a page that knew the one before is told."""
        answer = client.get(address, {"stopped": marks[-1]})
        marks.append(answer.context["stopped"].mark)
        return marks[-1], answer.content.decode()

    marks = [client.get(address).context["stopped"].mark]
    assert "hx-swap-oob" not in ask()[1]
    services.close_gate(scope="global", key="", reason="Drill", by=operations)
    assert "Sending is stopped." in ask()[1]
    assert "hx-swap-oob" not in ask()[1]
    services.open_gate(scope="global", key="", reason="Over", by=principal)

    _, told = ask()

    assert 'id="stopped" role="alert" hx-swap-oob="true"></div>' in told


@pytest.mark.parametrize(("scope", "key"), [("lane", "nothing"), ("global", "x"), ("master", "F1000001")])
def test_nothing_can_be_stopped_that_could_not_be_opened_again(
    client: Client, operations: Any, master: Any, scope: str, key: str
) -> None:
    client.force_login(operations)

    answer = client.post(reverse("broker:gate_set"), {"scope": scope, "key": key, "reason": "Drill"})

    assert answer.status_code == 422
    assert not Gate.objects.exists()


def test_the_history_of_the_kill_switch_says_who_and_why(client: Client, principal: Any, master: Any) -> None:
    services.close_gate(scope="lane", key="trading", reason="Price feed froze", by=principal)
    services.close_gate(scope="global", key="", reason="All of it", by=principal)

    text = " ".join(page(client, principal).split())

    assert "Orders stopped" in text
    assert "&ldquo;Price feed froze&rdquo;" in text
    assert Entry.objects.filter(action="broker.close_gate").first().data["reason"] == "Price feed froze"


def test_all_that_keeps_a_connection_from_trading_is_said_at_once(client: Client, principal: Any, master: Any) -> None:
    taken_at = clock.now()
    BrokerageSession.objects.create(master=master, state=SessionState.COMPETING, changed_at=taken_at)
    services.close_gate(scope="lane", key="trading", reason="Price feed froze", by=principal)

    text = " ".join(page(client, principal).split())

    assert "stopped sending: Price feed froze. Another principal may open it again. Someone signed in elsewhere" in text
    assert f" at {timezone.localtime(taken_at):%H:%M}, and IBKR allows one trading session" in text


def test_a_connection_that_was_never_used_shows_its_whole_budget(client: Client, principal: Any, master: Any) -> None:
    text = " ".join(page(client, principal).split())

    assert "<b>0 of 600</b> a minute" in text
    assert "<b>0 of 8</b> a second" in text


def test_ibkrs_hours_are_shown_in_new_yorks_time_though_a_sandbox_keeps_none(
    client: Client, principal: Any, master: Any
) -> None:
    with time_machine.travel("2026-11-24T17:00:00+00:00", tick=False):  # a Tuesday, 12:00 in New York
        text = page(client, principal)

    assert "Tuesday 18:00 to 18:30: IBKR&#x27;s registration services are down for maintenance." in text
    assert "None of these connections keeps them" in text
    assert '<rect class="bo-windows__closed" x="1080" width="30" height="18">' in text
    assert 'x1="720"' in text


@pytest.mark.parametrize("day", ["2026-03-08", "2026-11-01"])  # of 23 and of 25 hours
def test_the_clock_of_a_day_with_a_changed_hour_is_that_on_the_wall(master: Any, day: str) -> None:
    with time_machine.travel(f"{day}T22:00:00+00:00", tick=False):
        strips, minute = selectors.day_strips([master])

    assert minute == (18 if day == "2026-03-08" else 17) * 60
    assert strips[1].closed == [(0, 15 * 60), (23 * 60 + 45, 15)]  # funds and banking, on a Sunday


@pytest.mark.parametrize("typed", [{}, {"scope": "global", "key": "", "reason": "", "to_open": ""},
                                   {"scope": "lane", "key": "no such lane", "reason": "Drill"},
                                   {"scope": "global", "key": "", "reason": "Over", "to_open": "on"}])  # fmt: skip
def test_a_refused_turn_of_the_switch_shows_the_connections_to_nobody_who_may_not_see_them(
    typed: dict[str, str], client: Client, operations: Any, master: MasterAccount
) -> None:
    client.force_login(operations)

    answer = client.post(reverse("broker:gate_set"), typed)

    assert client.get(reverse("broker:connection_list")).status_code == 403
    assert answer.status_code in {403, 422}
    assert not any(each in answer.content.decode() for each in (master.username, master.key_id))


def test_whoever_may_stop_and_not_see_the_connections_has_a_page_for_it(
    client: Client, operations: Any, master: MasterAccount
) -> None:
    client.force_login(operations)
    before = client.get(reverse("broker:gate_set")).content.decode()

    answer = client.post(reverse("broker:gate_set"), {"scope": "global", "key": "", "reason": "Drill"})

    after = client.get(answer["Location"]).content.decode()
    assert f'href="{reverse("broker:gate_set")}"' in client.get("/").content.decode()
    assert ("Stop sending</button>" in before, master.username in before) == (True, False)
    assert (answer["Location"], "Stopped" in after, "A principal other than" in after) == (
        "/connections/gates/",
        True,
        True,
    )
