import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from backoffice.ibkr import HeldBack, Priority, Unsendable
from backoffice.ibkr.environments import Environment, sandbox
from backoffice.ibkr.frames import Known
from backoffice.ibkr.stream import CookieForm, Stream
from backoffice.ibkr.transport import Call
from backoffice.ibkr.types.market_data import Field, Timeline
from backoffice.ibkr.types.stream import (
    AccountsEvent,
    ConnectionEvent,
    Event,
    LedgerEvent,
    NotificationEvent,
    OrderEvent,
    PnlEvent,
    PromptEvent,
    QuoteEvent,
    SessionEvent,
    StreamError,
    SummaryEvent,
    TradeEvent,
    UnknownEvent,
)
from tests.ibkr.websocket_server import Connection, StreamServer, stream_server

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
SESSION = "c8fh17fnjr01hfnrh39rhfh8shd1hd93"
BEARER = "bearer-that-must-not-be-seen"
PATIENCE_SECONDS = 20  # until a test gives up; nothing waits that long when all is well
READY = {"topic": "sts", "args": {"authenticated": True}}
SMD = 'smd+265598+{"fields":["31","84"]}'


class Clock:
    """A clock that goes on only when a test puts it forward or the stream pauses: a slow machine changes nothing."""

    def __init__(self) -> None:
        self.ahead = 0
        self.pauses: list[int] = []

    def now_ms(self) -> int:
        return 1_000_000 + self.ahead

    def now(self) -> datetime:
        return AT + timedelta(milliseconds=self.ahead)

    def pause(self, milliseconds: int) -> None:
        self.pauses.append(milliseconds)
        self.ahead += milliseconds


@pytest.fixture
def server() -> Iterator[StreamServer]:
    with stream_server() as running:
        running.greet = lambda connection: connection.send(READY)
        yield running


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def the_clock() -> Clock:
    return Clock()


@pytest.fixture
def stream(server: StreamServer, events: list[Event], the_clock: Clock) -> Iterator[Stream]:
    made = make(server, events, the_clock)
    yield made
    made.close()


def make(server: StreamServer, events: list[Event], clock: Clock, **options: Any) -> Stream:
    return Stream(
        sandbox(server.url), BEARER, SESSION, on_event=events.append, now=clock.now, now_ms=clock.now_ms,
        pause=clock.pause, jitter=lambda milliseconds: milliseconds, **options,
    )  # fmt: skip


