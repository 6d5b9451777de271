"""Today, the state bar, health, failures, and what every answer carries."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from backoffice.broker.models import BrokerageSession, FamilyHealth, MasterAccount, SessionState
from backoffice.celery import LANES
from backoffice.core import clock, schema
from backoffice.core.money import Money
from backoffice.home import contributions, registry, selectors
from backoffice.home.registry import InboxItem
from backoffice.journal.models import Heartbeat
from backoffice.people.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def frame_alone() -> Iterator[None]:
    """The frame without what the apps hang on it."""
    with ExitStack() as stack:
        for part in (registry.inbox, registry.figures, registry.feed, registry.search):
            stack.enter_context(part.holding())
        own = [entry for entry in registry.navigation if entry.url_name == "home:today"]
        stack.enter_context(registry.navigation.holding(*own))
        bar = (contributions.sessions, contributions.families, contributions.queues, contributions.market)
        stack.enter_context(registry.state_bar.holding(*bar))
        yield


@pytest.fixture
def inbox_of_two(principal: User) -> Iterator[None]:

    def provider(user: User) -> list[InboxItem]:
        return [
            InboxItem(
                "funding.approval:1", "approval", "Wire to a new bank", "Bank ending 0193.", "Review", "/x/",
                amount=Money(Decimal("120000"), "USD"), owner=principal, due=clock.now() + timedelta(hours=5),
                due_words="Cut-off in",
            ),
            InboxItem(
                "funding.unknown:2", "answer", "Unknown outcome", "Not sent again.", "See evidence", "/y/",
                tone="unknown", ibkr_words="<b>no</b>", since=clock.now(), since_words="Unknown", chip_tone="unknown",
            ),
        ]  # fmt: skip

    with registry.inbox.holding(provider):
        yield


def test_the_inbox_is_grouped_and_each_row_has_one_action(client: Client, principal: User, inbox_of_two: None) -> None:
    client.force_login(principal)

    page = client.get("/").content.decode()

    assert page.index("Answer now") < page.index("Waiting for your approval")
    assert page.count("bo-inbox__action") == 2
    assert "&lt;b&gt;no&lt;/b&gt;" in page
    assert "120,000.00" in page


def test_the_mark_of_the_inbox_changes_with_what_it_asks_not_with_the_time(principal: User, inbox_of_two: None) -> None:
    first = selectors.inbox(principal)
    again = selectors.inbox(User.objects.get(pk=principal.pk))

    assert first.mark == again.mark
    assert first.number == 2
    assert selectors.inbox(User.objects.get(pk=principal.pk), "mine").number == 2


def test_mine_leaves_out_what_another_person_owns(operations: User, inbox_of_two: None) -> None:
    assert [heading.group.key for heading in selectors.inbox(operations, "mine").headings] == ["answer"]


def test_an_administrator_may_see_the_component_sheet_and_nobody_else(
    client: Client, administrator: User, principal: User
) -> None:
    client.force_login(administrator)
    sheet = client.get("/components/")
    client.force_login(principal)
    refused = client.get("/components/")

    assert sheet.status_code == 200
    assert "Release USD 48,500.00" in sheet.content.decode()
    assert refused.status_code == 403
    assert "Your role does not include" in refused.content.decode()


def test_no_page_carries_a_style_or_a_script_of_its_own(client: Client, administrator: User, master: Any) -> None:
    client.force_login(administrator)
    for address in ("/", "/components/", "/search/", "/account/password/change/", "/nowhere/"):
        page = client.get(address)
        text = page.content.decode()

        assert page["Content-Security-Policy"].startswith("default-src 'none'")
        assert not re.search(r"\sstyle=|<style|\son\w+=|<script(?![^>]*\ssrc=)", text), address


def test_a_stranger_is_led_to_sign_in(client: Client) -> None:
    assert client.get("/").headers["Location"] == "/account/login/?next=/"


def test_the_sign_in_page_names_the_firm_and_the_environment(client: Client, master: Any) -> None:
    page = client.get("/account/login/").content.decode()

    assert "Alder Row" in page
    assert "No real money moves and no real client is affected." in page


def test_a_wrong_password_is_said_plainly_and_the_address_is_kept(client: Client, principal: User) -> None:
    page = client.post("/account/login/", {"login": principal.email, "password": "wrong"}).content.decode()

    assert 'role="alert"' in page
    assert f'value="{principal.email}"' in page


def test_production_is_a_line_and_a_word_never_a_warning(client: Client, viewer: User, master: Any) -> None:
    MasterAccount.objects.filter(pk=master.pk).update(environment="production", base_url="https://api.ibkr.com")
    client.force_login(viewer)

    page = client.get("/").content.decode()

    assert "bo-env--production" in page
    assert "<em>Production</em>" in page
    assert "bo-env--sandbox" not in page


def test_the_state_bar_says_what_is_wrong_in_words(client: Client, viewer: User, master: Any) -> None:
    now = clock.now()
    BrokerageSession.objects.create(master=master, state=SessionState.COMPETING, detail="TWS has it since 10:36")
    FamilyHealth.objects.create(master=master, family="funding", last_failure_at=now)
    Heartbeat.objects.create(name="trading", at=now - timedelta(minutes=5))
    client.force_login(viewer)

    bar = client.get("/state/").content.decode()

    assert "Trading session taken by another login" in bar
    assert "TWS has it since 10:36" in bar
    assert "Funding API not well" in bar
    assert "Workers silent" in bar


def test_today_asks_the_database_a_fixed_number_of_times(
    client: Client, principal: User, master: Any, django_assert_max_num_queries: Any
) -> None:
    client.force_login(principal)
    client.get("/")

    with django_assert_max_num_queries(9):
        client.get("/")


def test_the_search_shows_what_providers_find(client: Client, viewer: User) -> None:
    registry.search.add(lambda user, text: [registry.SearchHit(f"Client {text}", "U1000044", "Client", "/c/1/")])
    client.force_login(viewer)

    hits = client.post("/search/", {"q": "hav"}, headers={"HX-Request": "true"}).content.decode()

    assert "Client hav" in hits
    assert "<html" not in hits


def test_alive_needs_nothing(client: Client) -> None:
    assert client.get("/healthz").content == b"alive\n"


def test_ready_says_of_each_part_whether_it_works_and_how_old_its_sign_is(client: Client, master: Any) -> None:
    for lane in LANES:
        Heartbeat.objects.create(name=lane, at=clock.now() - timedelta(seconds=7))
    BrokerageSession.objects.create(master=master, state=SessionState.LIVE, last_tickle_at=clock.now())

    answer = client.get("/readyz")
    body = answer.json()

    assert set(body) == {"ok", "database", "broker", "workers", "beat", "session"}
    assert body["database"] == {"ok": True, "age": 0, "detail": "answers"}
    assert body["workers"]["ok"] is True
    assert body["workers"]["age"] in {7, 8}
    assert body["session"]["ok"] is True


def test_ready_names_no_login_of_the_firm_to_strangers(client: Client, master: Any) -> None:
    BrokerageSession.objects.create(master=master, state=SessionState.COMPETING)

    answer = client.get("/readyz")

    assert answer.json()["session"] == {"ok": False, "age": None, "detail": "1 of 1 not live"}
    assert master.username not in answer.content.decode()


def test_a_connection_that_nobody_trades_over_misses_no_session(client: Client, master: Any, viewer: User) -> None:
    BrokerageSession.objects.create(master=master)
    MasterAccount.objects.update(username="")

    assert client.get("/readyz").json()["session"] == {
        "ok": True,
        "age": None,
        "detail": "no connection has a trading username",
    }
    assert list(contributions.sessions(viewer)) == []


def test_ready_is_refused_while_the_workers_are_silent(client: Client) -> None:
    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["workers"] == {"ok": False, "age": None, "detail": "no worker has been heard yet"}
    assert answer.json()["session"]["ok"] is False


def test_ready_is_refused_while_a_lane_has_no_worker_at_all(client: Client) -> None:
    for lane in LANES:
        if lane != "interactive":
            Heartbeat.objects.create(name=lane, at=clock.now())

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["workers"] == {"ok": False, "age": 0, "detail": "silent: interactive"}


def test_ready_names_the_command_when_the_tables_are_an_older_versions(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE journal_heartbeat RENAME COLUMN at TO earlier")

    with transaction.atomic():
        answer = client.get("/readyz")
        transaction.set_rollback(True)

    assert answer.status_code == 503
    assert answer.json()["workers"]["detail"] == "the tables are not those of this version: run manage.py migrate"


def test_ready_names_the_command_while_migrations_are_not_applied(client: Client) -> None:
    assert client.get("/readyz").json()["database"]["ok"] is True
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE (app, name) IN (SELECT app, max(name) FROM"
                       " django_migrations WHERE app IN ('clients', 'funding') GROUP BY app)")  # fmt: skip

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["database"] == {
        "ok": False, "age": 0, "detail": "2 migrations of this version are not applied: run manage.py migrate",
    }  # fmt: skip


def test_ready_reads_the_migrations_once(client: Client, django_assert_max_num_queries: Any) -> None:
    client.get("/readyz")

    with django_assert_max_num_queries(1):
        schema.pending_migrations()


@pytest.mark.django_db(transaction=True)
def test_ready_answers_when_the_database_does_not(client: Client, settings: Any) -> None:
    working = connection.settings_dict["PORT"]
    connection.close()
    connection.settings_dict["PORT"] = "1"
    try:
        answer = client.get("/readyz")
    finally:
        connection.close()
        connection.settings_dict["PORT"] = working

    assert answer.status_code == 503
    assert answer.json()["database"] == {"ok": False, "age": None, "detail": "the database does not answer"}
    assert answer.json()["session"]["ok"] is False


@pytest.mark.django_db(transaction=True)
def test_a_page_without_a_database_says_so_and_gives_a_reference(client: Client, viewer: User) -> None:
    client.force_login(viewer)
    working = connection.settings_dict["PORT"]
    connection.close()
    connection.settings_dict["PORT"] = "1"
    client.raise_request_exception = False
    try:
        answer = client.get("/")
    finally:
        connection.close()
        connection.settings_dict["PORT"] = working

    assert answer.status_code == 503
    assert "The database does not answer" in answer.content.decode()
    assert answer["X-Reference"] in answer.content.decode()


def test_times_are_written_in_the_zone_the_browser_told(client: Client, viewer: User) -> None:
    at = clock.now().replace(hour=12, minute=0, second=0, microsecond=0)
    registry.feed.add(lambda user, since: [registry.FeedItem(at, "Filled", "620 IBM")])
    client.force_login(viewer)
    client.cookies["zone"] = "Asia/Kolkata"

    page = client.get("/").content.decode()

    assert "17:30</time>" in page


def test_a_zone_that_does_not_exist_is_passed_over(client: Client, viewer: User) -> None:
    client.force_login(viewer)
    client.cookies["zone"] = "../../etc/passwd"

    assert client.get("/").status_code == 200


def test_groups_have_distinct_keys_and_order() -> None:
    assert len({group.key for group in contributions.GROUPS}) == len(contributions.GROUPS)
    assert [group.order for group in contributions.GROUPS] == sorted(group.order for group in contributions.GROUPS)


def test_the_state_bar_leads_nobody_to_a_page_that_refuses_them(
    client: Client, viewer: User, principal: User, master: MasterAccount
) -> None:
    BrokerageSession.objects.create(master=master, state=SessionState.LIVE)
    shown = {}
    for person in (viewer, principal):
        client.force_login(person)
        shown[person] = client.get("/state/").content.decode()

    assert "Trading session live" in shown[viewer]
    assert "/connections/" not in shown[viewer]
    assert "/connections/" in shown[principal]
    client.force_login(viewer)
    assert "/connections/" not in client.get("/").content.decode()
