"""How long personal data is kept, what a hold stops, and what two people destroy; also against raw SQL."""

import json
import uuid
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from backoffice.audit import sealing, verifying
from backoffice.audit.models import Entry
from backoffice.core import clock
from backoffice.core.errors import Conflict, InvalidInput, NotPermitted
from backoffice.core.models import StatusEvent
from backoffice.core.money import Money
from backoffice.home.models import Notice
from backoffice.journal import decisions
from backoffice.journal import services as journal
from backoffice.journal.models import Approval, Rejection
from clients.models import Account, Client, Destruction, Household, LegalHold
from clients.selectors import retention as selectors
from clients.selectors import today
from clients.services import retention
from clients.services.applications import SeenStatus, record_status
from funding import services as funding
from tests import papers
from tests.canaries import places
from tests.funding.conftest import make_account, make_bank
from trading.models import Instrument, Order

pytestmark = pytest.mark.django_db
PERSONAL = {
    "tax": "12345678901",
    "typed tax": "718293645",
    "e-mail": "friederike.sonnwald@example.com",
    "street": "Ahornweg 17",
}


@pytest.fixture
def account(open_account: Any, master: Any) -> Any:
    """An account that was open for years before it closed."""
    found = open_account(master)
    Client.objects.filter(pk=found.client_id).update(created_at=clock.now() - timedelta(days=20 * 365))
    found.client.refresh_from_db()
    return found


def close(account: Account, *, years_ago: int) -> Client:
    Account.objects.filter(pk=account.pk).update(
        ibkr_status="C", closed_on=date(clock.now().year - years_ago, 5, 4)
    )  # fmt: skip
    return Client.objects.get(pk=account.client_id)


def sql(statement: str, *values: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)


def test_the_years_begin_when_ibkr_says_closed_and_stop_when_it_is_reopened(account: Any) -> None:
    day = clock.now()
    record_status(account, SeenStatus("C", "Closed", day))
    record_status(account, SeenStatus("C", "Closed", day + timedelta(days=30)))
    account.refresh_from_db()

    assert account.closed_on == day.astimezone(clock.NEW_YORK).date()
    assert selectors.clock_of(account.client).until == date(account.closed_on.year + 6, 12, 31)

    record_status(account, SeenStatus("O", "Open", day + timedelta(days=31)))
    assert selectors.clock_of(account.client).until is None


@pytest.mark.parametrize(("years_ago", "is_over"), [(0, False), (6, False), (7, True), (9, True)])
def test_six_years_count_from_the_end_of_the_year(account: Any, years_ago: int, is_over: bool, principal: Any) -> None:
    client = close(account, years_ago=years_ago)

    assert selectors.clock_of(client).is_over is is_over
    assert [found.client for found in selectors.over(principal)] == ([client] if is_over else [])


def test_nobody_is_over_while_an_application_is_under_way(submitted: Any, master: Any, principal: Any) -> None:
    application = submitted(master)
    Client.objects.filter(pk=application.client_id).update(created_at=clock.now() - timedelta(days=20 * 365))

    assert list(selectors.over(principal)) == []
    assert "under way" in selectors.clock_of(Client.objects.get(pk=application.client_id)).why


def test_a_hold_stops_what_the_clock_would_let_go(account: Any, operations: Any, principal: Any) -> None:
    client = close(account, years_ago=9)
    proposed = retention.propose(client, by=principal)

    retention.place_hold(client, reason="Examination 12-4", by=operations)

    proposed.refresh_from_db()
    assert proposed.dropped_at is not None
    with pytest.raises(Conflict, match="A legal hold stands: Examination 12-4"):
        retention.propose(client, by=principal)
    assert list(selectors.over(principal)) == []


def test_a_hold_placed_by_a_double_click_is_one_hold(account: Any, operations: Any, principal: Any) -> None:
    first = retention.place_hold(account.client, reason="Examination 12-4", by=operations)

    again = retention.place_hold(account.client, reason=" Examination 12-4 ", by=operations)
    of_another = retention.place_hold(account.client, reason="Examination 12-4", by=principal)

    assert again == first
    assert set(account.client.holds.all()) == {first, of_another}
    assert Entry.objects.filter(action="clients.place_hold").count() == 2


