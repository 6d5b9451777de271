"""The pages: who sees what, what a form refuses, and how few queries a list takes."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver, reverse

from backoffice.core import clock, exports
from backoffice.journal import inquiries
from backoffice.journal import services as journal
from backoffice.journal.models import LIFECYCLE as JOURNAL
from backoffice.journal.models import State, Submission
from clients.models import Account
from tests.conftest import PASSWORD
from tests.trading.conftest import give_figures, give_position, make_account
from trading import contributions
from trading.forms import TicketForm
from trading.models import AllocationGroup, GroupChange, Instrument, Order, OrderQuestion, Position, Status
from trading.services import progress

pytestmark = pytest.mark.django_db


def signed_in(person: Any) -> Browser:
    browser = Browser()
    browser.force_login(person)
    return browser


def asked(order: Order, words: str = "Are you sure?") -> OrderQuestion:
    """Bring a sent order to IBKR's question, as a worker does."""
    submission = order.submission
    assert submission is not None
    for state in (State.CLAIMED, State.SENDING, State.QUESTION):
        JOURNAL.move(submission, to=state, because="test")
    return progress.record_question(
        order, reply_id="a1b2c3d4-0000", messages=[words], message_ids=["o163"], session_serial=None
    )


@pytest.fixture
def order(send: Callable[..., Order]) -> Order:
    return send()


# ---- who sees what

ONE = "trading:order_detail"
PLACES: dict[str, tuple[str, str]] = {  # name: (method, what its key is)
    "portfolio": ("get", ""),
    "portfolio_export": ("get", ""),
    "portfolio_refresh": ("post", ""),
    "portfolio_refreshed": ("get", "inquiry:trading.answer_portfolio_refresh"),
    "account": ("get", "number"),
    "instrument_search": ("get", ""),
    "instrument_ask": ("post", ""),
    "instrument_found": ("get", "inquiry:trading.answer_instrument_search"),
    "quote_live": ("get", "conid"),
    "quoted": ("get", "inquiry:trading.answer_quote"),
    "instrument": ("get", "conid"),
    "instrument_choose": ("get", "conid"),
    "quote": ("post", "conid"),
    "group_list": ("get", ""),
    "group_detail": ("get", "group"),
    "group_new": ("get", ""),
    "group_edit": ("get", "group"),
    "group_delete": ("post", "group"),
    "order_new": ("get", ""),
    "order_preview": ("post", ""),
    "order_detail": ("get", "order"),
    "order_live": ("get", "order"),
    "what_if": ("post", "order"),
    "what_if_shown": ("get", "inquiry:trading.answer_what_if"),
    "order_send": ("post", "order"),
    "order_discard": ("post", "order"),
    "order_answer": ("post", "order"),
    "order_cancel": ("post", "order"),
    "order_take_back": ("post", "order"),
    "blotter": ("get", ""),
    "blotter_export": ("get", ""),
    "client_panel": ("get", "client"),
    "client_trade": ("get", "client"),
}
SHARED = {"conid"}  # instruments belong to nobody
TRADE = {
    "group_new", "group_edit", "group_delete", "order_new", "order_preview", "order_send", "order_discard",
    "order_answer", "order_cancel", "client_trade", "what_if", "what_if_shown",
}  # fmt: skip


@pytest.fixture
def address(
    order: Order, group: AllocationGroup, accounts: list[Account], instrument: Instrument, advisor: Any
) -> Callable[[str], str]:
    def of(name: str) -> str:
        kind = PLACES[name][1]
        key: list[Any] = []
        if kind.startswith("inquiry:"):
            params = {"accounts": [], "text": "x", "conid": "265598", "order": str(order.pk)}
            key = [inquiries.ask(kind.partition(":")[2], params, by=advisor).pk]
        elif kind:
            key = [
                {
                    "number": accounts[0].number, "conid": instrument.conid, "group": group.pk, "order": order.pk,
                    "client": accounts[0].client_id,
                }[kind]
            ]  # fmt: skip
        return reverse(f"trading:{name}", args=key)

    return of


def test_every_address_is_in_the_matrix() -> None:
    resolver = next(each for each in get_resolver().url_patterns if getattr(each, "namespace", "") == "trading")

    assert {pattern.name for pattern in resolver.url_patterns} == set(PLACES)


@pytest.mark.parametrize("name", sorted(name for name in PLACES if PLACES[name][1] and PLACES[name][1] not in SHARED))
def test_another_advisors_rows_are_not_found(name: str, address: Callable[[str], str], other_advisor: Any) -> None:
    answer = getattr(signed_in(other_advisor), PLACES[name][0])(address(name))

    assert answer.status_code == 404


