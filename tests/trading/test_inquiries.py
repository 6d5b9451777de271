"""What a person waits for, against the sandbox: which connection is asked, what a what-if says, and what it never does."""

import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse

from backoffice.broker.models import BrokerageSession, MasterAccount, SessionState
from backoffice.core import clock
from backoffice.journal import inquiries
from backoffice.journal import services as journal
from backoffice.journal.models import LIFECYCLE, Inquiry, InquiryState, State
from backoffice.people.models import Book
from clients.models import Account
from tests.trading.conftest import NUMBERS, give_figures, make_account, make_group
from trading.dispatch import inquiries as dispatch
from trading.dispatch import sync
from trading.dispatch_names import INSTRUMENT_SEARCH, PORTFOLIO_REFRESH, QUOTE, WHAT_IF
from trading.models import Instrument, Order
from trading.selectors import what_if
from trading.services import tickets

AAPL = "265598"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def book(advisor: Any) -> Book:
    book = Book.objects.create(name="Alder")
    book.members.add(advisor)
    return book


@pytest.fixture
def desk(live_session: Any, connected_master: MasterAccount, book: Book) -> MasterAccount:
    """The sandbox's first three accounts in the advisor's book."""
    for number in NUMBERS:
        give_figures(make_account(number, connected_master, book), "100000")
    return connected_master


@pytest.fixture
def instrument(desk: MasterAccount, advisor: Any) -> Instrument:
    row = Instrument.objects.create(conid=AAPL, symbol="AAPL", exchange="NASDAQ", currency="USD", tick=Decimal("0.01"))
    dispatch.answer_quote(str(inquiries.ask(QUOTE, {"conid": AAPL}, by=advisor).pk))
    row.refresh_from_db()
    return row


@pytest.fixture
def draft(desk: MasterAccount, instrument: Instrument, advisor: Any) -> Callable[..., Order]:
    def make(**changes: Any) -> Order:
        assert instrument.last is not None
        arguments: dict[str, Any] = {
            "intent": uuid.uuid4(), "by": advisor, "instrument": instrument, "side": "BUY", "quantity": Decimal(6),
            "order_type": "LMT", "limit_price": instrument.last.quantize(Decimal("0.01")), "tif": "DAY",
            "reason": "Asked for by phone",
        }  # fmt: skip
        if not {"account", "group", "chosen"} & set(changes):
            arguments["account"] = Account.objects.get(number=NUMBERS[0])
        return tickets.draw_up(**{**arguments, **changes})

    return make


def answered(kind: str, params: dict[str, Any], by: Any) -> Inquiry:
    """Ask, let a worker answer, and return the row as the page finds it."""
    inquiry = inquiries.ask(kind, params, by=by)
    getattr(dispatch, kind.removeprefix("trading."))(str(inquiry.pk))
    return Inquiry.objects.get(pk=inquiry.pk)


def ask_what_if(order: Order, by: Any) -> Inquiry:
    return answered(WHAT_IF, {"order": str(order.pk), "allocation": order.allocation_sha256}, by)


def trading_paths(sandbox: Any) -> list[str]:
    return [f"{call['method']} {call['path'].removeprefix('/v1/api')}" for call in sandbox.requests()]


# ---- what-if


def test_a_what_if_says_commission_margin_and_equity_and_orders_nothing(
    draft: Callable[..., Order], sandbox: Any, advisor: Any
) -> None:
    order = draft()

    inquiry = ask_what_if(order, advisor)

    found = what_if.of_inquiry(inquiry)
    assert found is not None, inquiry.message
    assert found.whole is not None
    assert (found.commission, found.currency) == (Decimal("1.00"), "USD")
    assert [line.name for line in found.whole.lines] == [
        "Equity with loan", "Initial margin", "Maintenance margin", "Position, units",
    ]  # fmt: skip
    position = found.whole.line("Position, units")
    assert position is not None
    assert position.change == 6
    assert found.whole.equity is not None
    assert found.whole.equity.change == Decimal(-1)
    assert abs(clock.now() - found.as_of).total_seconds() < 10
    assert (found.errors, found.warnings) == ([], [])
    assert sandbox.ledger("order") == []
    assert [path for path in trading_paths(sandbox) if path.endswith(("/orders", "/whatif"))] == [
        f"POST /iserver/account/{NUMBERS[0]}/orders/whatif"
    ]


