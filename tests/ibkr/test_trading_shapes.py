"""Reads of the trading side in every shape that IBKR's documents, its file and recordings show, and in odd ones."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from backoffice.ibkr import (
    AuthFailed,
    BadIdentifier,
    IbkrClient,
    IbkrError,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SessionNotReady,
    Unavailable,
    Unsendable,
)
from backoffice.ibkr.portfolio import PAGE_SIZE
from backoffice.ibkr.session import NO_DYNAMIC_ACCOUNTS
from backoffice.ibkr.types.allocation import PresetsChange
from tests.ibkr.conftest import Bench, answer

Ask = Callable[[IbkrClient], Any]
OPTION = {
    "conid": 730295700, "ticker": "AAPL", "secType": "OPT", "maturityDate": "20270115", "right": "C", "strike": 150.0,
    "multiplier": "100", "validExchanges": "SMART,CBOE",
}  # fmt: skip
NOTICE = {"ID": 7, "FC": "PF", "D": "1795435200.0", "MS": "FYI", "MD": "<p>A &amp; B</p><br/>C", "R": 0}
MONDAY = {"tradingScheduleDate": "20000103", "tradingtimes": [{"openingTime": "0400", "closingTime": "2000"}]}
PRESETS = PresetsChange(
    default_method_for_all="A",
    group_auto_close_positions=False,
    profiles_auto_close_positions=False,
    strict_credit_check=True,
    group_proportional_allocation=True,
)


@pytest.mark.parametrize(
    ("ask", "body", "expected"),
    [
        # the account selected in the session
        (lambda client: client.session.select_account("U1"), {"set": True, "acctId": "U1"}, None),
        (lambda client: client.session.select_account("U1"), {"success": "Account already set"}, None),
        (lambda client: client.session.select_dynamic_account("U1"), {"set": True, "acctId": "U1"}, None),
        # clients in pages: the documented object, and the bare list that was recorded
        (
            lambda client: [each.account_id for each in client.portfolio.subaccount_page(0).accounts],
            {"metadata": {"total": 1, "pageSize": 20, "pageNum": 0}, "subaccounts": [{"accountId": "U1"}]},
            ["U1"],
        ),
        (lambda client: [each.account_id for each in client.portfolio.all_subaccounts()], [{"id": "U1"}], ["U1"]),
        # holdings: bare or wrapped, by either name, one item or a list, a segment with and without its account
        (
            lambda client: [(each.account_id, each.market_price) for each in client.portfolio.live_positions("U1")],
            [{"conid": "265598", "position": 1, "marketPrice": 2.5}],
            [("U1", Decimal("2.5"))],
        ),
        (
            lambda client: [(each.account_id, each.market_price) for each in client.portfolio.live_positions("U1")],
            {"positions": [{"conid": 265598, "position": 1, "mktPrice": "2.5"}]},
            [("U1", Decimal("2.5"))],
        ),
        (
            lambda client: [(each.account_id, each.segment) for each in client.portfolio.positions_in("265598")],
            {
                "U1234567": [{"acctId": "U1234567", "conid": 265598}],
                "U1234567C": [{"acctId": "U1234567C", "conid": 265598}],
                "U7654321C": {"conid": "265598"},
                "error": None,
            },
            [("U1234567", ""), ("U7654321C", "C")],
        ),
        (
            lambda client: [(row.account_id, row.model, row.excess_liquidity) for row in client.portfolio.profit().rows],
            {"upnl": {"U1.Core": {"uel": 1.5}, "U1.Growth": {"el": 2.5}}},
            [("U1", "Core", Decimal("1.5")), ("U1", "Growth", Decimal("2.5"))],
        ),
        # instruments: an array or a single object, nothing, half-filled rows
        (
            lambda client: [each.conid for each in client.contracts.bonds("e1400715")],
            OPTION | {"secType": "BOND"},
            ["730295700"],
        ),
        (lambda client: client.contracts.bonds("e1400715"), [], ()),
        (
            lambda client: client.contracts.strikes("265598", security_type="OPT", month="JAN27").is_empty,
            {"call": [], "put": None},
            True,
        ),
        (lambda client: client.contracts.stocks(["IBM"]), {"IBM": []}, {}),
        (lambda client: client.contracts.futures(["ES"]), {"ES": None}, {}),
        (lambda client: client.contracts.currency_pairs("USD"), {}, ()),
        (
            lambda client: client.contracts.exchange_rate(source="EUR", target="USD"),
            {"rate": "1,084.25"},
            Decimal("1084.25"),
        ),
        (
            lambda client: [(each.symbol, each.conid) for each in client.contracts.all_conids("NASDAQ")],
            [{"ticker": "AAPL", "conid": "265598"}],
            [("AAPL", "265598")],
        ),
        (lambda client: client.contracts.rules("265598").error, {"error": "No trading permissions."}, "No trading permissions."),
        (lambda client: client.contracts.rules("265598").stop_price, {"stopprice": "1.5"}, Decimal("1.5")),
        (lambda client: client.contracts.rules("265598").stop_price, {"stopPrice": 1.5}, Decimal("1.5")),
        (
            lambda client: [day.day for day in client.contracts.trading_schedule("265598").days],
            {"exchange_time_zone": "US/Eastern", "schedules": {"20261124": {"liquid_hours": []}, "20261125": None}},
            [date(2026, 11, 24)],
        ),
        (
            lambda client: client.contracts.venue_schedules("STK", "AAPL")[0].days[0].stretches,
            [{"schedules": [MONDAY]}],
            (("0400", "2000"),),
        ),
        # history: headers are scaled and have two more figures behind the price
        (
            lambda client: client.market.history("265598", period="1d", bar="1h").highest,
            {"priceFactor": 100, "high": "65820/26572.9/67", "data": None},
            Decimal("658.2"),
        ),
        # performance: accounts are named by `included`, or by `view`
        (
            lambda client: list(client.analytics.all_periods(["U1"]).accounts),
            {"included": ["U1"], "U1": {"periods": ["1D"], "1D": {}}, "rc": 0},
            ["U1"],
        ),
        (
            lambda client: client.analytics.all_periods(["U1"]).accounts["U1"].periods["1D"].total_return,
            {"view": ["U1"], "U1": {"1D": {"freq": "D", "dates": ["20261123"], "cps": [0.01, "0.02"]}}},
            Decimal("0.02"),
        ),
        (
            lambda client: [each.day for each in client.analytics.transactions(["U1"], "8314", currency="USD").transactions],
            {"transactions": [{"rawDate": "20260331"}, {"date": "Tue Mar 31 00:00:00 EDT 2026"}]},
            [date(2026, 3, 31), date(2026, 3, 31)],
        ),
        # messages: bare or wrapped, read or not as 0 and 1, HTML taken off
        (lambda client: client.notifications.unread().count, {"BN": "3"}, Decimal(3)),
        (
            lambda client: [
                (each.notification_id, each.sent_at, each.plain_body, each.is_read)
                for each in client.notifications.recent()
            ],
            {"notifications": [NOTICE]},
            [("7", datetime(2026, 11, 23, 12, tzinfo=UTC), "A & B C", False)],
        ),
        (lambda client: [each.kind for each in client.notifications.recent()], [NOTICE], ["PF"]),
        # presets: the long word of the presets, and the letter that groups use
        (lambda client: client.allocation.presets().default_method, {"default_method_for_all": "N"}, "N"),
        (
            lambda client: client.allocation.presets().matches(PRESETS),
            PRESETS.wire_members() | {"default_method_for_all": "A"},
            True,
        ),
        (lambda client: client.allocation.presets().rebalances, {"default_method_for_all": "N"}, None),
    ],
)  # fmt: skip
def test_each_shape_of_an_answer_is_read(bench: Bench, ask: Ask, body: Any, expected: object) -> None:
    bench.server.play(answer(200, body))

    assert ask(bench.client) == expected


@pytest.mark.parametrize(
    ("ask", "status", "body", "error"),
    [
        (lambda client: client.session.select_account("U1"), 500, {"error": "Invalid account ID"}, Rejected),
        (lambda client: client.session.select_account("U1"), 500, {"error": "x"}, Unavailable),
        (lambda client: client.session.select_account("U1"), 200, {"set": True, "acctId": "U2"}, Unavailable),
        (lambda client: client.session.select_account("U1"), 200, {"set": False}, Unavailable),
        (lambda client: client.session.search_accounts("U1"), 401, {"error": "Access token expired"}, AuthFailed),
        (lambda client: client.session.search_accounts("U1"), 401, {"error": "not authenticated"}, SessionNotReady),
        (lambda client: client.session.search_accounts("U1"), 503, {"error": "x"}, Unavailable),
        (lambda client: client.portfolio.profit(), 200, {"upnl": {}}, Unavailable),
        (lambda client: client.portfolio.ledger("U1"), 200, {}, Unavailable),
        (lambda client: client.contracts.search_by_post("IBM"), 200, {"error": "Bad request"}, Rejected),
        (lambda client: client.contracts.exchange_rate(source="EUR", target="USD"), 200, {"rate": 0}, Unavailable),
        (lambda client: client.contracts.exchange_rate(source="EUR", target="USD"), 200, {"rate": True}, Unavailable),
        (lambda client: client.contracts.exchange_rate(source="EUR", target="USD"), 200, {}, Unavailable),
        (lambda client: client.contracts.exchange_rate(source="EUR", target="USD"), 200, {"rate": "n/a"}, Unavailable),
        (lambda client: client.contracts.rules("1"), 400, {"error": "conid is not valid"}, Rejected),
        (
            lambda client: client.market.history("1", period="1d", bar="1h"),
            500,
            {"error": "Chart data unavailable: too many history charts"},
            RateLimited,
        ),
        (lambda client: client.market.unsubscribe("1"), 500, {"error": "broken"}, Unavailable),
        (lambda client: client.notifications.unread(), 423, {"status": "locked"}, Unavailable),
        (lambda client: client.orders.suppress(["o10151"]), 200, {"status": "no"}, Unavailable),
        (lambda client: client.orders.reset_suppressed(), 200, {}, Unavailable),
        (lambda client: client.allocation.set_presets(PRESETS), 500, {"error": "Invalid presets: method"}, Rejected),
        (lambda client: client.allocation.set_presets(PRESETS), 400, {"error": "Bad Request"}, Rejected),
        (lambda client: client.allocation.set_presets(PRESETS), 200, {}, OutcomeUnknown),
        (
            lambda client: client.allocation.set_presets(PRESETS),
            500,
            {"error": "Internal Server Error"},
            OutcomeUnknown,
        ),
        (lambda client: client.allocation.set_presets(PRESETS), 401, {"error": "x"}, AuthFailed),
        (lambda client: client.analytics.performance(["U1"]), 503, {"error": "x"}, Unavailable),
    ],
)
def test_each_refusal_is_named_for_the_next_move(
    bench: Bench, ask: Ask, status: int, body: Any, error: type[IbkrError]
) -> None:
    bench.server.play(answer(status, body))

    with pytest.raises(IbkrError) as caught:
        ask(bench.client)

    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (lambda client: client.session.search_accounts("U1/../x"), Unsendable),
        (lambda client: client.session.select_dynamic_account("U1/x"), BadIdentifier),
        (lambda client: client.portfolio.consolidated_allocation([]), Unsendable),
        (lambda client: client.portfolio.position("U1", "x"), BadIdentifier),
        (lambda client: client.contracts.stocks(["aapl"]), Unsendable),
        (lambda client: client.contracts.futures([]), Unsendable),
        (lambda client: client.contracts.strikes("1", security_type="FOP", month="JAN27"), Unsendable),
        (lambda client: client.contracts.strikes("1", security_type="OPT", month="2027-01"), Unsendable),
        (lambda client: client.contracts.derivatives("1", security_type="OPT", month="JAN27", right="C"), Unsendable),
        (
            lambda client: client.contracts.derivatives("1", security_type="OPT", month="JAN27", strike=Decimal(150)),
            Unsendable,
        ),
        (lambda client: client.contracts.bond_filters("e1&x=1"), Unsendable),
        (lambda client: client.contracts.all_conids("NAS DAQ/.."), Unsendable),
        (lambda client: client.contracts.algorithms("1", ["Vwap"] * 9), Unsendable),
        (lambda client: client.contracts.currency_pairs("usd"), Unsendable),
        (lambda client: client.market.history("1", period="1y", bar="1min"), Unsendable),
        (lambda client: client.market.history("1", period="1d", bar="1h", forwards=True), Unsendable),
        (lambda client: client.analytics.performance([]), Unsendable),
        (lambda client: client.analytics.transactions(["U1"], "1", currency="usd"), Unsendable),
        (lambda client: client.analytics.transactions(["U1"], "1", currency="USD", days=0), Unsendable),
        (lambda client: client.notifications.recent(most=11), Unsendable),
        (lambda client: client.notifications.want("ba", wanted=True), Unsendable),
        (lambda client: client.notifications.mark_read("../x"), Unsendable),
        (lambda client: client.orders.suppress([]), Unsendable),
        (lambda client: client.orders.suppress([f"o{number}" for number in range(52)]), Unsendable),
        (lambda client: client.orders.suppress(["o10151", "o163"]), Unsendable),
    ],
)
def test_what_ibkr_would_misunderstand_is_not_sent(bench: Bench, ask: Ask, error: type[IbkrError]) -> None:
    bench.server.play(answer(200, {}))

    with pytest.raises(error):
        ask(bench.client)

    assert bench.server.received == []


def test_a_session_without_dynamic_accounts_is_told_from_a_dead_one(bench: Bench) -> None:
    unavailable = {"error": "Details currently unavailable. Please try again later.", "statusCode": 503}
    bench.server.play(answer(503, unavailable), answer(401, {"error": "not allowed"}))

    for _ in range(2):
        with pytest.raises(Rejected) as caught:
            bench.client.session.search_accounts("U1")
        assert caught.value.code == NO_DYNAMIC_ACCOUNTS

    assert len(bench.server.received) == 2


def test_definitions_are_asked_for_by_the_two_hundred_and_none_is_no_error(bench: Bench) -> None:
    known = {"secdef": [{"conid": 1, "name": "AT&amp;T", "strike": "0", "incrementRules": None}]}
    bench.server.play(answer(200, known), answer(204, b""))

    (found,) = bench.client.contracts.definitions([str(number) for number in range(1, 252)])

    assert (found.conid, found.name, found.strike) == ("1", "AT&T", Decimal(0))
    asked = [request.target.partition("conids=")[2].count("%2C") + 1 for request in bench.server.received]
    assert asked == [200, 51]


def test_algorithms_are_asked_for_again_while_there_are_none(bench: Bench) -> None:
    vwap = {"id": "Vwap", "name": "VWAP", "parameters": [{"id": "maxPctVol", "required": "true", "legalStrings": None}]}
    bench.server.play(answer(200, {"algos": []}), answer(200, {"algos": [vwap]}), answer(200, {"algos": []}))

    (found,) = bench.client.contracts.algorithms("265598", ["Vwap", "Twap"])

    assert [(each.id, each.is_required, each.choices) for each in found.parameters] == [("maxPctVol", True, ())]
    assert bench.client.contracts.algorithms("265598") == ()
    assert len(bench.server.received) == 4
    assert bench.server.received[0].target.endswith("?addDescription=1&addParams=1&algos=Vwap%3BTwap")


def test_the_rules_are_those_of_the_second_answer(bench: Bench) -> None:
    few = {"con_id": 265598, "rules": {"orderTypes": ["limit"]}}
    all_of_them = {"con_id": 265598, "rules": {"orderTypes": ["limit"], "tifTypes": ["DAY/o,a"], "error": None}}
    bench.server.play(answer(200, few), answer(200, all_of_them), answer(200, {"con_id": 265598, "rules": None}))

    found = bench.client.contracts.info_and_rules("265598")

    assert found.rules is not None
    assert (found.info.conid, found.rules.allows_tif("DAY"), found.rules.error) == ("265598", True, "")
    assert bench.client.contracts.info_and_rules("265598").rules is None


def test_a_stream_that_was_not_open_is_closed(bench: Bench) -> None:
    bench.server.play(answer(500, {"error": "unknown"}))

    bench.client.market.unsubscribe("265598")

    assert bench.server.received[0].json == {"conid": 265598}


def test_history_before_a_moment_names_it_in_utc(bench: Bench) -> None:
    bench.server.play(answer(200, {"data": []}))
    start = datetime.fromisoformat("2026-11-24T10:00:00-05:00")

    bench.client.market.history("265598", period="1d", bar="1h", start=start, forwards=True, exchange="NASDAQ")

    query = bench.server.received[0].target.partition("?")[2]
    assert query == (
        "conid=265598&period=1d&bar=1h&outsideRth=false&startTime=20261124-15%3A00%3A00&direction=1&source=Last"
        "&exchange=NASDAQ"
    )


@pytest.mark.parametrize(
    ("status", "text", "error"),
    [
        (500, "Chart data unavailable", Unavailable),
        (500, "Too many history charts requests, please try again later.", RateLimited),
        (200, "Too many history charts requests, please try again later.", RateLimited),
        (500, "<html>Too many history charts</html>", Unavailable),
    ],
)
def test_a_chart_refused_in_bare_text_says_why(bench: Bench, status: int, text: str, error: type[IbkrError]) -> None:
    bench.server.play(answer(status, text.encode(), content_type="text/plain"))

    with pytest.raises(error) as refused:
        bench.client.market.history("265598", period="1d", bar="1h")

    assert refused.value.reason == (f"IBKR answered HTTP {status}." if text.startswith("<") else text)


def test_analytics_are_asked_for_once_whatever_comes(bench: Bench) -> None:
    bench.server.play(answer(503, {"error": "x"}))

    for ask in (
        lambda: bench.client.analytics.performance(["U1"], period="YTD"),
        lambda: bench.client.analytics.all_periods(["U1", "U2"]),
        lambda: bench.client.analytics.transactions(["U1"], "8314", currency="USD", days=30),
    ):
        with pytest.raises(Unavailable):
            ask()

    assert [request.json for request in bench.server.received] == [
        {"acctIds": ["U1"], "period": "YTD"},
        {"acctIds": ["U1", "U2"]},
        {"acctIds": ["U1"], "conids": [8314], "currency": "USD", "days": 30},
    ]


@pytest.mark.parametrize(
    ("listed", "expected"), [(PAGE_SIZE + 3, PAGE_SIZE + 3), (PAGE_SIZE, PAGE_SIZE), (PAGE_SIZE - 1, PAGE_SIZE)]
)
def test_live_positions_that_fill_a_page_are_held_against_the_documented_pages(
    bench: Bench, listed: int, expected: int
) -> None:
    def rows(first: int, count: int) -> list[dict[str, Any]]:
        return [{"conid": 1000 + number, "position": 1, "marketPrice": 2.5} for number in range(first, first + count)]

    pages = [rows(0, min(listed, PAGE_SIZE)), rows(PAGE_SIZE, max(listed - PAGE_SIZE, 0))]
    bench.server.play(
        answer(200, rows(0, PAGE_SIZE)), answer(200, {"message": "success"}), *(answer(200, page) for page in pages)
    )

    found = bench.client.portfolio.live_positions("U1")

    assert len({each.conid for each in found}) == expected
    assert [each.target for each in bench.server.received[:3]] == [
        "/v1/api/portfolio2/U1/positions",
        "/v1/api/portfolio/U1/positions/invalidate",
        "/v1/api/portfolio/U1/positions/0",
    ]


def test_live_positions_that_do_not_fill_a_page_are_all_there_is(bench: Bench) -> None:
    bench.server.play(answer(200, [{"conid": "1001", "position": 1}]))

    assert len(bench.client.portfolio.live_positions("U1")) == 1
    assert len(bench.server.received) == 1
