"""The websocket over a real line: who is let in, what each topic tells, and how it breaks. The virtual clock stands still."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.sandbox.support import Caller, Server, make_key
from tests.sandbox.trading.listener import USERNAME, Frame, Listener, User, handshake

ACCOUNT, APPLE, COCA_COLA = "U1000011", 265598, 8894
TUESDAY_MORNING = "2026-11-24T16:00:00Z"  # 11:00 in New York
BUY = {
    "acctId": ACCOUNT,
    "conid": APPLE,
    "orderType": "MKT",
    "side": "BUY",
    "quantity": 10,
    "tif": "DAY",
    "cOID": "S-1",
}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("stream"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def client(sandbox: Server) -> Caller:
    caller = Caller(sandbox.url, make_key())
    caller.register()
    return caller


@pytest.fixture
def signed_on(client: Caller) -> User:
    """A bearer and nothing else, on a day that stands still."""
    client.control("POST", "reset", {"at": TUESDAY_MORNING})
    client.config(enforce_pacing=False, enforce_maintenance=False, stream_poll_milliseconds=5)
    return User(client)


@pytest.fixture
def user(signed_on: User) -> User:
    signed_on.begin()
    return signed_on


@pytest.fixture
def line(user: User) -> Iterator[Listener]:
    with user.listen() as listener:
        yield listener


def told(frames: list[Frame]) -> list[str]:
    return [str(frame.get("topic")) for frame in frames]


# -- who is let in --------------------------------------------------------------------------------------------------


def test_a_handshake_wants_bearer_cookie_and_user_agent(user: User) -> None:
    assert handshake(user) == 101
    assert handshake(user, bearer="wrong") == 401
    assert handshake(user, bearer="") == 401
    assert handshake(user, cookie="api=" + "0" * 32) == 401
    assert handshake(user, cookie="other=1") == 401
    assert handshake(user, agent=None) == 403


def test_the_form_of_the_cookie_is_set_by_a_knob(user: User) -> None:
    bare = user.cookie
    older = f'api={{"session":"{bare.removeprefix("api=")}"}}'

    def let_in(form: str) -> list[int]:
        user.caller.config(stream_cookie=form)
        return [handshake(user, cookie=cookie) for cookie in (bare, older)]

    assert [let_in(form) for form in ("raw", "json", "any")] == [[101, 401], [401, 101], [101, 101]]


def test_a_closed_window_stands_before_the_stream(user: User) -> None:
    cookie = user.cookie
    user.caller.control("POST", "reset", {"at": "2026-11-28T23:30:00Z"})  # Saturday, 18:30 in New York

    assert handshake(user, cookie=cookie) == 503


def test_a_handshake_counts_as_a_request_and_may_lead_into_the_penalty_box(user: User) -> None:
    cookie = user.cookie
    user.caller.config(enforce_pacing=True, global_per_second=6, penalty_seconds=600)

    statuses = [handshake(user, cookie=cookie) for _ in range(12)]

    assert (statuses[0], statuses[-1]) == (101, 429)


def test_user_accounts_and_state_of_the_session_come_first(user: User) -> None:
    with user.listen() as listener:
        system, accounts, state = listener.greeting

    assert system == {"topic": "system", "success": USERNAME, "isFT": False, "isPaper": False}
    assert (accounts["topic"], accounts["args"]) == ("act", user.rest("GET", "/iserver/accounts"))
    args = {"authenticated": True, "competing": False, "message": "", "fail": "", "username": USERNAME}
    assert state == {"topic": "sts", "args": args}


def test_without_a_brokerage_session_only_what_needs_none_is_told(signed_on: User) -> None:
    with signed_on.connect() as socket:
        listener = Listener(signed_on, socket)

        assert told([listener.next(), listener.next()]) == ["system", "sts"]
        assert listener.ask("sor+{}") == [{"topic": "error", "error": "not authenticated"}]
        assert listener.ask('smd+265598+{"fields":["31"]}') == [{"topic": "error", "error": "not authenticated"}]
        assert told(listener.ask(f"sld+{ACCOUNT}+{{}}")) == [f"sld+{ACCOUNT}"]
        signed_on.begin()
        assert told([listener.hear("act"), listener.next()]) == ["act", "sts"]


def test_a_second_connection_takes_the_place_of_the_first(user: User, line: Listener) -> None:
    with user.listen():
        assert line.end()[0] == 1000
        assert user.stream("resume") == 1


# -- the session ----------------------------------------------------------------------------------------------------


def test_the_heart_beats_every_ten_seconds_of_the_virtual_clock(user: User, line: Listener) -> None:
    assert line.heard() == []

    user.caller.advance(9)
    assert line.heard() == []
    user.caller.advance(1)

    assert line.heard() == [{"topic": "system", "hb": 1795536012000}]


def test_tic_keeps_the_session_alive_and_listening_alone_does_not(user: User, line: Listener) -> None:
    for _ in range(3):
        user.caller.advance(240)
        line.socket.send("tic")
        line.socket.send("ech+hb")
        assert "sts" not in told(line.heard())

    user.caller.advance(361)

    assert line.hear("sts")["args"]["authenticated"] is False


@pytest.mark.parametrize(("action", "is_competing"), [("steal", True), ("reset", False)])
def test_the_end_of_the_session_is_told_and_its_topics_fall_silent(
    user: User, line: Listener, action: str, is_competing: bool
) -> None:
    line.ask("sor+{}")
    line.ask(f"sld+{ACCOUNT}+{{}}")

    user.caller.control("POST", "session", {"username": USERNAME, "action": action})

    args = {"authenticated": False, "competing": is_competing, "message": "", "fail": "", "username": USERNAME}
    assert line.hear("sts") == {"topic": "sts", "args": args}
    (connection,) = user.caller.control("GET", "stream")["connections"]
    assert connection["subscriptions"] == [f"sld+{ACCOUNT}"]


def signed_on_at(client: Caller, instant: str) -> User:
    client.control("POST", "reset", {"at": instant})
    client.config(enforce_pacing=False, enforce_maintenance=False, stream_poll_milliseconds=5)
    user = User(client)
    user.begin()
    return user


def test_the_nightly_reset_ends_the_session_and_not_the_connection(client: Caller) -> None:
    user = signed_on_at(client, "2026-11-25T05:05:00Z")  # five past midnight in New York
    user.caller.config(enforce_maintenance=True)

    with user.listen() as line:
        user.caller.advance(15 * 60)

        assert line.hear("sts")["args"]["authenticated"] is False
        assert line.hear("system")["hb"] == 1795583102000 + 15 * 60 * 1000


def test_the_weekly_maintenance_ends_the_connection(client: Caller) -> None:
    user = signed_on_at(client, "2026-11-28T22:55:00Z")  # Saturday, 17:55 in New York
    user.caller.config(enforce_maintenance=True)

    with user.listen() as line:
        user.caller.advance(15 * 60)

        assert line.end()[0] == 1001


def test_the_midnight_of_sign_ons_ends_the_connection(user: User, line: Listener) -> None:
    user.caller.config(enforce_maintenance=True)

    user.caller.advance(13 * 3600 + 60)  # a minute past midnight in New York

    code, frames = line.end()
    assert code == 1000
    assert [frame["args"]["authenticated"] for frame in frames if frame["topic"] == "sts"] == [False]


def test_a_logout_ends_the_connection(user: User, line: Listener) -> None:
    assert user.rest("POST", "/logout") == {"status": True}

    code, frames = line.end()

    assert (code, frames[-1]["args"]["authenticated"]) == (1000, False)


# -- market data ----------------------------------------------------------------------------------------------------


def test_quotes_are_whole_at_first_and_then_what_has_changed(user: User, line: Listener) -> None:
    (first,) = line.ask('smd+265598+{"fields":["31","84","86","55"]}')
    user.caller.advance(60)
    second = line.hear("smd+265598")

    expected = {
        "topic": "smd+265598",
        "server_id": "q1",
        "conidEx": "265598",
        "conid": APPLE,
        "_updated": 1795536002000,
    }
    assert first == {
        **expected,
        "6119": "q1",
        "6509": "RpB",
        "31": "256.09",
        "84": "256.06",
        "86": "256.12",
        "55": "AAPL",
    }
    assert second.keys() == {*expected, "31", "84", "86"}
    assert second["_updated"] == 1795536062000
    assert second["31"] != first["31"]


def test_quotes_that_do_not_move_say_nothing(line: Listener) -> None:
    assert len(line.ask('smd+265598+{"fields":["55","6008"]}')) == 1
    assert line.heard() == []


def test_an_exchange_belongs_to_the_topic(line: Listener) -> None:
    (frame,) = line.ask('smd+8894@NYSE+{"fields":["55"]}')

    assert (frame["topic"], frame["conidEx"], frame["conid"]) == ("smd+8894@NYSE", "8894@NYSE", COCA_COLA)


def test_fields_are_those_of_whoever_asked_last_over_rest_too(user: User, line: Listener) -> None:
    line.ask('smd+265598+{"fields":["31","55"]}')

    user.rest("GET", "/iserver/marketdata/snapshot?conids=265598&fields=84")
    user.caller.advance(60)

    frame = line.hear("smd+265598")
    assert "84" in frame
    assert "31" not in frame


def test_quotes_end_after_a_quarter_of_an_hour_without_a_word(user: User, line: Listener) -> None:
    smd, umd = 'smd+265598+{"fields":["31"]}', "umd+265598+{}"
    line.ask(smd)
    user.caller.config(session_idle_seconds=9_000)
    user.caller.advance(600)
    assert told(line.ask(smd)).count("smd+265598") == 1

    user.caller.advance(300)
    assert told(line.heard()) == ["system"]  # the second smd has not made the stream younger
    assert told(line.ask(smd)) == ["smd+265598"]
    user.caller.advance(600)
    line.ask(umd)
    line.ask(smd)
    user.caller.advance(300)

    assert "smd+265598" in told(line.heard())


def test_unsubscribing_over_either_way_ends_the_quotes(user: User, line: Listener) -> None:
    line.ask('smd+265598+{"fields":["31"]}')
    assert line.ask("umd+265598+{}") == []
    user.caller.advance(60)
    assert told(line.heard()) == ["system"]

    line.ask('smd+265598+{"fields":["31"]}')
    assert user.rest("GET", "/iserver/marketdata/unsubscribeall") == {"unsubscribed": True}
    user.caller.advance(60)

    assert told(line.heard()) == ["system"]


def test_without_a_market_data_line_left_there_are_no_quotes(user: User, line: Listener) -> None:
    user.caller.config(market_data_lines=1)

    assert told(line.ask('smd+265598+{"fields":["31"]}')) == ["smd+265598"]
    assert line.ask('smd+8894+{"fields":["31"]}') == []
    line.ask("umd+265598+{}")
    assert told(line.ask('smd+8894+{"fields":["31"]}')) == ["smd+8894"]


def test_what_is_not_subscribed_has_no_price(user: User, line: Listener) -> None:
    user.caller.config(market_data={"265598": "N"})

    (frame,) = line.ask('smd+265598+{"fields":["31","55"]}')

    assert (frame["6509"], frame["55"], "31" in frame) == ("N", "AAPL", False)


def test_a_chart_comes_once_and_five_are_open_at_most(user: User, line: Listener) -> None:
    (first,) = line.ask('smh+265598+{"period":"1d","bar":"8h","format":"%o/%c"}')
    more = [line.ask('smh+8894+{"period":"1d","bar":"1h"}')[0] for _ in range(4)]

    assert first["topic"] == "smh+265598"
    assert first["data"] == [{"o": Decimal("256.02"), "c": Decimal("256.09"), "t": 1795530600000}]
    assert more[0]["data"][0].keys() == {"o", "c", "h", "l", "v", "t"}
    assert len({frame["serverId"] for frame in [first, *more]}) == 5
    refusal = "Too many history charts requests, please try again later."
    assert line.ask('smh+8894+{"period":"1d","bar":"1h"}') == [{"topic": "error", "error": refusal}]
    assert line.ask(f"umh+{first['serverId']}") == []
    assert told(line.ask('smh+8894+{"period":"1d","bar":"1h"}')) == ["smh+8894"]
    user.caller.advance(5)
    assert line.heard() == []


# -- orders and trades ----------------------------------------------------------------------------------------------


def test_an_order_is_whole_at_first_and_then_only_what_has_changed(user: User, line: Listener) -> None:
    assert line.ask("sor+{}") == [{"topic": "sor", "args": []}]

    order_id = user.place(ACCOUNT, BUY)
    (whole,) = line.hear("sor")["args"]
    user.caller.advance(2)
    (changed,) = line.hear("sor")["args"]
    user.caller.advance(60)
    (filled,) = line.hear("sor")["args"]

    assert (whole["orderId"], whole["acct"], whole["order_ref"]) == (order_id, ACCOUNT, "S-1")
    assert (whole["status"], whole["totalSize"], whole["side"]) == ("PreSubmitted", Decimal("10.0"), "BUY")
    assert (changed["orderId"], changed["acct"], changed["conid"]) == (order_id, ACCOUNT, APPLE)
    assert changed["status"] == "Submitted"
    assert changed.keys().isdisjoint({"order_ref", "side", "totalSize", "ticker"})
    assert (filled["status"], filled["filledQuantity"], filled["timeInForce"]) == ("Filled", Decimal("10.0"), "CLOSE")
    rest = [user.rest("GET", "/iserver/account/orders") for _ in range(2)][1]["orders"]
    assert whole | changed | filled == next(row for row in rest if row["orderId"] == order_id)


def test_a_snapshot_shows_what_is_there_and_news_only_does_not(user: User, line: Listener) -> None:
    order_id = user.place(ACCOUNT, BUY)

    (snapshot,) = line.ask('sor+{"days":1}')
    assert [row["orderId"] for row in snapshot["args"]] == [order_id]
    line.ask("uor+{}")
    assert line.ask('sor+{"realtimeUpdatesOnly":true}') == []
    user.caller.advance(60)

    (row,) = line.hear("sor")["args"]
    assert (row["orderId"], row["status"], "ticker" in row) == (order_id, "Filled", False)


def test_a_filtered_question_over_rest_silences_the_orders_until_one_with_force(user: User, line: Listener) -> None:
    line.ask("sor+{}")
    user.rest("GET", "/iserver/account/orders?filters=filled")

    order_id = user.place(ACCOUNT, BUY)
    assert line.heard() == []
    user.rest("GET", "/iserver/account/orders?force=true")

    assert line.hear("sor")["args"][0]["orderId"] == order_id


def test_a_trade_is_told_and_again_when_its_commission_comes(user: User, line: Listener) -> None:
    user.caller.config(commission_delay_seconds=120)
    assert line.ask('str+{"realtimeUpdatesOnly":false,"days":1}') == [{"topic": "str", "args": []}]

    order_id = user.place(ACCOUNT, BUY)
    user.caller.advance(60)
    rows = line.hear("str")["args"]
    user.caller.advance(120)
    priced = line.hear("str")["args"]

    assert {row["order_id"] for row in rows} == {order_id}
    assert sum(row["size"] for row in rows) == 10
    assert {row["open_close"] for row in rows} == {"???"}
    assert [row for row in rows if "commission" in row] == []
    assert [{name: row[name] for name in row if name != "commission"} for row in priced] == rows
    assert sum(Decimal(row["commission"]) for row in priced) == 1


def test_trades_of_before_are_left_out_when_only_news_are_wanted(user: User, line: Listener) -> None:
    user.place(ACCOUNT, BUY)
    user.caller.advance(60)

    assert line.ask('str+{"realtimeUpdatesOnly":true}') == [{"topic": "system", "hb": 1795536062000}]
    assert line.ask("utr") == []
    (snapshot,) = line.ask("str+{}")

    assert sum(row["size"] for row in snapshot["args"]) == 10


def test_prompts_go_to_the_username_they_are_put_to(user: User, line: Listener, sandbox: Server) -> None:
    prompt = {
        "orderId": 7,
        "reqId": "9",
        "text": "Use the Price Management Algo?",
        "options": ["Yes", "No"],
        "prompt": True,
    }
    line.heard()

    for username in ("somebody", USERNAME):
        sandbox.app.state.sandbox.store.execute(
            "INSERT INTO trading_events (at, master, username, topic, account, order_id, payload)"
            " VALUES ('', ?, ?, 'ntf', '', 7, ?)",
            "F1000001", username, json.dumps(prompt | {"messageId": username}),
        )  # fmt: skip

    assert line.next() == {"topic": "ntf", "args": [prompt | {"messageId": USERNAME}]}
    assert line.heard() == []


# -- profit, summary, ledger ----------------------------------------------------------------------------------------


def test_profit_is_told_of_the_selected_account_and_when_it_changes(user: User, line: Listener) -> None:
    (first,) = line.ask("spl+{}")
    user.caller.advance(60)
    second = line.hear("spl")
    line.ask("upl+{}")
    user.caller.advance(60)

    assert first["args"].keys() == second["args"].keys() == {f"{ACCOUNT}.Core"}
    row = first["args"][f"{ACCOUNT}.Core"]
    assert row == {
        "rowType": 1, "dpl": Decimal("612.28"), "nl": Decimal("274690.93"), "upl": Decimal("-6011.72"),
        "uel": Decimal("219829.73"), "mv": Decimal("219444.82"),
    }  # fmt: skip
    assert second["args"][f"{ACCOUNT}.Core"] != row
    assert told(line.heard()) == ["system"]


def test_a_summary_shows_the_keys_and_fields_that_were_asked_for(user: User, line: Listener) -> None:
    at = 1795536002000
    assert line.ask(f'ssd+{ACCOUNT}+{{"keys":["NetLiquidation","AccountType"]}}') == [
        {
            "topic": f"ssd+{ACCOUNT}",
            "result": [
                {"key": "NetLiquidation", "monetaryValue": Decimal("274690.93"), "currency": "USD", "severity": 0, "timestamp": at},
                {"key": "AccountType", "value": "INDIVIDUAL", "severity": 0, "timestamp": at},
            ],
        }
    ]  # fmt: skip
    user.caller.advance(60)
    later = line.hear(f"ssd+{ACCOUNT}")["result"]
    assert [row["key"] for row in later] == ["NetLiquidation"]
    assert line.ask(f"usd+{ACCOUNT}+{{}}")[-1] == {"result": "unsubscribed from summary"}

    (whole,) = line.ask(f'ssd+{ACCOUNT}+{{"fields":["monetaryValue"]}}')
    found = {row["key"]: row for row in whole["result"]}
    assert found["AvailableFunds-S"].keys() == {"key", "monetaryValue", "timestamp"}
    assert {"AccountCode", "BuyingPower", "NetLiquidation-C"} <= found.keys()


def test_the_ledger_comes_every_ten_seconds_unchanged_currencies_bare(user: User, line: Listener) -> None:
    ask = f'sld+{ACCOUNT}+{{"keys":["LedgerListBASE"],"fields":["cashBalance"]}}'
    row = {"key": "LedgerListBASE", "cashBalance": Decimal("55246.11"), "timestamp": 1795536002}

    assert line.ask(ask) == [{"topic": f"sld+{ACCOUNT}", "result": [row]}]
    user.caller.advance(9)
    assert line.heard() == []
    user.caller.advance(1)
    bare = {"key": "LedgerListBASE", "timestamp": 1795536012}
    assert line.hear(f"sld+{ACCOUNT}") == {"topic": f"sld+{ACCOUNT}", "result": [bare]}
    assert line.ask(f"uld+{ACCOUNT}+{{}}") == [{"result": "unsubscribed from ledger"}]
    (whole,) = line.ask(f"sld+{ACCOUNT}+{{}}")
    assert {"LedgerListUSD", "LedgerListBASE"} <= {row["key"] for row in whole["result"]}
    assert whole["result"][0]["acctCode"] == ACCOUNT


# -- mistakes and faults --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("xyz+{}", "unknown topic: xyz"),
        ("sor+{days", "not JSON: {days"),
        ('sor+{"days":8}', "days must be from 1 to 7"),
        ('smd+1+{"fields":["31"]}', "unknown contract: 1"),
        ('smd+265598+{"fields":"31"}', "fields must be a list"),
        ("ssd+U9999999+{}", "accountId is not valid: U9999999"),
        ("umh+77", "unknown server id: 77"),
        ("smh+265598+{\"bar\":\"7h\"}", "Invalid bar: 7h"),
    ],
)  # fmt: skip
def test_a_mistake_is_an_error_frame_and_the_line_goes_on(line: Listener, said: str, error: str) -> None:
    assert line.ask(said) == [{"topic": "error", "error": error}]
    assert told(line.ask("spl+{}")) == ["spl"]


def test_frames_may_be_binary(user: User) -> None:
    user.caller.config(stream_binary=True)

    with user.connect() as socket:
        assert isinstance(socket.recv(timeout=10), bytes)


def test_a_line_is_torn_or_closed(user: User) -> None:
    def lose(action: str, **more: Any) -> int | None:
        with user.listen() as listener:
            assert user.stream(action, **more) == 1
            return listener.end()[0]

    assert (lose("drop"), lose("close"), lose("close", code=1012)) == (None, 1001, 1012)
    assert user.caller.control("GET", "stream") == {"connections": []}


def test_silence_and_stalled_topics_last_until_they_are_ended(user: User, line: Listener) -> None:
    line.ask('smd+265598+{"fields":["31"]}')

    user.stream("silence")
    user.caller.advance(60)
    assert line.heard() == []
    user.stream("resume")
    user.caller.advance(60)
    assert sorted(told(line.heard())) == ["smd+265598", "system"]
    user.stream("stall_quotes")
    user.caller.advance(60)
    assert told(line.heard()) == ["system"]
    user.stream("stall", topics=["system"])
    user.caller.advance(60)
    assert line.heard() == []
    (connection,) = user.caller.control("GET", "stream")["connections"]
    assert (connection["stalled"], connection["is_silent"]) == (["smd", "system"], False)


def test_bulletins_prompts_and_nonsense_are_sent_as_they_are(user: User, line: Listener) -> None:
    prompt = '{"topic":"ntf","args":[{"orderId":7,"reqId":"9","text":"Sure?","options":["Yes","No"],"prompt":true}]}'

    user.stream("bulletin", text="We close at noon")
    user.stream("bulletin", text="We are closed")
    user.stream("send", frame=prompt)
    user.stream("send", frame="<html>")

    assert [line.next() for _ in range(2)] == [
        {"topic": "blt", "args": {"id": "1", "message": "We close at noon"}},
        {"topic": "blt", "args": {"id": "2", "message": "We are closed"}},
    ]
    assert line.socket.recv(timeout=10) == prompt
    assert line.socket.recv(timeout=10) == "<html>"


def test_an_unknown_action_or_another_username_does_nothing(user: User, line: Listener) -> None:
    assert user.stream("drop", username="nobody") == 0
    answer = user.caller.http.post(f"{user.caller.url}/_sandbox/stream", json={"action": "explode"}, timeout=10)

    assert answer.status_code == 400
    assert told(line.ask("spl+{}")) == ["spl"]