@pytest.mark.parametrize("name", sorted(PLACES))
def test_nobody_reads_without_signing_in(name: str, address: Callable[[str], str]) -> None:
    answer = getattr(Browser(), PLACES[name][0])(address(name))

    assert answer.status_code == 302
    assert "/account/login/" in answer["Location"]


@pytest.mark.parametrize("name", sorted(PLACES))
def test_the_administrator_sees_no_client(name: str, address: Callable[[str], str], administrator: Any) -> None:
    assert getattr(signed_in(administrator), PLACES[name][0])(address(name)).status_code == 403


@pytest.mark.parametrize("name", sorted(TRADE))
def test_a_viewer_cannot_trade(name: str, address: Callable[[str], str], viewer: Any, accounts: list[Account]) -> None:
    accounts[0].client.book.members.add(viewer)
    before = Submission.objects.count()

    answer = getattr(signed_in(viewer), PLACES[name][0])(address(name))

    assert answer.status_code == 403
    assert Submission.objects.count() == before


@pytest.mark.parametrize("name", sorted(name for name in PLACES if PLACES[name][0] == "get" and name not in TRADE))
def test_a_viewer_of_the_book_reads(
    name: str, address: Callable[[str], str], viewer: Any, accounts: list[Account]
) -> None:
    accounts[0].client.book.members.add(viewer)
    expected = 404 if PLACES[name][1].startswith("inquiry") else 200  # an inquiry is its asker's alone

    assert signed_in(viewer).get(address(name)).status_code == expected


@pytest.mark.parametrize("name", sorted(name for name in PLACES if PLACES[name][0] == "get"))
def test_the_advisor_opens_every_page(name: str, address: Callable[[str], str], advisor: Any) -> None:
    assert signed_in(advisor).get(address(name), follow=True).status_code == 200


def test_lists_show_nothing_of_another_book(order: Order, group: AllocationGroup, other_advisor: Any) -> None:
    browser = signed_in(other_advisor)

    for name in ("portfolio", "blotter", "group_list"):
        page = browser.get(reverse(f"trading:{name}")).content.decode()
        assert "Holloway" not in page
        assert order.reference not in page
        assert "Balanced" not in page


def test_a_block_with_a_foreign_account_stays_hidden(
    send: Callable[..., Order], group: AllocationGroup, accounts: list[Account], other_advisor: Any, viewer: Any
) -> None:
    from backoffice.people.models import Book

    block = send(group=group, quantity=Decimal(70))
    own = Book.objects.create(name="Halloway")
    own.members.add(other_advisor)
    type(accounts[0].client).objects.filter(pk=accounts[0].client_id).update(book=own)

    assert signed_in(other_advisor).get(block.get_absolute_url()).status_code == 404


# ---- the ticket


def fields(**changes: Any) -> dict[str, Any]:
    return {
        "intent": str(uuid.uuid4()), "conid": "265598", "side": "BUY", "quantity": "10", "order_type": "LMT",
        "limit_price": "100.00", "tif": "DAY", "allocate_to": "account:U1000011", "reason": "Asked for by phone",
    } | changes  # fmt: skip


def test_a_price_in_pence_is_said_to_be_in_pence(advisor: Any, accounts: list[Account], instrument: Instrument) -> None:
    """A limit of 11.19 typed for a London share that trades at 1,119 pence would be a hundredth of what was meant."""
    browser = signed_in(advisor)
    Instrument.objects.filter(pk=instrument.pk).update(currency="GBP", exchange="LSE", price_magnifier=100)

    ticket = browser.get(reverse("trading:order_new"), {"conid": instrument.conid}).content.decode()
    chosen = browser.get(reverse("trading:instrument_choose", args=[instrument.conid])).content.decode()

    assert "prices in pence" in ticket
    assert "prices in pence" in chosen
    Instrument.objects.filter(pk=instrument.pk).update(price_magnifier=1)
    assert "pence" not in browser.get(reverse("trading:instrument_choose", args=[instrument.conid])).content.decode()


def test_a_ticket_is_previewed_and_sent(advisor: Any, accounts: list[Account], instrument: Instrument) -> None:
    browser = signed_in(advisor)
    data = fields()

    previewed = browser.post(reverse("trading:order_preview"), data, follow=True)
    order = Order.objects.get()
    assert previewed.status_code == 200
    assert Submission.objects.count() == 0
    sent = browser.post(
        reverse("trading:order_send", args=[order.pk]),
        data | {"allocation_sha256": order.allocation_sha256},
        follow=True,
    )

    order.refresh_from_db()
    assert sent.status_code == 200
    assert order.status == Status.REQUESTED
    assert Submission.objects.count() == 1