def until(stream: Stream, found: Callable[[], object]) -> None:
    """Pump until something is so; the clock that the stream sees stands still meanwhile."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not found():
        assert time.monotonic() < deadline, "it did not happen"
        stream.pump(0)
        time.sleep(0.01)


def of(events: list[Event], kind: type) -> list[Any]:
    return [event for event in events if type(event) is kind]


def take(*messages: Any) -> list[Event]:
    known = Known()
    return [event for message in messages for event in known.take(json.dumps(message), AT)]


# --- what messages mean ---------------------------------------------------------------------------------------------


def test_the_markets_of_two_exchanges_are_never_mixed() -> None:
    everywhere, nyse, later = take(
        {"topic": "smd+8894", "conid": 8894, "conidEx": "8894", "31": "62.10", "84": "62.09"},
        {"topic": "smd+8894@NYSE", "conid": 8894, "conidEx": "8894@NYSE", "31": "62.05"},
        {"topic": "smd+8894", "conid": 8894, "conidEx": "8894", "86": "62.11"},
    )

    assert (everywhere.target, nyse.target) == ("8894", "8894@NYSE")
    assert nyse.quote.bid is None
    assert (nyse.quote.last.value, later.quote.last.value) == (Decimal("62.05"), Decimal("62.10"))


def test_market_data_builds_up_from_differences() -> None:
    first, second = take(
        {
            "topic": "smd+265598",
            "conid": 265598,
            "31": "C183.20",
            "84": "183.10",
            "6509": "RpB",
            "_updated": 1795435200000,
        },
        {"topic": "smd+265598", "conid": 265598, "31": "183.30", "87": "1.5M"},
    )

    assert isinstance(first, QuoteEvent)
    assert isinstance(second, QuoteEvent)
    assert first.quote.last is not None
    assert first.quote.last.is_previous_close
    assert not first.quote.is_live
    assert second.quote.last is not None
    assert (second.quote.last.value, second.quote.is_live) == (Decimal("183.30"), True)
    assert second.quote.bid is not None
    assert second.quote.bid.value == Decimal("183.10")
    assert second.quote.timeline is Timeline.REALTIME
    assert (second.quote.volume, second.quote.is_volume_rounded) == (Decimal(1_500_000), True)
    assert second.at == AT


def test_a_part_of_an_order_is_merged_and_never_replaces() -> None:
    whole = {"acct": "U1", "orderId": 12, "conid": 265598, "status": "Submitted", "totalSize": 10.0, "remainingQuantity": 10.0,
             "filledQuantity": 0.0, "order_ref": "AR-01", "side": "BUY", "ticker": "AAPL"}  # fmt: skip

    first, second = take(
        {"topic": "sor", "args": [whole]},
        {"topic": "sor", "args": [{"orderId": 12, "filledQuantity": 4.0, "remainingQuantity": 6.0}]},
    )

    assert isinstance(first, OrderEvent)
    assert isinstance(second, OrderEvent)
    assert second.order.client_order_id == "AR-01"
    assert (second.order.filled, second.order.remaining, second.order.quantity) == (Decimal(4), Decimal(6), Decimal(10))
    assert second.changed == {"orderId", "filledQuantity", "remainingQuantity"}
    assert first.order.filled == Decimal(0)


def test_a_fill_is_told_once_and_again_only_with_news() -> None:
    row = {"execution_id": "0000e0d5.6576fd38.01.01", "size": 5.0, "price": "210.40", "side": "B", "order_ref": "AR-01"}

    found = take(
        {"topic": "str", "args": [row]},
        {"topic": "str", "args": [row]},
        {"topic": "str", "args": [row | {"commission": "1.0", "open_close": "???"}]},
        {"topic": "str", "args": [row | {"execution_id": "0000e0d5.6576fd38.01.02", "size": 4.0}]},
    )

    assert [(each.execution.revision, each.execution.commission) for each in of(found, TradeEvent)] == [
        (1, None),
        (1, Decimal("1.0")),
        (2, None),
    ]


def test_profit_ledger_and_summary_keep_what_a_message_leaves_out() -> None:
    found = take(
        {"topic": "spl", "args": {"U1.Core": {"rowType": 1, "dpl": 15.7, "nl": 10000.0, "upl": 607.0, "uel": 5000.0}}},
        {"topic": "spl", "args": {"U1.Core": {"dpl": 16.0}}},
        {"topic": "sld+U1", "result": [{"key": "LedgerListUSD", "cashBalance": 100.5, "timestamp": 1795435200}]},
        {"topic": "sld+U1", "result": [{"key": "LedgerListUSD", "timestamp": 1795435210}]},
        {"topic": "ssd+U1", "result": [{"key": "NetLiquidation", "monetaryValue": 250.5, "currency": "USD"}]},
        {"topic": "ssd+U1", "result": [{"key": "AccountType", "value": "INDIVIDUAL"}]},
    )

    assert [type(event) for event in found] == [
        PnlEvent,
        PnlEvent,
        LedgerEvent,
        LedgerEvent,
        SummaryEvent,
        SummaryEvent,
    ]
    (row,) = of(found, PnlEvent)[1].rows
    assert (row.account_id, row.model, row.daily, row.net_liquidation) == ("U1", "Core", Decimal(16), Decimal(10000))
    line = of(found, LedgerEvent)[1].lines["USD"]
    assert (line.cash, line.at) == (Decimal("100.5"), datetime(2026, 11, 23, 12, 0, 10, tzinfo=UTC))
    values = of(found, SummaryEvent)[1].values
    assert (values["netliquidation"].amount, values["netliquidation"].currency) == (Decimal("250.5"), "USD")
    assert values["accounttype"].text == "INDIVIDUAL"


def test_what_is_not_said_of_the_session_is_not_taken_for_a_no() -> None:
    (found,) = take({"topic": "sts", "args": {"competing": True}})

    assert found == SessionEvent(AT, authenticated=None, competing=True)


def test_an_error_of_null_is_none_and_one_without_words_is_one() -> None:
    session, error = take({"topic": "sts", "error": None, "args": {"authenticated": True}}, {"topic": "error"})

    assert session == SessionEvent(AT, authenticated=True)
    assert isinstance(error, StreamError)


def test_the_session_accounts_messages_and_prompts_are_told() -> None:
    prompt = {"orderId": 987654, "reqId": "12345", "text": "Use the Price Management Algo?", "options": ["Yes", "No"],
              "type": "M", "messageId": "p12", "prompt": True}  # fmt: skip

    found = take(
        {"topic": "sts", "args": {"authenticated": False, "competing": True, "message": ""}},
        {"topic": "act", "args": {"accounts": ["U1"], "selectedAccount": "U1", "aliases": {"U1": None}}},
        {"topic": "ntf", "args": [{"id": "7", "text": "A dividend", "title": "FYI"}]},
        {"topic": "ntf", "args": prompt},
        {"topic": "blt", "args": {"id": "3", "message": "We close at noon"}},
        {"topic": "error", "error": "Invalid topic"},
        {"error": "no bridge"},
        {"topic": "xyz+1", "args": {"token": "secret"}},
        {"topic": "system", "success": "alder01"},
        {"topic": "system", "hb": 1795435200000},
        {"topic": "tic", "alive": True},
        {"topic": "usd+U1", "result": "unsubscribed from summary"},
    )

    assert found[0] == SessionEvent(AT, authenticated=False, competing=True)
    assert isinstance(found[1], AccountsEvent)
    assert found[1].accounts.accounts == ("U1",)
    assert found[2] == NotificationEvent(AT, "7", "A dividend", "FYI")
    assert isinstance(found[3], PromptEvent)
    assert (found[3].question.is_prompt, found[3].question.options) == (True, ("Yes", "No"))
    assert found[4] == NotificationEvent(AT, "3", "We close at noon", is_bulletin=True)
    assert found[5:7] == [StreamError(AT, "Invalid topic"), StreamError(AT, "no bridge")]
    assert found[7] == UnknownEvent(AT, "xyz+1", {"topic": "xyz+1", "args": {"token": "[hidden]"}})
    assert len(found) == 8


@pytest.mark.parametrize(
    "frame", [b"<html>", b"\xff\xfe", "", '{"topic":"sor","args":[{}]}', '{"topic":"act"}', '{"a":1,"a":2}']
)
def test_what_cannot_be_read_is_an_error_event_and_no_crash(frame: bytes | str) -> None:
    (event,) = Known().take(frame, AT)

    assert isinstance(event, StreamError)


# --- the line -------------------------------------------------------------------------------------------------------


def test_it_connects_with_bearer_and_cookie_and_waits_for_the_session(
    stream: Stream, server: StreamServer, events: list[Event]
) -> None:
    greeted: list[Connection] = []
    server.greet = greeted.append
    stream.watch_quotes("265598", (Field.LAST, Field.BID))

    until(stream, lambda: greeted)
    stream.pump(0)
    assert server.last.said == []
    server.last.send({"topic": "system", "success": "alder01"})
    server.last.send(READY, binary=True)
    until(stream, lambda: server.last.said)

    assert server.last.target == f"/v1/api/ws?bearer_token={BEARER}"
    assert server.last.headers["cookie"] == f"api={SESSION}"
    assert server.last.headers["user-agent"]
    assert server.last.said == [SMD]
    assert [type(event) for event in events] == [ConnectionEvent, SessionEvent]
    assert stream.is_authenticated


def test_the_cookie_has_the_older_form_where_it_is_set(
    server: StreamServer, events: list[Event], the_clock: Clock
) -> None:
    stream = make(server, events, the_clock, cookie=CookieForm.JSON)

    until(stream, lambda: server.connections)

    assert server.last.headers["cookie"] == f'api={{"session":"{SESSION}"}}'
    stream.close()


def test_everything_wanted_is_asked_for_in_ibkrs_words(stream: Stream, server: StreamServer) -> None:
    stream.watch_quotes("265598", ("31",))
    stream.watch_quotes("265598", ("84", "31"))
    stream.watch_quotes("8314", ("31",), exchange="NYSE")
    stream.watch_orders()
    stream.watch_trades(days=2)
    stream.watch_profit()
    stream.watch_summary("U1000011", keys=["NetLiquidation"])
    stream.watch_ledger("U1000011", currencies=["BASE"], fields=["cashBalance"])

    until(stream, lambda: server.connections and len(server.last.said) == 7)
    stream.unwatch_quotes("8314", exchange="NYSE")
    stream.unwatch("sor")
    stream.unwatch("sld", "U1000011")

    assert server.heard("uld+U1000011+{}")
    assert server.last.said == [
        SMD,
        'smd+8314@NYSE+{"fields":["31"]}',
        "sor+{}",
        'str+{"realtimeUpdatesOnly":false,"days":2}',
        "spl+{}",
        'ssd+U1000011+{"keys":["NetLiquidation"],"fields":[]}',
        'sld+U1000011+{"keys":["LedgerListBASE"],"fields":["cashBalance"]}',
        "umd+8314@NYSE+{}",
        "uor+{}",
        "uld+U1000011+{}",
    ]


def test_more_fields_of_an_instrument_are_asked_for_together(stream: Stream, server: StreamServer) -> None:
    stream.watch_quotes("265598", ("31",))
    until(stream, lambda: server.connections and len(server.last.said) == 1)

    stream.watch_quotes("265598", ("84",))
    stream.watch_quotes("265598", ("31",))
    until(stream, lambda: len(server.last.said) == 2)

    assert server.last.said[1] == SMD


def test_a_heartbeat_goes_out_each_minute_and_market_data_is_asked_for_anew(
    stream: Stream, server: StreamServer, events: list[Event], the_clock: Clock
) -> None:
    stream.watch_quotes("265598", ("31", "84"))
    stream.watch_orders()
    until(stream, lambda: server.connections and len(server.last.said) == 2)

    for beats in range(1, 12):
        for _ in range(2):
            the_clock.ahead += 27_000
            told = len(events)
            server.last.send({"topic": "blt", "args": {"id": "1", "message": "still here"}})
            until(stream, lambda told=told: len(events) > told)
        stream.pump(0)
        assert server.heard("tic", times=beats)

    assert server.heard(SMD, times=2)
    assert server.last.said.count("umd+265598+{}") == 1
    assert server.last.said.index("umd+265598+{}") < len(server.last.said) - 1
    assert server.last.said.count("sor+{}") == 1


def test_a_silent_line_is_given_up_and_everything_is_asked_for_again(
    stream: Stream, server: StreamServer, events: list[Event], the_clock: Clock
) -> None:
    stream.watch_orders()
    until(stream, lambda: server.connections and server.last.said)

    the_clock.ahead += 46_000
    stream.pump(0)
    assert not stream.is_open
    the_clock.ahead += 1_000
    until(stream, lambda: len(server.connections) == 2 and server.last.said)

    lost = [event for event in of(events, ConnectionEvent) if not event.is_open]
    assert [event.reason for event in lost] == ["IBKR has fallen silent"]
    assert server.last.said == ["sor+{}"]


@pytest.mark.parametrize("end", ["hang_up", "cut"])
def test_a_lost_line_is_told_and_opened_again_with_growing_pauses(
    stream: Stream, server: StreamServer, events: list[Event], the_clock: Clock, end: str
) -> None:
    until(stream, lambda: stream.is_authenticated)
    server.status = 503

    getattr(server.last, end)()
    until(stream, lambda: not stream.is_open)
    stream.pump(30)
    server.status = 101
    until(stream, lambda: the_clock.pause(1_000) or stream.is_open)

    assert server.requests >= 4
    assert [event.is_open for event in of(events, ConnectionEvent)] == [True, False, True]
    assert {event.reason for event in of(events, StreamError)} == {"IBKR answered HTTP 503 to the stream"}


def test_a_refused_bearer_is_final(stream: Stream, server: StreamServer, events: list[Event]) -> None:
    server.status = 401

    stream.pump(5)
    stream.pump(5)

    assert server.requests == 1
    assert stream.is_closed
    assert of(events, StreamError) == [StreamError(AT, "IBKR answered HTTP 401 to the stream", is_final=True)]


def test_a_penalty_is_waited_out(stream: Stream, server: StreamServer) -> None:
    server.status = 429

    stream.pump(890)
    assert server.requests == 1
    stream.pump(20)

    assert server.requests == 2


class Watchman:
    """A limiter that notes what asked for a turn, and holds back while `is_closed`."""

    def __init__(self) -> None:
        self.is_closed = False
        self.turns: list[str] = []
        self.penalties: list[str] = []

    @contextmanager
    def turn(self, call: Call, _priority: Priority) -> Iterator[None]:
        if self.is_closed:
            raise HeldBack("IBKR's penalty is running.")
        self.turns.append(call.path)
        yield

    def penalise(self, call: Call, _retry_after: int | None) -> None:
        self.penalties.append(call.path)


def test_an_opening_takes_its_turn_and_a_penalty_is_everybodys(
    server: StreamServer, events: list[Event], the_clock: Clock
) -> None:
    watchman = Watchman()
    stream = make(server, events, the_clock, limiter=watchman)
    watchman.is_closed = True
    stream.pump(0)
    assert server.requests == 0
    assert of(events, StreamError) == [StreamError(AT, "IBKR's penalty is running.")]

    watchman.is_closed, server.status = False, 429
    stream.pump(5)

    assert (server.requests, watchman.turns, watchman.penalties) == (1, ["/v1/api/ws"], ["/v1/api/ws"])


def test_a_redirection_is_not_followed(stream: Stream, server: StreamServer, events: list[Event]) -> None:
    server.status = 302

    stream.pump(0)

    assert [type(event) for event in events] == [StreamError]
    assert not stream.is_open


def test_a_session_that_comes_back_is_asked_again_for_what_belonged_to_it(
    stream: Stream, server: StreamServer, events: list[Event]
) -> None:
    stream.watch_orders()
    stream.watch_profit()
    until(stream, lambda: server.connections and len(server.last.said) == 2)

    server.last.send({"topic": "sts", "args": {"authenticated": False, "competing": True}})
    until(stream, lambda: stream.is_authenticated is False)
    stream.watch_trades()
    stream.pump(0)
    server.last.send(READY)
    until(stream, lambda: len(server.last.said) == 4)

    assert server.last.said == ["sor+{}", "spl+{}", "sor+{}", 'str+{"realtimeUpdatesOnly":false,"days":1}']
    assert [event.competing for event in of(events, SessionEvent)] == [None, True, None]


def test_without_a_word_on_the_session_it_asks_after_a_while(
    stream: Stream, server: StreamServer, the_clock: Clock
) -> None:
    server.greet = lambda connection: None
    stream.watch_profit()
    until(stream, lambda: stream.is_open)
    stream.pump(0)
    assert server.last.said == []

    the_clock.ahead += 3_000
    stream.pump(0)

    assert server.heard("spl+{}")


def test_the_age_of_a_quote_is_known(stream: Stream, server: StreamServer, the_clock: Clock) -> None:
    stream.watch_quotes("265598")
    assert stream.quote("265598") is None
    assert stream.quote_age("265598") is None
    until(stream, lambda: server.connections and server.last.said)

    server.last.send({"topic": "smd+265598", "conid": 265598, "31": "183.20", "6509": "R"})
    until(stream, lambda: stream.quote("265598"))
    the_clock.ahead += 7_000

    quote = stream.quote("265598")
    assert quote is not None
    assert quote.is_live
    assert stream.quote_age("265598") == timedelta(seconds=7)
    stream.unwatch_quotes("265598")
    assert stream.quote("265598") is None


def test_the_bearer_is_seen_nowhere(
    stream: Stream, server: StreamServer, events: list[Event], caplog: pytest.LogCaptureFixture
) -> None:
    server.status = 500

    with caplog.at_level(0):
        stream.pump(0)

    assert BEARER not in repr(stream) + repr(events) + stream.address + caplog.text
    assert SESSION not in repr(stream) + repr(events) + caplog.text


@pytest.mark.parametrize(
    ("bearer", "session"), [("", SESSION), ("a\r\nX: y", SESSION), (BEARER, "short"), (BEARER, 'x"; b=c' * 3)]
)
def test_a_stream_that_could_not_be_ours_is_not_made(bearer: str, session: str) -> None:
    with pytest.raises(Unsendable):
        Stream(sandbox("http://127.0.0.1:1"), bearer, session, on_event=print)


def test_a_stream_is_encrypted_unless_it_stays_on_this_machine() -> None:
    assert Stream(Environment("production", "https://api.ibkr.com"), BEARER, SESSION, on_event=print).address == (
        "wss://api.ibkr.com/v1/api/ws"
    )
    with pytest.raises(ValueError):
        Stream(Environment("production", "http://api.ibkr.com"), BEARER, SESSION, on_event=print)
    with pytest.raises(Unsendable):
        Stream(sandbox("http://127.0.0.1:1"), BEARER, SESSION, on_event=print).watch_trades(days=8)
    with pytest.raises(ValueError):
        Stream(sandbox("http://127.0.0.1:1"), BEARER, SESSION, on_event=print).watch_quotes("-1")