def test_whoever_places_a_hold_does_not_release_it(account: Any, principal: Any, second_principal: Any) -> None:
    hold = retention.place_hold(account.client, reason="Matter", by=principal)

    with pytest.raises(NotPermitted, match="another principal must release it"):
        retention.release_hold(hold, reason="Over", by=principal)
    with pytest.raises(InvalidInput, match="needs its reason"):
        retention.release_hold(hold, reason=" ", by=second_principal)
    retention.release_hold(hold, reason="Counsel said so", by=second_principal)
    with pytest.raises(Conflict, match="released already"):
        retention.release_hold(hold, reason="Again", by=second_principal)


def test_two_principals_destroy_what_names_the_person_and_the_audit_stays_whole(
    account: Any, principal: Any, second_principal: Any, submitted: Any, master: Any
) -> None:
    application = submitted(master, tax_number=PERSONAL["typed tax"])
    type(application).objects.filter(pk=application.pk).update(
        client=account.client, status="opened", ended_at=clock.now() - timedelta(days=9 * 366)
    )
    asked = funding.request_withdrawal(
        account=account, money=Money(Decimal("75.00"), "USD"), bank=make_bank(account), by=principal, intent=uuid.uuid4(),
        note=f"To her at {PERSONAL['street']}",
    )  # fmt: skip
    withdrawal = journal.current_for(asked)
    assert withdrawal is not None
    call = papers.png()
    paper = decisions.add_evidence(withdrawal, name="Call to Ahornweg 17.png", content=call, by=principal)
    client = close(account, years_ago=9)
    assert json.loads(client.residence)["street1"] == PERSONAL["street"]
    row = retention.propose(client, by=principal)
    assert [item.kind for item in today.inbox(second_principal) if "destruction" in item.kind]
    assert not [item.kind for item in today.inbox(principal) if "destruction" in item.kind]

    with pytest.raises(NotPermitted, match="another principal must approve it"):
        retention.destroy(row, by=principal)
    retention.destroy(row, by=second_principal)

    gone = Client.objects.get(pk=client.pk)
    assert (gone.first_name, gone.email, gone.tax_number, gone.tax_number_index, gone.residence) == (
        "Erased",
        "",
        "",
        "",
        "",
    )
    application.refresh_from_db()
    assert application.draft_text == "{}"
    submission = journal.current_for(application)
    assert submission is not None
    assert (submission.payload, submission.payload_is_intact) == ({}, False)
    asked.refresh_from_db()
    assert (asked.note, asked.money, asked.bank.last4) == ("", Money(Decimal("75.00"), "USD"), "")
    paper.refresh_from_db()
    assert (paper.content, paper.file_name, len(paper.sha256)) == ("", "destroyed", 64)
    with pytest.raises(Conflict, match="destroyed with its client's personal data"):
        decisions.content_of(paper)
    everything = "\n".join(text for _, text in places.tables())
    assert not places.hits({"name": "Sonnwald", **PERSONAL}, everything)
    assert (
        Entry.objects.filter(action="clients.destroy", actor=second_principal, subject_id=str(client.pk)).count() == 1
    )
    sealing.seal_committed()
    assert verifying.verify().is_whole
    with pytest.raises(Conflict, match="decided already"):
        retention.destroy(row, by=second_principal)


def an_order(accounts: list[Account], maker: Any, number: int) -> Order:
    instrument, _ = Instrument.objects.get_or_create(conid="265598", symbol="AAPL", currency="USD")
    order = Order.objects.create(
        number=number, intent=uuid.uuid4(), client_order_id=f"T-{number}", master=accounts[0].master, instrument=instrument,
        side="BUY", quantity=Decimal(10), order_type="MKT", target="account", target_name="", maker=maker,
        reason="Friederike Sonnwald asked by phone", twin_reason="Sonnwald wants two", created_at=clock.now(),
        changed_at=clock.now(),
    )  # fmt: skip
    for place, account in enumerate(accounts):
        order.allocations.create(account=account, place=place, quantity=Decimal(5))
    journal.submit(
        operation="trading.send_order", look="trading.look_for_order", subject=order, payload={"quantity": "10"},
        key_space="cOID", key=order.client_order_id, lane="trading", master=order.master, maker=maker, summary="Order",
        approvals_needed=2,
    )  # fmt: skip
    return order