def test_fields_changed_after_the_preview_are_not_sent(
    advisor: Any, accounts: list[Account], instrument: Instrument
) -> None:
    browser = signed_in(advisor)
    data = fields()
    browser.post(reverse("trading:order_preview"), data)
    order = Order.objects.get()

    answer = browser.post(
        reverse("trading:order_send", args=[order.pk]),
        data | {"quantity": "100", "allocation_sha256": order.allocation_sha256},
    )

    order.refresh_from_db()
    assert answer.status_code == 409
    assert b"changed after the preview" in answer.content
    assert (order.status, order.quantity) == (Status.DRAFT, 100)  # previewed again, not sent
    assert Submission.objects.count() == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"quantity": "ten"}, "This is not a number."),
        ({"quantity": ""}, "Enter how many units."),
        ({"quantity": "1e400"}, "This is not a number."),
        ({"quantity": "1.5"}, "The quantity must be whole units"),
        ({"limit_price": ""}, "A limit order needs a price."),
        ({"limit_price": "100.005"}, "The nearest price is 100."),
        ({"conid": ""}, "Choose an instrument."),
        ({"conid": "1'; DROP"}, "Choose an instrument of the list."),
        ({"allocate_to": ""}, "Choose who the order is for."),
        ({"allocate_to": "account:U1000099"}, "It is not open, or not in your books."),
        ({"reason": ""}, "The reason is kept on the record."),
    ],
)
def test_a_defect_is_said_at_its_field_and_nothing_typed_is_lost(
    advisor: Any, accounts: list[Account], instrument: Instrument, changes: dict[str, str], said: str
) -> None:
    answer = signed_in(advisor).post(reverse("trading:order_preview"), fields(reason="Kept words") | changes)

    assert answer.status_code == 422
    page = answer.content.decode()
    assert said in page
    assert "reason" in changes or "Kept words" in page
    assert Order.objects.count() == 0


def test_several_accounts_by_units(advisor: Any, accounts: list[Account], instrument: Instrument) -> None:
    data = fields(allocate_to="chosen", quantity="10") | {"units-U1000011": "4", "units-U1000012": "6"}

    signed_in(advisor).post(reverse("trading:order_preview"), data)

    order = Order.objects.get()
    assert {row.account.number: row.quantity for row in order.allocations.all()} == {"U1000011": 4, "U1000012": 6}
    assert [choice.typed for choice in TicketForm.of(order, advisor).units] == ["4", "6", ""]


# ---- IBKR's question


def test_the_question_is_shown_word_for_word_and_inert(order: Order, advisor: Any) -> None:
    words = (
        '<h4>Warning</h4>Price exceeds \nthe limit of 3%.<script>alert(1)</script><img src=x onerror="alert(2)"> Sure?'
    )
    question = asked(order, words)

    page = signed_in(advisor).get(order.get_absolute_url()).content.decode()

    assert question.messages == [words]
    assert question.words == "Warning\nPrice exceeds\nthe limit of 3%.alert(1) Sure?"
    assert "<script>alert" not in page
    assert "onerror" not in page
    assert "Decline the order" in page
    assert page.index("Decline the order") < page.index("Confirm to IBKR")


@pytest.mark.parametrize("words", ["&lt;script&gt;alert(1)&lt;/script&gt;", "a &amp; b < c", "<b>bold"])
def test_entities_stay_text(order: Order, advisor: Any, words: str) -> None:
    asked(order, words)

    assert "<script>alert" not in signed_in(advisor).get(order.get_absolute_url()).content.decode()


def test_an_answer_counts_once(order: Order, advisor: Any, principal: Any) -> None:
    question = asked(order)
    url = reverse("trading:order_answer", args=[order.pk])

    first = signed_in(advisor).post(url, {"question": question.pk, "answer": "no"})
    second = signed_in(principal).post(url, {"question": question.pk, "answer": "yes"})

    question.refresh_from_db()
    assert (first.status_code, second.status_code) == (302, 409)
    assert (question.answer, question.answered_by) == ("no", advisor)
    assert journal.current_for(order).state == State.REPLYING  # type: ignore[union-attr]


