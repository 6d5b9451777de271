"""The client's stream against the sandbox's: what IBKR's documents show on the line, and each way the line breaks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from time import monotonic, sleep
from typing import Any

import pytest

from backoffice.ibkr.stream import CookieForm, Stream
from backoffice.ibkr.types.market_data import Field
from backoffice.ibkr.types.orders import OrderTicket, Placed
from backoffice.ibkr.types.stream import (
    AccountsEvent,
    ConnectionEvent,
    Event,
    LedgerEvent,
    NotificationEvent,
    OrderEvent,
    PnlEvent,
    QuoteEvent,
    SessionEvent,
    StreamError,
    TradeEvent,
    UnknownEvent,
)
from tests.contract.conftest import APPLE, USERNAME, Connected
from tests.sandbox_process import SandboxProcess

ACCOUNT = "U1000011"
TUESDAY_MORNING = "2026-11-24T16:00:00Z"  # 11:00 in New York
PATIENCE_SECONDS = 30  # until a test gives up; nothing waits that long when all is well


@dataclass
class Listening:
    """A stream to the sandbox and everything it told."""

    connected: Connected
    events: list[Event] = field(default_factory=list)
    stream: Any = None

    def open(self, **options: Any) -> Stream:
        client = self.connected.client
        session = client.session.tickle().session
        self.stream = client.streams.open(session, on_event=self.events.append, **options)
        return self.stream

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if type(event) is kind]

    def until(self, found: Callable[[], object]) -> None:
        deadline = monotonic() + PATIENCE_SECONDS
        while not found():
            assert monotonic() < deadline, self.events[-5:]
            self.stream.pump(0)
            sleep(0.02)

    def control(self, action: str, **more: Any) -> None:
        self.connected.sandbox.control("POST", "stream", {"action": action, "username": USERNAME, **more})


@pytest.fixture
def sandbox(sandbox: SandboxProcess) -> SandboxProcess:
    """On a trading day that stands still: a price is a function of the minute, and may be the same a minute later."""
    sandbox.control("POST", "reset", {"at": TUESDAY_MORNING})
    sandbox.config(enforce_pacing=False, enforce_maintenance=False)
    return sandbox


@pytest.fixture
def trading(signed_in: Connected) -> Connected:
    """With an established and primed brokerage session."""
    begin(signed_in)
    return signed_in


def begin(connected: Connected) -> None:
    session = connected.client.session
    session.init(compete=True)
    connected.sandbox.advance(2)  # so long IBKR needs to establish it
    assert session.status().is_ready
    session.accounts()
    connected.client.portfolio.subaccounts()


@pytest.fixture
def listening(trading: Connected) -> Iterator[Listening]:
    made = Listening(trading)
    made.open()
    yield made
    made.stream.close()


def test_the_line_opens_with_the_session_and_its_accounts(listening: Listening) -> None:
    listening.until(lambda: listening.of(SessionEvent) and listening.of(AccountsEvent))

    assert listening.of(ConnectionEvent)[0].is_open
    assert listening.of(SessionEvent)[0].authenticated
    assert ACCOUNT in listening.of(AccountsEvent)[0].accounts.accounts
    assert listening.of(StreamError) == listening.of(UnknownEvent) == []


def test_a_quote_is_told_and_moves(listening: Listening) -> None:
    listening.stream.watch_quotes(APPLE, (Field.LAST, Field.BID, Field.ASK))

    listening.until(lambda: listening.of(QuoteEvent))
    first = listening.stream.quote(APPLE).last.value
    listening.connected.sandbox.advance(60)
    listening.until(lambda: len(listening.of(QuoteEvent)) == 2)

    quote = listening.stream.quote(APPLE)
    assert quote.conid == APPLE
    assert (first, quote.last.value) == (Decimal("256.09"), Decimal("256.16"))
    assert listening.stream.quote_age(APPLE).total_seconds() < 10


def test_an_order_and_its_fill_are_told_and_the_cash_with_them(listening: Listening) -> None:
    client = listening.connected.client
    listening.stream.watch_orders()
    listening.stream.watch_trades()
    listening.stream.watch_profit()
    listening.stream.watch_ledger(ACCOUNT)
    listening.until(lambda: listening.of(PnlEvent) and listening.of(LedgerEvent))
    ticket = OrderTicket(
        client_order_id="ST-01", conid=APPLE, side="BUY", order_type="MKT", quantity="5", account=ACCOUNT
    )

    outcome = client.orders.place(ticket)
    while not isinstance(outcome, Placed):
        outcome = client.orders.reply(outcome.reply_id, confirmed=True)
    listening.connected.sandbox.advance(60)

    listening.until(lambda: listening.of(TradeEvent) and listening.of(OrderEvent))
    told = [event.order for event in listening.of(OrderEvent) if event.order.client_order_id == "ST-01"]
    assert told[-1].order_id == outcome.order_id
    fills = [event.execution for event in listening.of(TradeEvent) if event.execution.client_order_id == "ST-01"]
    assert {fill.conid for fill in fills} == {APPLE}
    (row,) = [row for row in listening.of(PnlEvent)[0].rows if row.account_id == ACCOUNT]
    assert row.net_liquidation > Decimal(0)
    assert listening.of(LedgerEvent)[0].account_id == ACCOUNT


@pytest.mark.parametrize("action", ["drop", "close"])
def test_a_broken_line_is_told_and_opened_again_with_what_was_wanted(listening: Listening, action: str) -> None:
    listening.stream.watch_quotes(APPLE, (Field.LAST, Field.BID, Field.ASK))
    listening.until(lambda: listening.of(QuoteEvent))

    listening.control(action)
    listening.until(lambda: len(listening.of(ConnectionEvent)) == 3)
    opened_again = listening.events.index(listening.of(ConnectionEvent)[2])
    listening.until(lambda: any(isinstance(event, QuoteEvent) for event in listening.events[opened_again:]))

    assert [event.is_open for event in listening.of(ConnectionEvent)] == [True, False, True]


def test_stalled_quotes_grow_old_on_a_healthy_line(listening: Listening) -> None:
    listening.stream.watch_quotes(APPLE, (Field.LAST, Field.BID, Field.ASK))
    listening.until(lambda: listening.of(QuoteEvent))
    listening.control("stall", topics=["smd"])
    listening.stream.pump(0)
    before = len(listening.of(QuoteEvent))

    listening.connected.sandbox.advance(60)  # long enough for another price
    listening.stream.pump(1)

    assert len(listening.of(QuoteEvent)) == before
    assert listening.stream.is_open
    assert listening.stream.quote_age(APPLE).total_seconds() >= 1


def test_a_stolen_session_is_told_at_once(listening: Listening) -> None:
    listening.until(lambda: listening.stream.is_authenticated)

    listening.connected.sandbox.control("POST", "session", {"username": USERNAME, "action": "steal"})

    listening.until(lambda: listening.stream.is_authenticated is False)
    assert listening.of(SessionEvent)[-1].competing


def test_after_the_nightly_reset_the_same_line_is_subscribed_again(listening: Listening) -> None:
    listening.stream.watch_quotes(APPLE, (Field.LAST, Field.BID, Field.ASK))
    listening.until(lambda: listening.of(QuoteEvent))
    listening.connected.sandbox.control("POST", "session", {"username": USERNAME, "action": "reset"})
    listening.until(lambda: listening.stream.is_authenticated is False)
    before = len(listening.of(QuoteEvent))

    begin(listening.connected)

    listening.until(lambda: len(listening.of(QuoteEvent)) > before)
    assert len(listening.of(ConnectionEvent)) == 1


def test_bulletins_and_nonsense_are_told_as_such(listening: Listening) -> None:
    listening.until(lambda: listening.stream.is_authenticated)

    listening.control("bulletin", text="We close at noon")
    listening.control("send", frame="<html>")

    listening.until(lambda: listening.of(NotificationEvent) and listening.of(StreamError))
    assert listening.of(NotificationEvent)[0].text == "We close at noon"
    assert listening.stream.is_open


def test_a_second_line_ends_the_first(listening: Listening) -> None:
    listening.until(lambda: listening.stream.is_open)
    other = Listening(listening.connected)
    other.open()

    other.until(lambda: other.stream.is_authenticated)

    listening.until(lambda: len(listening.of(ConnectionEvent)) > 1)
    other.stream.close()
    assert not listening.of(ConnectionEvent)[1].is_open


def test_the_older_cookie_is_understood_where_the_server_wants_it(trading: Connected) -> None:
    trading.sandbox.config(stream_cookie="json")
    listening = Listening(trading)
    listening.open(cookie=CookieForm.JSON)

    listening.until(lambda: listening.stream.is_authenticated)

    listening.stream.close()


def test_a_dead_bearer_ends_the_stream_for_good(trading: Connected) -> None:
    listening = Listening(trading)
    listening.open()
    trading.client.session.logout()

    listening.stream.pump(1)

    assert listening.stream.is_closed
    assert listening.of(StreamError)[0].is_final