def test_nothing_that_a_person_waits_for_costs_money(draft: Callable[..., Order], sandbox: Any, advisor: Any) -> None:
    order = draft()

    for inquiry in (
        answered(QUOTE, {"conid": AAPL}, advisor),
        answered(INSTRUMENT_SEARCH, {"text": "SPY"}, advisor),
        answered(PORTFOLIO_REFRESH, {"accounts": list(NUMBERS)}, advisor),
        ask_what_if(order, advisor),
    ):
        assert inquiry.state == InquiryState.ANSWERED, inquiry.message

    assert sandbox.ledger("market-data-fee") == []
    assert not any("regsnapshot" in path for path in trading_paths(sandbox))


def test_the_order_itself_is_taken_after_its_what_if(draft: Callable[..., Order], sandbox: Any, advisor: Any) -> None:
    from trading.dispatch import orders

    order = draft()
    ask_what_if(order, advisor)

    order = tickets.send(order, by=advisor, allocation_sha256=order.allocation_sha256)
    orders.send_order(str(order.submission_id))

    assert len(sandbox.ledger("order", order.client_order_id)) == 1


def test_what_ibkr_would_refuse_is_said_in_its_words(draft: Callable[..., Order], sandbox: Any, advisor: Any) -> None:
    order = draft(quantity=Decimal(900_000))

    found = what_if.of_inquiry(ask_what_if(order, advisor))

    assert found is not None
    assert len(found.errors) == 1
    assert "insufficient funds" in found.errors[0].error
    assert sandbox.ledger("order") == []


def test_a_block_is_asked_about_as_one(draft: Callable[..., Order], sandbox: Any, advisor: Any) -> None:
    first, second, _ = Account.objects.order_by("number")

    found = what_if.of_inquiry(ask_what_if(draft(chosen={first: Decimal(4), second: Decimal(2)}), advisor))

    assert found is not None
    assert found.whole is not None
    assert found.commission == Decimal("2.00")  # IBKR charges each account
    assert trading_paths(sandbox)[-1] == "POST /iserver/account/F1000001/orders/whatif"


def test_a_block_ibkr_knows_no_what_if_for_is_asked_about_account_by_account(
    draft: Callable[..., Order], desk: MasterAccount, sandbox: Any, advisor: Any
) -> None:
    group = make_group(desk, "Income-3", "E", dict.fromkeys(Account.objects.order_by("number")))
    order = draft(group=group)
    sandbox.fault({"method": "POST", "path": "/account/Income-3/orders/whatif$", "phase": "read_not_applied",
                   "action": "status", "status": 400, "body": '{"error": "Bad Request: not supported"}'})  # fmt: skip

    found = what_if.of_inquiry(ask_what_if(order, advisor))

    assert found is not None
    assert (found.whole, found.refused_as_a_block, found.accounts) == (None, "Bad Request: not supported", 3)
    assert [part.account for part in found.parts] == list(NUMBERS)
    assert [position.change for part in found.parts if (position := part.line("Position, units"))] == [2, 2, 2]
    assert found.commission == Decimal("3.00")


def test_no_what_if_is_sent_while_ibkr_waits_for_an_answer(
    draft: Callable[..., Order], sandbox: Any, advisor: Any
) -> None:
    order, other = draft(), draft(quantity=Decimal(7))
    other = tickets.send(other, by=advisor, allocation_sha256=other.allocation_sha256)
    submission = journal.current_for(other)
    assert submission is not None
    for state in (State.CLAIMED, State.SENDING, State.QUESTION):
        LIFECYCLE.move(submission, to=state, because="test")
    before = len(sandbox.requests())

    inquiry = ask_what_if(order, advisor)

    assert (inquiry.state, inquiry.message) == (InquiryState.FAILED, dispatch.WAITS_FOR_AN_ANSWER)
    assert len(sandbox.requests()) == before


def test_a_draft_that_moved_on_is_not_asked_about(draft: Callable[..., Order], sandbox: Any, advisor: Any) -> None:
    order = draft()
    params = {"order": str(order.pk), "allocation": order.allocation_sha256}
    draft(intent=order.intent, quantity=Decimal(8))
    before = len(sandbox.requests())

    inquiry = answered(WHAT_IF, params, advisor)

    assert inquiry.message == "The ticket has moved on since this was asked."
    assert len(sandbox.requests()) == before