def test_what_people_wrote_about_the_client_goes_and_who_did_what_stays(
    account: Any, master: Any, book: Any, advisor: Any, principal: Any, second_principal: Any
) -> None:
    household = Household.objects.create(name="The Sonnwalds")
    Client.objects.filter(pk=account.client_id).update(household=household)
    asked = funding.request_withdrawal(
        account=account, money=Money(Decimal("75.00"), "USD"), bank=make_bank(account), by=advisor, intent=uuid.uuid4(),
        note="She asked by phone",
    )  # fmt: skip
    withdrawal = journal.current_for(asked)
    assert withdrawal is not None
    funding.decline(asked, by=principal, reason="Frau Sonnwald says it was not her")
    order = an_order([account], advisor, 1)
    waiting = journal.current_for(order)
    assert waiting is not None
    paper = decisions.add_evidence(waiting, name="Sonnwald.png", content=papers.png(), by=advisor)
    journal.approve(waiting, by=principal, payload_sha256=waiting.payload_sha256, reason="I called Frau Sonnwald")
    Notice.objects.create(
        user=advisor, kind=f"journal.approval:{waiting.pk}", group="approval", title="Order 1", url="/", tone="wait",
        since=clock.now(), snooze_reason="Sonnwald travels",
    )  # fmt: skip
    Notice.objects.create(
        user=principal,
        kind="x",
        group="x",
        title="Statement of Friederike Sonnwald",
        url="/",
        tone="bad",
        since=clock.now(),
    )
    client = close(account, years_ago=9)

    retention.destroy(retention.propose(client, by=principal), by=second_principal)

    assert not places.hits({"name": "Sonnwald"}, "\n".join(text for _, text in places.tables()))
    assert not [each.title for each in Notice.objects.all() if "Sonnwald" in each.title]
    household.refresh_from_db()
    order.refresh_from_db()
    paper.refresh_from_db()
    waiting.refresh_from_db()
    assert (household.name, order.reason, order.twin_reason, order.quantity) == (*("destroyed",) * 3, Decimal(10))
    assert (paper.is_destroyed, waiting.payload) == (True, {"quantity": "10"})
    said, no = Approval.objects.get(), Rejection.objects.get()
    assert (said.approver, said.payload_sha256, said.reason) == (principal, waiting.payload_sha256, "destroyed")
    assert (no.person, no.payload_sha256, no.reason) == (principal, withdrawal.payload_sha256, "destroyed")
    moved = StatusEvent.objects.get(subject_model="funding.cashtransfer", subject_id=str(asked.pk))
    assert (moved.old, moved.new, moved.actor, moved.because) == ("requested", "cancelled", principal, "destroyed")
    sealing.seal_committed()
    assert verifying.verify().is_whole


def test_what_belongs_to_others_too_stays_until_their_years_are_over(
    account: Any, master: Any, book: Any, advisor: Any, principal: Any, second_principal: Any
) -> None:
    household = Household.objects.create(name="The Sonnwalds")
    other = make_account("U1000077", master, book)
    Client.objects.filter(pk__in=[account.client_id, other.client_id]).update(
        household=household, created_at=clock.now() - timedelta(days=20 * 365)
    )
    order = an_order([account, other], advisor, 1)
    client = close(account, years_ago=9)
    retention.destroy(retention.propose(client, by=principal), by=second_principal)
    household.refresh_from_db()
    order.refresh_from_db()
    assert (household.name, order.reason) == ("The Sonnwalds", "Friederike Sonnwald asked by phone")

    retention.destroy(retention.propose(close(other, years_ago=9), by=principal), by=second_principal)

    household.refresh_from_db()
    order.refresh_from_db()
    assert (household.name, order.reason) == ("destroyed", "destroyed")