@pytest.mark.parametrize(("answer", "is_held_back"), [("yes", True), ("no", False)])
def test_a_yes_is_a_sending_and_asks_who_says_it(
    order: Order, advisor: Any, answer: str, is_held_back: bool, settings: Any, time_machine: Any
) -> None:
    settings.STEP_UP_SECONDS = settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
    browser = Browser()
    browser.post("/account/login/", {"login": advisor.email, "password": PASSWORD})
    time_machine.move_to(clock.now() + timedelta(seconds=301))
    question = asked(order)

    reply = browser.post(reverse("trading:order_answer", args=[order.pk]), {"question": question.pk, "answer": answer})

    question.refresh_from_db()
    assert reply["Location"].startswith("/account/reauthenticate/") == is_held_back
    assert question.is_open == is_held_back


def test_an_answer_after_the_deadline_is_refused(order: Order, advisor: Any, time_machine: Any) -> None:
    question = asked(order)
    time_machine.move_to(question.deadline)

    answer = signed_in(advisor).post(
        reverse("trading:order_answer", args=[order.pk]), {"question": question.pk, "answer": "yes"}
    )

    question.refresh_from_db()
    assert answer.status_code == 409
    assert question.is_open


def test_the_live_part_is_silent_while_nothing_changed(order: Order, advisor: Any) -> None:
    browser = signed_in(advisor)
    url = reverse("trading:order_live", args=[order.pk])
    page = browser.get(url, headers={"HX-Request": "true"})
    mark = page.content.decode().split("?mark=")[1].split('"')[0]

    assert browser.get(url, {"mark": mark}, headers={"HX-Request": "true"}).status_code == 204
    asked(order)
    assert browser.get(url, {"mark": mark}, headers={"HX-Request": "true"}).status_code == 200


def test_a_settled_order_asks_no_more(order: Order, advisor: Any) -> None:
    progress.mark_rejected(order, reason="No trading permissions.")

    page = signed_in(advisor).get(order.get_absolute_url()).content.decode()

    assert 'hx-trigger="every 2s"' not in page
    assert "No trading permissions." in page


# ---- what Today and the search get


def test_today_has_the_question_first(order: Order, advisor: Any, other_advisor: Any) -> None:
    asked(order, "Price is far off. Are you sure?")

    items = list(contributions.inbox(advisor))

    assert [(item.group, item.action) for item in items] == [("answer", "Answer")]
    assert items[0].ibkr_words == "Price is far off. Are you sure?"
    assert list(contributions.inbox(other_advisor)) == []


def test_today_has_an_unknown_outcome(order: Order, advisor: Any) -> None:
    submission = order.submission
    assert submission is not None
    for state in (State.CLAIMED, State.SENDING):
        JOURNAL.move(submission, to=state, because="test")
    JOURNAL.move(submission, to=State.UNKNOWN, because="test", unknown_since=clock.now())

    items = list(contributions.inbox(advisor))

    assert [(item.group, item.tone) for item in items] == [("doubt", "unknown")]
    page = signed_in(advisor).get(reverse("trading:blotter"), {"tab": "unknown"}).content.decode()
    assert "did not read the answer" in page
    assert "Send again" not in page


def test_search_finds_orders_and_instruments_of_the_own_book(order: Order, advisor: Any, other_advisor: Any) -> None:
    assert [hit.title for hit in contributions.search(advisor, order.reference)] == [order.reference]
    assert [hit.title for hit in contributions.search(other_advisor, order.reference)] == []
    assert [hit.title for hit in contributions.search(advisor, "appl")] == ["AAPL"]


def test_an_allocation_that_came_out_differently_is_named(
    send: Callable[..., Order], group: AllocationGroup, advisor: Any
) -> None:
    block = send(group=group, quantity=Decimal(7))
    progress.mark_working(block, ibkr_order_id="1370093001", word="Submitted")
    shares = {"U1000011": 2, "U1000012": 2, "U1000013": 3}
    progress.record_fills(
        block,
        [progress.Fill(f"1.{number}", 1, number, Decimal(units), Decimal(100), Decimal(1), clock.now())
         for number, units in shares.items()],
    )  # fmt: skip

    items = list(contributions.inbox(advisor))
    page = signed_in(advisor).get(block.get_absolute_url()).content.decode()

    assert [(item.group, item.amount) for item in items] == [("other", "2 accounts")]
    assert "1 unit went to Marianne Holloway 11 in place of Marianne Holloway 13" in page


# ---- portfolio