def test_the_ticket_shows_the_what_if_with_its_age(draft: Callable[..., Order], advisor: Any) -> None:
    browser = Browser()
    browser.force_login(advisor)
    order = draft()
    page = reverse("trading:order_detail", args=[order.pk])
    assert "IBKR has not been asked what this order would do." in browser.get(page).content.decode()

    waiting = browser.post(reverse("trading:what_if", args=[order.pk])).content.decode()
    inquiry = Inquiry.objects.get(kind=WHAT_IF)
    assert "Asking IBKR what this order would do" in waiting
    assert reverse("trading:what_if_shown", args=[inquiry.pk]) in waiting
    dispatch.answer_what_if(str(inquiry.pk))

    for address in (page, reverse("trading:what_if_shown", args=[inquiry.pk])):
        shown = browser.get(address).content.decode()
        assert "Initial margin" in shown
        assert "No order is made by asking." in shown
        assert "stale after 60 s" in shown or "stale after 1 min" in shown
    draft(intent=order.intent, quantity=Decimal(8))
    assert "No order is made by asking." not in browser.get(page).content.decode()  # that was another ticket


# ---- which connection is asked


@pytest.fixture
def second_master(desk: MasterAccount) -> MasterAccount:
    """Another connection, whose session is down."""
    other = MasterAccount.objects.get(pk=desk.pk)
    other.pk, other._state.adding, other.account, other.username = None, True, "F0000002", "alder02"
    other.save()
    BrokerageSession.objects.create(
        master=other, state=SessionState.COMPETING, detail="Someone else is logged in with this username, e.g. in TWS"
    )
    return other


DOWN = (
    "The trading session of F0000002 is taken by another login, so IBKR cannot be asked through it now."
    " Someone else is logged in with this username, e.g. in TWS."
)


def test_a_what_if_of_an_account_whose_session_is_down_says_so_and_asks_nobody_else(
    draft: Callable[..., Order], second_master: MasterAccount, book: Book, sandbox: Any, advisor: Any
) -> None:
    theirs = make_account("U1000022", second_master, book)
    give_figures(theirs, "100000")
    order = draft(account=theirs)
    before = len(sandbox.requests())

    inquiry = ask_what_if(order, advisor)

    assert (inquiry.state, inquiry.message) == (InquiryState.FAILED, DOWN)
    assert len(sandbox.requests()) == before


def test_accounts_of_two_masters_are_each_read_through_their_own(
    second_master: MasterAccount, book: Book, sandbox: Any, advisor: Any
) -> None:
    make_account("U1000022", second_master, book)

    inquiry = answered(PORTFOLIO_REFRESH, {"accounts": [NUMBERS[0], "U1000022"]}, advisor)

    assert inquiry.answer == {"asked": 2, "answered": 1, "reasons": [DOWN]}
    assert not [path for path in trading_paths(sandbox) if "U1000022" in path]


def test_only_accounts_whose_session_is_down_is_a_failure_in_words(
    second_master: MasterAccount, book: Book, advisor: Any
) -> None:
    make_account("U1000022", second_master, book)

    inquiry = answered(PORTFOLIO_REFRESH, {"accounts": ["U1000022"]}, advisor)

    assert (inquiry.state, inquiry.message) == (InquiryState.FAILED, DOWN)


@pytest.mark.parametrize(("kind", "params"), [(QUOTE, {"conid": AAPL}), (INSTRUMENT_SEARCH, {"text": "SPY"})])
def test_what_is_about_no_account_is_asked_through_the_askers_own_connection(
    instrument: Instrument, second_master: MasterAccount, advisor: Any, kind: str, params: dict[str, Any]
) -> None:
    # The other connection is live by its row, comes first by its name, and leads nowhere: being asked, it would fail.
    BrokerageSession.objects.filter(master=second_master).update(state=SessionState.LIVE, bearer=None)
    assert {master.account for master in sync.live_masters()} == {"F0000002", "F1000001"}

    assert answered(kind, params, advisor).state == InquiryState.ANSWERED


def test_what_is_about_no_account_goes_around_a_session_that_waits_for_an_answer(
    draft: Callable[..., Order], desk: MasterAccount, sandbox: Any, advisor: Any
) -> None:
    order = draft()
    order = tickets.send(order, by=advisor, allocation_sha256=order.allocation_sha256)
    submission = journal.current_for(order)
    assert submission is not None
    for state in (State.CLAIMED, State.SENDING, State.QUESTION):
        LIFECYCLE.move(submission, to=state, because="test")
    other = MasterAccount.objects.get(pk=desk.pk)
    other.pk, other._state.adding, other.account = None, True, "F0000002"
    other.save()
    live = BrokerageSession.objects.get(master=desk)
    BrokerageSession.objects.create(master=other, state=SessionState.LIVE, bearer=live.bearer)

    assert answered(QUOTE, {"conid": AAPL}, advisor).state == InquiryState.ANSWERED