@pytest.mark.parametrize(
    ("table", "column", "other"),
    [
        ("journal_approval", "reason", "payload_sha256 = repeat('0', 64)"),
        ("journal_rejection", "reason", "answer = 'returned'"),
        ("journal_release", "evidence", "for_attempt = 9"),
        ("journal_attestation", "evidence", "for_attempt = 9"),
        ("core_statusevent", "because", "new = 'done'"),
    ],
)
def test_raw_sql_empties_words_and_changes_nothing_else(
    table: str, column: str, other: str, account: Any, advisor: Any, principal: Any, second_principal: Any
) -> None:
    made = journal.current_for(an_order([account], advisor, 1))
    assert made is not None
    journal.approve(made, by=principal, payload_sha256=made.payload_sha256, reason="Yes")
    journal.refuse(made, by=second_principal, reason="No")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for named in ("release", "attestation"):  # their own rules are held elsewhere
            cursor.execute(f"ALTER TABLE journal_{named} DISABLE TRIGGER journal_{named}_allowed")
            cursor.execute(
                f"INSERT INTO journal_{named} (submission_id, person_id, evidence, for_attempt, at)"  # noqa: S608
                " VALUES (%s, %s, 'Words', 1, now())",
                [made.pk, principal.pk],
            )
            cursor.execute(f"ALTER TABLE journal_{named} ENABLE TRIGGER journal_{named}_allowed")

    for statement in (
        f"UPDATE {table} SET {column} = 'Other words'",
        f"UPDATE {table} SET {column} = ''",
        f"UPDATE {table} SET {other}",
        f"UPDATE {table} SET {column} = 'destroyed', {other}",
        f"DELETE FROM {table}",
    ):
        with pytest.raises(IntegrityError, match=f"{table} is append-only"):
            sql(statement)
    sql(f"UPDATE {table} SET {column} = 'destroyed'")


def test_only_principals_destroy(account: Any, operations: Any, advisor: Any) -> None:
    client = close(account, years_ago=9)
    for person in (operations, advisor):
        with pytest.raises(NotPermitted):
            retention.propose(client, by=person)


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE clients_client SET erased_at = now() WHERE id = %s", "a legal hold stands"),
        ("DELETE FROM clients_client WHERE id = %s", "a legal hold stands"),
        ("DELETE FROM clients_legalhold WHERE client_id = %s", "released once and never changed"),
        ("UPDATE clients_legalhold SET reason = 'x' WHERE client_id = %s", "released once and never changed"),
        ("UPDATE clients_legalhold SET released_by_id = placed_by_id, released_at = now() WHERE client_id = %s",
         "hold_released_by_another"),
    ],
)  # fmt: skip
def test_raw_sql_gets_past_no_hold(statement: str, says: str, account: Any, principal: Any) -> None:
    retention.place_hold(account.client, reason="Matter", by=principal)

    with pytest.raises(IntegrityError, match=says):
        sql(statement, account.client_id)

    assert LegalHold.objects.get().stands
    assert Client.objects.get().erased_at is None


@pytest.mark.parametrize("proposed", [False, True])
def test_raw_sql_erases_nobody_without_two_people(proposed: bool, account: Any, principal: Any) -> None:
    client = close(account, years_ago=9)
    if proposed:
        retention.propose(client, by=principal)
        with pytest.raises(IntegrityError, match="destruction_needs_two_people"):
            sql("UPDATE clients_destruction SET approved_by_id = proposed_by_id, done_at = now()")

    with pytest.raises(IntegrityError, match="no two people approved"):
        sql("UPDATE clients_client SET erased_at = now() WHERE id = %s", client.pk)
    with pytest.raises(IntegrityError, match="never deleted"):
        sql("DELETE FROM clients_client WHERE id = %s", client.pk)


def test_the_pages_say_what_was_refused_and_keep_what_was_typed(
    client: Any, account: Any, principal: Any, second_principal: Any
) -> None:
    closed = close(account, years_ago=9)
    address = f"/clients/{closed.pk}/retention/"
    client.force_login(principal)

    assert "No rule keeps it any longer" in client.get(address).content.decode()
    client.post(f"{address}destroy/")
    row = Destruction.objects.get()
    own = client.post(f"/clients/retention/{row.pk}/decide/", {"decision": "destroy", "typed": closed.name})
    assert (own.status_code, "another principal must approve it" in own.content.decode()) == (422, True)
    client.force_login(second_principal)
    wrong = client.post(f"/clients/retention/{row.pk}/decide/", {"decision": "destroy", "typed": "Somebody"})
    assert (wrong.status_code, "Nothing was destroyed" in wrong.content.decode()) == (422, True)
    done = client.post(f"/clients/retention/{row.pk}/decide/", {"decision": "destroy", "typed": closed.name})
    assert done.status_code == 302
    assert "Destroyed on" in client.get(address).content.decode()
    assert Entry.objects.filter(action="clients.refused").count() == 1