def test_totals_say_what_they_cover(advisor: Any, accounts: list[Account], instrument: Instrument, master: Any) -> None:
    give_position(accounts[0], instrument, "10")
    unread = make_account("U1000018", master, accounts[0].client.book)

    page = signed_in(advisor).get(reverse("trading:portfolio")).content.decode()

    assert "3 of 4 accounts are fresh" in page
    assert "Never read:" in page
    assert unread.number in page
    assert "175,000" in page


def test_an_amount_in_another_currency_is_converted(
    advisor: Any, accounts: list[Account], instrument: Instrument, master: Any
) -> None:
    euro = make_account("U1000018", master, accounts[0].client.book, base_currency="EUR")
    give_figures(euro, "1000")

    page = signed_in(advisor).get(reverse("trading:portfolio")).content.decode()

    assert "176,100" in page


def test_an_empty_account_is_not_zero(advisor: Any, book: Any, master: Any) -> None:
    account = make_account("U1000018", master, book)

    page = signed_in(advisor).get(reverse("trading:account", args=[account.number])).content.decode()

    assert "not known" in page
    assert "Never read from IBKR" in page


# ---- groups


def test_a_group_is_asked_for_once(advisor: Any, accounts: list[Account]) -> None:
    data = {
        "intent": str(uuid.uuid4()),
        "name": "Growth",
        "method": "E",
        "member-U1000011": "on",
        "member-U1000012": "on",
    }

    for _ in range(2):
        assert signed_in(advisor).post(reverse("trading:group_new"), data).status_code == 302

    change = GroupChange.objects.get()
    assert [member["account"] for member in change.members] == ["U1000011", "U1000012"]
    assert Submission.objects.get().key == f"Growth.{change.pk}"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": ""}, "Give the group a name."),
        ({"name": "All"}, "IBKR keeps a group All of its own."),
        ({"name": "a/b"}, "IBKR would not take this name."),
        ({"name": ".."}, "IBKR would not take this name."),
        ({"method": "P", "amount-U1000011": "40", "amount-U1000012": "50"}, "The percentages add up to 90."),
        ({"method": "R"}, "U1000011 has no amount."),
    ],
)
def test_a_defect_of_a_group_is_said(advisor: Any, accounts: list[Account], changes: dict[str, str], said: str) -> None:
    data = {
        "intent": str(uuid.uuid4()),
        "name": "Growth",
        "method": "E",
        "member-U1000011": "on",
        "member-U1000012": "on",
    }

    answer = signed_in(advisor).post(reverse("trading:group_new"), data | changes)

    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert Submission.objects.count() == 0


def test_a_group_with_an_open_order_is_not_deleted(
    send: Callable[..., Order], group: AllocationGroup, advisor: Any
) -> None:
    send(group=group, quantity=Decimal(7))

    answer = signed_in(advisor).post(reverse("trading:group_delete", args=[group.pk]), {"intent": str(uuid.uuid4())})

    assert answer.status_code == 409
    assert not GroupChange.objects.exists()


# ---- lists cost the same however long they are


@pytest.mark.parametrize("name", ["blotter", "portfolio"])
def test_a_list_takes_the_same_queries_for_one_row_and_for_many(
    name: str,
    send: Callable[..., Order],
    group: AllocationGroup,
    advisor: Any,
    accounts: list[Account],
    instrument: Instrument,
) -> None:
    browser = signed_in(advisor)
    url = reverse(f"trading:{name}")
    give_position(accounts[0], instrument, "10")
    send(group=group, quantity=Decimal(7))
    browser.get(url)
    with CaptureQueriesContext(
        connection,
    ) as few:
        browser.get(url)

    for number in range(12):
        send(group=group, quantity=Decimal(20 + number))
        other = Instrument.objects.create(conid=str(1000 + number), symbol=f"X{number}", currency="USD")
        give_position(accounts[1], other, "3")
    with CaptureQueriesContext(connection) as many:
        browser.get(url)

    assert Position.objects.count() == 13
    assert len(many) <= len(few) + 1
    assert len(many) < 45


@pytest.mark.row(id="Z07")
def test_exports_never_start_a_formula(order: Order, advisor: Any) -> None:
    Order.objects.filter(pk=order.pk).update(reason="=HYPERLINK(1)")

    text = signed_in(advisor).get(reverse("trading:blotter_export")).content.decode("utf-8-sig")

    assert "'=HYPERLINK(1)" in text
    assert all(exports.safe(start + "x").startswith("'") for start in ("=", "+", "-", "@", "\t", "\r", " ="))
    assert exports.safe(Decimal("-5.2")) == "-5.2"
